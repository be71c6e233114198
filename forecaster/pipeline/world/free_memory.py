"""Return memory that was freed to the operating system.

The C library keeps what a thread has freed for the next call of that thread. After a training that is up to a gigabyte, which another
kind's training, in another thread, cannot use.
"""

import ctypes
import gc


def give_back() -> None:
    """Return all free memory of this process, of every thread, to the system. Without glibc nothing happens: other libraries do it
    themselves, or cannot.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
