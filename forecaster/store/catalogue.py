"""Reading and writing the catalogue: revisions, identity of events, coverage, fetch log, quarantine."""

from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from forecaster.store.database import Connection

_STORED = (
    "event_key, event_id, ids, origin_time, latitude_deg, longitude_deg, depth_km, magnitude, magnitude_type, event_type, status, net, "
    "place, updated_at, observed_at, known_at, known_at_source, source, content_md5"
)
_CONTENT = (
    "event_id",
    "array_to_string(list_sort(ids), ',')",
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


Box = tuple[float, float, float, float]
"""(south, north, west, east) in degrees, edges included; longitudes may run on through the date line, below -180 or above 180."""


@dataclass(frozen=True)
class WriteCount:
    """What became of the rows of one write."""

    new: int
    unchanged: int
    merged_events: int


def write_revisions(connection: Connection, frame: pd.DataFrame) -> WriteCount:
    """Append the versions of `frame` (a RevisionFrame) that are not stored yet; joins ids that turn out to be one event.

    A second write of the same frame adds nothing. `observed_at` and `known_at` are not content: seeing the same version again is no news.
    """
    if frame.empty:
        return WriteCount(0, 0, 0)
    keys, merges = _resolve_keys(connection, frame)
    incoming = frame.assign(event_key=keys)
    connection.register("incoming", incoming)
    content = ", ".join(f"coalesce(({part})::VARCHAR, '')" for part in _CONTENT)
    connection.execute(
        f"CREATE TEMP TABLE fresh AS SELECT * REPLACE (ids::VARCHAR[] AS ids, magnitude_type::VARCHAR AS magnitude_type, "
        f"event_type::VARCHAR AS event_type, net::VARCHAR AS net, place::VARCHAR AS place), md5(concat_ws('|', {content})) AS content_md5 "
        f"FROM (SELECT * REPLACE (CASE WHEN isnan(depth_km) THEN NULL ELSE depth_km END AS depth_km, "
        f"CASE WHEN isnan(magnitude) THEN NULL ELSE magnitude END AS magnitude) FROM incoming)"
    )
    connection.unregister("incoming")
    before = _count(connection)
    connection.execute(
        f"INSERT INTO event_revision SELECT {_STORED} FROM fresh "
        "WHERE NOT EXISTS (SELECT 1 FROM event_revision r WHERE r.event_id = fresh.event_id AND r.content_md5 = fresh.content_md5) "
        "QUALIFY row_number() OVER (PARTITION BY event_id, content_md5 ORDER BY known_at, observed_at) = 1 ORDER BY origin_time, event_id"
    )
    connection.execute(
        "INSERT OR REPLACE INTO event_id_map SELECT id, min(event_key) FROM (SELECT unnest(ids) AS id, event_key FROM fresh) GROUP BY id"
    )
    if len(merges):
        _store_merges(connection, merges)
    connection.execute("DROP TABLE fresh")
    new = _count(connection) - before
    return WriteCount(new, len(frame) - new, len(merges))


def _count(connection: Connection) -> int:
    row = connection.execute("SELECT count(*) FROM event_revision").fetchone()
    return row[0] if row else 0


def _resolve_keys(connection: Connection, frame: pd.DataFrame) -> tuple[list[str], pd.DataFrame]:
    """The event key of every row, by the union of ids with what is stored; and the merges: (from_key, to_key, known_at)."""
    wanted = pd.DataFrame({"id": frame["ids"].explode().unique()})
    connection.register("wanted", wanted)
    stored = dict(connection.execute("SELECT m.id, m.event_key FROM event_id_map m JOIN wanted w ON w.id = m.id").fetchall())
    connection.unregister("wanted")
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        while parent.get(key, key) != key:
            key = parent[key]
        return key

    merges: dict[str, datetime] = {}
    local: dict[str, str] = {}
    for ids, known_at in zip(frame["ids"], frame["known_at"], strict=True):
        found = list(dict.fromkeys(root(stored.get(i) or local[i]) for i in ids if i in stored or i in local))
        key = found[0] if found else ids[0]
        for i in ids:
            local.setdefault(i, key)
        for other in found[1:]:
            parent[other] = key
            merges.setdefault(other, known_at)
    keys = [root(stored.get(ids[0]) or local[ids[0]]) for ids in frame["ids"]]
    met_before = set(stored.values())
    rows = [(old, root(old), known_at) for old, known_at in merges.items() if old in met_before]
    return keys, pd.DataFrame(rows, columns=["from_key", "to_key", "known_at"])


def _store_merges(connection: Connection, merges: pd.DataFrame) -> None:
    """Note each merge once for the old key and for every key that pointed to it, so that one hop always suffices."""
    connection.register("merge", merges)
    connection.execute(
        "INSERT INTO event_merge SELECT from_key, to_key, known_at FROM merge UNION ALL "
        "SELECT DISTINCT e.from_key, m.to_key, greatest(e.known_at, m.known_at) FROM event_merge e JOIN merge m ON m.from_key = e.to_key"
    )
    connection.execute("UPDATE event_id_map SET event_key = merge.to_key FROM merge WHERE event_id_map.event_key = merge.from_key")
    connection.unregister("merge")


def known_ids(connection: Connection) -> set[str]:
    """Every id ever stored."""
    return {row[0] for row in connection.execute("SELECT id FROM event_id_map").fetchall()}


def read_events(connection: Connection, as_of: datetime, box: Box | None = None) -> pd.DataFrame:
    """Earthquakes as known at `as_of`: event_id, origin_time, known_at (when first known), position, depth_km, magnitude, place.

    box: only those in it, which takes much less time.
    """
    inside, place = _inside(box)
    return connection.execute(
        f"{inside} SELECT event_id, origin_time, first_known_at AS known_at, latitude_deg, longitude_deg, depth_km, magnitude, place "
        f"FROM event_as_of($as_of) WHERE event_type = 'earthquake' AND magnitude IS NOT NULL AND {_IN_BOX if box else 'true'} "
        "ORDER BY origin_time, event_id",
        {"as_of": as_of, **place},
    ).df()


def read_versions(connection: Connection, as_of: datetime, box: Box | None = None) -> pd.DataFrame:
    """Every version of an earthquake that was believed at some moment up to `as_of`, with the span in which it was.

    Columns: event_id, origin_time, known_at (believed from then), known_until (NaT: still believed at `as_of`), position, depth_km,
    magnitude. At any t <= as_of the rows with known_at <= t < known_until are those of `read_events` at t.
    box: only the versions in it, which takes much less time; one that a version elsewhere followed still ends with that.
    """
    inside, place = _inside(box)
    return connection.execute(
        f"{inside} SELECT event_id, origin_time, believed_from AS known_at, believed_until AS known_until, latitude_deg, longitude_deg, "
        f"depth_km, magnitude FROM event_versions($as_of) WHERE event_type = 'earthquake' AND magnitude IS NOT NULL "
        f"AND {_IN_BOX if box else 'true'} ORDER BY origin_time, latitude_deg, longitude_deg, believed_from",
        {"as_of": as_of, **place},
    ).df()


_IN_BOX = (
    "latitude_deg BETWEEN $south AND $north AND (longitude_deg BETWEEN $west AND $east "
    "OR longitude_deg + 360 BETWEEN $west AND $east OR longitude_deg - 360 BETWEEN $west AND $east)"
)
_ONLY_EVENTS_OF_THE_BOX = f"""
    WITH near AS (
        SELECT event_key FROM main.event_revision WHERE {_IN_BOX}
    ), led AS (
        SELECT event_key FROM near UNION SELECT to_key FROM event_merge WHERE from_key IN (SELECT event_key FROM near)
    ), related AS (
        SELECT event_key FROM led UNION SELECT from_key FROM event_merge WHERE to_key IN (SELECT event_key FROM led)
    ), event_revision AS (
        SELECT rowid, {_STORED} FROM main.event_revision WHERE event_key IN (SELECT event_key FROM related)
    )"""
"""All versions of the events of which any version lies in the box, under the table's own name: the schema's macros see these instead of
the whole table. Should a later DuckDB look past it, the answers stay the same, and take longer."""


def _inside(box: Box | None) -> tuple[str, dict[str, float]]:
    """(what to write before a query of the macros, its parameters)."""
    return ("", {}) if box is None else (_ONLY_EVENTS_OF_THE_BOX, dict(zip(("south", "north", "west", "east"), box, strict=True)))


def stored_ids_between(connection: Connection, start: datetime, end: datetime, min_magnitude: float) -> pd.DataFrame:
    """event_id, ids (all, known now), latitude_deg, longitude_deg of the events in [start, end) at or above a magnitude, largest first."""
    return connection.execute(
        "SELECT e.event_id, list(m.id) AS ids, any_value(e.latitude_deg) AS latitude_deg, any_value(e.longitude_deg) AS longitude_deg "
        "FROM event e JOIN event_id_map m USING (event_key) WHERE e.origin_time >= $start AND e.origin_time < $end AND e.magnitude >= $m "
        "GROUP BY e.event_id ORDER BY max(e.magnitude) DESC, e.event_id",
        {"start": start, "end": end, "m": min_magnitude},
    ).df()


def last_updated_at(connection: Connection) -> datetime | None:
    """The largest `updated` of the service that is stored."""
    row = connection.execute("SELECT max(updated_at) FROM event_revision WHERE source = 'usgs'").fetchone()
    return row[0] if row else None


def write_coverage(connection: Connection, rows: pd.DataFrame) -> None:
    """Note reads that proved spans (columns of the table `coverage_read`), and join them to what had been read (table `coverage`)."""
    if rows.empty:
        return
    _append(connection, "coverage_read", rows)
    connection.register("added", rows)
    connection.execute(
        "CREATE TEMP TABLE joined AS WITH known AS (FROM coverage UNION ALL BY NAME SELECT *, read_at AS first_read_at FROM added) "
        "SELECT * FROM coverage_joined('known') ORDER BY stream, span_start, read_at"
    )
    connection.execute("DELETE FROM coverage; INSERT INTO coverage BY NAME SELECT * FROM joined; DROP TABLE joined")
    connection.unregister("added")


def read_coverage(connection: Connection) -> pd.DataFrame:
    """The spans that have been read, joined: a row for each contiguous span of a stream and source, by stream and span."""
    return connection.execute("SELECT * FROM coverage ORDER BY stream, span_start, read_at").df()


def reading(connection: Connection) -> tuple[int, int, int]:
    """How many versions, merges and reads there are. All three only grow: the same numbers mean the same catalogue."""
    counted = connection.execute(
        "SELECT (SELECT count(*) FROM event_revision), (SELECT count(*) FROM event_merge), (SELECT count(*) FROM coverage_read)"
    ).fetchall()
    return counted[0]


def write_fetch_log(connection: Connection, entries: list[dict], run_id: str | None) -> None:
    """Append the requests of a client to `fetch_log`."""
    if entries:
        columns = ["run_id", "requested_at", "url", "status", "rows", "bytes", "elapsed_s", "note", "service_date"]
        rows = pd.DataFrame([{**entry, "run_id": run_id} for entry in entries], columns=columns)
        _append(connection, "fetch_log", rows.assign(service_date=pd.to_datetime(rows["service_date"], utc=True)))


def not_quarantined_before(connection: Connection, rows: pd.DataFrame, moment: datetime) -> int:
    """How many of these quarantined rows were not already there, with the same reason, at `moment`."""
    if rows.empty:
        return 0
    connection.register("bad", rows)
    found = connection.execute(
        "SELECT count(*) FROM bad WHERE NOT EXISTS "
        "(SELECT 1 FROM quarantine q WHERE q.raw = bad.raw AND q.reason = bad.reason AND q.observed_at <= $moment)",
        {"moment": moment},
    ).fetchall()[0][0]
    connection.unregister("bad")
    return found


def write_quarantine(connection: Connection, rows: pd.DataFrame, run_id: str | None) -> None:
    """Append rows that could not be believed; the same row with the same reason is kept once."""
    if rows.empty:
        return
    connection.register("bad", rows.assign(run_id=run_id))
    connection.execute(
        "INSERT INTO quarantine SELECT run_id, source, observed_at, reason, raw FROM bad "
        "WHERE NOT EXISTS (SELECT 1 FROM quarantine q WHERE q.raw = bad.raw AND q.reason = bad.reason)"
    )
    connection.unregister("bad")


def _append(connection: Connection, table: str, frame: pd.DataFrame) -> None:
    connection.register("appended", frame)
    connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM appended")
    connection.unregister("appended")
