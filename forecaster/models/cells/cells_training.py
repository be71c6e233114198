"""Training of the network of cells in Keras 3: Adam on the likelihood of yes or no in every cell, and in squares of 4, 16 and 64 cells.

The network corrects the log of a cell's usual rate. Its last layer starts at zero, so an untrained network gives the usual rate. Sums over
cells are trained on, too, because a circle contains many cells. Seismicity has no preferred direction, so every batch is rotated and
mirrored at random. Reproducible: places, days, weights, order and rotations follow from the seed, and one thread adds up in a fixed order.

Importing this module imports TensorFlow (seconds).
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from forecaster.features.events import Events
from forecaster.models.cells.cells import NETWORK_FILE
from forecaster.models.cells.cells_inference import CENTRE, HIGHEST, KERNEL, LAYERS, LOWEST, MARGIN, SCALE, Network
from forecaster.models.cells.cells_inputs import CHANNELS, SUMS
from forecaster.models.cells.cells_pool import BlockDays, Thinning, batches, build_block_days, draw_places
from forecaster.models.one_thread import use_one_thread
from forecaster.models.pooled.pooled_training import events_until
from forecaster.models.training_progress import Teller, on_batches, on_places

TOGETHER = (1, 2, 4, 8)  # side lengths, in cells, of the squares whose yes or no is trained on
LAST_RATE = 0.01
MAX_GRADIENT = 1.0
LEAST_EXPECTED = 1e-9


@dataclass(frozen=True)
class TrainingSettings:
    """The settings that, with the data, determine a training.

    places: maximum number. fewest_near: minimum number of earthquakes of M >= 4.5 within 220 km of each place.
    """

    places: int = 600
    fewest_near: int = 40
    seed: int = 20191026
    thinning: Thinning = field(default_factory=Thinning)
    filters: int = 12
    epochs: int = 4
    batch: int = 128
    learning_rate: float = 3e-3


def pretrain_set(
    events: Events, until: date, circles: int | None, seed: int | None, tell: Teller
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """`fit_and_load.Pretrainer`."""
    settings, label = TrainingSettings(), f"cells to {until}"
    settings = replace(settings, places=circles or settings.places, seed=settings.seed if seed is None else seed)
    return pretrain(events, until, settings, on_places(tell, label, "places"), on_batches(tell, label))


def pretrain(
    events: Events,
    data_until: date,
    settings: TrainingSettings,
    on_place: Callable[[int], None] = lambda number: None,
    on_step: Callable[[int, int], None] = lambda done, steps: None,
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Places, block-days and network from `events` (known at once) to `data_until`.

    Returns (files, record) for `pretrained.write_pretrained`, whose record also needs the version of the code. `on_step` is called with
    (batches done, batches).

    Raises:
        NotTrainable: too little data.
    """
    use_one_thread()
    rng = np.random.default_rng(settings.seed)
    places = draw_places(events_until(events, data_until), settings.places, settings.fewest_near, rng)
    days = build_block_days(events, places, data_until, settings.thinning, rng, on_place)
    network, loss = train(days, settings, on_step)
    described = asdict(settings)
    described["thinning"]["first_day"] = settings.thinning.first_day.isoformat()
    record = {"circles": len(places), "seed": settings.seed, "settings": described, "days": len(days), "target_days": days.hits}
    return {NETWORK_FILE: served(network).to_json()}, record | {"mean_loss": loss}


def train(
    days: BlockDays, settings: TrainingSettings, on_step: Callable[[int, int], None] = lambda done, steps: None
) -> tuple[keras.Model, float]:
    """(network, mean weighted loss of its last pass), trained on these block-days."""
    rng = np.random.default_rng(settings.seed + 1)
    network = build_network(settings.seed, settings.filters)
    size = min(settings.batch, len(days))
    per_pass = len(days) // size
    step = _descent(network, keras.optimizers.schedules.CosineDecay(settings.learning_rate, settings.epochs * per_pass, alpha=LAST_RATE))
    losses: list[float] = []
    for _ in range(settings.epochs):
        for batch in batches(days, size, rng):
            losses.append(float(step(*batch)))
            on_step(len(losses), settings.epochs * per_pass)
    return network, float(np.mean(losses[-per_pass:]))


def build_network(seed: int, filters: int) -> keras.Model:
    """An untrained network: (batch, rows, columns, CHANNELS) to the log rate (batch, rows - 2 MARGIN, columns - 2 MARGIN) of the inner
    cells.

    The initial log rate is the last channel. The same `seed` gives the same weights.
    """
    channels = keras.Input((None, None, CHANNELS), name="channels")
    seen = (channels - keras.ops.convert_to_tensor(CENTRE)) / SCALE
    for number in range(LAYERS):
        glorot = keras.initializers.GlorotUniform(seed + number)
        seen = keras.layers.Conv2D(filters, KERNEL, activation="gelu", kernel_initializer=glorot, name=f"cells-{number}")(seen)
    residual = keras.layers.Conv2D(1, 1, kernel_initializer="zeros", name=f"cells-{LAYERS}")(seen)
    usual = keras.layers.Cropping2D(MARGIN)(channels)[..., SUMS]
    return keras.Model(channels, keras.ops.clip(usual + residual[..., 0], LOWEST, HIGHEST), name="cells")


def served(network: keras.Model) -> Network:
    """The same network in the form used for inference."""
    weights = (network.get_layer(f"cells-{number}").get_weights() for number in range(LAYERS + 1))
    return Network(tuple((kernel, bias) for kernel, bias in weights))


def _descent(network: keras.Model, rate: keras.optimizers.schedules.LearningRateSchedule) -> Callable[..., tf.Tensor]:
    """One traced step of Adam: (channels, happened, weight) of a batch -> its weighted loss before the step."""
    optimiser = keras.optimizers.Adam(rate, clipnorm=MAX_GRADIENT)

    @tf.function(autograph=False, reduce_retracing=True)
    def step(channels: tf.Tensor, happened: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = _loss(network(channels, training=True), happened, weight)
        variables = network.trainable_variables
        optimiser.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    traced: Callable[..., tf.Tensor] = step
    return traced


def _loss(log_rate: tf.Tensor, happened: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Mean over the batch of weight x minus the log likelihood of yes or no, from a Poisson process in each square of cells."""
    rate, total = tf.exp(log_rate)[..., None], 0.0
    for side in TOGETHER:
        expected = tf.maximum(tf.nn.avg_pool2d(rate, side, side, "VALID") * side**2, LEAST_EXPECTED)
        target = tf.cast(tf.nn.max_pool2d(happened[..., None], side, side, "VALID") > 0, tf.float32)
        likelihood = target * tf.math.log(-tf.math.expm1(-expected)) - (1 - target) * expected
        total -= tf.reduce_mean(weight * tf.reduce_sum(likelihood, [1, 2, 3]))
    return total
