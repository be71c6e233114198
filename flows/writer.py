"""One writer at a time, under a concurrency limit of the Prefect server: a day takes its turn as a whole, a long run whenever it stores.

DuckDB's own lock is what keeps the file whole; this limit keeps writers from waiting for it without an order, and shows who writes.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from prefect.client.orchestration import get_client
from prefect.concurrency.sync import concurrency

WRITER_LIMIT = "quakecast-writer"
LEASE_SECONDS = 60  # renewed while the writer lives; the shortest that a server grants


def ensure_writer_limit() -> None:
    """Make the limit on the server, where it is not there yet."""
    with get_client(sync_client=True) as client:
        client.upsert_global_concurrency_limit_by_name(WRITER_LIMIT, 1)


@contextmanager
def one_writer() -> Iterator[None]:
    """Hold the one place of a writer; a process that dies gives it back when its lease ends, a minute later at most."""
    with concurrency(WRITER_LIMIT, occupy=1, lease_duration=LEASE_SECONDS):
        yield
