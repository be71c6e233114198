-- When a revision turned an outcome round, so that a report tells it on that day and not again when the outcome matures.

ALTER TABLE outcome ADD COLUMN turned_at TIMESTAMPTZ;
UPDATE outcome SET turned_at = as_of WHERE changed;
COMMENT ON COLUMN outcome.turned_at IS 'When the last revision that turned yes into no or no into yes became known to us; NULL: none did';
COMMENT ON COLUMN forecast.details IS 'What the model says besides, as JSON: expected_count and count_low, count_high (95 %), where it counts; drivers, the earthquakes that a published figure rests on, each with the probability without it; without_recent, that without the last 30 days';
