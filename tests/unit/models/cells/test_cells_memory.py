"""What the training of the network of cells holds at once. Arrays are counted (tracemalloc): no clock, no size of a process."""

import tracemalloc
from datetime import date

import numpy as np

from forecaster.models.cells import cells_inputs, cells_pool
from forecaster.models.cells.cells_inputs import CHANNELS
from forecaster.models.cells.cells_pool import SIZE, Thinning, batches, build_block_days
from tests.support.clustered_world import twelve_years

PLACES = ((10.0, 20.0), (-30.0, 100.0))
ROWS, BATCH = 512, 64
PART_BYTES = ROWS * SIZE * SIZE * CHANNELS * 4


def test_inputs_of_a_part_are_released_before_the_next_are_made(monkeypatch):
    """As 32,768 block-days at a time take 283 MB. Fails where the generator keeps its part, or a batch is a view of it."""
    monkeypatch.setattr(cells_pool, "ROWS_AT_ONCE", ROWS)
    monkeypatch.setattr(cells_inputs, "PART_BYTES", 2**18)
    thinning = Thinning(date(1980, 1, 1), active_share=0.8, quiet_share=0.5)
    days = build_block_days(twelve_years(PLACES), PLACES, date(1987, 11, 30), thinning, np.random.default_rng(3))
    assert len(days) > 4 * ROWS
    tracemalloc.start()
    try:
        before, seen = tracemalloc.get_traced_memory()[0], 0
        for batch in batches(days, BATCH, np.random.default_rng(4)):
            assert all(column.base is None for column in batch)
            seen += len(batch[0])
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert seen == len(days) // BATCH * BATCH
    assert PART_BYTES < peak < 1.6 * PART_BYTES
