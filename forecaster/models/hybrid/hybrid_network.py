"""The hybrid's network in Keras 3: a ConvLSTM over images of the seismicity about a circle, beside a dense layer over its counts.

This module builds the network for training. `hybrid_inference` serves the trained network without Keras. Change both together.

The network's output is a residual, to be added to the logit of the references. Its last layer starts at zero, so an untrained network
changes nothing. On grids as small as these, a convolution is computed as one matrix product over all cells, which is ten times faster on a
CPU than the library's convolution. Tensor axes are (batch, step, lat, lon, channel).

Importing this module imports TensorFlow (seconds). Only the training imports it.
"""

import io
import json
import re
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from forecaster.features.patches import CELLS, CHANNELS, STEPS
from forecaster.models.hybrid.hybrid_inference import FURTHEST, KERNEL, RINGS, neighbours, ring_shares


@keras.saving.register_keras_serializable(package="quakecast")
class GridConvLSTM(keras.layers.Layer):
    """A ConvLSTM (Shi et al. 2015, arXiv 1506.04214) with 3 x 3 kernels on a small square grid, edges padded with zeros.

    As ConvLSTM2D, gates in the order input, forget, cell, output, but with a bias of its own for every step: spans differ in length.
    Input (batch, step, n, n, channels), output (batch, n, n, filters): the state after the last step.
    """

    def __init__(self, filters: int, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.filters = filters
        self.seed = seed

    def build(self, input_shape: tuple[int, ...]) -> None:
        steps, size, channels = input_shape[1], input_shape[2], input_shape[-1]
        seeds = (None, None) if self.seed is None else (self.seed, self.seed + 1)
        gates = 4 * self.filters
        glorot, orthogonal = keras.initializers.GlorotUniform(seeds[0]), keras.initializers.Orthogonal(seed=seeds[1])
        self.kernel = self.add_weight(shape=(KERNEL, KERNEL, channels, gates), initializer=glorot, name="kernel")
        self.recurrent_kernel = self.add_weight(
            shape=(KERNEL, KERNEL, self.filters, gates), initializer=orthogonal, name="recurrent_kernel"
        )
        self.bias = self.add_weight(shape=(steps, gates), initializer=self._first_bias, name="bias")
        self._neighbours = neighbours(size)

    def _first_bias(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        bias = np.zeros(shape, dtype=np.float32)
        bias[:, self.filters : 2 * self.filters] = 1.0
        return keras.ops.convert_to_tensor(bias, dtype=dtype)

    def _matrix(self, kernel: Any, channels: int) -> Any:
        """(cells x channels, 4 gates x cells x filters): the convolution with `kernel` as a matrix."""
        cells = self._neighbours.shape[1]
        by_offset = keras.ops.reshape(kernel, (KERNEL * KERNEL, channels, 4, self.filters))
        whole = keras.ops.einsum("kij,kcgf->icgjf", self._neighbours, by_offset)
        return keras.ops.reshape(whole, (cells * channels, 4 * cells * self.filters))

    def call(self, inputs: Any) -> Any:
        steps, size, channels = inputs.shape[1], inputs.shape[2], inputs.shape[-1]
        cells, width = size * size, 4 * size * size * self.filters
        bias = keras.ops.reshape(self.bias, (steps, 4, 1, self.filters))
        bias = keras.ops.reshape(keras.ops.repeat(bias, cells, axis=2), (steps, 1, width))
        by_step = keras.ops.transpose(keras.ops.reshape(inputs, (-1, steps, cells * channels)), (1, 0, 2))
        seen = keras.ops.matmul(by_step, self._matrix(self.kernel, channels)) + bias
        recurrent = self._matrix(self.recurrent_kernel, self.filters)
        state = cell = keras.ops.zeros_like(seen[0, :, : width // 4])
        for step in range(steps):
            z = seen[step] + keras.ops.matmul(state, recurrent)
            z_in, z_forget, z_cell, z_out = keras.ops.split(z, 4, axis=-1)
            cell = keras.ops.sigmoid(z_forget) * cell + keras.ops.sigmoid(z_in) * keras.ops.tanh(z_cell)
            state = keras.ops.sigmoid(z_out) * keras.ops.tanh(cell)
        return keras.ops.reshape(state, (-1, size, size, self.filters))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], *input_shape[2:4], self.filters)

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = super().get_config()
        return config | {"filters": self.filters, "seed": self.seed}


@keras.saving.register_keras_serializable(package="quakecast")
class RingMeans(keras.layers.Layer):
    """Means over the cells whose centres lie within 0.6 radii, from there to 1, and beyond: (batch, n, n, f) to (batch, 3 f)."""

    def call(self, inputs: Any) -> Any:
        size, filters = inputs.shape[1], inputs.shape[-1]
        means = keras.ops.einsum("brcf,rcm->bmf", inputs, ring_shares(size))
        return keras.ops.reshape(means, (-1, (len(RINGS) + 1) * filters))

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (input_shape[0], (len(RINGS) + 1) * input_shape[-1])


@keras.saving.register_keras_serializable(package="quakecast")
class Standardise(keras.layers.Layer):
    """(x - mean) / sd, kept within 12 standard deviations; mean and sd are those of the pool, and are not trained."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.mean = self.add_weight(shape=(input_shape[-1],), initializer="zeros", trainable=False, name="mean")
        self.sd = self.add_weight(shape=(input_shape[-1],), initializer="ones", trainable=False, name="sd")

    def call(self, inputs: Any) -> Any:
        return keras.ops.clip((inputs - self.mean) / self.sd, -FURTHEST, FURTHEST)


def build_network(seed: int, columns: int, *, filters: int, hidden: int, joined: int) -> keras.Model:
    """An untrained network for `columns` side inputs: its residual is exactly 0 everywhere. The same `seed` gives the same weights."""
    patches = keras.Input((STEPS, CELLS, CELLS, len(CHANNELS)), name="patches")
    side = keras.Input((columns,), name="side")
    glorot = keras.initializers.GlorotUniform
    seen = RingMeans(name="rings")(GridConvLSTM(filters, seed=seed, name="convlstm")(patches))
    scaled = Standardise(name="standardise")(side)
    scaled = keras.layers.Dense(hidden, activation="relu", kernel_initializer=glorot(seed + 2), name="counts")(scaled)
    both = keras.layers.Concatenate(name="both")([seen, scaled])
    both = keras.layers.Dense(joined, activation="relu", kernel_initializer=glorot(seed + 3), name="joined")(both)
    residual = keras.layers.Dense(1, kernel_initializer="zeros", name="residual")(both)
    return keras.Model([patches, side], residual, name="hybrid")


def network_bytes(network: keras.Model) -> bytes:
    """`network` as a `.keras` file: structure and weights, without an optimiser.

    The time of writing and memory addresses are left out, so that the same network gives the same bytes in each process.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        network.save(path)
        written = io.BytesIO()
        with zipfile.ZipFile(path) as source, zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as target:
            for name in sorted(source.namelist()):
                content = source.read(name)
                if name == "metadata.json":
                    content = json.dumps(json.loads(content) | {"date_saved": "1980-01-01@00:00:00"}).encode()
                if name == "config.json":
                    content = _numbered(content)
                target.writestr(zipfile.ZipInfo(name), content)
    return written.getvalue()


def _numbered(config: bytes) -> bytes:
    """The structure with numbers in the order of the file in place of memory addresses, by which Keras identifies objects that layers
    share.
    """
    numbers: dict[bytes, bytes] = {}
    return re.sub(rb'(?<="shared_object_id": )\d+', lambda found: numbers.setdefault(found[0], b"%d" % (len(numbers) + 1)), config)
