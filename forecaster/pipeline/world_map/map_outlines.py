"""Outlines of cells as rings of longitudes and latitudes, cut at the date line and closed over a pole, as GeoJSON requires."""

import math
from collections.abc import Sequence

import h3

Ring = list[tuple[float, float]]
HALF_TURN, TURN = 180.0, 360.0


def rings_of(name: str, middle_lon: float = 0.0) -> list[Ring]:
    """Return rings of (longitude, latitude) in degrees, counterclockwise, not closed, all within half a turn of the middle longitude.

    There is one ring, or two where the seam opposite the middle (the date line) crosses the cell. A cell that holds a pole becomes a band
    up to it over all longitudes.
    """
    parts = _rings([(latitude, _short_way(longitude - middle_lon)) for latitude, longitude in h3.cell_to_boundary(name)])
    return [[(longitude + middle_lon, latitude) for longitude, latitude in ring] for ring in parts]


def _rings(corners: Sequence[tuple[float, float]]) -> list[Ring]:
    """Return the rings for corners given as (latitude, longitude from the middle)."""
    ring: Ring = []
    for latitude, longitude in corners:
        ring.append((ring[-1][0] + _short_way(longitude - ring[-1][0]) if ring else longitude, latitude))
    if abs(ring[-1][0] + _short_way(ring[0][0] - ring[-1][0]) - ring[0][0]) > HALF_TURN:
        return [_over_pole(ring)]
    parts = []
    for turn in (-TURN, 0.0, TURN):
        moved = [(longitude + turn, latitude) for longitude, latitude in ring]
        kept = _west_of(_west_of(moved, HALF_TURN, 1.0), -HALF_TURN, -1.0)
        if len(kept) >= 3 and max(point[0] for point in kept) - min(point[0] for point in kept) > 1e-9:
            parts.append(kept)
    return parts


def _short_way(degrees: float) -> float:
    return (degrees + HALF_TURN) % TURN - HALF_TURN


def _west_of(ring: Ring, edge: float, sign: float) -> Ring:
    """Clip a convex ring to sign x longitude <= sign x edge (Sutherland and Hodgman 1974, doi:10.1145/360767.360802)."""
    kept: Ring = []
    for (x0, y0), (x1, y1) in zip(ring, [*ring[1:], *ring[:1]], strict=True):
        inside, after = sign * x0 <= sign * edge, sign * x1 <= sign * edge
        if inside:
            kept.append((x0, y0))
        if inside != after:
            kept.append((edge, y0 + (y1 - y0) * (edge - x0) / (x1 - x0)))
    return kept


def _over_pole(ring: Ring) -> Ring:
    pole = math.copysign(90.0, ring[0][1])
    corners = sorted(((_short_way(longitude), latitude) for longitude, latitude in ring))
    (x0, y0), (x1, y1) = corners[-1], corners[0]
    edge = y0 + (y1 - y0) * (HALF_TURN - x0) / (x1 + TURN - x0)
    along = [(-HALF_TURN, edge), *corners, (HALF_TURN, edge), (HALF_TURN, pole), (-HALF_TURN, pole)]
    return along if pole > 0 else along[::-1]
