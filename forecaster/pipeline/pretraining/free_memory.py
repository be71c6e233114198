"""Memory: what is available to this process, and giving back what was freed.

The C library keeps what a thread has freed for the next call of that thread. After a training that is up to a gigabyte, which another
kind's training, in another thread, cannot use.
"""

import ctypes
import gc
import re
from pathlib import Path

GIGABYTE = 10**9
TWO_AT_ONCE_BYTES = 3 * GIGABYTE


def give_back() -> None:
    """Return all free memory of this process, of every thread, to the system. Without glibc nothing happens: other libraries do it
    themselves, or cannot.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def default_workers(available: int | None) -> int:
    """Return how many kinds to train at once: two, or one where less than 3 GB are available. available: bytes, None where unknown."""
    return 1 if available is not None and available < TWO_AT_ONCE_BYTES else 2


def available_bytes(root: Path = Path("/")) -> int | None:
    """Return how much memory this process can still take without swapping: of the machine, or of its container where that is less. None
    where the system does not tell (not Linux).

    root: of the files of the system.
    """
    try:
        machine = _kilobytes((root / "proc/meminfo").read_text(encoding="ascii"), "MemAvailable")
    except OSError:
        return None
    container = _of_container(root)
    return container if machine is None else machine if container is None else min(machine, container)


def _of_container(root: Path) -> int | None:
    """The limit of the process' control group (version 2) minus what is in use; None where there is none. Cached files can be dropped, and
    do not count as used.
    """
    try:
        group = re.search(r"^0::/?(.*)$", (root / "proc/self/cgroup").read_text(encoding="utf-8"), re.MULTILINE)
        folder = root / "sys/fs/cgroup" / (group[1] if group else "")
        limit, used = ((folder / name).read_text(encoding="ascii").strip() for name in ("memory.max", "memory.current"))
        files = re.search(r"^inactive_file (\d+)$", (folder / "memory.stat").read_text(encoding="ascii"), re.MULTILINE)
        return None if limit == "max" else int(limit) - int(used) + (int(files[1]) if files else 0)
    except (OSError, ValueError):
        return None


def _kilobytes(text: str, name: str) -> int | None:
    found = re.search(rf"^{name}:\s+(\d+) kB$", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else None
