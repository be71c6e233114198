"""A lock of the operating system on a file, with its holder and the time since when it is held. A process that dies releases it."""

import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from forecaster.errors import NotWritable, StoreBusy
from forecaster.files import PRIVATE, keep_private

WRITER_LOCK = "writer.lock"  # beside the database: of runs, and of a schema change
ASK_AGAIN_SECONDS = 0.5
TELL_AGAIN_SECONDS = 300.0


@contextmanager
def one_at_a_time(
    path: Path, what: str, since: datetime | None, *, wait: timedelta = timedelta(0), on_wait: Callable[[str], object] = lambda _: None
) -> Iterator[None]:
    """Hold the lock at `path` as long as the block lasts. A second process that asks for it is shown `what` is held, by which process, and
    since when: `since` (now, aware UTC), and the time waited.

    The second process waits for at most `wait`, and reports the holder to `on_wait`, at once and every few minutes. The file stays, empty:
    a lock on a file that is removed would have no effect.

    Raises:
        StoreBusy: another process, or another part of this one, holds it; with who does and since when.
        NotWritable: the file cannot be made.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE)
        keep_private([path])
    except OSError as error:
        raise NotWritable(f"cannot write {path} ({error.strerror}); set QUAKECAST_HOME to a folder you may write to") from None
    try:
        waited = _take(handle, wait.total_seconds(), on_wait)
        me = {"what": what, "who": f"process {os.getpid()} on {socket.gethostname()}"}
        me |= {"since": (since + waited).isoformat()} if since else {}
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(me, ensure_ascii=False).encode(), 0)
        yield
        os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def holder_of(path: Path) -> dict[str, str] | None:
    """Return what, who and since of the holder of the lock at `path`; None where nobody holds it. This neither waits nor writes."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        held = json.loads(os.pread(handle, 10_000, 0) or b"null")
        if not isinstance(held, dict):
            return None
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)  # obtained only where the holder named there has died
    except BlockingIOError:
        return {str(name): str(value) for name, value in held.items()}
    except ValueError:
        return None
    finally:
        os.close(handle)
    return None


def _take(handle: int, wait_s: float, on_wait: Callable[[str], object]) -> timedelta:
    """Take the lock, and return how long that took."""
    begun = time.monotonic()
    tell_at = begun
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return timedelta(seconds=time.monotonic() - begun)
        except BlockingIOError:
            now = time.monotonic()
        if now - begun >= wait_s:
            waited = f" (waited {wait_s / 60:.0f} minutes)" if wait_s else ""
            raise StoreBusy(f"{_holder(handle)}{waited}; wait for it to end, or stop it, and run the same command again")
        if now >= tell_at:
            on_wait(f"{_holder(handle)}; waiting for it to end, at most {wait_s / 60:.0f} minutes")
            tell_at = now + TELL_AGAIN_SECONDS
        time.sleep(min(ASK_AGAIN_SECONDS, wait_s))


def _holder(handle: int) -> str:
    try:
        held = json.loads(os.pread(handle, 10_000, 0))
        since = f" since {datetime.fromisoformat(held['since']):%Y-%m-%d %H:%M:%S}Z" if "since" in held else ""
        return f"{held['what']} is running already, as {held['who']}{since}"
    except (ValueError, KeyError, TypeError):
        return "another process holds the lock and has not said yet who it is"
