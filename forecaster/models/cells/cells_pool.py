"""Block-days of the whole Earth: the training data of the network of cells. Plain numpy and scipy.

A place is a point with many earthquakes around it. Places are drawn so that they cover the seismic Earth with little overlap. The block of
a place is the 8 x 8 cells about it. The network is trained on the next day of the block; its inputs include the cells around the block.
Most days are quiet. They are thinned, and those that are kept have a larger weight.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from scipy.signal import lfilter

from forecaster.errors import NotTrainable
from forecaster.features.events import Events
from forecaster.features.geometry import KM_PER_DEGREE, great_circle_km
from forecaster.features.symmetries import SYMMETRIES, turned
from forecaster.models.cells.cells_inference import MARGIN
from forecaster.models.cells.cells_inputs import CATALOGUE_START_US, CHANNELS, MIN_MAGNITUDE, Placed, channels, place
from forecaster.models.pooled.pooled_training import events_until
from forecaster.timewindow import DAY_US

ROWS_AT_ONCE = 32_768
BLOCK = 8
SIZE = BLOCK + 2 * MARGIN
OUTSIDE = MARGIN + 1
"""How many cells of the placed grid lie beyond the block on each side."""

NEAR_KM, APART_KM = 220.0, 330.0
ACTIVE_TAU_DAYS, ACTIVE_PRODUCTIVITY, ACTIVE_AROUND = 20.0, 3.0, 1


@dataclass(frozen=True)
class Thinning:
    """Which days of a place are kept, from `first_day` on.

    Of the days with an earthquake in the block about `hits_a_place` are kept. Of the others, `active_share` is kept where a cell of the
    block or next to it recently had a productivity of three M 4.5, and `quiet_share` elsewhere.
    """

    first_day: date = date(1980, 1, 1)
    hits_a_place: int = 220
    active_share: float = 0.1
    quiet_share: float = 0.012


@dataclass(frozen=True)
class BlockDays:
    """Block-days of all places, by place; arrays of shape (n,).

    place: its index in `placed`. cut_us: the day's start, which is the input cutoff. happened: bool (n, 8, 8), the cells with an earthquake
    on that day. weight: 1 / the probability with which the day was kept.
    """

    placed: Sequence[Placed]
    place: np.ndarray
    cut_us: np.ndarray
    happened: np.ndarray
    weight: np.ndarray

    def __len__(self) -> int:
        return len(self.place)

    @property
    def hits(self) -> int:
        """The number of block-days with an earthquake."""
        return int(self.happened.any(axis=(1, 2)).sum())

    def take(self, rows: np.ndarray) -> "BlockDays":
        """The block-days at these indices."""
        return BlockDays(self.placed, self.place[rows], self.cut_us[rows], self.happened[rows], self.weight[rows])

    def channels(self) -> np.ndarray:
        """float32 (n, SIZE, SIZE, CHANNELS): the inputs of each. Those of all block-days of the world take two gigabytes."""
        made = np.empty((len(self), SIZE, SIZE, CHANNELS), dtype=np.float32)
        for number, placed in enumerate(self.placed):
            rows = np.flatnonzero(self.place == number)
            for which, seen in channels(placed, self.cut_us[rows]):
                made[rows[which]] = seen
        return made


def draw_places(events: Events, most: int, fewest_near: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Up to `most` epicentres (latitude, longitude), no two within 330 km, each with `fewest_near` earthquakes of M >= 4.5 within 220 km.

    Candidates are tried in random order. The first places of a seed are the same for every `most`.
    """
    strong = events.take(events.magnitude >= MIN_MAGNITUDE)
    order = rng.permutation(len(strong))
    latitude, longitude = strong.latitude_deg[order], strong.longitude_deg[order]
    by_latitude = np.argsort(latitude, kind="stable")
    sorted_latitude = latitude[by_latitude]
    free, found = np.ones(len(order), dtype=bool), list[tuple[float, float]]()
    for one in range(len(order)):
        if len(found) == most:
            break
        if not free[one]:
            continue
        reach = APART_KM / KM_PER_DEGREE + 0.01
        band = by_latitude[slice(*np.searchsorted(sorted_latitude, [latitude[one] - reach, latitude[one] + reach]))]
        away = great_circle_km(latitude[one], longitude[one], latitude[band], longitude[band])
        if np.count_nonzero(away < NEAR_KM) >= fewest_near:
            found.append((float(latitude[one]), float(longitude[one])))
        free[band[away <= APART_KM]] = False
    return found


def build_block_days(
    events: Events,
    places: Sequence[tuple[float, float]],
    data_until: date,
    thinning: Thinning,
    rng: np.random.Generator,
    on_place: Callable[[int], None] = lambda number: None,
) -> BlockDays:
    """Block-days to `data_until` (UTC) of these places, from `events` known at once. No later data are used. `on_place` is called after
    each place.

    Raises:
        NotTrainable: no day with an earthquake, or none without.
    """
    events = events_until(events, data_until)
    first = _day_of(thinning.first_day)
    starts = CATALOGUE_START_US + np.arange(_day_of(data_until) + 1) * DAY_US
    placed, parts = [], []
    for number, (latitude, longitude) in enumerate(places):
        around = place(events, latitude, longitude, SIZE + 2)
        happened = _outcomes(around, len(starts))
        hit = happened.any(axis=(1, 2))
        busy = np.where(_active(around, starts), thinning.active_share, thinning.quiet_share)
        share = np.where(hit, min(1.0, thinning.hits_a_place / max(1, hit.sum())), busy)
        share[:first] = 0.0
        kept = np.flatnonzero(rng.random(len(starts)) < share)
        placed.append(around)
        parts.append((np.full(len(kept), number), starts[kept], happened[kept], (1.0 / share[kept]).astype(np.float32)))
        on_place(number)
    if not parts:
        raise NotTrainable(f"the catalogue to {data_until} has no place with enough earthquakes; load more of it")
    made = BlockDays(placed, *(np.concatenate(column) for column in zip(*parts, strict=True)))
    if not 0 < made.hits < len(made):
        raise NotTrainable(f"{made.hits} of {len(made)} block-days have an earthquake; both kinds are needed")
    return made


def batches(days: BlockDays, size: int, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """One pass over the days in a new order, rotated at random: (channels, happened, weight) of each batch, float32, weights 1 on average.

    The inputs are computed for some thousand days at a time, and released before the next ones. This takes seconds; all of them at once
    would take a gigabyte.
    """
    mean = float(days.weight.mean())
    order = rng.permutation(len(days))
    at_once = max(1, ROWS_AT_ONCE // size) * size
    for first in range(0, len(order) - size + 1, at_once):
        part = days.take(order[first : first + at_once])
        seen = part.channels()
        for at in range(0, len(part) - size + 1, size):
            rows = slice(at, at + size)
            symmetry = int(rng.integers(SYMMETRIES))
            happened = part.happened[rows].astype(np.float32)
            yield turned(seen[rows], symmetry, 1), turned(happened, symmetry, 1), part.weight[rows] / mean
        del seen, part  # else they live until the next ones are made


def _day_of(day: date) -> int:
    return int(np.datetime64(day, "D").astype(np.int64) - CATALOGUE_START_US // DAY_US)


def _outcomes(placed: Placed, days: int) -> np.ndarray:
    """bool (days, 8, 8): the cells of the block with an earthquake on each day since 1973."""
    target_in = np.zeros((days, placed.size**2), dtype=bool)
    target_in[(placed.origin_time_us - CATALOGUE_START_US) // DAY_US, placed.cell] = True
    inner = slice(OUTSIDE, OUTSIDE + BLOCK)
    return target_in.reshape(days, placed.size, placed.size)[:, inner, inner]


def _active(placed: Placed, starts: np.ndarray) -> np.ndarray:
    """bool (days,): the day starts at which a cell of the block or next to it has the decayed productivity of three M 4.5."""
    day = np.searchsorted(starts, placed.origin_time_us, "right")
    entered = day < len(starts)
    day, cell = day[entered], placed.cell[entered]
    weight = placed.productivity[entered] * np.exp(-(starts[day] - placed.origin_time_us[entered]) / DAY_US / ACTIVE_TAU_DAYS)
    cells = placed.size**2
    targets = np.bincount(day * cells + cell, weights=weight, minlength=len(starts) * cells).reshape(len(starts), placed.size, placed.size)
    around = slice(OUTSIDE - ACTIVE_AROUND, OUTSIDE + BLOCK + ACTIVE_AROUND)
    near = targets[:, around, around].reshape(len(starts), -1)
    sums = lfilter([1.0], [1.0, -np.exp(-1.0 / ACTIVE_TAU_DAYS)], near, axis=0)
    found: np.ndarray = (sums >= ACTIVE_PRODUCTIVITY).any(axis=1)
    return found
