-- Sets that this installation has trained on circles around the world, and what was decided about them.

CREATE TABLE world_set (
    number       INTEGER PRIMARY KEY,
    kind         VARCHAR NOT NULL,
    data_until   DATE NOT NULL,
    decision     VARCHAR NOT NULL CHECK (decision IN ('serves', 'refused', 'retired')),
    decided_by   VARCHAR NOT NULL CHECK (decided_by IN ('rule', 'record', 'person')),
    since        TIMESTAMPTZ NOT NULL,
    instead_of   VARCHAR,
    directory    VARCHAR NOT NULL,
    sha256       VARCHAR NOT NULL,
    kind_version VARCHAR NOT NULL,
    reason       VARCHAR NOT NULL,
    numbers      JSON NOT NULL,
    code_version VARCHAR NOT NULL
);
COMMENT ON TABLE world_set IS 'What was decided about sets that were trained here on circles around the world, one row a decision, never rewritten. Without a row the sets of the package serve';
COMMENT ON COLUMN world_set.number IS '1, 2, ... in the order of the decisions';
COMMENT ON COLUMN world_set.kind IS 'etas, pooled, hybrid: a kind of model; combination: the weights of what is published';
COMMENT ON COLUMN world_set.data_until IS 'The last UTC day of which anything entered the training';
COMMENT ON COLUMN world_set.decision IS 'serves: it forecasts from the next day on; refused: it was trained and judged, and does not serve; retired: it forecasts no longer than to the end of the day';
COMMENT ON COLUMN world_set.decided_by IS 'rule: the comparison on days that neither set had seen; record: its own settled forecasts; person: by command';
COMMENT ON COLUMN world_set.since IS 'When it was decided; it counts for days after this one (UTC)';
COMMENT ON COLUMN world_set.instead_of IS 'The set that served before; after a retirement the one that serves again';
COMMENT ON COLUMN world_set.directory IS 'Its folder, below HOME/models/world; that of a set that was refused is not kept';
COMMENT ON COLUMN world_set.sha256 IS 'Hash of the hashes of its files: no other files are read in its place';
COMMENT ON COLUMN world_set.kind_version IS 'Version of the kind that it was trained for; a set of another version does not serve';
COMMENT ON COLUMN world_set.reason IS 'Why, in words';
COMMENT ON COLUMN world_set.numbers IS 'Why, in figures, as JSON: the gain over the other set, nats per target day, with its interval, and what was compared';
COMMENT ON COLUMN world_set.code_version IS 'Version of quakecast at the time';
