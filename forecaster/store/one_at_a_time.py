"""A lock of the operating system on a file: who holds it, since when; a process that dies gives it back."""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from forecaster.errors import NotWritable, StoreBusy


@contextmanager
def one_at_a_time(path: Path, what: str, since: datetime) -> Iterator[None]:
    """Hold the lock at `path` as long as the block lasts. What is held is told to whoever comes second: `what`, the process, `since`.

    The file stays, empty: a lock on a file that is removed would be none.

    Raises:
        StoreBusy: another process, or another part of this one, holds it; with who does and since when.
        NotWritable: the file cannot be made.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise NotWritable(f"cannot write {path} ({error.strerror}); set QUAKECAST_HOME to a folder you may write to") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreBusy(f"{_holder(handle)}; wait for it to end, or stop it, and run the same command again") from None
        me = {"what": what, "who": f"process {os.getpid()} on {socket.gethostname()}", "since": f"{since:%Y-%m-%d %H:%M:%S}Z"}
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(me, ensure_ascii=False).encode(), 0)
        yield
        os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def _holder(handle: int) -> str:
    try:
        held = json.loads(os.pread(handle, 10_000, 0))
        return f"{held['what']} is running already, as {held['who']} since {held['since']}"
    except (ValueError, KeyError, TypeError):
        return "another process holds the lock and has not said yet who it is"
