"""Fit the ConvLSTM within a time budget, and report the fit.

An epoch here is at most EPOCH_STEPS batches. It is short, so that a budget in minutes can stop at an epoch's end on a slow machine. It is
counted in batches, so that the same number of epochs gives the same weights. The recipe's `epochs` are passes over the resampled span, as
in the first system. Epoch 0 is the untrained network. Evaluating a network of this size on 90 days takes as long as learning from a batch
of 32. So long spans are evaluated on JUDGED_DAYS of their days, weighted to represent all of them, and most of the time goes into learning.

Reproducible: initial weights, dropout, resampling and the order of days follow from `seed`, and TensorFlow's deterministic kernels are
switched on for the whole process (they cost nothing measurable here). Another number of CPU cores may round differently.
"""

import importlib.util
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from forecaster.errors import BadInput
from forecaster.models.first_system.calibration import Calibration, fit_calibration
from forecaster.models.first_system.convlstm import Predictor, build_network
from forecaster.models.first_system.convlstm_batches import JudgedDays, TrainingDays, batches, evaluated_days, training_days
from forecaster.models.first_system.dataset import Dataset
from forecaster.models.first_system.prior_correction import PriorCorrection
from forecaster.models.first_system.spans import Spans, fit_spans
from forecaster.models.interface import log_loss, sigmoid

log = logging.getLogger(__name__)

EPOCH_STEPS = 50
TIMED_STEPS = 5
JUDGED_DAYS = 400


@dataclass(frozen=True)
class Epoch:
    """One epoch.

    train_*: means over its resampled batches (NaN at epoch 0). validation_loss: log loss of prior-corrected probabilities, nats a day.
    Accuracies are those of "raw probability >= 0.5", as in the first system.
    """

    epoch: int
    steps: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True)
class Fitted:
    """A fitted network and its history.

    epochs, steps: number trained; the weights of `best_epoch` are kept. reason: "early stopping", "epochs" (the recipe's), "budget" or
    "max_epochs".
    loss_before, loss_after: validation log loss (prior-corrected) of epoch 0 and of the kept weights.
    training_samples: (quiet days, target days) after resampling.
    predictions: one row per evaluated day of the spans validation and calibration (not train), columns span, target_start_us, happened,
    weight, raw, corrected, probability, reference.
    losses: span -> {days, raw, corrected, probability, reference} log losses over the days that have a reference.
    """

    network: keras.Model
    spans: Spans
    seed: int
    epochs: int
    steps: int
    best_epoch: int
    reason: str
    history: tuple[Epoch, ...]
    loss_before: float
    loss_after: float
    correction: PriorCorrection
    calibration: Calibration
    training_samples: tuple[int, int]
    predictions: pd.DataFrame
    losses: dict[str, dict[str, float]]
    seconds: float


def fit(
    dataset: Dataset,
    spans: Spans | None = None,
    *,
    max_minutes: float | None,
    max_epochs: int | None = None,
    seed: int | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    tensorboard_dir: Path | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Fitted:
    """Train on spans.train, stop early on spans.validation, calibrate on spans.calibration.

    Args:
        spans: default those of all days of `dataset` (`spans.fit_spans`).
        max_minutes: budget of the whole call, predictions included; None for no limit. Training ends before the first epoch that is not
            expected to fit. If not even the first fits, the untrained network is kept.
        max_epochs: stop after so many. With the `epochs` of an earlier fit and max_minutes=None, its weights are reproduced bit for bit.
        seed: default the recipe's.
        on_epoch: called after every epoch, including epoch 0.
        tensorboard_dir: writes scalars there (needs the extra `tensorboard`).
        clock: seconds, used only for the budget.

    Raises:
        NotTrainable: the training span cannot be balanced.
        BadInput: tensorboard_dir without TensorBoard.
    """
    started = clock()
    recipe = dataset.recipe
    spans = fit_spans(dataset.happened, recipe) if spans is None else spans
    seed = recipe.seed if seed is None else seed
    tf.config.experimental.enable_op_determinism()
    resampling_rng, order_rng, judged_rng = np.random.default_rng(seed).spawn(3)
    training = training_days(dataset, spans.train, resampling_rng)
    trainer = _Trainer(training, build_network(recipe, seed), order_rng)
    judged = {
        name: evaluated_days(dataset.happened, spans.named()[name], JUDGED_DAYS, judged_rng) for name in ("validation", "calibration")
    }
    deadline = np.inf if max_minutes is None else started + 60.0 * max_minutes
    run = _run_epochs(
        trainer, dataset, judged, deadline=deadline, max_epochs=max_epochs, clock=clock, tell=_listeners(on_epoch, tensorboard_dir)
    )
    trainer.network.set_weights(run.weights)
    last = judged["calibration"]
    logits = {"validation": run.validation_logits, "calibration": trainer.predictor.logits(dataset.grid, dataset.days.take(last.indices))}
    calibration = fit_calibration(training.correction.probability(logits["calibration"]), dataset.happened[last.indices], last.weight)
    predictions = _predictions(dataset, judged, logits, training.correction, calibration)
    return Fitted(
        network=trainer.network,
        spans=spans,
        seed=seed,
        epochs=run.history[-1].epoch,
        steps=run.history[-1].steps,
        best_epoch=run.best.epoch,
        reason=run.reason,
        history=tuple(run.history),
        loss_before=run.history[0].validation_loss,
        loss_after=run.best.validation_loss,
        correction=training.correction,
        calibration=calibration,
        training_samples=training.class_counts,
        predictions=predictions,
        losses=span_losses(predictions),
        seconds=clock() - started,
    )


def span_losses(predictions: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Log losses by span of the columns raw, corrected, probability and reference, all on the days that have a reference."""
    losses: dict[str, dict[str, float]] = {}
    for name, rows in predictions.groupby("span", sort=False):
        judged = rows[rows["reference"].notna()]
        happened = judged["happened"].to_numpy()
        weight = judged["weight"].to_numpy()
        columns = ("raw", "corrected", "probability", "reference")
        losses[str(name)] = {"days": len(judged), "target_days": int(happened.sum())}
        losses[str(name)] |= {column: log_loss(judged[column].to_numpy(), happened, weight) for column in columns}
    return losses


@dataclass
class _Run:
    """The state of training between epochs; `weights` are those of `best`."""

    history: list[Epoch]
    best: Epoch
    weights: list[np.ndarray]
    validation_logits: np.ndarray
    reason: str = ""


def _run_epochs(
    trainer: "_Trainer",
    dataset: Dataset,
    judged: dict[str, JudgedDays],
    *,
    deadline: float,
    max_epochs: int | None,
    clock: Callable[[], float],
    tell: Callable[[Epoch], None],
) -> _Run:
    """Run epochs until one of the four reasons to stop. `deadline` is on `clock` and leaves time for the predictions that follow."""
    recipe, correction = dataset.recipe, trainer.training.correction
    chosen = judged["validation"]
    days, happened = dataset.days.take(chosen.indices), dataset.happened[chosen.indices]

    def judge(epoch: int, train_loss: float, train_accuracy: float) -> tuple[Epoch, list[np.ndarray], np.ndarray]:
        weights, logits = trainer.settled(lambda predictor: predictor.logits(dataset.grid, days))
        loss = log_loss(correction.probability(logits), happened, chosen.weight)
        right = float(np.average((logits >= 0) == happened, weights=chosen.weight))
        entry = Epoch(epoch, trainer.steps, train_loss, train_accuracy, loss, right)
        log.debug("%s: %s", recipe.id, entry)
        tell(entry)
        return entry, weights, logits

    trainer.predictor.logits(dataset.grid, days.take(slice(0, 1)))
    judging_started = clock()
    entry, weights, logits = judge(0, float("nan"), float("nan"))
    judging_seconds = clock() - judging_started
    run = _Run([entry], entry, weights, logits)
    deadline -= judging_seconds * len(judged["calibration"]) / len(days)
    epoch_steps = min(trainer.training.steps_per_pass, EPOCH_STEPS)
    last_epoch = -(-recipe.epochs * trainer.training.steps_per_pass // epoch_steps)
    epoch_seconds = 0.0
    while True:
        epoch = run.history[-1].epoch + 1
        if max_epochs is not None and epoch > max_epochs:
            run.reason = "max_epochs"
        elif epoch > last_epoch:
            run.reason = "epochs"
        elif run.history[-1].epoch - run.best.epoch >= recipe.patience:
            run.reason = "early stopping"
        elif clock() + epoch_seconds > deadline:
            run.reason = "budget"
        else:
            epoch_started = clock()
            measured = trainer.train(epoch_steps, allowed_until=deadline - judging_seconds if epoch == 1 else np.inf, clock=clock)
            if measured is None:
                run.reason = "budget"
                return run
            entry, weights, logits = judge(epoch, *measured)
            epoch_seconds = clock() - epoch_started
            run.history.append(entry)
            if entry.validation_loss < run.best.validation_loss:
                run.best, run.weights, run.validation_logits = entry, weights, logits
            continue
        return run


class _Trainer:
    """A network in training, its optimiser, and its stream of batches."""

    def __init__(self, training: TrainingDays, network: keras.Model, rng: np.random.Generator) -> None:
        recipe = training.dataset.recipe
        self.training = training
        self.network = network
        self.predictor = Predictor(network)
        self.steps = 0
        self._batches = batches(training, rng)
        rate = keras.optimizers.schedules.InverseTimeDecay(recipe.learning_rate, decay_steps=1, decay_rate=recipe.decay)
        self._optimizer = keras.optimizers.Adam(rate)
        self._optimizer.build(network.trainable_variables)
        one = tf.TensorSpec((None,), tf.float32)
        windows = tf.TensorSpec((None, *network.input_shape[1:]), tf.float32)
        self._step = tf.function(self._train_step, input_signature=[windows, one, one], autograph=False)

    def train(self, steps: int, *, allowed_until: float, clock: Callable[[], float]) -> tuple[float, float] | None:
        """Train `steps` more batches: (mean loss, mean accuracy). Returns None as soon as the first TIMED_STEPS show that they would end
        too late.

        The very first step is not timed, because it traces the graph.
        """
        measured, timed_from = [], clock()
        for step in range(steps):
            measured.append([value.numpy() for value in self._step(*self.training.gather(next(self._batches)))])
            self.steps += 1
            if step == 0:
                timed_from = clock()
            elif step == TIMED_STEPS and clock() + (clock() - timed_from) / TIMED_STEPS * (steps - 1 - TIMED_STEPS) > allowed_until:
                return None
        loss, accuracy = np.asarray(measured, dtype=np.float64).mean(axis=0).tolist()
        return loss, accuracy

    def settled(self, use: Callable[[Predictor], np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
        """(weights for use, the result of `use` with them), with the normalisation's running mean and variance corrected for their initial
        values.

        They start at 0 and 1 and move by 1 % a step. After t steps a share of 0.99^t of them is still the initial value, which is most of
        it in a short training. Adam corrects its moments in the same way (Kingma and Ba 2015, arXiv 1412.6980). Training itself never uses
        them.
        """
        layer = self.network.get_layer("normalisation")
        moving = layer.moving_mean.numpy(), layer.moving_variance.numpy()
        start = layer.momentum**self.steps
        if self.steps > 0:
            layer.moving_mean.assign(moving[0] / (1.0 - start))
            layer.moving_variance.assign(np.maximum((moving[1] - start) / (1.0 - start), 0.0))
        weights, result = self.network.get_weights(), use(self.predictor)
        layer.moving_mean.assign(moving[0])
        layer.moving_variance.assign(moving[1])
        return weights, result

    def _train_step(self, windows: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """One step of Adam on weighted binary cross-entropy: (loss, accuracy) of the batch, before the step."""
        with tf.GradientTape() as tape:
            logits = self.network(windows, training=True)[:, 0]
            loss = tf.reduce_mean(weights * tf.nn.sigmoid_cross_entropy_with_logits(labels, logits))
        variables = self.network.trainable_variables
        self._optimizer.apply(tape.gradient(loss, variables), variables)
        return loss, tf.reduce_mean(tf.cast(tf.equal(logits >= 0, labels >= 0.5), tf.float32))


def _predictions(
    dataset: Dataset, judged: dict[str, JudgedDays], logits: dict[str, np.ndarray], correction: PriorCorrection, calibration: Calibration
) -> pd.DataFrame:
    """One row per evaluated day of the spans that `logits` names, in chronological order."""
    frames = []
    for name, values in logits.items():
        chosen = judged[name].indices
        corrected = correction.probability(values)
        columns = {
            "span": name,
            "target_start_us": dataset.days.target_starts_us[chosen],
            "happened": dataset.happened[chosen],
            "weight": judged[name].weight,
            "raw": sigmoid(values),
            "corrected": corrected,
            "probability": calibration.apply(corrected),
            "reference": dataset.reference[chosen],
        }
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def _listeners(on_epoch: Callable[[Epoch], None] | None, tensorboard_dir: Path | None) -> Callable[[Epoch], None]:
    """One function that reports an epoch to `on_epoch` and to TensorBoard, if they are wanted."""
    listeners = [] if on_epoch is None else [on_epoch]
    if tensorboard_dir is not None:
        listeners.append(_tensorboard(tensorboard_dir))

    def tell(epoch: Epoch) -> None:
        for listener in listeners:
            listener(epoch)

    return tell


def _tensorboard(folder: Path) -> Callable[[Epoch], None]:
    if importlib.util.find_spec("tensorboard") is None:
        raise BadInput("TensorBoard is not installed; install the extra quakecast[tensorboard], or leave the option out")
    writer = tf.summary.create_file_writer(str(folder))

    def write(epoch: Epoch) -> None:
        with writer.as_default(step=epoch.epoch):
            for name, value in asdict(epoch).items():
                if name != "epoch":
                    tf.summary.scalar(name, value)
        writer.flush()

    return write
