"""The map of one recipe: its circle, the coast, recent earthquakes by size, and the numbers of those that its text names."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from forecaster.features.geometry import KM_PER_DEGREE
from forecaster.reports.content.contract import DriverEvent, RecentEvent
from forecaster.reports.drawing.charts import (
    COAST,
    FILLS,
    INK,
    LAND,
    SEA,
    circle_points,
    event_radius,
)
from forecaster.reports.drawing.ground import Polyline, land_and_coast
from forecaster.reports.drawing.shapes import EDGE, PAPER, path_data

WIDTH = 300.0
HALF_SIDE_RADII = 1.75
MAX_EVENTS = 80
SCALE_BARS_KM = (50, 100, 200, 500)

Box = tuple[float, float, float, float]  # west, south, east, north in degrees


@dataclass(frozen=True, eq=False)
class BoxedLines:
    """Coastlines as arrays. boxes: (n, 4) west, south, east, north in degrees. rings: of each (points, 2), longitude and latitude."""

    boxes: np.ndarray
    rings: tuple[np.ndarray, ...]


def region_map(
    lat: float,
    lng: float,
    radius_km: float,
    level: int | None,
    events: Sequence[RecentEvent],
    drivers: Sequence[DriverEvent],
    coastlines: BoxedLines,
    title: str,
    name: str,
) -> str:
    """Draw a square of 1.75 radii to each side of the centre; longitudes are scaled as at the centre's latitude.

    Args:
        level: 0..4 as in words.level_of, None for no forecast.
        events: recent earthquakes anywhere on Earth; those outside the square are left out.
        drivers: contributing events, numbered from 1; one outside the square is drawn on its edge.
        name: makes the ids in the picture unique.
    """
    half = HALF_SIDE_RADII * radius_km / KM_PER_DEGREE
    squeeze = max(math.cos(math.radians(lat)), 0.05)
    scale = WIDTH / (2 * half)

    def project(lon: float, at_lat: float) -> tuple[float, float]:
        return WIDTH / 2 + (lon - lng) * squeeze * scale, WIDTH / 2 - (at_lat - lat) * scale

    def near(lon: float) -> float:
        return (lon - lng + 180.0) % 360.0 - 180.0 + lng

    box = (lng - half / squeeze, lat - half, lng + half / squeeze, lat + half)
    land, coast = land_and_coast(_inside(coastlines, box), project)
    rim = path_data([project(lon, at_lat) for lon, at_lat in circle_points(lat, lng, radius_km)], True)
    look = f'fill="{FILLS[level]}" fill-opacity="0.4" class="level-{level}"' if level is not None else f'fill="{PAPER}" class="level-none"'
    shapes = [
        f'<path class="land" d="{land}" fill="{LAND}" fill-rule="evenodd"/>' if land else "",
        f'<path d="{rim}" {look} stroke="{EDGE}" stroke-width="1.4"/>',
        f'<path class="coast" d="{coast}" fill="none" stroke="{COAST}" stroke-width="0.8"/>' if coast else "",
    ]
    named = {(driver.origin_time, driver.magnitude) for driver in drivers}
    shown = [event for event in events if abs(event.latitude_deg - lat) <= half and abs(near(event.longitude_deg) - lng) * squeeze <= half]
    for event in sorted(shown, key=lambda item: -item.magnitude)[:MAX_EVENTS]:
        if (event.origin_time, event.magnitude) not in named:
            x, y = project(near(event.longitude_deg), event.latitude_deg)
            shapes.append(_ring(x, y, 1.5 * event_radius(event.magnitude), 1.0))
    over = _numbered(drivers, [project(near(driver.longitude_deg), driver.latitude_deg) for driver in drivers])
    centre = f'<path class="cross" d="M{WIDTH / 2 - 4:.0f} {WIDTH / 2:.0f}h8m-4 -4v8" stroke="{INK}" stroke-width="1.2"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="map region-map" viewBox="0 0 {WIDTH:g} {WIDTH:g}" role="img" '
        f'aria-label="{escape(title)}" font-family="system-ui, sans-serif"><defs><clipPath id="clip-{escape(name)}">'
        f'<rect width="{WIDTH:g}" height="{WIDTH:g}"/></clipPath></defs>'
        f'<rect class="sea" width="{WIDTH:g}" height="{WIDTH:g}" fill="{SEA}"/>'
        f'<g clip-path="url(#clip-{escape(name)})">{"".join(shapes)}{centre}</g>{over}{_scale_bar(scale)}</svg>'
    )


def _ring(x: float, y: float, radius: float, width: float) -> str:
    ring = f'cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="none"'
    return f'<circle class="event" {ring} stroke="{INK}" stroke-width="{width:g}"/>'


def _numbered(drivers: Sequence[DriverEvent], at: Sequence[tuple[float, float]]) -> str:
    """Draw each earthquake's ring and its number on a plate.

    The plate is on the earthquake, or beside it with a line where another plate already covers that place.
    """
    rings: list[str] = []
    plates: list[str] = []
    taken: list[tuple[float, float]] = []
    for number, (driver, (true_x, true_y)) in enumerate(zip(drivers, at, strict=True), 1):
        x, y = min(max(true_x, 9.0), WIDTH - 9.0), min(max(true_y, 9.0), WIDTH - 9.0)
        if (x, y) == (true_x, true_y):
            rings.append(_ring(x, y, max(1.5 * event_radius(driver.magnitude), 4.0), 1.8))
        px, py = _free_place(x, y, taken)
        taken.append((px, py))
        if (px, py) != (x, y):
            rings.append(f'<path class="leader" d="M{x:.1f} {y:.1f}L{px:.1f} {py:.1f}" stroke="{INK}" stroke-width="0.9"/>')
        look = f'font-size="10" font-weight="700" text-anchor="middle" fill="{PAPER}"'
        plates.append(f'<circle class="plate" cx="{px:.1f}" cy="{py:.1f}" r="7" fill="{INK}"/>')
        plates.append(f'<text class="plate-text" x="{px:.1f}" y="{py + 3.6:.1f}" {look}>{number}</text>')
    return "".join(rings) + "".join(plates)


def _free_place(x: float, y: float, taken: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return (x, y), or the nearest of some places around it, inside the picture, that no other plate covers."""
    places = [(x, y)]
    for radius in (20.0, 34.0, 48.0):
        angles = [2 * math.pi * step / 10 for step in range(10)]
        places += [(x + radius * math.cos(angle), y - radius * math.sin(angle)) for angle in angles]
    inside = [place for place in places if all(9.0 <= value <= WIDTH - 9.0 for value in place)]
    free = (place for place in inside if all(math.dist(place, other) >= 15.0 for other in taken))
    return next(free, (x, y))


def _scale_bar(pixels_a_degree: float) -> str:
    a_km = pixels_a_degree / KM_PER_DEGREE
    length = next((km for km in reversed(SCALE_BARS_KM) if km * a_km <= WIDTH / 3), SCALE_BARS_KM[0])
    y = WIDTH - 10
    return (
        f'<path class="scale-bar" d="M10 {y - 4:.0f}v4h{length * a_km:.1f}v-4" fill="none" stroke="{INK}"/>'
        f'<text class="label" x="{14 + length * a_km:.1f}" y="{y:.0f}" font-size="11" fill="{INK}">{length} km</text>'
    )


def boxed(coastlines: Iterable[Polyline]) -> BoxedLines:
    """Return the coastlines with the west, south, east and north of each, computed once for all maps."""
    rings = tuple(np.array([(point[0], point[1]) for point in line], dtype=float) for line in coastlines)
    boxes = [(*ring.min(axis=0), *ring.max(axis=0)) for ring in rings]
    return BoxedLines(np.array(boxes, dtype=float).reshape(len(rings), 4), rings)


def clipped(coastlines: Iterable[Polyline], box: Box) -> list[Polyline]:
    """Return the parts of coasts within (west, south, east, north) and a margin, cut at its sides; longitudes may exceed 180 degrees."""
    return _inside(boxed(coastlines), box)


def _inside(coastlines: BoxedLines, box: Box) -> list[Polyline]:
    """Return the parts of rings within the box and a margin, cut at its sides."""
    west, south, east, north = box
    margin = 0.05 * (north - south)
    sides = ((0, west - margin, 1), (0, east + margin, -1), (1, south - margin, 1), (1, north + margin, -1))
    kept: list[Polyline] = []
    boxes = coastlines.boxes
    for index in np.flatnonzero((boxes[:, 1] <= north) & (boxes[:, 3] >= south)):
        for turn in (-360.0, 0.0, 360.0):
            if boxes[index, 0] + turn > east or boxes[index, 2] + turn < west:
                continue
            piece = coastlines.rings[index] + (turn, 0.0)
            for axis, limit, side in sides:
                piece = _clip(piece, axis, limit, side)
            if len(piece) > 2:
                points = piece.tolist()
                kept.append([*points, points[0]] if points[0] != points[-1] else points)
    return kept


def _clip(ring: np.ndarray, axis: int, limit: float, side: int) -> np.ndarray:
    """Return the part of a closed ring on one side of a straight line (Sutherland and Hodgman 1974, doi:10.1145/360767.360802).

    ring: (n, 2). Of each edge the point where it crosses the line comes first, then its end.
    """
    end_off = side * (ring[:, axis] - limit)
    if not len(ring) or end_off.min() >= 0.0:
        return ring
    before = np.arange(-1, len(ring) - 1)
    start, start_off = ring[before], end_off[before]
    crosses = (start_off < 0.0) != (end_off < 0.0)
    part = np.zeros(len(ring))
    part[crosses] = start_off[crosses] / (start_off[crosses] - end_off[crosses])
    points = np.stack([start + part[:, None] * (ring - start), ring], axis=1)
    found: np.ndarray = points[np.stack([crosses, end_off >= 0.0], axis=1)]
    return found
