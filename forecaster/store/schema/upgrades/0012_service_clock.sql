-- What the service's clock said in each answer: against requested_at, the machine's, it tells a clock that goes wrong.
ALTER TABLE fetch_log ADD COLUMN service_date TIMESTAMPTZ;
COMMENT ON COLUMN fetch_log.service_date IS 'The time by the clock of the service when it answered, to the second; NULL where it told none';
COMMENT ON COLUMN fetch_log.requested_at IS 'When, by the clock of the run';
