"""Forecasts, outcomes, scores and runs: reading and writing these tables."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from forecaster.store.by_recipe import by_recipe, wanted
from forecaster.store.database import Connection
from forecaster.store.engine import append, frame_as, put
from forecaster.store.row_types import NewRun, OutcomeRow, ScoreRow, StoredForecast, VerifiedRow, rows_as

if TYPE_CHECKING:
    import pandas as pd

ABANDONED = "nobody"  # `ended_by` in the details of a run that could not report its own end
EVER = datetime(1900, 1, 1, tzinfo=UTC)  # before every forecast
FORECAST_COLUMNS = (
    "forecast_id",
    "recipe_id",
    "target_start",
    "target_end",
    "model_id",
    "model_kind",
    "issue_time",
    "as_of",
    "mode",
    "official",
    "published",
    "supersedes",
    "probability",
    "reference_probability",
    "recipe_hash",
    "target_hash",
    "code_version",
    "degraded",
    "degraded_reason",
    "degraded_reasons",
    "data_age_hours",
    "run_id",
    "created_at",
    "details",
    "method",
    "in_sample",
)


def insert(connection: Connection, table: str, rows: Sequence[Mapping[str, Any]], *, replace: bool = False) -> None:
    """Append dicts (keys = columns) to `table`. With `replace`, rows with the same primary key are replaced."""
    if not rows:
        return
    import pandas as pd

    append(connection, table, pd.DataFrame(rows), replace=replace)


def replace(connection: Connection, table: str, rows: Sequence[Mapping[str, Any]], key: Sequence[str]) -> None:
    """Append dicts (keys = columns) to `table`, in place of the rows that have the same values in the columns of `key`."""
    if not rows:
        return
    import pandas as pd

    put(connection, table, pd.DataFrame(rows), key)


def stored_for_windows(
    connection: Connection, windows: Sequence[tuple[str, str, datetime]], method: str
) -> dict[tuple[str, str, datetime], list[StoredForecast]]:
    """Return by window (recipe id, target hash, start) every stored forecast of this method, oldest issue first. Windows whose day began at
    another time under earlier rules of its zone are included."""
    windows = list(dict.fromkeys(windows))
    ids, hashes, starts = (list(column) for column in zip(*windows, strict=True)) if windows else ([], [], [])
    rows = connection.execute(
        f"SELECT w.place, {', '.join(f'f.{name}' for name in StoredForecast.__annotations__)} FROM forecast f "
        "JOIN (SELECT unnest($ids) AS recipe_id, unnest($hashes) AS target_hash, unnest($starts::TIMESTAMPTZ[]) AS target_start, "
        "unnest($places) AS place) w ON f.recipe_id = w.recipe_id AND f.target_hash = w.target_hash "
        "AND abs(epoch(f.target_start) - epoch(w.target_start)) < 12 * 3600 "
        "WHERE f.method = $method AND f.target_start "
        "BETWEEN $first::TIMESTAMPTZ - INTERVAL 12 HOUR AND $last::TIMESTAMPTZ + INTERVAL 12 HOUR "
        "ORDER BY w.place, f.issue_time, f.created_at, f.model_kind",
        {
            "ids": ids,
            "hashes": hashes,
            "starts": starts,
            "places": list(range(len(windows))),
            "method": method,
            "first": min(starts, default=EVER),
            "last": max(starts, default=EVER),
        },
    ).fetchall()
    found: dict[tuple[str, str, datetime], list[StoredForecast]] = {window: [] for window in windows}
    for place, *values in rows:
        row = dict(zip(StoredForecast.__annotations__, values, strict=True))
        found[windows[place]].append(cast(StoredForecast, row | {"issue_time": row["issue_time"].astimezone(UTC)}))
    return found


def forecasts_of_issue(connection: Connection, forecast_ids: list[str]) -> "pd.DataFrame":
    """Return the forecasts with these ids, ordered by recipe, day, model."""
    return connection.execute(
        "SELECT * FROM forecast WHERE forecast_id IN (SELECT unnest($ids)) ORDER BY recipe_id, target_start, model_id, issue_time",
        {"ids": forecast_ids},
    ).df()


def forecast_days(connection: Connection, target_hashes: list[str], since: datetime, *, replay: bool) -> set[tuple[str, str, datetime]]:
    """Return (recipe_id, target_hash, target_start) of every day from `since` on that has a forecast; with `replay` a replayed one.

    An advance forecast (prospective, and not official) does not count, and neither does a backfill's row: the day's own forecast is still
    to be made.
    """
    rows = connection.execute(
        "SELECT DISTINCT recipe_id, target_hash, target_start FROM forecast "
        "WHERE target_hash IN (SELECT unnest($hashes)) AND target_start >= $since AND (mode = 'replay') = $replay "
        "AND method = 'daily' AND (official OR mode <> 'prospective')",
        {"hashes": target_hashes, "since": since, "replay": replay},
    ).fetchall()
    return {(recipe_id, target_hash, start.astimezone(UTC)) for recipe_id, target_hash, start in rows}


def first_forecasts(connection: Connection, target_hashes: list[str], *, replay: bool) -> dict[tuple[str, str], datetime]:
    """Return by (recipe_id, target_hash) the first day that has an official or late forecast; with `replay`, a replayed one."""
    rows = connection.execute(
        "WITH began AS (SELECT recipe_id, target_hash, min(target_start) AS first_start FROM forecast "
        "WHERE published AND (mode = 'replay') = $replay AND mode <> 'hindcast' AND (official OR mode <> 'prospective') GROUP BY 1, 2) "
        "SELECT * FROM began WHERE target_hash IN (SELECT unnest($hashes))",
        {"hashes": target_hashes, "replay": replay},
    ).fetchall()
    return {(recipe_id, target_hash): start.astimezone(UTC) for recipe_id, target_hash, start in rows}


def unverified_targets(connection: Connection, now: datetime) -> "pd.DataFrame":
    """Return recipe_id, target_hash, target_start, target_end of every ended window with a forecast whose outcome is not final."""
    # Of an official issue one row is enough, the published one.
    return connection.execute(
        "SELECT DISTINCT f.recipe_id, f.target_hash, f.target_start, f.target_end "
        "FROM forecast f ANTI JOIN (SELECT recipe_id, target_start, target_hash FROM outcome WHERE status = 'final') o "
        "USING (recipe_id, target_start, target_hash) "
        "WHERE f.target_end <= $now AND (f.published OR NOT f.official) ORDER BY 1, 2, 3",
        {"now": now},
    ).df()


def outcomes_of(connection: Connection, targets: "pd.DataFrame") -> list[OutcomeRow]:
    """Return the stored outcomes of these windows (columns recipe_id, target_hash, target_start), oldest first."""
    with frame_as(connection, "wanted", targets):
        frame = connection.execute(
            "SELECT o.* FROM outcome o SEMI JOIN wanted USING (recipe_id, target_start, target_hash) ORDER BY recipe_id, target_start"
        ).df()
    return rows_as(OutcomeRow, frame)


def forecasts_to_score(connection: Connection) -> "pd.DataFrame":
    """Return verified forecasts whose score is missing, not final, or computed for another outcome; with happened and status.

    Of prospective forecasts only the official ones are scored. Late, hindcast and replayed forecasts are scored under their own mode. A
    forecast for a day that the model was trained on is never scored: scores, and all that is computed from them, are out of sample.
    """
    # A day with as many final scores as forecasts that are scored is done: a final outcome never changes. The other days are looked at,
    # with narrow columns, and the wide ones are read for the rows that are needed alone.
    return connection.execute(
        "WITH made AS (SELECT target_start, count(*) AS number FROM forecast "
        "WHERE (official OR mode <> 'prospective') AND NOT in_sample GROUP BY target_start), "
        "done AS (SELECT target_start, count(*) AS number FROM score WHERE status = 'final' GROUP BY target_start), "
        "open AS (SELECT target_start FROM made LEFT JOIN done USING (target_start) WHERE made.number IS DISTINCT FROM done.number), "
        "due AS (SELECT f.forecast_id, o.happened, o.status "
        "FROM (SELECT * FROM forecast WHERE target_start IN (SELECT target_start FROM open)) f "
        "JOIN outcome o USING (recipe_id, target_start, target_hash) "
        "LEFT JOIN (SELECT * FROM score WHERE target_start IN (SELECT target_start FROM open)) s USING (forecast_id) "
        "WHERE o.status <> 'preliminary' AND (f.official OR f.mode <> 'prospective') "
        "AND NOT f.in_sample AND (s.forecast_id IS NULL OR s.status <> o.status OR s.happened <> o.happened)) "
        "SELECT f.*, due.happened, due.status FROM forecast f JOIN due USING (forecast_id) ORDER BY ALL"
    ).df()


def write_scores(connection: Connection, rows: Sequence[ScoreRow]) -> None:
    """Write scores. Earlier scores of the same forecasts are replaced."""
    replace(connection, "score", rows, ("target_start", "forecast_id"))


def scored(connection: Connection, targets: Mapping[str, str]) -> "dict[str, pd.DataFrame]":
    """Return published, scored forecasts of these targets (recipe id -> target hash), a frame for each recipe: mode, target_start,
    probability, reference_probability, happened, status, issue_time.

    Where a day was forecast in several ways, the walk-forward row is used, else the daily one: the hardest way to forecast comes first. By
    mode, oldest first.
    """
    return by_recipe(
        connection,
        "SELECT f.recipe_id, s.mode, s.target_start, f.probability, f.reference_probability, s.happened, s.status, f.issue_time "
        "FROM score s JOIN forecast f USING (forecast_id) JOIN wanted w ON w.recipe_id = f.recipe_id AND w.target_hash = f.target_hash "
        "WHERE f.published AND s.recipe_id = f.recipe_id AND NOT f.in_sample "
        "QUALIFY row_number() OVER (PARTITION BY f.recipe_id, s.mode, s.target_start "
        "ORDER BY f.method DESC, f.issue_time DESC, f.created_at DESC) = 1 ORDER BY 1, 2, 3",
        wanted(targets),
    )


def published_skill(connection: Connection, target_hashes: list[str]) -> "pd.DataFrame":
    """Return `v_skill` of published forecasts: recipe_id, mode, method, outcome_status, days, target_days, information_gain (nats, or
    NaN)."""
    return connection.execute(
        "SELECT recipe_id, mode, method, outcome_status, days, target_days, information_gain FROM v_skill "
        "WHERE model_kind = 'published' AND target_hash IN (SELECT unnest($hashes)) ORDER BY ALL",
        {"hashes": target_hashes},
    ).df()


def first_and_last_start(connection: Connection, forecast_ids: Sequence[str]) -> tuple[datetime | None, datetime | None]:
    """Return when the first and the last of the windows of these forecasts begin; None where there are none.

    With them a query reads only the part of a table around these windows.
    """
    (span,) = connection.execute(
        "SELECT min(target_start), max(target_start) FROM forecast WHERE forecast_id IN (SELECT unnest($ids))", {"ids": list(forecast_ids)}
    ).fetchall()
    return span[0], span[1]


def changes_between(connection: Connection, start: datetime, end: datetime) -> dict[str, Any]:
    """Return the changes in (start, end]: events revised after an earlier pull, outcomes revised, quarantined rows by reason, the last
    pull."""
    span = {"start": start, "end": end}
    revised = connection.execute(
        "SELECT count(DISTINCT event_key) FROM event_revision r WHERE known_at > $start AND known_at <= $end AND source <> 'snapshot' "
        "AND EXISTS (SELECT 1 FROM event_revision o WHERE o.event_key = r.event_key AND o.source <> 'snapshot' AND o.known_at <= $start)",
        span,
    ).fetchone()
    changed = connection.execute("SELECT count(*) FROM outcome WHERE revised_at > $start AND revised_at <= $end", span).fetchone()
    bad = connection.execute(
        "SELECT reason, count(*) FROM quarantine WHERE observed_at > $start AND observed_at <= $end GROUP BY reason ORDER BY reason", span
    ).fetchall()
    pull = connection.execute("SELECT max(read_at) FROM coverage_read WHERE read_at <= $end", {"end": end}).fetchone()
    assert revised is not None and changed is not None and pull is not None
    return {"revised_events": revised[0], "revised_outcomes": changed[0], "quarantined": dict(bad), "last_pull_at": pull[0]}


def revised_between(connection: Connection, start: datetime, end: datetime) -> list[OutcomeRow]:
    """Return the outcomes, as they are now, that catalogue revisions in (start, end] reversed."""
    return rows_as(
        OutcomeRow,
        connection.execute(
            "SELECT * FROM outcome WHERE revised_at > $start AND revised_at <= $end ORDER BY target_start, recipe_id",
            {"start": start, "end": end},
        ).df(),
    )


def last_verified(connection: Connection) -> list[VerifiedRow]:
    """Return the outcomes that the last verification wrote, each with its published forecast; days of a backfill are left out."""
    frame = connection.execute(
        "SELECT o.*, f.probability, f.reference_probability FROM outcome o "
        "JOIN forecast f USING (recipe_id, target_start, target_hash) "
        "WHERE f.published AND f.method = 'daily' AND o.as_of = (SELECT max(as_of) FROM outcome) "
        "QUALIFY row_number() OVER (PARTITION BY o.recipe_id, o.target_start "
        "ORDER BY f.official DESC, f.issue_time DESC, f.created_at DESC) = 1 ORDER BY o.target_start, o.recipe_id"
    ).df()
    return rows_as(VerifiedRow, frame)


def start_run(connection: Connection, row: NewRun) -> None:
    """Record that a run began."""
    insert(connection, "run", [{**row, "state": "running"}], replace=True)


def finish_run(connection: Connection, run_id: str, finished_at: datetime, state: str, details: dict[str, Any]) -> None:
    """Record how a run ended: success, partial or failed."""
    connection.execute(
        "UPDATE run SET finished_at = $at, state = $state, details = $details WHERE run_id = $id",
        {"id": run_id, "at": finished_at, "state": state, "details": json.dumps(details, ensure_ascii=False)},
    )


def running(connection: Connection, kind: str) -> list[str]:
    """Return the ids of the runs of this kind that are recorded as running."""
    rows = connection.execute("SELECT run_id FROM run WHERE kind = $kind AND state = 'running' ORDER BY 1", {"kind": kind}).fetchall()
    return [row[0] for row in rows]


def close_abandoned(connection: Connection, run_ids: list[str], now: datetime) -> None:
    """Mark these runs as failed: they ended without reporting."""
    details = json.dumps(
        {"ended_by": ABANDONED, "problems": ["the run ended without reporting: its process was killed or the machine went down"]}
    )
    connection.execute(
        "UPDATE run SET state = 'failed', finished_at = $now, details = $told WHERE run_id IN (SELECT unnest($ids))",
        {"now": now, "told": details, "ids": run_ids},
    )
