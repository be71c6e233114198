"""The stored rows of an issue: which are active for a window, and how new ones are written so that the first official issue is kept."""

import hashlib
import json
from collections.abc import Hashable, Mapping, Sequence
from datetime import datetime
from typing import Any

from forecaster.clock import Clock
from forecaster.store import ledger, rung_rows
from forecaster.store.database import Connection, Store
from forecaster.store.row_types import NewRung, RungRow, StoredForecast

DAILY = "daily"  # the method of forecasts that were not made by a backfill


Window = tuple[str, str, datetime]  # recipe id, target hash, start


def stored_for(connection: Connection, windows: Sequence[Window]) -> dict[Window, list[StoredForecast]]:
    """Return every stored daily forecast of each of these windows, for all models."""
    return ledger.stored_for_windows(connection, windows, DAILY)


def official_of(stored: Sequence[StoredForecast], mode: str) -> list[StoredForecast]:
    """Return the rows of the active issue of a window, which makes another issue of this mode unnecessary.

    That is the official issue or, for a day that has begun (all of whose inputs end before), the first late one. Empty where a new issue
    is to be made.
    """
    if mode not in ("prospective", "late"):
        return []
    official = [row for row in stored if row["official"]]
    late = [row for row in stored if row["mode"] == "late" and mode == "late"]
    if official or not late:
        return official
    first = min(row["issue_time"] for row in late)
    return [row for row in late if row["issue_time"] == first]


def last_issue(stored: Sequence[StoredForecast]) -> list[StoredForecast]:
    """Return the rows of the newest published issue of a window, prospective or late."""
    issued = [row for row in stored if row["mode"] in ("prospective", "late")]
    newest = max(row["issue_time"] for row in issued if row["published"])
    return [row for row in issued if row["issue_time"] == newest]


def identified(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with its forecast_id, which is derived from the fields that identify the forecast."""
    times = f"{row['target_start']:%FT%TZ}|{row['issue_time'].isoformat()}"
    key = f"{row['recipe_id']}|{row['recipe_hash']}|{row['model_id']}|{times}|{row['mode']}"
    key += "" if row["method"] == DAILY else f"|{row['method']}"
    return {**row, "forecast_id": hashlib.sha256(key.encode()).hexdigest()[:24]}


def write_issue(store: Store, rows: list[dict[str, Any]], clock: Clock, reissue: bool) -> list[str]:
    """Store the rows of one issue in one transaction, each with the `rungs` of its ladder; return the ids of the active issue.

    A row is late if its day began while it was computed or while it waited to be written. The official and published flags are set here,
    because no other process can write at this point. If another process wrote an issue meanwhile, that one is kept instead of ours (except
    for a `reissue`). The same issue again is left as it was first written, with its published flags.
    """
    forecast_ids: list[str] = []
    with store.transaction() as connection:
        fresh: list[dict[str, Any]] = []
        rungs: list[RungRow] = []
        written_at = clock.now()
        rows = [_as_written(row, written_at) for row in rows]
        there = stored_for(connection, [_window(row) for row in rows])
        for row in rows:
            stored = there[_window(row)]
            official = [] if reissue else official_of(stored, row["mode"])
            if official:
                forecast_ids += [kept["forecast_id"] for kept in official]
                continue
            forecast_ids.append(row["forecast_id"])
            issue = [kept for kept in stored if kept["mode"] == row["mode"] and kept["issue_time"] == row["issue_time"]]
            first = [kept["forecast_id"] for kept in issue if kept["published"] and kept["recipe_hash"] == row["recipe_hash"]]
            forecast_ids += first
            if row["forecast_id"] not in {kept["forecast_id"] for kept in stored}:
                row["official"] = row["official"] and not any(kept["official"] for kept in stored)
                row["published"] = row["published"] and not first
                row["supersedes"] = _superseded([kept for kept in stored if kept["mode"] == row["mode"]], row)
                fresh.append({column: row.get(column) for column in ledger.FORECAST_COLUMNS})
                ladder: list[NewRung] = row.get("rungs", []) if row["published"] else []
                rungs += [{"forecast_id": row["forecast_id"], **rung} for rung in ladder]
        ledger.insert(connection, "forecast", fresh)
        rung_rows.add(connection, rungs)
    return list(dict.fromkeys(forecast_ids))


def write_reforecast(store: Store, rows: list[dict[str, Any]], clock: Clock) -> list[str]:
    """Store the rows of one reforecast, beside the official forecast of their days; return their ids.

    None of them is official or published, so that scores, alerts and the record do not count them. Rows whose day began while they were
    computed are not stored.
    """
    with store.transaction() as connection:
        written_at = clock.now()
        rows = [{**row, "official": False, "published": False} for row in rows if written_at < row["target_start"]]
        there = {kept["forecast_id"] for kept_rows in stored_for(connection, [_window(row) for row in rows]).values() for kept in kept_rows}
        fresh = [{column: row.get(column) for column in ledger.FORECAST_COLUMNS} for row in rows if row["forecast_id"] not in there]
        ledger.insert(connection, "forecast", fresh)
    return [row["forecast_id"] for row in rows]


def _as_written(row: dict[str, Any], written_at: datetime) -> dict[str, Any]:
    if row["mode"] != "prospective" or written_at < row["target_start"]:
        return row
    return identified({**row, "mode": "late", "official": False, "issue_time": written_at, "created_at": written_at})


def _window(row: Mapping[str, Any]) -> Window:
    return row["recipe_id"], row["target_hash"], row["target_start"]


def _superseded(earlier: Sequence[StoredForecast], row: Mapping[str, Any]) -> str | None:
    """Return the id of the forecast that `row` supersedes: the last one of its model kind, else the last published one. A reforecast, an
    issue of which nothing is published, is superseded by none.
    """
    issues = {kept["issue_time"] for kept in earlier if kept["published"]}
    same = [kept for kept in earlier if kept["model_kind"] == row["model_kind"] and kept["issue_time"] in issues]
    found = same or [kept for kept in earlier if kept["published"]]
    return found[-1]["forecast_id"] if found else None


_AS_BEFORE = (
    ("details", None),
    ("degraded_reasons", None),
    ("method", DAILY),
    ("in_sample", False),
)  # the values of columns that older rows lack


def forecasts_sha256(rows: Sequence[Mapping[Hashable, Any]]) -> str:
    """Return the SHA-256 (hex) of forecast rows as canonical JSON, ordered by id. It exposes any later change of content or time."""
    canonical = [
        {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in sorted((str(name), value) for name, value in row.items())
            if name != "run_id" and (name, value) not in _AS_BEFORE
        }
        for row in sorted(rows, key=lambda row: row["forecast_id"])
    ]
    return hashlib.sha256(json.dumps(canonical, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
