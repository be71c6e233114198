"""Models: one place, ETAS, the first system's network against Keras' own, an evaluation."""

import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from forecaster.clock import Clock
from forecaster.models.first_system import spans
from forecaster.models.first_system.dataset import dataset_from_events
from forecaster.models.fit_and_load import kind_named
from forecaster.pipeline.anywhere import Place, forecast_at
from forecaster.pipeline.as_of.catalogue_history import load_known, read_history
from forecaster.pipeline.as_of.training_history import history_of
from forecaster.pipeline.evaluation.evaluate import evaluate
from forecaster.pipeline.evaluation.evaluate_plan import ARMS, EvaluateOptions
from forecaster.pipeline.evaluation.evaluate_results import ResultFolder
from forecaster.recipe import Recipe
from forecaster.registry.model_kinds import kinds_where
from tests.bench.figures import Amount, Figure, Measured, both_cpu_seconds, cpu_seconds
from tests.bench.stages.home import AS_OF, RECIPES, Bench, recipe_named

STEPS = 4
"""Training steps of the network that are timed. An epoch is 50."""


def one_place(made: Bench) -> list[Measured]:
    """A forecast at a place without a recipe, in a process that has read the catalogue and made one before."""
    clock = Clock.standing_at(AS_OF + timedelta(hours=1))
    history = read_history(made.store)
    places = iter([Place(38.3, 142.4 + number, 150.0, 4.5) for number in range(4)])

    def ours() -> None:
        forecast_at(made.store, made.settings, next(places), None, clock, history)

    ours()
    return [Amount("one place", "a forecast for one place, warm, another place than the one before", cpu_seconds(ours), goal=0.1)]


def etas(made: Bench) -> list[Measured]:
    """ETAS of one region: a fit to all days, and a day's forecast."""
    recipe = recipe_named("tokyo-m45")
    history = history_of(recipe, read_history(made.store).near(recipe).at(AS_OF))
    fitted: list[Any] = []
    fit = cpu_seconds(lambda: fitted.append(kind_named("etas").fit(history, max_minutes=5.0)), 1)
    numbers = iter(range(len(history.days) - 5, len(history.days)))  # each day once: its sums are kept

    def a_day() -> None:
        chosen = slice(number := next(numbers), number + 1)
        fitted[0].probability(history.inputs, history.days.take(chosen), history.reference[chosen])

    day = cpu_seconds(a_day, 5)
    return [
        Amount("etas fit", f"a fit of ETAS, {recipe.id}, {len(history.days):,} days", fit, goal=2),
        Amount("etas day", "a day's forecast by ETAS", 1e3 * day, "CPU ms", 10),
    ]


def evaluation(made: Bench) -> list[Measured]:
    """The references of 29 recipes over seven years, one fit each, with their ladder."""
    references = tuple(kind for kind in kinds_where(lambda kind: kind.reference) if kind != "etas")
    known = load_known(made.store, AS_OF)
    options = EvaluateOptions((ARMS["A"],), references, date(2015, 1, 17), date(2021, 12, 31))
    with TemporaryDirectory() as folder:
        taken = cpu_seconds(lambda: evaluate(known, RECIPES, options, ResultFolder(Path(folder))), 1)
    return [Amount("evaluate", f"evaluation of {len(RECIPES)} recipes, seven years, {', '.join(references)}", taken, goal=180)]


def network(made: Bench) -> list[Measured]:
    """Training steps of the first system's network, gathering included, against Keras' ConvLSTM2D by `fit` on windows that lie ready."""
    import tensorflow as tf

    from forecaster.models.first_system.convlstm import build_network
    from forecaster.models.first_system.convlstm_batches import batches, training_days
    from forecaster.models.first_system.convlstm_training import _Trainer

    recipe = recipe_named("tokyo").model_copy(update={"dropout": 0.0})  # the two would drop other units
    history = history_of(recipe, load_known(made.store, AS_OF))
    data = dataset_from_events(recipe, history.inputs, history.days, history.happened, history.reference)
    training = training_days(data, spans.fit_spans(data.happened, recipe).train, np.random.default_rng(1))
    trainer = _Trainer(training, build_network(recipe, 1), np.random.default_rng(2))
    theirs = _by_keras(recipe, build_network(recipe, 1).get_weights())
    order = batches(training, np.random.default_rng(2))
    losses: dict[str, list[float]] = {"ours": [], "theirs": []}

    def ours() -> None:
        told = trainer.train(STEPS, allowed_until=np.inf, clock=time.monotonic)
        assert told is not None
        losses["ours"].append(told[0])

    ready = [[np.concatenate(part) for part in zip(*(training.gather(next(order)) for _ in range(STEPS)), strict=True)] for _ in range(3)]

    def other() -> None:
        windows, labels, weights = ready[len(losses["theirs"])]
        done = theirs.fit(windows, labels, sample_weight=weights, batch_size=recipe.batch_size, shuffle=False, verbose=0)
        losses["theirs"].append(float(done.history["loss"][0]))

    ours(), other()  # the first steps trace the graphs
    ours_s, other_s = both_cpu_seconds(ours, other, len(ready) - 1)
    assert np.allclose(losses["ours"], losses["theirs"], rtol=1e-3), losses
    products = tf.function(_products(recipe))
    products()
    limit_s = cpu_seconds(products)
    what = f"a training step of the first system's network, batches of {recipe.batch_size} gathered"
    return [
        Figure("network", what, "Keras' ConvLSTM2D by `fit`, windows ready", ours_s / STEPS, other_s / STEPS, 1 / 1.8),
        Figure("network limit", what, "its multiplications as matrix products", ours_s / STEPS, limit_s),
    ]


def _by_keras(recipe: Recipe, weights: list[np.ndarray]) -> Any:
    """The same network by Keras' layers and its own training."""
    import keras

    network = keras.Sequential(
        [
            keras.Input((recipe.window_days, recipe.lat_granularity, recipe.lng_granularity, 3)),
            keras.layers.ConvLSTM2D(recipe.filters, 3, padding="same", recurrent_activation=recipe.recurrent_activation),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(recipe.hidden_units, activation="relu"),
            keras.layers.Dropout(recipe.dropout),
            keras.layers.Dense(1),
        ]
    )
    network.set_weights(weights)
    rate = keras.optimizers.schedules.InverseTimeDecay(recipe.learning_rate, decay_steps=1, decay_rate=recipe.decay)
    network.compile(keras.optimizers.Adam(rate), keras.losses.BinaryCrossentropy(from_logits=True))
    return network


def _products(recipe: Recipe) -> Callable[[], Any]:
    """The multiplications of a step's convolutions, forwards once and backwards twice, as products of matrices of that size."""
    import tensorflow as tf

    cells = recipe.batch_size * recipe.lat_granularity * recipe.lng_granularity
    inputs, gates = tf.random.normal((cells, 9 * (3 + recipe.filters))), tf.random.normal((cells, 4 * recipe.filters))
    kernel = tf.random.normal((9 * (3 + recipe.filters), 4 * recipe.filters))

    def step() -> Any:
        forward = [tf.matmul(inputs + day, kernel) for day in range(recipe.window_days)]
        backward = [tf.matmul(gates + day, kernel, transpose_b=True) for day in range(recipe.window_days)]
        weights = [tf.matmul(inputs + day, gates, transpose_a=True) for day in range(recipe.window_days)]
        return [tf.reduce_sum(tf.add_n(part)) for part in (forward, backward, weights)]

    return step
