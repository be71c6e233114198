"""What `from forecaster import ...` promises."""

import os
import subprocess
import sys

import pytest

import forecaster


def test_every_public_name_is_there_and_nothing_else_is() -> None:
    for name in forecaster.__all__:
        assert getattr(forecaster, name).__name__ == name
    assert not hasattr(forecaster, "no_such_name")


def test_importing_the_library_imports_nothing_heavy() -> None:
    """TensorFlow takes six seconds, imbalanced-learn three, pandas one: a command's --help must not wait for them."""
    heavy = "{'tensorflow', 'keras', 'imblearn', 'pandas', 'duckdb', 'prefect'}"
    code = f"import sys, forecaster.cli, forecaster.recipe; print(sorted({heavy} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


CORES = len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1


@pytest.mark.skipif(CORES < 2, reason="one core has one thread; threads are counted in /proc")
@pytest.mark.parametrize(("asked", "threads"), [({}, 1), ({"OPENBLAS_NUM_THREADS": "2"}, 2)], ids=["by itself", "as asked"])
def test_linear_algebra_uses_one_thread_unless_more_are_asked_for(asked, threads) -> None:
    """numpy starts its threads when it is imported; a run of the flows imports Prefect first, which must not import numpy before us."""
    code = """
import prefect
import forecaster
from forecaster.features import geometry
print(open("/proc/self/status").read().split("Threads:")[1].split()[0])
"""
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=kept | asked).stdout
    assert int(told) == threads
