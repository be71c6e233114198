"""The pictures of a region: what is hollow, what is clipped, where numbers stand. Figures worked out from the sizes in the code."""

import math
import re
from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree

import pytest

from forecaster.reports.content.contract import DayOutcome, DriverEvent, RecentEvent, ReliabilityCurve
from forecaster.reports.drawing.gain_picture import GainRow, GainRows, gain_picture
from forecaster.reports.drawing.pictures import SIZE, history_picture, reliability_picture, scale_of
from forecaster.reports.drawing.region_map import WIDTH, boxed, clipped, region_map
from forecaster.reports.drawing.shapes import path_data

DAY = date(2024, 1, 1)
SQUARE = [[179.0, -1.0], [180.0, -1.0], [180.0, 1.0], [179.0, 1.0], [179.0, -1.0]]


def history(*outcomes: DayOutcome) -> str:
    svg = history_picture(outcomes, "<title>", lambda outcome: f"{outcome.day:%m-%d}")
    ElementTree.fromstring(svg)
    return svg


def bars(svg: str, look: str) -> int:
    return sum(path.count("Z") for path in re.findall(rf'class="bar-{look}" d="([^"]*)"', svg))


def test_what_was_worked_out_afterwards_is_hollow_and_the_rest_is_full() -> None:
    svg = history(
        DayOutcome(DAY, 0.1, False, "final", 0.1, mode="hindcast", afterwards=True),
        DayOutcome(DAY + timedelta(days=1), 0.2, True, "final", 0.1, mode="hindcast", afterwards=True),
        DayOutcome(DAY + timedelta(days=2), 0.4, None, "pending", 0.1, mode="prospective"),
    )
    assert (bars(svg, "after"), bars(svg, "said"), svg.count('class="hit"'), svg.count('class="open"')) == (2, 1, 1, 1)
    assert 'class="bar-after" d="M' in svg and re.search(r'class="bar-after"[^>]*fill="#ffffff"', svg)


def test_a_bar_is_as_high_as_its_probability() -> None:
    """Axis 0 to 40 %: 164 px at 0, 22 px at 40 %, so 20 % lies half-way at 93."""
    svg = history(DayOutcome(DAY, 0.2, False, "final", 0.3), DayOutcome(DAY, 0.4, False, "final", 0.3))
    assert SIZE == (680.0, 190.0)
    assert re.findall(r"V(\d+\.\d)h", svg) == ["93.0", "22.0"]


def test_the_usual_line_stops_where_it_is_not_known() -> None:
    days = [DayOutcome(DAY, 0.1, False, "final", usual) for usual in (0.1, None, 0.1, 0.1)]
    (path,) = re.findall(r'class="usual" d="([^"]*)"', history(*days))
    assert (path.count("M"), path.count("L")) == (2, 1)


@pytest.mark.parametrize(
    ("values", "top"), [([], 0.002), ([0.0074], 0.008), ([0.31], 0.4), ([0.66, 0.1], 0.8), ([0.98], 1.0), ([0.0003], 0.002)]
)
def test_axes_end_at_round_figures_above_all_values(values: list[float], top: float) -> None:
    found, ticks = scale_of(values)
    assert found == pytest.approx(top) and ticks[0] == 0 and 3 <= len(ticks) <= 6


def test_a_dot_outside_its_bar_is_hollow_and_a_bar_that_leaves_the_picture_ends_there() -> None:
    curve = ReliabilityCurve((0.1, 0.2), (50, 2), (0.1, 0.4), (0.05, 0.0), (0.2, 1.0))
    svg = reliability_picture(curve, "t", "said", "came")
    assert svg.count('class="dot"') == 2
    svg = reliability_picture(ReliabilityCurve((0.1, 0.2), (50, 2), (0.1, 0.4), (0.05, 0.0), (0.2, 0.3)), "t", "said", "came")
    assert svg.count('class="dot outside"') == 1
    assert min(float(y) for y in re.findall(r'class="band" d="M[\d.]+ [\d.]+V([\d.-]+)"', svg)) >= 10.0  # the top of the axis


def test_the_gain_is_full_only_where_the_whole_interval_lies_above_zero() -> None:
    rows = GainRows(
        (GainRow("A", "m", 0.2, 0.1, 0.3, 9), GainRow("<B>", "m", 0.1, 0.0, 0.2, 9), GainRow("C" * 40, "m", -0.1, -0.2, 0.1, None))
    )
    svg = gain_picture(rows, "t", "nats")
    ElementTree.fromstring(svg)
    assert (svg.count('class="dot"'), svg.count('class="dot outside"')) == (1, 2)
    assert "&lt;B&gt;" in svg and "C" * 22 not in svg


def driver(lat: float, lng: float, magnitude: float = 5.0, number: int = 0) -> DriverEvent:
    return DriverEvent(datetime(2024, 1, 1, number, tzinfo=UTC), magnitude, lat, lng, 0.0)


def plates(svg: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r'class="plate" cx="([\d.-]+)" cy="([\d.-]+)"', svg)]


def test_a_map_across_the_date_line_has_both_sides() -> None:
    """Centre 179.9 E on the equator, 200 km: an event at 179.9 W lies 0.2 degrees east, at 150 + 0.2 x 300 / (2 x 3.1476) = 159.5 px."""
    svg = region_map(
        0.0, 179.9, 200.0, 1, [RecentEvent(datetime(2024, 1, 1, tzinfo=UTC), 0.0, -179.9, None, 5.0)], [], boxed([SQUARE]), "t", "x"
    )
    ElementTree.fromstring(svg)
    assert re.findall(r'class="event" cx="([\d.]+)" cy="([\d.]+)"', svg) == [("159.5", "150.0")]
    assert 'class="land"' in svg


def test_a_coast_is_cut_at_the_sides_of_the_picture() -> None:
    """A square of 2 degrees about (0, 0), and a box of 1 degree with 5 % of its height beside: what is left ends at 0.55 degrees."""
    square = [[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0]]
    (cut,) = clipped([square], (-0.5, -0.5, 0.5, 0.5))
    assert sorted({tuple(point) for point in cut}) == [(lon, lat) for lon in (-0.55, 0.55) for lat in (-0.55, 0.55)] and cut[0] == cut[-1]
    whole = [[0.1, 0.1], [0.2, 0.1], [0.2, 0.2], [0.1, 0.1]]
    assert clipped([whole, [[5.0, 5.0], [6.0, 5.0], [6.0, 6.0]]], (-0.5, -0.5, 0.5, 0.5)) == [whole]


def test_events_elsewhere_are_left_out_and_named_ones_drawn_once() -> None:
    here, far = driver(35.0, 139.0), RecentEvent(datetime(2024, 1, 1, tzinfo=UTC), -35.0, 139.0, None, 8.0)
    same = RecentEvent(here.origin_time, 35.0, 139.0, None, here.magnitude)
    svg = region_map(35.0, 139.0, 150.0, None, [far, same], [here], boxed([]), "t", "x")
    assert svg.count('class="event"') == 1 and plates(svg) == [(150.0, 150.0)]


def test_numbers_never_cover_each_other_and_stay_inside() -> None:
    swarm = [driver(35.0 + 0.01 * i, 139.0, number=i) for i in range(5)]
    found = plates(region_map(35.0, 139.0, 150.0, 2, [], swarm, boxed([]), "t", "x"))
    assert len(found) == 5 and all(math.dist(a, b) >= 14.9 for i, a in enumerate(found) for b in found[i + 1 :])
    (edge,) = plates(region_map(35.0, 139.0, 150.0, 2, [], [driver(-60.0, 0.0)], boxed([]), "t", "x"))
    assert all(9.0 <= value <= WIDTH - 9.0 for value in edge)


def test_path_data_is_relative_in_tenths_and_a_speck_is_nothing() -> None:
    """From (0, 0) by (1.3, -0.5) and (8.7, 10.5)."""
    assert path_data([(0, 0), (1.3, -0.5), (1.3, -0.5), (10, 10.04)], True) == "M0 0l1.3-.5 8.7 10.5Z"
    assert path_data([(5, 5), (5.01, 5)], False) == "" and path_data([], True) == ""
