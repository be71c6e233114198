"""The outbox and its messages in the store."""

import json

import pandas as pd

from forecaster.store.database import Connection
from forecaster.store.ledger import insert

OPEN = "state IN ('pending', 'sending', 'failed')"


def write(connection: Connection, rows: list[dict]) -> None:
    """Put rows of the outbox in the place of those with the same id."""
    insert(connection, "delivery", rows, replace=True)


def of_subjects(connection: Connection, subject_ids: list[str]) -> pd.DataFrame:
    """The rows of these reports and messages, oldest first."""
    return connection.execute(
        "SELECT * FROM delivery WHERE subject_id IN (SELECT unnest($ids)) ORDER BY created_at, channel, recipient, delivery_id",
        {"ids": subject_ids},
    ).df()


def by_id(connection: Connection, delivery_id: str) -> pd.DataFrame:
    """The row with this id, or none."""
    return connection.execute("SELECT * FROM delivery WHERE delivery_id = $id", {"id": delivery_id}).df()


def open_rows(connection: Connection) -> pd.DataFrame:
    """Everything that is neither sent nor given up, due or not: messages first, then reports, each oldest first."""
    return connection.execute(
        f"SELECT * FROM delivery WHERE {OPEN} ORDER BY subject_kind = 'report', created_at, channel, recipient, delivery_id"
    ).df()


def latest_rows(connection: Connection, limit: int) -> pd.DataFrame:
    """The newest rows, newest first."""
    return connection.execute("SELECT * FROM delivery ORDER BY created_at DESC, channel, recipient, delivery_id LIMIT ?", [limit]).df()


def report(connection: Connection, report_id: str) -> dict | None:
    """The report with this id."""
    rows = connection.execute("SELECT * FROM report WHERE report_id = $id", {"id": report_id}).df().to_dict("records")
    return rows[0] if rows else None


def newest_report(connection: Connection) -> dict | None:
    """The report written last."""
    rows = connection.execute("SELECT * FROM report ORDER BY created_at DESC, report_id LIMIT 1").df().to_dict("records")
    return rows[0] if rows else None


def matching(connection: Connection, prefix: str) -> pd.DataFrame:
    """The rows whose delivery id begins with `prefix`, or whose subject's id is `prefix`."""
    return connection.execute(
        "SELECT * FROM delivery WHERE starts_with(delivery_id, $id) OR subject_id = $id ORDER BY created_at, delivery_id", {"id": prefix}
    ).df()


def write_messages(connection: Connection, rows: list[dict]) -> None:
    """Keep messages; one whose id is known stays as it was first stored."""
    known = {found for (found,) in connection.execute("SELECT subject_id FROM message").fetchall()}
    insert(connection, "message", [_as_json(row) for row in rows if row["subject_id"] not in known])


def messages(connection: Connection, subject_ids: list[str]) -> list[dict]:
    """The messages with these ids, lists and facts as they were given."""
    frame = connection.execute(
        "SELECT * FROM message WHERE subject_id IN (SELECT unnest($ids)) ORDER BY created_at, subject_id", {"ids": subject_ids}
    ).df()
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{str(key): json.loads(value) if key in _LISTS and value is not None else value for key, value in row.items()} for row in rows]


def recent_message_ids(connection: Connection, since: object) -> list[str]:
    """Ids of the messages decided on since then, oldest first."""
    rows = connection.execute("SELECT subject_id FROM message WHERE created_at >= ? ORDER BY created_at, subject_id", [since]).fetchall()
    return [subject_id for (subject_id,) in rows]


_LISTS = ("lines", "facts", "channels")


def _as_json(row: dict) -> dict:
    return {
        key: json.dumps(value, ensure_ascii=False, allow_nan=False) if key in _LISTS and value is not None else value
        for key, value in row.items()
    }
