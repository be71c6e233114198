"""The coastlines that the report draws: decoded, cut at the date line, and looking like the Earth."""

import itertools
import json
from importlib import resources

import pytest


def on_land(rings: list, longitude: float, latitude: float) -> bool:
    """Even-odd rule over all rings, as an SVG path is filled."""
    crossings = 0
    for ring in rings:
        for (x1, y1), (x2, y2) in itertools.pairwise(ring):
            if (y1 > latitude) != (y2 > latitude):
                crossings += longitude < x1 + (latitude - y1) / (y2 - y1) * (x2 - x1)
    return crossings % 2 == 1


@pytest.fixture(scope="module")
def rings() -> list:
    return json.loads(resources.files("forecaster.reports").joinpath("data/coastlines.json").read_text("utf-8"))


@pytest.mark.parametrize(
    ("longitude", "latitude", "expected"),
    [
        (139.6, 35.9, True),  # Saitama
        (142.4, 38.3, False),  # off Tohoku
        (135.0, 40.0, False),  # Sea of Japan
        (-70.5, -33.5, True),  # Santiago
        (-72.5, -33.5, False),
        (179.0, 67.5, True),  # Chukotka on both sides of the date line
        (-179.0, 66.5, True),
        (0.0, 70.0, False),  # a ring that wraps round the date line would fill this
        (0.0, -88.0, True),  # the South Pole
        (51.0, 42.0, False),  # Caspian Sea, a hole
        (142.0, -35.9, True),
        (35.9, 142.0 - 90, True),  # Russia at 52 N; with axes swapped it is at sea
    ],
)
def test_land_and_sea(rings, longitude, latitude, expected):
    assert on_land(rings, longitude, latitude) == expected


def test_shape_of_the_file(rings):
    """Closed rings on a grid of .01 degrees near recipes, .1 elsewhere; the only long step is Antarctica's, along the pole."""
    points = [point for ring in rings for point in ring]
    assert all(ring[0] == ring[-1] and len(ring) >= 4 for ring in rings)
    assert all(abs(x) <= 180 and abs(y) <= 90 for x, y in points)
    assert all(abs(value * 100 - round(value * 100)) < 1e-9 for point in points for value in point)
    steps = [(a, b) for ring in rings for a, b in itertools.pairwise(ring) if abs(a[0] - b[0]) > 90]
    assert steps == [([180, -90], [-180, -90])]


def test_it_is_fine_where_recipes_are_and_small(rings, recipes):
    """Tokyo Bay (recipe tokyo) is more than a notch; a coast far from any recipe (Namibia's) is on the grid of .1."""
    bay = [point for ring in rings for point in ring if 139.6 <= point[0] <= 140.2 and 35.0 <= point[1] <= 35.8]
    far = [point for ring in rings for point in ring if 11 <= point[0] <= 16 and -28 <= point[1] <= -18]
    assert len(bay) >= 12 and far
    assert all(abs(value * 10 - round(value * 10)) < 1e-9 for point in far for value in point)
    assert len(json.dumps(rings, separators=(",", ":"))) < 200_000


def test_a_square_across_the_date_line_by_hand(load_script):
    """Two arcs in steps of 1 degree from (-180, -90): 170..190 E, 0..10 N; the second is stored backwards.

    It must come out as 170..180 and -180..-170, each ten degrees high.
    """
    script = load_script("build_coastlines")
    topology = {
        "transform": {"scale": [1, 1], "translate": [-180, -90]},
        "arcs": [[[350, 90], [20, 0], [0, 10]], [[350, 90], [0, 10], [20, 0]]],
        "objects": {"land": {"geometries": [{"type": "Polygon", "arcs": [[0, ~1]]}]}},
    }
    pieces = json.loads(script.build(topology, []))
    assert sorted(sorted(map(tuple, {tuple(point) for point in piece})) for piece in pieces) == [
        [(-180, 0), (-180, 10), (-170, 0), (-170, 10)],
        [(170, 0), (170, 10), (180, 0), (180, 10)],
    ]
    assert script.build(topology, []) == script.build(topology, [])


def test_simplify_keeps_what_lies_off_the_line(load_script):
    """On the equator: a point 0.05 degrees off a straight line goes, one 0.2 off stays."""
    simplify = load_script("build_coastlines").simplify
    assert simplify([(0.0, 0.0), (1.0, 0.05), (2.0, 0.0)], lambda point: 0.075) == [(0.0, 0.0), (2.0, 0.0)]
    assert simplify([(0.0, 0.0), (1.0, 0.2), (2.0, 0.0)], lambda point: 0.075) == [(0.0, 0.0), (1.0, 0.2), (2.0, 0.0)]


def test_a_region_reaches_across_the_date_line(load_script):
    """Half a side of 2 degrees about 179.5 E on the equator: 179.5 W is 1 degree away, 177 W 3.5."""
    is_near = load_script("build_coastlines").is_near
    assert is_near((-179.5, 0.0), [(179.5, 0.0, 2.0)]) and is_near((180.5, 1.9), [(179.5, 0.0, 2.0)])
    assert not is_near((-177.0, 0.0), [(179.5, 0.0, 2.0)]) and not is_near((179.5, 2.1), [(179.5, 0.0, 2.0)])
