"""The unit costs that docs/SCALE.md multiplies: fits, forecasts, rows, pages, the published copy. Run by `make bench`.

python -m pytest tests/bench/test_scale.py -q -s
"""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from forecaster.clock import Clock
from forecaster.models import model_files
from forecaster.models.fit_and_load import kind_named
from forecaster.pipeline.as_of.as_known import Known
from forecaster.pipeline.as_of.bundled_catalogue import load_snapshot
from forecaster.pipeline.as_of.catalogue_history import load_known
from forecaster.pipeline.as_of.training_history import history_of, split_for_validation
from forecaster.pipeline.daily import publish_report
from forecaster.pipeline.run_context import Job
from forecaster.pipeline.training.train import TrainOptions
from forecaster.recipe import load_recipes
from forecaster.settings import Settings, load_settings
from forecaster.store.database import Store, open_store
from forecaster.store.sharing.publish import publish
from tests.support.changed_recipes import numbered
from tests.support.steps import predict, train_recipes

AS_OF = datetime(2023, 12, 25, tzinfo=UTC)
RECIPES = list(load_recipes(Path(__file__).resolve().parents[2] / "recipes").values())
FITTED = ("anchorage", "tokyo-m45", "kermadec")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(home=tmp_path_factory.mktemp("scale"))


@pytest.fixture(scope="module")
def store(settings: Settings) -> Store:
    store = open_store(settings.database)
    load_snapshot(store, AS_OF)
    return store


@pytest.fixture(scope="module")
def known(store: Store) -> Known:
    return load_known(store, AS_OF)


def seconds_since(started: float) -> float:
    """CPU seconds of all threads, which depend less than wall time on what else the machine does."""
    return time.process_time() - started


def test_what_a_worker_holds(store: Store) -> None:
    started = time.process_time()
    known = load_known(store, AS_OF)
    arrays = sum(array.nbytes for events in (known.events, known.inputs) for array in vars(events).values() if hasattr(array, "nbytes"))
    frame = int(known.frame.memory_usage(deep=True).sum())
    print(f"\ncatalogue as known: {len(known.frame):,} events, {seconds_since(started):.1f} s, {(arrays + frame) / 1e6:.0f} MB in memory")


@pytest.mark.parametrize("recipe_id", FITTED)
def test_fits_and_forecasts_of_one_recipe(recipe_id: str, known: Known, settings: Settings) -> None:
    recipe = next(recipe for recipe in RECIPES if recipe.id == recipe_id)
    started = time.process_time()
    history = history_of(recipe, known)
    _, validation = split_for_validation(history)
    print(f"\n{recipe_id}: history of {len(history.days)} days in {seconds_since(started):.2f} s")
    for name in recipe.models:
        kind = kind_named(name)
        started = time.process_time()
        model = kind.fit(history, max_minutes=recipe.max_minutes)
        fitting = seconds_since(started)
        one = validation.days.take(slice(0, 1)), validation.reference[:1]
        model.probability(history.inputs, *one)
        started = time.process_time()
        model.probability(history.inputs, *one)
        single = seconds_since(started)
        many = validation.days.take(slice(0, 365)), validation.reference[:365]
        started = time.process_time()
        model.probability(history.inputs, *many)
        batch = seconds_since(started)
        _, files = model_files.pack_model(recipe, model, data_as_of=AS_OF, seed=1, code_version="bench", scores={})
        size = sum(len(content) for content in files.values())
        print(
            f"  {name}: fit {fitting:.1f} s, one day {1e3 * single:.0f} ms, 365 days at once {batch:.2f} s, directory {size / 1e3:.0f} kB"
        )


def test_a_forecast_with_all_models_of_one_recipe(store: Store, settings: Settings) -> None:
    """With what drives it: the champion's forecast is made again without each of the earthquakes that matter."""
    recipe = next(recipe for recipe in RECIPES if recipe.id == "kermadec")
    started = time.process_time()
    train_recipes(store, [recipe], settings, Clock.standing_at(AS_OF), TrainOptions())
    training = seconds_since(started)
    spent = {}
    for kinds in ([], recipe.models):
        only = recipe.model_copy(update={"models": tuple(kinds)})
        for _ in range(2):  # the first loads what is loaded once
            started = time.process_time()
            predict(store, [only], settings, Clock.standing_at(AS_OF + timedelta(minutes=len(spent))), run_id="one", reissue=True)
            spent[len(kinds)] = seconds_since(started)
    with store.transaction() as connection:
        rows = connection.execute("SELECT length(details) FROM forecast WHERE details IS NOT NULL").fetchall()
    print(f"\ntraining of one recipe, {len(recipe.models)} kinds, each fitted twice and judged: {training:.1f} s")
    told = f"{spent[len(recipe.models)]:.2f} s with {len(recipe.models)} kinds; details {sorted(rows)[-1][0]} bytes"
    print(f"one recipe: {spent[0]:.2f} s with the usual rate alone, {told}")


def test_a_day_and_its_page_by_the_number_of_recipes(store: Store, settings: Settings) -> None:
    for count in (20, 200):
        job = Job(settings, store, numbered(RECIPES, count), Clock.standing_at(AS_OF + timedelta(minutes=count)), f"bench{count}")
        started = time.process_time()
        predict(store, job.recipes, settings, job.clock, run_id=job.run_id)
        said = seconds_since(started)
        started = time.process_time()
        (page,) = publish_report.write_report(job, ["en"]).pages
        print(f"\n{count} recipes: usual rates {said:.1f} s, page {seconds_since(started):.1f} s and {page.stat().st_size / 1e6:.2f} MB")


def test_bytes_of_a_forecast_day_and_the_published_copy(store: Store, settings: Settings, tmp_path: Path) -> None:
    """One day of a recipe is four forecasts, an outcome and four scores; 100,000 days are written."""
    days, per_day = 100_000, 4
    published = publish(store, tmp_path / "published.duckdb")
    before = published.stat().st_size
    numbers = pd.RangeIndex(days * per_day)
    start = pd.Timestamp("2000-01-01", tz="UTC") + pd.to_timedelta(numbers // per_day // 1000, unit="D")
    recipe = "recipe-" + (numbers // per_day % 1000).astype(str)
    chance = 0.001 + (numbers * 2_654_435_761 % 2**32) / 2**33
    ids = pd.Series(pd.util.hash_array(numbers.to_numpy()), dtype=str).str.zfill(24)
    forecast = pd.DataFrame({"forecast_id": ids, "recipe_id": recipe, "target_start": start, "target_end": start + pd.Timedelta(days=1)})
    forecast = forecast.assign(
        model_id=recipe + "-etas-20231225-0123abcd-" + (numbers % per_day).astype(str),
        model_kind="etas",
        issue_time=start - pd.Timedelta(minutes=30),
        as_of=start - pd.Timedelta(minutes=31),
        mode="prospective",
        official=True,
        published=numbers % per_day == 0,
        probability=chance,
        reference_probability=chance[::-1],
        recipe_hash="0" * 64,
        target_hash="1" * 64,
        code_version="0.1.0",
        degraded=False,
        data_age_hours=0.5,
        run_id="0123456789abcdef",
        created_at=start - pd.Timedelta(minutes=29),
    )
    outcome = forecast.iloc[::per_day][["recipe_id", "target_start", "target_end", "target_hash"]]
    outcome = outcome.assign(happened=False, event_count=0, status="final", as_of=start[::per_day], changed=False)
    score = forecast[["forecast_id", "recipe_id", "target_start", "mode"]].assign(
        happened=False, status="final", log_score=-chance, reference_log_score=-chance[::-1], brier=chance**2, scored_at=start
    )
    started = time.process_time()
    with store.transaction() as connection:
        for name, frame in (("forecast", forecast), ("outcome", outcome), ("score", score)):
            connection.register("rows", frame)
            connection.execute(f"INSERT INTO {name} BY NAME SELECT * FROM rows")
            connection.unregister("rows")
    writing = seconds_since(started)
    started = time.process_time()
    after = publish(store, tmp_path / "published.duckdb").stat().st_size
    print(
        f"\nempty ledger: {before / 1e6:.0f} MB; {days:,} recipe days more: {after / 1e6:.0f} MB, {(after - before) / days:.0f} bytes each"
    )
    print(f"written in {writing:.1f} s; the published copy of it took {seconds_since(started):.2f} s")
