"""The catalogue as arrays: the only input of features, labels and references."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from forecaster.features.geometry import EARTH_RADIUS_KM, KM_PER_DEGREE, MARGIN_DEG, great_circle_km, in_band, unit_vectors

if TYPE_CHECKING:
    import pandas as pd

NEVER = np.iinfo(np.int64).max
FEW = 50_000
T = TypeVar("T")
UNSURE = 1e-9  # of the cosine of a distance; its rounding error is far smaller


@dataclass(frozen=True)
class Events:
    """Versions of earthquakes sorted by origin time; arrays of shape (n,).

    A version is an input of an issue time t if known_at_us <= t < known_until_us: from when it became known until a later version of the
    same earthquake replaced it, or the earthquake was deleted. `known_until_us` is NEVER where neither was the case (the default).
    Magnitudes are never missing; a missing depth is NaN. Times are microseconds since the epoch, UTC.
    """

    origin_time_us: np.ndarray
    known_at_us: np.ndarray
    latitude_deg: np.ndarray
    longitude_deg: np.ndarray
    depth_km: np.ndarray
    magnitude: np.ndarray
    known_until_us: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def __post_init__(self) -> None:
        if not len(self.known_until_us):
            object.__setattr__(self, "known_until_us", np.full(len(self.origin_time_us), NEVER))
        self._check_order()
        if np.isnan(self.magnitude).any():
            raise ValueError("events must have a magnitude")

    def _check_order(self) -> None:
        if (self.origin_time_us[1:] < self.origin_time_us[:-1]).any():
            raise ValueError("events must be sorted by origin time")

    def __len__(self) -> int:
        return len(self.origin_time_us)

    @cached_property
    def _by_latitude(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows in the order of their latitude, int64 (n,), these latitudes, and the epicentres on the unit sphere, float64 (n, 3)."""
        order = np.argsort(self.latitude_deg, kind="stable")
        latitude = self.latitude_deg[order]
        return order, latitude, unit_vectors(latitude, self.longitude_deg[order])

    def within(self, latitude_deg: float, longitude_deg: float, reach_km: float) -> np.ndarray:
        """int64 (m,), in no order: which lie within `reach_km` of a place, by `great_circle_km`. Fast where it is asked for many places."""
        order, latitude, vectors = self._by_latitude
        band_deg = reach_km / KM_PER_DEGREE + MARGIN_DEG
        first, last = np.searchsorted(latitude, [latitude_deg - band_deg, latitude_deg + band_deg])
        (place,) = unit_vectors(np.array([latitude_deg]), np.array([longitude_deg]))
        cosine, edge = vectors[first:last] @ place, np.cos(min(reach_km / EARTH_RADIUS_KM, np.pi))
        near = np.flatnonzero(cosine >= edge - UNSURE)
        found, unsure = order[first:last][near], np.flatnonzero(cosine[near] <= edge + UNSURE)
        at = found[unsure]
        away = great_circle_km(latitude_deg, longitude_deg, self.latitude_deg[at], self.longitude_deg[at]) > reach_km
        return np.delete(found, unsure[away])

    def distance_km(self, latitude_deg: float, longitude_deg: float) -> np.ndarray:
        """float64 (n,): how far each lies from a place. Those of the last place are cached: every model of a recipe asks for them."""
        place = (latitude_deg, longitude_deg)
        return self.last("distance", place, lambda: great_circle_km(*place, self.latitude_deg, self.longitude_deg))

    def near(self, latitude_deg: float, longitude_deg: float, reach_km: float, magnitude: float = -np.inf) -> tuple[np.ndarray, np.ndarray]:
        """(rows, distance): which from this magnitude on lie within `reach_km` of a place, int64 (m,), ascending, and how far away, km."""
        if len(self) <= FEW:
            away = self.distance_km(latitude_deg, longitude_deg)
            rows = np.flatnonzero((away <= reach_km) & (self.magnitude >= magnitude))
            return rows, away[rows]
        rows = np.flatnonzero((self.magnitude >= magnitude) & in_band(latitude_deg, reach_km, self.latitude_deg))
        away = great_circle_km(latitude_deg, longitude_deg, self.latitude_deg[rows], self.longitude_deg[rows])
        within = away <= reach_km
        return rows[within], away[within]

    def last(self, name: str, key: Hashable, make: Callable[[], T]) -> T:
        """The result of `make` under this name, cached as long as it is asked for with the same key."""
        found = self._last.get(name)
        if found is None or found[0] != key:
            found = self._last[name] = (key, make())
        result: T = found[1]
        return result

    @cached_property
    def _last(self) -> dict[str, tuple[Hashable, Any]]:
        return {}

    def take(self, selection: np.ndarray | slice) -> "Events":
        """The events at these indices, or where this mask is true."""
        if isinstance(selection, np.ndarray) and selection.dtype == bool:
            selection = np.flatnonzero(selection)  # one look at the mask instead of one for each column
            if len(selection) == len(self):
                return self
        taken = object.__new__(Events)  # a magnitude that was there still is: only the order can be another one
        taken.__dict__.update({name: getattr(self, name)[selection] for name in _FIELDS})
        taken._check_order()
        return taken

    def known_at_once(self) -> "Events":
        """The same versions, as if each had been known from its origin on and for ever: the final catalogue in hindsight."""
        return replace(self, known_at_us=self.origin_time_us, known_until_us=np.full(len(self), NEVER))

    def known_before(self, moment_us: int) -> "Events":
        """The versions with origin before this moment that were known by then. None of them is ended by a later change."""
        kept = self.take((self.origin_time_us < moment_us) & (self.known_at_us <= moment_us))
        return replace(kept, known_until_us=np.where(kept.known_until_us > moment_us, NEVER, kept.known_until_us))

    def visible(self, moment_us: int) -> "Events":
        """The versions that are an input of this issue time."""
        return self.take(self.is_visible(moment_us))

    def is_visible(self, moment_us: int) -> np.ndarray:
        """Bool (n,): which versions are an input of this issue time."""
        return (self.origin_time_us < moment_us) & (self.known_at_us <= moment_us) & (moment_us < self.known_until_us)


_FIELDS = ("origin_time_us", "known_at_us", "latitude_deg", "longitude_deg", "depth_km", "magnitude", "known_until_us")


def events_from_frame(frame: "pd.DataFrame") -> Events:
    """Events of a frame with columns origin_time, known_at (UTC), latitude_deg, longitude_deg, depth_km, magnitude.

    Rows without a magnitude are dropped, because their size is unknown.
    """
    return events_in_order(frame[frame["magnitude"].notna()].sort_values(["origin_time", "latitude_deg", "longitude_deg"], kind="stable"))


def events_in_order(frame: "pd.DataFrame") -> Events:
    """`events_from_frame` of rows that all have a magnitude and come by origin_time, latitude_deg and longitude_deg."""
    times = [frame[name].astype("datetime64[us, UTC]").astype("int64").to_numpy() for name in ("origin_time", "known_at")]
    return Events(*times, *(frame[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in _FIELDS[2:6]))
