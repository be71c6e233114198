"""Whatever fails once the forecasts are stored, or before them in a step that they do not need, leaves the day done: partial, told once."""

import json
import logging
import os
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import uuid4

import httpx
import pytest
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from flows import tasks
from flows.daily import daily
from flows.send import send
from forecaster.clock import Clock
from forecaster.errors import NotScoreable
from forecaster.pipeline.daily import predict, verify
from forecaster.pipeline.daily.issue_schedule import Issue
from forecaster.pipeline.messaging import deliver
from forecaster.pipeline.run_context import open_job
from forecaster.recipe import load_recipes
from forecaster.reports.outgoing.message import Message
from tests.flows.conftest import NOW
from tests.support.toys import table
from tests.support.web_server import WebServer

SECRET = "Rusty-Anchor-55"
ALL = {"languages": ("en",), "recipes": ["istanbul"], "train_mode": "never"}


@pytest.fixture
def pulse(world, monkeypatch):
    """Whoever watches the heartbeat."""
    with WebServer([200] * 9) as server:
        monkeypatch.setenv("QUAKECAST_HEARTBEAT_URL", f"http://127.0.0.1:{server.port}/pulse")
        yield server


def broken(error):
    def step(*_arguments, **_options):
        raise error

    return step


def told(world):
    """The messages about a run that failed, or a part of it; the old catalogue of these tests is another one."""
    found = [json.dumps(document) for document in world.hook.received if document.get("kind") == "operations"]
    return [document for document in found if "daily partial" in document or "daily failed" in document]


def run_of(world):
    (row,) = table(world.store, "run").to_dict("records")
    return row["state"], json.loads(row["details"])


def check_done(world, state, pulse, names):
    """The day is there and partial; one message tells of the steps by their names; the heartbeat was sent."""
    assert state.name == "Partial" and table(world.store, "forecast")["published"].sum() == 1
    stored, details = run_of(world)
    assert stored == "partial" and [failure.partition(":")[0] for failure in details["failed_steps"]] == names
    assert set(details["failed_steps"]) <= set(details["problems"])
    (document,) = told(world)
    assert all(name in document for name in names)
    assert len(pulse.asked) == 1
    assert SECRET not in f"{document}{details}" + state.message


@pytest.mark.parametrize(
    ("place", "name", "error"),
    [
        ("daily.pull.pull_catalog", "pull", OverflowError(SECRET)),
        ("daily.verify.verify", "verify", KeyError(SECRET)),
        ("alerting.raise_alerts.raise_alerts", "alerts", ValueError(SECRET)),
        ("world_map.map_day.make_earth", "world map", KeyError(SECRET)),
        ("world_map.map_record.verify_maps", "record of world maps", KeyError(SECRET)),
        ("daily.publish_report.write_report", "report", KeyError(SECRET)),
        ("daily.export_map_files.export", "export", RecursionError(SECRET)),
        ("tidy.tidy", "tidy", KeyError(SECRET)),
        ("messaging.deliver.notify", "notify", AttributeError(SECRET)),
        ("run_context.publish_copy", "publishing", OSError(SECRET)),
    ],
)
def test_a_step_that_fails_by_an_error_that_nobody_foresaw(world, pulse, monkeypatch, caplog, place, name, error):
    monkeypatch.setattr(f"forecaster.pipeline.{place}", broken(error))
    with caplog.at_level(logging.ERROR):
        state = daily(**ALL, return_state=True)
    check_done(world, state, pulse, [name])
    assert type(error).__name__ in state.message and SECRET in caplog.text  # the run's log alone has the traceback
    made = table(world.store, "forecast")["degraded_reason"].dropna().tolist()
    assert any("USGS could not be read" in reason for reason in made) is (name == "pull")


def test_a_run_lets_old_pages_go(world):
    old = world.store.path.parent / "out" / "reports" / "2001-01-01T0000Z.en.html"
    old.parent.mkdir(parents=True)
    old.write_text("long ago")
    os.utime(old, (1e9, 1e9))
    daily(**ALL, send="nothing")
    assert not old.exists() and len(list(old.parent.glob("*.html"))) == 1
    assert old.name not in (old.parent.parent / "index.html").read_text(encoding="utf-8")


def test_a_recipe_that_cannot_be_verified_stops_no_other(world, pulse, monkeypatch):
    """Two recipes have a day that has ended (moved there by hand); what happened in that of one of them cannot be read."""
    daily(**ALL | {"recipes": ["istanbul", "tokyo-m45"]}, send="nothing")
    pulse.asked.clear()
    with world.store.transaction() as connection:
        back = f"INTERVAL {(datetime.now(UTC) - NOW).days + 5} DAY"
        connection.execute(f"UPDATE forecast SET target_start = target_start - {back}, target_end = target_end - {back}")
    outcomes = verify._outcomes

    def outcomes_of(recipe, windows, known):
        return broken(KeyError(SECRET))() if recipe.id == "istanbul" else outcomes(recipe, windows, known)

    monkeypatch.setattr(verify, "_outcomes", outcomes_of)
    state = daily(**ALL | {"recipes": ["istanbul", "tokyo-m45"]}, return_state=True)
    assert table(world.store, "outcome")["recipe_id"].tolist() == ["tokyo-m45"]
    assert state.name == "Partial" and "verify, istanbul: KeyError" in state.message
    (document,) = told(world)
    assert "verify, istanbul" in document and SECRET not in document + state.message and len(pulse.asked) == 1


def test_a_step_that_takes_too_long(world, pulse, monkeypatch):
    monkeypatch.setattr("forecaster.pipeline.messaging.deliver.notify", lambda *_, **__: time.sleep(3))
    monkeypatch.setattr(tasks, "notify_task", tasks.notify_task.with_options(timeout_seconds=0.2))
    state = daily(**ALL, return_state=True)
    check_done(world, state, pulse, ["notify"])
    assert "notify: Scope timed out after 0.2 second" in state.message


def test_what_is_due_for_training_cannot_be_found(world, pulse, monkeypatch):
    monkeypatch.setattr("forecaster.pipeline.training.train.due", broken(KeyError(SECRET)))
    check_done(world, daily(**ALL | {"train_mode": "due"}, return_state=True), pulse, ["what is due for training"])


@pytest.mark.parametrize("unavailable", [True, False])
def test_a_prefect_server_that_fails_when_the_work_is_done(world, pulse, monkeypatch, unavailable):
    """It answers 503, or not at all, to what is shown in its page and to the question for runs that wait."""

    def answer(request):
        if unavailable:
            return httpx.Response(503, request=request, text=SECRET)
        raise httpx.ConnectError(SECRET)

    def send(client, request, **options):
        return answer(request) if asks(request) else sends(client, request, **options)

    async def send_async(client, request, **options):
        return answer(request) if asks(request) else await sends_async(client, request, **options)

    def asks(request):
        return request.url.path.endswith(("/artifacts/", "/flow_runs/filter"))

    sends, sends_async = httpx.Client.send, httpx.AsyncClient.send
    monkeypatch.setattr(httpx.Client, "send", send)
    monkeypatch.setattr(httpx.AsyncClient, "send", send_async)
    monkeypatch.setattr("flows.support.overdue_runs.deployment", SimpleNamespace(id=str(uuid4())))
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
        state = daily(**ALL, return_state=True)
    check_done(world, state, pulse, ["overtaken runs", "artifacts"])


def test_no_forecast_no_heartbeat(world, pulse, monkeypatch):
    monkeypatch.setattr("forecaster.pipeline.daily.predict.predict", broken(NotScoreable("nothing was read")))
    assert daily(**ALL, return_state=True).name == "Failed"
    assert not pulse.asked and len(told(world)) == 1


def test_a_day_that_fails_leaves_the_next_one_made(world, pulse, monkeypatch):
    whole, asked = predict.predict, []

    def second_time(job, options, *more):
        asked.append(options.target_day)
        if len(asked) == 1:
            raise KeyError(SECRET)
        return whole(job, options, *more)

    today = datetime.now(UTC).date()
    recipes = (load_recipes(world.settings.recipe_folder)["istanbul"],)
    monkeypatch.setattr(predict, "predict", second_time)
    monkeypatch.setattr("flows.daily.missing_issues", lambda *_, **__: [Issue(today + timedelta(days=n), recipes) for n in (0, 1)])
    check_done(world, daily(**ALL, issue="due", return_state=True), pulse, [f"predict, {today}"])
    assert asked == [today, today + timedelta(days=1)]


def test_a_batch_that_failed_on_a_worker_is_told_once(world, pulse, monkeypatch):
    whole = predict.predict

    def without_some(*given):
        done = whole(*given)
        done.failed |= dict.fromkeys(("lima", "athens"), "the forecasts of lima and 1 more recipe: the worker died")
        return done

    monkeypatch.setattr(predict, "predict", without_some)
    state = daily(**ALL, return_state=True)
    check_done(world, state, pulse, ["predict"])
    assert "the forecasts of lima and 1 more recipe: the worker died" in told(world)[0]


def test_the_morning_sends_what_waits_though_the_report_fails(world, monkeypatch):
    work = open_job(world.settings, Clock(lambda: datetime.now(UTC), simulated=False))
    deliver.enqueue(
        work, [Message("operations|x", "operations", "It waits", ("since the evening",), datetime.now(UTC), severity="warning")]
    )
    monkeypatch.setattr("forecaster.pipeline.daily.publish_report.write_report", broken(KeyError(SECRET)))
    state = send(languages=("en",), return_state=True)
    assert state.name == "Partial" and "report: KeyError" in state.message and "webhook: sent" in state.message
    (document,) = [text for text in map(json.dumps, world.hook.received) if "send partial" in text]
    assert SECRET not in document + state.message
