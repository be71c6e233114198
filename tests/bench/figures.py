"""What is measured: our way against another one that does the same, in CPU seconds of one run. Ratios are what is compared."""

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

REPEATS = 3


@dataclass(frozen=True)
class Figure:
    """One comparison. key: its name in docs/PERFORMANCE.json. what, against: our way and the other, in words. ours_s, other_s: CPU seconds.
    goal: the largest ratio ours / other that was aimed at, None where there is none."""

    key: str
    what: str
    against: str
    ours_s: float
    other_s: float
    goal: float | None = None

    @property
    def ratio(self) -> float:
        """Ours over the other's."""
        return self.ours_s / self.other_s

    @property
    def line(self) -> str:
        goal = "" if self.goal is None else f" (goal {self.goal:g}: {'reached' if self.ratio <= self.goal else 'not reached'})"
        return f"{self.what}: {self.ours_s:.3g} s; {self.against}: {self.other_s:.3g} s; ratio {self.ratio:.3g}{goal}"


def cpu_seconds(action: Callable[[], object], repeats: int = REPEATS) -> float:
    """The least of some runs in this process."""
    best = float("inf")
    for _ in range(repeats):
        started = time.process_time()
        action()
        best = min(best, time.process_time() - started)
    return best


def command_seconds(arguments: Sequence[str], environment: dict[str, str] | None = None, repeats: int = REPEATS) -> float:
    """The least of some runs of `python ARGUMENTS`, its start included.

    Raises:
        RuntimeError: the command failed; with what it said.
    """
    best = float("inf")
    for _ in range(repeats):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode not in (0, 3):  # 3: partial, such as a catalogue that is old
            raise RuntimeError(f"python {' '.join(arguments)} failed: {done.stderr[-500:]}")
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best
