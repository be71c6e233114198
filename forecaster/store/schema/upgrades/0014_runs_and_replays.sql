-- A run knows whether its clock was simulated: a home that was replayed in is no record of what was known when.
ALTER TABLE run ADD COLUMN replay BOOLEAN DEFAULT false;
COMMENT ON COLUMN run.replay IS 'Its clock was simulated: times of the catalogue in this home are those of the replay, not those at which it was read';
COMMENT ON COLUMN event_revision.observed_at IS 'When we read it, by the machine''s clock, also in a replay';
COMMENT ON COLUMN event_revision.known_at IS 'When it could be known: observed_at; modelled for rows of the snapshot and for what a replay reads, which is known from the moment that is replayed';
COMMENT ON COLUMN event_revision.known_at_source IS 'observed; or modelled: a row of the snapshot, or read by a replay';
COMMENT ON COLUMN quarantine.observed_at IS 'When we first read it, by the machine''s clock, also in a replay';
COMMENT ON COLUMN fetch_log.requested_at IS 'When, by the machine''s clock, also in a replay';
COMMENT ON COLUMN coverage.read_at IS 'When it was read; in a replay the moment that is replayed';
