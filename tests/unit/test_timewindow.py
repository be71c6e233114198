"""Local days and windows. Clock changes are those of the IANA time zone database, quoted at each test."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecaster.errors import BadDate
from forecaster.timewindow import (
    PLACE_OF,
    TimeWindow,
    check_target_day,
    check_zone_name,
    day_exists,
    days_between,
    from_us,
    issue_time,
    local_day,
    local_midnight,
    local_midnights_us,
    next_local_day,
    parse_day,
    require_utc,
    target_window,
    to_us,
    zone_names,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TOKYO, SANTIAGO = ZoneInfo("Asia/Tokyo"), ZoneInfo("America/Santiago")
AUCKLAND, TONGA = ZoneInfo("Pacific/Auckland"), ZoneInfo("Pacific/Tongatapu")

moments = st.integers(-2_000_000_000_000_000, 4_000_000_000_000_000).map(lambda us: EPOCH + timedelta(microseconds=us))  # 1906 to 2096


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "zone", "midnight"),
    [
        (date(2024, 1, 3), TOKYO, "2024-01-02T15:00"),
        (date(2024, 1, 3), TONGA, "2024-01-02T11:00"),  # UTC+13, east of the date line by its clock
        (date(2023, 9, 3), SANTIAGO, "2023-09-03T04:00"),  # 24:00 at UTC-4 becomes 01:00 at UTC-3: the day starts at the change
        (date(2024, 4, 7), SANTIAGO, "2024-04-07T04:00"),  # 24:00 at UTC-3 became 23:00 at UTC-4; midnight comes an hour later
        (date(2023, 9, 24), AUCKLAND, "2023-09-23T12:00"),
        (date(2023, 9, 25), AUCKLAND, "2023-09-24T11:00"),
    ],
)
def test_midnights(day: date, zone: ZoneInfo, midnight: str) -> None:
    """Reading the day in the host's zone or in UTC (fault 9) fails every row."""
    assert local_midnight(day, zone) == utc(midnight)
    assert from_us(local_midnights_us(day, 1, zone)[0]) == utc(midnight)


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        (date(2023, 9, 3), SANTIAGO, 23),
        (date(2024, 4, 6), SANTIAGO, 25),
        (date(2023, 9, 24), AUCKLAND, 23),
        (date(2024, 4, 7), AUCKLAND, 25),
    ],
)
def test_length_of_days_where_clocks_change(day: date, zone: ZoneInfo, hours: int) -> None:
    window = target_window(day, zone)
    assert window.end - window.start == timedelta(hours=hours)


def test_issue_time_is_local_and_the_day_before() -> None:
    assert issue_time(date(2024, 1, 3), TOKYO, time(23, 30)) == utc("2024-01-02T14:30")
    first_of_two = issue_time(date(2024, 4, 7), SANTIAGO, time(23, 30))  # 23:30 comes twice on 6 April; the first, at UTC-3
    assert first_of_two == utc("2024-04-07T02:30")


@settings(deadline=None)
@given(moments, st.sampled_from([TOKYO, SANTIAGO, AUCKLAND, TONGA]))
def test_every_moment_lies_in_the_window_of_its_local_day(moment: datetime, zone: ZoneInfo) -> None:
    window = target_window(local_day(moment, zone), zone)
    assert window.start <= moment < window.end
    assert next_local_day(moment, zone) == local_day(window.end, zone)


@settings(deadline=None)
@given(moments)
def test_microseconds_are_exact_both_ways(moment: datetime) -> None:
    """Floating-point seconds lose microseconds."""
    assert from_us(to_us(moment)) == moment


def test_times_without_a_zone_are_errors() -> None:
    naive = datetime(2024, 1, 1)  # noqa: DTZ001
    with pytest.raises(ValueError, match="aware UTC"):
        require_utc(naive, "start")
    with pytest.raises(ValueError, match="aware UTC"):
        require_utc(datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=9))), "start")
    with pytest.raises(ValueError, match="aware UTC"):
        TimeWindow(naive, utc("2024-01-02"))
    for moment in (naive, pd.Timestamp(naive), pd.NaT):
        with pytest.raises((TypeError, ValueError), match=r"naive|NaN"):
            to_us(moment)


def test_a_window_has_a_length() -> None:
    with pytest.raises(BadDate, match="at or before its start"):
        TimeWindow(utc("2024-01-02"), utc("2024-01-02"))


def test_days_as_people_write_them() -> None:
    assert parse_day(" 2024-01-03 ") == parse_day("20240103") == date(2024, 1, 3)
    for text in ("2024-02-30", "03.01.2024", "tomorrow", ""):
        with pytest.raises(BadDate, match="YYYY-MM-DD"):
            parse_day(text)


def test_target_days_that_make_sense() -> None:
    """At 2024-01-02 14:59 UTC it is 2 January in Tokyo, a minute later it is the 3rd: the farthest day moves from the 9th to the 10th."""
    assert check_target_day(date(2024, 1, 9), TOKYO, utc("2024-01-02T14:59")) == date(2024, 1, 9)
    with pytest.raises(BadDate, match="2024-01-09"):
        check_target_day(date(2024, 1, 10), TOKYO, utc("2024-01-02T14:59"))
    assert check_target_day(date(2024, 1, 10), TOKYO, utc("2024-01-02T15:00")) == date(2024, 1, 10)
    with pytest.raises(BadDate, match="before the data"):
        check_target_day(date(1973, 1, 1), TOKYO, utc("2024-01-02T15:00"))


def test_days_between_holds_both_ends() -> None:
    assert list(days_between(date(2024, 2, 28), date(2024, 3, 1))) == [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1)]


def test_a_day_that_the_clocks_left_out_is_no_target():
    """Samoa went from 29 to 31 December 2011 (IANA tz database, Pacific/Apia)."""
    zone = ZoneInfo("Pacific/Apia")
    assert [day_exists(date(2011, 12, day), zone) for day in (29, 30, 31)] == [True, False, True]
    with pytest.raises(BadDate, match="2011-12-30 does not exist in Pacific/Apia"):
        check_target_day(date(2011, 12, 30), zone, datetime(2024, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("localtime", "Asia/Tokyo"),  # whatever this machine is set to
        ("Factory", "Asia/Tokyo"),
        ("posixrules", "Asia/Tokyo"),
        ("Etc/Unknown", "Asia/Tokyo"),
        ("right/Asia/Tokyo", "Asia/Tokyo"),
        ("EST", "America/Panama"),  # five hours behind, all the year; New York is not
        ("EST5EDT", "America/New_York"),
        ("CET", "Europe/Brussels"),
        ("Asia/Tokio", "such as Asia/Tokyo (did you mean that?)"),
        ("europe/athens", "such as Europe/Athens (did you mean that?)"),
        ("Pacific/Aukland", "such as Pacific/Auckland (did you mean that?)"),
        ("", "such as Asia/Tokyo"),
        ("+09:00", "such as Asia/Tokyo"),
        ("../etc/passwd", "such as Asia/Tokyo"),
    ],
)
def test_a_zone_that_names_no_place_is_refused_with_what_to_write_instead(name, hint) -> None:
    with pytest.raises(ValueError) as error:
        check_zone_name(name)
    assert hint in str(error.value)


def test_the_hints_are_names_that_are_taken() -> None:
    assert {check_zone_name(place) for place in PLACE_OF.values()} <= zone_names()
    assert all(check_zone_name(name) == name for name in ("Asia/Tokyo", "Etc/GMT-9", "UTC", "Japan", "America/Indiana/Knox"))
