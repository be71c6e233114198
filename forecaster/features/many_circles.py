"""Many circles of one size on one day, so that all can be forecast at once: which events lie near which circle, and on which days they
occurred.

The counts are the same as circle by circle (`labels`, `decayed_counts`, `patches`); a test compares them.
"""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np

from forecaster.errors import BadInput
from forecaster.features.events import Events
from forecaster.features.geometry import EARTH_RADIUS_KM, unit_vectors
from forecaster.features.windows import TargetDays
from forecaster.timewindow import DAY_US

CIRCLES_AT_ONCE = 512
HALF_WAY_KM = np.pi * EARTH_RADIUS_KM


@dataclass(frozen=True)
class Near:
    """Pairs of circles and events near them; arrays (pairs,). circle: int64, index among all circles. event: int64. distance_km."""

    circle: np.ndarray
    event: np.ndarray
    distance_km: np.ndarray


class Places:
    """Places (n,), what lies near them, and what was computed of them once."""

    latitude_deg: np.ndarray
    longitude_deg: np.ndarray

    def __len__(self) -> int:
        return len(self.latitude_deg)

    @cached_property
    def _cached(self) -> dict[Hashable, Any]:
        return {}

    def near(self, events: Events, reach_km: float) -> Iterator[Near]:
        """The pairs of places and `events` that are no farther apart than this, in no order. They are found some hundred places at a
        time.
        """
        yield from near_pairs(self.latitude_deg, self.longitude_deg, events, reach_km)

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """The result of `make`, cached under the key, because two models may need the same numbers."""
        if key not in self._cached:
            self._cached[key] = make()
        return self._cached[key]


@dataclass(frozen=True)
class Past(Places):
    """Circles and events that stay the same through a series of days: what these events add is summed once, at `moment_us`, and decays.

    latitude_deg, longitude_deg: float64 (n,), of all circles of the series. events: visible, as they are, from `moment_us` to its end.
    """

    latitude_deg: np.ndarray
    longitude_deg: np.ndarray
    radius_km: float
    events: Events
    moment_us: int


@dataclass(frozen=True)
class Split:
    """The inputs of one day of a series: the events of its `past`, and the `recent` others. rows: int64 (n,), the circles in `past`."""

    past: Past
    rows: np.ndarray
    recent: Events


@dataclass(frozen=True)
class Circles(Places):
    """Circles with one radius and one threshold, and one UTC target day that is forecast for all of them.

    latitude_deg, longitude_deg: float64 (n,). days: the one day. inputs: the versions of events that its input cutoff sees.
    reference: float64 (n,), each circle's usual probability. first_day: of the record of target days, the same for all.
    longer: windows of several days with the same start and cutoff, for models that can forecast them. split: the inputs in two parts,
    where the day is one of a series.
    """

    latitude_deg: np.ndarray
    longitude_deg: np.ndarray
    radius_km: float
    threshold_mag: float
    inputs: Events
    days: TargetDays
    reference: np.ndarray
    first_day: date
    longer: tuple[TargetDays, ...] = ()
    split: Split | None = None

    def __post_init__(self) -> None:
        check_places(self.latitude_deg, self.longitude_deg)
        if {len(days) for days in (self.days, *self.longer)} != {1}:
            raise ValueError("circles are forecast for one day at a time")

    @property
    def cut_us(self) -> int:
        """The issue time, microseconds."""
        return int(self.days.cut_us[0])

    def near_by_part(self, events: Events, reach_km: float) -> Iterator[tuple[slice, Near]]:
        """The same pairs in parts, each with the indices of its circles. Circles without an event nearby are included."""
        nothing = Near(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0))
        parts = self.near(events, reach_km)
        for first in range(0, len(self), CIRCLES_AT_ONCE):
            yield slice(first, min(first + CIRCLES_AT_ONCE, len(self))), next(parts, nothing)


def check_places(latitude_deg: np.ndarray, longitude_deg: np.ndarray) -> None:
    """Check that the places are on Earth.

    Raises:
        BadInput: a latitude beyond 90 or a longitude beyond 180 degrees, or not a number; the message names it.
    """
    wrong = np.flatnonzero(~((np.abs(latitude_deg) <= 90.0) & (np.abs(longitude_deg) <= 180.0)))
    if len(wrong):
        at = wrong[0]
        raise BadInput(
            f"circle {at}: {latitude_deg[at]:g},{longitude_deg[at]:g} is no place on Earth; latitudes are -90 to 90, longitudes -180 to 180"
        )


def near_pairs(latitude_deg: np.ndarray, longitude_deg: np.ndarray, events: Events, reach_km: float) -> Iterator[Near]:
    """The pairs of places (n,) and `events` that are no farther apart than `reach_km`, as `Places.near` returns them.

    Distances are those of `geometry.great_circle_km`, to a millimetre.
    """
    if not len(events):
        return
    from scipy.spatial import cKDTree  # takes a quarter of a second to import; a forecast of one place does not need it

    half_chord = np.sin(min(reach_km, HALF_WAY_KM) / (2.0 * EARTH_RADIUS_KM))
    tree = cKDTree(unit_vectors(events.latitude_deg, events.longitude_deg))
    places = unit_vectors(latitude_deg, longitude_deg)
    for at in range(0, len(places), CIRCLES_AT_ONCE):
        some = cKDTree(places[at : at + CIRCLES_AT_ONCE])
        found = some.sparse_distance_matrix(tree, 2.0 * half_chord + 1e-12, output_type="ndarray")
        distance = 2.0 * EARTH_RADIUS_KM * np.arcsin(np.minimum(found["v"] / 2.0, 1.0))
        kept = distance <= reach_km
        yield Near(found["i"][kept] + at, found["j"][kept], distance[kept])


@dataclass(frozen=True)
class PositiveDays:
    """The days of a record on which events occurred in each circle: sorted by circle, then by day, each pair once; int64 (m,)."""

    circle: np.ndarray
    day: np.ndarray
    circles: int

    def windows(self, first: int, end: int, window_days: int = 1) -> np.ndarray:
        """int64 (circles,): the number of windows of `window_days` days, beginning on the days first .. end - 1, that contain
        such a day.
        """
        low = np.maximum(self.day - window_days + 1, first)
        same = np.zeros(len(self.day), dtype=bool)
        same[1:] = self.circle[1:] == self.circle[:-1]
        low[1:] = np.where(same[1:], np.maximum(low[1:], self.day[:-1] + 1), low[1:])
        held = np.maximum(np.minimum(self.day, end - 1) - low + 1, 0)
        return np.bincount(self.circle, held, self.circles).astype(np.int64)


def positive_days(
    latitude_deg: np.ndarray, longitude_deg: np.ndarray, radius_km: float, events: Events, first_day: date | None = None
) -> PositiveDays:
    """The UTC days, counted from `first_day` on (None: from 1970-01-01), on which one of these `events` occurred in the circles."""
    since = 0 if first_day is None else int(np.datetime64(first_day, "D").astype(np.int64))
    day = events.origin_time_us // DAY_US - since
    first, last = (int(day.min()), int(day.max())) if len(events) else (0, 0)
    span = last - first + 1
    keys = [
        np.unique(near.circle * span + (day[near.event] - first)) for near in near_pairs(latitude_deg, longitude_deg, events, radius_km)
    ]
    key = np.concatenate(keys) if keys else np.empty(0, dtype=np.int64)
    return PositiveDays(key // span, key % span + first, len(latitude_deg))
