"""Memory that a thread has freed goes back to the system."""

import ctypes
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from forecaster.pipeline.world.free_memory import give_back

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
