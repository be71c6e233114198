"""The seismicity about a circle as pictures: input of the hybrid network, axes (batch, step, lat, lon, channel).

Cells are squares of half a radius in an azimuthal equidistant projection about the centre, so that circles of any size look alike and
distances from the centre are true. A step is a span of days that ends where the next one starts; the last one ends at the cut, and
spans double going back. Training and serving both call `circle_patches`: an event enters a sample only if it happened before that
sample's cut, in the version that was known at it.

Rows run from south (0) to north, columns from west (0) to east.
"""

from dataclasses import dataclass

import numpy as np

from forecaster.features.events import NEVER, Events
from forecaster.features.geometry import KM_PER_DEGREE, great_circle_km, wrap_longitude
from forecaster.features.windows import pairs_between
from forecaster.recipe import Recipe
from forecaster.timewindow import DAY_US

CELLS = 5
CELL_RADII = 0.5
STEP_EDGES_DAYS = (256, 128, 64, 32, 16, 8, 4, 2, 1, 0)
STEPS = len(STEP_EDGES_DAYS) - 1
DEEP_KM = 70.0
CHANNELS = ("events", "productivity", "deep", "larger")
LITTLE = 0.1


@dataclass(frozen=True)
class Placed:
    """Versions inside a circle's grid; arrays of shape (n,), by origin time.

    cell: int64, row x CELLS + column. values: float64 (n, 4), what each adds to its cell: 1; 1 if deeper than 70 km; 1 if
    M >= threshold + 1; and 10^(M - threshold), which follows the number of aftershocks (Utsu 1970).
    """

    origin_time_us: np.ndarray
    known_at_us: np.ndarray
    known_until_us: np.ndarray
    cell: np.ndarray
    values: np.ndarray


def place(events: Events, recipe: Recipe) -> Placed:
    """The versions from the threshold on in the grid about the recipe's centre: magnitudes count from the threshold, so that targets of
    all sizes look alike."""
    lat, lon, radius_km = recipe.predict_center_lat, recipe.predict_center_lng, recipe.radius_km
    strong = events.take(events.magnitude >= recipe.threshold_mag)
    reach = CELLS / 2 * CELL_RADII * radius_km * np.sqrt(2)
    strong = strong.take(np.abs(strong.latitude_deg - lat) * KM_PER_DEGREE <= reach)
    distance = great_circle_km(lat, lon, strong.latitude_deg, strong.longitude_deg)
    near = distance <= reach
    strong, distance = strong.take(near), distance[near]
    lat0, lat1 = np.radians(lat), np.radians(strong.latitude_deg)
    east = np.radians(wrap_longitude(strong.longitude_deg - lon))
    bearing = np.arctan2(np.sin(east) * np.cos(lat1), np.cos(lat0) * np.sin(lat1) - np.sin(lat0) * np.cos(lat1) * np.cos(east))
    scale = 1.0 / (CELL_RADII * radius_km)
    row = np.floor(distance * np.cos(bearing) * scale + CELLS / 2)
    column = np.floor(distance * np.sin(bearing) * scale + CELLS / 2)
    inside = (row >= 0) & (row < CELLS) & (column >= 0) & (column < CELLS)
    kept = strong.take(inside)
    deep = np.nan_to_num(kept.depth_km, nan=0.0) >= DEEP_KM
    productivity = 10.0 ** (np.minimum(kept.magnitude, 9.5) - recipe.threshold_mag)
    return Placed(
        kept.origin_time_us,
        kept.known_at_us,
        kept.known_until_us,
        (row * CELLS + column)[inside].astype(np.int64),
        np.column_stack([np.ones(len(kept)), deep, kept.magnitude >= recipe.threshold_mag + 1.0, productivity]).astype(np.float64),
    )


def circle_patches(placed: Placed, cut_us: np.ndarray, daily_rate: np.ndarray) -> np.ndarray:
    """float16 (n, STEPS, CELLS, CELLS, channels) at these cuts (int64 (n,), any order), for circles with `daily_rate` (n,) targets a day.

    Channels: log((events + 0.1) / (usual + 0.1)), where usual is what the rate gives a cell of this size in a span of this length; the
    same of the productivity; log(1 + deep events); log(1 + events of M >= threshold + 1).
    """
    sums = np.maximum(_sums(placed, cut_us), 0.0)
    spans = -np.diff(np.array(STEP_EDGES_DAYS, dtype=np.float64))
    usual = (np.asarray(daily_rate, dtype=np.float64)[:, None] * spans * CELL_RADII**2 / np.pi)[:, :, None]
    pictures = np.empty(sums.shape, dtype=np.float16)
    pictures[..., 0] = np.log((sums[..., 0] + LITTLE) / (usual + LITTLE))
    pictures[..., 1] = np.log((sums[..., 3] + LITTLE) / (usual + LITTLE))
    pictures[..., 2:] = np.log1p(sums[..., 1:3])
    return pictures.reshape(len(cut_us), STEPS, CELLS, CELLS, len(CHANNELS))


def _sums(placed: Placed, cut_us: np.ndarray) -> np.ndarray:
    """float64 (n, STEPS, cells, 4): sums of `values` by step and cell.

    Sums over what was never replaced come from one running sum; the few versions that were not yet known at a cut, or were known
    then and have been replaced since, are taken off and put on one by one.
    """
    width = CELLS * CELLS * len(CHANNELS)
    lasting = placed.known_until_us == NEVER
    spread = np.zeros((int(lasting.sum()) + 1, CELLS * CELLS, len(CHANNELS)))
    spread[np.arange(1, len(spread)), placed.cell[lasting]] = placed.values[lasting]
    running = np.cumsum(spread.reshape(len(spread), width), axis=0)
    edges = np.asarray(cut_us, dtype=np.int64)[:, None] - np.array(STEP_EDGES_DAYS, dtype=np.int64) * DAY_US
    at = np.searchsorted(placed.origin_time_us[lasting], edges, side="left")
    sums = (running[at[:, 1:]] - running[at[:, :-1]]).reshape(len(cut_us), STEPS, CELLS * CELLS, len(CHANNELS))
    order = np.argsort(cut_us, kind="stable")
    happened, known_at, known_until = placed.origin_time_us + 1, placed.known_at_us, placed.known_until_us
    _add(sums, placed, edges, order, np.flatnonzero(lasting), happened[lasting], known_at[lasting], -1.0)
    begun = np.maximum(happened, known_at)[~lasting]
    _add(sums, placed, edges, order, np.flatnonzero(~lasting), begun, known_until[~lasting], 1.0)
    return sums


def _add(
    sums: np.ndarray,
    placed: Placed,
    edges: np.ndarray,
    order: np.ndarray,
    which: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
    sign: float,
) -> None:
    """Add `sign` x values of versions `which` to the samples whose cut lies in [start, end)."""
    cut = edges[order, -1]
    entry, rank = pairs_between(cut, start, end)
    version, sample = which[entry], order[rank]
    step = (edges[sample] <= placed.origin_time_us[version][:, None]).sum(axis=1) - 1
    kept = (step >= 0) & (step < STEPS)
    np.add.at(sums, (sample[kept], step[kept], placed.cell[version[kept]]), sign * placed.values[version[kept]])
