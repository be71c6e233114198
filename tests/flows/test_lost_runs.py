"""Runs whose worker and process are killed, and the server with them: marked as crashed by a real server, their place is free again."""

import os
import signal
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from flows.support.stale_runs import NEVER_BEGAN, STARTUP_WATCH, WATCH, ensure_zombie_watches
from tests.support.prefect_server import ENDED, PREFECT, ask, process_template, server_environment, start_server, started, wait_for

FLOW = """
import time

time.sleep(SLOW)
from prefect import flow

@flow
def waits(seconds: float = 0):
    time.sleep(seconds)
"""
SHORT = timedelta(seconds=15)


@pytest.fixture(scope="session", autouse=True)
def prefect_home() -> None:
    """Takes the place of the folder's own test server: these tests start another."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A server with two deployments of one place each, ours (tagged) and somebody else's; `server` may be killed and started again."""
    folder = tmp_path_factory.mktemp("lost")

    class Place:
        environment = server_environment(folder / "prefect", PREFECT_FLOWS_HEARTBEAT_FREQUENCY="30")

        def start(self):
            self.server = start_server(self.environment)
            self.log = stack.enter_context(self.server)
            wait_for(lambda: self.api("GET", "/health"), 90, self.log)

        def api(self, *request):
            return ask(self.environment, *request)

        def trigger(self, name, seconds=0.0):
            body = {"parameters": {"seconds": seconds}, "state": {"type": "SCHEDULED"}}
            return self.api("POST", f"/deployments/{self.deployments[name]}/create_flow_run", body)["id"]

        def state(self, run_id):
            return self.api("GET", f"/flow_runs/{run_id}")["state"]

        def wait(self, run_id, *types):
            return wait_for(lambda: (state := self.state(run_id))["type"] in types and state, 120, self.log)

        def heartbeats(self, run_id):
            wanted = {"event": {"name": ["prefect.flow-run.heartbeat"]}, "resource": {"id": [f"prefect.flow-run.{run_id}"]}}
            return self.api("POST", "/events/filter", {"filter": wanted})["events"]

        def worker(self):
            return started([PREFECT, "worker", "start", "--pool", "quakecast", "--name", "one"], self.environment, "worker")

    (folder / "prefect").mkdir()
    with ExitStack() as stack:
        place = Place()
        place.start()
        place.file = folder / "flow.py"
        place.file.write_text(FLOW.replace("SLOW", "0"))
        flow_id = place.api("POST", "/flows/", {"name": "waits"})["id"]
        place.api("POST", "/work_pools/", {"name": "quakecast", "type": "process", "base_job_template": process_template()})
        place.deployments = {}
        for name, tags in (("ours", ["quakecast"]), ("theirs", [])):
            deployment = {
                "name": name,
                "flow_id": flow_id,
                "tags": tags,
                "work_pool_name": "quakecast",
                "entrypoint": "flow.py:waits",
                "concurrency_limit": 1,
                "concurrency_options": {"collision_strategy": "ENQUEUE"},
                "pull_steps": [{"prefect.deployments.steps.set_working_directory": {"directory": str(folder)}}],
            }
            place.deployments[name] = place.api("POST", "/deployments/", deployment)["id"]
        yield place


def watch(place, **times):
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: place.environment["PREFECT_API_URL"]}):
        ensure_zombie_watches(**times)


def kill(process):
    """The process and all that it has started, at once."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(15)


def below(pid):
    """The processes that this one has started, and theirs: a worker starts runs in groups of their own."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(status.read_text().rpartition(")")[2].split()[1]) == pid:
                child = int(status.parent.name)
                found += [child, *below(child)]
    return found


def kill_worker(worker):
    children = below(worker.process.pid)
    kill(worker.process)
    for pid in children:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_a_run_killed_before_it_began_frees_its_place(place):
    watch(place, startup=SHORT)
    place.file.write_text(FLOW.replace("SLOW", "60"))  # Pending for a minute
    worker = place.worker()
    with worker:
        ours, theirs = place.trigger("ours"), place.trigger("theirs")
        place.wait(ours, "PENDING")
        place.wait(theirs, "PENDING")
        kill_worker(worker)
    dead = place.wait(ours, *ENDED)
    assert dead["type"] == "CRASHED" and NEVER_BEGAN in dead["message"]
    assert place.state(theirs)["type"] == "PENDING"  # not ours to touch
    watch(place)  # on a busy machine a run takes longer than SHORT to begin
    place.file.write_text(FLOW.replace("SLOW", "0"))
    with place.worker():
        assert place.wait(place.trigger("ours"), *ENDED)["type"] == "COMPLETED"


def test_after_a_power_cut_the_run_is_marked_and_the_next_one_begins(place):
    watch(place, silence=SHORT)
    worker = place.worker()
    with worker:
        run = place.trigger("ours", 300)
        place.wait(run, "RUNNING")
        wait_for(lambda: place.heartbeats(run), 60, place.log)
        kill_worker(worker)
        kill(place.server.process)
    place.start()
    dead = place.wait(run, *ENDED)
    assert dead["type"] == "CRASHED" and "no sign of life for 15 seconds" in dead["message"]
    watch(place)
    with place.worker():
        assert place.wait(place.trigger("ours"), *ENDED)["type"] == "COMPLETED"


def test_the_watches_of_an_earlier_version_are_brought_up_to_date(place):
    watch(place, silence=SHORT, startup=SHORT)
    watch(place)
    found = {row["name"]: row for row in place.api("POST", "/automations/filter", {})}
    assert set(found) == {WATCH, STARTUP_WATCH}
    assert [found[name]["trigger"]["within"] for name in (WATCH, STARTUP_WATCH)] == [150, 300]
    assert all(row["trigger"]["match_related"] for row in found.values())
