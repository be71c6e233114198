"""Describe a forecast's ladder: a table of longer windows and larger magnitudes, its record, and one sentence for messages. Pure.

Older reports and places with too short a record have no ladder. Nothing is shown for them, and nothing is extrapolated.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from forecaster.reports.content.contract import Ladder, PooledRung, RecipeForecast, Rung, RungRecord
from forecaster.reports.content.reason_phrases import one_of, reason_phrases
from forecaster.reports.dates_as_text import Writer
from forecaster.reports.numbers_as_text import (
    Phrase,
    count_text,
    known,
    known_probability,
    percent_or_zero,
    probability_pair,
    probability_phrase,
    signed,
)
from forecaster.reports.web.csv_link import csv_link

OUTLOOK_DAYS = 7  # the window that messages describe
EXPECTED = 0.5  # windows; fewer count as none expected
OUTLOOK_STEP = 1.5  # messages describe magnitudes up to this much above the threshold
BY_RATE = "climatology"
RECORD_COLUMNS = (
    *("verified", "hits", "expected_hits", "usual_hits", "in_range", "cases", "gain", "gain_low", "gain_high"),
    "settled",  # the former name of verified, for one release
)
COLUMNS = (
    *("days", "magnitude", "window_end", "probability", "usual", "expected", "expected_low", "expected_high", "usual_expected"),
    *("beyond_record", *RECORD_COLUMNS),
)
POOLED_COLUMNS = ("days", "above_threshold", *RECORD_COLUMNS)


def ladder_table(recipe: RecipeForecast, zone: ZoneInfo, writer: Writer) -> dict[str, Any] | None:
    """Return the table: one column per window, one row per magnitude; None without a ladder.

    The threshold's row comes first, with its usual rate and expected numbers. The cell of a missing rung is None. A magnitude larger than
    any on record is marked.
    """
    ladder = recipe.ladder
    if ladder is None or not ladder.rungs:
        return None
    threshold = ladder.magnitudes[0]
    pairs = [_pair(ladder.rung(days, threshold)) for days in ladder.horizons]
    rows = [_line(ladder, magnitude, [pair[0] for pair in pairs] if magnitude == threshold else None) for magnitude in ladder.magnitudes]
    return {
        "windows": [_days(days) for days in ladder.horizons],
        "rows": rows,
        "usual": [pair[1] for pair in pairs],
        "beyond": any(row["beyond"] for row in rows),
        "by_rate": ladder.basis == BY_RATE,
        "starts": writer.local(recipe.target_start, zone),
        "magnitude": f"{threshold:.1f}",
        "record": _windows((rung.horizon_days, f"≥ {rung.magnitude:.1f}", rung.record) for rung in ladder.rungs),
    }


def no_ladder(recipe: RecipeForecast, writer: Writer) -> Phrase | None:
    """Return why a forecast has no ladder; None where it has one, where there is no forecast, or where it is older than ladders."""
    if recipe.no_ladder is None or recipe.ladder is not None or known_probability(recipe.probability) is None:
        return None
    return Phrase("ladder.none", {"reason": reason_phrases(one_of(recipe.no_ladder_reason), recipe.no_ladder, writer)})


def outlook(ladder: Ladder | None, target_end: datetime) -> Phrase | None:
    """Return one sentence on the week ahead: the probability, the expected number, and the probability of a larger magnitude.

    Where the ladder has no week that ends after the forecast's own window, the next longer window is used. Magnitudes beyond the record of
    the circle are left to the table, which marks them. Return None without a ladder.
    """
    if ladder is None or not ladder.rungs:
        return None
    threshold = ladder.magnitudes[0]
    longer = [rung.horizon_days for rung in ladder.rungs if rung.window_end > target_end]
    days = OUTLOOK_DAYS if OUTLOOK_DAYS in longer else min(longer, default=max(ladder.horizons))
    rung = ladder.rung(days, threshold)
    if rung is None or known_probability(rung.probability) is None or (count := _count(rung)) is None:
        return None
    values = {"days": days, "probability": probability_phrase(rung.probability), **count}
    larger = [
        one
        for one in ladder.rungs
        if one.horizon_days == days and threshold < one.magnitude <= threshold + OUTLOOK_STEP + 1e-6 and not one.beyond_record
    ]
    if not larger:
        return Phrase("ladder.outlook_alone", values)
    largest = max(larger, key=lambda one: one.magnitude)
    beside = {"larger": f"{largest.magnitude:.1f}", "larger_probability": probability_phrase(largest.probability)}
    return Phrase("ladder.outlook", {**values, **beside})


def ladder_csv(ladder: Ladder | None) -> str | None:
    """Return every rung with its usual rate, numbers and record as a CSV link; None without a ladder."""
    if ladder is None or not ladder.rungs:
        return None
    return csv_link(COLUMNS, [_figures(rung) for rung in ladder.rungs])


def _line(ladder: Ladder, magnitude: float, chances: Sequence[Phrase] | None) -> dict[str, Any]:
    """Return the row of one magnitude; `chances`, if given, replace the rungs' own probabilities, and expected numbers are added."""
    rungs = [ladder.rung(days, magnitude) for days in ladder.horizons]
    cells = [
        {
            "probability": None if rung is None else chances[i] if chances is not None else probability_phrase(rung.probability),
            "count": _count(rung) if rung is not None and chances is not None else None,
        }
        for i, rung in enumerate(rungs)
    ]
    return {"magnitude": f"{magnitude:.1f}", "beyond": any(rung is not None and rung.beyond_record for rung in rungs), "cells": cells}


def _pair(rung: Rung | None) -> tuple[Phrase, Phrase]:
    return probability_pair(None, None) if rung is None else probability_pair(rung.probability, rung.reference_probability)


def _count(rung: Rung) -> dict[str, Any] | None:
    count = known(rung.expected_count)
    return None if count is None else {"count": count_text(count), "low": rung.count_low, "high": rung.count_high}


def pooled_tables(rungs: Sequence[PooledRung]) -> list[dict[str, Any]]:
    """Return one table per mode of the record of all places: `mode`, `windows` as in the table of one place, and `csv`."""
    tables = []
    for mode in dict.fromkeys(rung.mode for rung in rungs):
        rows = [rung for rung in rungs if rung.mode == mode]
        windows = _windows((rung.horizon_days, f"M + {rung.step:g}" if rung.step else "M", rung.record) for rung in rows)
        csv = csv_link(POOLED_COLUMNS, [(rung.horizon_days, rung.step, *_record_figures(rung.record)) for rung in rows])
        tables.append({"mode": mode, "windows": windows, "csv": csv})
    return tables


def _windows(rungs: Iterable[tuple[int, str, RungRecord | None]]) -> list[dict[str, Any]]:
    """Return the record by window: `days`, and `rows`, one per magnitude. Windows that have not ended are left out.

    A window's rows end with the first magnitude that was neither observed nor expected: larger ones, which it includes, would add nothing.

    Args:
        rungs: the horizon in days, the magnitude in words, and the record; by horizon and magnitude.
    """
    found: dict[int, list[dict[str, Any]]] = {}
    listed: set[int] = set()
    for horizon, magnitude, record in rungs:
        if record is not None and horizon not in listed:
            found.setdefault(horizon, []).append({"magnitude": magnitude, **_record(record)})
            if not record.hits and record.expected_hits < EXPECTED:
                listed.add(horizon)
    return [{"days": _days(horizon), "rows": rows} for horizon, rows in sorted(found.items())]


def _record(record: RungRecord) -> dict[str, Any]:
    few = known(record.low) is None or known(record.high) is None
    return {
        "settled": record.verified,
        "hits": record.hits,
        "expected": count_text(record.expected_hits),
        "in_range": percent_or_zero(record.in_range / record.verified),
        "gain": signed(record.information_gain, 2),
        "low": None if few else signed(record.low, 2),
        "high": None if few else signed(record.high, 2),
        "few": few,
    }


def _record_figures(record: RungRecord | None) -> tuple[Any, ...]:
    if record is None:
        return (0, *(None for _ in RECORD_COLUMNS[1:-1]), 0)
    counts = (record.verified, record.hits, record.expected_hits, record.usual_hits, record.in_range, record.cases)
    return (*counts, *(known(value) for value in (record.information_gain, record.low, record.high)), record.verified)


def _days(days: int) -> Phrase:
    return Phrase("ladder.days", {"count": days})


def _figures(rung: Rung) -> tuple[Any, ...]:
    return (
        rung.horizon_days,
        rung.magnitude,
        f"{rung.window_end:%Y-%m-%dT%H:%M:%SZ}",
        *(_rounded(value) for value in (rung.probability, rung.reference_probability, rung.expected_count)),
        rung.count_low,
        rung.count_high,
        _rounded(rung.usual_count),
        int(rung.beyond_record),
        *_record_figures(rung.record),
    )


def _rounded(value: float) -> float | None:
    """Round to four significant figures: the page carries this file for every place."""
    return None if known(value) is None else float(f"{value:.4g}")
