"""The record of a rung, worked out by hand: sums over blocks, cases that do not overlap, and where there is an interval."""

import pandas as pd
import pytest

from forecaster.pipeline.rungs.rung_record import block_days, pooled_rungs, recipe_records
from forecaster.store.row_types import RungSums, rows_as

COLUMNS = [
    *("recipe_id", "mode", "horizon_days", "magnitude", "block"),
    *("settled", "hits", "expected_hits", "usual_hits", "in_range", "gain", "spans"),
]


def sums(*rows: tuple[object, ...]) -> list[RungSums]:
    """Rows of one block each, summed as `ladder_sums.record_sums` does."""
    by_block = pd.DataFrame(rows, columns=COLUMNS)
    summed = (
        by_block.groupby(COLUMNS[:4], sort=True)
        .agg(
            **{name: (name, "sum") for name in COLUMNS[5:11]},
            cases=("spans", lambda spans: len({span for some in spans for span in some})),
            blocks=("block", lambda column: column.to_numpy()),
            block_hits=("hits", lambda column: column.to_numpy()),
            block_gains=("gain", lambda column: column.to_numpy()),
        )
        .reset_index()
    )
    return rows_as(RungSums, summed)


WEEKS = sums(
    ("tokyo", "prospective", 7, 4.5, 600, 30, 9, 8.0, 6.0, 28, 1.5, [2570, 2571]),
    ("tokyo", "prospective", 7, 4.5, 601, 10, 1, 2.0, 2.0, 10, -0.5, [2571]),
    ("tokyo", "hindcast", 7, 4.5, 500, 30, 0, 1.0, 2.0, 30, 1.0, []),
    ("tonga", "prospective", 7, 5.0, 600, 30, 30, 25.0, 20.0, 30, 6.0, [2570, 2571, 2572, 2573, 2574]),
    ("seed", "prospective", 7, 4.0, 600, 30, 30, 1.0, 1.0, 30, 99.0, [2570]),
)


def test_a_record_sums_over_blocks_and_counts_a_span_of_two_blocks_once() -> None:
    """Gain (1.5 - 0.5) / 10 hits; spans 2570 and 2571: two cases, too few for an interval."""
    found = recipe_records(WEEKS)
    record = found["tokyo", "prospective"][7, 4.5]
    assert (record.verified, record.hits, record.expected_hits, record.usual_hits, record.in_range) == (40, 10, 10.0, 8.0, 38)
    assert (record.cases, record.information_gain, record.low, record.high) == (2, 0.1, None, None)
    quiet = found["tokyo", "hindcast"][7, 4.5]
    assert (quiet.verified, quiet.hits, quiet.information_gain) == (30, 0, None)


def test_the_pool_holds_the_recipes_asked_for_by_step_and_never_mixes_modes() -> None:
    """Tokyo at M 4.5 and Tonga at M 5: gain (1 + 6) / 40; cases 2 + 5."""
    first, second = pooled_rungs(WEEKS, {"tokyo": 4.5, "tonga": 5.0}, ["prospective", "late", "replay", "hindcast"])
    assert (first.mode, first.horizon_days, first.step, second.mode) == ("prospective", 7, 0.0, "hindcast")
    assert (first.record.verified, first.record.hits, first.record.cases) == (70, 40, 7)
    assert first.record.information_gain == pytest.approx(7 / 40)
    assert pooled_rungs(WEEKS[:0], {"tokyo": 4.5}, ["prospective"]) == ()


def test_ten_cases_give_an_interval_by_blocks() -> None:
    """Each block gains 0.2 a hit, so every resample does; with one block that loses, the interval reaches below."""
    rows = [("tokyo", "prospective", 1, 4.5, 600 + i, 30, 5, 4.0, 4.0, 30, 1.0, [i * 30 + j for j in range(5)]) for i in range(4)]
    same = recipe_records(sums(*rows))["tokyo", "prospective"][1, 4.5]
    assert same.cases == 20 and (same.low, same.information_gain, same.high) == (0.2, 0.2, 0.2)
    worse = recipe_records(sums(*rows[:3], (*rows[3][:10], -2.0, rows[3][11])))["tokyo", "prospective"][1, 4.5]
    assert worse.information_gain == pytest.approx(0.05) and worse.low < 0.05 < worse.high <= 0.2


def test_blocks_are_longer_than_the_windows() -> None:
    assert [block_days(days) for days in (1, 7, 14, 30)] == [30, 30, 90, 90]
