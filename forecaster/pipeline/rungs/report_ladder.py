"""A stored ladder in the form of reports, with the track record of its rungs; where there is none, why."""

from collections.abc import Mapping, Sequence
from typing import Any

from forecaster.registry.reasons import Reason, ReasonKey, of_stored
from forecaster.reports.content.contract import Ladder, Rung, RungRecord
from forecaster.store.row_types import NewRung
from forecaster.store.rung_rows import VERSION

NONE_STORED = Reason(ReasonKey.BEFORE_LADDER)


def report_ladder(
    rows: Sequence[NewRung], details: Mapping[str, Any], records: Mapping[tuple[int, float], RungRecord]
) -> tuple[Ladder | None, Reason | str | None]:
    """Return (ladder or None, why there is none or None). The why is English text for rows of an older version.

    Args:
        rows: of the table `rung`, of one forecast. details: of the forecast.
        records: by (horizon, magnitude).
    """
    if not rows:
        return None, _why_none(details)
    version = int(rows[0]["version"])
    if version > VERSION:
        return None, Reason(ReasonKey.NEWER_LADDER, {"version": version, "newest": VERSION})
    rungs = tuple(
        Rung(
            horizon_days=row["horizon_days"],
            magnitude=row["magnitude"],
            window_end=row["window_end"],
            probability=row["probability"],
            reference_probability=row["reference_probability"],
            expected_count=row["expected_count"],
            count_low=row["count_low"],
            count_high=row["count_high"],
            usual_count=row["usual_count"],
            beyond_record=row["beyond_record"],
            record=records.get((row["horizon_days"], row["magnitude"])),
        )
        for row in rows
    )
    return Ladder(rungs, rows[0]["basis"], rows[0]["b_value"], rows[0]["b_sigma"]), None


def _why_none(details: Mapping[str, Any]) -> Reason | str:
    """Return the reason that an issue without a ladder was stored with; older issues hold its English text alone."""
    stored = details.get("no_ladder_reason")
    if stored is not None:
        return of_stored(stored)
    return str(details["no_ladder"]) if "no_ladder" in details else NONE_STORED
