"""Which runs are alive. Each run holds a lock of the operating system for as long as its process lives, whatever ends it.

The locks lie beside the database, one file a run. They work wherever the database's own lock does: between processes and containers that
share the folder. Unlike a process id, a heartbeat or a time-out, a lock cannot be misread.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from forecaster.errors import NotWritable
from forecaster.store.sharing.one_at_a_time import one_at_a_time

FOLDER = "running"


@contextmanager
def alive(home: Path, run_id: str, what: str, since: datetime) -> Iterator[None]:
    """Show every other process that this run is alive, as long as the block lasts.

    Raises:
        StoreBusy: a run of this very id is alive (the same moment is being replayed).
        NotWritable: the folder cannot be written.
    """
    path = _path(home, run_id)
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise NotWritable(f"cannot write {path.parent} ({error.strerror}); set QUAKECAST_HOME to a folder you may write to") from None
    with one_at_a_time(path, what, since):
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def is_alive(home: Path, run_id: str) -> bool:
    """Return whether the process of this run is alive. The file of a killed process is removed."""
    path = _path(home, run_id)
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        path.unlink(missing_ok=True)
        return False
    finally:
        os.close(handle)


def _path(home: Path, run_id: str) -> Path:
    return home / FOLDER / run_id
