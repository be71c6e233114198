"""What was known at many issue times, computed from one reading of the catalogue: inputs, outcomes and the usual rate of each day."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

import numpy as np
import pandas as pd

from forecaster.catalog.coverage import STREAMS, covered_span, last_read, read_until
from forecaster.errors import NotScoreable
from forecaster.features.events import Events
from forecaster.features.labels import target_events
from forecaster.features.windows import TargetDays, complete_days, first_complete_day, pairs_between
from forecaster.models.baselines import climatology
from forecaster.pipeline.as_of.as_known import MATURITY, Known, too_short
from forecaster.pipeline.as_of.catalogue_history import CatalogueHistory, load_known, read_history, state_of
from forecaster.recipe import Recipe
from forecaster.store.database import Store
from forecaster.timewindow import from_us, local_day


@dataclass(frozen=True)
class KnownThrough:
    """Every event version that was valid at some moment up to `until`: the data for a series of days that were issued by then.

    versions: of all that was read, also for single recipes; the basis of outcomes. inputs: those of the common streams.
    world_until: the time until which the world stream has been read.
    """

    until: datetime
    versions: Events
    inputs: Events
    coverage: pd.DataFrame
    world_until: datetime | None

    def read_until(self, as_of: datetime) -> datetime | None:
        """Return `Known.read_until` at that moment."""
        return None if self.world_until is None else min(self.world_until, as_of)


def known_through(store: Store, until: datetime) -> KnownThrough:
    """Return the catalogue's versions and coverage up to `until` (aware UTC), cached until the catalogue changes."""
    return _known_through(store, until, state_of(store))


def known_near(history: CatalogueHistory, until: datetime, recipe: Recipe) -> KnownThrough:
    """Return the same for events no farther from the recipe's centre than any circle model uses (`CatalogueHistory.near`)."""
    return _through(history.near(recipe), until)


def known_at(store: Store, as_of: datetime) -> Known:
    """Return `load_known`, cached for other recipes with the same issue time until the catalogue changes."""
    return _known_at(store, as_of, state_of(store))


@lru_cache(maxsize=2)
def _known_at(store: Store, as_of: datetime, reading: tuple[int, int, int]) -> Known:
    return load_known(store, as_of)


@lru_cache(maxsize=2)
def _known_through(store: Store, until: datetime, reading: tuple[int, int, int]) -> KnownThrough:
    return _through(read_history(store), until)


def _through(whole: CatalogueHistory, until: datetime) -> KnownThrough:
    history = whole.through(until)
    world_until = read_until(history.coverage, STREAMS[0].name)
    return KnownThrough(until, history.versions, history.versions.take(history.common), history.coverage, world_until)


def references_as_known(recipe: Recipe, known: KnownThrough, cut_us: np.ndarray) -> np.ndarray:
    """Return the climatology's probability at each of these issue times (int64 (n,), none later than `known.until`), float64 (n,).

    Each is computed from the outcomes that were final at that issue, by the catalogue as known then. The result equals that from
    `load_known` at each time.

    Raises:
        NotScoreable: the catalogue has not been read for this recipe, or too little of it was known at one of the times.
    """
    settled = settled_as_known(recipe, known, cut_us)
    return np.array(
        [
            climatology.daily_probability(count > 0, days.target_starts_us, days.target_ends_us, np.array([cut]))[0]
            for cut, (count, days) in zip(cut_us.tolist(), settled, strict=True)
        ]
    )


def settled_as_known(recipe: Recipe, known: KnownThrough, cut_us: np.ndarray) -> Iterator[tuple[np.ndarray, TargetDays]]:
    """Yield for each of these issue times the numbers of targets, int64, of the consecutive target days that were final then, and the days.

    Raises:
        NotScoreable: as `references_as_known`.
    """
    if not len(cut_us):
        return
    span = covered_span(recipe, known.coverage)
    read = last_read(recipe, known.coverage)
    first = first_complete_day(recipe, span.start)
    days = complete_days(recipe, first, min(span.end, from_us(int(cut_us.max()))))
    targets = target_events(known.versions, recipe)
    day, index = pairs_between(targets.origin_time_us, days.target_starts_us, days.target_ends_us)
    since, until = targets.known_at_us[index], targets.known_until_us[index]
    for cut in cut_us.tolist():
        settled_by = min(span.end, min(from_us(cut), read) - MATURITY)
        count = (local_day(settled_by, recipe.zone) - timedelta(days=recipe.predict_range_days) - first).days + 1
        if count < 1:
            raise NotScoreable(too_short(first, MATURITY, from_us(cut)))
        yield np.bincount(day[(since <= cut) & (cut < until)], minlength=len(days))[:count], days.take(slice(0, count))


def record_begins(recipe: Recipe, coverage: pd.DataFrame) -> date:
    """Return the first target day that the catalogue covers.

    Raises:
        NotScoreable: the catalogue has not been read for this recipe.
    """
    return first_complete_day(recipe, covered_span(recipe, coverage).start)


def first_day_with_reference(recipe: Recipe, coverage: pd.DataFrame) -> date:
    """Return the first local day whose issue is preceded by a year of final outcomes.

    Raises:
        NotScoreable: the catalogue has not been read for this recipe, or for too short a time.
    """
    span = covered_span(recipe, coverage)
    days: TargetDays = complete_days(recipe, first_complete_day(recipe, span.start), span.end)
    earliest = climatology.earliest_issue_us(days.target_ends_us)
    later = np.flatnonzero(days.cut_us >= earliest)
    return days.first_day + timedelta(days=int(later[0]) if len(later) else len(days))
