"""Target days, the window of days before each, and the input cutoff of each.

Days are the recipe's local days, identified by their full date, 23 to 25 hours long. All times are int64 microseconds since the epoch, UTC;
all spans are half-open.
"""

from dataclasses import dataclass, fields, replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from forecaster.recipe import Recipe
from forecaster.timewindow import day_of_window, local_day, local_midnights_us, local_times_us, to_us


@dataclass(frozen=True)
class TargetDays:
    """`n` target days of one recipe, in any order.

    local_days: datetime64[D] (n,), the local dates.
    target_starts_us, target_ends_us: int64 (n,), the target windows [start, end).
    cut_us: int64 (n,), the issue times, at which inputs are cut off. An event with origin at or after it, or that became known after it, is
    not an input.
    day_starts_us: int64 (n, window_days), oldest day first. Day k ends where day k + 1 starts, the last one at the target's start; inputs
    end at the cutoff. For consecutive days it is a view of one array of midnights.
    """

    local_days: np.ndarray
    target_starts_us: np.ndarray
    target_ends_us: np.ndarray
    cut_us: np.ndarray
    day_starts_us: np.ndarray

    def __len__(self) -> int:
        return len(self.local_days)

    @property
    def window_days(self) -> int:
        return int(self.day_starts_us.shape[1])

    @property
    def first_day(self) -> date:
        """The local date of the first entry; IndexError where there is none."""
        first: date = self.local_days[0].item()
        return first

    @property
    def day_ends_us(self) -> np.ndarray:
        """int64 (n, window_days): the end of the inputs of each window day, never after the cutoff."""
        ends = np.concatenate([self.day_starts_us[:, 1:], self.target_starts_us[:, None]], axis=1)
        cut: np.ndarray = np.minimum(ends, self.cut_us[:, None])
        return cut

    def take(self, selection: np.ndarray | slice) -> "TargetDays":
        """The days at these indices, or where this mask is true."""
        return TargetDays(
            self.local_days[selection],
            self.target_starts_us[selection],
            self.target_ends_us[selection],
            self.cut_us[selection],
            self.day_starts_us[selection],
        )

    def issued_at(self, moment: datetime) -> "TargetDays":
        """The same days with inputs cut off at `moment` where that is earlier than the recipe's own issue time. The cutoff is
        never later.
        """
        return replace(self, cut_us=np.minimum(self.cut_us, to_us(moment)))


def target_days(recipe: Recipe, first_day: date, count: int) -> TargetDays:
    """`count` consecutive target days from the local `first_day` on. The input cutoff is the recipe's `issue_local_time` of the
    day before. Recipes of a zone share the arrays, which are read-only.
    """
    return _target_days(recipe.window_days, recipe.predict_range_days, recipe.zone, recipe.issue_local_time, first_day, count)


@lru_cache(maxsize=64)
def _target_days(window: int, reach: int, zone: ZoneInfo, issued: time, first_day: date, count: int) -> TargetDays:
    midnights = local_midnights_us(first_day - timedelta(days=window), window + count + reach, zone)
    lines = np.lib.stride_tricks.sliding_window_view(midnights[: window + count], window)
    days = TargetDays(
        local_days=np.datetime64(first_day, "D") + np.arange(count),
        target_starts_us=midnights[window : window + count],
        target_ends_us=midnights[window + reach : window + reach + count],
        cut_us=local_times_us(first_day - timedelta(days=1), count, zone, issued),
        day_starts_us=lines[:count],
    )
    for one in fields(days):
        getattr(days, one.name).flags.writeable = False
    return days


def promised_day(recipe: Recipe, start: datetime, end: datetime, as_of: datetime) -> TargetDays:
    """The one target day of a stored forecast: its window and the cutoff of its inputs as they were stored (aware UTC), even if the time
    zone's rules changed later.
    """
    days = target_days(recipe, day_of_window(start, recipe.zone), 1)
    starts, ends, cut = (np.array([to_us(moment)], dtype=np.int64) for moment in (start, end, as_of))
    return replace(days, target_starts_us=starts, target_ends_us=ends, cut_us=np.minimum(cut, starts))


def complete_days(recipe: Recipe, first_day: date, coverage_end: datetime) -> TargetDays:
    """All target days from `first_day` on whose whole target window lies before `coverage_end` (aware UTC); possibly none.

    A day for which the catalogue has been read only in part is never a label: "no event so far" is not "no event".
    """
    last = local_day(coverage_end, recipe.zone) - timedelta(days=recipe.predict_range_days)
    return target_days(recipe, first_day, max(0, (last - first_day).days + 1))


def first_complete_day(recipe: Recipe, coverage_start: datetime) -> date:
    """The first local day whose whole window of inputs lies at or after `coverage_start` (aware UTC)."""
    start_day = local_day(coverage_start, recipe.zone)
    if to_us(coverage_start) > local_midnights_us(start_day, 1, recipe.zone)[0]:
        start_day += timedelta(days=1)
    return start_day + timedelta(days=recipe.window_days)


def pairs_between(times_us: np.ndarray, starts_us: np.ndarray, ends_us: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which of the sorted `times_us` lie in which half-open spans: (span numbers, time indices), both int64, by span, then by time.

    Spans may overlap, be empty, or end before they start (then they contain nothing). `starts_us` and `ends_us` are read flat.
    """
    starts, ends = np.ravel(starts_us), np.ravel(ends_us)
    if len(times_us) < len(starts) and not (starts[1:] < starts[:-1]).any() and not (ends[1:] < ends[:-1]).any():
        # few times among the thousands of days of a record: their spans are looked up
        first, last = np.searchsorted(ends, times_us, side="right"), np.searchsorted(starts, times_us, side="right")
        index, span = _ranges(first, last)
        by_span = np.argsort(span, kind="stable")
        return span[by_span], index[by_span]
    return _ranges(np.searchsorted(times_us, starts, side="left"), np.searchsorted(times_us, ends, side="left"))


def _ranges(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(k, each of first[k] .. last[k] - 1), both int64, for all k in turn."""
    counts = np.maximum(last - first, 0)
    of = np.repeat(np.arange(counts.size), counts)
    return of, np.arange(of.size) - np.repeat(np.cumsum(counts) - counts - first, counts)
