"""Daily heatmaps about a target: the input of the networks, axes (batch, day, lat, lon, channel).

One function computes them for training and for serving, a batch at a time, directly from the events. An event enters a sample only if its
origin lies before that sample's input cutoff and it was known by then. So two samples may see different versions of the same day.

Rows run from south (0) to north, columns from west (0) to east. The regional grid has square cells of `grid_cell_km` in a local
equirectangular projection, with the target in the middle of the centre cell. It drops events outside the grid. The other grid is that of
the world (`world_grid`).
"""

from dataclasses import dataclass

import numpy as np

from forecaster.features.events import Events
from forecaster.features.geometry import KM_PER_DEGREE, in_circle, wrap_longitude
from forecaster.features.windows import TargetDays, pairs_between
from forecaster.models.first_system import world_grid
from forecaster.recipe import Recipe

CHANNELS = 3
MAX_MAGNITUDE = 10.0
MAX_COUNT = 100.0
MAX_DEPTH_KM = 500.0
SUMMARY_SPANS_DAYS = (1, 3, 7, 15)


@dataclass(frozen=True)
class GridEvents:
    """The events inside a recipe's grid, with everything that is the same for all samples computed once; arrays of shape (n,).

    cell: int64, row x columns + column. energy_j: joule, log10 E = 4.8 + 1.5 M (Gutenberg and Richter 1956, doi:10.4401/ag-5590).
    in_circle: bool, inside the target circle. depth_km: 0 where it is missing; `has_depth` is False there. shape: (rows, columns).
    """

    origin_time_us: np.ndarray
    known_at_us: np.ndarray
    known_until_us: np.ndarray
    cell: np.ndarray
    energy_j: np.ndarray
    depth_km: np.ndarray
    has_depth: np.ndarray
    in_circle: np.ndarray
    shape: tuple[int, int]


def cell_of(recipe: Recipe, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """int64 (n,): the cell (row x columns + column) of each epicentre, -1 outside the grid."""
    rows, columns = recipe.lat_granularity, recipe.lng_granularity
    east = wrap_longitude(np.asarray(lon) - recipe.predict_center_lng)
    if recipe.grid_cell_km is None:
        row, column = world_grid.row_and_column(recipe, np.asarray(lat), east)
    else:
        y_km = (np.asarray(lat) - recipe.predict_center_lat) * KM_PER_DEGREE
        x_km = east * np.cos(np.radians(recipe.predict_center_lat)) * KM_PER_DEGREE
        row = np.floor(y_km / recipe.grid_cell_km + rows / 2)
        column = np.floor(x_km / recipe.grid_cell_km + columns / 2)
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    return np.where(inside, row * columns + column, -1).astype(np.int64)


def cell_edges(recipe: Recipe) -> tuple[np.ndarray, np.ndarray]:
    """(southern edges (rows,), western edges (columns,)) of the cells, degrees, evenly spaced.

    Longitudes are continuous across the date line: on a grid about 179 E they may exceed 180.
    """
    rows, columns = recipe.lat_granularity, recipe.lng_granularity
    if recipe.grid_cell_km is None:
        return world_grid.edges(recipe)
    height = recipe.grid_cell_km / KM_PER_DEGREE
    width = height / np.cos(np.radians(recipe.predict_center_lat))
    south, west = recipe.predict_center_lat - rows / 2 * height, recipe.predict_center_lng - columns / 2 * width
    return south + np.arange(rows) * height, west + np.arange(columns) * width


def place_on_grid(events: Events, recipe: Recipe) -> GridEvents:
    """`events` on the recipe's grid. Computed once for a catalogue, then used for any number of batches."""
    cell = cell_of(recipe, events.latitude_deg, events.longitude_deg)
    inside = events.take(cell >= 0)
    has_depth = ~np.isnan(inside.depth_km)
    return GridEvents(
        origin_time_us=inside.origin_time_us,
        known_at_us=inside.known_at_us,
        known_until_us=inside.known_until_us,
        cell=cell[cell >= 0],
        energy_j=10.0 ** (4.8 + 1.5 * np.minimum(inside.magnitude, MAX_MAGNITUDE)),
        depth_km=np.where(has_depth, inside.depth_km, 0.0),
        has_depth=has_depth,
        in_circle=in_circle(recipe, inside.latitude_deg, inside.longitude_deg),
        shape=(recipe.lat_granularity, recipe.lng_granularity),
    )


def window_tensor(grid: GridEvents, days: TargetDays) -> np.ndarray:
    """float32 (n, window_days, rows, columns, 3), every value in 0..1, for the `n` target days.

    Channels: 0 magnitude of the summed energy / 10, at most M10; 1 number of events / 100, at most 100; 2 mean depth of the events that
    have one / 500 km, kept within 0..500 km. A cell without events is 0 in all three. A M0 event at depth 0 differs from it by its count.
    """
    rows, columns = grid.shape
    cells = rows * columns
    slot, event = _inputs(grid, days)
    position = slot * cells + grid.cell[event]
    size = len(days) * days.window_days * cells
    count = np.bincount(position, minlength=size)
    filled = np.flatnonzero(count > 0)  # of truth values: three times as fast as of numbers
    energy = np.bincount(position, weights=grid.energy_j[event], minlength=size)[filled]
    depth = np.bincount(position, weights=grid.depth_km[event], minlength=size)[filled]
    with_depth = np.bincount(position, weights=grid.has_depth[event], minlength=size)[filled]
    tensor = np.zeros((size, CHANNELS), dtype=np.float32)
    tensor[filled, 0] = _magnitude_of(energy) / MAX_MAGNITUDE
    tensor[filled, 1] = np.minimum(count[filled], MAX_COUNT) / MAX_COUNT
    tensor[filled, 2] = np.clip(depth / np.maximum(with_depth, 1.0), 0.0, MAX_DEPTH_KM) / MAX_DEPTH_KM
    return tensor.reshape(len(days), days.window_days, rows, columns, CHANNELS)


def day_summary(grid: GridEvents, days: TargetDays) -> np.ndarray:
    """float64 (n, 4 x spans): summary numbers of each window. Resampling searches neighbours on them instead of on whole tensors.

    For the circle, then the grid; for the last 1, 3, 7 and 15 days (those that the window has, and the whole window): magnitude of the
    summed energy / 10 and log10(1 + count) / 2. The input cutoff is that of `window_tensor`.
    """
    spans = sorted({min(span, days.window_days) for span in (*SUMMARY_SPANS_DAYS, days.window_days)})
    slot, event = _inputs(grid, days)
    shape = (len(days), days.window_days)
    columns = []
    for inside in (grid.in_circle[event], np.ones(len(event), dtype=bool)):
        count = np.bincount(slot[inside], minlength=shape[0] * shape[1]).reshape(shape)
        energy = np.bincount(slot[inside], weights=grid.energy_j[event[inside]], minlength=shape[0] * shape[1]).reshape(shape)
        for span in spans:
            columns.append(_magnitude_of(energy[:, -span:].sum(axis=1)) / MAX_MAGNITUDE)
            columns.append(np.log10(1.0 + count[:, -span:].sum(axis=1)) / 2.0)
    return np.column_stack(columns)


def _inputs(grid: GridEvents, days: TargetDays) -> tuple[np.ndarray, np.ndarray]:
    """(sample x window_days + day, event index) of every input: origin before the cutoff and known at the cutoff."""
    slot, event = pairs_between(grid.origin_time_us, days.day_starts_us, days.day_ends_us)
    cut_us = days.cut_us[slot // days.window_days]
    known = (grid.known_at_us[event] <= cut_us) & (cut_us < grid.known_until_us[event])
    return slot[known], event[known]


def _magnitude_of(energy_j: np.ndarray) -> np.ndarray:
    """The magnitude with this energy, within 0..10; 0 where there is none."""
    magnitude: np.ndarray = np.clip((np.log10(np.maximum(energy_j, 10.0**4.8)) - 4.8) / 1.5, 0.0, MAX_MAGNITUDE)
    return magnitude
