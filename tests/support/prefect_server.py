"""A real Prefect server and its processes on loopback, each with a home of its own, started and ended by the test."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.support.smtp_server import free_port

PREFECT = Path(sys.executable).with_name("prefect")
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
BUSY_S = 240.0  # how long a server whose database is busy is asked again
BUSY_TIMES = 5  # how much longer than on an idle machine anything may take; what is there is never waited for
CLIENT_RETRIES = "10"  # of Prefect's own client, where the server's SQLite file is busy (503); it waits longer each time


def server_environment(home: Path, **more: str) -> dict[str, str]:
    """Of every process of Prefect in a test: own home, a free port of loopback, no telemetry, quick services; `more` is added."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "QUAKECAST_"))}
    return kept | {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api",
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "1",
        "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "3",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PREFECT_CLIENT_MAX_RETRIES": CLIENT_RETRIES,
        "DO_NOT_TRACK": "1",
        **more,
    }


def start_server(environment: dict[str, str]) -> "started":
    """The server of this environment; use as a context, then wait for `/health`."""
    port = environment["PREFECT_API_URL"].rpartition(":")[2].partition("/")[0]
    return started([PREFECT, "server", "start", "--host", "127.0.0.1", "--port", port], environment, "server")


class started:
    """A process of Prefect with its log, ended with its children at the end of the block."""

    def __init__(self, command: list[Any], environment: dict[str, str], name: str) -> None:
        self.command, self.environment = [str(part) for part in command], environment
        self.log = Path(environment["PREFECT_HOME"]) / f"{name}.log"

    def __enter__(self) -> Path:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.log.parent, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        return self.log

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, 9)
            self.process.wait(15)


def ask(environment: dict[str, str], method: str, path: str, document: object = None) -> Any:
    """One request to the server's API; made again where its SQLite file was busy (503), as Prefect's own client does."""
    body = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(environment["PREFECT_API_URL"] + path, body, {"Content-Type": "application/json"}, method=method)
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            if error.code != 503 or time.monotonic() > deadline:
                raise
        time.sleep(0.5)


def wait_for(told: Callable[[], Any], seconds: float, log: Path) -> Any:
    """The first true answer of `told`; the end of the log where none comes. `seconds`: more than an idle machine takes."""
    deadline = time.monotonic() + seconds * BUSY_TIMES
    while time.monotonic() < deadline:
        with suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            if answer := told():
                return answer
        time.sleep(0.3)
    raise AssertionError(f"nothing within {seconds * BUSY_TIMES} s\n{log.read_text(errors='replace')[-3000:]}")


def process_template() -> dict[str, Any]:
    """The job template of a process pool, as `prefect work-pool create --type process` would send it."""
    from prefect.workers.process import ProcessWorker

    return ProcessWorker.get_default_base_job_template()
