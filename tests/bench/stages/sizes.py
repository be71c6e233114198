"""What a step costs at several sizes: recipes, days, events. docs/performance.svg shows it."""

from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from forecaster.catalog import snapshot
from forecaster.pipeline.as_of.catalogue_history import versions_of
from forecaster.pipeline.backfilling.backfill import backfill
from forecaster.pipeline.backfilling.backfill_plan import BackfillOptions
from forecaster.pipeline.daily.predict import predict
from forecaster.store.database import open_store
from forecaster.store.engine.parquet_files import read_parquet
from forecaster.store.versions import catalogue
from tests.bench.figures import Size, cpu_seconds
from tests.bench.stages.home import RECIPES, Bench
from tests.support.changed_recipes import numbered

SIZES = {"recipes": (10, 30, 100, 300), "days": (10, 30, 100, 300), "events": (3_000, 10_000, 30_000, 100_000, 296_000)}


def sizes(made: Bench) -> list[Size]:
    """A day's forecasts by the number of recipes, past days by their number, a catalogue stored and read by its events."""
    frame = snapshot.snapshot_revisions(read_parquet(snapshot.snapshot_path()), None)
    _recipes(made, 9), _days(made, 9)  # the first pays for the models' files and the catalogue
    recipes = [(count, cpu_seconds(lambda count=count: _recipes(made, count), 1)) for count in SIZES["recipes"]]
    days = [(count, cpu_seconds(lambda count=count: _days(made, count), 1)) for count in SIZES["days"]]
    events = [(count, cpu_seconds(lambda count=count: _events(frame.tail(count)), 1)) for count in SIZES["events"]]
    return [
        Size("recipes", "forecasts of a day", "recipes", tuple(recipes)),
        Size("days", "backfill of six recipes", "days", tuple(days)),
        Size("events", "catalogue stored and read", "events", tuple(events)),
    ]


def _recipes(made: Bench, count: int) -> None:
    predict(made.job(numbered(RECIPES, count), 20 + count))


def _days(made: Bench, count: int) -> None:
    last = date(2022, 12, 31)
    options = BackfillOptions(first_day=last - timedelta(days=count - 1), last_day=last, mode="current-model", overwrite=True)
    backfill(made.job(numbered(RECIPES, 6), 5), options)


def _events(frame: pd.DataFrame) -> None:
    with TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "quakecast.duckdb")
        with store.transaction() as connection:
            catalogue.write_revisions(connection, frame)
            versions_of(catalogue.read_history(connection))
