"""What is known at a given moment: events, coverage, and the target days whose outcome is final by then."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from forecaster.catalog.coverage import STREAMS, covered_span, last_read, read_until
from forecaster.errors import NotScoreable
from forecaster.features.events import Events
from forecaster.features.labels import daily_labels
from forecaster.features.windows import TargetDays, complete_days, first_complete_day
from forecaster.models.baselines.climatology import FINAL_AFTER_DAYS
from forecaster.recipe import Recipe
from forecaster.registry.reasons import Reason, ReasonKey, iso
from forecaster.store.row_types import OutcomeStatus

if TYPE_CHECKING:
    import pandas as pd

MATURITY = timedelta(days=FINAL_AFTER_DAYS)
PROVISIONAL_AFTER = timedelta(days=1)
REACH_RADII = 4.0
SMALL_MAG = 4.5  # below it, and below the threshold, no model uses an earthquake outside the circle
REACH_KM = ((-np.inf, 500.0), (SMALL_MAG, 500.0), (6.5, 1000.0), (7.5, 2000.0))  # from this magnitude on, beyond the rim
STALE_AFTER = timedelta(hours=24)  # a forecast from a catalogue that was read longer ago is degraded


@dataclass(frozen=True)
class Known:
    """The catalogue as known at `as_of`.

    inputs: every version that was valid at some moment up to `as_of`, cut to the common streams, so that training and serving see the same
        catalogue: at any t <= as_of, `inputs.visible(t)` is the catalogue as it was known at t.
    events: the last known version of each event, with the time it was first known. It also holds what was read for single recipes, and is
        the basis of outcomes.
    make_frame: makes `frame`, when it is first asked for. name_of: the id and place of the event in a row of `events`; None: by `frame`.
    """

    as_of: datetime
    events: Events
    inputs: Events
    make_frame: "Callable[[], pd.DataFrame]"
    coverage: "pd.DataFrame"
    name_of: Callable[[int], tuple[str, object]] | None = None

    def name(self, row: int) -> tuple[str, object]:
        """Return the id and the place (None or NaN where it has none) of the event in this row of `events`."""
        if self.name_of is not None:
            return self.name_of(row)
        return str(self.frame["event_id"].iloc[row]), self.frame["place"].iloc[row]

    @cached_property
    def frame(self) -> "pd.DataFrame":
        """The events with their ids and places, as `catalogue.read_events` returns them."""
        return self.make_frame()

    @cached_property
    def read_until(self) -> datetime | None:
        """The time until which the world stream has been read."""
        read = read_until(self.coverage, STREAMS[0].name)
        return None if read is None else min(read, self.as_of)


@dataclass(frozen=True)
class LabelledDays:
    """Consecutive target days with their observed outcomes; arrays (n,)."""

    days: TargetDays
    happened: np.ndarray
    max_magnitude: np.ndarray
    event_count: np.ndarray


def status_of(age: timedelta) -> OutcomeStatus:
    """Return the maturity of an outcome, `age` after the end of its window: preliminary, provisional or final."""
    return "final" if age >= MATURITY else "provisional" if age >= PROVISIONAL_AFTER else "preliminary"


def reaches_km(recipe: Recipe) -> tuple[tuple[float, float], ...]:
    """Return how far from the centre of its circle any of our models uses an earthquake: (magnitude, km from that magnitude on), both
    ascending.
    """
    return tuple((magnitude, max(recipe.radius_km + beyond, REACH_RADII * recipe.radius_km)) for magnitude, beyond in REACH_KM)


def in_reach(recipe: Recipe, away_km: np.ndarray, magnitude: np.ndarray) -> np.ndarray:
    """Return bool (n,): which earthquakes, so far away from the centre, are near enough for their size that one of our models uses them."""
    kept = np.zeros(len(away_km), dtype=bool)
    for least, reach in reaches_km(recipe):
        kept |= (magnitude >= least) & (away_km <= reach)
    return kept


def labelled_days(recipe: Recipe, known: Known, mature: timedelta = MATURITY) -> LabelledDays:
    """Return every target day inside coverage that ended at least `mature` before `known.as_of`, with its outcome.

    Where the catalogue was last read before `as_of`, maturity counts from that reading, because later reviews are not known.

    Raises:
        NotScoreable: nothing has been read at this place down to this magnitude, or no whole day of it.
    """
    span = covered_span(recipe, known.coverage)
    end = min(span.end, min(known.as_of, last_read(recipe, known.coverage)) - mature)
    first = first_complete_day(recipe, span.start)
    days = complete_days(recipe, first, end)
    if not len(days):
        raise NotScoreable(too_short(first, mature, known.as_of))
    happened, max_magnitude, count = daily_labels(known.events, recipe, days)
    return LabelledDays(days, happened, max_magnitude, count)


def too_short(first: date, mature: timedelta, at: datetime) -> Reason:
    """Return the reason that no target day since `first` lies `mature` before `at`."""
    return Reason(ReasonKey.SHORT, {"first_day": iso(first), "days": mature.days, "day": iso(at.date())})
