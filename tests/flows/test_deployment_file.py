"""deployments/prefect.yaml: what it deploys, and that its schedules are those of the recipes, in every zone and over clock changes."""

import asyncio
from datetime import UTC, datetime, time, timedelta
from importlib import import_module
from zoneinfo import ZoneInfo

import pytest

from flows.next_runs import next_runs
from flows.support.deploying import deployment_file, with_schedules
from forecaster.settings import load_settings
from forecaster.timewindow import local_day, local_midnight

DEPLOYMENTS = {row["name"]: row for row in deployment_file()["deployments"]}


def test_the_file_holds_the_schedules_of_the_bundled_recipes(recipes):
    document = deployment_file()
    assert with_schedules(document, list(recipes.values()), load_settings()) == document
    assert len(DEPLOYMENTS["daily"]["schedules"]) == len({recipe.time_zone for recipe in recipes.values()})


def test_schedules_follow_the_recipes_and_the_settings(recipes):
    early = recipes["athens"].model_copy(update={"issue_local_time": time(6, 5)})
    settings = load_settings(send_local_time="06:45", send_time_zone="Europe/Athens")
    rows = {row["name"]: row for row in with_schedules(deployment_file(), [early, recipes["tokyo"]], settings)["deployments"]}
    assert rows["daily"]["schedules"] == [
        {"cron": "30 23 * * *", "timezone": "Asia/Tokyo", "slug": "asia-tokyo-2330"},
        {"cron": "5 6 * * *", "timezone": "Europe/Athens", "slug": "europe-athens-0605"},
    ]
    assert rows["send"]["schedules"] == [{"cron": "45 6 * * *", "timezone": "Europe/Athens", "slug": "morning"}]
    assert rows["verify"] == DEPLOYMENTS["verify"]


def test_when_each_schedule_rings_next_is_told_in_utc_and_in_its_zone(recipes):
    """Tokyo is 9 hours ahead of UTC; Los Angeles 8 behind, and 7 from 8 March 2026, 10:00 UTC, on."""
    document = with_schedules(deployment_file(), [recipes["tokyo-m45"], recipes["los-angeles"]], load_settings(send_time_zone="Asia/Tokyo"))
    texts = [run.text for run in next_runs(document, datetime(2026, 3, 7, 12, tzinfo=UTC))]
    assert texts == [
        "daily     Sat 2026-03-07 14:30 UTC  (Sat 23:30 in Asia/Tokyo)",
        "send      Sat 2026-03-07 22:30 UTC  (Sun 07:30 in Asia/Tokyo)",
        "retrain   Sun 2026-03-08 03:00 UTC",
        "verify    Sun 2026-03-08 06:15 UTC",
        "daily     Sun 2026-03-08 07:30 UTC  (Sat 23:30 in America/Los_Angeles)",
        "pretrain  Sat 2026-03-14 01:00 UTC",
    ]
    later = next_runs(document, datetime(2026, 3, 8, 12, tzinfo=UTC))
    assert [run.at.hour for run in later if run.time_zone == "America/Los_Angeles"] == [6]


@pytest.mark.parametrize(("name", "parameter"), [("backfill", "from_date"), ("backfill", "to_date"), ("daily", "target_date")])
@pytest.mark.parametrize(("value", "refused"), [("yesterday", True), ("2024-13-01", True), ("2024-1-2", True), ("2024-01-02", False)])
def test_a_day_that_is_none_is_refused_by_the_form(name, parameter, value, refused):
    """Prefect's own check of parameters before it makes a run; it looks at no `format`."""
    module, _, function = DEPLOYMENTS[name]["entrypoint"].rpartition(".")
    schema = getattr(import_module(module), function).parameters.model_dump()
    days = {"from_date": "2024-01-01", "to_date": "2024-01-02"} if name == "backfill" else {}
    told = [error for error in [_refusal(days | {parameter: value}, schema)] if error]
    assert bool(told) == refused and all(parameter in error for error in told)


def _refusal(values, schema) -> str | None:
    from prefect.utilities.schema_tools.validation import ValidationError, validate

    try:
        validate(values, schema, raise_on_error=True)
    except ValidationError as error:
        return str(error)
    return None


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_each_deployment_names_a_flow_takes_its_parameters_and_never_overlaps_itself(name):
    row = DEPLOYMENTS[name]
    module, _, function = row["entrypoint"].rpartition(".")
    flow = getattr(import_module(module), function)
    assert flow.name == name and row["description"] and row["work_pool"] == {"name": "quakecast"}
    assert row["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}
    required = {"backfill": {"from_date": "2024-01-01", "to_date": "2024-01-02"}}
    assert flow.validate_parameters(row.get("parameters", {}) | required.get(name, {}))
    assert flow.on_failure_hooks and flow.on_crashed_hooks and flow.timeout_seconds
    for parameter, schema in flow.parameters.properties.items():
        assert schema.get("description"), f"{name}: {parameter} has no description in the form"


@pytest.mark.parametrize("row", DEPLOYMENTS["daily"]["schedules"], ids=lambda row: row["slug"])
def test_an_alarm_rings_every_day_before_it_begins_also_over_a_clock_change(row):
    """Prefect's own dates of 400 days: at least one alarm on every local day, and at most two hours before its midnight."""
    from prefect.client.schemas.schedules import construct_schedule
    from prefect.server.schemas.schedules import CronSchedule

    schedule = construct_schedule(cron=row["cron"], timezone=row["timezone"])
    dates = asyncio.run(CronSchedule(cron=schedule.cron, timezone=schedule.timezone).get_dates(400, datetime(2024, 2, 1, tzinfo=UTC)))
    zone = ZoneInfo(row["timezone"])
    alarms = [moment.astimezone(UTC) for moment in dates]
    days = [local_day(moment, zone) for moment in alarms]
    assert set(days) == {days[0] + timedelta(days=number) for number in range((days[-1] - days[0]).days + 1)}
    for moment, day in zip(alarms, days, strict=True):
        assert timedelta(0) < local_midnight(day + timedelta(days=1), zone) - moment <= timedelta(hours=2)
