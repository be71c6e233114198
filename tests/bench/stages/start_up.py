"""Commands as processes: how long they take to start, and to do what they are for."""

from tests.bench.figures import Amount, Figure, Measured, command, commands_in_turn
from tests.bench.stages.home import AS_OF, Bench

STANDING = f"""
import sys
from datetime import datetime
from forecaster.cli import common, forecast, main
from forecaster.clock import Clock
common.machine_clock = forecast.machine_clock = lambda: Clock(lambda: datetime.fromisoformat({AS_OF.isoformat()!r}), simulated=False)
main(sys.argv[1:], prog_name="quakecast")
"""
"""A command on a clock that stands where the home's catalogue ends: a day is due, and nothing is stale."""


def start_up(made: Bench) -> list[Measured]:
    """Commands as processes, against Python itself and the libraries that they cannot do without."""
    told = {"--help": ["--help"], "--version": ["--version"], "sql": ["sql", "SELECT 1"], "status": ["status"]}
    ours = {name: ["-m", "forecaster", *words] for name, words in told.items()}
    others = {"python": ["-c", "pass"], "libraries": ["-c", "import duckdb, pandas"]}
    taken = commands_in_turn({**others, **ours}, made.environment, 5)
    python, libraries = (taken.pop(name) for name in others)
    figures: list[Measured] = []
    for name, used in taken.items():
        bare = name.startswith("--")
        against, other, goal = ("Python alone", python, 12) if bare else ("import of duckdb and pandas", libraries, 1.5)
        figures.append(Figure(f"start {name}", f"quakecast {name}", against, used.cpu_s, other.cpu_s, goal))
        figures.append(Amount(f"start {name}", f"quakecast {name}", used.cpu_s, goal=0.3 if bare else 0.8))
    return [*figures, Amount("start status memory", "memory of quakecast status", taken["status"].memory_mb, "MB", 150)]


def commands(made: Bench) -> list[Measured]:
    """What a person waits for, start and imports included, one run each: all recipes in a home with the bundled catalogue."""
    home = made.environment
    told = {
        "predict --all": (["predict", "--all"], 6),
        "report": (["report"], 4),
        "export": (["export"], 3),
        "forecast, one place": (["forecast", "--at", "38.3,142.4"], 3),
    }
    figures: list[Measured] = []
    for name, (words, goal) in told.items():
        used = command(["-c", STANDING, *words], home, 1)
        figures.append(Amount(f"command {name}", f"quakecast {name}, as a command", used.cpu_s, goal=goal))
        figures.append(Amount(f"command {name} memory", f"memory of quakecast {name}", used.memory_mb, "MB"))
    return figures
