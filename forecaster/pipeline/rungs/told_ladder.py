"""A stored ladder in the form of reports, with the track record of its rungs; where there is none, why."""

from collections.abc import Mapping, Sequence
from typing import Any

from forecaster.pipeline.rungs.issue_rungs import VERSION
from forecaster.reports.content.contract import Ladder, Rung, RungRecord
from forecaster.store.row_types import NewRung

NONE_STORED = "the forecast was made by a version of quakecast that had no ladder"


def told_ladder(
    rows: Sequence[NewRung], details: Mapping[str, Any], records: Mapping[tuple[int, float], RungRecord]
) -> tuple[Ladder | None, str | None]:
    """Return (ladder or None, why there is none or None).

    Args:
        rows: of the table `rung`, of one forecast. details: of the forecast.
        records: by (horizon, magnitude).
    """
    if not rows:
        return None, details.get("no_ladder", NONE_STORED)
    version = int(rows[0]["version"])
    if version > VERSION:
        return None, f"the ladder has version {version}, this quakecast reads up to {VERSION}: upgrade quakecast"
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
