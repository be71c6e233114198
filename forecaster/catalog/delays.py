"""When a row of the snapshot became known. This is a model, because the snapshot holds only the final state of each event.

An event is *quick* with a probability that depends on its size and on the network density of its part of the world. A quick event becomes
known minutes to hours after its origin. Any other event waits for a review. Both delays are drawn from a hash of the event's id, so an
event always has the same delay, in every process and whatever rows it comes with. The numbers are measured (`data/delays.toml`,
docs/AS_OF.md).

The review delay is lognormal with a median of 21 days and sigma 0.3. It cannot be measured in a feed that shows an event for 24 h only. The
running numbers in the ids of late events tell when these were filed, which is the earliest time at which they can have been published:
about 6 days after the origin until June 2024, 15 (to 33) after. Three weeks is the cautious choice: no event is known too early.
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
DENSITIES = ("sparse", "middle", "dense")  # network density of a cell, by the share of its M 4.5 events that is quick
DENSITY_EDGES = (0.6, 0.85)
CLASS_EDGES = (3.5, 4.0, 4.5, 5.0, 5.5, 6.0)  # lower edges; smaller events count as the first class
QUANTILE_LEVELS = (0.0, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
REVIEW_MEDIAN_DAYS = 21.0
REVIEW_SIGMA = 0.3

_COLUMNS = int(360 / CELL_DEG)
_ROWS = int(180 / CELL_DEG)
NEAR_TOKYO = _ROWS * _COLUMNS  # the cell of everything within 500 km of Tokyo, where the network is denser than the grid can resolve
_TOKYO_DEG = (35.68, 139.77)
_EARTH_RADIUS_KM = 6371.0088
_SMALLEST_MAGNITUDE = 4.0
_SECOND_US = 1_000_000


def magnitude_class(magnitude: NDArray[np.float64]) -> NDArray[np.int64]:
    """Convert (n,) magnitudes to (n,) indices into CLASS_EDGES. Magnitudes are rounded to 0.01; NaN is the smallest class."""
    rounded = np.round(np.nan_to_num(magnitude, nan=CLASS_EDGES[0]), 2)
    return np.maximum(np.searchsorted(CLASS_EDGES, rounded, side="right") - 1, 0)


def cell_number(latitude_deg: NDArray[np.float64], longitude_deg: NDArray[np.float64]) -> NDArray[np.int64]:
    """Convert (n,) degrees to (n,) numbers of cells of 10 by 10 degrees, counted from the south and from 180 W; NEAR_TOKYO is a cell of its
    own."""
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
    """Return (n,) probabilities that an event is known within 24 h of its origin. A missing magnitude and one below 4 count as 4."""
    measured = _measured()
    above = np.maximum(np.nan_to_num(magnitude, nan=_SMALLEST_MAGNITUDE), _SMALLEST_MAGNITUDE) - 4.5
    logit = measured.line @ np.array([np.ones_like(above), above, np.maximum(above, 0.0)])
    share: np.ndarray = 1.0 / (1.0 + np.exp(-logit - measured.offset[cell_number(latitude_deg, longitude_deg)]))
    return share


def network_density(latitude_deg: NDArray[np.float64], longitude_deg: NDArray[np.float64]) -> NDArray[np.int64]:
    """Convert (n,) degrees to (n,) indices into DENSITIES."""
    return np.searchsorted(DENSITY_EDGES, quick_share(np.full(len(latitude_deg), 4.5), latitude_deg, longitude_deg), side="right")


def _uniforms(event_ids: Sequence[str] | NDArray[np.object_]) -> NDArray[np.float64]:
    """Return (n, 3) numbers in (0, 1), three to an event, from the 24-byte BLAKE2b digest of its id."""
    digests = b"".join(hashlib.blake2b(event_id.encode(), digest_size=24, person=b"quakecast-delay").digest() for event_id in event_ids)
    whole = np.frombuffer(digests, dtype="<u8").reshape(-1, 3)
    return ((whole >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53


def review_known_at(event_ids: Sequence[str] | NDArray[np.object_], origin_time_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return when each event was reviewed, (n,) UTC microseconds since 1970: the time at which an event that is not quick became known.

    Lognormal delays (Box and Muller 1958, doi:10.1214/aoms/1177706645), drawn from the id as all delays here, rounded up to seconds.
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
    """Return when each event became known, (n,) UTC microseconds since 1970: its origin plus a whole number of seconds.

    Args: all (n,); origin_time_us in UTC microseconds; the magnitude may be NaN. The result for a row depends on that row alone. Quick
    delays follow the measured quantile curve, log-linear between its levels; the others are those of `review_known_at`.
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
