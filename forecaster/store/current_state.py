"""What stands in a store now: the latest moment of its data, its runs and counts, and the service's clock beside the machine's."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from forecaster.store.database import Connection, ask_rows

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
_COUNTED = "recipe_id NOT IN (SELECT unnest($left_out::VARCHAR[]))"


def known_after(connection: Connection, moment: datetime) -> tuple[str, datetime] | None:
    """Return (what, when) of the latest item in the store that was read, known or forecast later than `moment`; None where there is
    none."""
    each = " UNION ALL ".join(f"SELECT '{what}' AS what, ({last}) AS known" for what, last in _LAST.items())
    row = connection.execute(
        f"SELECT what, known FROM ({each}) WHERE known > $moment ORDER BY known DESC, what LIMIT 1", {"moment": moment}
    ).fetchone()
    return None if row is None else (row[0], row[1].astimezone(UTC))


def was_replayed_in(connection: Connection) -> bool:
    """Return whether a run with a simulated clock has worked on this store, or has read versions of events into it."""
    asked = (
        "SELECT EXISTS (SELECT 1 FROM run WHERE replay) OR EXISTS "
        "(SELECT 1 FROM event_revision WHERE source <> 'snapshot' AND known_at_source = 'modelled')"
    )
    return bool(connection.execute(asked).fetchall()[0][0])


def read_until(connection: Connection) -> datetime | None:
    """Return the end of the latest span that has been read; None where nothing has been."""
    found: datetime | None = connection.execute("SELECT max(span_end) FROM coverage").fetchall()[0][0]
    return None if found is None else found.astimezone(UTC)


def world_read_until(connection: Connection) -> datetime | None:
    """Return the time until which the world's catalogue has been read."""
    found: datetime | None = ask_rows(connection, "SELECT max(span_end) AS until FROM coverage WHERE stream = 'world'")[0]["until"]
    return None if found is None else found.astimezone(UTC)


def newest_runs(connection: Connection) -> list[dict[str, Any]]:
    """Return the newest run of each kind: run_id, kind, state, started_at, finished_at; the newest of all first."""
    return ask_rows(
        connection,
        "SELECT run_id, kind, state, started_at, finished_at FROM run "
        "QUALIFY row_number() OVER (PARTITION BY kind ORDER BY started_at DESC, run_id) = 1 ORDER BY started_at DESC, run_id",
    )


def forecast_counts(connection: Connection, left_out: Sequence[str] = ()) -> dict[str, Any]:
    """Return the number of published `forecasts` and of `recipes` that have one, and when the last was issued: `last_issue`.

    left_out: ids of recipes that are not counted.
    """
    return ask_rows(
        connection,
        "SELECT count(*) AS forecasts, max(issue_time) AS last_issue, count(DISTINCT recipe_id) AS recipes FROM forecast "
        f"WHERE published AND {_COUNTED}",
        {"left_out": list(left_out)},
    )[0]


def published_by(connection: Connection, left_out: Sequence[str] = ()) -> dict[str, int]:
    """Return by how it is published, or by kind of model, for how many recipes the newest published forecast is of that sort.

    left_out: ids of recipes that are not counted.
    """
    rows = ask_rows(
        connection,
        "SELECT coalesce(details->>'how', model_kind) AS how, count(*) AS recipes FROM ("
        f"SELECT * FROM forecast WHERE published AND {_COUNTED} "
        "QUALIFY row_number() OVER (PARTITION BY recipe_id ORDER BY issue_time DESC, created_at DESC) = 1) GROUP BY 1 ORDER BY 1",
        {"left_out": list(left_out)},
    )
    return {row["how"]: row["recipes"] for row in rows}


def messages_waiting(connection: Connection) -> dict[str, int]:
    """Return by state how many messages are not sent."""
    rows = ask_rows(
        connection,
        "SELECT state, count(*) AS messages FROM delivery WHERE state IN ('pending', 'failed', 'dead') GROUP BY state ORDER BY state",
    )
    return {row["state"]: row["messages"] for row in rows}


@dataclass(frozen=True)
class Answer:
    """When the service was asked (by the machine's clock), how long it took, and the time by the service's clock."""

    requested_at: datetime
    elapsed_s: float
    service_date: datetime


def last_answers(connection: Connection, since: datetime) -> list[Answer]:
    """Return the answers that carried a time, from the last run or command that got any, where it asked since then by the machine's clock.

    The last run is the one whose answers were stored last, whatever the machine's clock said: that clock is what is being checked.
    """
    answered = "status BETWEEN 200 AND 299 AND service_date IS NOT NULL"
    rows = connection.execute(
        f"SELECT requested_at, coalesce(elapsed_s, 0), service_date FROM fetch_log WHERE {answered} AND requested_at >= $since "
        f"AND run_id IS NOT DISTINCT FROM (SELECT last(run_id ORDER BY rowid) FROM fetch_log WHERE {answered})",
        {"since": since},
    ).fetchall()
    return [Answer(asked.astimezone(UTC), elapsed, service_date.astimezone(UTC)) for asked, elapsed, service_date in rows]
