"""The plain versions of an answer: those that can neither join nor split events. SQL alone decides about them, and they are nearly all.

A version is plain where no other version of the answer has an id of its event, and all its ids that are stored belong to one event, which
was never seen under another preferred id. It is of a new event, or the newest of its event and no deletion, or repeats the newest.
"""

from collections.abc import Iterable

import pandas as pd

from forecaster.store.database import Connection
from forecaster.store.engine import frame_as

_LISTED = """
    CREATE TEMP TABLE listed AS SELECT l.line, l.id, m.event_key FROM (
        SELECT line, unnest(CASE WHEN ids = [event_id] THEN ids ELSE list_distinct(list_append(ids, event_id)) END) AS id FROM fresh
    ) l LEFT JOIN event_id_map m ON m.id = l.id"""
_ALONE = """
    CREATE TEMP TABLE alone AS
    WITH shared AS (SELECT coalesce(event_key, id) AS event FROM listed GROUP BY 1 HAVING min(line) <> max(line))
    SELECT line, min(event_key) AS event_key FROM listed
    WHERE NOT $overruling AND line NOT IN (SELECT line FROM listed WHERE coalesce(event_key, id) IN (SELECT event FROM shared))
    GROUP BY line HAVING min(event_key) IS NOT DISTINCT FROM max(event_key)"""
_PLAIN = """
    CREATE TEMP TABLE plain AS
    WITH stored AS (
        SELECT a.line, a.event_key, r.event_key AS born, r.content_md5 = f.content_md5 AS same,
               r.event_id = f.event_id AS own, f.status <> 'deleted' AS alive,
               f.ordered_at > r.ordered_at OR (f.ordered_at = r.ordered_at AND f.known_at > r.known_at) AS newer,
               r.ordered_at, r.known_at, r.observed_at, r.content_md5
        FROM alone a JOIN fresh f USING (line) JOIN event_id_map m ON m.event_key = a.event_key JOIN event_revision r ON r.event_id = m.id
    ), judged AS (
        SELECT line, event_key, arg_min(born, known_at) AS born, bool_or(same) AS again FROM stored
        GROUP BY ALL HAVING bool_and(own) AND (bool_or(same) OR bool_and(alive AND newer))
    ), valid AS (
        SELECT line, same FROM stored WHERE line IN (SELECT line FROM judged WHERE again)
        QUALIFY row_number() OVER (PARTITION BY line ORDER BY ordered_at DESC, known_at DESC, observed_at DESC, content_md5) = 1
    )
    SELECT line, event_id AS event_key, event_id AS born, true AS adds FROM alone JOIN fresh USING (line) WHERE alone.event_key IS NULL
    UNION ALL SELECT line, event_key, born, true FROM judged WHERE NOT again
    UNION ALL SELECT line, event_key, born, false FROM judged JOIN valid USING (line) WHERE same"""
_STORE = """
    INSERT INTO event_id_map SELECT id, p.event_key FROM listed l JOIN plain p USING (line) WHERE l.event_key IS NULL AND adds;
    DELETE FROM fresh WHERE line IN (SELECT line FROM plain WHERE NOT adds);
    UPDATE fresh SET event_key = born FROM plain p WHERE fresh.line = p.line AND born <> fresh.event_key"""
_TAKE_OUT = """
    DELETE FROM plain WHERE line IN (
        SELECT line FROM listed WHERE id IN (SELECT id FROM mentioned)
        UNION ALL SELECT line FROM plain JOIN event_id_map USING (event_key) WHERE id IN (SELECT id FROM mentioned))"""


def find_plain(connection: Connection, overruling: bool) -> None:
    """Find the plain versions in the temporary table `fresh`; with `overruling` there are none.

    Makes the temporary tables `listed` (line, id, event_key: the event that the id is stored for, or NULL) and `plain` (line of each plain
    version, event_key: its event, born: the key under which it is stored, adds: whether it adds something).
    """
    connection.execute(_LISTED)
    connection.execute(_ALONE, {"overruling": overruling})
    connection.execute(_PLAIN)
    connection.execute("DROP TABLE alone")


def take_out(connection: Connection, ids: Iterable[str]) -> bool:
    """Count the versions of events with these ids as plain no longer; return whether there were any."""
    with frame_as(connection, "mentioned", pd.DataFrame({"id": pd.Series(list(ids), dtype="str")})):
        taken: int = connection.execute(_TAKE_OUT).fetchall()[0][0]
    return taken > 0


def store_plain(connection: Connection) -> None:
    """Give the plain versions their event, and remove from `fresh` those that repeat what is valid."""
    connection.execute(_STORE)
