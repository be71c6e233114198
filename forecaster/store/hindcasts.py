"""Results of backfills: their rows of the table `forecast`, and the fits of walk-forward backfills."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pandas as pd

from forecaster.store import rung_rows
from forecaster.store.database import Connection
from forecaster.store.ledger import FORECAST_COLUMNS, insert
from forecaster.store.row_types import NewRung, RungRow, rows_as
from forecaster.store.typed_rows.model_types import WalkForwardFit

_PARSED = ("numbers", "models", "failed")


def days_there(connection: Connection, recipe_id: str, recipe_hash: str, method: str, mode: str) -> set[datetime]:
    """Return the target_start of every day that this method has forecast for the present version of the recipe."""
    rows = connection.execute(
        "SELECT DISTINCT target_start FROM forecast "
        "WHERE recipe_id = $id AND recipe_hash = $hash AND method = $method AND mode = $mode AND published",
        {"id": recipe_id, "hash": recipe_hash, "method": method, "mode": mode},
    ).fetchall()
    return {row[0].astimezone(UTC) for row in rows}


def drop_days(connection: Connection, recipe_id: str, target_hash: str, method: str, mode: str, starts: list[datetime]) -> None:
    """Remove a backfill's rows of these days, with their scores and rungs. No row of another method or mode is touched."""
    key = {"id": recipe_id, "hash": target_hash, "method": method, "mode": mode, "starts": starts}
    these = (
        "SELECT forecast_id FROM forecast WHERE recipe_id = $id AND target_hash = $hash AND method = $method AND mode = $mode "
        "AND method <> 'daily' AND NOT official AND target_start IN (SELECT unnest($starts))"
    )
    connection.execute(f"DELETE FROM score WHERE forecast_id IN ({these})", key)
    connection.execute(f"DELETE FROM rung WHERE forecast_id IN ({these})", key)
    connection.execute(f"DELETE FROM forecast WHERE forecast_id IN ({these})", key)


def add_missing(connection: Connection, rows: list[dict[str, Any]]) -> int:
    """Append the rows whose forecast_id is not stored yet, with the `rungs` that they hold; returns how many rows."""
    ids = [row["forecast_id"] for row in rows]
    stored = connection.execute("SELECT forecast_id FROM forecast WHERE forecast_id IN (SELECT unnest($ids))", {"ids": ids}).fetchall()
    there = {row[0] for row in stored}
    fresh = [row for row in rows if row["forecast_id"] not in there]
    insert(connection, "forecast", [{column: row.get(column) for column in FORECAST_COLUMNS} for row in fresh])
    rungs: list[RungRow] = []
    for row in fresh:
        ladder: list[NewRung] = row.get("rungs", [])
        rungs += [{"forecast_id": row["forecast_id"], **rung} for rung in ladder]
    rung_rows.add(connection, rungs)
    return len(fresh)


def add_fit(connection: Connection, row: WalkForwardFit) -> None:
    """Register the fits of a block. A row of the same block is replaced. `numbers`, `models` and `failed` are dicts."""
    texts = {name: json.dumps(value, ensure_ascii=False, default=_text) for name, value in row.items() if name in _PARSED}
    insert(connection, "walk_forward_fit", [{**row, **texts}], replace=True)


def fit_of_block(
    connection: Connection, recipe_id: str, recipe_hash: str, retrain_every_days: int, first_day: date
) -> WalkForwardFit | None:
    """Return the fits of this very block; None where there are none."""
    return _fit(connection, recipe_id, recipe_hash, retrain_every_days, first_day, "=")


def fit_before_block(
    connection: Connection, recipe_id: str, recipe_hash: str, retrain_every_days: int, first_day: date
) -> WalkForwardFit | None:
    """Return the fits of the last block before this one; None where it is the first."""
    return _fit(connection, recipe_id, recipe_hash, retrain_every_days, first_day, "<")


def blocks_fitted(connection: Connection, recipe_id: str, recipe_hash: str, retrain_every_days: int) -> set[date]:
    """Return the first days of the blocks that have been fitted."""
    rows = connection.execute(
        "SELECT first_day FROM walk_forward_fit WHERE recipe_id = $id AND recipe_hash = $hash AND retrain_every_days = $days",
        {"id": recipe_id, "hash": recipe_hash, "days": retrain_every_days},
    ).fetchall()
    return {row[0] for row in rows}


def mean_fit_seconds(connection: Connection, recipe_hashes: dict[str, str]) -> dict[str, float]:
    """Return by recipe the mean duration of the fits of a block in seconds. Recipes without fits are absent."""
    rows = connection.execute(
        "SELECT recipe_id, avg(seconds) FROM walk_forward_fit WHERE recipe_hash IN (SELECT unnest($hashes)) GROUP BY 1",
        {"hashes": list(recipe_hashes.values())},
    ).fetchall()
    return {recipe_id: seconds for recipe_id, seconds in rows if recipe_id in recipe_hashes}


def walk_forward_forecasts(connection: Connection, recipe_id: str, recipe_hash: str, since: datetime, until: datetime) -> pd.DataFrame:
    """Return the walk-forward forecasts of each kind of model for the days from `since` on that ended by `until`.

    Columns: target_start, target_end, model_kind, probability, reference_probability; oldest first.
    """
    return connection.execute(
        "SELECT target_start, target_end, model_kind, probability, reference_probability FROM forecast "
        "WHERE method = 'walk-forward' AND recipe_id = $id AND recipe_hash = $hash AND NOT in_sample "
        "AND target_start >= $since AND target_end <= $until ORDER BY target_start, model_kind",
        {"id": recipe_id, "hash": recipe_hash, "since": since, "until": until},
    ).df()


def _fit(
    connection: Connection, recipe_id: str, recipe_hash: str, retrain_every_days: int, first_day: date, relation: str
) -> WalkForwardFit | None:
    frame = connection.execute(
        "SELECT * FROM walk_forward_fit WHERE recipe_id = $id AND recipe_hash = $hash AND retrain_every_days = $days "
        f"AND first_day {relation} $first ORDER BY first_day DESC LIMIT 1",
        {"id": recipe_id, "hash": recipe_hash, "days": retrain_every_days, "first": first_day},
    ).df()
    if frame.empty:
        return None
    for name in _PARSED:
        frame[name] = pd.Series([json.loads(text) for text in frame[name]], dtype=object, index=frame.index)
    frame["first_day"] = pd.Series([day.date() for day in frame["first_day"]], dtype=object, index=frame.index)
    return rows_as(WalkForwardFit, frame)[0]


def _text(value: object) -> str:
    """Return a time as ISO text, for JSON."""
    if isinstance(value, datetime | pd.Timestamp):
        return value.isoformat()
    raise TypeError(f"{value!r} has no place in a record")
