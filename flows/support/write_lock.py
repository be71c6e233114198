"""The write lock: one run writes at a time, by a lock of the operating system beside the database. A daily run holds it as a whole; a long
run takes it whenever it stores.

DuckDB's own lock protects the file. This lock keeps runs from waiting for it in the middle of their work, and shows which run writes. A
process that dies releases it at once, whatever becomes of the Prefect server.
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
    """Hold the write lock of this database. A run that must wait logs the holder.

    Raises:
        StoreBusy: another run held it for MAX_WAIT; the message names it and the time since when.
    """
    what = f"the run {flow_run.name or work.run_id!r}"
    with writers_place(work, what, datetime.now(UTC), MAX_WAIT, get_run_logger().warning):
        yield
