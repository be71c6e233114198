"""A real Prefect server on a real PostgreSQL of the system: schedules yield runs, a process worker does one, a dump restores.

PostgreSQL refuses to run as root and reads nothing below pytest's private folder, so it has a short folder of its own, a Unix socket and
no TCP port. The server speaks on loopback. sqlalchemy 2.1 would silently yield no Scheduled runs (both were tried).
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.prefect_server import ENDED, PREFECT, ask, process_template, server_environment, start_server, started, wait_for

pytestmark = pytest.mark.system

TOKYO_MORNING = "50 6 * * *"
FLOW = """
from prefect import flow

@flow
def hello(name: str = "nobody"):
    print(f"hello {name}")
"""


@pytest.fixture(scope="session", autouse=True)
def prefect_home() -> None:
    """Takes the place of the folder's own test server: these tests start another."""


def pg_tool(name: str) -> str:
    """A program of PostgreSQL: from Debian's versioned folder or the PATH."""
    versioned = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    found = str(versioned[-1]) if versioned else shutil.which(name)
    if found is None:
        pytest.skip(f"PostgreSQL's {name} is not installed (make system-deps)")
    return found


def pg_user() -> str | None:
    """Whom the database runs as: ourselves, or postgres or nobody where we are root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


@pytest.fixture(scope="module")
def database() -> Iterator[SimpleNamespace]:
    """A PostgreSQL of its own: folder (with the socket), url for Prefect, run(tool, *arguments)."""
    initdb, user = pg_tool("initdb"), pg_user()
    folder = Path(tempfile.mkdtemp(prefix="quakecast-pg-", dir="/tmp"))
    folder.chmod(0o755)
    data, who = folder / "data", {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}
    if user:
        shutil.chown(folder, user)

    def run(tool: str, *arguments: object) -> str:
        command = [pg_tool(tool), *map(str, arguments)]
        done = subprocess.run(
            command, cwd=folder, text=True, capture_output=True, timeout=600, env={"PGHOST": str(folder), "LC_ALL": "C"}, **who
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("initdb", "-D", data, "-U", "quakecast", "--auth=trust", "--encoding=UTF8", "--no-sync")
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    start = [pg_tool("pg_ctl"), "-D", str(data), "-w", "-o", options, "-l", str(folder / "log"), "start"]
    subprocess.run(start, cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=600, **who)
    try:
        run("createdb", "-U", "quakecast", "prefect")
        yield SimpleNamespace(folder=folder, url=f"postgresql+asyncpg://quakecast@/prefect?host={folder}", run=run, initdb=initdb)
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def environment(database, tmp_path_factory) -> dict[str, str]:
    """Of every process of Prefect here: its own home, its own database, no telemetry."""
    return server_environment(tmp_path_factory.mktemp("prefect-on-postgres"), PREFECT_API_DATABASE_CONNECTION_URL=database.url)


@pytest.fixture(scope="module")
def api(environment) -> Iterator[Callable[..., Any]]:
    """A running server: api(method, path, document) -> the answer's document."""
    with start_server(environment) as log:
        wait_for(lambda: ask(environment, "GET", "/health"), 90, log)
        yield lambda *request: ask(environment, *request)


def test_cron_yields_scheduled_runs_a_worker_does_one_and_a_dump_restores(api, environment, database, tmp_path):
    (tmp_path / "hello.py").write_text(FLOW)
    log = Path(environment["PREFECT_HOME"]) / "server.log"
    flow_id = api("POST", "/flows/", {"name": "hello"})["id"]
    api("POST", "/work_pools/", {"name": "quakecast", "type": "process", "base_job_template": process_template()})
    deployment = {
        "name": "daily",
        "flow_id": flow_id,
        "work_pool_name": "quakecast",
        "entrypoint": "hello.py:hello",
        "pull_steps": [{"prefect.deployments.steps.set_working_directory": {"directory": str(tmp_path)}}],
        "schedules": [{"active": True, "schedule": {"cron": TOKYO_MORNING, "timezone": "Asia/Tokyo"}}],
    }
    deployment_id = api("POST", "/deployments/", deployment)["id"]
    scheduled = {"deployments": {"id": {"any_": [deployment_id]}}, "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    runs = wait_for(lambda: api("POST", "/flow_runs/filter", scheduled), 45, log)
    assert {run["expected_start_time"][11:19] for run in runs} == {"21:50:00"}  # 06:50 of Tokyo, nine hours ahead of UTC all year
    assert len({run["expected_start_time"] for run in runs}) == len(runs) >= 3

    made = api("POST", f"/deployments/{deployment_id}/create_flow_run", {"parameters": {"name": "quake"}, "state": {"type": "SCHEDULED"}})
    with started([PREFECT, "worker", "start", "--pool", "quakecast", "--name", "one"], environment, "worker") as worker_log:
        done = wait_for(lambda: (run := api("GET", f"/flow_runs/{made['id']}"))["state_type"] in ENDED and run, 100, worker_log)
    assert done["state_type"] == "COMPLETED", worker_log.read_text(errors="replace")[-3000:]

    count = (
        "psql",
        "-U",
        "quakecast",
        "-At",
        "-c",
        "SELECT count(*), count(*) FILTER (WHERE state_type = 'COMPLETED') FROM flow_run",
        "-d",
    )
    dump = database.folder / "prefect.dump"
    database.run("pg_dump", "-U", "quakecast", "-Fc", "-f", dump, "prefect")
    database.run("createdb", "-U", "quakecast", "restored")
    database.run("pg_restore", "-U", "quakecast", "--exit-on-error", "-d", "restored", dump)
    restored = database.run(*count, "restored").strip().split("|")
    assert int(restored[0]) >= 4 and restored[1] == "1"
