"""A home to backfill: the small world with a sign, trained once, with an event that became known late, one revised and one withdrawn."""

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from forecaster.clock import Clock
from forecaster.pipeline.backfilling.backfill import BackfillOptions
from forecaster.pipeline.run_context import Job
from forecaster.pipeline.training.train import TrainOptions
from forecaster.recipe import Recipe, load_recipes
from forecaster.settings import Settings, load_settings
from forecaster.store.database import Store, open_store
from tests.support import tiny
from tests.support.steps import machine, train_recipes
from tests.support.toys import quake, write

TRAINED = datetime(2023, 11, 2, 12, tzinfo=UTC)
NOW = datetime(2024, 1, 28, 12, tzinfo=UTC)
FIRST, LAST = date(2023, 12, 1), date(2024, 1, 20)
DAYS = 51
TODAY = BackfillOptions(FIRST, LAST, "current-model")
WALK = BackfillOptions(FIRST, LAST, "walk-forward", retrain_every_days=20, max_minutes=5)


def trained(folder: Path) -> tuple[Settings, Recipe]:
    """A home in `folder`, trained on 2023-11-02. Toy models must be in place."""
    settings = load_settings(home=folder)
    store = open_store(settings.database)
    tiny.fill(store, NOW, sign=True)
    noon = datetime(2023, 9, 20, 12, tzinfo=UTC)
    late = quake("late", noon, 5.0, place=tiny.CENTRE, known=datetime(2023, 12, 20, tzinfo=UTC))
    before = quake("revised", noon + timedelta(days=1), 5.0, place=tiny.CENTRE, known=noon + timedelta(days=2))
    after = before | {"magnitude": 4.0, "known_at": datetime(2024, 1, 5, tzinfo=UTC), "updated_at": datetime(2024, 1, 5, tzinfo=UTC)}
    gone = quake("gone", noon + timedelta(days=2), 5.0, place=tiny.CENTRE, known=noon + timedelta(days=3))
    dead = gone | {"status": "deleted", "known_at": datetime(2024, 1, 8, tzinfo=UTC), "updated_at": datetime(2024, 1, 8, tzinfo=UTC)}
    write(store, late, before, gone)
    write(store, after | {"observed_at": after["known_at"]}, dead | {"observed_at": dead["known_at"]})
    tiny.write_tiny_recipe(settings.home / "recipes", models='["etas", "pooled"]')
    recipe = load_recipes(settings.home / "recipes")[tiny.RECIPE_ID]
    made = train_recipes(store, [recipe], settings, Clock.standing_at(TRAINED), TrainOptions(max_minutes=5)).trained[recipe.id]
    assert sorted(made["models"]) == ["etas", "pooled"]
    return settings, recipe


def copied(home: tuple[Settings, Recipe], settings: Settings) -> Job:
    """A run in a copy of that home, in the folder of these settings."""
    shutil.copytree(home[0].home, settings.home)
    return open_home(settings, [home[1]])


def open_home(settings: Settings, recipes: list[Recipe], moment: datetime = NOW, run_id: str = "0123456789abcdef") -> Job:
    """A run in that home, on a machine's clock that stands at `moment`."""
    return Job(settings, Store(settings.database), list(recipes), machine(moment), run_id)
