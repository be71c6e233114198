"""What ETAS sees of a recipe's days: the earthquakes near its circle, and the stream that carries them from day to day."""

import threading
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from forecaster.features.events import Events
from forecaster.features.windows import TargetDays, target_days
from forecaster.models.etas.etas_intensity import Parents, Stream, daily_stream, select_parents
from forecaster.recipe import Recipe

DAYS_BEFORE = 3


@dataclass(frozen=True)
class Seen:
    """The parents of days, the order of the days by their start, int64 (n,), and the stream of the days in that order.

    before: of a single day, the DAYS_BEFORE single local days before it, and the stream of these, each by its own cutoff. They share its
    entries, so that its earthquakes decay once for both. None of several days, and of one that is issued days ahead.
    """

    parents: Parents
    order: np.ndarray
    stream: Stream
    before: tuple[TargetDays, Stream] | None = None


def parents_on(events: Events, recipe: Recipe, days: TargetDays) -> Parents:
    """The parents that are visible, or are counted as targets, on these days."""
    end = int(np.searchsorted(events.origin_time_us, int(days.target_ends_us.max()) if len(days) else 0))
    return select_parents(events if end == len(events) else events.take(slice(0, end)), recipe)


class _LastSeen(threading.local):
    """What this thread saw last, cached: one issue asks for the probability, for longer windows, and for the days just before."""

    parents: tuple[Events, Recipe, int, Parents] | None = None
    seen: tuple[Parents, TargetDays, Seen] | None = None

    def of(self, inputs: Events, recipe: Recipe, days: TargetDays) -> Seen:
        """What is seen on these days, at least one.

        Parents are selected once as long as the same inputs and recipe are passed, with the same end of the last window; the stream is made
        once for the same days. These objects are never changed.
        """
        last_us, found = int(days.target_ends_us.max()), self.parents
        if found is None or found[0] is not inputs or found[1] is not recipe or found[2] != last_us:
            found = self.parents = (inputs, recipe, last_us, parents_on(inputs, recipe, days))
        parents = found[3]
        if self.seen is None or self.seen[0] is not parents or self.seen[1] is not days:
            self.seen = (parents, days, _seen(parents, days))
        return self.seen[2]


_last = _LastSeen()


def _seen(parents: Parents, days: TargetDays) -> Seen:
    order = np.argsort(days.target_starts_us, kind="stable")
    if len(days) == 1:
        past, _ = days_before(parents.recipe, days, DAYS_BEFORE)
        past = past.take(slice(0, DAYS_BEFORE))
        if past.cut_us[-1] <= days.cut_us[0]:
            names = ("local_days", "target_starts_us", "target_ends_us", "cut_us", "day_starts_us")
            joined = TargetDays(*(np.concatenate([getattr(past, name), getattr(days, name)]) for name in names))
            stream = daily_stream(parents, joined)
            return Seen(parents, order, stream.read_at(slice(DAYS_BEFORE, None)), (past, stream.read_at(slice(0, DAYS_BEFORE))))
    return Seen(parents, order, daily_stream(parents, days.take(order)))


def days_before(recipe: Recipe, days: TargetDays, count: int) -> tuple[TargetDays, np.ndarray]:
    """Consecutive single days that hold each of `days` and the `count` local days before it, and the index (n,) of each of `days`."""
    single = recipe.model_copy(update={"predict_range_days": 1})
    first = days.local_days.min().item() - timedelta(days=count)
    past = target_days(single, first, (days.local_days.max().item() - first).days + 1)
    return past, np.searchsorted(past.local_days, days.local_days)


def seen_on(inputs: Events, recipe: Recipe, days: TargetDays) -> Seen:
    """What is seen on these days, at least one, of these inputs."""
    return _last.of(inputs, recipe, days)
