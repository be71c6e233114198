-- Reasons as keys and values beside their English text. Rows that are there keep their text alone: it cannot be taken apart exactly.
ALTER TABLE forecast ADD COLUMN degraded_reasons JSON;
COMMENT ON COLUMN forecast.degraded_reasons IS 'What was missing, as a JSON list of reasons: each has a key, its values, and because, the reasons behind it; NULL in rows of schema 23 and before';
COMMENT ON COLUMN forecast.degraded_reason IS 'What was missing, in English; degraded_reasons holds the same as keys and values';

ALTER TABLE world_map ADD COLUMN left_out_reasons JSON;
ALTER TABLE world_map ADD COLUMN problem_reasons JSON;
COMMENT ON COLUMN world_map.left_out IS 'What has no forecast and why, in English, as a JSON list';
COMMENT ON COLUMN world_map.left_out_reasons IS 'The same as a JSON list of reasons, as in forecast.degraded_reasons; NULL in rows of schema 23 and before';
COMMENT ON COLUMN world_map.problems IS 'What degrades the map, in English, as a JSON list';
COMMENT ON COLUMN world_map.problem_reasons IS 'The same as a JSON list of reasons; NULL in rows of schema 23 and before';
