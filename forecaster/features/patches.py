"""Images of the seismicity about a circle: the input of the hybrid network, axes (batch, step, lat, lon, channel).

Cells are squares of half a radius in an azimuthal equidistant projection about the centre. So circles of any size are comparable, and
distances from the centre are true. A step is a span of days that ends where the next one starts. The last one ends at the input cutoff, and
spans double going back. Training and serving both call `circle_patches`: an event enters a sample only if its origin lies before that
sample's cutoff, in the version that was known at the cutoff.

Rows run from south (0) to north, columns from west (0) to east.
"""

from dataclasses import dataclass

import numpy as np

from forecaster.features.events import NEVER, Events
from forecaster.features.geometry import bearing_rad
from forecaster.features.many_circles import Circles
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
HALF_DIAGONAL = float(np.sqrt(2)) / 2


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
    """The versions from the threshold on, in the grid about the recipe's centre.

    Magnitudes count from the threshold, so that targets of all sizes are comparable.
    """
    lat, lon, radius_km = recipe.predict_center_lat, recipe.predict_center_lng, recipe.radius_km
    rows, distance = events.near(lat, lon, CELLS * CELL_RADII * radius_km * HALF_DIAGONAL, recipe.threshold_mag)
    cell = _cell(lat, lon, radius_km, events.latitude_deg[rows], events.longitude_deg[rows], distance)
    inside = cell >= 0
    kept = events.take(rows[inside])
    return Placed(kept.origin_time_us, kept.known_at_us, kept.known_until_us, cell[inside], _values(kept, recipe.threshold_mag))


def _cell(
    lat: np.ndarray | float,
    lon: np.ndarray | float,
    radius_km: float,
    event_lat: np.ndarray,
    event_lon: np.ndarray,
    distance_km: np.ndarray,
) -> np.ndarray:
    """int64 (n,): the cell of each event in the grid about its centre, -1 outside. Arguments are degrees, and distances from the centre."""
    bearing = bearing_rad(lat, lon, event_lat, event_lon)
    scale = 1.0 / (CELL_RADII * radius_km)
    row = np.floor(distance_km * np.cos(bearing) * scale + CELLS / 2)
    column = np.floor(distance_km * np.sin(bearing) * scale + CELLS / 2)
    inside = (row >= 0) & (row < CELLS) & (column >= 0) & (column < CELLS)
    return np.where(inside, row * CELLS + column, -1).astype(np.int64)


def _values(events: Events, threshold_mag: float) -> np.ndarray:
    """float64 (n, 4): what each event adds to its cell (`Placed.values`)."""
    deep = np.nan_to_num(events.depth_km, nan=0.0) >= DEEP_KM
    productivity = 10.0 ** (np.minimum(events.magnitude, 9.5) - threshold_mag)
    return np.column_stack([np.ones(len(events)), deep, events.magnitude >= threshold_mag + 1.0, productivity]).astype(np.float64)


def circle_patches(placed: Placed, cut_us: np.ndarray, daily_rate: np.ndarray) -> np.ndarray:
    """float16 (n, STEPS, CELLS, CELLS, channels) at these cutoffs (int64 (n,), any order), for circles with `daily_rate` (n,) targets a
    day.

    Channels: log((events + 0.1) / (usual + 0.1)), where usual is the number expected from the rate in a cell of this size and a span of
    this length; the same for the productivity; log(1 + deep events); log(1 + events of M >= threshold + 1).
    """
    return _pictures(np.maximum(_sums(placed, cut_us), 0.0), daily_rate)


def patches_of_circles(circles: Circles, daily_rate: np.ndarray) -> np.ndarray:
    """float16 (circles, STEPS, CELLS, CELLS, channels): the same for many circles at their common cutoff; daily_rate: (circles,)."""
    edges = circles.cut_us - np.array(STEP_EDGES_DAYS, dtype=np.int64) * DAY_US
    inputs = circles.inputs
    events = inputs.take((inputs.magnitude >= circles.threshold_mag) & (inputs.origin_time_us >= edges[0]))
    step = np.searchsorted(edges, events.origin_time_us, side="right") - 1
    values = _values(events, circles.threshold_mag)
    sums = np.zeros((len(circles) * STEPS * CELLS * CELLS, len(CHANNELS)))
    for near in circles.near(events, CELLS * CELL_RADII * circles.radius_km * HALF_DIAGONAL):
        circle, event = near.circle, near.event
        place_of = circles.latitude_deg[circle], circles.longitude_deg[circle], circles.radius_km
        cell = _cell(*place_of, events.latitude_deg[event], events.longitude_deg[event], near.distance_km)
        kept = cell >= 0
        at = ((circle * STEPS + step[event]) * CELLS * CELLS + cell)[kept]
        np.add.at(sums, at, values[event[kept]])
    return _pictures(sums.reshape(len(circles), STEPS, CELLS * CELLS, len(CHANNELS)), daily_rate)


def _pictures(sums: np.ndarray, daily_rate: np.ndarray) -> np.ndarray:
    """float16 (n, STEPS, CELLS, CELLS, channels) from the sums of `Placed.values` by step and cell."""
    spans = -np.diff(np.array(STEP_EDGES_DAYS, dtype=np.float64))
    usual = (np.asarray(daily_rate, dtype=np.float64)[:, None] * spans * CELL_RADII**2 / np.pi)[:, :, None]
    pictures = np.empty(sums.shape, dtype=np.float16)
    pictures[..., 0] = np.log((sums[..., 0] + LITTLE) / (usual + LITTLE))
    pictures[..., 1] = np.log((sums[..., 3] + LITTLE) / (usual + LITTLE))
    pictures[..., 2:] = np.log1p(sums[..., 1:3])
    return pictures.reshape(len(sums), STEPS, CELLS, CELLS, len(CHANNELS))


def _sums(placed: Placed, cut_us: np.ndarray) -> np.ndarray:
    """float64 (n, STEPS, cells, 4): sums of `values` by step and cell.

    Versions that were never replaced are summed by one running sum. The few versions that were not yet known at a cutoff, or were known
    then and have been replaced since, are subtracted and added one by one.
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
