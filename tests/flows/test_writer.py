"""The one place of a writer: given back by a process that dies, waited for with a word, and not for ever."""

import logging
import signal
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prefect import flow

from flows.support import write_lock
from forecaster.clock import Clock
from forecaster.errors import StoreBusy
from forecaster.pipeline.run_context import Job

ROOT = Path(__file__).resolve().parents[2]
HOLDER = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from forecaster.store.sharing.one_at_a_time import WRITER_LOCK, one_at_a_time

with one_at_a_time(Path(sys.argv[1]) / WRITER_LOCK, "the run 'daily 2026-01-02 14:30Z'", datetime(2026, 1, 2, 14, 31, tzinfo=UTC)):
    print("held", flush=True)
    time.sleep(300)
"""


@contextmanager
def held(home):
    """Another process that holds the place until it is killed."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(home)], stdout=subprocess.PIPE, cwd=ROOT, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.fixture
def write(world):
    @flow
    def writes() -> str:
        work = Job(world.settings, world.store, [], Clock(lambda: datetime.now(UTC), simulated=False), "run")
        with write_lock.one_writer(work):
            return "written"

    return writes


def test_a_holder_that_is_killed_gives_the_place_back_at_once(world, write, caplog):
    with held(world.home) as process, caplog.at_level(logging.WARNING):
        killed = []

        def kill(record):
            if "is running already" in record.getMessage():
                process.send_signal(signal.SIGKILL)
                killed.append(record.getMessage())
            return True

        caplog.handler.addFilter(kill)
        assert write() == "written"
    (told,) = killed
    assert told.startswith("the run 'daily 2026-01-02 14:30Z' is running already, as process ")
    assert "since 2026-01-02 14:31:00Z; waiting for it to end, at most 50 minutes" in told


def test_nobody_waits_for_ever(world, write, monkeypatch):
    monkeypatch.setattr(write_lock, "MAX_WAIT", timedelta(seconds=1))
    with (
        held(world.home),
        pytest.raises(StoreBusy, match=r"'daily 2026-01-02 14:30Z' is running already, as process .*wait for it to end, or"),
    ):
        write()


def test_the_place_is_free_after_an_error_too(world, write):
    @flow
    def fails():
        work = Job(world.settings, world.store, [], Clock(lambda: datetime.now(UTC), simulated=False), "run")
        with write_lock.one_writer(work):
            raise KeyError("a bug")

    with pytest.raises(KeyError):
        fails()
    assert write() == "written"
