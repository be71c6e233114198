"""What holds of every IANA time zone on every day from 1973 to 2037: days follow upon each other, and no input is later than its target."""

from datetime import UTC, date, datetime, time, timedelta
from importlib import resources
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from forecaster.features.windows import target_days
from forecaster.pipeline.daily.issue_schedule import due_day, is_due, next_issue_time
from forecaster.timewindow import (
    _offsets_us,
    day_exists,
    day_of_window,
    days_of_windows,
    from_us,
    issue_time,
    local_day,
    local_midnight,
    local_midnights_us,
    local_time,
    next_local_day,
    target_window,
    zone_names,
)
from tests.support.changed_recipes import changed_recipe

FIRST, LAST = date(1973, 1, 1), date(2037, 12, 31)
COUNT = (LAST - FIRST).days + 1
HOUR_US = 3_600_000_000
LATEST = time(23, 30)
ISSUED = (time(0, 0), time(0, 15), time(2, 30), time(3, 30), time(22, 45), time(23, 59))


def zones() -> list[str]:
    """One name of every set of rules: most names are links to others."""
    by_rules: dict[bytes, str] = {}
    for name in sorted(zone_names()):
        file = resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))
        by_rules.setdefault(file.read_bytes() if file.is_file() else name.encode(), name)
    return sorted(by_rules.values())


EIGHTHS = [zones()[at::8] for at in range(8)]
GROUPS = [pytest.param(one, id=f"{one[0]} and {len(one) - 1} more", marks=[pytest.mark.slow] * (one != EIGHTHS[3])) for one in EIGHTHS]


@pytest.mark.parametrize("group", GROUPS)
def test_no_issue_time_is_later_than_its_target_and_days_leave_no_gap(group) -> None:
    """Days of 0 hours and of 31 are among them. Taking a skipped issue time by the hours before the change fails in a dozen zones."""
    lengths = set()
    for name in group:
        zone = ZoneInfo(name)
        midnights = local_midnights_us(FIRST, COUNT + 1, zone)
        hours = np.diff(midnights) / HOUR_US
        assert hours.min() >= 0, name
        lengths |= set(hours.tolist())
        near = near_changes(midnights)
        for day in near:
            assert all(issue_time(day, zone, at) <= local_midnight(day, zone) for at in ISSUED), (name, day)
            assert midnights[(day - FIRST).days] == in_us(local_midnight(day, zone))
            assert_days_hold_their_moments(day, zone)
    assert {23.0, 24.0, 25.0} <= lengths


@pytest.mark.parametrize("group", GROUPS)
def test_the_offset_of_every_day_is_that_of_the_zone(group) -> None:
    """Also where clocks are changed back within days. Asking for every tenth day fails for Noronha in October 2000."""
    for name in group:
        zone = ZoneInfo(name)
        for year in range(FIRST.year, FIRST.year + COUNT // 365):
            first = datetime.combine(date(year - 1, 12, 31), time(0))
            expected = [zone.utcoffset(first + timedelta(days=number)) // timedelta(microseconds=1) for number in range(368)]
            assert _offsets_us(first, 368, zone).tolist() == expected, (name, year)


def in_us(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def near_changes(midnights: np.ndarray) -> list[date]:
    """The days whose length is not 24 hours, and their neighbours."""
    odd = np.flatnonzero(np.diff(midnights) != 24 * HOUR_US)
    places = {int(place) + step for place in odd for step in (-1, 0, 1)}
    return [FIRST + timedelta(days=place) for place in sorted(places) if 0 <= place < COUNT]


@pytest.mark.parametrize("group", GROUPS)
def test_the_days_of_many_windows_are_those_of_each(group) -> None:
    """Around every change of the clocks, where windows began up to three hours before or after what the zone says now."""
    for name in group:
        zone = ZoneInfo(name)
        near = [day for day in near_changes(local_midnights_us(FIRST, COUNT + 1, zone)) if day.year in (1995, 2009, 2011, 2024)]
        starts = [local_midnight(day, zone) + timedelta(hours=hours) for day in near for hours in (-3, 0, 1, 3)][::-1]
        assert days_of_windows(starts, zone).tolist() == [day_of_window(start, zone) for start in starts], name


def assert_days_hold_their_moments(day: date, zone: ZoneInfo) -> None:
    start, end = local_midnight(day, zone), local_midnight(day + timedelta(days=1), zone)
    assert start.astimezone(zone).date() >= day and (start - timedelta(microseconds=1)).astimezone(zone).date() < day
    if day_exists(day, zone):
        assert local_day(start, zone) == local_day(end - timedelta(microseconds=1), zone) == day_of_window(start, zone) == day
        assert target_window(day, zone).start == start and next_local_day(start, zone) == local_day(end, zone)


@pytest.mark.parametrize("name", ["America/Nuuk", "Pacific/Apia", "Antarctica/Vostok", "America/St_Johns"])
@pytest.mark.parametrize("at", [time(0, 0), time(3, 30), LATEST])
def test_windows_of_training_are_cut_before_their_targets(recipes, name, at) -> None:
    model = recipes["tokyo-m45"].model_copy(update={"time_zone": name, "issue_local_time": at, "window_days": 3})
    model.__dict__.pop("zone", None)  # what the original has looked up
    assert model.zone.key == name
    days = target_days(model, FIRST, COUNT)
    assert (days.cut_us <= days.target_starts_us).all()
    assert (days.day_ends_us <= days.cut_us[:, None]).all()
    assert (days.target_starts_us <= days.target_ends_us).all()
    for day in near_changes(days.target_starts_us):
        assert days.cut_us[(day - FIRST).days] == in_us(issue_time(day, model.zone, at))


@pytest.mark.parametrize(
    ("name", "day", "at", "instant"),
    [
        ("Europe/Athens", date(2027, 3, 28), time(3, 30), "2027-03-28T00:30"),  # 03:00 becomes 04:00 at 01:00Z
        ("America/Los_Angeles", date(2027, 3, 14), time(2, 30), "2027-03-14T09:30"),  # 02:00 becomes 03:00 at 10:00Z
        ("America/Nuuk", date(2027, 3, 27), time(23, 30), "2027-03-28T00:30"),  # 23:00 becomes 24:00 at 01:00Z: the day's end
        ("America/Santiago", date(2023, 9, 3), time(0, 0), "2023-09-03T03:00"),  # 24:00 becomes 01:00 at 04:00Z
        ("Europe/Athens", date(2027, 10, 31), time(3, 30), "2027-10-31T00:30"),  # comes twice: the first
        ("Pacific/Apia", date(2011, 12, 30), time(23, 30), "2011-12-30T09:30"),  # a day that was left out
    ],
)
def test_a_local_time_that_is_skipped_or_comes_twice(name, day, at, instant) -> None:
    assert local_time(day, at, ZoneInfo(name)) == datetime.fromisoformat(instant).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "day", "begins"),
    [
        ("America/Toronto", date(1973, 4, 29), "1973-04-29T05:00"),
        ("America/St_Johns", date(2009, 11, 1), "2009-11-01T02:30"),  # 00:01 became 23:01: the first midnight, and the day goes on
        ("Asia/Colombo", date(1996, 5, 25), "1996-05-24T18:30"),  # 00:00 became 01:00
        ("Europe/Simferopol", date(1994, 5, 1), "1994-04-30T21:00"),
        ("America/Danmarkshavn", date(1996, 1, 1), "1996-01-01T03:00"),  # 00:00 became 03:00
        ("Antarctica/Casey", date(2009, 10, 18), "2009-10-17T16:00"),
    ],
)
def test_the_first_instant_of_a_day(name, day, begins) -> None:
    assert local_midnight(day, ZoneInfo(name)) == datetime.fromisoformat(begins).replace(tzinfo=UTC)


def test_a_midnight_inside_a_skipped_hour_is_the_change_itself() -> None:
    """No zone has done so since 1973; in Toronto 23:30 became 00:30 on 30 March 1919, at 04:30Z."""
    toronto, change = ZoneInfo("America/Toronto"), datetime(1919, 3, 31, 4, 30, tzinfo=UTC)
    assert local_midnight(date(1919, 3, 31), toronto) == change
    assert from_us(local_midnights_us(date(1919, 3, 31), 1, toronto)[0]) == change
    assert local_day(change, toronto) == date(1919, 3, 31) == local_day(change - timedelta(microseconds=1), toronto) + timedelta(days=1)
    assert local_time(date(1919, 3, 30), time(23, 45), toronto) == change - timedelta(minutes=45)


def test_a_day_that_does_not_exist_is_neither_due_nor_next(recipes) -> None:
    tokyo = recipes["tokyo-m45"]
    assert tokyo.zone.key == "Asia/Tokyo"  # kept by the recipe: a mere copy would keep it, too
    apia = changed_recipe(tokyo, time_zone="Pacific/Apia")
    evening = datetime(2011, 12, 30, 9, 30, tzinfo=UTC)  # 23:30 of the 29th; the 31st follows
    assert next_local_day(evening, apia.zone) == date(2011, 12, 31)
    assert due_day(apia, evening - timedelta(seconds=1)) == date(2011, 12, 29)
    assert due_day(apia, evening) == date(2011, 12, 31)
    assert not is_due(apia, date(2011, 12, 30), evening)
    assert next_issue_time(apia, evening - timedelta(seconds=1)) == evening
    assert next_issue_time(apia, evening) == evening + timedelta(days=1)


@pytest.mark.parametrize("name", ["Asia/Tokyo", "Etc/GMT-9", "UTC", "America/Port-au-Prince", "Japan", "Antarctica/Troll"])
def test_zones_that_are_the_same_everywhere_are_taken(recipes, name) -> None:
    assert changed_recipe(recipes["tokyo-m45"], time_zone=name).zone.key == name


def test_from_us_keeps_the_day_of_a_window_that_another_rule_began() -> None:
    """A window that began an hour earlier or later than the zone says today is still that day's."""
    tokyo = ZoneInfo("Asia/Tokyo")
    start = local_midnight(date(2024, 1, 3), tokyo)
    for hours in (-3, -1, 0, 1, 3):
        assert day_of_window(start + timedelta(hours=hours), tokyo) == date(2024, 1, 3)
    assert day_of_window(from_us(in_us(start)), tokyo) == date(2024, 1, 3)
