"""The track record of each rung, of one recipe and of all together, against the usual rate.

Windows of several days overlap: intervals are by blocks at least as long as the window, and only where enough cases do not overlap.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from forecaster.pipeline.training.information_gain import BOOTSTRAP_SEED
from forecaster.reports.content.contract import Mode, PooledRung, RungRecord
from forecaster.verification.intervals import draw_blocks, ratio_bounds

MIN_CASES = 10  # for an interval
WEEK = 7
SHORT_BLOCK, LONG_BLOCK = 30, 90  # days; for windows up to a week, and for longer ones

Rows = Mapping[str, np.ndarray]
"""Some rows of `ladder_sums.record_blocks`, by column."""
Records = dict[tuple[str, str], dict[tuple[int, float], RungRecord]]


def block_days(horizon_days: int) -> int:
    """Return the length of the bootstrap's blocks for windows of this length."""
    return SHORT_BLOCK if horizon_days <= WEEK else LONG_BLOCK


def recipe_records(blocks: pd.DataFrame) -> Records:
    """Return the records by (recipe id, mode) and by (horizon, magnitude), from the rows of `ladder_sums.record_blocks`."""
    found: Records = {}
    for rows in _groups(blocks, ["recipe_id", "mode", "horizon_days", "magnitude"]):
        of = found.setdefault((str(rows["recipe_id"][0]), str(rows["mode"][0])), {})
        of[int(rows["horizon_days"][0]), float(rows["magnitude"][0])] = _record(rows)
    return found


def pooled_rungs(blocks: pd.DataFrame, thresholds: Mapping[str, float], modes: Sequence[Mode]) -> tuple[PooledRung, ...]:
    """Return the records of these recipes (id -> threshold) together, in the order of `modes`, by horizon and step above the threshold.

    A case counts once for each recipe.
    """
    pool = blocks[blocks["recipe_id"].isin(thresholds)]
    pool = pool.assign(step=(pool["magnitude"] - pool["recipe_id"].map(thresholds)).astype(np.float64).round(3))
    return tuple(
        PooledRung(mode, int(rows["horizon_days"][0]), float(rows["step"][0]), _record(rows))
        for mode in modes
        for rows in _groups(pool[pool["mode"] == mode], ["horizon_days", "step"])
    )


def _groups(blocks: pd.DataFrame, by: list[str]) -> Iterator[Rows]:
    """Yield the rows with the same values of these columns, ascending. Frames of their own would take most of a report of many recipes."""
    if blocks.empty:
        return
    columns = {str(name): values.to_numpy() for name, values in blocks.items()}
    places: dict[Any, Any] = dict(blocks.groupby(by, sort=True).indices)
    for key in sorted(places):
        yield {name: values[places[key]] for name, values in columns.items()}


def _record(rows: Rows) -> RungRecord:
    """Return the record of the rows of one rung."""
    hits = int(rows["hits"].sum())
    spans = {(recipe_id, int(span)) for recipe_id, some in zip(rows["recipe_id"], rows["spans"], strict=True) for span in some}
    expected, usual = (round(float(rows[name].sum()), 4) for name in ("expected_hits", "usual_hits"))
    record = RungRecord(int(rows["settled"].sum()), hits, expected, usual, int(rows["in_range"].sum()), len(spans))
    return _with_gain(record, rows) if hits else record


def _with_gain(record: RungRecord, rows: Rows) -> RungRecord:
    """Add the information gain, with its bounds where the cases allow them."""
    if record.cases < MIN_CASES:
        return replace(record, information_gain=round(float(rows["gain"].sum()) / record.hits, 4))
    length = block_days(int(rows["horizon_days"][0]))
    days = (rows["block"].astype(np.int64) * length).astype("datetime64[D]")
    draws = draw_blocks([days], BOOTSTRAP_SEED, block_days=length)
    found = ratio_bounds(draws, days, rows["gain"].astype(np.float64), rows["hits"].astype(np.float64))
    return replace(record, information_gain=round(found.estimate, 4), low=round(found.low, 4), high=round(found.high, 4))
