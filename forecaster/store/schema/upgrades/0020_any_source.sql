-- Versions of events may come from any service that QUAKECAST_CATALOGUE_SOURCE can name. DuckDB cannot change a CHECK: the table is written
-- anew, in the order of its rows.

CREATE TABLE event_revision_of_any_source (
    event_key       VARCHAR NOT NULL,
    event_id        VARCHAR NOT NULL,
    ids             VARCHAR[] NOT NULL,
    origin_time     TIMESTAMPTZ,
    latitude_deg    DOUBLE,
    longitude_deg   DOUBLE,
    depth_km        DOUBLE,
    magnitude       DOUBLE,
    magnitude_type  VARCHAR,
    event_type      VARCHAR,
    status          VARCHAR NOT NULL,
    net             VARCHAR,
    place           VARCHAR,
    updated_at      TIMESTAMPTZ,
    observed_at     TIMESTAMPTZ NOT NULL,
    known_at        TIMESTAMPTZ NOT NULL,
    known_at_source VARCHAR NOT NULL CHECK (known_at_source IN ('observed', 'modelled')),
    source          VARCHAR NOT NULL CHECK (source <> ''),
    content_md5     VARCHAR NOT NULL,
    ordered_at      TIMESTAMPTZ,
    CHECK (status = 'deleted' OR (origin_time IS NOT NULL AND latitude_deg BETWEEN -90 AND 90 AND longitude_deg BETWEEN -180 AND 180))
);
INSERT INTO event_revision_of_any_source SELECT * FROM event_revision ORDER BY rowid;
DROP TABLE event_revision;
ALTER TABLE event_revision_of_any_source RENAME TO event_revision;

COMMENT ON TABLE event_revision IS 'Every version of every event as it was told to us; append-only. Replace key: (event_id, observed_at)';
COMMENT ON COLUMN event_revision.event_key IS 'The event that this preferred id was met in first; event_merge says which it belongs to later';
COMMENT ON COLUMN event_revision.event_id IS 'The preferred id in this version';
COMMENT ON COLUMN event_revision.ids IS 'Every id of the event in this version';
COMMENT ON COLUMN event_revision.origin_time IS 'When the earthquake began';
COMMENT ON COLUMN event_revision.latitude_deg IS 'Of the epicentre, degrees north';
COMMENT ON COLUMN event_revision.longitude_deg IS 'Of the epicentre, degrees east, -180 to 180';
COMMENT ON COLUMN event_revision.depth_km IS 'Below the surface; NULL where the service gives none';
COMMENT ON COLUMN event_revision.magnitude IS 'On the scale of magnitude_type; NULL where the service gives none';
COMMENT ON COLUMN event_revision.magnitude_type IS 'Scale of the magnitude, as the service writes it: mww, mb ...';
COMMENT ON COLUMN event_revision.event_type IS 'earthquake, quarry blast ...; only earthquakes count for targets';
COMMENT ON COLUMN event_revision.status IS 'automatic, reviewed or deleted';
COMMENT ON COLUMN event_revision.net IS 'Network whose solution this is';
COMMENT ON COLUMN event_revision.place IS 'Where it was, in the service''s words';
COMMENT ON COLUMN event_revision.updated_at IS 'When the service last changed this version; NULL for rows of the snapshot';
COMMENT ON COLUMN event_revision.observed_at IS 'When we read it, by the machine''s clock, also in a replay';
COMMENT ON COLUMN event_revision.known_at IS 'When it could be known: observed_at; modelled for rows of the snapshot and for what a replay reads, which is known from the moment that is replayed';
COMMENT ON COLUMN event_revision.known_at_source IS 'observed; or modelled: a row of the snapshot, or read by a replay';
COMMENT ON COLUMN event_revision.source IS 'Where it was read: usgs, another service, or snapshot (the bundled catalogue)';
COMMENT ON COLUMN event_revision.content_md5 IS 'MD5 of what this version says; it is stored again only where it is said again after something else';
COMMENT ON COLUMN event_revision.ordered_at IS 'Of the versions of an event the greatest counts: updated_at, or observed_at where that is over a day ahead or missing; for a deletion without a stamp that of what it deletes';
COMMENT ON COLUMN event.source IS 'Where it was read: usgs, another service, or snapshot (the bundled catalogue)';
COMMENT ON COLUMN v_event.source IS 'Where it was read: usgs, another service, or snapshot (the bundled catalogue)';
COMMENT ON COLUMN coverage.source IS 'Reading that proves it: snapshot, or the name of the service with full read or changes, such as usgs changes';
COMMENT ON COLUMN coverage_read.source IS 'Reading that proves it: snapshot, or the name of the service with full read or changes, such as usgs changes';
