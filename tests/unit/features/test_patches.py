"""Pictures about a circle: toys by hand, and every rule about what may be seen. Mutations that were seen to fail are in the docstrings."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from forecaster.features.events import NEVER, Events
from forecaster.features.geometry import KM_PER_DEGREE
from forecaster.features.patches import CELL_RADII, CELLS, CHANNELS, STEPS, circle_patches, place
from forecaster.features.windows import target_days
from forecaster.timewindow import DAY_US

CENTRE = (35.0, 140.0)
QUIET_RATE = 1e-9
CUT = "2024-01-02T23:30+09:00"


@pytest.fixture
def circle(recipe):
    return recipe("tokyo-m45", predict_center_lat=CENTRE[0], predict_center_lng=CENTRE[1], predict_radius_meters=200_000)


def picture(catalogue: Events, circle, rate: float = QUIET_RATE) -> np.ndarray:
    days = target_days(circle, date(2024, 1, 3), 1)
    return circle_patches(place(catalogue, circle), days.cut_us, np.array([rate]))[0].astype(np.float64)


def filled(picture: np.ndarray) -> list[tuple[int, int, int]]:
    """(step, row, column) of the cells that hold events."""
    return [tuple(found) for found in np.argwhere(picture[..., 0] > 0).tolist()]


def test_one_event_by_hand(circle, events) -> None:
    """M 5.7, 100 km deep, half a day before the cut, at the centre, threshold 4.5: the last step's middle cell.

    log((1 + .1) / .1) = 2.398; log((10^1.2 + .1) / .1) = 5.070; log 2 = .693 for deep and for larger. Elsewhere log(.1 / .1) = 0."""
    found = picture(events(("2024-01-02T11:30+09:00", *CENTRE, 100.0, 5.7)), circle)
    assert found.shape == (STEPS, CELLS, CELLS, len(CHANNELS)) == (9, 5, 5, 4)
    assert found[8, 2, 2] == pytest.approx([2.398, 5.070, 0.693, 0.693], abs=5e-3)
    assert filled(found) == [(8, 2, 2)] and np.abs(found).sum() == pytest.approx(found[8, 2, 2].sum(), abs=1e-3)


def test_rows_go_north_and_columns_east(circle, events) -> None:
    """Cells are 100 km: 100 km north is row 3, 200 km west column 0. Swapping sine and cosine of the bearing fails."""
    north, west = 100 / KM_PER_DEGREE, 200 / (KM_PER_DEGREE * np.cos(np.radians(CENTRE[0])))
    moments = ("2024-01-02T11:30+09:00", "2024-01-02T11:31+09:00")
    assert filled(picture(events((moments[0], CENTRE[0] + north, CENTRE[1], 10.0, 5.0)), circle)) == [(8, 3, 2)]
    assert filled(picture(events((moments[1], CENTRE[0], CENTRE[1] - west, 10.0, 5.0)), circle)) == [(8, 2, 0)]


def test_distances_are_true_across_the_date_line(recipe, events) -> None:
    """From a centre at 179.5 E, 179.9 W lies 0.6 degrees east, 66.7 km at the equator: with cells of 100 km one column further."""
    line = recipe("tokyo-m45", predict_center_lat=0.0, predict_center_lng=179.5, predict_radius_meters=200_000)
    assert filled(picture(events(("2024-01-02T11:30+09:00", 0.0, -179.9, 10.0, 5.0)), line)) == [(8, 2, 3)]


def test_spans_double_and_end_at_the_cut(circle, events) -> None:
    """Ages of 0.5, 1, 3, 255 and 256 days: steps 8, 8, 6, 0, 0; 257 days is too old. A span holds its older end, not its younger one."""
    ages = {0.5: 8, 1.0: 8, 1.01: 7, 3.0: 6, 255.0: 0, 256.0: 0}
    cut = target_days(circle, date(2024, 1, 3), 1).cut_us[0]
    for age, step in ages.items():
        assert filled(picture(one(cut - round(age * DAY_US)), circle)) == [(step, 2, 2)], age
    assert filled(picture(one(cut - 257 * DAY_US), circle)) == []


def test_the_cut_is_not_seen(circle) -> None:
    """An event at the cut is not an input, one a microsecond before it is."""
    cut = target_days(circle, date(2024, 1, 3), 1).cut_us[0]
    assert filled(picture(one(cut), circle)) == []
    assert filled(picture(one(cut - 1), circle)) == [(8, 2, 2)]


def test_events_enter_when_known_and_leave_when_replaced(circle) -> None:
    """Known at the cut: seen; a microsecond later: not. Replaced at the cut: gone; a microsecond later: still there."""
    cut = target_days(circle, date(2024, 1, 3), 1).cut_us[0]
    origin = cut - DAY_US // 2
    for known, until, seen in (
        (cut, NEVER, True),
        (cut + 1, NEVER, False),
        (origin, cut, False),
        (origin, cut + 1, True),
        (cut + 1, cut + 2, False),
    ):
        assert bool(filled(picture(one(origin, known, until), circle))) is seen, (known - cut, until - cut)


def test_below_the_threshold_is_not_seen(circle, events) -> None:
    assert filled(picture(events(("2024-01-02T11:30+09:00", *CENTRE, 10.0, 4.4)), circle)) == []


def test_counts_are_set_against_the_usual_rate(circle, events) -> None:
    """Rate 10 a day: a cell of .25 r^2 holds 10 x .25 / pi = .796 a day; empty it says log(.1 / .896) = -2.193, over 128 days
    log(.1 / 101.96) = -6.927."""
    found = picture(events(), circle, 10.0)
    assert found[8, 0, 0, 0] == pytest.approx(-2.193, abs=5e-3) and found[0, 4, 1, 1] == pytest.approx(-6.927, abs=5e-3)
    assert CELL_RADII**2 / np.pi * 10 == pytest.approx(0.796, abs=1e-3)


def test_as_one_by_one_from_the_definition(circle) -> None:
    """Random versions, 40 cuts in any order, against `Events.visible` and a loop: the running sums, the versions taken off and put on."""
    rng = np.random.default_rng(8)
    days = target_days(circle, date(2023, 11, 1), 80)
    days = days.take(rng.permutation(80)[:40])
    start, count = days.cut_us.min() - 300 * DAY_US, 600
    origin = np.sort(start + rng.integers(0, 400 * DAY_US, count))
    known = origin + rng.integers(0, 20 * DAY_US, count) * (rng.random(count) < 0.7)
    until = np.where(rng.random(count) < 0.4, known + rng.integers(0, 40 * DAY_US, count), NEVER)
    lat, lon = CENTRE[0] + rng.normal(0, 2, count), CENTRE[1] + rng.normal(0, 2, count)
    depth = np.where(rng.random(count) < 0.1, np.nan, rng.uniform(0, 200, count))
    catalogue = Events(origin, known, lat, lon, depth, 4.0 + rng.exponential(0.6, count), until)
    found = circle_patches(place(catalogue, circle), days.cut_us, np.full(40, 0.1))
    for sample, cut in enumerate(days.cut_us):
        seen = catalogue.visible(cut)
        seen = replace(seen, known_at_us=seen.origin_time_us, known_until_us=np.full(len(seen), NEVER))
        alone = circle_patches(place(seen, circle), np.array([cut]), np.array([0.1]))[0]
        np.testing.assert_allclose(found[sample].astype(float), alone.astype(float), atol=1e-2)
        ages = (cut - seen.origin_time_us) / DAY_US
        placed = place(seen.take((ages <= 1) & (ages > 0)), circle)
        counts = np.bincount(placed.cell, minlength=CELLS**2).reshape(CELLS, CELLS)
        usual = 0.1 * CELL_RADII**2 / np.pi
        np.testing.assert_allclose(alone[8, ..., 0].astype(float), np.log((counts + 0.1) / (usual + 0.1)), atol=5e-3)


def one(origin: int, known: int | None = None, until: int = NEVER) -> Events:
    """One M 5 at the centre."""
    times = np.array([origin, origin if known is None else known, until], dtype=np.int64)[:, None]
    return Events(times[0], times[1], *(np.array([value]) for value in (*CENTRE, 10.0, 5.0)), times[2])
