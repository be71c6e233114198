"""Check whether this installation can use TensorFlow, which trains the networks. The check imports nothing heavy.

TensorFlow's wheels for x86-64 are built for CPUs with AVX. On other CPUs the import ends the whole process, so it must not be tried.
"""

import platform
from functools import cache
from importlib import util
from pathlib import Path

from forecaster.errors import NotInstalled

LIBRARIES = ("tensorflow", "keras")
CPU_FILE = Path("/proc/cpuinfo")
WITHOUT = "no network can be trained (regions keep the world's) and the first system's says nothing"


def check() -> None:
    """Check for TensorFlow. Call this before TensorFlow is imported.

    Raises:
        NotInstalled: TensorFlow is not installed, or this machine's CPU cannot run it.
    """
    if (reason := why_none()) is not None:
        raise NotInstalled(reason)


@cache
def why_none() -> str | None:
    """Why networks cannot be used here, with the remedy, in one line. None where they can."""
    if absent := [name for name in LIBRARIES if util.find_spec(name) is None]:
        remedy = "to have them, install the extra cpu (make install REQUIREMENTS=requirements/cpu.txt)"
        return f"{WITHOUT}: {' and '.join(absent)} not installed; {remedy}"
    if lacks_avx(CPU_FILE):
        return f"{WITHOUT}: this machine's CPU lacks AVX, which TensorFlow needs; train on another machine to have them"
    return None


def lacks_avx(cpu_file: Path) -> bool:
    """Whether this is an x86-64 machine whose `cpu_file` (in the format of Linux's /proc/cpuinfo) lists CPU flags without AVX."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    try:
        lines = cpu_file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), None)
    return flags is not None and "avx" not in flags
