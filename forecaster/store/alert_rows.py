"""Alerts, the forecasts they look at, and the backtest data for how often they are false: the tables `alert` and `alert_correction`."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from forecaster.store.database import Connection
from forecaster.store.ledger import ABANDONED, insert
from forecaster.store.row_types import EndedRun, ForecastRow, RowT, WindowOfAlert, dicts_as
from forecaster.store.typed_rows.alert_types import AlertColumns, AlertRow, CorrectionRow, DeadLetters, ForecastAlertRow, OperationsAlertRow

JSON_COLUMNS = ("channels", "bounds", "expected", "outcomes")


def live_forecasts(connection: Connection, target_hashes: list[str], now: datetime, *, replay: bool) -> list[ForecastRow]:
    """Return the published forecasts of windows that have not ended at `now`, oldest window first. Of several issues for a window it is the
    newest.

    Forecasts of the daily job only, never of a backfill. With `replay`, replayed forecasts and no others.
    """
    return _rows(
        ForecastRow,
        connection,
        "SELECT * FROM forecast WHERE published AND method = 'daily' AND issue_time <= $now AND target_end > $now "
        "AND target_hash IN (SELECT unnest($hashes)) AND CASE WHEN $replay THEN mode = 'replay' ELSE mode IN ('prospective', 'late') END "
        "QUALIFY row_number() OVER (PARTITION BY recipe_id, target_hash, target_start ORDER BY issue_time DESC, created_at DESC) = 1 "
        "ORDER BY recipe_id, target_start",
        {"hashes": target_hashes, "now": now, "replay": replay},
    )


def forecast_named(connection: Connection, forecast_id: str) -> ForecastRow:
    """Return the forecast of this id, which an alert names. Raises KeyError where there is none."""
    rows = _rows(ForecastRow, connection, "SELECT * FROM forecast WHERE forecast_id = $id", {"id": forecast_id})
    if not rows:
        raise KeyError(f"forecast {forecast_id} is not stored")
    return rows[0]


def out_of_sample(connection: Connection, recipe_id: str, target_hash: str, now: datetime, kind: str | None) -> pd.DataFrame:
    """Return the out-of-sample forecasts of every past window with its outcome, as verified at `now`.

    Args:
        kind: of model; None: what was, or would have been, published.

    The row of a window is its official forecast, else that of a walk-forward backfill. A replayed forecast does not count. Neither does an
    outcome that was learnt after `now` or is preliminary (NULL). Columns: target_start, target_end, probability, reference_probability,
    method, happened; oldest first.
    """
    return connection.execute(
        "SELECT f.target_start, f.target_end, f.probability, f.reference_probability, f.method, o.happened "
        "FROM forecast f LEFT JOIN outcome o ON o.recipe_id = f.recipe_id AND o.target_start = f.target_start "
        "AND o.target_hash = f.target_hash AND o.status <> 'preliminary' AND o.as_of <= $now "
        "WHERE CASE WHEN $kind IS NULL THEN f.published ELSE f.model_kind = $kind END AND NOT f.in_sample "
        "AND f.recipe_id = $id AND f.target_hash = $hash AND f.target_end <= $now "
        "AND (f.official OR (f.method = 'walk-forward' AND f.mode = 'hindcast')) "
        "QUALIFY row_number() OVER (PARTITION BY f.target_start ORDER BY f.official DESC, f.issue_time DESC, f.created_at DESC) = 1 "
        "ORDER BY f.target_start",
        {"id": recipe_id, "hash": target_hash, "now": now, "kind": kind},
    ).df()


def forecast_alerts(connection: Connection, *, replay: bool) -> list[ForecastAlertRow]:
    """Return every alert of a rule, oldest first, of replays or of live days."""
    sql = "SELECT * FROM alert WHERE kind = 'forecast' AND (mode = 'replay') = $replay ORDER BY raised_at, alert_id"
    return _rows(ForecastAlertRow, connection, sql, {"replay": replay})


def operations_alerts(connection: Connection) -> list[OperationsAlertRow]:
    """Return every system alert, oldest first."""
    sql = "SELECT * FROM alert WHERE kind = 'operations' AND mode <> 'replay' ORDER BY raised_at, alert_id"
    return _rows(OperationsAlertRow, connection, sql)


def newest_alerts(connection: Connection, limit: int, *, replay: bool) -> list[AlertColumns]:
    """Return the newest alerts of both kinds with all of their columns, newest first."""
    sql = "SELECT * FROM alert WHERE (mode = 'replay') = $replay ORDER BY raised_at DESC, alert_id DESC LIMIT $limit"
    return _rows(AlertColumns, connection, sql, {"replay": replay, "limit": limit})


def _rows(kind: type[RowT], connection: Connection, sql: str, parameters: dict[str, Any] | None = None) -> list[RowT]:
    """Return the result as dicts of this kind: times in UTC, JSON parsed, missing values None.

    Raises:
        KeyError: the result lacks a column of the kind.
    """
    answer = connection.execute(sql, parameters or {})
    names = [str(column[0]) for column in answer.description or ()]
    rows = [{name: _value(name, value) for name, value in zip(names, row, strict=True)} for row in answer.fetchall()]
    return dicts_as(kind, names, rows)


def _value(name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return json.loads(value) if name in JSON_COLUMNS and isinstance(value, str) else value


def write_alerts(connection: Connection, rows: Sequence[AlertRow]) -> None:
    """Store these alerts as they are now. An alert with the same id is replaced."""
    packed = [
        {name: json.dumps(value) if name in JSON_COLUMNS and value is not None else value for name, value in row.items()} for row in rows
    ]
    insert(connection, "alert", packed, replace=True)


def write_corrections(connection: Connection, rows: Sequence[CorrectionRow]) -> None:
    """Store these corrections. A correction with the same id is replaced."""
    insert(connection, "alert_correction", rows, replace=True)


def verified_windows(connection: Connection, alerts: Sequence[ForecastAlertRow]) -> dict[str, list[WindowOfAlert]]:
    """Return by alert id every window since the one that the alert was raised for, with its published forecast and its observed outcome;
    oldest first.

    Columns: target_start, target_end; probability and reference_probability of the newest daily issue; happened (None until the window is
    verified).
    """
    found: dict[str, list[WindowOfAlert]] = {alert["alert_id"]: [] for alert in alerts}
    if not found:
        return found
    names = ("alert_id", "recipe_id", "target_hash", "target_start")
    rows = _rows(
        WindowOfAlert,
        connection,
        "WITH raised AS (SELECT unnest($alert_id) AS alert_id, unnest($recipe_id) AS recipe_id, unnest($target_hash) AS target_hash, "
        "unnest($target_start::TIMESTAMPTZ[]) AS first, unnest($replay) AS replay) "
        "SELECT a.alert_id, f.target_start, f.target_end, f.probability, f.reference_probability, o.happened "
        "FROM forecast f JOIN raised a ON f.recipe_id = a.recipe_id AND f.target_hash = a.target_hash AND f.target_start >= a.first "
        "AND (f.mode = 'replay') = a.replay LEFT JOIN outcome o ON o.recipe_id = f.recipe_id AND o.target_start = f.target_start "
        "AND o.target_hash = f.target_hash AND o.status <> 'preliminary' "
        "WHERE f.published AND f.method = 'daily' AND f.mode <> 'hindcast' AND f.target_start >= $since "
        "QUALIFY row_number() OVER (PARTITION BY a.alert_id, f.target_start ORDER BY f.issue_time DESC, f.created_at DESC) = 1 "
        "ORDER BY a.alert_id, f.target_start",
        {name: [dict(alert)[name] for alert in alerts] for name in names}
        | {"replay": [alert["mode"] == "replay" for alert in alerts], "since": min(alert["target_start"] for alert in alerts)},
    )
    for row in rows:
        found[row["alert_id"]].append(row)
    return found


def events_then_and_now(connection: Connection, then: datetime, now: datetime) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return two frames: the events that were known at `then`, as they were known; and the same events as they are known at `now`.

    The second frame lacks an event that was deleted since. Two events that were merged since are one row in the second frame, and share its
    event_key in the first. Other columns: known_at (in both frames the time when the event was first known, so that it is an input of
    `then`), origin_time, position, depth_km, magnitude.
    """
    moved = (
        "WITH moved AS (SELECT from_key, last(to_key ORDER BY known_at, rowid) AS to_key FROM event_merge WHERE known_at <= $now "
        "GROUP BY from_key), kept AS (SELECT coalesce(m.to_key, e.event_key) AS event_key, "
        "e.first_known_at, e.origin_time, e.latitude_deg, e.longitude_deg, e.depth_km, e.magnitude "
        "FROM event_as_of($then) e LEFT JOIN moved m ON m.from_key = e.event_key "
        "WHERE e.event_type = 'earthquake' AND e.magnitude IS NOT NULL) "
    )
    columns = "origin_time, latitude_deg, longitude_deg, depth_km, magnitude"
    before = connection.execute(
        f"{moved} SELECT event_key, first_known_at AS known_at, {columns} FROM kept ORDER BY origin_time, event_key",
        {"then": then, "now": now},
    ).df()
    after = connection.execute(
        f"{moved}, known AS (SELECT event_key, min(first_known_at) AS known_at FROM kept GROUP BY event_key) "
        f"SELECT event_key, known.known_at, {columns} FROM known JOIN event_as_of($now) n USING (event_key) "
        "WHERE event_type = 'earthquake' AND magnitude IS NOT NULL ORDER BY origin_time, event_key",
        {"then": then, "now": now},
    ).df()
    return before, after


def last_ended_runs(connection: Connection) -> list[EndedRun]:
    """Return for each kind of run the one that ended last.

    problem: its last problem, as text. reason: the same as a JSON object where the run ended by an error, else None, as in runs of schema
    24 and before. abandoned: whether it died without reporting its own end.
    """
    # Details written before version 0.2.0 have no `ended_by`: there the text says it.
    return _rows(
        EndedRun,
        connection,
        "WITH last AS (SELECT run_id FROM run WHERE finished_at IS NOT NULL "
        "QUALIFY row_number() OVER (PARTITION BY kind ORDER BY finished_at DESC, started_at DESC) = 1), "
        "told AS (SELECT run_id, kind, state, started_at, finished_at, details -> 'problems' ->> -1 AS problem, "
        "details ->> 'problem_reason' AS reason, details ->> 'ended_by' AS ended_by FROM run WHERE run_id IN (SELECT run_id FROM last)) "
        "SELECT run_id, kind, state, started_at, finished_at, problem, reason, "
        "coalesce(ended_by = $abandoned, problem LIKE '%without a word%', false) AS abandoned FROM told ORDER BY kind",
        {"abandoned": ABANDONED},
    )


def is_running(connection: Connection, run_id: str) -> bool:
    """Return whether this run is recorded as running."""
    return connection.execute("SELECT 1 FROM run WHERE run_id = $id AND state = 'running'", {"id": run_id}).fetchone() is not None


def dead_letters(connection: Connection, since: datetime) -> list[DeadLetters]:
    """Return by channel how many messages created since then were given up (`count`), and the last error."""
    return _rows(
        DeadLetters,
        connection,
        "SELECT channel, count(*) AS count, arg_max(last_error, created_at) AS error FROM delivery "
        "WHERE state = 'dead' AND created_at >= $since GROUP BY channel ORDER BY channel",
        {"since": since},
    )
