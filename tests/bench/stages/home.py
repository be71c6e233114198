"""What the stages share: a home with the bundled catalogue, a moment, and the bundled recipes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from forecaster.clock import Clock
from forecaster.pipeline.as_of.bundled_catalogue import load_snapshot
from forecaster.pipeline.run_context import Job
from forecaster.recipe import Recipe, load_recipes
from forecaster.settings import Settings, load_settings
from forecaster.store.database import Store, open_store
from forecaster.store.sharing.publish import publish

AS_OF = datetime(2023, 12, 25, tzinfo=UTC)
RECIPES = list(load_recipes(Path(__file__).resolve().parents[3] / "recipes").values())


def recipe_named(name: str) -> Recipe:
    """A bundled recipe."""
    return next(recipe for recipe in RECIPES if recipe.id == name)


@dataclass
class Bench:
    """A home with the bundled catalogue, for all stages."""

    settings: Settings

    @cached_property
    def store(self) -> Store:
        store = open_store(self.settings.database)
        load_snapshot(store, AS_OF)
        publish(store, self.settings.published)
        return store

    @property
    def environment(self) -> dict[str, str]:
        """For commands that read this home."""
        self.store  # noqa: B018 - it is made and published when it is first asked for
        return {**os.environ, "QUAKECAST_HOME": str(self.settings.home)}

    def job(self, recipes: list[Recipe], minutes: int) -> Job:
        """A run at AS_OF and some minutes, for rows of its own."""
        return Job(self.settings, self.store, recipes, Clock.standing_at(AS_OF + timedelta(minutes=minutes)), f"bench{minutes}")


@contextmanager
def bench() -> Iterator[Bench]:
    """A home that goes with the block."""
    with TemporaryDirectory(prefix="quakecast-bench-") as folder:
        yield Bench(load_settings(home=Path(folder)))
