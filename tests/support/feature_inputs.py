"""What the tests of features are given: real recipes with a field changed, catalogues from rows."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from forecaster.features.events import Events
from forecaster.recipe import Recipe, load_recipes
from forecaster.timewindow import to_us
from tests.support.changed_recipes import changed_recipe

RECIPES = load_recipes(Path(__file__).resolve().parents[2] / "recipes")


def make_recipe(recipe_id: str, **changes: Any) -> Recipe:
    """A bundled recipe, validated again with `changes`."""
    return changed_recipe(RECIPES[recipe_id], **changes)


def make_events(*rows: tuple[str, float, float, float, float] | tuple[str, float, float, float, float, str]) -> Events:
    """Rows of (origin time, latitude, longitude, depth, magnitude[, known at]); times in ISO form with an offset."""
    origin = np.array([to_us(datetime.fromisoformat(row[0])) for row in rows], dtype=np.int64)
    known = np.array([to_us(datetime.fromisoformat(row[5] if len(row) > 5 else row[0])) for row in rows], dtype=np.int64)
    numbers = np.array([row[1:5] for row in rows], dtype=np.float64).reshape(-1, 4)
    order = np.argsort(origin, kind="stable")
    return Events(origin[order], known[order], *numbers[order].T)


@pytest.fixture(scope="session")
def recipe() -> Callable[..., Recipe]:
    return make_recipe


@pytest.fixture(scope="session")
def events() -> Callable[..., Events]:
    return make_events
