"""The plain versions of an answer: those that can neither join nor split events. SQL alone decides about them, and they are nearly all.

A version is plain where no other version of the answer has an id of its event, and all its ids that are stored belong to one event, which
was never seen under another preferred id. It is new, or the newest of its event, or repeats the newest.
"""

from forecaster.store.database import Connection

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
               r.event_id = f.event_id AS own, f.status <> 'deleted' OR f.updated_at IS NOT NULL AS stamped,
               f.ordered_at > r.ordered_at OR (f.ordered_at = r.ordered_at AND f.known_at > r.known_at) AS newer,
               r.ordered_at, r.known_at, r.observed_at, r.content_md5
        FROM alone a JOIN fresh f USING (line) JOIN event_id_map m ON m.event_key = a.event_key JOIN event_revision r ON r.event_id = m.id
    ), judged AS (
        SELECT line, event_key, arg_min(born, known_at) AS born, bool_or(same) AS again FROM stored
        GROUP BY ALL HAVING bool_and(own) AND (bool_or(same) OR bool_and(stamped AND newer))
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
    UPDATE fresh SET event_key = born FROM plain p WHERE fresh.line = p.line AND born <> fresh.event_key;
    DROP TABLE alone"""


def settle_plain(connection: Connection, overruling: bool) -> None:
    """Give the plain versions of the temporary table `fresh` their event, and remove those that repeat what is valid.

    Makes the temporary tables `listed` (line, id, event_key: the event that the id is stored for, or NULL) and `plain` (the line of each
    version settled here). With `overruling` no version is plain.
    """
    connection.execute(_LISTED)
    connection.execute(_ALONE, {"overruling": overruling})
    connection.execute(_PLAIN)
    connection.execute(_STORE)
