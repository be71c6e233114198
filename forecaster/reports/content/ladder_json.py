"""The JSON form of a ladder: in the webhook, the map UI's detail files and `quakecast forecast --json`."""

from datetime import UTC
from typing import Any

from forecaster.reports.content.contract import Ladder, Rung, RungRecord
from forecaster.reports.numbers_as_text import known, known_probability, ratio_to_usual


def ladder_json(ladder: Ladder | None) -> dict[str, Any] | None:
    """Return basis, b_value, b_sigma and `rungs`, one dict per horizon and magnitude; None without a ladder."""
    if ladder is None:
        return None
    rungs = [_rung(rung) for rung in ladder.rungs]
    return {"basis": ladder.basis, "b_value": round(ladder.b_value, 4), "b_sigma": round(ladder.b_sigma, 4), "rungs": rungs}


def _rung(rung: Rung) -> dict[str, Any]:
    return {
        "horizon_days": rung.horizon_days,
        "magnitude": rung.magnitude,
        "window_end": f"{rung.window_end.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "probability": known_probability(rung.probability),
        "usual_probability": known_probability(rung.reference_probability),
        "ratio_to_usual": ratio_to_usual(rung.probability, rung.reference_probability),
        "expected_count": rung.expected_count,
        "count_low": rung.count_low,
        "count_high": rung.count_high,
        "usual_count": rung.usual_count,
        "beyond_record": rung.beyond_record,
        **_record(rung.record),
    }


def _record(record: RungRecord | None) -> dict[str, Any]:
    """Return the figures of a rung's record; numbers of windows are 0 where none has ended."""
    if record is None:
        record = RungRecord(0, 0, 0.0, 0.0, 0, 0)
    return {
        "verified": record.verified,
        "settled": record.verified,  # the former name, for one release
        "hits": record.hits,
        "expected_hits": record.expected_hits,
        "in_range": record.in_range,
        "usual_hits": record.usual_hits,
        "cases": record.cases,
        "information_gain": known(record.information_gain),
        "gain_low": known(record.low),
        "gain_high": known(record.high),
    }
