"""Heatmaps. Toys are worked by hand on the first system's grid: 20 rows of 9 degrees from the south pole, 30 columns of 12 degrees about
the target. Mutations that were seen to fail are named in the docstrings; the numbered faults are those of the first system.
"""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecaster.features.events import Events
from forecaster.features.windows import target_days
from forecaster.models.first_system.daily_grid import cell_of, day_summary, place_on_grid, window_tensor

TOKYO = (35.680934, 139.767551)
ROW, COLUMN = 13, 15  # (35.68 + 90) / 9 = 13.96; the target's own meridian is the west edge of column 15
TARGET = date(2024, 1, 3)
YESTERDAY = "2024-01-02T12:00+09:00"


def tensor_of(catalogue: Events, recipe, first: date = TARGET, count: int = 1) -> np.ndarray:
    return window_tensor(place_on_grid(catalogue, recipe), target_days(recipe, first, count))


def random_events(rng: np.random.Generator, count: int, first: date = date(2023, 12, 10), span_days: int = 30) -> Events:
    start = np.datetime64(first, "us").astype(np.int64)
    origin = np.sort(start + rng.integers(0, span_days * 86_400_000_000, count))
    known = origin + rng.integers(0, 3 * 86_400_000_000, count)
    depth = np.where(rng.random(count) < 0.1, np.nan, rng.uniform(-3, 650, count))
    return Events(origin, known, rng.uniform(-90, 90, count), rng.uniform(-180, 180, count), depth, rng.uniform(0, 9.5, count))


def test_one_event_by_hand(recipe, events) -> None:
    """M 5, 50 km deep, at noon of the day before: 5/10, 1/100, 50/500 in one cell of the last day, nothing else. Transposed axes fail."""
    tensor = tensor_of(events((YESTERDAY, *TOKYO, 50.0, 5.0)), recipe("tokyo"))
    assert tensor.shape == (1, 15, 20, 30, 3) and tensor.dtype == np.float32
    assert tensor[0, 14, ROW, COLUMN] == pytest.approx([0.5, 0.01, 0.1])
    assert np.count_nonzero(tensor) == 3


def test_energies_are_summed_not_magnitudes(recipe, events) -> None:
    """Ten events of M 4 hold the energy of one of 4 + log10(10) / 1.5 = 4.6667. Mean, maximum or sum of magnitudes fail."""
    tensor = tensor_of(events(*[(YESTERDAY, *TOKYO, 20.0 + i, 4.0) for i in range(10)]), recipe("tokyo"))
    assert tensor[0, 14, ROW, COLUMN] == pytest.approx([0.46667, 0.1, 24.5 / 500], abs=1e-5)


def test_scales_are_clipped(recipe, events) -> None:
    """110 events of M 9.9 at 700 km: M 10, 100 events, 500 km. A depth above the ground is 0."""
    full = tensor_of(events(*[(YESTERDAY, *TOKYO, 700.0, 9.9)] * 110), recipe("tokyo"))
    assert full[0, 14, ROW, COLUMN].tolist() == [1.0, 1.0, 1.0]
    assert tensor_of(events((YESTERDAY, *TOKYO, -3.0, 5.0)), recipe("tokyo"))[0, 14, ROW, COLUMN, 2] == 0.0


def test_depth_0_and_magnitude_0_are_events(recipe, events) -> None:
    """Fault 10: `if depth` or `if magnitude` loses them. Depth 0 pulls the mean of 0 and 100 km to 50; M 0 is counted."""
    two = tensor_of(events((YESTERDAY, *TOKYO, 0.0, 4.0), (YESTERDAY, *TOKYO, 100.0, 4.0)), recipe("tokyo"))
    assert two[0, 14, ROW, COLUMN, 2] == pytest.approx(50 / 500)
    nought = tensor_of(events((YESTERDAY, *TOKYO, 0.0, 0.0)), recipe("tokyo"))
    assert nought[0, 14, ROW, COLUMN] == pytest.approx([0.0, 0.01, 0.0])
    assert nought[0].sum() > tensor_of(events(), recipe("tokyo"))[0].sum()


def test_missing_depth_does_not_poison_its_cell(recipe, events) -> None:
    """Fault 10: with NaN, 60 and 90 km the mean is 75 (not NaN, not 50), the count 3; with NaN alone the depth is 0."""
    three = [(YESTERDAY, *TOKYO, depth, 4.0) for depth in (np.nan, 60.0, 90.0)]
    assert tensor_of(events(*three), recipe("tokyo"))[0, 14, ROW, COLUMN, 1:] == pytest.approx([0.03, 75 / 500])
    assert tensor_of(events(three[0]), recipe("tokyo"))[0, 14, ROW, COLUMN] == pytest.approx([0.4, 0.01, 0.0])


def test_latitude_and_longitude_are_not_swapped(recipe) -> None:
    """Rows follow latitude, columns longitude, both growing; swapping them in `cell_of` fails. 46 N 20 W of Tokyo: rows +1, columns -2."""
    tokyo = recipe("tokyo")
    cells = cell_of(tokyo, np.array([35.7, 46.0, 35.7, 46.0]), np.array([139.8, 139.8, 119.8, 119.8]))
    assert [divmod(cell, 30) for cell in cells.tolist()] == [(13, 15), (15, 15), (13, 13), (15, 13)]


def test_corners_of_the_world(recipe) -> None:
    """The poles and both writings of the date line have cells: 180 is 40.2 degrees east of Tokyo, column floor((40.2 + 180) / 12) = 18."""
    cells = cell_of(recipe("tokyo"), np.array([90.0, -90.0, 0.0, 0.0]), np.array([139.8, 139.8, 180.0, -180.0]))
    assert [divmod(cell, 30) for cell in cells.tolist()] == [(19, 15), (0, 15), (10, 18), (10, 18)]


@pytest.mark.parametrize("recipe_id", ["tokyo", "fukuoka", "tonga", "kermadec", "los-angeles"])
def test_the_target_longitude_is_in_the_middle(recipe, recipe_id: str) -> None:
    """Fault 4: a map that does not turn with the target. Just east and west of the centre are the two middle columns, date line or not."""
    chosen = recipe(recipe_id, grid="world", lat_granularity=20, lng_granularity=30, grid_cell_km=None)
    lon = chosen.predict_center_lng + np.array([-0.1, 0.1])
    assert (cell_of(chosen, np.full(2, chosen.predict_center_lat), lon) % 30).tolist() == [14, 15]


def test_tokyo_is_not_trained_on_the_map_of_fukuoka(recipe, events) -> None:
    """Fault 4: the same catalogue gives different maps for different centre longitudes (130.4 and 139.8 E)."""
    catalogue = events((YESTERDAY, 36.0, 135.0, 10.0, 5.0))
    tokyo, fukuoka = tensor_of(catalogue, recipe("tokyo")), tensor_of(catalogue, recipe("fukuoka"))
    assert np.argwhere(tokyo)[0].tolist() == [0, 14, 14, 14, 0]
    assert np.argwhere(fukuoka)[0].tolist() == [0, 14, 14, 15, 0]


def test_regional_grid_by_hand(recipe) -> None:
    """9 x 7 cells of 50 km about Tonga, 174.5 W: the target is in the middle of cell (4, 3), whose edges lie 25 km away. East, at 20 S,
    a degree is 104.49 km, so 1 degree is 2.09 cells; 175.5 W is one degree west, 185.5 E the target itself; 4 degrees away is outside."""
    tonga = recipe("tonga", grid="regional", grid_cell_km=50.0, lat_granularity=9, lng_granularity=7)
    lat = np.array([-20.0, -20.0, -19.0, -20.0, -20.0, -20.0, -16.0, -20.0, -20.0 + 0.224, -20.0 + 0.225])
    lon = np.array([-174.5, -173.5, -174.5, -175.5, 185.5, -170.5, -174.5, 5.5, -174.5, -174.5])
    cells = cell_of(tonga, lat, lon).tolist()
    assert cells == [4 * 7 + 3, 4 * 7 + 5, 6 * 7 + 3, 4 * 7 + 1, 4 * 7 + 3, -1, -1, -1, 4 * 7 + 3, 5 * 7 + 3]


def test_regional_grid_meets_the_date_line(recipe) -> None:
    """Kermadec, 178 W: 179 E is 3 degrees west (289 km at 30 S, 6 cells of 50 km), not 357 degrees east."""
    kermadec = recipe("kermadec", grid="regional", grid_cell_km=50.0, lat_granularity=21, lng_granularity=21)
    assert cell_of(kermadec, np.array([-30.0]), np.array([179.0])).tolist() == [10 * 21 + 10 - 6]


def test_an_empty_day_is_empty(recipe, events) -> None:
    """Fault 5: a day without events handed its neighbour's array on. One event six days before: the other 14 days are all zero."""
    tensor = tensor_of(events(("2023-12-28T12:00+09:00", *TOKYO, 10.0, 6.0)), recipe("tokyo"))
    assert np.flatnonzero(tensor[0].any(axis=(1, 2, 3))).tolist() == [9]


def test_days_are_told_apart_by_month_and_year(recipe, events) -> None:
    """Fault 5: the same day of another month or year is another day. Windows of 60 days would hold both 2 December and 2 January."""
    long_window = recipe("tokyo", window_days=60)
    catalogue = events(
        ("2022-01-02T12:00+09:00", *TOKYO, 10.0, 8.0), ("2023-12-02T12:00+09:00", *TOKYO, 10.0, 7.0), (YESTERDAY, *TOKYO, 10.0, 6.0)
    )
    tensor = tensor_of(catalogue, long_window)
    assert tensor[0, :, ROW, COLUMN, 0][[28, 59]] == pytest.approx([0.7, 0.6])
    assert np.count_nonzero(tensor[..., 1]) == 2


def test_last_day_ends_at_the_cut_and_the_target_day_is_outside(recipe, events) -> None:
    """Fault 1. The cut is 23:30: 23:29:59.999999 is an input; 23:30:00, 23:45 and the target day are not. `<=` at the cut fails."""
    times = ["2024-01-02T23:29:59.999999+09:00", "2024-01-02T23:30:00+09:00", "2024-01-02T23:45+09:00", "2024-01-03T00:00+09:00"]
    counts = [tensor_of(events((time, *TOKYO, 10.0, 5.0)), recipe("tokyo")).any() for time in times]
    assert counts == [True, False, False, False]


def test_what_was_not_known_at_the_cut_is_no_input(recipe, events) -> None:
    """An event of the morning, known at 23:30 sharp, is an input; known a microsecond later it is one of the next day's forecast only."""
    on_time = (YESTERDAY, *TOKYO, 10.0, 5.0, "2024-01-02T23:30+09:00")
    late = (YESTERDAY, *TOKYO, 10.0, 5.0, "2024-01-02T23:30:00.000001+09:00")
    assert tensor_of(events(on_time), recipe("tokyo"), count=2).any(axis=(1, 2, 3, 4)).tolist() == [True, True]
    assert tensor_of(events(late), recipe("tokyo"), count=2).any(axis=(1, 2, 3, 4)).tolist() == [False, True]


def test_first_instant_of_the_window_is_in_it(recipe, events) -> None:
    catalogue = events(("2023-12-18T23:59:59.999999+09:00", *TOKYO, 10.0, 5.0), ("2023-12-19T00:00+09:00", *TOKYO, 10.0, 5.0))
    tensor = tensor_of(catalogue, recipe("tokyo"))
    assert tensor[0, 0, ROW, COLUMN, 1] == pytest.approx(0.01) and np.count_nonzero(tensor[..., 1]) == 1


@pytest.mark.parametrize(
    ("recipe_id", "day"), [("santiago", date(2023, 9, 3)), ("wellington", date(2024, 4, 7)), ("tokyo", date(2024, 4, 7))]
)
def test_every_hour_of_a_changed_day_is_counted_once(recipe, events, recipe_id: str, day: date) -> None:
    """One event at the middle of each hour (UTC) over the ten days about a clock change: 23, 24 or 25 in a day, none lost, none twice."""
    chosen = recipe(recipe_id, issue_local_time="23:59", grid="world", grid_cell_km=None)
    days = target_days(chosen, day + timedelta(days=5), 1)
    hours = np.arange(days.day_starts_us[0, 0], days.target_starts_us[0], 3_600_000_000) + 1_800_000_000
    n = len(hours)
    catalogue = Events(hours, hours, np.full(n, -30.0), np.zeros(n), np.full(n, 10.0), np.full(n, 5.0))
    counted = np.rint(window_tensor(place_on_grid(catalogue, chosen), days)[0, ..., 1].sum(axis=(1, 2)) * 100)
    lengths = np.diff(np.append(days.day_starts_us[0], days.target_starts_us[0])) // 3_600_000_000
    assert counted.tolist() == lengths.tolist() and counted.sum() == n


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["tokyo", "tonga", "tokyo-m45"]))
def test_changing_the_future_changes_no_feature(recipe, seed: int, recipe_id: str) -> None:
    """Fault 1: all events from the cut on, and all that became known after it, are replaced by others; not one number moves."""
    rng, chosen = np.random.default_rng(seed), recipe(recipe_id)
    days = target_days(chosen, TARGET, 1)
    past, other = random_events(rng, 400), random_events(rng, 400)
    known = past.take((past.origin_time_us < days.cut_us[0]) & (past.known_at_us <= days.cut_us[0]))
    unknown = other.take((other.origin_time_us >= days.cut_us[0]) | (other.known_at_us > days.cut_us[0]))
    assert 0 < len(known) < len(past) and len(unknown)
    both = [np.concatenate([getattr(known, name), getattr(unknown, name)]) for name in Events.__dataclass_fields__]
    order = np.argsort(both[0], kind="stable")
    grids = [place_on_grid(e, chosen) for e in (past, known, Events(*(values[order] for values in both)))]
    tensors = [window_tensor(grid, days) for grid in grids]
    summaries = [day_summary(grid, days) for grid in grids]
    assert np.array_equal(tensors[0], tensors[1]) and np.array_equal(tensors[0], tensors[2])
    assert np.array_equal(summaries[0], summaries[1]) and np.array_equal(summaries[0], summaries[2])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_train_is_serve(recipe, seed: int) -> None:
    """A day in a shuffled training batch over the whole catalogue is, bit for bit, that day alone over the catalogue cut at its issue."""
    rng, tokyo = np.random.default_rng(seed), recipe("tokyo")
    catalogue = random_events(rng, 2000, date(2023, 11, 1), 80)
    days = target_days(tokyo, date(2023, 12, 1), 30)
    shuffled = rng.permutation(30)
    batch = window_tensor(place_on_grid(catalogue, tokyo), days.take(shuffled))
    for position in (0, 7, 29):
        alone = target_days(tokyo, days.local_days[shuffled[position]].item(), 1)
        seen = catalogue.take((catalogue.origin_time_us < alone.cut_us[0]) & (catalogue.known_at_us <= alone.cut_us[0]))
        assert np.array_equal(window_tensor(place_on_grid(seen, tokyo), alone)[0], batch[position])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["tokyo", "tonga"]))
def test_cell_counts_add_up_to_the_events(recipe, seed: int, recipe_id: str) -> None:
    """On the world grid no event is lost and none is counted twice: cells of a window add up to its known events."""
    rng = np.random.default_rng(seed)
    chosen = recipe(recipe_id, grid="world", lat_granularity=20, lng_granularity=30, grid_cell_km=None)
    catalogue, days = random_events(rng, 300), target_days(chosen, TARGET, 4)
    tensor = window_tensor(place_on_grid(catalogue, chosen), days)
    inside = (
        (catalogue.origin_time_us >= days.day_starts_us[:, :1])
        & (catalogue.origin_time_us < days.cut_us[:, None])
        & (catalogue.known_at_us <= days.cut_us[:, None])
    )
    assert np.rint(tensor[..., 1].sum(axis=(1, 2, 3), dtype=np.float64) * 100).tolist() == inside.sum(axis=1).tolist()
    assert np.isfinite(tensor).all() and tensor.min() >= 0 and tensor.max() <= 1


def test_summary_by_hand(recipe, events) -> None:
    """M 5 in the circle yesterday, M 6 far away five days before. Circle: M 5 and one event in all spans; grid: one event within 1 and
    3 days, two within 7 and 15, whose energies sum to M 6 + log10(1 + 10^-1.5) / 1.5 = 6.00902."""
    catalogue = events((YESTERDAY, *TOKYO, 10.0, 5.0), ("2023-12-29T12:00+09:00", -20.0, -70.0, 10.0, 6.0))
    summary = day_summary(place_on_grid(catalogue, recipe("tokyo")), target_days(recipe("tokyo"), TARGET, 1))
    one, two = np.log10(2) / 2, np.log10(3) / 2
    assert summary.shape == (1, 16)
    assert summary[0, :8] == pytest.approx([0.5, one] * 4)
    assert summary[0, 8:] == pytest.approx([0.5, one, 0.5, one, 0.600902, two, 0.600902, two], abs=1e-6)


def test_summary_of_a_short_window(recipe, events) -> None:
    """A window of 5 days has the spans 1, 3 and 5."""
    short = recipe("tokyo", window_days=5)
    assert day_summary(place_on_grid(events(), short), target_days(short, TARGET, 2)).shape == (2, 12)
