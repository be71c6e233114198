-- Every version of every event with the span in which it was the one to be believed, so that one reading serves all issue times.

-- As before, but of two merges of a key that became known at the same moment, the one noted later counts: it names where the first had led.
CREATE OR REPLACE MACRO event_as_of(t) AS TABLE
    WITH merged AS (
        SELECT from_key, last(to_key ORDER BY known_at, rowid) AS to_key FROM event_merge WHERE known_at <= t GROUP BY from_key
    ), known AS (
        SELECT coalesce(m.to_key, r.event_key) AS key, r.*
        FROM event_revision r LEFT JOIN merged m ON m.from_key = r.event_key
        WHERE r.known_at <= t
    ), latest AS (
        SELECT *, min(known_at) OVER (PARTITION BY key) AS first_known_at
        FROM known
        QUALIFY row_number() OVER (
            PARTITION BY key ORDER BY coalesce(updated_at, observed_at) DESC, known_at DESC, observed_at DESC, event_id, content_md5) = 1
    )
    SELECT key AS event_key, event_id, origin_time, latitude_deg, longitude_deg, depth_km, magnitude, magnitude_type, event_type,
           status, net, place, updated_at, observed_at, known_at, first_known_at, known_at_source, source
    FROM latest WHERE status <> 'deleted';

-- For every s <= t, the rows with believed_from <= s and (believed_until IS NULL or s < believed_until) are those of event_as_of(s).
-- A version is believed from when it became known, if no version of the event known by then was updated later, until one becomes known
-- that was; a deletion ends the one before it. A key that is merged into another takes its versions along at that moment.
CREATE MACRO event_versions(t) AS TABLE
    WITH moved AS (
        SELECT from_key, to_key, known_at AS begins, lead(known_at) OVER (PARTITION BY from_key ORDER BY known_at, rowid) AS ends
        FROM event_merge WHERE known_at <= t
    ), first_move AS (
        SELECT from_key, min(begins) AS ends FROM moved GROUP BY from_key
    ), revision AS (
        SELECT rowid AS version, coalesce(updated_at, observed_at) AS updated, * FROM event_revision WHERE known_at <= t
    ), member AS (
        SELECT r.event_key AS key, r.version, r.updated, r.known_at, r.observed_at, r.event_id, r.content_md5, r.known_at AS begins, m.ends
        FROM revision r LEFT JOIN first_move m ON m.from_key = r.event_key
        UNION ALL
        SELECT m.to_key, r.version, r.updated, r.known_at, r.observed_at, r.event_id, r.content_md5, greatest(r.known_at, m.begins), m.ends
        FROM revision r JOIN moved m ON m.from_key = r.event_key
    ), ranked AS (
        SELECT key, version, begins, ends, row_number() OVER (
            PARTITION BY key ORDER BY updated, known_at, observed_at, event_id DESC, content_md5 DESC) AS place_in_line
        FROM member WHERE ends IS NULL OR begins < ends
    ), believed AS (
        SELECT * FROM ranked
        QUALIFY place_in_line = max(place_in_line) OVER (PARTITION BY key ORDER BY begins RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    ), span AS (
        SELECT version, begins, coalesce(lead(begins) OVER (PARTITION BY key ORDER BY begins), ends) AS ends FROM believed
    ), joined AS (
        SELECT version, min(begins) AS believed_from, CASE WHEN count(*) = count(ends) THEN max(ends) END AS believed_until
        FROM span GROUP BY version
    )
    SELECT r.event_key, r.event_id, r.origin_time, r.latitude_deg, r.longitude_deg, r.depth_km, r.magnitude, r.magnitude_type, r.event_type,
           r.status, r.net, r.place, r.updated_at, r.observed_at, r.known_at, j.believed_from, j.believed_until, r.known_at_source, r.source
    FROM joined j JOIN revision r USING (version) WHERE r.status <> 'deleted';
