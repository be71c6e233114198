"""Old runs on a real Prefect server: ours leave with their task runs, logs and artifacts, those of others stay."""

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate, LogCreate
from prefect.client.schemas.filters import ArtifactFilter, FlowRunFilter, LogFilter
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Running

from flows.support import old_runs
from flows.support.old_runs import delete_old_runs, delete_runs_before
from forecaster.settings import load_settings
from tests.support.prefect_server import ask, server_environment, start_server, wait_for


@pytest.fixture(scope="session", autouse=True)
def prefect_home() -> None:
    """Takes the place of the folder's own test server: these tests start another."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server with our deployment `verify/verify`, and `others/verify` and `verify/others` of somebody else, with our tag."""
    home = tmp_path_factory.mktemp("prefect")
    environment = server_environment(home)
    with ExitStack() as stack:
        log = stack.enter_context(start_server(environment))
        wait_for(lambda: ask(environment, "GET", "/health"), 90, log)
        stack.enter_context(temporary_settings({PREFECT_API_URL: environment["PREFECT_API_URL"]}))
        client = stack.enter_context(get_client(sync_client=True))
        ids = {}
        for flow, name in (("verify", "verify"), ("others", "verify"), ("verify", "others")):
            flow_id = client.create_flow_from_name(flow)
            ids[f"{flow}/{name}"] = client.create_deployment(flow_id, name, tags=["quakecast"])
        yield SimpleNamespace(client=client, deployments=ids, log=log)


def run_of(server, name, *, ended=True):
    """The id of a run of that deployment with a task run, a log line and an artifact."""
    client = server.client
    run = client.create_flow_run_from_deployment(server.deployments[name])
    client.set_flow_run_state(run.id, Running(), force=True)
    client.request("POST", "/task_runs/", json={"flow_run_id": str(run.id), "task_key": "a", "dynamic_key": "0", "name": "a"})
    client.create_logs([LogCreate(name="a", level=20, message="a line", timestamp=datetime.now(UTC), flow_run_id=run.id)])
    client.create_artifact(ArtifactCreate(key="skill", type="markdown", data="a", flow_run_id=run.id))
    if ended:
        client.set_flow_run_state(run.id, Completed(), force=True)
    return run.id


def last_end(server, run_id):
    """The time at which the server let the run end: it takes no other, so that ages are made by the moment that is asked for."""
    return server.client.read_flow_run(run_id).end_time


def left(server, run_id):
    """How many runs, task runs, logs and artifacts are there."""
    runs = FlowRunFilter.model_validate({"id": {"any_": [run_id]}})
    of_run = {"flow_run_id": {"any_": [run_id]}}
    tasks = server.client.request("POST", "/task_runs/count", json={"flow_runs": {"id": {"any_": [str(run_id)]}}}).json()
    return (
        len(server.client.read_flow_runs(flow_run_filter=runs)),
        tasks,
        len(server.client.read_logs(LogFilter.model_validate(of_run))),
        len(server.client.read_artifacts(artifact_filter=ArtifactFilter.model_validate(of_run))),
    )


def test_old_runs_of_ours_leave_with_all_they_have_and_no_other_run_does(server):
    theirs = [run_of(server, name) for name in ("others/verify", "verify/others")]
    alone = server.client.request("POST", "/flow_runs/", json={"flow_id": str(server.client.create_flow_from_name("verify"))}).json()["id"]
    server.client.set_flow_run_state(alone, Completed(), force=True)
    at_work, old, new = (run_of(server, "verify/verify", ended=ended) for ended in (False, True, True))
    moment = last_end(server, old)
    assert moment < last_end(server, new) and all(last_end(server, run) < moment for run in [*theirs, alone])
    wait_for(lambda: all(left(server, run)[2] for run in (old, new, at_work, *theirs)), 60, server.log)
    assert delete_runs_before(server.client, moment) == 1
    wait_for(lambda: left(server, old) == (0, 0, 0, 0), 60, server.log)
    assert server.client.request("GET", f"/flow_runs/{alone}").status_code == 200, "run by hand, without a deployment"
    for run in (new, at_work, *theirs):
        assert left(server, run) == (1, 1, 1, 1)
    assert delete_runs_before(server.client, moment) == 0
    assert delete_runs_before(server.client, last_end(server, new)) == 1


def test_a_run_deletes_so_many_at_most(server, monkeypatch):
    last = [run_of(server, "verify/verify") for _ in range(3)][-1]
    moment = last_end(server, last)
    monkeypatch.setattr(old_runs, "MAX_AT_ONCE", 2)
    monkeypatch.setattr(old_runs, "PAGE", 1)
    assert [delete_runs_before(server.client, moment) for _ in range(3)] == [2, 1, 0]


def test_nothing_is_deleted_outside_a_deployment_or_where_runs_are_kept_for_ever(server, monkeypatch):
    run = run_of(server, "verify/verify")
    early, late = (last_end(server, run) + timedelta(days=days) for days in (29, 31))
    assert delete_old_runs(load_settings(keep_runs_days=30), late) == 0
    monkeypatch.setenv("PREFECT__RUNTIME__DEPLOYMENT__ID", str(server.deployments["verify/verify"]))
    assert delete_old_runs(load_settings(keep_runs_days=0), late) == delete_old_runs(load_settings(keep_runs_days=30), early) == 0
    assert left(server, run)[0] == 1
    assert delete_old_runs(load_settings(keep_runs_days=30), late) == 1 and left(server, run)[0] == 0
