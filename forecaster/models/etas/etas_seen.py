"""What ETAS sees of a recipe's days: the earthquakes near its circle, and the stream that carries them from day to day."""

import threading
from dataclasses import dataclass

import numpy as np

from forecaster.features.events import Events
from forecaster.features.windows import TargetDays
from forecaster.models.etas.etas_intensity import Parents, Stream, daily_stream, select_parents
from forecaster.recipe import Recipe


@dataclass(frozen=True)
class Seen:
    """The parents of days, the order of the days by their start, int64 (n,), and the stream of the days in that order."""

    parents: Parents
    order: np.ndarray
    stream: Stream


def parents_on(events: Events, recipe: Recipe, days: TargetDays) -> Parents:
    """The parents that are visible, or are counted as targets, on these days."""
    last = int(days.target_ends_us.max()) if len(days) else 0
    return select_parents(events.take(slice(0, int(np.searchsorted(events.origin_time_us, last)))), recipe)


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
            order = np.argsort(days.target_starts_us, kind="stable")
            self.seen = (parents, days, Seen(parents, order, daily_stream(parents, days.take(order))))
        return self.seen[2]


_last = _LastSeen()


def seen_on(inputs: Events, recipe: Recipe, days: TargetDays) -> Seen:
    """What is seen on these days, at least one, of these inputs."""
    return _last.of(inputs, recipe, days)
