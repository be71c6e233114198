"""Pre-training of the hybrid's networks: circles around the world, the trunk's logit, and Adam on the exactly weighted log loss of trunk
plus residual.

Seismicity has no preferred direction, so every batch is rotated and mirrored at random (8 symmetries). The learning rate warms up and
decreases to a hundredth along a cosine. Reproducible: circles, days, weights, order and rotations follow from the seed, and one thread adds
up in a fixed order. A GPU is used if TensorFlow finds one; it rounds differently.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from forecaster.features.circles import world_circles
from forecaster.features.events import Events
from forecaster.features.symmetries import SYMMETRIES, turned
from forecaster.models.hybrid.hybrid import NETWORKS_SHARE, TREES_FILE, TRUNK_FILE
from forecaster.models.hybrid.hybrid_inference import GATES, Network
from forecaster.models.hybrid.hybrid_inputs import SIDE_COLUMNS
from forecaster.models.hybrid.hybrid_network import build_network, network_bytes
from forecaster.models.hybrid.hybrid_pool import Pool, Thinning, build_pool
from forecaster.models.hybrid.hybrid_trees import TreeSettings, fit_trees
from forecaster.models.interface import logit
from forecaster.models.one_thread import use_one_thread
from forecaster.models.pooled.pooled import COUNTS
from forecaster.models.pooled.pooled_intensity import fit_intensity
from forecaster.models.pooled.pooled_training import events_until
from forecaster.models.training_progress import Teller, on_batches, on_places

WARM_SHARE = 0.05
LAST_RATE = 0.01
MAX_GRADIENT = 1.0
LAYERS = ("convlstm", "standardise", "counts", "joined", "residual")  # those with weights
SMALLEST_SD = 1e-3


@dataclass(frozen=True)
class TrainingSettings:
    """The settings that, with the data, determine a pre-training.

    networks: number of networks, trained one after the other from their own seeds; their residuals are averaged.
    filters, hidden, joined: units of the ConvLSTM, of the dense layer on counts, and of the layer that joins both.
    rows: days of the pool drawn for one network.
    """

    circles: int = 300
    seed: int = 20191026
    thinning: Thinning = field(default_factory=Thinning)
    trees: TreeSettings = field(default_factory=TreeSettings)
    networks: int = 1
    filters: int = 4
    hidden: int = 64
    joined: int = 32
    rows: int = 150_000
    epochs: int = 3
    batch: int = 512
    learning_rate: float = 4e-3


def network_file(number: int) -> str:
    """The name of a network's file in the artefact."""
    return f"network-{number}.keras"


def pretrain_set(
    events: Events, until: date, circles: int | None, seed: int | None, tell: Teller
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """`fit_and_load.Pretrainer`."""
    settings, label = TrainingSettings(), f"hybrid to {until}"
    settings = replace(settings, circles=circles or settings.circles, seed=settings.seed if seed is None else seed)
    return pretrain(events, events, until, settings, on_places(tell, label), on_batches(tell, label))


def pretrain(
    inputs: Events,
    catalogue: Events,
    data_until: date,
    settings: TrainingSettings,
    on_circle: Callable[[int], None] = lambda number: None,
    on_step: Callable[[int, int], None] = lambda done, steps: None,
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Circles, pool, trunk, trees and networks from `inputs` and `catalogue` to `data_until`.

    Returns (files, record) for `pretrained.write_pretrained`, whose record also needs the version of the code. `on_step` is called with
    (batches done, batches) over all networks.

    Raises:
        NotTrainable: too little data.
    """
    use_one_thread()
    return train(draw_pool(inputs, catalogue, data_until, settings, on_circle), settings, on_step)


def draw_pool(
    inputs: Events, catalogue: Events, data_until: date, settings: TrainingSettings, on_circle: Callable[[int], None] = lambda number: None
) -> Pool:
    """The circles of `settings` and their days to `data_until`. No later data are used.

    Raises:
        NotTrainable: too few circles with enough target events.
    """
    rng = np.random.default_rng(settings.seed)
    circles = world_circles(events_until(catalogue, data_until), settings.circles, rng)
    return build_pool(inputs, catalogue, circles, data_until, settings.thinning, rng, on_circle)


def train(
    pool: Pool, settings: TrainingSettings, on_step: Callable[[int, int], None] = lambda done, steps: None
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Trunk, trees and networks of a pool: (files, record) as from `pretrain`."""
    intensity = fit_intensity(pool.observed.counts, pool.observed.reference, pool.happened, pool.weight)
    trunk = intensity.probability(pool.observed.counts, pool.observed.reference)
    trees = fit_trees(pool.observed, pool.happened, pool.weight, settings.seed, settings.trees)
    files = {TRUNK_FILE: intensity.to_json(COUNTS.names), TREES_FILE: trees}
    losses = []
    for number in range(settings.networks):

        def told(done: int, steps: int, loss: float, number: int = number) -> None:
            on_step(number * steps + done, settings.networks * steps)

        network, loss = train_network(pool, trunk, settings.seed + 1000 * number, settings, told)
        losses.append(loss)
        files[network_file(number)] = network_bytes(network)
    described = asdict(settings)
    described["thinning"]["first_day"] = settings.thinning.first_day.isoformat()
    return files, {
        "circles": settings.circles,
        "seed": settings.seed,
        "settings": described,
        "days": len(pool),
        "target_days": int(pool.happened.sum()),
        "mean_losses": losses,
    }


def train_network(
    pool: Pool, trunk: np.ndarray, seed: int, settings: TrainingSettings, tell: Callable[[int, int, float], None] | None = None
) -> tuple[keras.Model, float]:
    """(network, mean weighted loss of its last pass). The network's residual, added to the logits of the probabilities `trunk` (n,), fits
    the pool.

    `tell` is called with (batch, batches, its loss).
    """
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(len(pool), min(settings.rows, len(pool)), replace=False))
    pool, trunk = pool.take(chosen), trunk[chosen]
    pictures, side, offset = pool.patches(), pool.observed.side(trunk), logit(trunk).astype(np.float32)
    happened, weight = pool.happened.astype(np.float32), (pool.weight / pool.weight.mean()).astype(np.float32)
    del pool  # its counts are in `side`
    network = build_network(seed, len(SIDE_COLUMNS), filters=settings.filters, hidden=settings.hidden, joined=settings.joined)
    network.get_layer("standardise").set_weights([side.mean(axis=0), side.std(axis=0) + SMALLEST_SD])
    size = min(settings.batch, len(side))
    per_pass = len(side) // size
    step = descent(network, _falling_rate(settings.learning_rate, settings.epochs * per_pass))
    losses = np.zeros(settings.epochs * per_pass)
    done = 0
    for _ in range(settings.epochs):
        order = rng.permutation(len(side))
        for at in range(0, per_pass * size, size):
            rows = np.sort(order[at : at + size])
            patches = turned(pictures[rows].astype(np.float32), int(rng.integers(SYMMETRIES)), 2)
            losses[done] = float(step(patches, side[rows], happened[rows], weight[rows], offset[rows]))
            done += 1
            if tell:
                tell(done, len(losses), losses[done - 1])
    return network, float(losses[-per_pass:].mean())


def descent(network: keras.Model, rate: keras.optimizers.schedules.LearningRateSchedule | float) -> Callable[..., tf.Tensor]:
    """One traced step of Adam: (patches, side, happened, weight, offset) of a batch -> its weighted log loss before the step."""
    optimiser = keras.optimizers.Adam(rate, clipnorm=MAX_GRADIENT)

    @tf.function(autograph=False, reduce_retracing=True)
    def step(patches: tf.Tensor, side: tf.Tensor, happened: tf.Tensor, weight: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = network([patches, side], training=True)[:, 0] + offset
            loss = tf.reduce_mean(weight * tf.nn.sigmoid_cross_entropy_with_logits(happened, logits))
        variables = network.trainable_variables
        optimiser.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    traced: Callable[..., tf.Tensor] = step
    return traced


class Tuning:
    """Further training of networks on the log loss of the hybrid, one pass over some days after the other.

    A normal prior of standard deviation `sd` about every initial weight keeps the networks close to where they started.
    """

    def __init__(self, start: Sequence[Network], days: tuple[np.ndarray, ...], *, sd: float, rate: float, batch: int, seed: int) -> None:
        """days: (patches, side, offset, happened, weight), offset being the hybrid's logit without a residual; arrays of shape (n, ...)."""
        tf.config.experimental.enable_op_determinism()
        self._patches, self._side, offset, happened, weight = days
        self._columns = tuple(column.astype(np.float32) for column in (happened, weight / weight.mean(), offset))
        self._size = min(batch, len(happened))
        self._rng = np.random.default_rng(seed)
        self._models = [_in_keras(network) for network in start]
        self._step = _pulled_descent(self._models, rate, 1.0 / (sd**2 * float(weight.sum())))

    @property
    def networks(self) -> list[Network]:
        """The networks in their present state, ready to serve."""
        return [Network({layer: tuple(model.get_layer(layer).get_weights()) for layer in LAYERS}) for model in self._models]

    def files(self) -> dict[str, bytes]:
        """The networks in their present state, as files."""
        return {network_file(number): network_bytes(model) for number, model in enumerate(self._models)}

    def pass_once(self) -> float:
        """One pass over all days in a new order. Returns the mean weighted log loss of its batches, without the prior's penalty."""
        losses = []
        for rows in self._batches():
            batch = (self._patches[rows].astype(np.float32), self._side[rows], *(column[rows] for column in self._columns))
            losses.append(float(self._step(*batch)))
        return float(np.mean(losses))

    def _batches(self) -> Iterator[np.ndarray]:
        order = self._rng.permutation(len(self._side))
        for at in range(0, len(order) - self._size + 1, self._size):
            yield np.sort(order[at : at + self._size])


def _in_keras(network: Network) -> keras.Model:
    """The same network, ready to be trained on."""
    filters = network.weights["convlstm"][2].shape[1] // GATES
    hidden, joined = (network.weights[layer][1].shape[0] for layer in ("counts", "joined"))
    model = build_network(0, network.columns, filters=filters, hidden=hidden, joined=joined)
    for layer in LAYERS:
        model.get_layer(layer).set_weights(list(network.weights[layer]))
    return model


def _pulled_descent(models: Sequence[keras.Model], rate: float, pull: float) -> Callable[..., tf.Tensor]:
    """One traced step of Adam on the networks' mean residual: (patches, side, happened, weight, offset) of a batch -> its weighted log loss
    before the step.

    pull: factor of the squared distance from the first weights, 1 / (sd^2 x days).
    """
    variables = [variable for model in models for variable in model.trainable_variables]
    start = [tf.constant(variable.numpy()) for variable in variables]
    optimiser = keras.optimizers.Adam(rate, clipnorm=MAX_GRADIENT)

    @tf.function(autograph=False, reduce_retracing=True)
    def step(patches: tf.Tensor, side: tf.Tensor, happened: tf.Tensor, weight: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            residual = tf.add_n([model([patches, side], training=True)[:, 0] for model in models]) / len(models)
            logits = offset + NETWORKS_SHARE * residual
            loss = tf.reduce_mean(weight * tf.nn.sigmoid_cross_entropy_with_logits(happened, logits))
            away = tf.add_n([tf.reduce_sum(tf.square(here - there)) for here, there in zip(variables, start, strict=True)])
            whole = loss + 0.5 * pull * away
        optimiser.apply_gradients(zip(tape.gradient(whole, variables), variables, strict=True))
        return loss

    traced: Callable[..., tf.Tensor] = step
    return traced


def _falling_rate(highest: float, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    warm = max(1, round(WARM_SHARE * steps))
    return keras.optimizers.schedules.CosineDecay(0.0, max(steps - warm, 1), alpha=LAST_RATE, warmup_target=highest, warmup_steps=warm)
