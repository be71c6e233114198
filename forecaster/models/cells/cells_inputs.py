"""The inputs of the network of cells: the earthquakes around a point on a square grid, as they were known at each cutoff. Plain numpy.

Cells are squares of 55 km in an azimuthal equidistant projection about the point. So a cell is as large at a pole as at the equator, and
the date line is not a border. The channels of a cell are sums over its earthquakes from M 4.5 on,

    log(sum of exp(-age / tau) + 0.05)    and    log(sum of 10^(M - 4.5) exp(-age / tau) + 0.05),

for each time constant tau, and the log of its usual rate a day. Training and serving both call `channels`. Rows run from south to north,
columns from west to east; tensor axes are (batch, lat, lon, channel).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from forecaster.features.events import Events
from forecaster.features.geometry import bearing_rad
from forecaster.features.many_circles import Circles
from forecaster.timewindow import DAY_US

CELL_KM = 55.0
MIN_MAGNITUDE = 4.5
LARGEST = 9.0
TAUS_DAYS = (0.5, 3.0, 20.0, 150.0, 1000.0)
SUMS = 2 * len(TAUS_DAYS)
CHANNELS = SUMS + 1
CATALOGUE_START_US = int(np.datetime64("1973-01-01", "us").astype(np.int64))
YEAR_DAYS = 365.25
LITTLE = 0.05
PRIOR_EVENTS = 0.02  # of a cell in the one year of prior data that every rate includes
PART_BYTES = 32 * 2**20


@dataclass(frozen=True)
class Placed:
    """Versions on a grid of size x size cells; arrays of shape (n,), by origin time. cell: row x size + column."""

    size: int
    origin_time_us: np.ndarray
    known_at_us: np.ndarray
    known_until_us: np.ndarray
    cell: np.ndarray
    productivity: np.ndarray

    def __len__(self) -> int:
        return len(self.cell)


def place(events: Events, latitude_deg: float, longitude_deg: float, size: int) -> Placed:
    """The versions of M >= 4.5 on a grid of `size` x `size` cells (an even number) centred on the point."""
    rows, distance = events.near(latitude_deg, longitude_deg, size * CELL_KM / np.sqrt(2) + 1e-6, MIN_MAGNITUDE)
    bearing = bearing_rad(latitude_deg, longitude_deg, events.latitude_deg[rows], events.longitude_deg[rows])
    cell = _cell(distance, bearing, size)
    inside = cell >= 0
    kept = events.take(rows[inside])
    productivity = 10.0 ** (np.minimum(kept.magnitude, LARGEST) - MIN_MAGNITUDE)
    return Placed(size, kept.origin_time_us, kept.known_at_us, kept.known_until_us, cell[inside], productivity)


def channels(placed: Placed, cut_us: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The inputs at these cutoffs (int64 (n,), any order), in parts: (indices, float32 (k, size - 2, size - 2, CHANNELS)).

    The outermost cells of the grid are used only for their neighbours' usual rate. A version counts at a cutoff if its origin lies before
    it and known_at <= cut < known_until.
    """
    order = np.argsort(cut_us, kind="stable")
    cuts = np.asarray(cut_us, dtype=np.int64)[order]
    event, at, sign = _changes(placed, cuts)
    by_time = np.argsort(at, kind="stable")
    event, at, sign = event[by_time], at[by_time], sign[by_time]
    cells = placed.size**2
    length = max(1, PART_BYTES // (cells * (SUMS + 1) * 8))
    sums, number = np.zeros((SUMS, cells)), np.zeros(cells)
    kept = np.exp(-np.diff(cuts, prepend=cuts[:1])[:, None] / DAY_US / np.tile(TAUS_DAYS, 2))[:, :, None]
    for first in range(0, len(cuts), length):
        part = cuts[first : first + length]
        inside = slice(*np.searchsorted(at, [first, first + len(part)]))
        into = (at[inside] - first) * cells + placed.cell[event[inside]]
        seen, counted = _entered(placed, part, event[inside], at[inside] - first, sign[inside], into)
        for day in range(len(part)):
            seen[day] += kept[first + day] * sums
            counted[day] += number
            sums, number = seen[day], counted[day]
        yield order[first : first + len(part)], _picture(seen, counted, part, placed.size)


def channels_of_circles(circles: Circles, size: int) -> Iterator[tuple[slice, np.ndarray]]:
    """The inputs about the centres of many circles at their common cutoff, in parts: (indices, float32 (k, size - 2, size - 2,
    CHANNELS)).
    """
    events, cells = circles.inputs.take(circles.inputs.magnitude >= MIN_MAGNITUDE), size**2
    age_days = (circles.cut_us - events.origin_time_us) / DAY_US
    productivity = 10.0 ** (np.minimum(events.magnitude, LARGEST) - MIN_MAGNITUDE)
    decay = [np.exp(-age_days / tau) for tau in TAUS_DAYS]
    weights = [*decay, *(each * productivity for each in decay), np.ones(len(events))]
    for which, near in circles.near_by_part(events, size * CELL_KM / np.sqrt(2)):
        circle, event, count = near.circle, near.event, which.stop - which.start
        centre = circles.latitude_deg[circle], circles.longitude_deg[circle]
        bearing = bearing_rad(*centre, events.latitude_deg[event], events.longitude_deg[event])
        cell = _cell(near.distance_km, bearing, size)
        kept = cell >= 0
        into, event = ((circle - which.start) * cells + cell)[kept], event[kept]
        sums = np.empty((count, SUMS + 1, cells))
        for column, weight in enumerate(weights):
            sums[:, column] = np.bincount(into, weights=weight[event], minlength=count * cells).reshape(count, cells)
        yield which, _picture(sums[:, :SUMS], sums[:, SUMS], np.full(count, circles.cut_us), size)


def _cell(distance_km: np.ndarray, bearing: np.ndarray, size: int) -> np.ndarray:
    """int64 (n,): row x size + column of each place in the grid, -1 outside. bearing: radians from north."""
    row = np.floor(distance_km * np.cos(bearing) / CELL_KM + size / 2)
    column = np.floor(distance_km * np.sin(bearing) / CELL_KM + size / 2)
    inside = (row >= 0) & (row < size) & (column >= 0) & (column < size)
    return np.where(inside, row * size + column, -1).astype(np.int64)


def _changes(placed: Placed, cuts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(version, index of one of the ascending cutoffs, +1 or -1): the versions that become visible, and those that are withdrawn."""
    entry = np.maximum(np.searchsorted(cuts, placed.known_at_us, "left"), np.searchsorted(cuts, placed.origin_time_us, "right"))
    leave = np.searchsorted(cuts, placed.known_until_us, "left")
    enters = np.flatnonzero(entry < np.minimum(leave, len(cuts)))
    leaves = enters[leave[enters] < len(cuts)]
    sign = np.repeat([1.0, -1.0], [len(enters), len(leaves)])
    return np.concatenate([enters, leaves]), np.concatenate([entry[enters], leave[leaves]]), sign


def _entered(
    placed: Placed, cuts: np.ndarray, event: np.ndarray, at: np.ndarray, sign: np.ndarray, into: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(float64 (n, SUMS, cells), (n, cells)): what enters the decayed sums and the numbers at each cutoff, minus what leaves them."""
    cells = placed.size**2
    age_days = (cuts[at] - placed.origin_time_us[event]) / DAY_US

    def summed(weight: np.ndarray) -> np.ndarray:
        return np.bincount(into, weights=weight, minlength=len(cuts) * cells).reshape(len(cuts), cells)

    seen, counted = np.empty((len(cuts), SUMS, cells)), np.empty((len(cuts), cells))
    for number, tau in enumerate(TAUS_DAYS):
        weight = sign * np.exp(-age_days / tau)
        for column, each in ((number, weight), (len(TAUS_DAYS) + number, weight * placed.productivity[event])):
            seen[:, column] = summed(each)
    counted[:] = summed(sign)
    return seen, counted


def _picture(sums: np.ndarray, number: np.ndarray, cuts: np.ndarray, size: int) -> np.ndarray:
    """float32 (n, size - 2, size - 2, CHANNELS) from the sums (n, SUMS, cells) and the numbers (n, cells) since 1973."""
    inner = size - 2
    found = np.empty((len(cuts), inner, inner, CHANNELS), dtype=np.float32)
    grid = sums.reshape(len(cuts), SUMS, size, size)[:, :, 1:-1, 1:-1].astype(np.float32)
    found[..., :SUMS] = np.moveaxis(np.log(np.maximum(grid, 0.0) + np.float32(LITTLE)), 1, -1)
    counts = number.reshape(len(cuts), size, size)
    around = sum(counts[:, up : up + inner, left : left + inner] for up in range(3) for left in range(3)) / 9
    days = (cuts - CATALOGUE_START_US) / DAY_US + YEAR_DAYS
    rate = (0.5 * counts[:, 1:-1, 1:-1] + 0.5 * around + PRIOR_EVENTS) / days[:, None, None]
    found[..., SUMS] = np.log(rate)
    return found
