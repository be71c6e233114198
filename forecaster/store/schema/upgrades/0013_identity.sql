-- What counts among the versions of an event, and which versions are those of one event, say columns of their own.

ALTER TABLE event_revision ADD COLUMN ordered_at TIMESTAMPTZ;
UPDATE event_revision SET ordered_at = CASE WHEN updated_at <= observed_at + INTERVAL 1 DAY THEN updated_at ELSE observed_at END;
COMMENT ON COLUMN event_revision.ordered_at IS
    'Of the versions of an event the greatest counts: updated_at, or observed_at where that is over a day ahead or missing; for a deletion without a stamp that of what it deletes';
COMMENT ON COLUMN event_revision.event_key IS 'The event that this preferred id was met in first; event_merge says which it belongs to later';
COMMENT ON COLUMN event_revision.content_md5 IS
    'MD5 of what this version says; it is stored again only where it is said again after something else';
COMMENT ON TABLE event_merge IS
    'What turned out to belong to another event, or to be an event of its own, and when we learnt it; append-only';
COMMENT ON COLUMN event_merge.from_key IS 'The preferred id, or the key of the event as a whole, that moved';
COMMENT ON COLUMN event_merge.known_at IS 'When we learnt it';

-- Moves were noted for keys; from here on they are looked up by preferred id, so those of a key are those of its other names, too.
INSERT INTO event_merge
    SELECT n.event_id, m.to_key, greatest(m.known_at, n.known_at)
    FROM (SELECT event_id, event_key, min(known_at) AS known_at FROM event_revision WHERE event_id <> event_key GROUP BY 1, 2) n
    JOIN (SELECT rowid AS place, * FROM event_merge) m ON m.from_key = n.event_key
    ORDER BY m.known_at, m.place;

CREATE OR REPLACE MACRO event_as_of(t) AS TABLE
    WITH merged AS (
        SELECT from_key, last(to_key ORDER BY known_at, rowid) AS to_key FROM event_merge WHERE known_at <= t GROUP BY from_key
    ), known AS (
        SELECT coalesce(m.to_key, r.event_key) AS key, r.*
        FROM event_revision r LEFT JOIN merged m ON m.from_key = r.event_id
        WHERE r.known_at <= t
    ), latest AS (
        SELECT *, min(known_at) OVER (PARTITION BY key) AS first_known_at
        FROM known
        QUALIFY row_number() OVER (PARTITION BY key ORDER BY ordered_at DESC, known_at DESC, observed_at DESC, event_id, content_md5) = 1
    )
    SELECT key AS event_key, event_id, origin_time, latitude_deg, longitude_deg, depth_km, magnitude, magnitude_type, event_type,
           status, net, place, updated_at, observed_at, known_at, first_known_at, known_at_source, source
    FROM latest WHERE status <> 'deleted';

-- As before; preferred ids move, all that are in a key at one moment, and event_key is the event to which the version belongs at t.
-- A version that was believed, taken up by another event, and let go again has a row for each of its spans.
CREATE OR REPLACE MACRO event_versions(t) AS TABLE
    WITH moved AS (
        SELECT from_key, to_key, known_at AS begins, lead(known_at) OVER (PARTITION BY from_key ORDER BY known_at, rowid) AS ends
        FROM event_merge WHERE known_at <= t
    ), first_move AS (
        SELECT from_key, min(begins) AS ends FROM moved GROUP BY from_key
    ), last_move AS (
        SELECT from_key, to_key FROM moved WHERE ends IS NULL
    ), revision AS (
        SELECT rowid AS version, * FROM event_revision WHERE known_at <= t
    ), member AS (
        SELECT r.event_key AS key, r.version, r.ordered_at, r.known_at, r.observed_at, r.event_id, r.content_md5, r.known_at AS begins, m.ends,
               m.from_key IS NOT NULL AS moves
        FROM revision r LEFT JOIN first_move m ON m.from_key = r.event_id
        UNION ALL
        SELECT m.to_key, r.version, r.ordered_at, r.known_at, r.observed_at, r.event_id, r.content_md5, greatest(r.known_at, m.begins), m.ends,
               true
        FROM revision r JOIN moved m ON m.from_key = r.event_id
    ), ranked AS (
        SELECT key, version, begins, ends, moves, row_number() OVER (
            PARTITION BY key ORDER BY ordered_at, known_at, observed_at, event_id DESC, content_md5 DESC) AS place_in_line
        FROM member WHERE ends IS NULL OR begins < ends
    ), believed AS (
        SELECT * FROM ranked
        QUALIFY place_in_line = max(place_in_line) OVER (PARTITION BY key ORDER BY begins RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    ), span AS (
        SELECT version, moves, begins, coalesce(lead(begins) OVER (PARTITION BY key ORDER BY begins), ends) AS ends FROM believed
    ), stretch AS (
        SELECT version, begins, ends, sum(starts) OVER (PARTITION BY version ORDER BY begins) AS number FROM (
            SELECT *, CASE WHEN begins = lag(ends) OVER (PARTITION BY version ORDER BY begins) THEN 0 ELSE 1 END AS starts
            FROM span WHERE moves)
    ), joined AS (
        SELECT version, begins AS believed_from, ends AS believed_until FROM span WHERE NOT moves
        UNION ALL
        SELECT version, min(begins), CASE WHEN count(*) = count(ends) THEN max(ends) END FROM stretch GROUP BY version, number
    )
    SELECT coalesce(l.to_key, r.event_key) AS event_key, r.event_id, r.origin_time, r.latitude_deg, r.longitude_deg, r.depth_km, r.magnitude,
           r.magnitude_type, r.event_type, r.status, r.net, r.place, r.updated_at, r.observed_at, r.known_at, j.believed_from,
           j.believed_until, r.known_at_source, r.source
    FROM joined j JOIN revision r USING (version) LEFT JOIN last_move l ON l.from_key = r.event_id WHERE r.status <> 'deleted';

-- As before, by preferred id.
CREATE OR REPLACE VIEW v_event AS
    WITH merged AS (
        SELECT from_key, last(to_key ORDER BY known_at, rowid) AS to_key FROM event_merge GROUP BY from_key
    ), history AS (
        SELECT coalesce(m.to_key, r.event_key) AS event_key, count(*) AS versions, arg_min(r.magnitude, r.known_at) AS first_magnitude
        FROM event_revision r LEFT JOIN merged m ON m.from_key = r.event_id GROUP BY 1
    )
    SELECT e.event_id, e.origin_time, e.magnitude, e.magnitude_type, e.place, e.latitude_deg, e.longitude_deg, e.depth_km, e.event_type,
           e.status, e.net, e.first_known_at, (epoch(e.first_known_at) - epoch(e.origin_time)) / 3600 AS delay_hours, e.known_at,
           e.updated_at, h.versions, h.first_magnitude, e.magnitude - h.first_magnitude AS magnitude_change, e.known_at_source, e.source,
           e.event_key
    FROM event e JOIN history h USING (event_key);

COMMENT ON VIEW v_event IS 'The latest version of every event that is not deleted, with its history in a few numbers';
COMMENT ON COLUMN v_event.event_id IS 'Preferred id';
COMMENT ON COLUMN v_event.origin_time IS 'When the earthquake began';
COMMENT ON COLUMN v_event.magnitude IS 'As known now, on the scale of magnitude_type';
COMMENT ON COLUMN v_event.magnitude_type IS 'Scale of the magnitude: mww, mb ...';
COMMENT ON COLUMN v_event.place IS 'Where it was, in the service''s words';
COMMENT ON COLUMN v_event.latitude_deg IS 'Of the epicentre, degrees north';
COMMENT ON COLUMN v_event.longitude_deg IS 'Of the epicentre, degrees east, -180 to 180';
COMMENT ON COLUMN v_event.depth_km IS 'Below the surface';
COMMENT ON COLUMN v_event.event_type IS 'earthquake, quarry blast ...';
COMMENT ON COLUMN v_event.status IS 'automatic or reviewed';
COMMENT ON COLUMN v_event.net IS 'Network whose solution this is';
COMMENT ON COLUMN v_event.first_known_at IS 'When any version of it could first be known';
COMMENT ON COLUMN v_event.delay_hours IS 'From the origin to first_known_at';
COMMENT ON COLUMN v_event.known_at IS 'When the present version could be known';
COMMENT ON COLUMN v_event.updated_at IS 'When the service last changed it; NULL for rows of the snapshot';
COMMENT ON COLUMN v_event.versions IS 'How many versions are stored';
COMMENT ON COLUMN v_event.first_magnitude IS 'Magnitude of the version known first';
COMMENT ON COLUMN v_event.magnitude_change IS 'magnitude less first_magnitude';
COMMENT ON COLUMN v_event.known_at_source IS 'observed, or modelled for rows of the snapshot';
COMMENT ON COLUMN v_event.source IS 'usgs or snapshot (the bundled catalogue)';
COMMENT ON COLUMN v_event.event_key IS 'The event, whatever it is called';

COMMENT ON MACRO TABLE event_as_of IS 'The catalogue as it was known at a moment: SELECT * FROM event_as_of(TIMESTAMPTZ ''2024-01-01 07:30:00+00'')';
COMMENT ON MACRO TABLE event_versions IS 'Every version of every event with the span [believed_from, believed_until) in which it was believed, as known at a moment';
