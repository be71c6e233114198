"""Up to which moment a store knows anything, so that a run with another clock cannot write behind it."""

from datetime import UTC, datetime

from forecaster.store.database import Connection

_LAST = {
    "a reading of the catalogue": "SELECT max(read_at) FROM coverage",
    "a version of an event that became known": "SELECT max(known_at) FROM event_revision",
    "events that turned out to be one": "SELECT max(known_at) FROM event_merge",
    "a forecast": "SELECT max(created_at) FROM forecast",
    "an outcome": "SELECT max(as_of) FROM outcome",
    "a model": "SELECT max(created_at) FROM model",
    "learnt weights": "SELECT max(since) FROM combination",
    "a decision of a person": "SELECT max(since) FROM publication",
    "a report": "SELECT max(created_at) FROM report",
    "a message": "SELECT max(created_at) FROM message",
    "a run": "SELECT max(started_at) FROM run",
}


def known_after(connection: Connection, moment: datetime) -> tuple[str, datetime] | None:
    """(what, when) of the latest thing in the store that was read, known or said later than `moment`; None where nothing was."""
    each = " UNION ALL ".join(f"SELECT '{what}' AS what, ({last}) AS known" for what, last in _LAST.items())
    row = connection.execute(
        f"SELECT what, known FROM ({each}) WHERE known > $moment ORDER BY known DESC, what LIMIT 1", {"moment": moment}
    ).fetchone()
    return None if row is None else (row[0], row[1].astimezone(UTC))


def was_replayed_in(connection: Connection) -> bool:
    """Whether a run with a simulated clock has worked on this store, or has read versions of events into it."""
    asked = "SELECT EXISTS (FROM run WHERE replay) OR EXISTS (FROM event_revision WHERE source = 'usgs' AND known_at_source = 'modelled')"
    return bool(connection.execute(asked).fetchall()[0][0])
