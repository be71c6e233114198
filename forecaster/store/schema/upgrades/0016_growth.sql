-- What grows with every pull is kept small: `coverage` has one row for each contiguous span; `coverage_read` is the log of the reads.

CREATE TABLE coverage_read (
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
INSERT INTO coverage_read BY NAME SELECT * FROM coverage ORDER BY read_at, stream, span_start;

-- The spans of a table or query of this name (columns of `coverage`), joined where those of one reading touch or overlap.
CREATE MACRO coverage_joined(spans) AS TABLE
    WITH ordered AS (
        SELECT *, max(span_end) OVER (
            PARTITION BY stream, min_latitude_deg, max_latitude_deg, min_longitude_deg, max_longitude_deg, min_magnitude, source
            ORDER BY span_start, span_end ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS end_before
        FROM query_table(spans)
    ), numbered AS (
        SELECT *, count(*) FILTER (end_before IS NULL OR span_start > end_before) OVER (
            PARTITION BY stream, min_latitude_deg, max_latitude_deg, min_longitude_deg, max_longitude_deg, min_magnitude, source
            ORDER BY span_start, span_end ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS number
        FROM ordered
    )
    SELECT stream, min_latitude_deg, max_latitude_deg, min_longitude_deg, max_longitude_deg, min_magnitude, min(span_start) AS span_start,
           max(span_end) AS span_end, max(read_at) AS read_at, source, min(first_read_at) AS first_read_at
    FROM numbered
    GROUP BY stream, min_latitude_deg, max_latitude_deg, min_longitude_deg, max_longitude_deg, min_magnitude, source, number;

-- The table `coverage` as it was at t.
CREATE MACRO coverage_as_of(t) AS TABLE
    WITH read_by_then AS (SELECT *, read_at AS first_read_at FROM coverage_read WHERE read_at <= t)
    SELECT * FROM coverage_joined('read_by_then');

DROP TABLE coverage;
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
    first_read_at     TIMESTAMPTZ NOT NULL,
    CHECK (span_start < span_end)
);
INSERT INTO coverage SELECT * FROM coverage_as_of(TIMESTAMPTZ '9999-12-31 00:00:00+00') ORDER BY stream, span_start, read_at;

COMMENT ON TABLE coverage IS 'Which region, magnitude and span [span_start, span_end) has been read completely, a row for each contiguous span; outside it nothing is known, not even silence';
COMMENT ON COLUMN coverage.stream IS 'Which reading of the catalogue: world, japan, or one recipe''s own';
COMMENT ON COLUMN coverage.min_latitude_deg IS 'Southern edge of what was read';
COMMENT ON COLUMN coverage.max_latitude_deg IS 'Northern edge of what was read';
COMMENT ON COLUMN coverage.min_longitude_deg IS 'Western edge of what was read';
COMMENT ON COLUMN coverage.max_longitude_deg IS 'Eastern edge of what was read';
COMMENT ON COLUMN coverage.min_magnitude IS 'Smallest magnitude that was read';
COMMENT ON COLUMN coverage.span_start IS 'First origin time that was read';
COMMENT ON COLUMN coverage.span_end IS 'End of the origin times that were read; itself not read';
COMMENT ON COLUMN coverage.read_at IS 'When it was last read or added to';
COMMENT ON COLUMN coverage.source IS 'Reading that proves it: snapshot, usgs full read, usgs changes';
COMMENT ON COLUMN coverage.first_read_at IS 'When the first part of it was read';

COMMENT ON TABLE coverage_read IS 'Every read that proved a span, as it was made; coverage_as_of(t) joins what had been read by t';
COMMENT ON COLUMN coverage_read.stream IS 'Which reading of the catalogue: world, japan, or one recipe''s own';
COMMENT ON COLUMN coverage_read.min_latitude_deg IS 'Southern edge of what was read';
COMMENT ON COLUMN coverage_read.max_latitude_deg IS 'Northern edge of what was read';
COMMENT ON COLUMN coverage_read.min_longitude_deg IS 'Western edge of what was read';
COMMENT ON COLUMN coverage_read.max_longitude_deg IS 'Eastern edge of what was read';
COMMENT ON COLUMN coverage_read.min_magnitude IS 'Smallest magnitude that was read';
COMMENT ON COLUMN coverage_read.span_start IS 'First origin time that was read';
COMMENT ON COLUMN coverage_read.span_end IS 'End of the origin times that were read; itself not read';
COMMENT ON COLUMN coverage_read.read_at IS 'When it was read';
COMMENT ON COLUMN coverage_read.source IS 'Reading that proves it: snapshot, usgs full read, usgs changes';
COMMENT ON MACRO TABLE coverage_joined IS 'The spans of a table of this name (columns of coverage), joined where those of one reading touch or overlap';
COMMENT ON MACRO TABLE coverage_as_of IS 'The table coverage as it was at t: what had been read by then';
