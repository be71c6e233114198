"""deployments/prefect.yaml: what it deploys, and that its schedules are those of the recipes, in every zone and over clock changes."""

import asyncio
from datetime import UTC, datetime, time, timedelta
from importlib import import_module
from zoneinfo import ZoneInfo

import pytest

from flows.deploying import deployment_file, with_schedules
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
