"""When Prefect's own schedules ring, and what is due then: at every clock change, also where it skips the issue time or brings it twice."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from prefect.server.schemas.schedules import CronSchedule

from forecaster.clock import Clock
from forecaster.pipeline.daily.issue_schedule import due_day, issue_alarms, missing_issues, moment_of_alarm
from forecaster.timewindow import days_between, issue_time, local_midnight, local_midnights_us
from tests.support.changed_recipes import changed_recipe
from tests.support.steps import machine, predict
from tests.support.toys import cover, quake, table, write

FIRST, LAST = date(2024, 1, 1), date(2037, 12, 31)
CHANGING = (
    "Africa/Cairo",
    "America/Havana",
    "America/Los_Angeles",
    "America/Nuuk",
    "America/Santiago",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Tokyo",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Europe/Athens",
    "Pacific/Auckland",
    "Pacific/Chatham",
)
ISSUED = (time(0, 0), time(0, 30), time(2, 15), time(3, 30), time(23, 30), time(23, 59))


@pytest.fixture(scope="session", autouse=True)
def prefect_home() -> None:
    """Takes the place of the folder's own test server: these tests need none."""


def issued_at(recipe, zone, at):
    return changed_recipe(recipe, time_zone=zone, issue_local_time=at, models=())


def rings(recipe, start: datetime, end: datetime) -> list[datetime]:
    """When the recipe's alarm rings, by Prefect."""
    (alarm,) = issue_alarms([recipe])
    dates = CronSchedule(cron=alarm.cron, timezone=alarm.time_zone)._get_dates_generator(n=1000, start=start, end=end)
    return sorted(datetime.fromtimestamp(moment.timestamp(), UTC) for moment in dates)


def changes(zone: str) -> list[date]:
    midnights = local_midnights_us(FIRST, (LAST - FIRST).days, ZoneInfo(zone))
    lengths = midnights[1:] - midnights[:-1]
    return [day for day, length in zip(days_between(FIRST, LAST), lengths.tolist(), strict=False) if length != 86_400_000_000]


@pytest.mark.parametrize("zone", CHANGING)
def test_each_ring_finds_one_day_due_that_no_ring_before_it_has_found(recipes, zone):
    """Around each change, and in one ordinary week: every ring makes a new day, the next of its calendar, before it begins."""
    for at in ISSUED:
        recipe = issued_at(recipes["tokyo-m45"], zone, at)
        for change in changes(zone)[-6:] or [date(2027, 6, 1)]:
            begin = local_midnight(change - timedelta(days=3), recipe.zone)
            found = rings(recipe, begin, begin + timedelta(days=7))
            days = [due_day(recipe, moment) for moment in found]
            assert days == list(days_between(days[0], days[-1])) and len(days) >= 6, (at, change, found)
            for moment, day in zip(found, days, strict=True):
                assert issue_time(day, recipe.zone, at) <= moment <= recipe.target_window(day).start, (at, change, moment)
                assert due_day(recipe, moment - timedelta(seconds=1)) < day or issue_time(day, recipe.zone, at) < moment


@pytest.mark.parametrize(
    ("zone", "at", "rung", "day"),
    [
        ("Europe/Athens", time(3, 30), "2027-03-28T00:30", date(2027, 3, 29)),
        ("America/Los_Angeles", time(2, 30), "2027-03-14T09:30", date(2027, 3, 15)),
        ("America/Nuuk", time(23, 30), "2027-03-28T00:30", date(2027, 3, 28)),
        ("Europe/Athens", time(3, 30), "2027-10-31T00:30", date(2027, 11, 1)),  # comes twice: rings once, at the first
    ],
)
def test_a_skipped_or_repeated_issue_time_rings_once_and_is_due_then(recipes, zone, at, rung, day):
    recipe = issued_at(recipes["tokyo-m45"], zone, at)
    moment = datetime.fromisoformat(rung).replace(tzinfo=UTC)
    for hours in (100, 25, 13, 1):  # Prefect plans from the moment of planning; the ring does not depend on it
        assert moment in rings(recipe, moment - timedelta(hours=hours), moment + timedelta(days=2))
    assert rings(recipe, moment, moment + timedelta(hours=20)) == [moment]
    assert due_day(recipe, moment) == day and due_day(recipe, moment - timedelta(seconds=1)) == day - timedelta(days=1)


def test_the_run_of_a_skipped_issue_time_makes_the_day_officially(recipes, store, settings):
    """In the end of March 2024 Athens went from 03:00 to 04:00 at 01:00Z; the issue time is 03:30."""
    athens = issued_at(recipes["athens"], "Europe/Athens", time(3, 30))
    for day in (date(2024, 3, 30), date(2024, 3, 31), date(2024, 4, 1)):
        start = local_midnight(day, athens.zone)
        (moment,) = rings(athens, start, start + timedelta(hours=20))
        if table(store, "event_revision").empty:
            write(store, quake("us1", datetime(2022, 3, 5, tzinfo=UTC)))
            cover(store, moment)
        (issue,) = missing_issues(store, [athens], moment)
        assert issue.day == day + timedelta(days=1)
        predict(store, [athens], settings, Clock(lambda moment=moment: moment, simulated=False), target_day=issue.day)
        assert missing_issues(store, [athens], moment + timedelta(hours=2)) == []
    said = table(store, "forecast").query("published").sort_values("target_start")
    assert said["official"].all() and (said["as_of"] == said["issue_time"]).all() and (said["as_of"] < said["target_start"]).all()
    assert [moment.strftime("%d %H:%M") for moment in said["issue_time"]] == ["30 01:30", "31 00:30", "01 00:30"]


def test_the_moment_of_an_alarm_is_a_plain_datetime(recipes):
    """Prefect hands out a class of its own, with other arithmetic."""
    moment = next(CronSchedule(cron="30 3 * * *", timezone="Europe/Athens")._get_dates_generator(start=datetime(2027, 3, 28, tzinfo=UTC)))
    found = moment_of_alarm(datetime(2027, 3, 28, 0, 29, 59, tzinfo=UTC), moment)
    assert type(moment) is not datetime and type(found) is datetime and found == datetime(2027, 3, 28, 0, 30, tzinfo=UTC)


def test_an_alarm_at_a_skipped_midnight_makes_an_official_forecast(recipes, store, settings):
    """Santiago skips 00:00 of 2024-09-08, at 04:00Z; Prefect rings an hour before, when it is still the 7th there."""
    santiago = issued_at(recipes["santiago"], "America/Santiago", time(0, 0))
    moment = datetime(2024, 9, 8, 3, tzinfo=UTC)
    assert moment in rings(santiago, moment - timedelta(days=2), moment + timedelta(hours=1))
    write(store, quake("us1", datetime(2022, 3, 5, tzinfo=UTC), place=(-33.4, -70.6)))
    cover(store, moment)
    (issue,) = missing_issues(store, [santiago], moment)
    early = moment - timedelta(seconds=0.4)  # a server lets a run begin a little early
    predict(store, [santiago], settings, machine(early), target_day=issue.day)
    said = table(store, "forecast").query("published")
    assert issue.day == date(2024, 9, 9) and said["official"].tolist() == [True]
