"""The world map in the store: issues, their cells, and their scores."""

import json
from datetime import datetime
from typing import Any

import pandas as pd

from forecaster.store.database import Connection
from forecaster.store.engine import frame_as
from forecaster.store.ledger import insert

JSON_COLUMNS = ("weights", "left_out", "left_out_reasons", "problems", "problem_reasons")


def issue_for(connection: Connection, target_start: datetime, mode: str, resolution: int) -> int | None:
    """Return the number of the issue of this day, mode and resolution; None where there is none."""
    row = connection.execute(
        "SELECT issue FROM world_map WHERE target_start = $start AND mode = $mode AND resolution = $resolution",
        {"start": target_start, "mode": mode, "resolution": resolution},
    ).fetchone()
    return None if row is None else int(row[0])


def add_issue(connection: Connection, row: dict[str, Any], places: pd.DataFrame, cells: pd.DataFrame) -> int:
    """Store an issue with its cells, and return its number.

    row: columns of world_map but `issue`, JSON columns as they are. places: columns of world_place. cells: columns of
    world_cell but `issue`.
    """
    number = int(connection.execute("SELECT coalesce(max(issue), 0) + 1 FROM world_map").fetchall()[0][0])
    texts = {name: json.dumps(row[name], ensure_ascii=False) for name in JSON_COLUMNS}
    insert(connection, "world_map", [{**row, **texts, "issue": number}])
    with frame_as(connection, "placed", places):
        connection.execute("INSERT INTO world_place BY NAME SELECT * FROM placed ON CONFLICT DO NOTHING")
    with frame_as(connection, "told", cells.assign(issue=number)):
        connection.execute("INSERT INTO world_cell BY NAME SELECT * FROM told ORDER BY horizon_days, magnitude, cell")
    return number


def newest_issue(connection: Connection, now: datetime | None = None) -> dict[str, Any] | None:
    """Return the row of world_map that was stored last (of those made by `now`), parsed; None where there is none."""
    cursor = connection.execute(
        "SELECT * FROM world_map WHERE $now IS NULL OR issue_time <= $now ORDER BY issue DESC LIMIT 1", {"now": now}
    )
    names = [column[0] for column in cursor.description]
    values = cursor.fetchone()
    if values is None:
        return None
    row = dict(zip(names, values, strict=True))
    return row | {name: json.loads(row[name]) if row[name] else [] for name in JSON_COLUMNS}


def cells_of_issue(connection: Connection, issue: int) -> pd.DataFrame:
    """Return the rows of v_world of one issue, by horizon, magnitude and cell; none where they have been removed."""
    return connection.execute("SELECT * FROM v_world WHERE issue = $issue ORDER BY horizon_days, magnitude, cell", {"issue": issue}).df()


def unsettled(connection: Connection, read_until: datetime) -> pd.DataFrame:
    """Return (issue, magnitude, horizon_days, window_start, window_end, cells, status or NULL) of windows that ended by then and have no
    final score, and whose cells are still kept."""
    return connection.execute(
        "WITH pools AS (SELECT issue, magnitude, horizon_days, count(*) AS cells FROM world_cell GROUP BY ALL) "
        "SELECT p.issue, p.magnitude, p.horizon_days, m.target_start AS window_start, "
        "m.target_start + to_hours(24 * p.horizon_days::INTEGER) AS window_end, p.cells, s.status "
        "FROM pools p JOIN world_map m USING (issue) LEFT JOIN world_score s USING (issue, magnitude, horizon_days) "
        "WHERE window_end <= $until AND coalesce(s.status, '') <> 'final' ORDER BY p.issue, p.magnitude, p.horizon_days",
        {"until": read_until},
    ).df()


def write_scores(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Store these rows of world_score in place of earlier ones."""
    insert(connection, "world_score", rows, replace=True)


def scores(connection: Connection, mode: str) -> pd.DataFrame:
    """Return all rows of world_score of issues of this mode, with their target_start, oldest first."""
    return connection.execute(
        "SELECT s.*, m.target_start FROM world_score s JOIN world_map m USING (issue) WHERE m.mode = $mode "
        "ORDER BY m.target_start, s.magnitude, s.horizon_days",
        {"mode": mode},
    ).df()
