"""A day of the daily job in a process of its own, without Prefect: the steps in the order of flows/daily.py, dying where it is told to.

    live(told, moment, die_at=17)     dies (SIGKILL) at its 17th boundary; without `die_at` it writes into `told["note"]` what it passed

A boundary is a place between two writes: before and after each step; after the begin, before the commit and after the commit of each
transaction; before and after each rename, removal and copy of a file. Processes are forked from a server that has everything imported.
"""

import functools
import json
import logging
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from flows import tasks
from flows.support import steps
from forecaster.pipeline import run_context
from forecaster.reports.drawing import chart_library
from forecaster.settings import Settings, load_settings
from forecaster.store.database import Store
from forecaster.store.engine import duckdb_engine
from tests.support import toy_models
from tests.support.steps import machine


class Boundaries:
    """Counts the boundaries that this process passes, and dies at the one it is told."""

    def __init__(self, die_at: int | None) -> None:
        self.die_at, self.passed = die_at, list[str]()
        self.step = "start"

    def enter(self, step: str) -> None:
        self.step = step
        self.at("step")

    def at(self, name: str) -> None:
        self.passed.append(f"{self.step}: {name}")
        if len(self.passed) == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def put_in_place(self, patch: pytest.MonkeyPatch) -> None:
        inner = Store.transaction

        @contextmanager
        def transaction(store: Store, *arguments: Any, **named: Any) -> Iterator[Any]:
            with inner(store, *arguments, **named) as connection:
                self.at("begun")
                yield connection
                self.at("not committed")
            self.at("committed")

        patch.setattr(Store, "transaction", transaction)
        for name in ("replace", "rename", "unlink", "remove"):
            patch.setattr(os, name, self._around(name, getattr(os, name)))
        patch.setattr(duckdb_engine, "copy_whole", self._around("copy", duckdb_engine.copy_whole))

    def _around(self, name: str, inner: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(inner)
        def around(*arguments: Any, **named: Any) -> None:
            self.at(f"before {name}")
            inner(*arguments, **named)
            self.at(f"after {name}")

        return around


def live(told: dict[str, Any], moment: datetime, die_at: int | None = None) -> None:
    """One day at `moment`; `told` holds settings, besides `note`: the file to write to at the end what was passed and done."""
    logging.disable(logging.CRITICAL)
    settings, boundaries = load_settings(**{name: value for name, value in told.items() if name != "note"}), Boundaries(die_at)
    with pytest.MonkeyPatch.context() as patch:
        toy_models.put_in_place(patch)
        patch.setattr(chart_library, "_bundle", lambda: "")  # a second of work a process, always the same text
        patch.setattr(chart_library, "_users_cache", lambda: None)
        without_prefect(patch)
        boundaries.put_in_place(patch)
        done = the_day(settings, moment, boundaries)
    Path(told["note"]).write_text(json.dumps({"passed": boundaries.passed, **done}, default=str), encoding="utf-8")


def the_day(settings: Settings, moment: datetime, boundaries: Boundaries) -> dict[str, Any]:
    """What flows/daily.py does, step for step; returns what the steps say."""
    work = run_context.open_job(settings, machine(moment))
    with steps.noted_run(work, "daily") as done:
        boundaries.enter("pull")
        problem = steps.pull(work, done)
        boundaries.enter("predict")
        said = tasks.predict_task(work, list(work.recipes), None, problem)
        done |= {"forecasts": len(said.forecast_ids), "not_scoreable": said.not_scoreable, "degraded": said.degraded}
        boundaries.enter("verify")
        steps.verify(work, done)
        boundaries.enter("alerts")
        steps.raise_alerts(work, done)
        boundaries.enter("report")
        steps.alone("report", lambda: tasks.report_task(work, ("en",)), done)
        boundaries.enter("export")
        steps.alone("export", lambda: tasks.export_task(work), done)
        boundaries.enter("notify")
        steps.notify(work, done, report=True)
        boundaries.enter("finish")
    boundaries.at("end")
    return dict(done)


def without_prefect(patch: pytest.MonkeyPatch) -> None:
    """The steps of the flows as plain functions that show no progress, as long as the patch lasts."""
    for name, step in vars(tasks).copy().items():
        if name.endswith("_task"):
            patch.setattr(tasks, name, step.fn)
    patch.setattr(steps, "get_run_logger", lambda: logging.getLogger("flows"))
    patch.setattr(tasks, "progress", lambda *_: nullcontext(lambda *_: None))


@functools.cache
def _forking() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.faults.day", "duckdb"])
    return context


def start(told: dict[str, Any], moment: datetime, die_at: int | None = None) -> Any:
    """The process of a day, started."""
    process = _forking().Process(target=live, args=(told, moment, die_at), daemon=True)
    process.start()
    return process
