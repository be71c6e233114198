"""The rules of a time zone change after a forecast was issued: its window stays as it was promised, in everything that judges it.

The zone is changed as an update of the tz database does it: another file for the same name, on the path where Python looks for zones.
"""

import json
import zoneinfo
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from zoneinfo import ZoneInfo

import pytest

from forecaster.pipeline.daily.export_map_files import export
from forecaster.pipeline.daily.forecast_record import scored_days
from forecaster.pipeline.daily.issue_schedule import missing_issues
from forecaster.pipeline.run_context import Job
from tests.support import steps
from tests.support.changed_recipes import without_models
from tests.support.steps import machine, predict, report_data, verify
from tests.support.toys import cover, quake, table, write

ISSUED = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
START, END = datetime(2024, 1, 2, 15, tzinfo=UTC), datetime(2024, 1, 3, 15, tzinfo=UTC)  # 2024-01-03 in Tokyo, UTC+9
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def tokyo(recipes):
    return plain(recipes["tokyo-m45"])


def plain(recipe):
    """The recipe as a new process reads it: with the zone as it is now."""
    return without_models(recipe)


@pytest.fixture
def rules(tmp_path):
    """rules(hours): from now on Tokyo is so many hours ahead of UTC."""
    before = zoneinfo.TZPATH

    def change(hours: int) -> None:
        file = tmp_path / "zones" / "Asia" / "Tokyo"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(resources.files("tzdata").joinpath("zoneinfo", "Etc", f"GMT-{hours}").read_bytes())
        zoneinfo.reset_tzpath([str(tmp_path / "zones"), *before])
        ZoneInfo.clear_cache()

    yield change
    zoneinfo.reset_tzpath(before)
    ZoneInfo.clear_cache()


@pytest.fixture
def issued(store, tokyo, settings):
    return steps.issued(store, tokyo, settings, ISSUED)


@pytest.mark.parametrize("hours", [8, 10])
def test_an_outcome_is_that_of_the_window_that_was_promised(issued, tokyo, rules, hours):
    """One earthquake in each hour by which the new window differs from the old one: by the new rules another one would count."""
    write(issued, quake("before", START - HOUR / 2, 5.9), quake("first", START + HOUR / 2, 5.1))
    write(issued, quake("last", END - HOUR / 2, 5.2), quake("after", END + HOUR / 2, 5.8))
    rules(hours)
    changed = plain(tokyo)
    assert changed.target_hash == tokyo.target_hash and changed.target_window(date(2024, 1, 3)).start != START
    cover(issued, END + 2 * DAY, source="usgs changes")
    verify(issued, [changed], machine(END + 2 * DAY))
    (row,) = table(issued, "outcome").to_dict("records")
    assert (row["target_start"], row["target_end"], row["event_count"], row["max_magnitude"]) == (START, END, 2, 5.2)
    assert set(table(issued, "score")["target_start"]) == {START}


@pytest.mark.parametrize("hours", [8, 10])
def test_everything_still_calls_it_by_its_day(issued, tokyo, rules, settings, hours, tmp_path):
    rules(hours)
    changed = plain(tokyo)
    cover(issued, END + 2 * DAY, source="usgs changes")
    clock = machine(END + 2 * DAY)
    verify(issued, [changed], clock)
    (row,) = report_data(issued, [changed], clock).recipes
    assert [outcome.day for outcome in row.recent_outcomes] == [date(2024, 1, 3)]
    with issued.transaction() as connection:
        days = scored_days(connection, [changed])[changed.id]
    assert {str(day) for frame in days.values() for day in frame["local_day"].dt.date} == {"2024-01-03"}
    written = export(Job(settings, issued, [changed], clock, "run"), tmp_path / "out")
    (validations,) = [path for path in written if path.name == "validations.json"]
    (listed,) = json.loads(validations.read_text())["validations"]
    assert (listed["window_end"], listed["predict_start"], listed["predict_end"]) == ("20240103", "20240103", "20240104")


@pytest.mark.parametrize("hours", [8, 10])
def test_a_day_that_is_made_is_not_made_again(issued, tokyo, rules, settings, hours):
    """Neither by the agenda, nor by a person, nor as a second official forecast."""
    rules(hours)
    changed = plain(tokyo)
    assert missing_issues(issued, [changed], ISSUED) == []
    before = len(table(issued, "forecast"))
    predict(issued, [changed], settings, machine(START - 2 * HOUR), target_day=date(2024, 1, 3))
    assert len(table(issued, "forecast")) == before
    later = ISSUED + 4 * DAY
    cover(issued, later, source="usgs changes")
    assert [issue.day for issue in missing_issues(issued, [changed], later)] == [
        date(2024, 1, day) for day in range(4, 7 if hours == 8 else 8)
    ]
