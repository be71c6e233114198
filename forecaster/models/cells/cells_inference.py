"""Inference of the network of cells in plain numpy. It reads the file that training wrote (`cells_training`) and gives the same results as
Keras.

Layers of 3 x 3 without padding and one of 1 x 1 correct the log of each cell's usual rate. The outermost cells are inputs only and are not
forecast. The file is JSON with numbers only.
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import erf

from forecaster.models.cells.cells_inputs import CHANNELS, SUMS

KERNEL = 3
LAYERS = 3
MARGIN = LAYERS * (KERNEL // 2)
"""How many cells on each side are seen and not forecast."""

CENTRE = np.array([-2.0] * SUMS + [-8.0], dtype=np.float32)
SCALE = np.float32(1.5)
LOWEST, HIGHEST = -25.0, 4.0
BATCH = 64
FORMAT = 1


@dataclass(frozen=True)
class Network:
    """The weights of the network, float32.

    Kernel (3, 3, channels, filters) and bias (filters,) of each layer, then those of the last layer, (1, 1, filters, 1).
    """

    layers: tuple[tuple[np.ndarray, np.ndarray], ...]

    def log_rate(self, channels: np.ndarray) -> np.ndarray:
        """float32 (n, rows - 2 MARGIN, columns - 2 MARGIN): log of the earthquakes a day of each inner cell, from channels (n, rows,
        columns, CHANNELS).

        Days are computed in batches of 64.
        """
        rows, columns = (side - 2 * MARGIN for side in channels.shape[1:3])
        found = np.empty((len(channels), rows, columns), dtype=np.float32)
        for at in range(0, len(channels), BATCH):
            found[at : at + BATCH] = self._log_rate(channels[at : at + BATCH])
        return found

    def _log_rate(self, channels: np.ndarray) -> np.ndarray:
        seen = (channels - CENTRE) / SCALE
        for kernel, bias in self.layers[:-1]:
            seen = _gelu(_convolved(seen, kernel) + bias)
        kernel, bias = self.layers[-1]
        residual = seen @ kernel[0, 0] + bias
        usual = channels[:, MARGIN:-MARGIN, MARGIN:-MARGIN, SUMS]
        rate: np.ndarray = np.clip(usual + residual[..., 0], LOWEST, HIGHEST)
        return rate

    def to_json(self) -> bytes:
        """The content of the network's file. The same network gives the same bytes. Each number is the shortest one that reads back as the
        same float32.
        """
        layers = [{"kernel": _told(kernel), "bias": _told(bias)} for kernel, bias in self.layers]
        return (json.dumps({"format": FORMAT, "layers": layers}, separators=(",", ":")) + "\n").encode()


def read_network(content: bytes) -> Network:
    """The network of a file's content.

    Raises:
        ValueError: the content is not a network of this kind; the message tells what is wrong.
    """
    try:
        told: dict[str, Any] = json.loads(content)
        if told["format"] != FORMAT:
            raise ValueError(f"format {told['format']!r}, this version reads {FORMAT}")
        layers = tuple((_array(layer["kernel"]), _array(layer["bias"])) for layer in told["layers"])
    except (KeyError, TypeError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(f"no network of cells: {error!r}") from error
    _check(layers)
    return Network(layers)


def _check(layers: tuple[tuple[np.ndarray, np.ndarray], ...]) -> None:
    if len(layers) != LAYERS + 1:
        raise ValueError(f"{len(layers)} layers, our network of cells has {LAYERS + 1}")
    channels = CHANNELS
    for number, (kernel, bias) in enumerate(layers):
        side, units = (KERNEL, len(bias)) if number < LAYERS else (1, 1)
        if bias.shape != (units,) or kernel.shape != (side, side, channels, units) or not units:
            raise ValueError(f"layer {number} has kernel {kernel.shape} and bias {bias.shape}, not ({side}, {side}, {channels}, {units})")
        if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
            raise ValueError(f"layer {number} has weights that are not finite")
        channels = units


def _convolved(seen: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """float32 (n, rows - 2, columns - 2, filters): convolution of `seen` (n, rows, columns, channels) with the kernel (3, 3, channels,
    filters).

    It is computed as one matrix product with the nine offsets side by side, then nine shifted sums. No copy of each cell's neighbourhood is
    made.
    """
    rows, columns = (side - (KERNEL - 1) for side in seen.shape[1:3])
    filters = kernel.shape[-1]
    beside = kernel.transpose(2, 0, 1, 3).reshape(kernel.shape[2], -1)
    parts = seen @ beside
    found = np.zeros((len(seen), rows, columns, filters), dtype=np.float32)
    for up in range(KERNEL):
        for left in range(KERNEL):
            at = (up * KERNEL + left) * filters
            found += parts[:, up : up + rows, left : left + columns, at : at + filters]
    return found


def _gelu(value: np.ndarray) -> np.ndarray:
    """x Phi(x), Phi the normal distribution's (Hendrycks & Gimpel 2016, arXiv 1606.08415), in single precision."""
    found: np.ndarray = np.float32(0.5) * value * (np.float32(1.0) + erf(value * np.float32(np.sqrt(0.5))))
    return found


def _told(values: np.ndarray) -> Any:
    shortest = np.array([float(str(value)) for value in values.astype(np.float32).ravel()])
    return shortest.reshape(values.shape).tolist()


def _array(told: Any) -> np.ndarray:
    return np.array(told, dtype=np.float32)
