"""Observed outcomes of target days."""

from typing import TYPE_CHECKING

import numpy as np

from forecaster.features.events import Events
from forecaster.features.windows import TargetDays, pairs_between
from forecaster.recipe import Recipe

if TYPE_CHECKING:
    import pandas as pd


def target_events(events: Events, recipe: Recipe) -> Events:
    """The target events: magnitude at or above the threshold, epicentre in the circle. Those of the last target are cached."""
    target = recipe.predict_center_lat, recipe.predict_center_lng, recipe.radius_km, recipe.threshold_mag
    return events.last("targets", target, lambda: events.take(events.near(*target)[0]))


def daily_labels(events: Events, recipe: Recipe, days: TargetDays) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outcome of every target window [start, end): (happened bool, largest magnitude float, count int64), each (n,).

    The magnitude is that of the largest target event, NaN where there is none. The time at which an event became known is ignored: pass the
    catalogue that defines the outcomes, and only days that it covers completely (`windows.complete_days`).
    """
    return _labels_between(events, recipe, days.target_starts_us, days.target_ends_us)


def promised_labels(events: Events, recipe: Recipe, windows: "pd.DataFrame") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same for stored windows, the columns target_start and target_end (aware): as they were stored, even if the time zone's rules
    changed later.
    """
    starts_us, ends_us = (windows[name].astype("datetime64[us, UTC]").astype("int64").to_numpy() for name in ("target_start", "target_end"))
    return _labels_between(events, recipe, starts_us, ends_us)


def _labels_between(
    events: Events, recipe: Recipe, starts_us: np.ndarray, ends_us: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    targets = target_events(events, recipe)
    span, index = pairs_between(targets.origin_time_us, starts_us, ends_us)
    count = np.bincount(span, minlength=len(starts_us))
    largest = np.full(len(starts_us), -np.inf)
    np.maximum.at(largest, span, targets.magnitude[index])
    return count > 0, np.where(count > 0, largest, np.nan), count
