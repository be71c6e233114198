"""A toy world of mainshocks and aftershocks at a few places, for models that learn from pools of circles."""

from collections.abc import Sequence
from datetime import date

import numpy as np

from forecaster.features.circles import circle_recipe
from forecaster.features.events import NEVER, Events
from forecaster.features.labels import daily_labels
from forecaster.features.windows import target_days
from forecaster.models.baselines import climatology
from forecaster.models.interface import History
from forecaster.recipe import Recipe
from forecaster.timewindow import DAY_US

START = date(1973, 1, 16)


def clustered_events(
    places: Sequence[tuple[float, float]],
    rng: np.random.Generator,
    *,
    first_year: int,
    years: int,
    mainshocks: int,
    clustered_share: float,
    aftershocks: int,
    within_days: int,
    known_within_us: int,
) -> Events:
    """At each place `mainshocks` in `years` years from 1970 + `first_year` on; a share of them is followed by `aftershocks` within some
    days. Each is known within `known_within_us` of its origin, and a tenth is withdrawn ten days later."""
    first = first_year * 365 * DAY_US
    rows = []
    for latitude, longitude in places:
        for main in rng.integers(first, first + years * 365 * DAY_US, mainshocks):
            later = main + rng.integers(1, within_days * DAY_US, aftershocks) if rng.random() < clustered_share else []
            rows += [
                (time, latitude + rng.normal(0, 0.3), longitude + rng.normal(0, 0.3), 4.5 + rng.exponential(0.4)) for time in [main, *later]
            ]
    time, latitude, longitude, magnitude = np.array(sorted(rows)).T
    origin = time.astype(np.int64)
    known = origin + rng.integers(0, known_within_us, len(origin))
    until = np.where(rng.random(len(origin)) < 0.1, known + 10 * DAY_US, NEVER)
    return Events(origin, known, latitude, longitude, np.full(len(origin), 10.0), magnitude, until)


def twelve_years(places: Sequence[tuple[float, float]]) -> Events:
    """Twelve years from 1976 of mainshocks at each place, 30 a year each, every third with five aftershocks within two days."""
    return clustered_events(
        places,
        np.random.default_rng(12),
        first_year=6,
        years=12,
        mainshocks=360,
        clustered_share=1 / 3,
        aftershocks=5,
        within_days=2,
        known_within_us=DAY_US // 2,
    )


def circles_at(places: Sequence[tuple[float, float]]) -> list[Recipe]:
    """A circle of 200 km and M 4.5 about each of them."""
    return [circle_recipe(number, *place, 200.0, 4.5) for number, place in enumerate(places)]


def history_until(catalogue: Events, recipe: Recipe, last_day: date) -> History:
    """The days from 1973-01-16 to `last_day` of this world."""
    days = target_days(recipe, START, (last_day - START).days + 1)
    happened, _, _ = daily_labels(catalogue, recipe, days)
    return History(recipe, catalogue, catalogue, days, happened, climatology.daily_references(happened, days))
