"""Checks of an answer of the service against the store: the events as they are known now, and earlier requests about them."""

from datetime import datetime

import pandas as pd

from forecaster.store.database import Connection
from forecaster.store.engine import frame_as

_BELIEVED = """, name AS (
        SELECT event_key, id FROM event_id_map
        WHERE event_key IN (SELECT event_key FROM event_id_map WHERE id IN (SELECT id FROM wanted))
    ), believed AS (
        SELECT n.event_key, r.* EXCLUDE (event_key) FROM event_revision r JOIN name n ON n.id = r.event_id
        QUALIFY row_number() OVER (
            PARTITION BY n.event_key ORDER BY r.ordered_at DESC, r.known_at DESC, r.observed_at DESC, r.event_id, r.content_md5) = 1
    )"""
"""After a table expression `wanted` with ids: the version that counts of every event that has one of them, deletions included."""


def changed_since(connection: Connection, moment: datetime) -> pd.DataFrame:
    """Return the events whose present version came from a request of ours, is not a deletion, and has a stamp of the service of `moment` or
    later.

    Columns: event_id, ids (all), updated_at, origin_time, latitude_deg, longitude_deg, magnitude.
    """
    return connection.execute(
        "WITH wanted AS (SELECT DISTINCT event_id AS id FROM event_revision WHERE updated_at >= $moment AND source <> 'snapshot') "
        f"{_BELIEVED} "
        "SELECT b.event_id, list(n.id ORDER BY n.id) AS ids, b.updated_at, b.origin_time, b.latitude_deg, b.longitude_deg, b.magnitude "
        "FROM believed b JOIN name n USING (event_key) WHERE b.updated_at >= $moment AND b.status <> 'deleted' AND b.source <> 'snapshot' "
        "AND b.observed_at >= (SELECT min(requested_at) FROM fetch_log) GROUP BY ALL ORDER BY b.magnitude DESC, b.event_id",
        {"moment": moment},
    ).df()


def stored_between(connection: Connection, start: datetime, end: datetime, min_magnitude: float) -> pd.DataFrame:
    """Return the events with origin in [start, end) at or above a magnitude, largest first.

    Columns: event_id, ids (all), origin_time, latitude_deg, longitude_deg, magnitude.
    """
    return connection.execute(
        "WITH wanted AS (SELECT DISTINCT event_id AS id FROM event_revision WHERE origin_time >= $start AND origin_time < $end "
        f"AND magnitude >= $least) {_BELIEVED} "
        "SELECT b.event_id, list(n.id ORDER BY n.id) AS ids, b.origin_time, b.latitude_deg, b.longitude_deg, b.magnitude "
        "FROM believed b JOIN name n USING (event_key) WHERE b.origin_time >= $start AND b.origin_time < $end AND b.magnitude >= $least "
        "AND b.status <> 'deleted' GROUP BY ALL ORDER BY b.magnitude DESC, b.event_id",
        {"start": start, "end": end, "least": min_magnitude},
    ).df()


def overtaken(connection: Connection, rows: pd.DataFrame, read_before: datetime) -> dict[str, str]:
    """Return the rows that a version with a later stamp, known before a moment, contradicts: preferred id -> status of the version used
    instead."""
    with frame_as(connection, "shown", rows[["event_id", "updated_at"]]):
        found = connection.execute(
            f"WITH wanted AS (SELECT event_id AS id FROM shown) {_BELIEVED} "
            "SELECT s.event_id, b.status FROM shown s JOIN event_id_map m ON m.id = s.event_id JOIN believed b USING (event_key) "
            "WHERE b.ordered_at > s.updated_at AND b.known_at <= $read_before AND b.source <> 'snapshot' "
            "AND NOT (b.event_id = s.event_id AND b.updated_at IS NOT DISTINCT FROM s.updated_at) ORDER BY 1",
            {"read_before": read_before},
        ).fetchall()
    return dict(found)


def asked_alone_before(connection: Connection) -> set[str]:
    """Return the ids of events that were requested one by one, as far back as the log of requests goes."""
    rows = connection.execute("SELECT DISTINCT regexp_extract(url, '[?&]eventid=([^&]*)', 1) FROM fetch_log WHERE url LIKE '%eventid=%'")
    return {row[0] for row in rows.fetchall()}


def quarantined_as(connection: Connection, reason: str) -> set[str]:
    """Return the rows that are in quarantine for this reason."""
    return {row[0] for row in connection.execute("SELECT raw FROM quarantine WHERE reason = $reason", {"reason": reason}).fetchall()}
