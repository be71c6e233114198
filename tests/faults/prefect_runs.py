"""Runs of the deployed daily flow that are killed: a real Prefect server, a real worker, and SIGKILL for the process of the run.

kill_runs(folder, kills=8, seed=1): each run is triggered as the UI does it, killed at a random moment (also before it has begun to work),
and must end as crashed; the one after the last kill must make the day whole. Every third kill takes the worker with it.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from forecaster.store.database import Store, open_store
from tests.faults import compare, receivers
from tests.faults.world import SECRET
from tests.support import tiny
from tests.support.prefect_server import ENDED, ask, server_environment, start_server, started, wait_for
from tests.support.toys import quake, write
from tests.support.usgs_history import history_of
from tests.support.usgs_server import serve

ROOT = Path(__file__).resolve().parents[2]
QUAKECAST = Path(sys.executable).with_name("quakecast")
RECIPES = ("tokyo-m45", "istanbul")
RUN_S = 240.0  # a run of a few seconds, on a busy machine
CRASHED_S = 240.0  # until the server knows that a run whose process died has ended


@dataclass
class KilledRuns:
    """How the runs ended, when they were killed, and what was not as promised."""

    ended: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    workers_killed: int = 0
    slowest_to_end_s: float = 0.0
    wrong: list[str] = field(default_factory=list)


class House:
    """A server, a deployment of the flows, a worker, and the home that they work on."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.home, now = folder / "home", datetime.now(UTC).replace(microsecond=0)
        store = open_store(self.home / "quakecast.duckdb")
        tiny.fill(store, now - timedelta(hours=20), sign=True, start=now - timedelta(days=1_100))
        write(store, *(quake(f"tk{back}", now - timedelta(days=back)) for back in range(70, 1_000, 9)))
        for recipe_id in RECIPES:
            tiny.write_recipe(self.home / "recipes", recipe_id, models='["best_rate"]')
        near = {"mag": 5.1, "latitude": 35.7, "longitude": 139.7}
        told = [{"id": f"us9{n}", "time": now - timedelta(hours=n), "known_at": now - timedelta(hours=n - 1), **near} for n in range(2, 18)]
        usgs = stack.enter_context(serve(history_of(told), clock=now))
        self.book, sending = stack.enter_context(receivers.receiving(SECRET))
        settings = {"HOME": self.home, "RECIPES": self.home / "recipes", "USGS_URL": usgs.url}
        settings |= {name.upper(): value for name, value in sending.items()}
        environment = {f"QUAKECAST_{name}": str(value).lower() if value is True else str(value) for name, value in settings.items()}
        (folder / "prefect").mkdir(parents=True)
        self.environment = server_environment(folder / "prefect", TF_CPP_MIN_LOG_LEVEL="2", PYTHONPATH=str(ROOT), **environment)
        self.log = stack.enter_context(start_server(self.environment))
        wait_for(lambda: self.api("GET", "/health"), 120, self.log)
        command = [str(QUAKECAST), "deploy", "--project", str(ROOT)]
        done = subprocess.run(command, env=self.environment, cwd=ROOT, text=True, capture_output=True, timeout=180, check=False)
        assert done.returncode == 0, done.stderr
        (daily,) = (row for row in self.api("POST", "/deployments/filter", {}) if row["name"] == "daily")
        self.deployment = daily
        self.worker: started | None = None
        stack.callback(self.end_worker)

    def api(self, *request: Any) -> Any:
        return ask(self.environment, *request)

    def start_worker(self) -> None:
        self.worker = started([QUAKECAST, "worker"], self.environment, "worker")
        self.worker.__enter__()

    def end_worker(self, *, at_once: bool = False) -> None:
        if self.worker is not None:
            if at_once:
                with suppress(ProcessLookupError):
                    os.killpg(self.worker.process.pid, signal.SIGKILL)
                self.worker.process.wait(20)
            else:
                self.worker.__exit__()
            self.worker = None

    def trigger(self) -> str:
        parameters = self.deployment["parameters"] | {"issue": "next", "train_mode": "never", "languages": ["en"], "send": "everything"}
        body = {"parameters": parameters, "state": {"type": "SCHEDULED"}}
        return str(self.api("POST", f"/deployments/{self.deployment['id']}/create_flow_run", body)["id"])

    def run(self, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api("GET", f"/flow_runs/{run_id}")
        return found

    def ended(self, run_id: str, seconds: float) -> dict[str, Any]:
        found: dict[str, Any] = wait_for(lambda: (run := self.run(run_id))["state_type"] in ENDED and run, seconds, self.log)
        return found

    def process(self, run_id: str) -> int:
        """The process of the run, as soon as the worker has started it."""
        told = wait_for(lambda: self.run(run_id)["infrastructure_pid"], RUN_S, self.log)
        return int(str(told).rpartition(":")[2])


def kill_runs(
    folder: Path, kills: int, seed: int, *, say: Callable[[str], None] = lambda _: None, until: float = float("inf")
) -> KilledRuns:
    """Kill `kills` runs one after the other, then let one live, and look at what is there."""
    result, draw = KilledRuns(), random.Random(seed)
    with ExitStack() as stack:
        house = House(folder, stack)
        house.start_worker()
        began = time.monotonic()
        first = house.ended(house.trigger(), RUN_S)
        whole_s = time.monotonic() - began
        result.ended[first["state_name"]] += 1
        say(f"a whole run: {first['state_name']}, {whole_s:.0f} s")
        for number in range(kills):
            if time.monotonic() > until:
                result.wrong.append(f"out of time after {number} of {kills} kills")
                break
            run_id = house.trigger()
            process_id = house.process(run_id)
            time.sleep(draw.uniform(0.0, whole_s / 2))  # the other half goes by before it has a process
            if number % 3 == 2:
                receivers.kill(process_id)
                house.end_worker(at_once=True)
                result.workers_killed += 1
                house.start_worker()
            else:
                receivers.kill(process_id)
            killed_at = time.monotonic()
            try:
                run = house.ended(run_id, CRASHED_S)
            except AssertionError:
                result.wrong.append(f"kill {number + 1}: the run is {house.run(run_id)['state_name']} after {CRASHED_S:.0f} s")
                continue
            took = time.monotonic() - killed_at
            result.slowest_to_end_s = max(result.slowest_to_end_s, took)
            result.ended[run["state_name"]] += 1
            result.kills += run["state_name"] != "Completed"  # else it was over before
            say(f"kill {number + 1} of {kills}: {run['state_name']} after {took:.0f} s")
        last = house.ended(house.trigger(), RUN_S)
        say(f"the last run: {last['state_name']}: {last['state']['message']}")
        if last["state_name"] not in ("Completed", "Partial"):
            result.wrong.append(f"the last run ended as {last['state_name']}: {last['state']['message']}")
        _judge(house, result)
    return result


def _judge(house: House, result: KilledRuns) -> None:
    store = Store(house.home / "quakecast.duckdb")
    result.wrong += [f"{count} {name} stand there twice" for name, count in compare.doubled(store).items() if name != "published forecasts"]
    result.wrong += compare.broken_files(house.home)
    runs = compare.asked(store, "SELECT state FROM run WHERE kind = 'daily'")["state"]
    if (runs == "running").any():
        result.wrong.append("a run is still marked as running")
    official = compare.asked(store, "SELECT recipe_id, target_start FROM forecast WHERE official AND published")
    if set(official["recipe_id"]) != set(RECIPES):
        result.wrong.append(f"official forecasts of {sorted(set(official['recipe_id']))} only")
    sent = compare.asked(store, "SELECT delivery_id FROM delivery WHERE state = 'sent' AND channel = 'webhook'")["delivery_id"]
    came = Counter(message.message_id for message in house.book.received if message.channel == "webhook")
    if lost := set(sent) - set(came):
        result.wrong.append(f"{len(lost)} webhooks are marked as sent and never came")
