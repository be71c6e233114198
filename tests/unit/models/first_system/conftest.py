"""A small world to train on: 3 x 3 cells, windows of 2 days, a target that follows a busy day. And the builders of features' tests."""

from collections.abc import Callable
from datetime import date

import numpy as np
import pytest

from forecaster.features.events import Events
from forecaster.features.windows import target_days
from forecaster.models.first_system.dataset import Dataset, dataset_from_events
from forecaster.recipe import Recipe
from forecaster.timewindow import DAY_US
from tests.support.changed_recipes import changed_recipe
from tests.support.feature_inputs import events as events
from tests.support.feature_inputs import recipe as recipe

DAYS = 500


@pytest.fixture(scope="session")
def tiny_recipe(recipes: dict[str, Recipe]) -> Callable[..., Recipe]:
    """The athens recipe on 3 x 3 cells with windows of 2 days, with changed fields."""

    def make(**changes: object) -> Recipe:
        small = {"window_days": 2, "lat_granularity": 3, "lng_granularity": 3, "batch_size": 16, "epochs": 2, "learning_rate": 1e-3}
        small |= {"filters": 30, "hidden_units": 100}
        return changed_recipe(recipes["athens"], **(small | changes))

    return make


@pytest.fixture(scope="session")
def tiny_dataset(tiny_recipe: Callable[..., Recipe]) -> Callable[..., Dataset]:
    """500 days: on a third of them 5 to 9 earthquakes at the centre; the target comes with 60 % after such a day, else with 5 %."""

    def make(**changes: object) -> Dataset:
        recipe = tiny_recipe(**changes)
        days = target_days(recipe, date(2000, 1, 10), DAYS)
        rng = np.random.default_rng(1)
        busy = rng.random(DAYS) < 1 / 3
        happened = rng.random(DAYS) < np.where(busy, 0.6, 0.05)
        times = np.sort(
            np.concatenate(
                [rng.integers(start - DAY_US + 1, start - DAY_US // 10, rng.integers(5, 10)) for start in days.target_starts_us[busy]]
            )
        )
        ones = np.ones(len(times))
        events = Events(times, times, recipe.predict_center_lat * ones, recipe.predict_center_lng * ones, 10.0 * ones, 5.0 * ones)
        return dataset_from_events(recipe, events, days, happened, np.full(DAYS, 0.2))

    return make
