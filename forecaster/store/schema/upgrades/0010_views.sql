-- What an analyst asks for: views, and a comment on every table, view and column.
--
-- Comments of a view's columns are lost when a table under it is altered: a later migration that alters one creates the views of it anew.
-- Views never depend on the session's time zone: a local day is taken with the recipe's own.

CREATE TABLE target (
    recipe_id       VARCHAR NOT NULL,
    target_hash     VARCHAR NOT NULL,
    display_name    JSON NOT NULL,
    latitude_deg    DOUBLE NOT NULL,
    longitude_deg   DOUBLE NOT NULL,
    radius_km       DOUBLE NOT NULL,
    threshold_mag   DOUBLE NOT NULL,
    range_days      INTEGER NOT NULL,
    time_zone       VARCHAR NOT NULL,
    comparison_only VARCHAR,
    PRIMARY KEY (recipe_id, target_hash)
);

CREATE TABLE outcome_turn (
    recipe_id     VARCHAR NOT NULL,
    target_start  TIMESTAMPTZ NOT NULL,
    target_hash   VARCHAR NOT NULL,
    happened      BOOLEAN NOT NULL,
    status_before VARCHAR NOT NULL,
    status        VARCHAR NOT NULL,
    as_of_before  TIMESTAMPTZ NOT NULL,
    as_of         TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (recipe_id, target_start, target_hash, as_of)
);

-- 1. One row a published forecast.

CREATE VIEW v_forecast AS
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
           f.run_id, f.created_at
    FROM forecast f
    LEFT JOIN target t USING (recipe_id, target_hash)
    LEFT JOIN outcome o USING (recipe_id, target_start, target_hash)
    LEFT JOIN score s USING (forecast_id)
    WHERE f.published;

-- 2. The scored forecasts that count: one a day, mode and model; and, as model_kind 'published', what was shown to people.

CREATE VIEW v_scored AS
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
           e.scored_at
    FROM every e LEFT JOIN target t USING (recipe_id, target_hash)
    QUALIFY row_number() OVER (
        PARTITION BY e.recipe_id, e.target_hash, e.target_start, e.mode, e.method, e.shown_as
        ORDER BY e.official DESC, e.issue_time DESC, e.created_at DESC) = 1;

-- 3. Skill over the usual rate, never of two modes together.

CREATE VIEW v_skill AS
    SELECT recipe_id, model_kind, mode, method, outcome_status, count(*) AS days, count(*) FILTER (happened) AS target_days,
           sum(probability) AS expected_target_days, sum(reference_probability) AS reference_target_days,
           sum(information_gain) AS log_likelihood_gain,
           sum(information_gain) / nullif(count(*) FILTER (happened), 0) AS information_gain,
           avg(brier) AS brier, avg(reference_brier) AS reference_brier, 1 - avg(brier) / nullif(avg(reference_brier), 0) AS brier_skill,
           count(*) FILTER (degraded) AS degraded_days, min(local_day) AS first_day, max(local_day) AS last_day, target_hash
    FROM v_scored
    GROUP BY ALL;

-- 4. Does 3 % mean 3 %?

CREATE VIEW v_calibration AS
    WITH edge AS (
        SELECT unnest([0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5]) AS bin_low, unnest([0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1]) AS bin_high
    )
    SELECT recipe_id, model_kind, mode, method, outcome_status, bin_low::DOUBLE AS bin_low, bin_high::DOUBLE AS bin_high, count(*) AS days,
           sum(probability) AS expected_target_days, count(*) FILTER (happened) AS target_days,
           avg(probability) AS mean_probability, avg(happened::INTEGER) AS observed_frequency,
           sum(probability * (1 - probability)) AS expected_variance, target_hash
    FROM v_scored JOIN edge ON probability >= bin_low AND probability < bin_high
    GROUP BY ALL;

-- 5. The catalogue as it is known now, with its history in a few numbers.

CREATE VIEW v_event AS
    WITH merged AS (
        SELECT from_key, last(to_key ORDER BY known_at, rowid) AS to_key FROM event_merge GROUP BY from_key
    ), history AS (
        SELECT coalesce(m.to_key, r.event_key) AS event_key, count(*) AS versions, arg_min(r.magnitude, r.known_at) AS first_magnitude
        FROM event_revision r LEFT JOIN merged m ON m.from_key = r.event_key GROUP BY 1
    )
    SELECT e.event_id, e.origin_time, e.magnitude, e.magnitude_type, e.place, e.latitude_deg, e.longitude_deg, e.depth_km, e.event_type,
           e.status, e.net, e.first_known_at, (epoch(e.first_known_at) - epoch(e.origin_time)) / 3600 AS delay_hours, e.known_at,
           e.updated_at, h.versions, h.first_magnitude, e.magnitude - h.first_magnitude AS magnitude_change, e.known_at_source, e.source,
           e.event_key
    FROM event e JOIN history h USING (event_key);

-- 6. Which revisions of which events turned an outcome round.

CREATE VIEW v_revision_impact AS
    WITH turn AS (
        SELECT recipe_id, target_start, target_hash, NOT happened AS happened_before, happened AS happened_after, status_before,
               status AS status_after, as_of_before, as_of AS as_of_after
        FROM outcome_turn
        UNION ALL
        SELECT recipe_id, target_start, target_hash, NULL, happened, NULL, status, NULL, as_of
        FROM outcome o WHERE changed AND NOT EXISTS (
            SELECT 1 FROM outcome_turn t
            WHERE t.recipe_id = o.recipe_id AND t.target_start = o.target_start AND t.target_hash = o.target_hash)
    ), placed AS (
        SELECT turn.*, o.target_end, t.display_name->>'en' AS place, t.latitude_deg, t.longitude_deg, t.radius_km, t.threshold_mag, t.time_zone
        FROM turn JOIN outcome o USING (recipe_id, target_start, target_hash) LEFT JOIN target t USING (recipe_id, target_hash)
    ), merged AS (
        SELECT from_key, last(to_key ORDER BY known_at, rowid) AS to_key FROM event_merge GROUP BY from_key
    ), version AS (
        SELECT v.* REPLACE (coalesce(m.to_key, v.event_key) AS event_key)
        FROM event_versions(TIMESTAMPTZ '9999-12-31 00:00:00+00') v LEFT JOIN merged m ON m.from_key = v.event_key
        WHERE v.event_type = 'earthquake' AND v.magnitude IS NOT NULL
    ), near AS (
        SELECT p.recipe_id, p.target_start, p.target_hash, p.as_of_before, p.as_of_after, v.*,
               2 * 6371.0088 * asin(sqrt(least(1, sin(radians(v.latitude_deg - p.latitude_deg) / 2) ** 2
                   + cos(radians(p.latitude_deg)) * cos(radians(v.latitude_deg)) * sin(radians(v.longitude_deg - p.longitude_deg) / 2) ** 2
               ))) AS distance_km,
               coalesce(v.origin_time >= p.target_start AND v.origin_time < p.target_end AND v.magnitude >= p.threshold_mag
                   AND distance_km <= p.radius_km, false) AS counted
        FROM placed p JOIN version v
            ON v.origin_time >= p.target_start - INTERVAL 1 DAY AND v.origin_time < p.target_end + INTERVAL 1 DAY
    ), was AS (
        SELECT * FROM near WHERE believed_from <= as_of_before AND (believed_until IS NULL OR as_of_before < believed_until)
    ), became AS (
        SELECT * FROM near WHERE believed_from <= as_of_after AND (believed_until IS NULL OR as_of_after < believed_until)
    ), differing AS (
        SELECT recipe_id, target_start, target_hash, as_of_after, event_key,
               w.event_id AS event_id_before, b.event_id AS event_id_after, coalesce(b.place, w.place) AS event_place,
               coalesce(w.counted, false) AS counted_before, coalesce(b.counted, false) AS counted_after,
               w.magnitude AS magnitude_before, b.magnitude AS magnitude_after,
               w.distance_km AS distance_km_before, b.distance_km AS distance_km_after,
               w.origin_time AS origin_time_before, b.origin_time AS origin_time_after, b.known_at
        FROM (SELECT * FROM was WHERE as_of_before IS NOT NULL) w
        FULL JOIN (SELECT * FROM became WHERE as_of_before IS NOT NULL) b
            USING (recipe_id, target_start, target_hash, as_of_after, event_key)
        WHERE coalesce(w.counted, false) <> coalesce(b.counted, false)
    )
    SELECT p.recipe_id, p.place, (p.target_start AT TIME ZONE p.time_zone)::DATE AS local_day, p.happened_before, p.happened_after,
           p.status_before, p.status_after, p.as_of_before, p.as_of_after,
           (epoch(p.as_of_after) - epoch(p.target_end)) / 86400 AS days_after,
           coalesce(d.event_id_after, d.event_id_before) AS event_id, d.event_place,
           CASE WHEN d.event_key IS NULL THEN NULL
                WHEN d.magnitude_before IS NULL THEN 'became known'
                WHEN d.magnitude_after IS NULL THEN 'deleted'
                ELSE concat_ws(', ',
                    CASE WHEN (d.magnitude_before >= p.threshold_mag) <> (d.magnitude_after >= p.threshold_mag) THEN 'magnitude' END,
                    CASE WHEN (d.distance_km_before <= p.radius_km) <> (d.distance_km_after <= p.radius_km) THEN 'place' END,
                    CASE WHEN (d.origin_time_before >= p.target_start AND d.origin_time_before < p.target_end)
                        <> (d.origin_time_after >= p.target_start AND d.origin_time_after < p.target_end) THEN 'time' END)
           END AS what_changed,
           d.counted_before, d.counted_after, d.magnitude_before, d.magnitude_after, d.distance_km_before, d.distance_km_after,
           d.origin_time_before, d.origin_time_after, d.known_at, p.threshold_mag, p.radius_km, p.target_start, p.target_hash
    FROM placed p LEFT JOIN differing d USING (recipe_id, target_start, target_hash, as_of_after);

-- 7. How the runs went.

CREATE VIEW v_run AS
    SELECT r.run_id, r.kind, r.state, r.started_at, r.finished_at, (epoch(r.finished_at) - epoch(r.started_at)) / 60 AS minutes,
           coalesce(f.published, 0) AS forecasts, coalesce(f.recipes, 0) AS recipes, coalesce(f.degraded, 0) AS degraded_forecasts,
           coalesce(l.requests, 0) AS requests, coalesce(l.failed, 0) AS failed_requests, coalesce(l.bytes, 0) AS bytes_read,
           coalesce(q.rows, 0) AS quarantined_rows, coalesce(p.reports, 0) AS reports,
           coalesce(try_cast(r.details->'problems' AS VARCHAR[]), []) AS problems, r.details, r.code_version
    FROM run r
    LEFT JOIN (
        SELECT run_id, count(*) FILTER (published) AS published, count(DISTINCT recipe_id) FILTER (published) AS recipes,
               count(*) FILTER (published AND degraded) AS degraded
        FROM forecast GROUP BY run_id) f USING (run_id)
    LEFT JOIN (
        SELECT run_id, count(*) AS requests, count(*) FILTER (status IS NULL OR status = 429 OR status >= 500) AS failed, sum(bytes)::BIGINT AS bytes
        FROM fetch_log GROUP BY run_id) l USING (run_id)
    LEFT JOIN (SELECT run_id, count(*) AS rows FROM quarantine GROUP BY run_id) q USING (run_id)
    LEFT JOIN (SELECT run_id, count(*) AS reports FROM report GROUP BY run_id) p USING (run_id);

-- What everything means: SELECT table_name, column_name, comment FROM duckdb_columns().

COMMENT ON COLUMN event_revision.event_key IS 'The event, whatever it is called: the first id under which we met it';
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
COMMENT ON COLUMN event_revision.observed_at IS 'When we read it';
COMMENT ON COLUMN event_revision.known_at IS 'When it could be known: observed_at, or modelled for rows of the snapshot';
COMMENT ON COLUMN event_revision.known_at_source IS 'observed or modelled';
COMMENT ON COLUMN event_revision.source IS 'usgs or snapshot (the bundled catalogue)';
COMMENT ON COLUMN event_revision.content_md5 IS 'MD5 of what this version says; the same version is stored once';

COMMENT ON COLUMN event_id_map.id IS 'An id under which an event was ever seen';
COMMENT ON COLUMN event_id_map.event_key IS 'The event that it belongs to now';

COMMENT ON COLUMN event_merge.from_key IS 'The event that was taken up';
COMMENT ON COLUMN event_merge.to_key IS 'The event that it belongs to from then on';
COMMENT ON COLUMN event_merge.known_at IS 'When we learnt that the two are one';

COMMENT ON COLUMN event.event_key IS 'The event, whatever it is called';
COMMENT ON COLUMN event.event_id IS 'Its preferred id';
COMMENT ON COLUMN event.origin_time IS 'When the earthquake began';
COMMENT ON COLUMN event.latitude_deg IS 'Of the epicentre, degrees north';
COMMENT ON COLUMN event.longitude_deg IS 'Of the epicentre, degrees east, -180 to 180';
COMMENT ON COLUMN event.depth_km IS 'Below the surface; NULL where the service gives none';
COMMENT ON COLUMN event.magnitude IS 'On the scale of magnitude_type; NULL where the service gives none';
COMMENT ON COLUMN event.magnitude_type IS 'Scale of the magnitude: mww, mb ...';
COMMENT ON COLUMN event.event_type IS 'earthquake, quarry blast ...';
COMMENT ON COLUMN event.status IS 'automatic or reviewed';
COMMENT ON COLUMN event.net IS 'Network whose solution this is';
COMMENT ON COLUMN event.place IS 'Where it was, in the service''s words';
COMMENT ON COLUMN event.updated_at IS 'When the service last changed it; NULL for rows of the snapshot';
COMMENT ON COLUMN event.observed_at IS 'When we read this version';
COMMENT ON COLUMN event.known_at IS 'When this version could be known';
COMMENT ON COLUMN event.first_known_at IS 'When any version of the event could first be known';
COMMENT ON COLUMN event.known_at_source IS 'observed, or modelled for rows of the snapshot';
COMMENT ON COLUMN event.source IS 'usgs or snapshot (the bundled catalogue)';

COMMENT ON COLUMN coverage.stream IS 'Which reading of the catalogue: world, japan, or one recipe''s own';
COMMENT ON COLUMN coverage.min_latitude_deg IS 'Southern edge of what was read';
COMMENT ON COLUMN coverage.max_latitude_deg IS 'Northern edge of what was read';
COMMENT ON COLUMN coverage.min_longitude_deg IS 'Western edge of what was read';
COMMENT ON COLUMN coverage.max_longitude_deg IS 'Eastern edge of what was read';
COMMENT ON COLUMN coverage.min_magnitude IS 'Smallest magnitude that was read';
COMMENT ON COLUMN coverage.span_start IS 'First origin time that was read';
COMMENT ON COLUMN coverage.span_end IS 'End of the origin times that were read; itself not read';
COMMENT ON COLUMN coverage.read_at IS 'When it was read';
COMMENT ON COLUMN coverage.source IS 'Reading that proves it: snapshot, usgs full read, usgs changes';

COMMENT ON COLUMN fetch_log.run_id IS 'The run that asked';
COMMENT ON COLUMN fetch_log.requested_at IS 'When';
COMMENT ON COLUMN fetch_log.url IS 'What was asked';
COMMENT ON COLUMN fetch_log.status IS 'HTTP status of the answer; NULL where none came';
COMMENT ON COLUMN fetch_log.rows IS 'Events in the answer';
COMMENT ON COLUMN fetch_log.bytes IS 'Size of the answer';
COMMENT ON COLUMN fetch_log.elapsed_s IS 'Seconds to the end of the answer';
COMMENT ON COLUMN fetch_log.note IS 'What went wrong, if anything';

COMMENT ON COLUMN quarantine.run_id IS 'The run that read it';
COMMENT ON COLUMN quarantine.source IS 'Where the row came from';
COMMENT ON COLUMN quarantine.observed_at IS 'When we first read it';
COMMENT ON COLUMN quarantine.reason IS 'Why it could not be believed';
COMMENT ON COLUMN quarantine.raw IS 'The row as it came';

COMMENT ON COLUMN model.model_id IS 'Id: recipe, kind, date and hash';
COMMENT ON COLUMN model.recipe_id IS 'The recipe that it was fitted for';
COMMENT ON COLUMN model.kind IS 'Kind of model: etas, pooled, hybrid, convlstm, best_rate, persistence';
COMMENT ON COLUMN model.recipe_hash IS 'Of the recipe at the fit; a changed recipe voids it';
COMMENT ON COLUMN model.directory IS 'Of its weights, below the models folder';
COMMENT ON COLUMN model.data_as_of IS 'It was fitted on what was known then';
COMMENT ON COLUMN model.decision IS 'How it did against the champion of that day';
COMMENT ON COLUMN model.details IS 'model.json: spans, epochs, losses, scores';
COMMENT ON COLUMN model.created_at IS 'When the fit was stored';
COMMENT ON COLUMN model.code_version IS 'Version of quakecast that fitted it';

COMMENT ON COLUMN champion.recipe_id IS 'The recipe';
COMMENT ON COLUMN champion.target_hash IS 'Of the target: place, radius, magnitude, zone, range';
COMMENT ON COLUMN champion.number IS '1, 2, ... for each target';
COMMENT ON COLUMN champion.kind IS 'Kind of model that is published';
COMMENT ON COLUMN champion.model_id IS 'The model that a person named; NULL: the newest of this kind, or the climatology';
COMMENT ON COLUMN champion.since IS 'Forecasts from what was known then on are published from it';
COMMENT ON COLUMN champion.decided_by IS 'rule or person';
COMMENT ON COLUMN champion.reason IS 'Why';
COMMENT ON COLUMN champion.numbers IS 'The gains that decided, as JSON';
COMMENT ON COLUMN champion.code_version IS 'Version of quakecast that decided';

COMMENT ON COLUMN champion_span.recipe_id IS 'The recipe';
COMMENT ON COLUMN champion_span.target_hash IS 'Of the target: place, radius, magnitude, zone, range';
COMMENT ON COLUMN champion_span.kind IS 'Kind of model that is published';
COMMENT ON COLUMN champion_span.model_id IS 'The model; NULL: the climatology';
COMMENT ON COLUMN champion_span.since IS 'From then on';
COMMENT ON COLUMN champion_span.until IS 'When the next took its place; NULL: in office';
COMMENT ON COLUMN champion_span.decided_by IS 'rule or person';
COMMENT ON COLUMN champion_span.reason IS 'Why';
COMMENT ON COLUMN champion_span.number IS '1, 2, ... for each target';

COMMENT ON COLUMN forecast.forecast_id IS 'Deterministic: the same issue has the same id';
COMMENT ON COLUMN forecast.recipe_id IS 'The recipe';
COMMENT ON COLUMN forecast.target_start IS 'Start of the window, the first local midnight of the day';
COMMENT ON COLUMN forecast.target_end IS 'End of the window; itself outside';
COMMENT ON COLUMN forecast.model_id IS 'The model that says it';
COMMENT ON COLUMN forecast.model_kind IS 'Its kind; climatology is the usual rate';
COMMENT ON COLUMN forecast.issue_time IS 'When it was issued';
COMMENT ON COLUMN forecast.as_of IS 'Inputs are what was known then';
COMMENT ON COLUMN forecast.mode IS 'prospective (written before the window), late (inside it), hindcast (after it) or replay (simulated clock); never mix them';
COMMENT ON COLUMN forecast.official IS 'Of the first prospective issue for this recipe and day; it stays';
COMMENT ON COLUMN forecast.published IS 'The model that was shown to people (in a backfill: that would have been); one row of each issue';
COMMENT ON COLUMN forecast.supersedes IS 'forecast_id that a deliberate re-issue replaces';
COMMENT ON COLUMN forecast.probability IS 'Of at least one target earthquake in the window';
COMMENT ON COLUMN forecast.reference_probability IS 'The usual rate of the place as known then: the climatology''s probability';
COMMENT ON COLUMN forecast.recipe_hash IS 'Of the whole recipe';
COMMENT ON COLUMN forecast.target_hash IS 'Of the target alone: place, radius, magnitude, zone, range';
COMMENT ON COLUMN forecast.code_version IS 'Version of quakecast that wrote it';
COMMENT ON COLUMN forecast.degraded IS 'Made with less than it should have been';
COMMENT ON COLUMN forecast.degraded_reason IS 'What was missing';
COMMENT ON COLUMN forecast.data_age_hours IS 'From the end of what had been read of the catalogue to as_of';
COMMENT ON COLUMN forecast.run_id IS 'The run that made it; NULL outside a run';
COMMENT ON COLUMN forecast.created_at IS 'By the machine''s clock, or the simulated one of a replay';

COMMENT ON COLUMN walk_forward_fit.recipe_id IS 'The recipe';
COMMENT ON COLUMN walk_forward_fit.recipe_hash IS 'Of the recipe at the fit';
COMMENT ON COLUMN walk_forward_fit.retrain_every_days IS 'Length of a block of days';
COMMENT ON COLUMN walk_forward_fit.first_day IS 'First local day of the block that it forecasts';
COMMENT ON COLUMN walk_forward_fit.as_of IS 'Issue time of that day: nothing that became known later has entered';
COMMENT ON COLUMN walk_forward_fit.kind IS 'Kind of model that would have been published over the block; climatology needs no model';
COMMENT ON COLUMN walk_forward_fit.model_id IS 'The model; NULL: the climatology';
COMMENT ON COLUMN walk_forward_fit.reason IS 'Why';
COMMENT ON COLUMN walk_forward_fit.numbers IS 'The gains that decided, as JSON';
COMMENT ON COLUMN walk_forward_fit.models IS 'By kind, the fits of this block as rows of the table model, as JSON';
COMMENT ON COLUMN walk_forward_fit.failed IS 'By kind, why one is missing, as JSON';
COMMENT ON COLUMN walk_forward_fit.seconds IS 'What the fits took';
COMMENT ON COLUMN walk_forward_fit.code_version IS 'Version of quakecast that fitted them';
COMMENT ON COLUMN walk_forward_fit.created_at IS 'When they were stored';

COMMENT ON COLUMN outcome.recipe_id IS 'The recipe';
COMMENT ON COLUMN outcome.target_start IS 'Start of the window';
COMMENT ON COLUMN outcome.target_end IS 'End of the window; itself outside';
COMMENT ON COLUMN outcome.target_hash IS 'Of the target: place, radius, magnitude, zone, range';
COMMENT ON COLUMN outcome.happened IS 'Whether a target earthquake came';
COMMENT ON COLUMN outcome.event_count IS 'How many came';
COMMENT ON COLUMN outcome.max_magnitude IS 'Of the largest; NULL where none came';
COMMENT ON COLUMN outcome.status IS 'preliminary for a day, provisional until 45 days after the window, then final';
COMMENT ON COLUMN outcome.as_of IS 'What was known then decided';
COMMENT ON COLUMN outcome.changed IS 'A revision turned yes into no or no into yes since the first outcome';

COMMENT ON COLUMN score.forecast_id IS 'The forecast';
COMMENT ON COLUMN score.recipe_id IS 'The recipe';
COMMENT ON COLUMN score.target_start IS 'Start of the window';
COMMENT ON COLUMN score.mode IS 'Mode of the forecast';
COMMENT ON COLUMN score.happened IS 'The outcome it was scored against';
COMMENT ON COLUMN score.status IS 'provisional or final: of that outcome';
COMMENT ON COLUMN score.log_score IS 'ln of the probability given to what happened, nats';
COMMENT ON COLUMN score.reference_log_score IS 'The same of the usual rate';
COMMENT ON COLUMN score.brier IS '(probability - outcome) squared';
COMMENT ON COLUMN score.scored_at IS 'When';

COMMENT ON COLUMN run.run_id IS 'Id of the run';
COMMENT ON COLUMN run.kind IS 'daily, retrain, backfill ...';
COMMENT ON COLUMN run.started_at IS 'When it began';
COMMENT ON COLUMN run.finished_at IS 'When it ended; NULL while it runs';
COMMENT ON COLUMN run.state IS 'running, success, partial (done, but something was missing) or failed';
COMMENT ON COLUMN run.details IS 'What each step did, as JSON';
COMMENT ON COLUMN run.code_version IS 'Version of quakecast that ran';

COMMENT ON COLUMN alert.alert_id IS 'Deterministic: the same alert has the same id';
COMMENT ON COLUMN alert.target_hash IS 'Of the target; NULL for an alert of the operation';
COMMENT ON COLUMN alert.reason IS 'Why it was raised, in words';
COMMENT ON COLUMN alert.raised_at IS 'When';
COMMENT ON COLUMN alert.forecast_id IS 'The forecast that raised it';
COMMENT ON COLUMN alert.target_end IS 'End of the window that it was raised for';
COMMENT ON COLUMN alert.reference_probability IS 'The usual rate beside probability';
COMMENT ON COLUMN alert.ratio IS 'probability over reference_probability';
COMMENT ON COLUMN alert.last_forecast_id IS 'The last forecast that it stands, or stood, on';
COMMENT ON COLUMN alert.last_target_end IS 'End of that forecast''s window';
COMMENT ON COLUMN alert.cleared_at IS 'When it ended; NULL: it stands';
COMMENT ON COLUMN alert.cleared_reason IS 'Why it ended';

COMMENT ON COLUMN alert_correction.correction_id IS 'Deterministic: the same correction has the same id';
COMMENT ON COLUMN alert_correction.alert_id IS 'The alert';
COMMENT ON COLUMN alert_correction.target_start IS 'Start of the window that it is about';
COMMENT ON COLUMN alert_correction.ratio IS 'Of a forecast: that probability over the usual rate';
COMMENT ON COLUMN alert_correction.reason IS 'What turned out to be otherwise, in words';
COMMENT ON COLUMN alert_correction.corrected_at IS 'When';

COMMENT ON COLUMN report.report_id IS 'Deterministic: the same report has the same id';
COMMENT ON COLUMN report.run_id IS 'The run that wrote it';
COMMENT ON COLUMN report.issue_time IS 'Issue time of its forecasts';
COMMENT ON COLUMN report.mode IS 'Their mode';
COMMENT ON COLUMN report.path IS 'Of the page, below the output folder';
COMMENT ON COLUMN report.forecasts_sha256 IS 'SHA-256 of the forecasts in it, so that what was said cannot be changed unseen';
COMMENT ON COLUMN report.created_at IS 'When it was written';

COMMENT ON COLUMN delivery.subject_kind IS 'report, alert, correction or operations';
COMMENT ON COLUMN delivery.channel IS 'email, webhook ...';
COMMENT ON COLUMN delivery.attempts IS 'How often it was tried';
COMMENT ON COLUMN delivery.created_at IS 'When it was put in the outbox';
COMMENT ON COLUMN delivery.sent_at IS 'When it was accepted';

COMMENT ON COLUMN message.kind IS 'alert, correction or operations';
COMMENT ON COLUMN message.severity IS 'How loudly a channel shows it; it says nothing of the ground';
COMMENT ON COLUMN message.title IS 'Title, or subject of the mail';
COMMENT ON COLUMN message.link IS 'Page to read on';
COMMENT ON COLUMN message.created_at IS 'When it was written';

COMMENT ON TABLE target IS 'What each recipe asks: at least one earthquake of this magnitude in this circle on a local day. One row a version of the target';
COMMENT ON COLUMN target.recipe_id IS 'The recipe';
COMMENT ON COLUMN target.target_hash IS 'Of the fields that make the target; a changed target is another row';
COMMENT ON COLUMN target.display_name IS 'Name of the place by language, as JSON';
COMMENT ON COLUMN target.latitude_deg IS 'Of the centre, degrees north';
COMMENT ON COLUMN target.longitude_deg IS 'Of the centre, degrees east';
COMMENT ON COLUMN target.radius_km IS 'Of the circle, great-circle distance, rim included';
COMMENT ON COLUMN target.threshold_mag IS 'Smallest magnitude that counts';
COMMENT ON COLUMN target.range_days IS 'Local days in a window';
COMMENT ON COLUMN target.time_zone IS 'IANA zone of the local days';
COMMENT ON COLUMN target.comparison_only IS 'Why the recipe is not meant to be relied on; NULL where it is';

COMMENT ON TABLE outcome_turn IS 'Every time that a revision of the catalogue turned an outcome round; append-only';
COMMENT ON COLUMN outcome_turn.recipe_id IS 'The recipe';
COMMENT ON COLUMN outcome_turn.target_start IS 'Start of the window';
COMMENT ON COLUMN outcome_turn.target_hash IS 'Of the target';
COMMENT ON COLUMN outcome_turn.happened IS 'What the outcome became; before it was the opposite';
COMMENT ON COLUMN outcome_turn.status_before IS 'preliminary, provisional or final: of the outcome before';
COMMENT ON COLUMN outcome_turn.status IS 'Of the outcome that it became';
COMMENT ON COLUMN outcome_turn.as_of_before IS 'What was known then gave the outcome before';
COMMENT ON COLUMN outcome_turn.as_of IS 'What was known then gave the new one';

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

COMMENT ON VIEW v_revision_impact IS 'Each time that a revision turned an outcome round, with the events that count now and did not before, or the other way; one row an event, none known: one row without an event';
COMMENT ON COLUMN v_revision_impact.recipe_id IS 'The recipe';
COMMENT ON COLUMN v_revision_impact.place IS 'Name of the place, in English';
COMMENT ON COLUMN v_revision_impact.local_day IS 'The day, in the recipe''s own zone';
COMMENT ON COLUMN v_revision_impact.happened_before IS 'The outcome before';
COMMENT ON COLUMN v_revision_impact.happened_after IS 'The outcome after';
COMMENT ON COLUMN v_revision_impact.status_before IS 'preliminary, provisional or final: of the outcome before';
COMMENT ON COLUMN v_revision_impact.status_after IS 'The same after';
COMMENT ON COLUMN v_revision_impact.as_of_before IS 'What was known then gave the outcome before; NULL: turned before such turns were noted';
COMMENT ON COLUMN v_revision_impact.as_of_after IS 'What was known then gave the new outcome';
COMMENT ON COLUMN v_revision_impact.days_after IS 'From the end of the window to as_of_after, days';
COMMENT ON COLUMN v_revision_impact.event_id IS 'The event that was revised';
COMMENT ON COLUMN v_revision_impact.event_place IS 'Where it was, in the service''s words';
COMMENT ON COLUMN v_revision_impact.what_changed IS 'magnitude, place, time (over the edge of the target); became known; deleted';
COMMENT ON COLUMN v_revision_impact.counted_before IS 'Whether it was a target earthquake as known before';
COMMENT ON COLUMN v_revision_impact.counted_after IS 'Whether it is one as known after';
COMMENT ON COLUMN v_revision_impact.magnitude_before IS 'NULL: not known before';
COMMENT ON COLUMN v_revision_impact.magnitude_after IS 'NULL: deleted, or no earthquake any more';
COMMENT ON COLUMN v_revision_impact.distance_km_before IS 'From the centre of the target, as known before';
COMMENT ON COLUMN v_revision_impact.distance_km_after IS 'The same after';
COMMENT ON COLUMN v_revision_impact.origin_time_before IS 'As known before';
COMMENT ON COLUMN v_revision_impact.origin_time_after IS 'As known after';
COMMENT ON COLUMN v_revision_impact.known_at IS 'When the new version became known';
COMMENT ON COLUMN v_revision_impact.threshold_mag IS 'Smallest magnitude that counts';
COMMENT ON COLUMN v_revision_impact.radius_km IS 'Of the target circle';
COMMENT ON COLUMN v_revision_impact.target_start IS 'Start of the window';
COMMENT ON COLUMN v_revision_impact.target_hash IS 'Of the target';

COMMENT ON VIEW v_run IS 'Every run: how it ended, how long it took, what it read and wrote';
COMMENT ON COLUMN v_run.run_id IS 'Id of the run';
COMMENT ON COLUMN v_run.kind IS 'daily, retrain, backfill ...';
COMMENT ON COLUMN v_run.state IS 'running, success, partial (done, but something was missing) or failed';
COMMENT ON COLUMN v_run.started_at IS 'When it began';
COMMENT ON COLUMN v_run.finished_at IS 'When it ended; NULL while it runs';
COMMENT ON COLUMN v_run.minutes IS 'From beginning to end';
COMMENT ON COLUMN v_run.forecasts IS 'Published forecasts that it made';
COMMENT ON COLUMN v_run.recipes IS 'Recipes that they are for';
COMMENT ON COLUMN v_run.degraded_forecasts IS 'Of them, made with less than they should have been';
COMMENT ON COLUMN v_run.requests IS 'Requests to the service';
COMMENT ON COLUMN v_run.failed_requests IS 'Of them, without an answer or with HTTP 429 or 5xx';
COMMENT ON COLUMN v_run.bytes_read IS 'Size of the answers';
COMMENT ON COLUMN v_run.quarantined_rows IS 'New rows that could not be believed';
COMMENT ON COLUMN v_run.reports IS 'Pages written';
COMMENT ON COLUMN v_run.problems IS 'What went wrong, a line each';
COMMENT ON COLUMN v_run.details IS 'What each step did, as JSON';
COMMENT ON COLUMN v_run.code_version IS 'Version of quakecast that ran';

COMMENT ON MACRO TABLE event_as_of IS 'The catalogue as it was known at a moment: SELECT * FROM event_as_of(TIMESTAMPTZ ''2024-01-01 07:30:00+00'')';
COMMENT ON MACRO TABLE event_versions IS 'Every version of every event with the span [believed_from, believed_until) in which it was believed, as known at a moment';
