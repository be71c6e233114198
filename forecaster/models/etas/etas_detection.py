"""Incomplete detection: the catalogue misses earthquakes for hours after great earthquakes.

t days after an earthquake of magnitude M the catalogue is complete above Mc = M - 4.5 - 0.75 log10 t (Helmstetter et al. 2006,
doi:10.1785/0120050067). Where Mc is above the threshold, the catalogue therefore contains a share 10^(-b (Mc - threshold)) of the
earthquakes of at least the threshold. This share multiplies the expected rate.
"""

import numpy as np

from forecaster.features.windows import TargetDays
from forecaster.models.etas.etas_intensity import Parents
from forecaster.timewindow import DAY_US

B_VALUE = 1.0
NEAR_KM = 300.0
_STEPS = 24
_EARLIEST_DAYS = 1e-4


def share_after(magnitude: np.ndarray, days_after: np.ndarray, threshold: float) -> np.ndarray:
    """Detected share of earthquakes of at least `threshold`, `days_after` an earthquake of `magnitude`; 1 before it."""
    after = np.maximum(days_after, _EARLIEST_DAYS)
    missing = np.asarray(magnitude) - 4.5 - 0.75 * np.log10(after) - threshold
    return np.where(np.asarray(days_after) < 0, 1.0, 10.0 ** (-B_VALUE * np.maximum(missing, 0.0)))


def _shading(parents: Parents) -> tuple[np.ndarray, np.ndarray]:
    """Indices of parents that reduce detection: large enough to do so for a minute, and near the circle; and until when, microseconds."""

    def find() -> tuple[np.ndarray, np.ndarray]:
        recipe, events = parents.recipe, parents.events
        large = events.magnitude - 4.5 - 0.75 * np.log10(1.0 / 1440.0) > recipe.threshold_mag
        found = np.flatnonzero(large & (parents.distance_km <= recipe.radius_km + NEAR_KM))
        return found, events.origin_time_us[found] + hidden_days(events.magnitude[found], recipe.threshold_mag) * DAY_US

    shading: tuple[np.ndarray, np.ndarray] = parents.once("shading", find)
    return shading


def hidden_days(magnitude: np.ndarray, threshold: float) -> np.ndarray:
    """How long the detected share stays below 1, days."""
    return 10.0 ** ((magnitude - 4.5 - threshold) / 0.75)


def detected_share(parents: Parents, days: TargetDays, known: np.ndarray | None = None) -> np.ndarray:
    """float64 (n,): mean detected share over each window, after the earthquakes that are visible at its cutoff.

    known: bool (parents,), which of them are taken into account; all by default.
    """
    share = np.ones(len(days))
    events, threshold = parents.events, parents.recipe.threshold_mag
    if not len(days):
        return share
    shading, ends_us = _shading(parents)
    for place in np.flatnonzero(ends_us > days.target_starts_us.min()):
        i, until_us = shading[place], ends_us[place]
        if known is not None and not known[i]:
            continue
        seen = (events.origin_time_us[i] < days.cut_us) & (events.known_at_us[i] <= days.cut_us) & (days.cut_us < events.known_until_us[i])
        for j in np.flatnonzero(seen & (days.target_starts_us < until_us)):
            window = int(days.target_starts_us[j]), int(days.target_ends_us[j])
            share[j] = min(share[j], share_over(float(events.magnitude[i]), int(events.origin_time_us[i]), *window, threshold))
    return share


def share_over(magnitude: float, origin_us: int, start_us: int, end_us: int, threshold: float) -> float:
    """Mean detected share over [start, end) after an earthquake of this magnitude."""
    moments = np.linspace(start_us, end_us, 2 * _STEPS + 1)[1::2]
    return float(share_after(np.asarray(magnitude), (moments - origin_us) / DAY_US, threshold).mean())


def shaded_moments(parents: Parents, begin_us: int, end_us: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Moments that cover the times of incomplete detection in [begin, end): (moment int64, days each stands for, missed share)."""
    events, threshold = parents.events, parents.recipe.threshold_mag
    moments, widths, missed = [np.empty(0, dtype=np.int64)], [np.empty(0)], [np.empty(0)]
    shading, _ = _shading(parents)
    for place, i in enumerate(shading):
        edges = np.geomspace(1.0 / 1440.0, max(float(hidden_days(events.magnitude[i], threshold)), 2.0 / 1440.0), _STEPS + 1)
        middle = np.sqrt(edges[1:] * edges[:-1])
        at = events.origin_time_us[i] + np.round(middle * DAY_US).astype(np.int64)
        share = share_after(events.magnitude[i], middle, threshold)
        later = shading[place + 1 :]
        overtaken = np.zeros(len(at), dtype=bool)
        for other in later:
            begun = at >= events.origin_time_us[other]
            overtaken |= begun & (share_after(events.magnitude[other], (at - events.origin_time_us[other]) / DAY_US, threshold) < 1.0)
        kept = ~overtaken & (at >= begin_us) & (at < end_us)
        moments.append(at[kept])
        widths.append(np.diff(edges)[kept])
        missed.append(1.0 - share[kept])
    return np.concatenate(moments), np.concatenate(widths), np.concatenate(missed)
