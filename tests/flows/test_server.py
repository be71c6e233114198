"""Deployed for real: `quakecast deploy` onto a Prefect server of its own, a process worker, runs by API as the UI makes them.

The catalogue is a toy one up to the machine's present; USGS and the webhook's receiver are servers on loopback.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from forecaster.pipeline.daily.issue_schedule import issue_alarms
from forecaster.recipe import load_recipes
from forecaster.settings import load_settings
from forecaster.store.database import open_store, query
from tests.support import tiny
from tests.support.extended import extend
from tests.support.prefect_server import ENDED, ask, server_environment, start_server, started, wait_for
from tests.support.toys import quake, write
from tests.support.usgs_history import history_of
from tests.support.usgs_server import serve
from tests.support.webhook_server import SECRET, WebhookServer

ROOT = Path(__file__).resolve().parents[2]
QUAKECAST = Path(sys.executable).with_name("quakecast")
RECIPES = {"athens": '["best_rate", "persistence"]', "tokyo-m45": '["best_rate"]', "istanbul": '["best_rate"]'}
ISSUED_H_AGO = {"athens": 5, "tokyo-m45": 7, "istanbul": 9}  # no issue time comes while these tests run
START = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="session", autouse=True)
def prefect_home() -> None:
    """Takes the place of the folder's own test server: these tests start another."""


@pytest.fixture(scope="module")
def house(tmp_path_factory, recipes):
    """An installation on its own server, deployed, with a worker at work: settings, environment, api, deployments, hook, usgs, logs."""
    folder = tmp_path_factory.mktemp("deployed")
    home = folder / "home"
    store = open_store(home / "quakecast.duckdb")
    tiny.fill(store, START - timedelta(hours=20), sign=True, start=START - timedelta(days=1100))
    write(store, *(quake(f"tk{days}", START - timedelta(days=days), 5.0) for days in range(70, 1000, 9)))
    for recipe_id, models in RECIPES.items():
        issued = f"{(START - timedelta(hours=ISSUED_H_AGO[recipe_id])).astimezone(recipes[recipe_id].zone):%H:30:00}"
        tiny.write_recipe(home / "recipes", recipe_id, models=models, issue_local_time=issued)
    near = {"mag": 5.1, "latitude": 35.7, "longitude": 139.7}
    history = history_of([{"id": "us9a", "time": START - timedelta(hours=3), "known_at": START - timedelta(hours=2), **near}])
    with serve(history, clock=None) as usgs, WebhookServer(SECRET) as hook, answering(b"ok") as pulse:
        environment = server_environment(
            folder / "prefect",
            QUAKECAST_HOME=str(home),
            QUAKECAST_RECIPES=str(home / "recipes"),
            QUAKECAST_USGS_URL=usgs.url,
            QUAKECAST_WEBHOOK_URL=f"http://127.0.0.1:{hook.port}/hook",
            QUAKECAST_WEBHOOK_SECRET=SECRET,
            QUAKECAST_WEBHOOK_ALLOW_PRIVATE="true",
            QUAKECAST_HEARTBEAT_URL=f"http://127.0.0.1:{pulse.server_port}/pulse",
            TF_CPP_MIN_LOG_LEVEL="2",
        )
        (folder / "prefect").mkdir()
        settings = load_settings(home=home, recipes=home / "recipes")

        def api(*request):
            return ask(environment, *request)

        with start_server(environment) as log:
            wait_for(lambda: api("GET", "/health"), 90, log)
            deployed = quakecast(environment, "deploy", "--project", str(ROOT))
            assert deployed.returncode == 0, deployed.stderr
            house = SimpleNamespace(settings=settings, environment=environment, api=api, hook=hook, usgs=usgs, pulse=pulse, log=log)
            house.deployments = {row["name"]: row for row in api("POST", "/deployments/filter", {})}
            with started([QUAKECAST, "worker"], environment, "worker") as house.worker_log:
                yield house


@contextmanager
def answering(body):
    """A server that answers every GET with this JSON; `asked` holds the paths."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self):
            server.asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.asked = []
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()


def quakecast(environment, *arguments, **more):
    command = [str(QUAKECAST), *arguments]
    return subprocess.run(command, env=environment | more, cwd=ROOT, text=True, capture_output=True, timeout=600, check=False)


def trigger(house, name, **parameters):
    """A run, as a click on "Run" makes it; the parameters of the deployment are its defaults."""
    body = {"parameters": house.deployments[name]["parameters"] | parameters, "state": {"type": "SCHEDULED"}}
    asked = ("POST", f"/deployments/{house.deployments[name]['id']}/create_flow_run", body)
    return house.api(*asked)["id"]


def end_of(house, run_id):
    return wait_for(lambda: (run := house.api("GET", f"/flow_runs/{run_id}"))["state_type"] in ENDED and run, 120, house.worker_log)


def artifacts_of(house, run_id):
    rows = house.api("POST", "/artifacts/filter", {"flow_runs": {"id": {"any_": [run_id]}}})
    return {row["key"]: row for row in rows if row["key"]}


def told_to_operator(house):
    """The operations messages received so far, as text; they are taken out of the book."""
    found = [document for document in house.hook.received if document.get("kind") == "operations"]
    house.hook.received[:] = [document for document in house.hook.received if document not in found]
    return [json.dumps(document) for document in found]


def published(house, sql):
    return query(house.settings.published, sql)


def test_every_zone_has_an_alarm_that_yields_runs_and_the_forms_explain_themselves(house):
    daily = house.deployments["daily"]
    alarms = issue_alarms(list(load_recipes(house.settings.recipe_folder).values()))
    assert {row["slug"]: row["schedule"]["timezone"] for row in daily["schedules"]} == {alarm.slug: alarm.time_zone for alarm in alarms}
    assert {alarm.time_zone for alarm in alarms} == {"Asia/Tokyo", "Europe/Athens", "Europe/Istanbul"}
    wanted = {"deployments": {"id": {"any_": [daily["id"]]}}, "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    runs = wait_for(lambda: house.api("POST", "/flow_runs/filter", wanted), 30, house.log)
    of_tokyo, of_istanbul = (f"{START - timedelta(hours=ISSUED_H_AGO[name]):%H:30}" for name in ("tokyo-m45", "istanbul"))
    assert {run["expected_start_time"][11:16] for run in runs} >= {of_tokyo, of_istanbul}  # whole hours ahead of UTC, all the year
    assert {run["name"] for run in runs} == {f"daily {run['expected_start_time'][:16].replace('T', ' ')}Z" for run in runs}
    assert set(house.deployments) == {"daily", "send", "verify", "retrain", "backfill", "pretrain"}
    form = house.deployments["backfill"]["parameter_openapi_schema"]
    assert form["required"] == ["from_date", "to_date"] and form["properties"]["mode"]["enum"] == ["walk-forward", "current-model"]
    assert all(
        field["description"] for row in house.deployments.values() for field in row["parameter_openapi_schema"]["properties"].values()
    )
    watches = house.api("POST", "/automations/filter", {})
    assert len(watches) == 2 and all(watch["enabled"] and watch["actions"][0]["state"] == "CRASHED" for watch in watches)


def test_two_runs_of_a_day_do_not_overlap_and_the_second_finds_nothing_to_do(house):
    runs = [end_of(house, run_id) for run_id in [trigger(house, "daily"), trigger(house, "daily")]]
    first, second = sorted(runs, key=lambda run: run["start_time"])
    assert [run["state_name"] for run in (first, second)] == ["Completed", "Completed"], house.worker_log.read_text()[-3000:]
    assert first["end_time"] <= second["start_time"]
    # of three recipes: the usual rate, the three-year rate, the combination
    assert first["state"]["message"].startswith("9 forecasts") and second["state"]["message"].startswith("nothing is due")
    rows = published(house, "SELECT recipe_id, mode, published, run_id FROM forecast WHERE published ORDER BY 1")
    assert rows["recipe_id"].tolist() == sorted(RECIPES) and set(rows["mode"]) <= {"late", "prospective"}
    shown = artifacts_of(house, first["id"])
    table = json.loads(shown["forecasts"]["data"])
    assert {row["recipe"] for row in table} == set(RECIPES) and all(row["usual"] for row in table)
    assert shown["report"]["data"].startswith("[") and json.loads(shown["skill"]["data"]) == []
    assert house.usgs.requests and not house.hook.received  # sending has its own hour
    assert house.pulse.asked == ["/pulse"] * 2


def test_runs_that_waited_through_a_downtime_are_overtaken_by_the_first(house):
    """Scheduled runs of the last days, as the server makes them while no worker is there."""
    daily = house.deployments["daily"]["id"]
    span = {"start_time": (START - timedelta(hours=27)).isoformat(), "end_time": (START - timedelta(hours=1)).isoformat(), "min_runs": 20}
    house.api("POST", f"/deployments/{daily}/schedule", span)
    late = {"deployments": {"id": {"any_": [daily]}}, "flow_runs": {"expected_start_time": {"before_": START.isoformat()}}}

    def ended():
        runs = house.api("POST", "/flow_runs/filter", late)
        return len(runs) >= 3 and all(run["state_type"] in ENDED for run in runs) and runs

    runs = wait_for(ended, 120, house.worker_log)
    done = [run for run in runs if run["state_type"] == "COMPLETED"]
    overtaken = [run for run in runs if run["state_type"] == "CANCELLED"]
    assert len(done) + len(overtaken) == len(runs) and len(done) <= 2
    assert all(run["state"]["message"].startswith("overtaken: daily ") for run in overtaken)


def test_the_morning_sends_what_the_evening_said(house):
    said = published(house, "SELECT forecast_id FROM forecast WHERE published ORDER BY 1")["forecast_id"].tolist()
    run = end_of(house, trigger(house, "send"))
    assert run["state_name"] == "Completed" and run["state"]["message"] == "webhook: sent"
    (document,) = house.hook.received
    assert {row["recipe_id"] for row in document["forecasts"]} == set(RECIPES)
    assert published(house, "SELECT forecast_id FROM forecast WHERE published ORDER BY 1")["forecast_id"].tolist() == said
    house.hook.received.clear()


def test_bad_values_are_refused_before_anything_runs(house):
    before = len(published(house, "SELECT * FROM run"))
    days = {"from_date": "2024-01-01", "to_date": "2024-01-01"}
    for name, parameters in (
        ("daily", {"issue": "sometimes"}),
        ("daily", {"recipes": []}),
        ("daily", {"max_minutes": -1}),
        ("backfill", days | {"from_date": "yesterday"}),
        ("daily", {"target_date": "02.01.2024"}),
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            trigger(house, name, **parameters)
        assert refused.value.code in (409, 422)
    told = {
        "valid date": trigger(house, "backfill", **(days | {"from_date": "2023-02-30"})),  # a pattern knows no months
        "unknown recipe 'atlantis'": trigger(house, "verify", recipes=["atlantis"]),
        "2020-01-05": trigger(house, "backfill", from_date="2020-01-05", to_date="2020-01-01"),
    }
    for words, run_id in told.items():
        run = end_of(house, run_id)
        assert run["state_name"] == "Failed" and words in run["state"]["message"], run["state"]["message"]
    assert len(published(house, "SELECT * FROM run")) == before
    heard: list[str] = []
    wait_for(lambda: heard.extend(told_to_operator(house)) or len(heard) >= len(told), 30, house.worker_log)  # a hook comes after the end
    assert len(heard) == len(told)


def test_what_was_never_trained_is_trained_at_once_and_a_region_that_fails_leaves_the_others_trained(house):
    """The day's run has asked for it; in the toy catalogue istanbul has no target day to learn from."""
    asked = {"deployments": {"id": {"any_": [house.deployments["retrain"]["id"]]}}, "flow_runs": {"state": {"type": {"any_": list(ENDED)}}}}
    (run,) = wait_for(lambda: house.api("POST", "/flow_runs/filter", asked), 60, house.worker_log)
    assert run["parameters"]["recipes"] == sorted(RECIPES) and run["state_name"] == "Completed"
    assert run["state"]["message"] == "2 of 3 places trained"
    models = published(house, "SELECT DISTINCT recipe_id FROM model ORDER BY 1")
    assert models["recipe_id"].tolist() == ["athens", "tokyo-m45"]
    trained, aside = house.settings.models / "tokyo-m45", house.settings.models / ".tokyo-m45"
    trained.rename(aside)
    trained.write_text("a file in the way of a folder")
    run = end_of(house, trigger(house, "retrain", force=True))
    trained.unlink()
    aside.rename(trained)
    assert run["state_name"] == "Partial" and "tokyo-m45: cannot write" in run["state"]["message"]
    details = json.loads(published(house, "SELECT details FROM run WHERE kind = 'retrain' ORDER BY started_at DESC")["details"].iloc[0])
    assert set(details["trained"]) == {"athens"} and set(details["not_trained"]) == {"tokyo-m45", "istanbul"}
    assert artifacts_of(house, run["id"])["retraining"]["data"] == 100.0


def test_a_backfill_whose_process_is_killed_is_told_and_finishes_when_asked_again(house):
    first, last = (START - timedelta(days=130)).date(), (START - timedelta(days=60)).date()
    asked = {"from_date": str(first), "to_date": str(last), "mode": "walk-forward", "retrain_every": 7, "recipes": ["athens"]}
    run_id = trigger(house, "backfill", **asked)
    rows = "SELECT count(*) AS n FROM forecast WHERE method = 'walk-forward'"

    def plan_told():
        """The plan, with its cost, comes first; Prefect sends logs a moment later."""
        said = house.api("POST", "/logs/filter", {"logs": {"flow_run_id": {"any_": [run_id]}}})
        return any("trainings, about" in row["message"] for row in said)

    wait_for(plan_told, 120, house.worker_log)
    wait_for(lambda: int(published(house, rows)["n"].iloc[0]) > 0, 120, house.worker_log)
    os.kill(flow_process(house, run_id), signal.SIGKILL)
    killed = end_of(house, run_id)
    assert killed["state_type"] == "CRASHED"
    (told,) = wait_for(lambda: told_to_operator(house), 30, house.worker_log)
    assert "backfill" in told and "Crashed" in told
    half = int(published(house, rows)["n"].iloc[0])
    done = end_of(house, trigger(house, "backfill", **asked))
    assert done["state_name"] == "Completed", done["state"]["message"]
    days = published(house, "SELECT count(DISTINCT target_start) AS n FROM forecast WHERE method = 'walk-forward' AND published")
    assert int(days["n"].iloc[0]) == (last - first).days + 1 and half < int(published(house, rows)["n"].iloc[0])
    runs = published(house, "SELECT state, details FROM run WHERE kind = 'backfill' ORDER BY started_at")
    assert runs["state"].tolist() == ["failed", "success"] and "its process was killed" in runs["details"].iloc[0]
    assert "nothing to do" in end_of(house, trigger(house, "backfill", **asked))["state"]["message"]


def flow_process(house, run_id):
    """The process id of a run, as the worker keeps it."""
    return int(house.api("GET", f"/flow_runs/{run_id}")["infrastructure_pid"].rpartition(":")[2])


def test_a_reforecast_is_one_entry_of_the_file_and_leaves_the_official_forecasts_as_they_are(house, tmp_path):
    """The entry of docs/EXTENDING.md, in a copy of the project that is deployed onto the same server."""
    extend(tmp_path)
    deployed = quakecast(house.environment, "deploy", "--project", str(tmp_path), PYTHONPATH=str(tmp_path))
    assert deployed.returncode == 0 and "deployed reforecast" in deployed.stdout, deployed.stderr
    house.deployments = {row["name"]: row for row in house.api("POST", "/deployments/filter", {})}
    assert [row["schedule"]["cron"] for row in house.deployments["reforecast"]["schedules"]] == ["0 12 * * *"]
    shown = "SELECT * FROM forecast WHERE official OR published ORDER BY forecast_id"
    before, scored = published(house, shown), published(house, "SELECT count(*) AS n FROM score")
    run = end_of(house, trigger(house, "reforecast"))
    assert run["state_name"] == "Completed", run["state"]["message"]
    assert published(house, shown).equals(before) and published(house, "SELECT count(*) AS n FROM score").equals(scored)
    beside = published(house, "SELECT recipe_id, mode FROM forecast WHERE model_kind = 'published' AND NOT published ORDER BY 1")
    assert beside["recipe_id"].tolist() == sorted(RECIPES) and set(beside["mode"]) == {"prospective"}
    assert {row["recipe"] for row in json.loads(artifacts_of(house, run["id"])["forecasts"]["data"])} == set(RECIPES)
    assert not house.hook.received


def test_a_server_that_is_down_or_older_is_one_line(house):
    nobody = quakecast(house.environment, "deploy", PREFECT_API_URL="http://127.0.0.1:9/api")
    assert (nobody.returncode, nobody.stderr.count("\n")) == (1, 1) and "does not answer" in nobody.stderr

    with answering(b'"3.4.1"') as server:
        old = quakecast(house.environment, "deploy", PREFECT_API_URL=f"http://127.0.0.1:{server.server_port}/api")
    assert (old.returncode, old.stderr.count("\n")) == (1, 1) and "is version 3.4.1, 3.8.0 is the oldest" in old.stderr
