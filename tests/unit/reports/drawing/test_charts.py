"""The pictures: projection, circles, escaping. Numbers are from the formulas' papers or from geometry, said where used."""

import math
import re
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest

from forecaster.features.geometry import great_circle_km
from forecaster.reports.content.contract import DayOutcome, RecentEvent
from forecaster.reports.drawing import charts, ground, strips

SQUARE = ((100.0, -10.0), (140.0, -10.0), (140.0, 20.0), (100.0, 20.0), (100.0, -10.0))


def target(
    level: int | None = 2, lat: float = 0.0, lng: float = 120.0, title: str = "T", lines: tuple[str, ...] = ("Name", "×1.3")
) -> charts.MapTarget:
    return charts.MapTarget(lat, lng, 300.0, level, lines, title)


def test_equal_earth_edges() -> None:
    """The extent of the projection: x = 2.70663 at the equator's end, y = 1.31730 at the pole (Savric et al. 2019)."""
    assert ground.equal_earth(180, 0)[0] == pytest.approx(2.70663, abs=1e-5)
    assert ground.equal_earth(0, 90) == pytest.approx((0.0, 1.31736), abs=1e-4)
    assert ground.equal_earth(-90, 40)[0] < 0 < ground.equal_earth(90, 40)[0]


def test_every_point_of_a_circle_has_its_distance() -> None:
    for lon, lat in charts.circle_points(61.2, -149.9, 300.0, count=12):
        assert float(great_circle_km(61.2, -149.9, lat, lon)) == pytest.approx(300.0, abs=0.01)


def test_a_circle_across_the_date_line_stays_in_one_piece() -> None:
    lons = [lon for lon, _ in charts.circle_points(-20.0, -179.5, 300.0)]
    assert max(lons) - min(lons) < 7 and min(lons) < -180


def test_maps_are_well_formed_and_escape_what_they_are_given() -> None:
    nasty = target(title='<script>"x"&', lines=("<b>", "×1.3"))
    for svg in (
        charts.world_map([nasty], [], (SQUARE,), "<i>", "J&J"),
        charts.japan_map([target(lat=36, lng=138, title="<&>")], [], (SQUARE,), "a"),
    ):
        ElementTree.fromstring(svg)
        assert "<script" not in svg and "<b>" not in svg


def test_the_highest_ratio_is_drawn_last_so_that_it_lies_on_top() -> None:
    svg = charts.world_map([target(4), target(0), target(None)], [], (), "t", "j")
    assert re.findall(r'class="level-(\w+)"', svg) == ["none", "0", "4"]


def test_a_target_in_japan_is_named_in_the_inset_only() -> None:
    tokyo = target(lat=35.7, lng=139.8, lines=("Tokyo",))
    assert "Tokyo" not in re.sub("<title>.*?</title>", "", charts.world_map([tokyo], [], (), "t", "Japan"))
    assert ">Tokyo<" in charts.japan_map([tokyo], [], (), "t")
    assert ">Name<" not in charts.japan_map([target(lat=-20, lng=-174)], [], (), "t")


def test_no_coast_is_drawn_where_land_was_cut_at_the_date_line() -> None:
    """A square with one side on 180 E: filled with four corners, stroked without that side (two pieces of the ring's five points)."""
    cut = [[170.0, 0.0], [180.0, 0.0], [180.0, 10.0], [170.0, 10.0], [170.0, 0.0]]
    land, coast = ground.land_and_coast([cut], lambda lon, lat: (10 * lon, 10 * lat))
    assert land == "M1700 0l100 0 0 100-100 0 0-100Z"
    assert coast == "M1700 0l100 0M1800 100l-100 0 0-100"


def test_dots_are_at_their_places_in_the_colour_of_the_highest_there() -> None:
    """Two at one pixel are one dot of the higher level; the data of the path are added up to places and compared with the projection."""
    places = {(35.0, 140.0): 2, (-20.0, -70.0): None, (0.0, 155.0): 0}
    dots = [target(level, lat, lng) for (lat, lng), level in places.items()] + [target(1, 35.0, 140.0)]
    svg = charts.world_map([], [], (), "t", "j", dots=dots)
    drawn = {}
    for name, data in re.findall(r'class="dots-(\w+)" d="([^"]*)"', svg):
        x = y = 0
        for step in re.findall(r"m(-?\d+)[ ]?(-?\d+)h0", data):
            x, y = x + int(step[0]), y + int(step[1])
            drawn.setdefault(name, set()).add((x, y))
    at = {level: tuple(map(round, ground.on_world(lng if lng > -25 else lng + 360, lat))) for (lat, lng), level in places.items()}
    assert drawn == {"rim": set(at.values()), "2": {at[2]}, "none": {at[None]}, "0": {at[0]}}
    assert svg.index("dots-rim") < svg.index("dots-none") < svg.index("dots-0") < svg.index("dots-2")


def test_labels_never_overlap() -> None:
    crowd = [target(lat=10 + i % 3 * 0.4, lng=-100 + i * 0.3, lines=(f"Place {i}",)) for i in range(20)]
    svg = charts.world_map(crowd, [], (), "t", "j")
    pills = [
        tuple(map(float, found))
        for found in re.findall(r'class="pill" x="([-\d.]+)" y="([-\d.]+)" width="([\d.]+)" height="([\d.]+)"', svg)
    ]
    assert 2 <= len(pills) < 20
    for i, (x, y, w, h) in enumerate(pills):
        for x2, y2, w2, h2 in pills[i + 1 :]:
            assert x + 4 >= x2 + w2 - 0.2 or x2 + 4 >= x + w - 0.2 or y + 2 >= y2 + h2 - 0.2 or y2 + 2 >= y + h - 0.2


def test_events_grow_with_magnitude_and_stay_bounded() -> None:
    assert charts.event_radius(5.5) / charts.event_radius(4.5) == pytest.approx(1.7)
    assert charts.event_radius(9.5) == 16.0
    many = [RecentEvent(datetime(2024, 1, 1, tzinfo=UTC), 0.0, 0.0, None, 4.5 + i / 1000) for i in range(500)]
    assert charts.world_map([], many, (), "t", "j").count('class="event"') == charts.MAX_EVENTS


def test_the_strip_starts_at_the_usual_rate_and_is_clipped() -> None:
    """Width 112 less 2 on each side, log2 from -2 to 4: the usual rate lies at 2 + 108 / 3 = 38, 16 times at 110."""
    above, below, far = strips.ratio_strip(4.0, 4), strips.ratio_strip(0.5, 0), strips.ratio_strip(400.0, 4)
    assert 'x="38.0"' in above and 'width="36.0"' in above
    assert 'x="20.0"' in below and 'width="18.0"' in below
    assert 'width="72.0"' in far
    assert "rect" not in strips.ratio_strip(None, None)


def test_outcomes_have_a_bar_each_and_marks_where_it_happened() -> None:
    day = datetime(2024, 1, 1, tzinfo=UTC).date()
    outcomes = [DayOutcome(day, 0.1, True, "final"), DayOutcome(day, None, False, "final"), DayOutcome(day, math.nan, None, "pending")]
    svg = strips.outcome_strip(outcomes, 'two "days"')
    assert (svg.count("v-"), svg.count('class="hit"'), svg.count('class="open"')) == (3, 1, 1)
    assert "nan" not in svg
    ElementTree.fromstring(svg)


def test_the_bundled_coastlines_are_closed_rings_in_range() -> None:
    lines = ground.load_coastlines()
    assert len(lines) > 100
    assert all(-180 <= lon <= 180 and -90 <= lat <= 90 for line in lines for lon, lat in line)


def test_letters_that_no_font_has_are_known() -> None:
    assert charts.can_draw("Japan")
    assert not charts.can_draw("\ue000\ue000")
