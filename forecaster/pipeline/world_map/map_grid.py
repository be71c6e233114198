"""The cells of the world map: Uber's hexagons (H3), which cover the Earth without a seam at the date line or a point at the poles.

Resolution 3 has 41,162 cells of about 12,400 km2, 86 to 131 km from centre to centre. A forecast is for a circle about the cell's centre.
All circles have the same radius, wide enough that neighbouring circles overlap and every place lies in several.
"""

from dataclasses import dataclass
from functools import lru_cache

import h3
import numpy as np
import pandas as pd

from forecaster.errors import BadInput
from forecaster.features.events import Events
from forecaster.features.geometry import EARTH_RADIUS_KM, unit_vectors
from forecaster.features.many_circles import near_pairs
from forecaster.pipeline.as_of.place_check import NEAR_KM

RESOLUTION = 3
RADIUS_KM = {2: 400.0, 3: 150.0}
SEISMIC_MAG = 5.0
MIN_EVENTS = 10


@dataclass(frozen=True)
class Grid:
    """Cells of one resolution; arrays (n,). cell: uint64, H3's numbers. Degrees are those of the centres."""

    resolution: int
    cell: np.ndarray
    latitude_deg: np.ndarray
    longitude_deg: np.ndarray

    def __len__(self) -> int:
        return len(self.cell)

    @property
    def radius_km(self) -> float:
        """The radius of the circle about each centre."""
        return RADIUS_KM[self.resolution]

    def take(self, selection: np.ndarray) -> "Grid":
        """Return the cells at these indices, or where this mask is true."""
        return Grid(self.resolution, self.cell[selection], self.latitude_deg[selection], self.longitude_deg[selection])

    def areas_km2(self) -> np.ndarray:
        """Return the area of each cell, float64 (n,)."""
        return np.array([h3.cell_area(name, "km^2") for name in names_of(self.cell)])


@lru_cache(maxsize=2)
def whole_grid(resolution: int = RESOLUTION) -> Grid:
    """Return all cells of the Earth, ascending by number.

    Raises:
        BadInput: a resolution for which the world map has no circles.
    """
    if resolution not in RADIUS_KM:
        raise BadInput(f"resolution {resolution}: the world map is made at H3 resolution {' or '.join(map(str, RADIUS_KM))}")
    names = sorted(name for base in h3.get_res0_cells() for name in h3.cell_to_children(base, resolution))
    centres = np.array([h3.cell_to_latlng(name) for name in names])
    latitude, longitude = centres.T.copy()
    return Grid(resolution, np.array([h3.str_to_int(name) for name in names], dtype=np.uint64), latitude, longitude)


def names_of(cells: np.ndarray) -> list[str]:
    """Return the names that H3 gives these numbers, such as `832f5afffffffff`."""
    return [h3.int_to_str(int(cell)) for cell in cells]


def cells_of(latitude_deg: np.ndarray, longitude_deg: np.ndarray, resolution: int) -> np.ndarray:
    """Return the cell of each place, uint64 (n,)."""
    pairs = zip(latitude_deg.tolist(), longitude_deg.tolist(), strict=True)
    return np.array([h3.str_to_int(h3.latlng_to_cell(*pair, resolution)) for pair in pairs], dtype=np.uint64)


def seismic_cells(grid: Grid, events: Events) -> Grid:
    """Return the cells whose circle holds MIN_EVENTS earthquakes of M >= SEISMIC_MAG or more among `events`."""
    strong = events.take(events.magnitude >= SEISMIC_MAG)
    count = np.zeros(len(grid), dtype=np.int64)
    for near in near_pairs(grid.latitude_deg, grid.longitude_deg, strong, grid.radius_km):
        count += np.bincount(near.circle, minlength=len(grid))
    return grid.take(count >= MIN_EVENTS)


def names_near(grid: Grid, frame: pd.DataFrame) -> list[str | None]:
    """Return for each cell the service's place name of the earthquake nearest to its centre; None where that is not near.

    frame: earthquakes with their places, as `Known.frame`.
    """
    from scipy.spatial import cKDTree

    named = frame[frame["place"].notna()] if "place" in frame else frame
    if named.empty:
        return [None] * len(grid)
    tree = cKDTree(unit_vectors(named["latitude_deg"].to_numpy(), named["longitude_deg"].to_numpy()))
    chord, index = tree.query(unit_vectors(grid.latitude_deg, grid.longitude_deg))
    near = 2.0 * EARTH_RADIUS_KM * np.arcsin(np.minimum(chord / 2.0, 1.0)) <= NEAR_KM
    return [str(name) if close else None for name, close in zip(named["place"].to_numpy()[index], near, strict=True)]
