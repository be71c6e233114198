"""Target days as they were known at each issue: their recent rates on several time scales.

A day on which a target event was known becomes an event of its own. It is known from the moment when the first version of a target event of
that day was, until the last one was withdrawn. Then `decayed_counts` counts target days as it counts events, exactly as of each cutoff. In
a sequence ten events on one day are one target day.
"""

import numpy as np

from forecaster.features.decayed_counts import SMALLEST_SUM, CountSettings, decayed_counts
from forecaster.features.events import Events
from forecaster.features.labels import target_events
from forecaster.features.many_circles import Circles, positive_days
from forecaster.features.windows import TargetDays
from forecaster.recipe import Recipe
from forecaster.timewindow import DAY_US

TAUS_DAYS = (30.0, 100.0, 365.0, 1100.0, 3650.0, 20_000.0)
PRIOR_DAYS = np.array([60.0, 100.0, 200.0, 365.0, 365.0, 0.0])
CATALOGUE_START_US = int(np.datetime64("1973-01-01", "us").astype(np.int64))


def target_day_rates(inputs: Events, recipe: Recipe, days: TargetDays) -> np.ndarray:
    """float32 (n, len(TAUS_DAYS)): log of target days a day at each cutoff, days weighted by exp(-age / tau), none from before 1973.

    The slowest rate is (s + 1/2) / (n + 1) with s target days among n (both weighted). The others are shrunk towards it by PRIOR_DAYS, as
    the climatology is.
    """
    seen = decayed_counts(days_with_targets(inputs, recipe), recipe, days, CountSettings((1.0,), (0.0,), TAUS_DAYS))
    return _log_rates(seen, days.cut_us)


def rates_of_circles(circles: Circles) -> np.ndarray:
    """float32 (circles, len(TAUS_DAYS)): the same for many circles at their common cutoff. A day counts if any version of a target event is
    visible.
    """
    strong = circles.inputs.take(circles.inputs.magnitude >= circles.threshold_mag)
    happened = positive_days(circles.latitude_deg, circles.longitude_deg, circles.radius_km, strong)
    age_days = (circles.cut_us - happened.day * DAY_US) / DAY_US
    sums = [np.bincount(happened.circle, np.exp(-age_days / tau), len(circles)) for tau in TAUS_DAYS]
    seen = np.column_stack(sums)
    seen[seen < SMALLEST_SUM] = 0.0
    return _log_rates(seen.astype(np.float32), np.full(len(circles), circles.cut_us))


def _log_rates(seen: np.ndarray, cut_us: np.ndarray) -> np.ndarray:
    """float32 (n, len(TAUS_DAYS)): from the decayed numbers of target days `seen`, float32 of the same shape, at these cutoffs (n,)."""
    taus = np.array(TAUS_DAYS)
    elapsed = np.maximum((cut_us - CATALOGUE_START_US) / DAY_US, 1.0)
    among = taus * -np.expm1(-elapsed[:, None] / taus)
    long_term = (seen[:, -1:] + 0.5) / (among[:, -1:] + 1.0)
    rates = np.column_stack([(seen + PRIOR_DAYS * long_term)[:, :-1] / (among + PRIOR_DAYS)[:, :-1], long_term])
    logs: np.ndarray = np.log(rates).astype(np.float32)
    return logs


def days_with_targets(inputs: Events, recipe: Recipe) -> Events:
    """One event for each span of time in which a target event of a UTC day was known: origin at the start of that day, at the centre."""
    targets = target_events(inputs, recipe)
    start = np.maximum(targets.origin_time_us + 1, targets.known_at_us)
    day, start, end = joined_spans(targets.origin_time_us // DAY_US, start, targets.known_until_us)
    count = len(day)
    place = (np.full(count, recipe.predict_center_lat), np.full(count, recipe.predict_center_lng), np.full(count, np.nan))
    return Events(day * DAY_US, start, *place, np.full(count, recipe.threshold_mag), end)


def joined_spans(day: np.ndarray, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The spans [start, end) of each day, with touching or overlapping ones merged; all int64 (n,), by day, then by start."""
    kept = np.flatnonzero(start < end)
    kept = kept[np.lexsort((start[kept], day[kept]))]
    day, start = day[kept], start[kept]
    ends, rank = np.unique(end[kept], return_inverse=True)
    turn = np.cumsum(np.diff(day, prepend=day[:1]) != 0) * len(ends)
    latest = ends[np.maximum.accumulate(turn + rank) - turn]  # of the day's spans so far
    opens = np.ones(len(day), dtype=bool)
    opens[1:] = (day[1:] != day[:-1]) | (start[1:] > latest[:-1])
    first = np.flatnonzero(opens)
    last = np.append(first, len(day))[1:] - 1
    return day[first], start[first], latest[last]
