"""The first system's network in Keras 3, and its use on windows gathered from the catalogue.

ConvLSTM (30 filters, 3 x 3, same) -> BatchNormalization -> Flatten -> Dense(100, relu) -> Dropout -> Dense(1). The last layer gives the
logit; its sigmoid is the network's ("raw") probability. For an input of 15 x 20 x 30 x 3 the network has 1,836,081 parameters, 1,836,021 of
them trainable. Tensor axes are always (batch, day, lat, lon, channel).

Importing this module imports TensorFlow (seconds): callers import it where they use it.
"""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from forecaster.features.windows import TargetDays
from forecaster.models.first_system.daily_grid import CHANNELS, GridEvents, window_tensor
from forecaster.recipe import Recipe

KERNEL = 3
tf.get_logger().setLevel("ERROR")  # each network has its own traced function; TensorFlow warns about that
PREDICT_BATCH = 128


def _hard_sigmoid(x: Any) -> Any:
    """Keras 2's clip(0.2 x + 0.5, 0, 1). In Keras 3 this name means another function, relu6(x + 3) / 6."""
    return keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)


_GATES = {"sigmoid": keras.ops.sigmoid, "hard_sigmoid": _hard_sigmoid}


@keras.saving.register_keras_serializable(package="quakecast")
class OneConvolutionConvLSTM(keras.layers.Layer):
    """keras.layers.ConvLSTM2D(filters, 3 x 3, padding="same") with one convolution a step, on [x, h] together.

    Weights, their order, shapes and initial values are those of ConvLSTM2D (Shi et al. 2015, arXiv 1506.04214): kernel
    (3, 3, channels, 4 filters), recurrent kernel (3, 3, filters, 4 filters), bias (4 filters,), gates in the order input, forget,
    cell, output, and 1 as the first bias of the forget gate. Input (batch, day, lat, lon, channel), output (batch, lat, lon, filters):
    the state after the last day.
    """

    def __init__(self, filters: int, recurrent_activation: str = "sigmoid", seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        if recurrent_activation not in _GATES:
            raise ValueError(f"recurrent_activation must be one of {', '.join(_GATES)}, not {recurrent_activation!r}")
        self.filters = filters
        self.recurrent_activation = recurrent_activation
        self.seed = seed

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        gates = 4 * self.filters
        seeds = (None, None) if self.seed is None else (self.seed, self.seed + 1)
        self.kernel = self.add_weight(
            shape=(KERNEL, KERNEL, input_shape[-1], gates), initializer=keras.initializers.GlorotUniform(seeds[0]), name="kernel"
        )
        self.recurrent_kernel = self.add_weight(
            shape=(KERNEL, KERNEL, self.filters, gates), initializer=keras.initializers.Orthogonal(seed=seeds[1]), name="recurrent_kernel"
        )
        self.bias = self.add_weight(shape=(gates,), initializer=self._first_bias, name="bias")

    def _first_bias(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        bias = np.zeros(shape, dtype=np.float32)
        bias[self.filters : 2 * self.filters] = 1.0
        return keras.ops.convert_to_tensor(bias, dtype=dtype)

    def call(self, inputs: Any) -> Any:
        kernel = keras.ops.concatenate([self.kernel, self.recurrent_kernel], axis=2)
        gate = _GATES[self.recurrent_activation]
        state = keras.ops.zeros((keras.ops.shape(inputs)[0], *inputs.shape[2:4], self.filters), dtype=inputs.dtype)
        cell = state
        for day in range(inputs.shape[1]):
            joined = keras.ops.concatenate([inputs[:, day], state], axis=-1)
            z = keras.ops.conv(joined, kernel, padding="same") + self.bias
            z_in, z_forget, z_cell, z_out = keras.ops.split(z, 4, axis=-1)
            cell = gate(z_forget) * cell + gate(z_in) * keras.ops.tanh(z_cell)
            state = gate(z_out) * keras.ops.tanh(cell)
        return state

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], *input_shape[2:4], self.filters)

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = super().get_config()
        return config | {"filters": self.filters, "recurrent_activation": self.recurrent_activation, "seed": self.seed}


def build_network(recipe: Recipe, seed: int) -> keras.Model:
    """An untrained network for `recipe`'s window and grid; the same `seed` gives the same weights and the same dropout."""
    drawn = iter(range(seed, seed + 10))
    inputs = keras.Input((recipe.window_days, recipe.lat_granularity, recipe.lng_granularity, CHANNELS))
    x = OneConvolutionConvLSTM(recipe.filters, recipe.recurrent_activation, seed=next(drawn), name="convlstm")(inputs)
    next(drawn)
    x = keras.layers.BatchNormalization(name="normalisation")(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(
        recipe.hidden_units, activation="relu", kernel_initializer=keras.initializers.GlorotUniform(next(drawn)), name="hidden"
    )(x)
    x = keras.layers.Dropout(recipe.dropout, seed=next(drawn))(x)
    logit = keras.layers.Dense(1, kernel_initializer=keras.initializers.GlorotUniform(next(drawn)), name="logit")(x)
    return keras.Model(inputs, logit, name="convlstm")


class Predictor:
    """A network ready to forecast: one traced function for any number of days, 10 to 20 times faster for one day than `predict()`."""

    def __init__(self, network: keras.Model) -> None:
        self.network = network
        shape = tf.TensorSpec((None, *network.input_shape[1:]), tf.float32)
        self._logits = tf.function(lambda x: network(x, training=False)[:, 0], input_signature=[shape], autograph=False)

    def logits(self, grid: GridEvents, days: TargetDays) -> np.ndarray:
        """float64 (n,): the raw logit of each day; windows are gathered PREDICT_BATCH at a time."""
        parts = [
            self._logits(window_tensor(grid, days.take(slice(start, start + PREDICT_BATCH)))).numpy()
            for start in range(0, len(days), PREDICT_BATCH)
        ]
        return np.concatenate(parts).astype(np.float64) if parts else np.empty(0)


def save_network(network: keras.Model, path: Path) -> None:
    """Write `network` as a `.keras` file: structure and weights, without the optimiser."""
    network.save(path)


def load_network(path: Path) -> keras.Model:
    """The network of a `.keras` file, read in safe mode: a file that contains code is refused.

    Raises:
        ValueError, OSError, KeyError, TypeError: raised by Keras for an invalid file. The caller turns them into one message.
    """
    return keras.saving.load_model(path, compile=False, safe_mode=True)
