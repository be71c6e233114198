-- The catalogue as it was told to us: every version of every event, never overwritten.

CREATE TABLE event_revision (
    event_key       VARCHAR NOT NULL,       -- the event, whatever it is called: the first id under which we met it
    event_id        VARCHAR NOT NULL,       -- the preferred id in this version
    ids             VARCHAR[] NOT NULL,
    origin_time     TIMESTAMPTZ,
    latitude_deg    DOUBLE,
    longitude_deg   DOUBLE,
    depth_km        DOUBLE,
    magnitude       DOUBLE,
    magnitude_type  VARCHAR,
    event_type      VARCHAR,
    status          VARCHAR NOT NULL,       -- automatic | reviewed | deleted
    net             VARCHAR,
    place           VARCHAR,
    updated_at      TIMESTAMPTZ,            -- the service's; missing in the snapshot
    observed_at     TIMESTAMPTZ NOT NULL,   -- when we read it
    known_at        TIMESTAMPTZ NOT NULL,   -- when it could be known: observed_at, or modelled for snapshot rows
    known_at_source VARCHAR NOT NULL CHECK (known_at_source IN ('observed', 'modelled')),
    source          VARCHAR NOT NULL CHECK (source IN ('usgs', 'snapshot')),
    content_md5     VARCHAR NOT NULL,
    CHECK (status = 'deleted' OR (origin_time IS NOT NULL AND latitude_deg BETWEEN -90 AND 90 AND longitude_deg BETWEEN -180 AND 180))
);
COMMENT ON TABLE event_revision IS 'Every version of every event as it was told to us; append-only. Replace key: (event_id, observed_at)';

CREATE TABLE event_id_map (
    id        VARCHAR PRIMARY KEY,
    event_key VARCHAR NOT NULL
);
COMMENT ON TABLE event_id_map IS 'Every id ever seen and the event it belongs to now';

CREATE TABLE event_merge (
    from_key VARCHAR NOT NULL,
    to_key   VARCHAR NOT NULL,
    known_at TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE event_merge IS 'Two events that turned out to be one, and when we learnt it; append-only';

-- The catalogue as it was known at t: per event the version last updated among those known by then; deleted events are absent.
CREATE MACRO event_as_of(t) AS TABLE
    WITH merged AS (
        SELECT from_key, arg_max(to_key, known_at) AS to_key FROM event_merge WHERE known_at <= t GROUP BY from_key
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

CREATE VIEW event AS SELECT * FROM event_as_of(TIMESTAMPTZ '9999-12-31 00:00:00+00');
COMMENT ON VIEW event IS 'The latest known version of every event that is not deleted';

CREATE TABLE coverage (
    stream            VARCHAR NOT NULL,
    min_latitude_deg  DOUBLE NOT NULL,
    max_latitude_deg  DOUBLE NOT NULL,
    min_longitude_deg DOUBLE NOT NULL,
    max_longitude_deg DOUBLE NOT NULL,
    min_magnitude     DOUBLE NOT NULL,
    span_start        TIMESTAMPTZ NOT NULL,
    span_end          TIMESTAMPTZ NOT NULL,
    read_at           TIMESTAMPTZ NOT NULL,
    source            VARCHAR NOT NULL,
    CHECK (span_start < span_end)
);
COMMENT ON TABLE coverage IS 'Which region, magnitude and span [span_start, span_end) has been read completely; outside it nothing is known, not even silence';

CREATE TABLE fetch_log (
    run_id       VARCHAR,
    requested_at TIMESTAMPTZ NOT NULL,
    url          VARCHAR NOT NULL,
    status       INTEGER,
    rows         BIGINT,
    bytes        BIGINT,
    elapsed_s    DOUBLE,
    note         VARCHAR
);
COMMENT ON TABLE fetch_log IS 'Every request to the service';

CREATE TABLE quarantine (
    run_id      VARCHAR,
    source      VARCHAR NOT NULL,
    observed_at TIMESTAMPTZ NOT NULL,
    reason      VARCHAR NOT NULL,
    raw         VARCHAR NOT NULL
);
COMMENT ON TABLE quarantine IS 'Rows from outside that could not be believed, as they came, with the reason';
