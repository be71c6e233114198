"""What is known at a moment: events, coverage, and the target days whose outcome is settled by then."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from forecaster.catalog.coverage import STREAMS, covered_span, in_streams, last_read
from forecaster.errors import NotScoreable
from forecaster.features.events import NEVER, Events, events_from_frame
from forecaster.features.geometry import box_about, great_circle_km
from forecaster.features.labels import daily_labels
from forecaster.features.windows import TargetDays, complete_days, first_complete_day
from forecaster.models.baselines.climatology import FINAL_AFTER_DAYS
from forecaster.recipe import Recipe
from forecaster.store.database import Store
from forecaster.store.row_types import OutcomeStatus
from forecaster.store.versions import catalogue

MATURITY = timedelta(days=FINAL_AFTER_DAYS)
PROVISIONAL_AFTER = timedelta(days=1)
REACH_KM, REACH_RADII = 2000.0, 4.0
MARGIN_DEG = 1e-6
STALE_AFTER = timedelta(hours=24)  # a catalogue that was read longer ago makes a forecast degraded


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


def status_of(age: timedelta) -> OutcomeStatus:
    """How mature an outcome is, `age` after the end of its window: preliminary, provisional or final."""
    return "final" if age >= MATURITY else "provisional" if age >= PROVISIONAL_AFTER else "preliminary"


def load_known(store: Store, as_of: datetime) -> Known:
    """Events and coverage as known at `as_of` (aware UTC)."""
    return _read(store, as_of, None)


def load_known_near(store: Store, recipe: Recipe, as_of: datetime) -> Known:
    """The same, of events no farther from the recipe's centre than `reach_km`: outcomes, rates and forecasts of this recipe are those of
    the whole catalogue, which takes several times longer to read."""
    lat, lon, reach = recipe.predict_center_lat, recipe.predict_center_lng, reach_km(recipe)
    south, north, west, east = box_about(lat, lon, reach)
    known = _read(store, as_of, (south - MARGIN_DEG, north + MARGIN_DEG, west - MARGIN_DEG, east + MARGIN_DEG))
    frame, inputs = known.frame, known.inputs
    frame = frame[great_circle_km(lat, lon, frame["latitude_deg"].to_numpy(), frame["longitude_deg"].to_numpy()) <= reach]
    inputs = inputs.take(great_circle_km(lat, lon, inputs.latitude_deg, inputs.longitude_deg) <= reach)
    frame = frame.reset_index(drop=True)
    return replace(known, events=events_from_frame(frame), inputs=inputs, frame=frame)


def reach_km(recipe: Recipe) -> float:
    """How far from the centre of its circle any model of ours sees anything, km."""
    return max(recipe.radius_km + REACH_KM, REACH_RADII * recipe.radius_km)


def _read(store: Store, as_of: datetime, box: catalogue.Box | None) -> Known:
    with store.transaction() as connection:
        frame = catalogue.read_events(connection, as_of, box)
        versions = catalogue.read_versions(connection, as_of, box)
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
