-- The ladder of each published forecast, longer windows and larger magnitudes, and what became of every rung.

CREATE TABLE rung (
    forecast_id           VARCHAR NOT NULL,
    horizon_days          INTEGER NOT NULL CHECK (horizon_days > 0),
    magnitude             DOUBLE NOT NULL,
    window_end            TIMESTAMPTZ NOT NULL,
    probability           DOUBLE NOT NULL CHECK (probability > 0 AND probability < 1),
    reference_probability DOUBLE NOT NULL CHECK (reference_probability > 0 AND reference_probability < 1),
    etas_probability      DOUBLE CHECK (etas_probability > 0 AND etas_probability < 1),
    expected_count        DOUBLE NOT NULL CHECK (expected_count >= 0),
    count_low             BIGINT NOT NULL CHECK (count_low >= 0),
    count_high            BIGINT NOT NULL CHECK (count_high >= count_low),
    usual_count           DOUBLE NOT NULL,
    basis                 VARCHAR NOT NULL,
    b_value               DOUBLE NOT NULL,
    b_sigma               DOUBLE NOT NULL,
    beyond_record         BOOLEAN NOT NULL,
    version               INTEGER NOT NULL,
    PRIMARY KEY (forecast_id, horizon_days, magnitude)
);
COMMENT ON TABLE rung IS 'The ladder of each published forecast: one row a horizon and magnitude. Written with its forecast, never changed';
COMMENT ON COLUMN rung.forecast_id IS 'The published forecast';
COMMENT ON COLUMN rung.horizon_days IS 'Local days from the start of the target';
COMMENT ON COLUMN rung.magnitude IS 'Smallest magnitude that counts';
COMMENT ON COLUMN rung.window_end IS 'End of the window, itself outside; it begins with the target';
COMMENT ON COLUMN rung.probability IS 'Of at least one such earthquake in the window';
COMMENT ON COLUMN rung.reference_probability IS 'What is usual for such a window and magnitude, as known then';
COMMENT ON COLUMN rung.etas_probability IS 'What ETAS alone says; NULL where no ETAS may forecast the day';
COMMENT ON COLUMN rung.expected_count IS 'Expected number of such earthquakes';
COMMENT ON COLUMN rung.count_low IS 'Lower end of the 95 % range of the number';
COMMENT ON COLUMN rung.count_high IS 'Upper end of that range, inside it';
COMMENT ON COLUMN rung.usual_count IS 'The usual number in such a window';
COMMENT ON COLUMN rung.basis IS 'What gives longer windows their shape: etas, or climatology where nothing but the usual rate was published';
COMMENT ON COLUMN rung.b_value IS 'Slope of the magnitudes that was used: the place''s, drawn towards the world''s';
COMMENT ON COLUMN rung.b_sigma IS 'Its standard deviation';
COMMENT ON COLUMN rung.beyond_record IS 'Larger than anything in the record of the circle: the law is carried on beyond what was seen';
COMMENT ON COLUMN rung.version IS 'Of the rules by which ladders are made';

CREATE TABLE rung_outcome (
    recipe_id    VARCHAR NOT NULL,
    target_hash  VARCHAR NOT NULL,
    target_start TIMESTAMPTZ NOT NULL,
    horizon_days INTEGER NOT NULL,
    magnitude    DOUBLE NOT NULL,
    window_end   TIMESTAMPTZ NOT NULL,
    happened     BOOLEAN NOT NULL,
    event_count  BIGINT NOT NULL,
    status       VARCHAR NOT NULL CHECK (status IN ('preliminary', 'provisional', 'final')),
    as_of        TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (recipe_id, target_hash, target_start, horizon_days, magnitude)
);
COMMENT ON TABLE rung_outcome IS 'What became of each rung whose window has ended: preliminary in the first day, provisional until 45 days after it, then final';
COMMENT ON COLUMN rung_outcome.recipe_id IS 'The recipe';
COMMENT ON COLUMN rung_outcome.target_hash IS 'Of the target';
COMMENT ON COLUMN rung_outcome.target_start IS 'Start of the window';
COMMENT ON COLUMN rung_outcome.horizon_days IS 'Its length, local days';
COMMENT ON COLUMN rung_outcome.magnitude IS 'Smallest magnitude that counts';
COMMENT ON COLUMN rung_outcome.window_end IS 'End of the window, as it was promised';
COMMENT ON COLUMN rung_outcome.happened IS 'Whether such an earthquake came';
COMMENT ON COLUMN rung_outcome.event_count IS 'How many came';
COMMENT ON COLUMN rung_outcome.status IS 'preliminary (never scored), provisional or final (45 days after the window)';
COMMENT ON COLUMN rung_outcome.as_of IS 'By the catalogue as it was known then';

CREATE VIEW v_ladder AS
    WITH told AS (
        SELECT f.recipe_id, f.place, f.local_day, r.horizon_days, r.magnitude, f.target_start, r.window_end, r.probability, r.reference_probability,
               r.probability / r.reference_probability AS ratio, r.expected_count, r.count_low, r.count_high, r.usual_count,
               r.etas_probability, r.basis, r.b_value, r.b_sigma, r.beyond_record, f.mode, f.method, f.official, f.counts, f.issue_time,
               f.threshold_mag, f.degraded, o.happened, o.event_count, o.status AS outcome_status,
               o.event_count BETWEEN r.count_low AND r.count_high AS in_range,
               o.status IN ('provisional', 'final') AND NOT f.in_sample AS scored, f.forecast_id, f.target_hash, r.version
        FROM rung r JOIN v_forecast f USING (forecast_id)
        LEFT JOIN rung_outcome o ON o.recipe_id = f.recipe_id AND o.target_hash = f.target_hash AND o.target_start = f.target_start
            AND o.horizon_days = r.horizon_days AND o.magnitude = r.magnitude
    )
    SELECT recipe_id, place, local_day, horizon_days, magnitude, probability, reference_probability, ratio, expected_count, count_low, count_high,
           usual_count, beyond_record, target_start, window_end, mode, method, official, counts, issue_time, happened, event_count, in_range,
           outcome_status,
           CASE WHEN scored THEN ln(CASE WHEN happened THEN probability ELSE 1 - probability END) END AS log_score,
           CASE WHEN scored THEN CASE WHEN happened THEN ln(probability / reference_probability)
                ELSE ln((1 - probability) / (1 - reference_probability)) END END AS information_gain,
           CASE WHEN scored THEN CASE WHEN happened THEN ln(probability / etas_probability)
                ELSE ln((1 - probability) / (1 - etas_probability)) END END AS gain_over_etas,
           etas_probability, basis, b_value, b_sigma, threshold_mag, degraded, forecast_id, target_hash, version
    FROM told;
COMMENT ON VIEW v_ladder IS 'The ladder of every published forecast: one row a horizon and magnitude, with what came. Windows of several days overlap: their rows are not independent. Filter by mode, and by counts where a day is to count once';
COMMENT ON COLUMN v_ladder.recipe_id IS 'The recipe';
COMMENT ON COLUMN v_ladder.place IS 'Name of the place, in English';
COMMENT ON COLUMN v_ladder.local_day IS 'The day on which the window begins, in the recipe''s own zone';
COMMENT ON COLUMN v_ladder.horizon_days IS 'Length of the window, local days from the start of the target: 1, 3, 7, 30, and the recipe''s own';
COMMENT ON COLUMN v_ladder.magnitude IS 'Smallest magnitude that counts: the threshold, and up to 2 above it in steps of a half, up to M 8';
COMMENT ON COLUMN v_ladder.probability IS 'Of at least one such earthquake; that of v_forecast for the threshold and the recipe''s own window';
COMMENT ON COLUMN v_ladder.reference_probability IS 'What is usual for such a window and magnitude, as known then';
COMMENT ON COLUMN v_ladder.ratio IS 'probability over reference_probability: how many times the usual';
COMMENT ON COLUMN v_ladder.expected_count IS 'Expected number of such earthquakes';
COMMENT ON COLUMN v_ladder.count_low IS 'Lower end of the 95 % range of the number';
COMMENT ON COLUMN v_ladder.count_high IS 'Upper end of that range, inside it';
COMMENT ON COLUMN v_ladder.usual_count IS 'The usual number in such a window';
COMMENT ON COLUMN v_ladder.beyond_record IS 'Larger than anything in the record of the circle: the law is carried on beyond what was seen';
COMMENT ON COLUMN v_ladder.target_start IS 'Start of the window, as a moment';
COMMENT ON COLUMN v_ladder.window_end IS 'End of the window; itself outside';
COMMENT ON COLUMN v_ladder.mode IS 'prospective, late, hindcast or replay; never mix them';
COMMENT ON COLUMN v_ladder.method IS 'daily: one day at a time; others are a backfill''s, see forecast.method';
COMMENT ON COLUMN v_ladder.official IS 'Of the first prospective issue for this recipe and day; it stays';
COMMENT ON COLUMN v_ladder.counts IS 'Of the one issue of its day and mode that skill counts';
COMMENT ON COLUMN v_ladder.issue_time IS 'When it was issued';
COMMENT ON COLUMN v_ladder.happened IS 'Whether such an earthquake came; NULL: not known yet, which is not no';
COMMENT ON COLUMN v_ladder.event_count IS 'How many came';
COMMENT ON COLUMN v_ladder.in_range IS 'Whether that number lies in the 95 % range';
COMMENT ON COLUMN v_ladder.outcome_status IS 'preliminary (never scored), provisional or final (45 days after the window); NULL: not settled';
COMMENT ON COLUMN v_ladder.log_score IS 'ln of the probability given to what happened, nats; NULL: not scored';
COMMENT ON COLUMN v_ladder.information_gain IS 'log_score less that of the usual rate, nats';
COMMENT ON COLUMN v_ladder.gain_over_etas IS 'log_score less that of ETAS alone, nats';
COMMENT ON COLUMN v_ladder.etas_probability IS 'What ETAS alone says; NULL where no ETAS may forecast the day';
COMMENT ON COLUMN v_ladder.basis IS 'What gives longer windows their shape: etas, or climatology where nothing but the usual rate was published';
COMMENT ON COLUMN v_ladder.b_value IS 'Slope of the magnitudes that was used: the place''s, drawn towards the world''s';
COMMENT ON COLUMN v_ladder.b_sigma IS 'Its standard deviation';
COMMENT ON COLUMN v_ladder.threshold_mag IS 'Threshold of the recipe: the smallest rung';
COMMENT ON COLUMN v_ladder.degraded IS 'The forecast was made with less than it should have been';
COMMENT ON COLUMN v_ladder.forecast_id IS 'Id of the forecast';
COMMENT ON COLUMN v_ladder.target_hash IS 'Of the target';
COMMENT ON COLUMN v_ladder.version IS 'Of the rules by which the ladder was made';
