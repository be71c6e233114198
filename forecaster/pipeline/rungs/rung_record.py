"""The track record of each rung, of one recipe and of all together, against the usual rate.

Windows of several days overlap: intervals are by blocks at least as long as the window, and only where enough cases do not overlap.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from forecaster.pipeline.training.information_gain import BOOTSTRAP_SEED
from forecaster.reports.content.contract import Mode, PooledRung, RungRecord
from forecaster.store.row_types import RungSums
from forecaster.verification.intervals import block_ratio_bounds, drawn_times

MIN_CASES = 10  # for an interval
WEEK = 7
SHORT_BLOCK, LONG_BLOCK = 30, 90  # days; for windows up to a week, and for longer ones

Records = dict[tuple[str, str], dict[tuple[int, float], RungRecord]]


def block_days(horizon_days: int) -> int:
    """Return the length of the bootstrap's blocks for windows of this length."""
    return SHORT_BLOCK if horizon_days <= WEEK else LONG_BLOCK


def recipe_records(sums: Sequence[RungSums]) -> Records:
    """Return the records by (recipe id, mode) and by (horizon, magnitude), from `ladder_sums.record_sums`."""
    found: Records = defaultdict(dict)
    for row, record in zip(sums, _records(sums), strict=True):
        found[row["recipe_id"], row["mode"]][row["horizon_days"], row["magnitude"]] = record
    return dict(found)


def pooled_rungs(sums: Sequence[RungSums], thresholds: Mapping[str, float], modes: Sequence[Mode]) -> tuple[PooledRung, ...]:
    """Return the records of these recipes (id -> threshold) together, in the order of `modes`, by horizon and step above the threshold.

    A case counts once for each recipe.
    """
    pool: dict[tuple[Mode, int, float], list[RungSums]] = defaultdict(list)
    for row in sums:
        if row["recipe_id"] in thresholds and row["mode"] in modes:
            pool[row["mode"], row["horizon_days"], round(row["magnitude"] - thresholds[row["recipe_id"]], 3)].append(row)
    keys = sorted(pool, key=lambda key: (modes.index(key[0]), *key[1:]))
    records = _records([_together(pool[key]) for key in keys])
    return tuple(PooledRung(*key, record) for key, record in zip(keys, records, strict=True))


def _together(rows: Sequence[RungSums]) -> RungSums:
    """Return the sums of several recipes as those of one."""
    blocks, places = np.unique(np.concatenate([row["blocks"] for row in rows]), return_inverse=True)
    hits, gains = (np.bincount(places, weights=np.concatenate([row[name] for row in rows])) for name in ("block_hits", "block_gains"))
    return {
        **rows[0],
        "settled": sum(row["settled"] for row in rows),
        "hits": sum(row["hits"] for row in rows),
        "expected_hits": sum(row["expected_hits"] for row in rows),
        "usual_hits": sum(row["usual_hits"] for row in rows),
        "in_range": sum(row["in_range"] for row in rows),
        "cases": sum(row["cases"] for row in rows),
        "gain": sum(row["gain"] for row in rows),
        "blocks": blocks,
        "block_hits": hits,
        "block_gains": gains,
    }


def _records(rows: Sequence[RungSums]) -> list[RungRecord]:
    """Return the record of each rung, with its information gain where there were hits, and its bounds where the cases allow them."""
    records = [_record(row) for row in rows]
    by_number: dict[int, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        if row["hits"] and row["cases"] >= MIN_CASES:
            by_number[len(row["blocks"])].append(place)
    for number, places in by_number.items():  # rungs with as many blocks share their draws
        bounds = block_ratio_bounds(
            drawn_times(number, BOOTSTRAP_SEED), _stacked(rows, places, "block_gains"), _stacked(rows, places, "block_hits")
        )
        for place, found in zip(places, bounds, strict=True):
            records[place] = replace(records[place], low=round(found.low, 4), high=round(found.high, 4))
    return records


def _stacked(rows: Sequence[RungSums], places: Iterable[int], name: Literal["block_gains", "block_hits"]) -> np.ndarray:
    return np.stack([rows[place][name] for place in places]).astype(np.float64)


def _record(row: RungSums) -> RungRecord:
    gain = round(row["gain"] / row["hits"], 4) if row["hits"] else None
    expected, usual = round(row["expected_hits"], 4), round(row["usual_hits"], 4)
    return RungRecord(row["settled"], row["hits"], expected, usual, row["in_range"], row["cases"], information_gain=gain)
