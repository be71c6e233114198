"""What the maps stand on: coastlines, the projections of the world and of Japan, and their land, which is drawn once a process."""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from importlib import resources

from forecaster.reports.drawing.shapes import path_data

Polyline = Sequence[Sequence[float]]  # ((lon, lat), ...) in degrees
Coastlines = tuple[tuple[tuple[float, float], ...], ...]  # polylines that never change
Projection = Callable[[float, float], tuple[float, float]]  # (lon, lat) in degrees -> (x, y) in pixels

COARSENESS = 1.3  # smallest distance in pixels between neighbouring points of a coast
WORLD_SIZE = (960.0, 440.0)
WORLD_MIDDLE_LON = 155.0  # the Pacific in the middle: the seam runs down the Atlantic
WORLD_SCALE = (WORLD_SIZE[0] - 8) / (2 * 2.7066)
JAPAN_BOX = (125.5, 29.3, 149.5, 47.6)  # west, south, east, north in degrees
JAPAN_WIDTH = 460.0
JAPAN_SQUEEZE = math.cos(math.radians((JAPAN_BOX[1] + JAPAN_BOX[3]) / 2))
JAPAN_SCALE = JAPAN_WIDTH / ((JAPAN_BOX[2] - JAPAN_BOX[0]) * JAPAN_SQUEEZE)
JAPAN_HEIGHT = round((JAPAN_BOX[3] - JAPAN_BOX[1]) * JAPAN_SCALE, 1)


@cache
def load_coastlines() -> Coastlines:
    """Return the bundled coastlines (Natural Earth): polylines of (lon, lat) in degrees, closed where they bound land."""
    text = resources.files("forecaster.reports").joinpath("data/coastlines.json").read_text(encoding="utf-8")
    return tuple(tuple((lon, lat) for lon, lat in line) for line in json.loads(text))


def equal_earth(lon_deg: float, lat_deg: float, middle_lon: float = 0.0) -> tuple[float, float]:
    """Project to Equal Earth (Savric et al. 2019, doi:10.1080/13658816.2018.1504949): x within +-2.7066, y within +-1.3174."""
    a1, a2, a3, a4 = 1.340264, -0.081106, 0.000893, 0.003796
    theta = math.asin(math.sqrt(3) / 2 * math.sin(math.radians(lat_deg)))
    square, sixth = theta**2, theta**6
    slope = 9 * a4 * sixth * square + 7 * a3 * sixth + 3 * a2 * square + a1
    x = 2 * math.sqrt(3) * math.radians(lon_deg - middle_lon) * math.cos(theta) / (3 * slope)
    return x, theta * (a1 + a2 * square + sixth * (a3 + a4 * square))


TOP = equal_earth(0, 78)[1]


def on_world(lon: float, lat: float) -> tuple[float, float]:
    """Return the place on the map of the world, in Equal Earth about WORLD_MIDDLE_LON."""
    x, y = equal_earth(lon, lat, WORLD_MIDDLE_LON)
    return WORLD_SIZE[0] / 2 + WORLD_SCALE * x, 4 + WORLD_SCALE * (TOP - y)


def on_japan(lon: float, lat: float) -> tuple[float, float]:
    """Return the place on the inset of Japan. A degree of latitude is as long as on the ground, one of longitude as at the middle of the
    box."""
    return (lon - JAPAN_BOX[0]) * JAPAN_SQUEEZE * JAPAN_SCALE, (JAPAN_BOX[3] - lat) * JAPAN_SCALE


@lru_cache(maxsize=2)
def ground_of_world(coastlines: Coastlines) -> tuple[str, str]:
    """Return land and coasts from 62 S on, as `land_and_coast` does."""
    edge = WORLD_MIDDLE_LON - 180
    shifted = [[(point[0] + offset, point[1]) for point in line] for line in coastlines for offset in (0, 360)]
    seen = [line for line in shifted if any(edge <= lon <= edge + 360 for lon, _ in line) and max(lat for _, lat in line) > -62]
    return land_and_coast(seen, on_world)


@lru_cache(maxsize=2)
def ground_of_japan(coastlines: Coastlines) -> tuple[str, str]:
    """Return land and coasts of the inset, as `land_and_coast` does."""
    return land_and_coast([line for line in coastlines if _touches_japan(line)], on_japan)


def land_and_coast(coastlines: Iterable[Polyline], project: Projection) -> tuple[str, str]:
    """Return (path to fill, path to stroke).

    Land is filled across the cut at the date line, but no coast is drawn along the cut.
    """
    land, coast = [], []
    for line in coastlines:
        points = [project(point[0], point[1]) for point in line]
        if len(line) > 2 and tuple(line[0]) == tuple(line[-1]):
            land.append(path_data(points, True, COARSENESS))
        start = 0
        for index in range(1, len(line)):
            if line[index][0] == line[index - 1][0] and line[index][0] % 360 == 180:
                coast.append(path_data(points[start:index], False, COARSENESS))
                start = index
        coast.append(path_data(points[start:], False, COARSENESS))
    return "".join(land), "".join(coast)


def _touches_japan(line: Polyline) -> bool:
    west, south, east, north = JAPAN_BOX
    lons, lats = [point[0] for point in line], [point[1] for point in line]
    return min(lons) <= east and max(lons) >= west and min(lats) <= north and max(lats) >= south
