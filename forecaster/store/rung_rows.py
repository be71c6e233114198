"""The rungs of the ladder: probabilities of published forecasts for longer windows and larger magnitudes, and their outcomes."""

from collections.abc import Sequence
from datetime import datetime

import pandas as pd

from forecaster.store.database import Connection
from forecaster.store.ledger import first_and_last_start, insert, replace
from forecaster.store.row_types import RungOutcomeRow, RungRow, rows_as

VERSION = 1  # of the rules for making ladders; raised where an older program would misread a newer row


def add(connection: Connection, rows: Sequence[RungRow]) -> None:
    """Append rungs. A rung that exists already stays as it was written (ids of forecasts are derived from their inputs)."""
    if not rows:
        return
    ends = [row["window_end"] for row in rows]
    stored = connection.execute(
        "SELECT DISTINCT forecast_id FROM rung WHERE forecast_id IN (SELECT unnest($ids)) AND window_end BETWEEN $first AND $last",
        {"ids": sorted({row["forecast_id"] for row in rows}), "first": min(ends), "last": max(ends)},
    ).fetchall()
    there = {row[0] for row in stored}
    insert(connection, "rung", [row for row in rows if row["forecast_id"] not in there])


def ladders(connection: Connection, forecast_ids: Sequence[str]) -> dict[str, list[RungRow]]:
    """Return by forecast its rungs by horizon and magnitude. Forecasts without a ladder have none."""
    if not forecast_ids:
        return {}
    first, _ = first_and_last_start(connection, forecast_ids)
    frame = connection.execute(
        "SELECT * FROM rung WHERE forecast_id IN (SELECT unnest($ids)) AND window_end > $first "
        "ORDER BY forecast_id, horizon_days, magnitude",
        {"ids": list(forecast_ids), "first": first},
    ).df()
    found: dict[str, list[RungRow]] = {forecast_id: [] for forecast_id in forecast_ids}
    for row in rows_as(RungRow, frame):
        found[row["forecast_id"]].append(row)
    return found


def unsettled(connection: Connection, now: datetime) -> pd.DataFrame:
    """Return recipe_id, target_hash, target_start, target_end (of the rung), horizon_days, magnitude of every rung whose window has ended
    and that has no final outcome, with status and event_count of the outcome that it has; each once, though several forecasts have it.

    Where they promised different ends, because the clocks' law changed between them, the rung is of the earliest.
    """
    # Where as many rungs have a final outcome as end at a moment, none of them is left. The rungs of the other moments are looked at.
    return connection.execute(
        "WITH ended AS (SELECT window_end, count(*) AS number FROM rung WHERE window_end <= $now GROUP BY window_end), "
        "done AS (SELECT window_end, count(*) AS number FROM rung_outcome WHERE status = 'final' GROUP BY window_end), "
        "open AS (SELECT window_end FROM ended LEFT JOIN done USING (window_end) WHERE ended.number IS DISTINCT FROM done.number), "
        "promised AS (SELECT f.recipe_id, f.target_hash, f.target_start, min(r.window_end) AS target_end, r.horizon_days, r.magnitude "
        "FROM (SELECT * FROM rung WHERE window_end IN (SELECT window_end FROM open)) r JOIN forecast f USING (forecast_id) GROUP BY ALL) "
        "SELECT p.*, o.status, o.event_count FROM promised p "
        "LEFT JOIN (SELECT * FROM rung_outcome WHERE target_start IN (SELECT target_start FROM promised)) o "
        "USING (recipe_id, target_hash, target_start, horizon_days, magnitude) WHERE coalesce(o.status, '') <> 'final' ORDER BY ALL",
        {"now": now},
    ).df()


def settle(connection: Connection, rows: Sequence[RungOutcomeRow]) -> None:
    """Write outcomes of rungs. Earlier outcomes of the same rungs are replaced."""
    replace(connection, "rung_outcome", rows, ("target_start", "recipe_id", "target_hash", "horizon_days", "magnitude"))
