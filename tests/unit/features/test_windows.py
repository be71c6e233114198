"""Target days, input windows and cuts. Clock changes are those of the IANA time zone database, quoted at each test."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecaster.features.windows import complete_days, first_complete_day, pairs_between, target_days
from forecaster.timewindow import from_us, to_us

HOUR_US = 3_600_000_000


def at(text: str) -> int:
    return to_us(datetime.fromisoformat(text))


def test_tokyo_by_hand(recipe) -> None:
    """2024-01-03 in Tokyo (UTC+9): target, cut at 23:30 of the day before, first of 15 window days on 2023-12-19."""
    days = target_days(recipe("tokyo"), date(2024, 1, 3), 2)
    assert days.target_starts_us.tolist() == [at("2024-01-03T00:00+09:00"), at("2024-01-04T00:00+09:00")]
    assert days.target_ends_us.tolist() == [at("2024-01-04T00:00+09:00"), at("2024-01-05T00:00+09:00")]
    assert days.cut_us.tolist() == [at("2024-01-02T23:30+09:00"), at("2024-01-03T23:30+09:00")]
    assert days.day_starts_us.shape == (2, 15)
    assert days.day_starts_us[0, [0, -1]].tolist() == [at("2023-12-19T00:00+09:00"), at("2024-01-02T00:00+09:00")]
    assert days.day_ends_us[0, -2:].tolist() == [at("2024-01-02T00:00+09:00"), at("2024-01-02T23:30+09:00")]
    assert days.first_day == date(2024, 1, 3) and len(days) == 2 and days.window_days == 15


@pytest.mark.parametrize(
    ("recipe_id", "short_or_long", "hours"),
    [
        ("santiago", date(2023, 9, 3), 23),  # clocks go from 24:00 to 01:00: midnight does not exist
        ("santiago", date(2024, 4, 6), 25),  # clocks go from 24:00 back to 23:00
        ("wellington", date(2023, 9, 24), 23),
        ("wellington", date(2024, 4, 7), 25),
        ("tokyo", date(2024, 4, 7), 24),
    ],
)
def test_days_where_clocks_change(recipe, recipe_id: str, short_or_long: date, hours: int) -> None:
    """A day of always 24 hours fails; so does a day that starts at an hour that does not exist."""
    days = target_days(recipe(recipe_id), short_or_long - timedelta(days=2), 5)
    lengths = (days.target_ends_us - days.target_starts_us) // HOUR_US
    assert lengths.tolist() == [24, 24, hours, 24, 24]
    assert (days.target_starts_us[1:] == days.target_ends_us[:-1]).all()
    assert (days.cut_us < days.target_starts_us).all()
    assert (days.cut_us > days.day_starts_us[:, -1]).all()


@settings(deadline=None)
@given(
    st.dates(date(1974, 1, 1), date(2026, 12, 31)), st.integers(0, 40), st.sampled_from(["santiago", "wellington", "tonga", "anchorage"])
)
def test_window_ends_where_the_target_starts(recipe, first: date, count: int, recipe_id: str) -> None:
    days = target_days(recipe(recipe_id), first, count)
    assert days.day_starts_us.shape == (count, 15) and len(days) == count
    edges = np.concatenate([days.day_starts_us, days.target_starts_us[:, None]], axis=1)
    assert np.isin(np.diff(edges, axis=1) // HOUR_US, (23, 24, 25)).all()


def test_range_of_several_days(recipe) -> None:
    days = target_days(recipe("tokyo", predict_range_days=3), date(2024, 1, 3), 2)
    assert (days.target_ends_us - days.target_starts_us == 72 * HOUR_US).all()


def test_taken_days_keep_their_own_times(recipe) -> None:
    days = target_days(recipe("tokyo"), date(2024, 1, 1), 40)
    some = days.take(np.array([31, 0]))
    assert some.local_days.tolist() == [date(2024, 2, 1), date(2024, 1, 1)]
    assert some.day_starts_us.tolist() == [days.day_starts_us[31].tolist(), days.day_starts_us[0].tolist()]


def test_windows_are_views(recipe) -> None:
    """Fault 11: 15 copies of every day. The midnights of 10,000 windows lie in memory once."""
    starts = target_days(recipe("tokyo"), date(1990, 1, 1), 10_000).day_starts_us
    assert starts.strides == (8, 8) and not starts.flags.owndata


def test_an_early_issue_cuts_early_and_a_late_one_changes_nothing(recipe) -> None:
    days = target_days(recipe("tokyo"), date(2024, 1, 3), 1)
    early = datetime(2024, 1, 2, 12, 0, tzinfo=UTC)
    assert days.issued_at(early).cut_us.tolist() == [to_us(early)]
    assert days.issued_at(datetime(2024, 1, 3, 3, 0, tzinfo=UTC)).cut_us.tolist() == days.cut_us.tolist()


def test_partial_last_day_is_no_target_day(recipe) -> None:
    """Fault 9. Coverage ends on 2024-01-03 at 18:00 JST: that day is not whole; with its last microsecond it is."""
    tokyo, first = recipe("tokyo"), date(2024, 1, 1)
    midnight = datetime(2024, 1, 3, 15, 0, tzinfo=UTC)
    assert complete_days(tokyo, first, datetime(2024, 1, 3, 9, 0, tzinfo=UTC)).local_days.tolist() == [date(2024, 1, 1), date(2024, 1, 2)]
    assert len(complete_days(tokyo, first, midnight - timedelta(microseconds=1))) == 2
    assert len(complete_days(tokyo, first, midnight)) == 3
    assert len(complete_days(recipe("tokyo", predict_range_days=3), first, midnight)) == 1
    assert len(complete_days(tokyo, date(2024, 1, 9), midnight)) == 0


@settings(deadline=None)
@given(
    st.integers(at("1990-01-01T00:00Z"), at("2026-01-01T00:00Z")).map(from_us),
    st.integers(1, 5),
    st.sampled_from(["santiago", "wellington", "tokyo"]),
)
def test_complete_days_are_all_and_only_the_whole_ones(recipe, end: datetime, reach: int, recipe_id: str) -> None:
    chosen = recipe(recipe_id, predict_range_days=reach)
    first = end.date() - timedelta(days=20)
    days = complete_days(chosen, first, end)
    assert days.target_ends_us[-1] <= to_us(end) < target_days(chosen, first, len(days) + 1).target_ends_us[-1]


def test_first_complete_day_has_its_whole_window_covered(recipe) -> None:
    """Coverage from 1973-01-01T00:00Z, 09:00 in Tokyo: the first whole day is 2 January, 15 window days later is 17 January."""
    tokyo = recipe("tokyo")
    assert first_complete_day(tokyo, datetime(1973, 1, 1, tzinfo=UTC)) == date(1973, 1, 17)
    assert first_complete_day(tokyo, datetime(1973, 1, 1, 15, 0, tzinfo=UTC)) == date(1973, 1, 17)
    assert first_complete_day(tokyo, datetime(1973, 1, 1, 15, 0, 1, tzinfo=UTC)) == date(1973, 1, 18)


@settings(deadline=None)
@given(st.lists(st.integers(0, 30)), st.lists(st.tuples(st.integers(-5, 35), st.integers(-5, 35)), max_size=8))
def test_pairs_between_is_the_double_loop(times: list[int], spans: list[tuple[int, int]]) -> None:
    """Half-open: a time at a span's end belongs to the next one (fault 6: the last second of every chunk was lost). Also of spans in order,
    which are looked up from few times."""
    ordered = np.array(sorted(times), dtype=np.int64)
    in_order = list(zip(*(sorted(side) for side in zip(*spans, strict=True)), strict=True)) if spans else []
    for drawn in (spans, in_order):
        starts, ends = (np.array([span[side] for span in drawn], dtype=np.int64) for side in (0, 1))
        span, index = pairs_between(ordered, starts, ends)
        slow = [(s, i) for s, (a, b) in enumerate(drawn) for i, t in enumerate(ordered) if a <= t < b]
        assert list(zip(span.tolist(), index.tolist(), strict=True)) == slow
