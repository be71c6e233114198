"""When a row of the snapshot became known: a model, because the snapshot holds only what was known in the end.

An event is *quick* with a probability that depends on its size and on how densely its part of the world is watched, and then follows its
origin by minutes to hours; otherwise it waits for a review pass. Both are drawn from a hash of the event's id, so that an event has one
delay for ever, in every process and in every company of rows. The numbers are measured (`data/delays.toml`, docs/AS_OF.md).

The review delay is lognormal with a median of 21 days and sigma 0.3. It cannot be measured in a feed that shows an event for 24 h only.
The running numbers in the ids of late events tell when these were filed, which is the earliest they can have been published: about 6 days
after the origin until June 2024, 15 (to 33) after. Three weeks is the cautious end: nothing is known too early.
"""

import hashlib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

CELL_DEG = 10.0
DENSITIES = ("sparse", "middle", "dense")  # how densely a cell is watched: by the share of its M 4.5 that is quick
DENSITY_EDGES = (0.6, 0.85)
CLASS_EDGES = (3.5, 4.0, 4.5, 5.0, 5.5, 6.0)  # lower edges; smaller events count as the first class
QUANTILE_LEVELS = (0.0, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
REVIEW_MEDIAN_DAYS = 21.0
REVIEW_SIGMA = 0.3

_COLUMNS = int(360 / CELL_DEG)
_ROWS = int(180 / CELL_DEG)
NEAR_TOKYO = _ROWS * _COLUMNS  # the cell of all that lies within 500 km of Tokyo, where the network is denser than the grid can tell
_TOKYO_DEG = (35.68, 139.77)
_EARTH_RADIUS_KM = 6371.0088
_SMALLEST_MAGNITUDE = 4.0
_SECOND_US = 1_000_000


def magnitude_class(magnitude: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n,) magnitudes to (n,) indices into CLASS_EDGES; magnitudes are rounded to 0.01, NaN is the smallest class."""
    rounded = np.round(np.nan_to_num(magnitude, nan=CLASS_EDGES[0]), 2)
    return np.maximum(np.searchsorted(CLASS_EDGES, rounded, side="right") - 1, 0)


def cell_number(latitude_deg: NDArray[np.float64], longitude_deg: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n,) degrees to (n,) numbers of cells of 10 by 10 degrees, from the south and from 180 W on; NEAR_TOKYO is a cell of its own."""
    north, east = np.radians(latitude_deg), np.radians(longitude_deg)
    tokyo_north, tokyo_east = np.radians(_TOKYO_DEG)
    haversine = np.sin((north - tokyo_north) / 2) ** 2 + np.cos(north) * np.cos(tokyo_north) * np.sin((east - tokyo_east) / 2) ** 2
    row = np.clip(np.floor((latitude_deg + 90.0) / CELL_DEG), 0, _ROWS - 1).astype(np.int64)
    grid = row * _COLUMNS + np.floor(((longitude_deg + 180.0) % 360.0) / CELL_DEG).astype(np.int64)
    return np.where(2 * _EARTH_RADIUS_KM * np.arcsin(np.sqrt(haversine)) <= 500.0, NEAR_TOKYO, grid)


@dataclass(frozen=True)
class _Measured:
    """line: intercept, slope, extra slope of the quick share's logit; offset (cells,): u; minutes (density, class, level)."""

    line: NDArray[np.float64]
    offset: NDArray[np.float64]
    minutes: NDArray[np.float64]


@lru_cache(maxsize=1)
def _measured() -> _Measured:
    numbers = tomllib.loads(resources.files("forecaster.catalog").joinpath("data/delays.toml").read_text("utf-8"))
    offset = np.zeros(NEAR_TOKYO + 1)
    for number, _, u in numbers["cells"]:
        offset[number] = u
    minutes = np.full((len(DENSITIES), len(CLASS_EDGES), len(QUANTILE_LEVELS)), np.nan)
    for row in numbers["quick_delay"]:
        minutes[DENSITIES.index(row["density"]), CLASS_EDGES.index(row["from_magnitude"])] = row["minutes"]
    return _Measured(np.array([numbers[name] for name in ("intercept", "slope", "extra_slope")]), offset, minutes)


def quick_share(
    magnitude: NDArray[np.float64], latitude_deg: NDArray[np.float64], longitude_deg: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n,) probability that an event is known within 24 h of its origin; a missing magnitude and one below 4 count as 4."""
    measured = _measured()
    above = np.maximum(np.nan_to_num(magnitude, nan=_SMALLEST_MAGNITUDE), _SMALLEST_MAGNITUDE) - 4.5
    logit = measured.line @ np.array([np.ones_like(above), above, np.maximum(above, 0.0)])
    share: np.ndarray = 1.0 / (1.0 + np.exp(-logit - measured.offset[cell_number(latitude_deg, longitude_deg)]))
    return share


def network_density(latitude_deg: NDArray[np.float64], longitude_deg: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n,) degrees to (n,) indices into DENSITIES."""
    return np.searchsorted(DENSITY_EDGES, quick_share(np.full(len(latitude_deg), 4.5), latitude_deg, longitude_deg), side="right")


def _uniforms(event_ids: Sequence[str] | NDArray[np.object_]) -> NDArray[np.float64]:
    """(n, 3) numbers in (0, 1), three to an event, from the 24-byte BLAKE2b digest of its id."""
    digests = b"".join(hashlib.blake2b(event_id.encode(), digest_size=24, person=b"quakecast-delay").digest() for event_id in event_ids)
    whole = np.frombuffer(digests, dtype="<u8").reshape(-1, 3)
    return ((whole >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53


def review_known_at(event_ids: Sequence[str] | NDArray[np.object_], origin_time_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """When each event had been reviewed, (n,) UTC microseconds since 1970: the time at which one that was not quick became known.

    Lognormal delays (Box and Muller 1958, doi:10.1214/aoms/1177706645), drawn from the id as everything here, rounded up to seconds.
    """
    if len(event_ids) == 0:
        return np.empty(0, dtype=np.int64)
    return origin_time_us + _whole_seconds_us(_review_delay_s(_uniforms(event_ids)))


def _review_delay_s(uniforms: NDArray[np.float64]) -> NDArray[np.float64]:
    _, position, angle = uniforms.T
    normal = np.sqrt(-2.0 * np.log(position)) * np.cos(2.0 * np.pi * angle)
    seconds: np.ndarray = REVIEW_MEDIAN_DAYS * 86_400.0 * np.exp(REVIEW_SIGMA * normal)
    return seconds


def _whole_seconds_us(seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.ceil(seconds).astype(np.int64) * _SECOND_US


def modelled_known_at(
    event_ids: Sequence[str] | NDArray[np.object_],
    origin_time_us: NDArray[np.int64],
    magnitude: NDArray[np.float64],
    latitude_deg: NDArray[np.float64],
    longitude_deg: NDArray[np.float64],
) -> NDArray[np.int64]:
    """When each event became known, (n,) UTC microseconds since 1970: its origin plus a whole number of seconds.

    Args: all (n,); origin_time_us in UTC microseconds; the magnitude may be NaN. A row's answer depends on that row
    alone. Quick delays are the measured quantile curve, log-linear between its levels; the others are those of `review_known_at`.
    """
    if len(event_ids) == 0:
        return np.empty(0, dtype=np.int64)
    uniforms = _uniforms(event_ids)
    is_quick, position, _ = uniforms.T
    minutes = np.empty(len(position))
    curve = network_density(latitude_deg, longitude_deg) * len(CLASS_EDGES) + magnitude_class(magnitude)
    for index, values in enumerate(np.log(_measured().minutes).reshape(-1, len(QUANTILE_LEVELS))):
        chosen = curve == index
        minutes[chosen] = np.exp(np.interp(position[chosen], QUANTILE_LEVELS, values))
    quick = is_quick < quick_share(magnitude, latitude_deg, longitude_deg)
    return origin_time_us + _whole_seconds_us(np.where(quick, minutes * 60.0, _review_delay_s(uniforms)))
