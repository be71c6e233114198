"""What is measured: our way against another one that does the same, in CPU seconds of one run, and amounts against a stated limit."""

import compileall
import json
import resource
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

REPEATS = 3
LAUNCHER = """
import json, os, subprocess, sys
process = subprocess.Popen([sys.executable, *sys.argv[1:]], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
said = process.stderr.read()
_, status, used = os.wait4(process.pid, 0)
print(json.dumps([os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss, said[-500:]]))
"""
"""Runs a command from a small process: Linux counts what the parent held at the fork into the child's largest size."""


@dataclass(frozen=True)
class Figure:
    """One comparison. key: its name in docs/PERFORMANCE.json. what, against: our way and the other, in words. ours, other: what each takes,
    in `unit`. goal: the largest ratio ours / other that was aimed at, None where there is none."""

    key: str
    what: str
    against: str
    ours: float
    other: float
    goal: float | None = None
    unit: str = "CPU s"

    @property
    def ratio(self) -> float:
        """Ours over the other's."""
        return self.ours / self.other

    @property
    def reached(self) -> bool | None:
        return None if self.goal is None else self.ratio <= self.goal

    @property
    def line(self) -> str:
        goal = "" if self.goal is None else f" (goal {self.goal:.3g}: {'reached' if self.reached else 'not reached'})"
        return f"{self.what}: {self.ours:.3g} {self.unit}; {self.against}: {self.other:.3g} {self.unit}; ratio {self.ratio:.3g}{goal}"


@dataclass(frozen=True)
class Amount:
    """One measurement without another way to compare with. goal: the largest amount that was aimed at, or the least where `at_least`."""

    key: str
    what: str
    amount: float
    unit: str = "CPU s"
    goal: float | None = None
    at_least: bool = False

    @property
    def reached(self) -> bool | None:
        if self.goal is None:
            return None
        return self.amount >= self.goal if self.at_least else self.amount <= self.goal

    @property
    def line(self) -> str:
        told = "" if self.goal is None else f" (goal {self.goal:,.6g}: {'reached' if self.reached else 'not reached'})"
        return f"{self.what}: {self.amount:,.3g} {self.unit}{told}"


@dataclass(frozen=True)
class Size:
    """What the same work costs at several sizes. size: what is counted. points: (size, CPU s), ascending."""

    key: str
    what: str
    size: str
    points: tuple[tuple[int, float], ...]
    reached = None

    @property
    def line(self) -> str:
        return f"{self.what}: " + ", ".join(f"{size:,} {self.size} {cost:.3g} s" for size, cost in self.points)


Measured = Figure | Amount | Size


@dataclass(frozen=True)
class Used:
    """What a process took: CPU seconds, and the most memory it held at once, in 10^6 bytes."""

    cpu_s: float
    memory_mb: float


def cpu_seconds(action: Callable[[], object], repeats: int = REPEATS) -> float:
    """The least of some runs in this process."""
    return min(_cpu(action) for _ in range(repeats))


def both_cpu_seconds(ours: Callable[[], object], other: Callable[[], object], repeats: int = REPEATS) -> tuple[float, float]:
    """The least of as many runs of each, in turn: what disturbs the machine for a while disturbs both, and neither is the warmer one."""
    runs = [(_cpu(ours), _cpu(other)) for _ in range(repeats)]
    return min(run[0] for run in runs), min(run[1] for run in runs)


def peak_mb(action: Callable[[], object]) -> float:
    """The most memory that Python and numpy asked for at once while this ran, in 10^6 bytes; it takes several times as long as without."""
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def command(arguments: Sequence[str], environment: dict[str, str] | None = None, repeats: int = REPEATS) -> Used:
    """The least of some runs of `python ARGUMENTS`, its start included, with the bytecode of our modules as an installation has it.

    Raises:
        RuntimeError: the command failed; with what it said.
    """
    return commands_in_turn({"": arguments}, environment, repeats)[""]


def commands_in_turn(
    told: Mapping[str, Sequence[str]], environment: dict[str, str] | None = None, repeats: int = REPEATS
) -> dict[str, Used]:
    """`command` for each, run in turn, so that a machine that is slower for a while is so for all of them."""
    _compile_modules()
    rounds = [{name: _command(arguments, environment) for name, arguments in told.items()} for _ in range(repeats)]
    runs = {name: [each[name] for each in rounds] for name in told}
    return {name: Used(min(run.cpu_s for run in each), min(run.memory_mb for run in each)) for name, each in runs.items()}


@cache
def _compile_modules() -> None:
    """Write the bytecode that pip or a first run writes; a machine that tests without writing any would compile 200 modules each time."""
    for package in ("forecaster", "flows"):
        compileall.compile_dir(Path(__file__).resolve().parents[2] / package, quiet=1)


def _command(arguments: Sequence[str], environment: dict[str, str] | None) -> Used:
    done = subprocess.run([sys.executable, "-c", LAUNCHER, *arguments], env=environment, capture_output=True, text=True, check=True)
    status, cpu_s, memory_kib, said = json.loads(done.stdout)
    if status not in (0, 3):  # 3: partial, such as a catalogue that is old
        raise RuntimeError(f"python {' '.join(arguments)} failed: {said}")
    return Used(cpu_s, memory_kib * 1024 / 1e6)


def memory_gb(whose: int = resource.RUSAGE_SELF) -> float:
    """The most that this process held at once, in 10^9 bytes."""
    return resource.getrusage(whose).ru_maxrss * 1024 / 1e9


def _cpu(action: Callable[[], object]) -> float:
    started = time.process_time()
    action()
    return time.process_time() - started
