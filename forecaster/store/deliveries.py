"""The outbox and its messages in the store."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from forecaster.store.database import Connection
from forecaster.store.ledger import insert
from forecaster.store.row_types import RowT, rows_as
from forecaster.store.typed_rows.alert_types import MessageRow, NewestReport, ReportRow

OPEN = "state IN ('pending', 'sending', 'failed')"


def write(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows of the outbox in place of those with the same id."""
    insert(connection, "delivery", rows, replace=True)


def of_subjects(connection: Connection, subject_ids: list[str]) -> pd.DataFrame:
    """Return the rows of these reports and messages, oldest first."""
    return connection.execute(
        "SELECT * FROM delivery WHERE subject_id IN (SELECT unnest($ids)) ORDER BY created_at, channel, recipient, delivery_id",
        {"ids": subject_ids},
    ).df()


def by_id(connection: Connection, delivery_id: str) -> pd.DataFrame:
    """Return the row with this id, or None."""
    return connection.execute("SELECT * FROM delivery WHERE delivery_id = $id", {"id": delivery_id}).df()


def open_rows(connection: Connection) -> pd.DataFrame:
    """Return everything that is neither sent nor given up, due or not: messages first, then reports, each oldest first."""
    return connection.execute(
        f"SELECT * FROM delivery WHERE {OPEN} ORDER BY subject_kind = 'report', created_at, channel, recipient, delivery_id"
    ).df()


def latest_rows(connection: Connection, limit: int) -> pd.DataFrame:
    """Return the newest rows, newest first."""
    return connection.execute("SELECT * FROM delivery ORDER BY created_at DESC, channel, recipient, delivery_id LIMIT ?", [limit]).df()


def report(connection: Connection, report_id: str) -> ReportRow | None:
    """Return the report with this id, its document included."""
    return _first(ReportRow, connection, "SELECT * FROM report WHERE report_id = $key", report_id)


def stored_report(connection: Connection, report_id: str) -> ReportRow | None:
    """Return the report with this id, where it has a document and is planned for at least one recipient."""
    planned = "SELECT 1 FROM delivery d WHERE d.subject_id = r.report_id"
    kept = f"report_id = $key AND document IS NOT NULL AND EXISTS ({planned})"
    return _first(ReportRow, connection, f"SELECT * FROM report r WHERE {kept}", report_id)


def report_of_run(connection: Connection, run_id: str) -> ReportRow | None:
    """Return the report that this run wrote, its document included; of several the last."""
    return _first(ReportRow, connection, "SELECT * FROM report WHERE run_id = $key ORDER BY created_at DESC, report_id LIMIT 1", run_id)


def newest_report(connection: Connection) -> NewestReport | None:
    """Return the report written last, without its document. `has_document` says whether there is one."""
    columns = "SELECT * EXCLUDE (document), document IS NOT NULL AS has_document FROM report"
    return _first(NewestReport, connection, f"{columns} ORDER BY created_at DESC, report_id LIMIT 1")


def keep_report(connection: Connection, row: ReportRow) -> ReportRow:
    """Record a report that was written, and return the row that is kept.

    A report with a document stays as it is once it is planned for a recipient: every recipient gets the same content under one id. Written
    again, it only becomes the newest report.
    """
    stored = stored_report(connection, row["report_id"])
    if stored is not None:
        row = {**stored, "created_at": row["created_at"]}
    insert(connection, "report", [row], replace=True)
    return row


def clear_documents(connection: Connection, before: datetime) -> int:
    """Drop the documents of reports written before then that no pending message needs, except the newest report's. Returns how many."""
    cleared = connection.execute(
        "UPDATE report SET document = NULL WHERE document IS NOT NULL AND created_at < $before "
        "AND created_at < (SELECT max(created_at) FROM report) "
        f"AND report_id NOT IN (SELECT subject_id FROM delivery WHERE {OPEN})",
        {"before": before},
    ).fetchone()
    return int(cleared[0]) if cleared else 0


def _first(kind: type[RowT], connection: Connection, sql: str, key: str | None = None) -> RowT | None:
    rows = rows_as(kind, connection.execute(sql, {} if key is None else {"key": key}).df())
    return rows[0] if rows else None


def matching(connection: Connection, prefix: str) -> pd.DataFrame:
    """Return the rows whose delivery id begins with `prefix`, or whose subject's id is `prefix`."""
    return connection.execute(
        "SELECT * FROM delivery WHERE starts_with(delivery_id, $id) OR subject_id = $id ORDER BY created_at, delivery_id", {"id": prefix}
    ).df()


def write_messages(connection: Connection, rows: Sequence[MessageRow]) -> None:
    """Store messages. A message whose id is known stays as it was first stored."""
    known = {found for (found,) in connection.execute("SELECT subject_id FROM message").fetchall()}
    insert(connection, "message", [_as_json(row) for row in rows if row["subject_id"] not in known])


def messages(connection: Connection, subject_ids: list[str]) -> list[MessageRow]:
    """Return the messages with these ids, lists and facts as they were given."""
    frame = connection.execute(
        "SELECT * FROM message WHERE subject_id IN (SELECT unnest($ids)) ORDER BY created_at, subject_id", {"ids": subject_ids}
    ).df()
    for name in _LISTS:
        parsed = [None if pd.isna(text) else json.loads(text) for text in frame[name]]
        frame[name] = pd.Series(parsed, dtype=object, index=frame.index)
    return rows_as(MessageRow, frame)


def recent_message_ids(connection: Connection, since: object) -> list[str]:
    """Return the ids of the messages created since then, oldest first."""
    rows = connection.execute("SELECT subject_id FROM message WHERE created_at >= ? ORDER BY created_at, subject_id", [since]).fetchall()
    return [subject_id for (subject_id,) in rows]


def newest_messages(connection: Connection) -> list[tuple[str, str]]:
    """Return (kind, id) of the newest message of each kind, the newest of all first. A follow-up is used only where its kind has nothing
    else."""
    order = "PARTITION BY kind ORDER BY thread_id IS NOT NULL, created_at DESC, subject_id"
    newest = f"SELECT kind, subject_id FROM message QUALIFY row_number() OVER ({order}) = 1 ORDER BY created_at DESC, subject_id"
    return [(kind, subject_id) for kind, subject_id in connection.execute(newest).fetchall()]


_LISTS = ("lines", "facts", "channels")


def _as_json(row: MessageRow) -> dict[str, Any]:
    return {
        key: json.dumps(value, ensure_ascii=False, allow_nan=False) if key in _LISTS and value is not None else value
        for key, value in row.items()
    }
