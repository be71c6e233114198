"""Runs of a schedule: one that the server lets begin a little early, and those that pile up behind one. On a real server of the tests."""

from datetime import UTC, datetime, timedelta

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.schedules import IntervalSchedule

from flows.daily import _agenda
from flows.support.overdue_runs import cancel_overtaken
from forecaster.pipeline.run_context import Job
from forecaster.recipe import load_recipes
from forecaster.timewindow import issue_time, next_local_day
from tests.support.steps import machine

OWN = {"issue": "due", "send": "alerts"}


@flow
def waiting(issue: str = "next", send: str = "everything") -> None:
    """Stands for the daily flow: nothing of it is run."""


@pytest.mark.parametrize(("parameters", "cancelled"), [(OWN, 3), ({"issue": "next", "send": "alerts"}, 0)])
def test_a_run_cancels_those_alone_that_would_have_done_the_same(parameters, cancelled, monkeypatch):
    """Three scheduled runs wait, and one that a person asked for; then a run of the deployment's own parameters begins, or of others."""
    began = datetime.now(UTC) - timedelta(hours=4)
    schedule = DeploymentScheduleCreate(schedule=IntervalSchedule(interval=timedelta(hours=1), anchor_date=began), active=False)
    with get_client(sync_client=True) as client:
        deployment = client.create_deployment(
            client.create_flow(waiting), f"late {cancelled}", schedules=[schedule], parameters=OWN, enforce_parameter_schema=False
        )
        row = client.read_deployment(deployment)
        client.update_deployment_schedule(deployment, row.schedules[0].id, active=True)
        span = {"start_time": began.isoformat(), "end_time": (began + timedelta(hours=3.5)).isoformat(), "max_runs": 3}
        client._client.post(f"/deployments/{deployment}/schedule", json=span)
        by_hand = client.create_flow_run_from_deployment(deployment)
        own = client.create_flow_run_from_deployment(deployment, parameters=parameters)
        monkeypatch.setenv("PREFECT__RUNTIME__DEPLOYMENT__ID", str(deployment))
        monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__ID", str(own.id))
        assert cancel_overtaken(datetime.now(UTC)) == cancelled
        assert [client.read_flow_run(run.id).state.type for run in (own, by_hand)] == ["SCHEDULED"] * 2


def test_a_run_that_begins_before_its_alarm_finds_what_the_alarm_is_for(world, monkeypatch):
    """Prefect's server lets a run begin up to half a second before its time: by this machine's clock the day is not due then."""
    recipe = load_recipes(world.settings.recipe_folder)["tokyo-m45"]
    day = next_local_day(datetime(2024, 1, 2, 12, tzinfo=UTC), recipe.zone)
    alarm = issue_time(day, recipe.zone, recipe.issue_local_time)
    work = Job(world.settings, world.store, [recipe], machine(alarm - timedelta(seconds=0.4)), "run")
    monkeypatch.setattr("flows.daily.flow_run.scheduled_start_time", alarm, raising=False)
    (issue,) = _agenda(work, None, "due")
    assert issue.day == day
