"""What is known at a moment: events, coverage, and the target days whose outcome is settled by then."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from forecaster.catalog.coverage import STREAMS, covered_span, in_streams, last_read
from forecaster.errors import NotScoreable
from forecaster.features.events import NEVER, Events, events_from_frame
from forecaster.features.labels import daily_labels
from forecaster.features.windows import TargetDays, complete_days, first_complete_day
from forecaster.models.climatology import FINAL_AFTER_DAYS
from forecaster.recipe import Recipe
from forecaster.store import catalogue
from forecaster.store.database import Store

MATURITY = timedelta(days=FINAL_AFTER_DAYS)


@dataclass(frozen=True)
class Known:
    """The catalogue as known at `as_of`.

    inputs: every version that was believed at some moment up to `as_of`, cut to the common streams, so that training and serving see
        the same world: at any t <= as_of, `inputs.visible(t)` is the catalogue as it was known at t.
    events: the last known version of each event, with when the event was first known. It also holds what was read for single recipes,
        and is what outcomes are judged by. `frame` is the same, with ids and places.
    """

    as_of: datetime
    events: Events
    inputs: Events
    frame: pd.DataFrame
    coverage: pd.DataFrame

    @property
    def read_until(self) -> datetime | None:
        """Until when the world stream has been read."""
        world = self.coverage[self.coverage["stream"] == STREAMS[0].name]
        return None if world.empty else min(world["span_end"].max().to_pydatetime(), self.as_of)


@dataclass(frozen=True)
class LabelledDays:
    """Consecutive target days with what happened; arrays (n,)."""

    days: TargetDays
    happened: np.ndarray
    max_magnitude: np.ndarray
    event_count: np.ndarray


def load_known(store: Store, as_of: datetime) -> Known:
    """Events and coverage as known at `as_of` (aware UTC)."""
    with store.transaction() as connection:
        frame = catalogue.read_events(connection, as_of)
        versions = catalogue.read_versions(connection, as_of)
        coverage = catalogue.read_coverage(connection)
    inputs = versions_of(versions)
    inside = in_streams(STREAMS, inputs.latitude_deg, inputs.longitude_deg, inputs.magnitude)
    return Known(as_of, events_from_frame(frame), inputs.take(inside), frame, coverage)


def versions_of(frame: pd.DataFrame) -> Events:
    """The rows of `catalogue.read_versions`, which come in the order of `events_from_frame`."""
    until = frame["known_until"].astype("datetime64[us, UTC]")
    ends = np.where(until.isna(), NEVER, until.astype("int64"))
    return replace(events_from_frame(frame), known_until_us=ends)


def labelled_days(recipe: Recipe, known: Known, mature: timedelta = MATURITY) -> LabelledDays:
    """Every target day inside coverage that ended at least `mature` before `known.as_of`, with its outcome.

    Where the catalogue was last read before `as_of`, days count as mature by that reading: later reviews are not known.

    Raises:
        NotScoreable: nothing has been read at this place down to this magnitude, or no whole day of it.
    """
    span = covered_span(recipe, known.coverage)
    end = min(span.end, min(known.as_of, last_read(recipe, known.coverage)) - mature)
    first = first_complete_day(recipe, span.start)
    days = complete_days(recipe, first, end)
    if not len(days):
        raise NotScoreable(f"not scoreable: no target day since {first} lies {mature.days} days before {known.as_of:%Y-%m-%d}")
    happened, max_magnitude, count = daily_labels(known.events, recipe, days)
    return LabelledDays(days, happened, max_magnitude, count)
