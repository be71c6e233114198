"""Reading and writing the catalogue: revisions, identity of events, coverage, fetch log, quarantine."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from forecaster.store.database import Connection
from forecaster.store.engine import append, frame_as, on_one_thread
from forecaster.store.versions.identity import identify, store_identities
from forecaster.store.versions.near_events import IN_BOX, STORED, Box, inside
from forecaster.store.versions.same_event import REFUSED

_CONTENT = (
    "event_id",
    "CASE WHEN len(ids) = 1 THEN ids[1] ELSE array_to_string(list_sort(ids), ',') END",
    "epoch_us(origin_time)",
    "latitude_deg",
    "longitude_deg",
    "depth_km",
    "magnitude",
    "magnitude_type",
    "event_type",
    "status",
    "net",
    "place",
    "epoch_us(updated_at)",
)


@dataclass(frozen=True)
class WriteCount:
    """The result of one write, in rows. `refused`: ids that failed validation as one event's, as rows for `write_quarantine`."""

    new: int
    unchanged: int
    merged_events: int
    parted_events: int
    refused: pd.DataFrame


def write_revisions(connection: Connection, frame: pd.DataFrame, overruling: bool = False) -> WriteCount:
    """Append the versions of `frame` (a RevisionFrame) that add something new, and record which events they join or split.

    A second write of the same frame adds nothing. `observed_at` and `known_at` are not content: seeing the same version again is nothing
    new, unless another version with no later stamp was valid meanwhile.

    overruling: these versions are valid from now on, although others have a later stamp.
    """
    if frame.empty:
        return WriteCount(0, 0, 0, 0, _refused(frame, set()))
    content = ", ".join(f"coalesce(({part})::VARCHAR, '')" for part in _CONTENT)
    fresh = (
        f"CREATE TEMP TABLE fresh AS SELECT * REPLACE (ids::VARCHAR[] AS ids, magnitude_type::VARCHAR AS magnitude_type, "
        f"event_type::VARCHAR AS event_type, net::VARCHAR AS net, place::VARCHAR AS place), event_id AS event_key, "
        f"md5(concat_ws('|', {content})) AS content_md5, "
        f"CASE WHEN updated_at <= observed_at + INTERVAL 1 DAY THEN updated_at ELSE observed_at END AS ordered_at "
        f"FROM (SELECT * REPLACE (CASE WHEN isnan(depth_km) THEN NULL ELSE depth_km END AS depth_km, "
        f"CASE WHEN isnan(magnitude) THEN NULL ELSE magnitude END AS magnitude) FROM incoming)"
    )
    with on_one_thread(connection):
        with frame_as(connection, "incoming", frame.assign(line=np.arange(len(frame)))):
            connection.execute(fresh)
        known = identify(connection, overruling)
        connection.execute(f"INSERT INTO event_revision ({STORED}) SELECT {STORED} FROM fresh ORDER BY origin_time, event_id, known_at")
        store_identities(connection, known)
        new = connection.execute("SELECT count(*) FROM fresh").fetchall()[0][0]
        connection.execute("DROP TABLE fresh")
    return WriteCount(new, len(frame) - new, known.merged, known.parted, _refused(frame, known.refused))


def _refused(frame: pd.DataFrame, claims: set[tuple[str, str]]) -> pd.DataFrame:
    """Return the rows that named events too far apart to be the same."""
    away: dict[str, list[str]] = {}
    for name, other in sorted(claims):
        away.setdefault(name, []).append(other)
    rows = [
        (row["source"], row["observed_at"], REFUSED, json.dumps({"id": row["event_id"], "refused": away[row["event_id"]]})[:2000])
        for row in frame[frame["event_id"].isin(away)].to_dict("records")
    ]
    return pd.DataFrame(rows, columns=["source", "observed_at", "reason", "raw"])


def known_ids(connection: Connection, ids: Iterable[str]) -> set[str]:
    """Return those of these ids that were ever stored."""
    with frame_as(connection, "asked", pd.DataFrame({"id": pd.Series(list(ids), dtype="str")})):
        return {row[0] for row in connection.execute("SELECT id FROM event_id_map WHERE id IN (SELECT id FROM asked)").fetchall()}


def read_events(connection: Connection, as_of: datetime, box: Box | None = None) -> pd.DataFrame:
    """Return the earthquakes as known at `as_of`: event_id, origin_time, known_at (when first known), position, depth_km, magnitude, place.

    box: only the events in it, which takes much less time.
    """
    head, place = inside(box)
    return connection.execute(
        f"{head} SELECT event_id, origin_time, first_known_at AS known_at, latitude_deg, longitude_deg, depth_km, magnitude, place "
        f"FROM event_as_of($as_of) WHERE event_type = 'earthquake' AND magnitude IS NOT NULL AND {IN_BOX if box else 'true'} "
        "ORDER BY origin_time, event_id",
        {"as_of": as_of, **place},
    ).df()


def read_versions(connection: Connection, as_of: datetime, box: Box | None = None) -> pd.DataFrame:
    """Return every version of an earthquake that was valid at some moment up to `as_of`, with the span in which it was.

    Columns: event_id, origin_time, known_at (valid from then), known_until (NaT: still valid at `as_of`), position, depth_km, magnitude. At
    any t <= as_of the rows with known_at <= t < known_until are those of `read_events` at t. box: only the versions in it, which takes much
    less time. The span of a version that was followed by one outside the box still ends there.
    """
    head, place = inside(box)
    return connection.execute(
        f"{head} SELECT event_id, origin_time, believed_from AS known_at, believed_until AS known_until, latitude_deg, longitude_deg, "
        f"depth_km, magnitude FROM event_versions($as_of) WHERE event_type = 'earthquake' AND magnitude IS NOT NULL "
        f"AND {IN_BOX if box else 'true'} ORDER BY origin_time, latitude_deg, longitude_deg, event_id, believed_from",
        {"as_of": as_of, **place},
    ).df()


_JOINED_KEYS = "SELECT from_key AS key FROM event_merge UNION SELECT to_key FROM event_merge"
_JOINED = "(event_id IN (SELECT key FROM joined) OR event_key IN (SELECT key FROM joined))"
_CHANGED = f"(event_key IN (SELECT event_key FROM revised) OR {_JOINED})"
_ONLY_CHANGED_EVENTS = f"""
    WITH joined AS ({_JOINED_KEYS}),
    revised AS (SELECT event_key FROM main.event_revision GROUP BY event_key HAVING count(*) > 1),
    event_revision AS (SELECT rowid, {STORED} FROM main.event_revision WHERE {_CHANGED}),
    first AS (SELECT event_key, min(known_at) AS first_known_at FROM event_revision GROUP BY event_key)"""
_HISTORY = f"""{_ONLY_CHANGED_EVENTS}
    SELECT * EXCLUDE (event_type) FROM (
        SELECT event_id, event_type, origin_time, believed_from AS known_at, believed_until AS known_until, latitude_deg, longitude_deg,
               depth_km, magnitude, place, coalesce(first_known_at, believed_from) AS first_known_at, {_JOINED} AS joined
        FROM event_versions(TIMESTAMPTZ '9999-12-31 00:00:00+00') LEFT JOIN first USING (event_key)
        WHERE event_id IN (SELECT event_id FROM event_revision)
        UNION ALL
        SELECT event_id, event_type, origin_time, known_at, NULL, latitude_deg, longitude_deg, depth_km, magnitude, place, known_at, false
        FROM main.event_revision WHERE NOT {_CHANGED} AND status <> 'deleted')
    WHERE event_type = 'earthquake' AND magnitude IS NOT NULL
    ORDER BY origin_time, latitude_deg, longitude_deg, event_id, known_at"""


def read_history(connection: Connection) -> pd.DataFrame:
    """Return `read_versions` of all that is stored, with more columns. place. first_known_at: when the event first became known. joined:
    whether the event was ever joined with another or split, so that first_known_at follows from `read_joins`.

    Most events have one version, which was believed from the moment it was known. The macro is left only the others (as in
    `near_events`), which takes half of the time.
    """
    return connection.execute(_HISTORY).df()


@dataclass(frozen=True)
class Joins:
    """The data needed about events that were joined or split. moves: (from_key, to_key, known_at), in their order. versions: (event_id,
    event_key, known_at) of each of their versions."""

    moves: list[tuple[str, str, datetime]]
    versions: list[tuple[str, str, datetime]]

    def first_known(self, as_of: datetime) -> dict[str, datetime]:
        """Return by event_id when the event to which its versions belong at `as_of` first became known."""
        to_key = {from_key: key for from_key, key, known_at in self.moves if known_at <= as_of}
        first: dict[str, datetime] = {}
        for event_id, event_key, known_at in self.versions:
            key = to_key.get(event_id, event_key)
            if known_at <= as_of:
                first[key] = min(known_at, first.get(key, known_at))
        return {event_id: first[key] for event_id, own, _ in self.versions if (key := to_key.get(event_id, own)) in first}


def read_joins(connection: Connection) -> Joins:
    """Return the `Joins` of all events that were ever joined with others or split."""
    moves = connection.execute("SELECT from_key, to_key, known_at FROM event_merge ORDER BY known_at, rowid").fetchall()
    versions = connection.execute(
        f"WITH joined AS ({_JOINED_KEYS}) SELECT event_id, event_key, known_at FROM event_revision "
        "WHERE event_id IN (SELECT key FROM joined) OR event_key IN (SELECT key FROM joined)"
    ).fetchall()
    return Joins(moves, versions)


def services(connection: Connection, of_snapshot: str) -> list[str]:
    """Return the services that versions were read from; the bundled snapshot counts as its own, `of_snapshot`."""
    rows = connection.execute(
        "SELECT DISTINCT CASE source WHEN 'snapshot' THEN ? ELSE source END AS service FROM event_revision ORDER BY 1", [of_snapshot]
    ).fetchall()
    return [name for (name,) in rows]


def last_updated_at(connection: Connection) -> datetime | None:
    """Return the largest stored `updated` of the service."""
    row = connection.execute("SELECT max(updated_at) FROM event_revision WHERE source <> 'snapshot'").fetchone()
    return row[0] if row else None


_SPAN = (
    "stream, min_latitude_deg, max_latitude_deg, min_longitude_deg, max_longitude_deg, min_magnitude, span_start, span_end, read_at, source"
)


def write_coverage(connection: Connection, rows: pd.DataFrame) -> None:
    """Record reads that proved spans complete (columns of the table `coverage_read`), and merge them into the table `coverage`."""
    if rows.empty:
        return
    append(connection, "coverage_read", rows)
    with frame_as(connection, "added", rows):
        connection.execute(
            f"CREATE TEMP TABLE known AS SELECT {_SPAN}, first_read_at FROM coverage UNION ALL SELECT {_SPAN}, read_at FROM added; "
            "CREATE TEMP TABLE joined AS SELECT * FROM coverage_joined('known') ORDER BY stream, span_start, read_at"
        )
    connection.execute(
        f"DELETE FROM coverage; INSERT INTO coverage ({_SPAN}, first_read_at) SELECT {_SPAN}, first_read_at FROM joined; "
        "DROP TABLE joined; DROP TABLE known"
    )


def read_coverage(connection: Connection) -> pd.DataFrame:
    """Return the spans that have been read, merged: a row for each contiguous span of a stream and source, by stream and span."""
    return connection.execute("SELECT * FROM coverage ORDER BY stream, span_start, read_at").df()


def reading(connection: Connection) -> tuple[int, int, int]:
    """Return the numbers of versions, merges and reads. All three only grow: the same numbers mean the same catalogue."""
    counted: tuple[int, int, int] = connection.execute(
        "SELECT (SELECT count(*) FROM event_revision), (SELECT count(*) FROM event_merge), (SELECT count(*) FROM coverage_read)"
    ).fetchall()[0]
    return counted


def write_fetch_log(connection: Connection, entries: list[dict[str, Any]], run_id: str | None) -> None:
    """Append the requests of a client to `fetch_log`."""
    if entries:
        columns = ["run_id", "requested_at", "url", "status", "rows", "bytes", "elapsed_s", "note", "service_date"]
        rows = pd.DataFrame([{**entry, "run_id": run_id} for entry in entries], columns=columns)
        append(connection, "fetch_log", rows.assign(service_date=pd.to_datetime(rows["service_date"], utc=True)))


def not_quarantined_before(connection: Connection, rows: pd.DataFrame, moment: datetime) -> int:
    """Return how many of these quarantined rows were not already stored, with the same reason, at `moment`."""
    if rows.empty:
        return 0
    with frame_as(connection, "bad", rows):
        found: int = connection.execute(
            "SELECT count(*) FROM bad WHERE NOT EXISTS "
            "(SELECT 1 FROM quarantine q WHERE q.raw = bad.raw AND q.reason = bad.reason AND q.observed_at <= $moment)",
            {"moment": moment},
        ).fetchall()[0][0]
    return found


def write_quarantine(connection: Connection, rows: pd.DataFrame, run_id: str | None) -> None:
    """Append rows that failed validation. The same row with the same reason is kept once."""
    if rows.empty:
        return
    with frame_as(connection, "bad", rows.assign(run_id=run_id)):
        connection.execute(
            "INSERT INTO quarantine SELECT run_id, source, observed_at, reason, raw FROM bad "
            "WHERE NOT EXISTS (SELECT 1 FROM quarantine q WHERE q.raw = bad.raw AND q.reason = bad.reason)"
        )
