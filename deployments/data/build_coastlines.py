"""Build the coastlines of the report's map from world-atlas 2.0.2 (ISC; Natural Earth, public domain, 1:50 million).

    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
    python deployments/data/build_coastlines.py package/land-50m.json forecaster/reports/data/coastlines.json

The result is a JSON list of closed rings, each a list of [longitude, latitude] in degrees, -180..180 and -90..90. They are the outlines of
land (and of the Caspian Sea), fine in the recipes' regions and coarse elsewhere. Lines are simplified by the method of Douglas and Peucker
(1973, doi:10.3138/FM57-6770-U75U-7727): with a tolerance of 0.02 degrees on a grid of 0.01 within 2.5 radii of a recipe's centre, and of
0.12 on a grid of 0.1 elsewhere. Rings with less than a triangle left are omitted.
"""

import argparse
import hashlib
import json
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from forecaster.recipe import Recipe, load_recipes
from forecaster.settings import bundled_folder

SOURCE_SHA256 = "619477ff690c086885e45cb91707d783805561bd75ae8e437b7d4694b0204e0f"
FINE_DEG, FINE_STEPS = 0.02, 100  # tolerance, grid steps per degree
COARSE_DEG, COARSE_STEPS = 0.12, 10
REACH_RADII = 2.5
KM_PER_DEGREE = 111.2

Point = tuple[float, float]
Region = tuple[float, float, float]  # longitude and latitude of the centre, half a side in degrees of latitude


def recipe_regions(recipes: Sequence[Recipe]) -> list[Region]:
    """Return a square around each recipe's circle."""
    return [(recipe.predict_center_lng, recipe.predict_center_lat, REACH_RADII * recipe.radius_km / KM_PER_DEGREE) for recipe in recipes]


def is_near(point: Point, regions: Sequence[Region]) -> bool:
    """Return whether the point lies in one of the regions; longitudes may differ by 360."""
    for longitude, latitude, half in regions:
        away = abs((point[0] - longitude + 180.0) % 360.0 - 180.0) * math.cos(math.radians(latitude))
        if abs(point[1] - latitude) <= half and away <= half:
            return True
    return False


def decode_arcs(topology: dict) -> list[list[Point]]:
    """Return the arcs of a quantised TopoJSON in degrees: integer steps from point to point, scaled and shifted."""
    (scale_x, scale_y), (shift_x, shift_y) = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs = []
    for steps in topology["arcs"]:
        x = y = 0
        arc = []
        for step_x, step_y in steps:
            x, y = x + step_x, y + step_y
            arc.append((x * scale_x + shift_x, y * scale_y + shift_y))
        arcs.append(arc)
    return arcs


def join_ring(numbers: list[int], arcs: list[list[Point]]) -> list[Point]:
    """Return one closed ring from the numbers of its arcs; ~n is arc n backwards, and neighbours share an end."""
    ring: list[Point] = []
    for number in numbers:
        arc = arcs[number] if number >= 0 else arcs[~number][::-1]
        ring.extend(arc[1:] if ring else arc)
    return ring


def land_rings(topology: dict) -> list[list[Point]]:
    """Return every ring of the object `land`."""
    arcs = decode_arcs(topology)
    rings: list[list[Point]] = []
    for geometry in topology["objects"]["land"]["geometries"]:
        polygons = geometry["arcs"] if geometry["type"] == "MultiPolygon" else [geometry["arcs"]]
        rings.extend(join_ring(numbers, arcs) for polygon in polygons for numbers in polygon)
    return rings


def unwrap_ring(ring: list[Point]) -> list[Point]:
    """Return the ring with longitudes that never jump by 360; a ring around a pole is closed along that pole."""
    points = [ring[0]]
    for longitude, latitude in ring[1:]:
        turns = round((points[-1][0] - longitude) / 360.0)
        points.append((longitude + 360.0 * turns, latitude))
    if abs(points[-1][0] - points[0][0]) > 180.0:
        pole = math.copysign(90.0, points[0][1])
        points += [(points[-1][0], pole), (points[0][0], pole), points[0]]
    return points


def clip_ring(ring: list[Point], limit: float, side: int) -> list[Point]:
    """Return the part east (side 1) or west (side -1) of a meridian (Sutherland and Hodgman 1974, doi:10.1145/360767.360802)."""
    inside: list[Point] = []
    for start, end in zip(ring[-1:] + ring[:-1], ring, strict=True):
        start_off, end_off = side * (start[0] - limit), side * (end[0] - limit)
        if (start_off < 0.0) != (end_off < 0.0):
            part = start_off / (start_off - end_off)
            inside.append((limit, start[1] + part * (end[1] - start[1])))
        if end_off >= 0.0:
            inside.append(end)
    return inside + inside[:1] if inside and inside[0] != inside[-1] else inside


def cut_at_date_line(ring: list[Point]) -> list[list[Point]]:
    """Return the pieces of a ring within -180..180 degrees."""
    whole = unwrap_ring(ring)
    if all(abs(longitude) <= 180.0 for longitude, _ in whole):
        return [whole]
    pieces = []
    for turn in (-360.0, 0.0, 360.0):
        piece = clip_ring(clip_ring(whole, turn - 180.0, 1), turn + 180.0, -1)
        pieces.append([(longitude - turn, latitude) for longitude, latitude in piece])
    return [piece for piece in pieces if piece]


def distance_to_segment(point: Point, start: Point, end: Point) -> float:
    """Return the distance in degrees of arc; longitudes are scaled by the cosine of the point's latitude, of 75 at most."""
    shrink = math.cos(math.radians(min(abs(point[1]), 75.0)))
    along_x, along_y = shrink * (end[0] - start[0]), end[1] - start[1]
    point_x, point_y = shrink * (point[0] - start[0]), point[1] - start[1]
    square = along_x * along_x + along_y * along_y
    part = 0.0
    if square > 0.0:
        part = (point_x * along_x + point_y * along_y) / square
        part = min(1.0, max(0.0, part))
    off_x, off_y = point_x - part * along_x, point_y - part * along_y
    return (off_x * off_x + off_y * off_y) ** 0.5


def simplify(line: list[Point], tolerance: Callable[[Point], float]) -> list[Point]:
    """Return the line without the points that lie within their own tolerance of it; both ends stay."""
    limits = [tolerance(point) for point in line]
    kept = {0, len(line) - 1}
    spans = [(0, len(line) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        off = {i: distance_to_segment(line[i], line[first], line[last]) / limits[i] for i in range(first + 1, last)}
        farthest = max(off, key=lambda i: off[i])
        if off[farthest] > 1.0:
            kept.add(farthest)
            spans += [(first, farthest), (farthest, last)]
    return [line[i] for i in sorted(kept)]


def round_ring(ring: list[Point], regions: Sequence[Region]) -> list[list[float]]:
    """Return the points rounded to the grid, without repeated ones; empty where less than a triangle is left."""
    points: list[list[float]] = []
    for point in ring:
        steps = FINE_STEPS if is_near(point, regions) else COARSE_STEPS
        rounded = [round(value * steps) / steps + 0.0 for value in point]
        if not points or rounded != points[-1]:
            points.append(rounded)
    return points if len(points) >= 4 else []


def build(topology: dict, regions: Sequence[Region]) -> str:
    """Return the coastlines as JSON, whole degrees without a fraction."""

    def tolerance(point: Point) -> float:
        return FINE_DEG if is_near(point, regions) else COARSE_DEG

    pieces = (piece for ring in land_rings(topology) for piece in cut_at_date_line(ring))
    simple = (round_ring(simplify(piece, tolerance), regions) for piece in pieces)
    rings = [[[int(value) if value == int(value) else value for value in point] for point in ring] for ring in simple]
    return json.dumps([ring for ring in rings if ring], separators=(",", ":")) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, metavar="LAND_50M", help="land-50m.json of world-atlas 2.0.2")
    parser.add_argument("out", type=Path, metavar="OUT", help="JSON file to write")
    arguments = parser.parse_args()
    body = arguments.source.read_bytes()
    if (found := hashlib.sha256(body).hexdigest()) != SOURCE_SHA256:
        sys.exit(f"{arguments.source}: sha256 is {found}, wanted {SOURCE_SHA256}; get it with: npm pack world-atlas@2.0.2")
    text = build(json.loads(body), recipe_regions(list(load_recipes(bundled_folder("recipes")).values())))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(text, encoding="utf-8")
    rings = json.loads(text)
    print(f"{arguments.out}: {len(rings)} rings, {sum(map(len, rings)):,} points, {len(text):,} bytes")
