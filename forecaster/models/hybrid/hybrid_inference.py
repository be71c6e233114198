"""Inference of the hybrid's network in plain numpy. It reads the file that training wrote (`hybrid_network`) and gives the same results as
Keras.

A `.keras` file is a zip with the structure (config.json) and the weights (model.weights.h5). It is read as data only. The structure must be
that of our network, for some number of units; otherwise the file is refused. The geometry of the grid is defined here and used by both
modules. Tensor axes are (batch, step, lat, lon, channel).
"""

import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from forecaster.features.patches import CELL_RADII, CELLS, CHANNELS, STEPS

KERNEL = 3
GATES = 4
RINGS = (0.6, 1.0)
FURTHEST = 12.0
BATCH = 1024
LARGEST_PART_BYTES = 16 * 2**20
STRUCTURE_FILE, WEIGHTS_FILE = "config.json", "model.weights.h5"

_FLOW = {
    "patches": ("InputLayer", ()),
    "side": ("InputLayer", ()),
    "convlstm": ("quakecast>GridConvLSTM", ("patches",)),
    "standardise": ("quakecast>Standardise", ("side",)),
    "rings": ("quakecast>RingMeans", ("convlstm",)),
    "counts": ("Dense", ("standardise",)),
    "both": ("Concatenate", ("rings", "counts")),
    "joined": ("Dense", ("both",)),
    "residual": ("Dense", ("joined",)),
}
"""Each layer of `hybrid_network.build_network`: (its class, the layers it hears), in no order."""


@dataclass(frozen=True)
class Network:
    """The weights of one network, float32, by layer and in the order in which Keras keeps them."""

    weights: dict[str, tuple[np.ndarray, ...]]

    @property
    def columns(self) -> int:
        """The number of side inputs."""
        return len(self.weights["standardise"][0])

    def residual(self, patches: np.ndarray, side: np.ndarray) -> np.ndarray:
        """float64 (n,): the network's correction of the logit, from images (n, STEPS, CELLS, CELLS, channels) and side inputs (n, columns).

        Days are computed in batches of 1024, about 30 MB each.
        """
        found = np.empty(len(side))
        for at in range(0, len(side), BATCH):
            days = slice(at, at + BATCH)
            found[days] = self._residual(patches[days].astype(np.float32), side[days].astype(np.float32))
        return found

    def _residual(self, patches: np.ndarray, side: np.ndarray) -> np.ndarray:
        mean, sd = self.weights["standardise"]
        scaled = np.clip((side - mean) / sd, -FURTHEST, FURTHEST)
        scaled = np.maximum(self._dense("counts", scaled), 0.0)
        both = np.concatenate([self._rings(self._last_state(patches)), scaled], axis=1)
        return self._dense("residual", np.maximum(self._dense("joined", both), 0.0))[:, 0]

    @cached_property
    def _steps(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """float32: the ConvLSTM's convolutions of the inputs and of the state as matrices, and the bias of each step, (STEPS, width)."""
        kernel, recurrent, bias = self.weights["convlstm"]
        by_gate = bias.reshape(STEPS, GATES, 1, bias.shape[1] // GATES)
        return _matrix(kernel), _matrix(recurrent), np.repeat(by_gate, CELLS * CELLS, axis=2).reshape(STEPS, -1)

    def _dense(self, layer: str, inputs: np.ndarray) -> np.ndarray:
        kernel, bias = self.weights[layer]
        outputs: np.ndarray = inputs @ kernel + bias
        return outputs

    def _last_state(self, patches: np.ndarray) -> np.ndarray:
        """float32 (n, cells, filters): the ConvLSTM's state after the last step (`hybrid_network.GridConvLSTM`)."""
        of_inputs, of_state, offsets = self._steps
        cells, filters = CELLS * CELLS, len(of_state) // CELLS**2
        by_step = patches.reshape(len(patches), STEPS, -1)
        state = cell = np.zeros((len(patches), cells * filters), dtype=np.float32)
        for step in range(STEPS):
            z = by_step[:, step] @ of_inputs + offsets[step] + state @ of_state
            z_in, z_forget, z_cell, z_out = np.split(z, GATES, axis=1)
            cell = _sigmoid(z_forget) * cell + _sigmoid(z_in) * np.tanh(z_cell)
            state = _sigmoid(z_out) * np.tanh(cell)
        return state.reshape(len(patches), cells, filters)

    def _rings(self, state: np.ndarray) -> np.ndarray:
        """float32 (n, rings x filters): means of (n, cells, filters) over the rings (`hybrid_network.RingMeans`)."""
        shares = _shares_of_grid()
        pooled: np.ndarray = np.einsum("ncf,cm->nmf", state, shares).reshape(len(state), -1)
        return pooled


def neighbours(size: int) -> np.ndarray:
    """float32 (9, cells, cells): for each offset of the 3 x 3 kernel, 1 where a source cell feeds a cell."""
    found = np.zeros((KERNEL * KERNEL, size * size, size * size), dtype=np.float32)
    for offset in range(KERNEL * KERNEL):
        up, left = divmod(offset, KERNEL)
        for row in range(size):
            for column in range(size):
                source_row, source_column = row + up - 1, column + left - 1
                if 0 <= source_row < size and 0 <= source_column < size:
                    found[offset, source_row * size + source_column, row * size + column] = 1.0
    return found


def ring_shares(size: int) -> np.ndarray:
    """float32 (n, n, 3): the weights of the cells of each ring; they sum to 1."""
    offset = (np.arange(size) - size // 2) * CELL_RADII
    ring = np.searchsorted(RINGS, np.hypot(offset[:, None], offset[None, :]), side="left")
    inside = np.stack([ring == number for number in range(len(RINGS) + 1)], axis=-1).astype(np.float32)
    shares: np.ndarray = inside / np.maximum(inside.sum(axis=(0, 1)), 1.0)
    return shares


@lru_cache(maxsize=1)
def _shares_of_grid() -> np.ndarray:
    """float32 (cells, 3): `ring_shares` of our grid."""
    shares: np.ndarray = ring_shares(CELLS).reshape(CELLS * CELLS, -1)
    return shares


def read_network(path: Path) -> Network:
    """The network of a `.keras` file. Raises as `network_of`, and OSError if the file cannot be read."""
    return network_of(path.read_bytes(), path.name)


def network_of(content: bytes, name: str) -> Network:
    """The network in the content of a `.keras` file of this name. No code in it is run or imported, and it cannot refer to another file.

    Raises:
        ValueError: the content is not a network of this kind; the message tells what is wrong.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            structure, stored = (_part(parts, name) for name in (STRUCTURE_FILE, WEIGHTS_FILE))
        shapes = _shapes(json.loads(structure))
        with h5py.File(io.BytesIO(stored), "r") as file:
            groups = dict(_named_groups(file))
            weights = {layer: tuple(_read(groups, layer, place, shape) for place, shape in enumerate(wanted)) for layer, wanted in shapes}
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, UnicodeDecodeError) as error:
        raise ValueError(f"{name} is no .keras file: {error}") from error
    except (KeyError, TypeError, IndexError, AttributeError, RuntimeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{name} is not built as a network of ours: {error!r}") from error
    return Network(weights)


def _part(parts: zipfile.ZipFile, name: str) -> bytes:
    size = parts.getinfo(name).file_size
    if size > LARGEST_PART_BYTES:
        raise ValueError(f"{name} of {size} bytes; at most {LARGEST_PART_BYTES} are read")
    return parts.read(name)


def _shapes(structure: dict[str, Any]) -> list[tuple[str, list[tuple[int, ...]]]]:
    """(layer, shapes of its weights) of our network, with the numbers of units that `structure` states.

    Raises:
        ValueError: a layer, a connection or an option is not that of our network.
        KeyError, TypeError, IndexError: it is not a network structure at all.
    """
    layers = {layer["name"]: layer for layer in structure["config"]["layers"]}
    flow = {name: (layer.get("registered_name") or layer["class_name"], _heard(layer)) for name, layer in layers.items()}
    if flow != _FLOW or len(structure["config"]["layers"]) != len(_FLOW):
        wrong = sorted(name for name in {*flow, *_FLOW} if flow.get(name) != _FLOW.get(name)) or sorted(flow)
        raise ValueError(f"its layers are not those of our network: {', '.join(f'{name} {flow.get(name)}' for name in wrong)}")
    config = {name: layer["config"] for name, layer in layers.items()}
    filters, hidden, joined = config["convlstm"]["filters"], config["counts"]["units"], config["joined"]["units"]
    columns = config["side"]["batch_shape"][1]
    given = {
        "input_layers": [name for name, *_ in structure["config"]["input_layers"]],
        "output_layers": structure["config"]["output_layers"][0],
        "patches": config["patches"]["batch_shape"],
        "side": config["side"]["batch_shape"],
        "activations": [config[name]["activation"] for name in ("counts", "joined", "residual")],
        "use_bias": [config[name]["use_bias"] for name in ("counts", "joined", "residual")],
        "residuals": config["residual"]["units"],
        "axis": config["both"]["axis"],
    }
    ours = {
        "input_layers": ["patches", "side"],
        "output_layers": "residual",
        "patches": [None, STEPS, CELLS, CELLS, len(CHANNELS)],
        "side": [None, columns],
        "activations": ["relu", "relu", "linear"],
        "use_bias": [True, True, True],
        "residuals": 1,
        "axis": -1,
    }
    if wrong := [f"{name} = {given[name]}, not {ours[name]}" for name in ours if given[name] != ours[name]]:
        raise ValueError(f"not built as our network: {'; '.join(wrong)}")
    if wrong := [size for size in (filters, hidden, joined, columns) if not isinstance(size, int) or not 1 <= size <= 4096]:
        raise ValueError(f"units must be whole numbers of 1 to 4096, got {wrong[0]!r}")
    gates = GATES * filters
    return [
        ("convlstm", [(KERNEL, KERNEL, len(CHANNELS), gates), (KERNEL, KERNEL, filters, gates), (STEPS, gates)]),
        ("standardise", [(columns,), (columns,)]),
        ("counts", [(columns, hidden), (hidden,)]),
        ("joined", [((len(RINGS) + 1) * filters + hidden, joined), (joined,)]),
        ("residual", [(joined, 1), (1,)]),
    ]


def _heard(layer: dict[str, Any]) -> tuple[str, ...]:
    """The names of the layers whose outputs are the inputs of this one, in order."""
    if not layer["inbound_nodes"]:
        return ()
    (node,) = layer["inbound_nodes"]
    (argument,) = node["args"]
    return tuple(tensor["config"]["keras_history"][0] for tensor in (argument if isinstance(argument, list) else [argument]))


def _named_groups(file: h5py.File) -> Iterator[tuple[str, h5py.Group]]:
    """(name of the layer, group of its weights) of a weights file."""
    layers = _inside(file, "layers")
    for key in layers:
        group = _inside(_inside(layers, key), "vars")
        yield str(group.attrs["name"]), group


def _inside(group: h5py.Group, key: str) -> Any:
    """The item of this name in `group` itself. A link is refused, because it may lead to another file."""
    if not isinstance(group.get(key, getlink=True), h5py.HardLink):
        raise ValueError(f"{group.name}/{key} is no part of the file itself")
    return group[key]


def _read(groups: dict[str, h5py.Group], layer: str, place: int, shape: tuple[int, ...]) -> np.ndarray:
    stored = _inside(groups[layer], str(place))
    if stored.shape != shape or stored.dtype != np.float32 or stored.is_virtual or stored.external:
        raise ValueError(f"weights {place} of {layer} are {stored.dtype} {stored.shape}, not float32 {shape} in the file itself")
    found: np.ndarray = stored[()]
    if not np.isfinite(found).all():
        raise ValueError(f"weights {place} of {layer} are not all finite")
    return found


def _matrix(kernel: np.ndarray) -> np.ndarray:
    """float32 (cells x channels, 4 gates x cells x filters): the convolution with `kernel` (3, 3, channels, 4 x filters) as a matrix."""
    channels, filters = kernel.shape[2], kernel.shape[3] // GATES
    by_offset = kernel.reshape(KERNEL * KERNEL, channels, GATES, filters)
    whole = np.einsum("kij,kcgf->icgjf", neighbours(CELLS), by_offset)
    flat: np.ndarray = whole.reshape(CELLS * CELLS * channels, GATES * CELLS * CELLS * filters)
    return flat


def _sigmoid(value: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)) in single precision, without overflow."""
    return np.float32(0.5) * (np.float32(1.0) + np.tanh(np.float32(0.5) * value))
