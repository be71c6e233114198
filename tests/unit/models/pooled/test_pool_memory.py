"""What training holds at once, in multiples of its pool. Arrays are counted, by tracemalloc or as the process' largest size: no clock.

A pool of 300 circles has 277 MB of counts, and two kinds are trained at once. Each of these tests fails where a whole pool is copied as
float64 once more (`counts.std(dtype=float64)`, `counts.astype(float64)`), or is held twice.
"""

import subprocess
import sys
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from forecaster.models.hybrid.hybrid_inputs import SIDE_COLUMNS, Counted
from forecaster.models.pooled import gathered_days, pooled_intensity
from forecaster.models.pooled.gathered_days import GatheredDays
from forecaster.models.pooled.pooled import COUNTS, tree_features
from forecaster.models.pooled.pooled_intensity import Intensity, fit_intensity

DAYS = 20_000
ROWS = 1_000
COLUMNS = len(COUNTS.names)


def most_held(work: Callable[[], object]) -> int:
    """Bytes that `work` had allocated at once, at most, besides those from before."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.fixture
def counted(monkeypatch) -> Counted:
    """20,000 days, worked through 1,000 at a time as those of a real pool are 32,768 at a time."""
    monkeypatch.setattr(pooled_intensity, "ROWS_AT_ONCE", ROWS)
    rng = np.random.default_rng(5)
    counts = rng.exponential(1.0, (DAYS, COLUMNS)).astype(np.float32)
    reference = rng.uniform(0.02, 0.3, DAYS)
    return Counted(counts, np.zeros((DAYS, 2), np.float32), np.zeros((DAYS, 6), np.float32), reference)


INTENSITY = Intensity(0.5, np.full(COLUMNS, 1e-3))


@pytest.mark.parametrize(
    ("work", "most"),
    [
        (lambda seen, trunk: fit_intensity(seen.counts, seen.reference, trunk > 0.3, np.ones(DAYS, np.float32)), 1.4),
        (lambda seen, trunk: INTENSITY.probability(seen.counts, seen.reference), 0.5),
        (lambda seen, trunk: tree_features(seen.counts, seen.reference, trunk), 0.6),
        (lambda seen, trunk: seen.side(trunk), 1.0),
        (lambda seen, trunk: seen.table(), 1.6),
    ],
    ids=[
        "fit of the intensity",
        "its probabilities",
        "inputs of the pooled trees",
        "inputs of the network",
        "inputs of the hybrid's trees",
    ],
)
def test_no_step_of_a_training_copies_its_pool_as_float64(counted, work, most):
    """Each makes its result (1, 0, .26, .56 and 1.1 times the counts), and little besides."""
    trunk = INTENSITY.probability(counted.counts, counted.reference)
    work(counted, trunk)
    assert most_held(lambda: work(counted, trunk)) < most * counted.counts.nbytes


def test_some_rows_at_a_time_are_the_same_numbers_as_all_at_once(counted, monkeypatch):
    trunk = INTENSITY.probability(counted.counts, counted.reference)
    assert len(np.unique(trunk)) > DAYS // 2

    def made() -> list[np.ndarray]:
        return [tree_features(counted.counts, counted.reference, trunk), counted.side(trunk), counted.table()]

    parts = made()
    monkeypatch.setattr(pooled_intensity, "ROWS_AT_ONCE", DAYS)
    assert all(np.array_equal(part, whole) for part, whole in zip(parts, made(), strict=True))
    assert parts[1].shape == (DAYS, len(SIDE_COLUMNS)) and parts[1].dtype == np.float32
    assert trunk == pytest.approx(INTENSITY.probability(counted.counts, counted.reference), rel=1e-12)


def test_deviations_of_some_columns_are_those_of_all(counted):
    whole = counted.counts.std(axis=0, dtype=np.float64)
    assert np.array_equal(pooled_intensity._deviations(counted.counts), whole)


@pytest.mark.parametrize("sizes", [(3, 4, 1), (10,), (4, 4), (0, 5, 0), (1,) * 9], ids=str)
def test_gathered_days_are_those_that_were_added(monkeypatch, sizes):
    """Blocks of four rows: parts that fill them, cross them, end with them, or are empty."""
    monkeypatch.setattr(gathered_days, "BLOCK_ROWS", 4)
    gathered, rng = GatheredDays(), np.random.default_rng(2)
    parts = [(rng.random((size, 3)).astype(np.float32), rng.random(size) < 0.5) for size in sizes]
    for part in parts:
        gathered.add(part)
    counts, happened = gathered.join()
    assert np.array_equal(counts, np.concatenate([part[0] for part in parts])) and counts.dtype == np.float32
    assert np.array_equal(happened, np.concatenate([part[1] for part in parts])) and happened.dtype == bool
    with pytest.raises(ValueError, match="no day was gathered"):
        gathered.join()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_pool_is_never_held_twice():
    """230 MB of counts in parts of a megabyte: 1.2 times that at most, where a list of parts and their concatenation take twice as much."""
    script = f"""
import numpy as np
from pathlib import Path
from forecaster.models.pooled.gathered_days import GatheredDays
size = lambda: 1024 * int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])  # the largest so far
before, gathered = size(), GatheredDays()
for number in range(250):
    gathered.add([np.full((1600, {COLUMNS}), number, dtype=np.float32)])
counts, = gathered.join()
print((size() - before) / counts.nbytes, counts[::1600, 0].sum())
"""
    told = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.split()
    assert float(told[1]) == 249 * 250 / 2 and 0.9 < float(told[0]) < 1.4
