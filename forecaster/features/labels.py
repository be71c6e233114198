"""Observed outcomes of target days."""

from typing import TYPE_CHECKING

import numpy as np

from forecaster.features.events import Events
from forecaster.features.windows import TargetDays, pairs_between
from forecaster.recipe import Recipe

if TYPE_CHECKING:
    import pandas as pd


def target_events(events: Events, recipe: Recipe) -> Events:
    """The target events: magnitude at or above the threshold, epicentre in the circle."""
    rows, _ = events.near(recipe.predict_center_lat, recipe.predict_center_lng, recipe.radius_km, recipe.threshold_mag)
    return events.take(rows)


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
    span, index = _pairs(targets.origin_time_us, starts_us, ends_us)
    count = np.bincount(span, minlength=len(starts_us))
    largest = np.full(len(starts_us), -np.inf)
    np.maximum.at(largest, span, targets.magnitude[index])
    return count > 0, np.where(count > 0, largest, np.nan), count


def _pairs(times_us: np.ndarray, starts_us: np.ndarray, ends_us: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`pairs_between`, in any order. A record has thousands of windows and mostly few events: then their windows are looked up."""
    if len(starts_us) <= len(times_us) or np.any(starts_us[1:] < starts_us[:-1]) or np.any(ends_us[1:] < ends_us[:-1]):
        return pairs_between(times_us, starts_us, ends_us)
    first, last = np.searchsorted(ends_us, times_us, side="right"), np.searchsorted(starts_us, times_us, side="right")
    counts = np.maximum(last - first, 0)
    index = np.repeat(np.arange(len(times_us)), counts)
    span = np.arange(len(index)) - np.repeat(np.cumsum(counts) - counts - first, counts)
    return span, index
