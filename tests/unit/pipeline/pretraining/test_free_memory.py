"""Memory that a thread has freed goes back to the system, and how much of it there is."""

import ctypes
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from forecaster.pipeline.pretraining.free_memory import available_bytes, default_workers, give_back

SIZE, COUNT = 100_000, 1_500


def resident_bytes() -> int:
    return 4096 * int(Path("/proc/self/statm").read_text().split()[1])


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="only glibc keeps it, and can give it back"
)
def test_what_a_thread_has_freed_goes_back_to_the_system():
    """150 MB in arrays of 100 kB, of which every fiftieth lives on: the library keeps the others' places until it is asked."""
    kept: list[np.ndarray] = []

    def work() -> None:
        arrays = [np.ones(SIZE, dtype=np.uint8) for _ in range(COUNT)]
        kept.extend(arrays[::50])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    before = resident_bytes()
    give_back()
    assert before - resident_bytes() > 0.6 * SIZE * COUNT
    assert all(array.all() for array in kept)


def system(root: Path, *, meminfo: str = "", limit: str | None = None, group: str = "/") -> Path:
    """Files as Linux has them: 16 GB of memory, 1 GB in use by the group, of it 0.2 GB of cached files."""
    folder = root / "sys/fs/cgroup" / group.lstrip("/")
    for place in (root / "proc/self", folder):
        place.mkdir(parents=True)
    (root / "proc/meminfo").write_text(meminfo or "MemTotal:       16000000 kB\nMemFree:         1000000 kB\nMemAvailable:    8000000 kB\n")
    (root / "proc/self/cgroup").write_text(f"4:memory:/other\n0::{group}\n")
    if limit is not None:
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "memory.current").write_text("1000000000\n")
        (folder / "memory.stat").write_text("anon 800000000\ninactive_file 200000000\nactive_file 5\n")
    return root


@pytest.mark.parametrize(
    ("given", "available", "workers"),
    [
        ({}, 8_192_000_000, 2),
        ({"limit": "max"}, 8_192_000_000, 2),
        ({"limit": "3000000000"}, 2_200_000_000, 1),
        ({"limit": "3900000000", "group": "/system.slice/quakecast"}, 3_100_000_000, 2),
        ({"limit": "90000000000"}, 8_192_000_000, 2),
        ({"limit": "no number"}, 8_192_000_000, 2),
        ({"meminfo": "MemAvailable:    2900000 kB\n"}, 2_969_600_000, 1),
        ({"meminfo": "MemTotal:    2900000 kB\n"}, None, 2),
    ],
    ids=["machine", "no limit", "small container", "group of a service", "large container", "damaged", "small machine", "old kernel"],
)
def test_two_kinds_are_trained_at_once_where_there_is_room(tmp_path, given, available, workers):
    assert available_bytes(system(tmp_path, **given)) == available
    assert default_workers(available) == workers


def test_a_system_that_does_not_tell_its_memory_trains_two_at_once(tmp_path):
    assert available_bytes(tmp_path) is None
    assert default_workers(None) == 2
