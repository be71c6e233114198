-- Names that an analyst guesses first: `kind` and `usual_probability` beside model_kind and reference_probability, which stay; the place and
-- `published` in v_forecast; a view `recipe`, and the earthquakes that count for each.
-- A view that is replaced loses its comments: all of them are told again.

CREATE OR REPLACE VIEW v_forecast AS
    SELECT f.forecast_id, f.recipe_id, t.display_name->>'en' AS place, (f.target_start AT TIME ZONE t.time_zone)::DATE AS local_day,
           t.time_zone, f.target_start, f.target_end, t.threshold_mag, t.radius_km, f.mode, f.method, f.official, f.in_sample,
           NOT f.in_sample AND row_number() OVER (
               PARTITION BY f.recipe_id, f.target_hash, f.target_start, f.mode, f.method, f.in_sample
               ORDER BY f.official DESC, f.issue_time DESC, f.created_at DESC) = 1 AS counts,
           f.model_kind, f.model_id, f.issue_time, f.as_of, (epoch(f.target_start) - epoch(f.issue_time)) / 3600 AS lead_hours,
           f.probability, f.reference_probability, f.probability / f.reference_probability AS ratio,
           o.happened, o.event_count, o.max_magnitude, o.status AS outcome_status, o.changed AS outcome_changed,
           s.log_score, s.log_score - s.reference_log_score AS information_gain, s.brier,
           (f.reference_probability - s.happened::INTEGER) ** 2 AS reference_brier,
           f.degraded, f.degraded_reason, f.data_age_hours, f.supersedes, f.details, f.recipe_hash, f.target_hash, f.code_version,
           f.run_id, f.created_at,
           f.model_kind AS kind, f.reference_probability AS usual_probability, t.latitude_deg, t.longitude_deg, f.published
    FROM forecast f
    LEFT JOIN target t USING (recipe_id, target_hash)
    LEFT JOIN outcome o USING (recipe_id, target_start, target_hash)
    LEFT JOIN score s USING (forecast_id)
    WHERE f.published;

CREATE OR REPLACE VIEW v_scored AS
    WITH said AS (
        SELECT f.*, s.happened, s.status, s.log_score, s.reference_log_score, s.brier, s.scored_at
        FROM score s JOIN forecast f USING (forecast_id) WHERE NOT f.in_sample
    ), every AS (
        SELECT *, model_kind AS shown_as FROM said UNION ALL SELECT *, 'published' FROM said WHERE published
    )
    SELECT e.recipe_id, (e.target_start AT TIME ZONE t.time_zone)::DATE AS local_day, e.target_start, e.mode, e.method,
           e.shown_as AS model_kind, e.status AS outcome_status, e.happened, e.probability, e.reference_probability, e.log_score, e.reference_log_score,
           e.log_score - e.reference_log_score AS information_gain, e.brier,
           (e.reference_probability - e.happened::INTEGER) ** 2 AS reference_brier, e.degraded, e.forecast_id, e.model_id, e.target_hash,
           e.scored_at, e.shown_as AS kind, e.reference_probability AS usual_probability
    FROM every e LEFT JOIN target t USING (recipe_id, target_hash)
    QUALIFY row_number() OVER (
        PARTITION BY e.recipe_id, e.target_hash, e.target_start, e.mode, e.method, e.shown_as
        ORDER BY e.official DESC, e.issue_time DESC, e.created_at DESC) = 1;

CREATE OR REPLACE VIEW v_skill AS
    SELECT recipe_id, model_kind, mode, method, outcome_status, count(*) AS days, count(*) FILTER (happened) AS target_days,
           sum(probability) AS expected_target_days, sum(reference_probability) AS reference_target_days,
           sum(information_gain) AS log_likelihood_gain,
           sum(information_gain) / nullif(count(*) FILTER (happened), 0) AS information_gain,
           avg(brier) AS brier, avg(reference_brier) AS reference_brier, 1 - avg(brier) / nullif(avg(reference_brier), 0) AS brier_skill,
           count(*) FILTER (degraded) AS degraded_days, min(local_day) AS first_day, max(local_day) AS last_day, target_hash, model_kind AS kind
    FROM v_scored
    GROUP BY ALL;

CREATE OR REPLACE VIEW v_calibration AS
    WITH edge AS (
        SELECT unnest([0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5]) AS bin_low, unnest([0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1]) AS bin_high
    )
    SELECT recipe_id, model_kind, mode, method, outcome_status, bin_low::DOUBLE AS bin_low, bin_high::DOUBLE AS bin_high, count(*) AS days,
           sum(probability) AS expected_target_days, count(*) FILTER (happened) AS target_days,
           avg(probability) AS mean_probability, avg(happened::INTEGER) AS observed_frequency,
           sum(probability * (1 - probability)) AS expected_variance, target_hash, model_kind AS kind
    FROM v_scored JOIN edge ON probability >= bin_low AND probability < bin_high
    GROUP BY ALL;

-- One row a recipe: its target as it is now. One that has not been forecast yet is newer than those that have.
CREATE VIEW recipe AS
    SELECT t.recipe_id, t.display_name->>'en' AS place, t.latitude_deg, t.longitude_deg, t.radius_km, t.threshold_mag, t.range_days, t.time_zone,
           t.comparison_only, f.last_issue_time, t.display_name, t.target_hash
    FROM target t
    LEFT JOIN (SELECT recipe_id, target_hash, max(issue_time) AS last_issue_time FROM forecast GROUP BY ALL) f USING (recipe_id, target_hash)
    QUALIFY row_number() OVER (PARTITION BY t.recipe_id ORDER BY f.last_issue_time DESC NULLS FIRST, t.target_hash) = 1;

CREATE VIEW v_event_in_target AS
    WITH near AS (
        SELECT r.recipe_id, r.place AS recipe_place, r.time_zone, r.radius_km, e.*,
               2 * 6371.0088 * asin(sqrt(least(1, sin(radians(e.latitude_deg - r.latitude_deg) / 2) ** 2
                   + cos(radians(r.latitude_deg)) * cos(radians(e.latitude_deg)) * sin(radians(e.longitude_deg - r.longitude_deg) / 2) ** 2
               ))) AS distance_km
        FROM recipe r JOIN event e
            ON e.magnitude >= r.threshold_mag AND e.event_type = 'earthquake'
            AND e.latitude_deg BETWEEN r.latitude_deg - r.radius_km / 111 AND r.latitude_deg + r.radius_km / 111
    )
    SELECT recipe_id, recipe_place, (origin_time AT TIME ZONE time_zone)::DATE AS local_day, origin_time, magnitude, distance_km, depth_km, place,
           latitude_deg, longitude_deg, magnitude_type, status, first_known_at, event_id, event_key
    FROM near WHERE distance_km <= radius_km;

COMMENT ON VIEW v_forecast IS 'Every published forecast with its outcome and score, one row an issue. Filter by mode, and by counts where a day is to count once';
COMMENT ON COLUMN v_forecast.forecast_id IS 'Id of the forecast';
COMMENT ON COLUMN v_forecast.recipe_id IS 'The recipe';
COMMENT ON COLUMN v_forecast.place IS 'Name of the place, in English';
COMMENT ON COLUMN v_forecast.local_day IS 'The day that is forecast, in the recipe''s own zone (the first, of several)';
COMMENT ON COLUMN v_forecast.time_zone IS 'That zone';
COMMENT ON COLUMN v_forecast.target_start IS 'Start of the window: local midnight, as a moment';
COMMENT ON COLUMN v_forecast.target_end IS 'End of the window; itself outside';
COMMENT ON COLUMN v_forecast.threshold_mag IS 'Smallest magnitude that counts';
COMMENT ON COLUMN v_forecast.radius_km IS 'Of the target circle';
COMMENT ON COLUMN v_forecast.mode IS 'prospective (written before the window), late (inside it), hindcast (after it) or replay (simulated clock); never mix them';
COMMENT ON COLUMN v_forecast.method IS 'daily: one day at a time, by the models of that day; walk-forward or current-model: a backfill''s, see forecast.method';
COMMENT ON COLUMN v_forecast.official IS 'Of the first prospective issue for this recipe and day; it stays';
COMMENT ON COLUMN v_forecast.in_sample IS 'The model has seen this day, or days too near to it: never scored';
COMMENT ON COLUMN v_forecast.counts IS 'The one row of its day and mode that skill counts: the official one, else the last issue; never one in sample';
COMMENT ON COLUMN v_forecast.model_kind IS 'Kind of the published model; climatology is the usual rate';
COMMENT ON COLUMN v_forecast.model_id IS 'The published model';
COMMENT ON COLUMN v_forecast.issue_time IS 'When it was issued';
COMMENT ON COLUMN v_forecast.as_of IS 'Inputs are what was known then';
COMMENT ON COLUMN v_forecast.lead_hours IS 'From the issue to the start of the window; negative for late ones and hindcasts';
COMMENT ON COLUMN v_forecast.probability IS 'Of at least one target earthquake in the window';
COMMENT ON COLUMN v_forecast.reference_probability IS 'The usual rate of the place as known then';
COMMENT ON COLUMN v_forecast.ratio IS 'probability over reference_probability: how many times the usual';
COMMENT ON COLUMN v_forecast.happened IS 'Whether a target earthquake came; NULL: not known yet, which is not no';
COMMENT ON COLUMN v_forecast.event_count IS 'How many came';
COMMENT ON COLUMN v_forecast.max_magnitude IS 'Of the largest; NULL where none came';
COMMENT ON COLUMN v_forecast.outcome_status IS 'preliminary (never scored), provisional or final (45 days after the window); NULL: not settled';
COMMENT ON COLUMN v_forecast.outcome_changed IS 'A revision turned the outcome round since it was first settled';
COMMENT ON COLUMN v_forecast.log_score IS 'ln of the probability given to what happened, nats; NULL: not scored';
COMMENT ON COLUMN v_forecast.information_gain IS 'log_score less that of the usual rate, nats';
COMMENT ON COLUMN v_forecast.brier IS '(probability - outcome) squared';
COMMENT ON COLUMN v_forecast.reference_brier IS 'The same of the usual rate';
COMMENT ON COLUMN v_forecast.degraded IS 'Made with less than it should have been';
COMMENT ON COLUMN v_forecast.degraded_reason IS 'What was missing';
COMMENT ON COLUMN v_forecast.data_age_hours IS 'From the end of what had been read of the catalogue to as_of';
COMMENT ON COLUMN v_forecast.supersedes IS 'forecast_id that a deliberate re-issue replaces';
COMMENT ON COLUMN v_forecast.details IS 'What the model says besides, as JSON: expected_count, count_low, count_high (95 %); drivers, the earthquakes that it rests on';
COMMENT ON COLUMN v_forecast.recipe_hash IS 'Of the whole recipe';
COMMENT ON COLUMN v_forecast.target_hash IS 'Of the target alone: place, radius, magnitude, zone, range';
COMMENT ON COLUMN v_forecast.code_version IS 'Version of quakecast that wrote it';
COMMENT ON COLUMN v_forecast.run_id IS 'The run that made it';
COMMENT ON COLUMN v_forecast.created_at IS 'When it was written, by the machine''s clock or a replay''s simulated one';
COMMENT ON COLUMN v_forecast.kind IS 'The same as model_kind';
COMMENT ON COLUMN v_forecast.usual_probability IS 'The same as reference_probability: the usual rate of the place as known then';
COMMENT ON COLUMN v_forecast.latitude_deg IS 'Of the centre of the target circle, degrees north';
COMMENT ON COLUMN v_forecast.longitude_deg IS 'Of the centre, degrees east';
COMMENT ON COLUMN v_forecast.published IS 'Always true: members of the combination that were not published by themselves are in the table forecast';

COMMENT ON VIEW v_scored IS 'The scored forecasts that count, one a recipe, day, mode and kind of model; never one in sample. What was shown to people is there again as model_kind published';
COMMENT ON COLUMN v_scored.recipe_id IS 'The recipe';
COMMENT ON COLUMN v_scored.local_day IS 'The day that was forecast, in the recipe''s own zone';
COMMENT ON COLUMN v_scored.target_start IS 'Start of the window';
COMMENT ON COLUMN v_scored.mode IS 'prospective, late, hindcast or replay; never mix them';
COMMENT ON COLUMN v_scored.method IS 'daily: one day at a time, by the models of that day; walk-forward or current-model: a backfill''s, see forecast.method';
COMMENT ON COLUMN v_scored.model_kind IS 'Kind of model; climatology is the usual rate; published is whatever was shown that day';
COMMENT ON COLUMN v_scored.outcome_status IS 'provisional or final (45 days after the window)';
COMMENT ON COLUMN v_scored.happened IS 'Whether a target earthquake came';
COMMENT ON COLUMN v_scored.probability IS 'Of at least one target earthquake in the window';
COMMENT ON COLUMN v_scored.reference_probability IS 'The usual rate of the place as known then';
COMMENT ON COLUMN v_scored.log_score IS 'ln of the probability given to what happened, nats';
COMMENT ON COLUMN v_scored.reference_log_score IS 'The same of the usual rate';
COMMENT ON COLUMN v_scored.information_gain IS 'log_score less reference_log_score, nats';
COMMENT ON COLUMN v_scored.brier IS '(probability - outcome) squared';
COMMENT ON COLUMN v_scored.reference_brier IS 'The same of the usual rate';
COMMENT ON COLUMN v_scored.degraded IS 'Made with less than it should have been';
COMMENT ON COLUMN v_scored.forecast_id IS 'Id of the forecast';
COMMENT ON COLUMN v_scored.model_id IS 'The model';
COMMENT ON COLUMN v_scored.target_hash IS 'Of the target';
COMMENT ON COLUMN v_scored.scored_at IS 'When it was scored';
COMMENT ON COLUMN v_scored.kind IS 'The same as model_kind';
COMMENT ON COLUMN v_scored.usual_probability IS 'The same as reference_probability: the usual rate of the place as known then';

COMMENT ON VIEW v_skill IS 'Skill over the usual rate by recipe, kind of model and mode, final and provisional outcomes apart. Few target days mean little: see the report for intervals';
COMMENT ON COLUMN v_skill.recipe_id IS 'The recipe';
COMMENT ON COLUMN v_skill.model_kind IS 'Kind of model; climatology is the usual rate itself; published is whatever was shown each day';
COMMENT ON COLUMN v_skill.mode IS 'prospective, late, hindcast or replay; never added up';
COMMENT ON COLUMN v_skill.method IS 'daily: one day at a time, by the models of that day; walk-forward or current-model: a backfill''s, see forecast.method';
COMMENT ON COLUMN v_skill.outcome_status IS 'provisional or final (45 days after the window)';
COMMENT ON COLUMN v_skill.days IS 'Scored days';
COMMENT ON COLUMN v_skill.target_days IS 'Days on which a target earthquake came';
COMMENT ON COLUMN v_skill.expected_target_days IS 'Sum of the probabilities: how many were expected';
COMMENT ON COLUMN v_skill.reference_target_days IS 'The same of the usual rate';
COMMENT ON COLUMN v_skill.log_likelihood_gain IS 'Sum over all days of the log score less that of the usual rate, nats';
COMMENT ON COLUMN v_skill.information_gain IS 'log_likelihood_gain per target day, nats; NULL without a target day';
COMMENT ON COLUMN v_skill.brier IS 'Mean Brier score';
COMMENT ON COLUMN v_skill.reference_brier IS 'The same of the usual rate';
COMMENT ON COLUMN v_skill.brier_skill IS '1 - brier / reference_brier: above 0 is better than the usual rate';
COMMENT ON COLUMN v_skill.degraded_days IS 'Days made with less than they should have been';
COMMENT ON COLUMN v_skill.first_day IS 'First scored local day';
COMMENT ON COLUMN v_skill.last_day IS 'Last scored local day';
COMMENT ON COLUMN v_skill.target_hash IS 'Of the target: a changed recipe has rows of its own';
COMMENT ON COLUMN v_skill.kind IS 'The same as model_kind';

COMMENT ON VIEW v_calibration IS 'Does 3 % mean 3 %: scored days in bins of probability, by recipe, kind of model and mode. Sums may be added up over recipes; means may not';
COMMENT ON COLUMN v_calibration.recipe_id IS 'The recipe';
COMMENT ON COLUMN v_calibration.model_kind IS 'Kind of model; published is whatever was shown each day';
COMMENT ON COLUMN v_calibration.mode IS 'prospective, late, hindcast or replay; never mix them';
COMMENT ON COLUMN v_calibration.method IS 'daily: one day at a time, by the models of that day; walk-forward or current-model: a backfill''s, see forecast.method';
COMMENT ON COLUMN v_calibration.outcome_status IS 'provisional or final (45 days after the window)';
COMMENT ON COLUMN v_calibration.bin_low IS 'Lower edge of the bin, inside it';
COMMENT ON COLUMN v_calibration.bin_high IS 'Upper edge of the bin, outside it';
COMMENT ON COLUMN v_calibration.days IS 'Scored days in the bin';
COMMENT ON COLUMN v_calibration.expected_target_days IS 'Sum of their probabilities';
COMMENT ON COLUMN v_calibration.target_days IS 'Days on which a target earthquake came';
COMMENT ON COLUMN v_calibration.mean_probability IS 'expected_target_days / days';
COMMENT ON COLUMN v_calibration.observed_frequency IS 'target_days / days';
COMMENT ON COLUMN v_calibration.expected_variance IS 'Sum of p (1 - p): the variance of target_days if the probabilities are right and the days independent, which they are not quite';
COMMENT ON COLUMN v_calibration.target_hash IS 'Of the target';
COMMENT ON COLUMN v_calibration.kind IS 'The same as model_kind';

COMMENT ON VIEW recipe IS 'What each recipe asks now: place, radius, threshold. Earlier versions of a target are in the table target';
COMMENT ON COLUMN recipe.recipe_id IS 'The recipe';
COMMENT ON COLUMN recipe.place IS 'Name of the place, in English';
COMMENT ON COLUMN recipe.latitude_deg IS 'Of the centre, degrees north';
COMMENT ON COLUMN recipe.longitude_deg IS 'Of the centre, degrees east';
COMMENT ON COLUMN recipe.radius_km IS 'Of the circle, great-circle distance, rim included';
COMMENT ON COLUMN recipe.threshold_mag IS 'Smallest magnitude that counts';
COMMENT ON COLUMN recipe.range_days IS 'Local days in a window';
COMMENT ON COLUMN recipe.time_zone IS 'IANA zone of the local days';
COMMENT ON COLUMN recipe.comparison_only IS 'Why the recipe is not meant to be relied on; NULL where it is';
COMMENT ON COLUMN recipe.last_issue_time IS 'When it was forecast last; NULL: never with this target';
COMMENT ON COLUMN recipe.display_name IS 'Name of the place by language, as JSON';
COMMENT ON COLUMN recipe.target_hash IS 'Of the target: place, radius, magnitude, zone, range';

COMMENT ON VIEW v_event_in_target IS 'The earthquakes that count for each recipe, by its place, radius and threshold of now and the catalogue of now: one row an earthquake and recipe. Outcomes of past days are in v_forecast';
COMMENT ON COLUMN v_event_in_target.recipe_id IS 'The recipe in whose circle it lies';
COMMENT ON COLUMN v_event_in_target.recipe_place IS 'Name of that place, in English';
COMMENT ON COLUMN v_event_in_target.local_day IS 'The day on which it began, in the recipe''s own zone';
COMMENT ON COLUMN v_event_in_target.origin_time IS 'When the earthquake began';
COMMENT ON COLUMN v_event_in_target.magnitude IS 'As known now, on the scale of magnitude_type';
COMMENT ON COLUMN v_event_in_target.distance_km IS 'From the centre of the circle to the epicentre';
COMMENT ON COLUMN v_event_in_target.depth_km IS 'Below the surface';
COMMENT ON COLUMN v_event_in_target.place IS 'Where it was, in the service''s words';
COMMENT ON COLUMN v_event_in_target.latitude_deg IS 'Of the epicentre, degrees north';
COMMENT ON COLUMN v_event_in_target.longitude_deg IS 'Of the epicentre, degrees east, -180 to 180';
COMMENT ON COLUMN v_event_in_target.magnitude_type IS 'Scale of the magnitude: mww, mb ...';
COMMENT ON COLUMN v_event_in_target.status IS 'automatic or reviewed';
COMMENT ON COLUMN v_event_in_target.first_known_at IS 'When any version of it could first be known';
COMMENT ON COLUMN v_event_in_target.event_id IS 'Preferred id';
COMMENT ON COLUMN v_event_in_target.event_key IS 'The event, whatever it is called';

COMMENT ON COLUMN model.kind IS 'Kind of model: etas, pooled (trees that learnt from the whole world), hybrid, regional (the hybrid with its network fitted to the region), convlstm, recent_rate, best_rate, persistence';
COMMENT ON COLUMN forecast.model_kind IS 'Its kind, as in model.kind; climatology is the usual rate, etas_generic an ETAS that was fitted nowhere, published the combination of the others';
