"""One writer at a time, by a lock of the operating system beside the database: a day takes its turn as a whole, a long run whenever it
stores.

DuckDB's own lock is what keeps the file whole; this one keeps writers from waiting for it in the middle of their work, and says who writes.
A process that dies gives it back at once, whatever becomes of the Prefect server.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from prefect import get_run_logger
from prefect.runtime import flow_run

from forecaster.pipeline.run_context import Job, writers_place

MAX_WAIT = timedelta(minutes=50)  # less than the hour that the flow `send` has


@contextmanager
def one_writer(work: Job) -> Iterator[None]:
    """Hold the write lock of this database; a run that must wait logs the holder.

    Raises:
        StoreBusy: another run held it for MAX_WAIT; with which, and since when.
    """
    what = f"the run {flow_run.name or work.run_id!r}"
    with writers_place(work, what, datetime.now(UTC), MAX_WAIT, get_run_logger().warning):
        yield
