"""Subsets of days that are evaluated separately: quiet days and sequences, with and without 2011."""

import numpy as np

from forecaster.features.events import Events
from forecaster.features.geometry import in_circle
from forecaster.recipe import Recipe

MAGNITUDE_STEP = 1.0
TRAILING_DAYS = 30
DAY_US = 86_400_000_000


def in_sequence(recipe: Recipe, events: Events, cut_us: np.ndarray) -> np.ndarray:
    """Bool (n,): the days of a sequence; all others are quiet. cut_us: int64 (n,), the issue times, in any order.

    A day belongs to a sequence if, at its issue time, an earthquake of at least the recipe's threshold + 1.0 was known in the target
    circle, with its origin in the 30 days before. Only what was known at issue is used, so the outcome has no influence.
    `Events.known_at_once` splits in hindsight.
    """
    strong = (events.magnitude >= recipe.threshold_mag + MAGNITUDE_STEP - 1e-9) & in_circle(
        recipe, events.latitude_deg, events.longitude_deg
    )
    origin_us = events.origin_time_us[strong]
    first_us = np.maximum(origin_us + 1, events.known_at_us[strong])
    end_us = np.minimum(origin_us + TRAILING_DAYS * DAY_US + 1, events.known_until_us[strong])
    has_span = first_us < end_us
    begun = np.searchsorted(np.sort(first_us[has_span]), cut_us, side="right")
    ended = np.searchsorted(np.sort(end_us[has_span]), cut_us, side="right")
    return begun > ended


def outside_2011(local_days: np.ndarray) -> np.ndarray:
    """Bool (n,): the local days (datetime64[D]) outside the calendar year 2011, the year of the Tohoku earthquake."""
    apart: np.ndarray = np.asarray(local_days, dtype="datetime64[Y]") != np.datetime64("2011", "Y")
    return apart
