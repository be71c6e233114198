"""Measurements, printed as ratios of two things timed in one run; nothing here fails on a clock. Run by `make bench`."""

import io
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecaster.catalog.parse import parse_csv
from forecaster.clock import Clock
from forecaster.features.windows import target_days
from forecaster.models.first_system.daily_grid import place_on_grid, window_tensor
from forecaster.pipeline.as_of.bundled_catalogue import load_snapshot
from forecaster.pipeline.as_of.catalogue_history import load_known
from forecaster.recipe import load_recipes
from forecaster.settings import load_settings
from forecaster.store.database import Store, open_store
from tests.support.steps import predict

AS_OF = datetime(2023, 12, 25, tzinfo=UTC)
RECIPES = Path(__file__).resolve().parents[2] / "recipes"


def seconds(action: Callable[[], object], repeats: int = 1) -> float:
    """The fastest of `repeats` runs."""
    best = np.inf
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        best = min(best, time.perf_counter() - started)
    return float(best)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return open_store(tmp_path_factory.mktemp("bench") / "quakecast.duckdb")


def test_first_load_and_reading_it_back(store: Store) -> None:
    loading = seconds(lambda: load_snapshot(store, AS_OF))
    with store.transaction() as connection:
        (rows,) = connection.execute("SELECT count(*) FROM event_revision").fetchall()[0]
    reading = seconds(lambda: load_known(store, AS_OF), 3)
    print(f"\nfirst load: {rows:,} rows, {rows / loading:,.0f} rows/s; reading back as known then is {loading / reading:.0f} times faster")
    print(f"database: {store.path.stat().st_size / 1e6:.1f} MB")
    assert rows > 290_000


def test_a_body_of_csv_against_pandas() -> None:
    row = '2024-01-01T07:10:09.476Z,37.5,137.2,10,7.5,mww,,,,,us,us{number},2024-01-01T08:00:00.040Z,"Noto, Japan",earthquake'
    row += ",,,,,reviewed,us,us"
    head = (RECIPES.parent / "tests" / "support" / "incidents" / "bad_rows.csv").read_text().splitlines()[0]
    body = "\n".join([head, *(row.replace("{number}", str(number)) for number in range(20_000))]) + "\n"
    ours = seconds(lambda: parse_csv(body.encode(), AS_OF), 3)
    plain = seconds(lambda: pd.read_csv(io.StringIO(body)), 3)
    print(f"\n20,000 rows of csv, checked one by one, take {ours / plain:.1f} times as long as pandas takes to read them unchecked")


def test_a_days_forecasts_of_all_recipes(store: Store) -> None:
    load_snapshot(store, AS_OF)
    recipes = list(load_recipes(RECIPES).values())
    one = seconds(lambda: predict(store, recipes[:1], load_settings(), Clock.standing_at(AS_OF)))
    every = seconds(lambda: predict(store, recipes, load_settings(), Clock.standing_at(AS_OF)))
    print(f"\n{len(recipes)} recipes take {every / one:.1f} times as long as one (the catalogue is read once for all)")


def test_windows_gathered_against_windows_held(store: Store) -> None:
    load_snapshot(store, AS_OF)
    recipe = load_recipes(RECIPES)["tokyo"]
    grid = place_on_grid(load_known(store, AS_OF).inputs, recipe)
    days = target_days(recipe, date(2020, 1, 1), 320)
    gathered = seconds(lambda: [window_tensor(grid, days.take(slice(i, i + 32))) for i in range(0, 320, 32)], 3)
    held = window_tensor(grid, days).nbytes
    largest = window_tensor(grid, days.take(slice(0, 32))).nbytes
    print(
        f"\nwindows of 320 days: {held / largest:.0f} times the memory when held at once; gathering one costs {gathered / 320 * 1e3:.2f} ms"
    )


def test_one_convolution_a_step_against_keras() -> None:
    import keras
    import tensorflow as tf

    from forecaster.models.first_system.convlstm import OneConvolutionConvLSTM

    x = tf.constant(np.random.default_rng(1).random((32, 15, 20, 30, 3), dtype=np.float32))
    timings = {}
    for name, layer in {
        "ours": OneConvolutionConvLSTM(30, "sigmoid", seed=1),
        "keras": keras.layers.ConvLSTM2D(30, 3, padding="same", recurrent_activation="sigmoid"),
    }.items():
        layer(x)

        @tf.function
        def step(layer=layer):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(layer(x))
            return tape.gradient(loss, layer.trainable_variables)

        step()
        timings[name] = seconds(step, 3)
    print(f"\none training step of keras' ConvLSTM2D takes {timings['keras'] / timings['ours']:.2f} times as long as ours")
