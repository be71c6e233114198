-- The file grew mainly by indexes: after ten years 475 of 760 MB, copied after every run and written anew with every day's rows. What they
-- guarded is guarded where the rows are written: a score or an outcome of a rung replaces the earlier one of the same key, a rung is added
-- once with its forecast, and the id of a forecast is derived from all seven columns of the former UNIQUE.

ALTER TABLE forecast RENAME TO forecast_before;
CREATE TABLE forecast (
    forecast_id           VARCHAR PRIMARY KEY,
    recipe_id             VARCHAR NOT NULL,
    target_start          TIMESTAMPTZ NOT NULL,
    target_end            TIMESTAMPTZ NOT NULL,
    model_id              VARCHAR NOT NULL,
    model_kind            VARCHAR NOT NULL,
    issue_time            TIMESTAMPTZ NOT NULL,
    as_of                 TIMESTAMPTZ NOT NULL,
    mode                  VARCHAR NOT NULL CHECK (mode IN ('prospective', 'late', 'hindcast', 'replay')),
    official              BOOLEAN NOT NULL,
    published             BOOLEAN NOT NULL,
    supersedes            VARCHAR,
    probability           DOUBLE NOT NULL CHECK ((probability > 0) AND (probability < 1)),
    reference_probability DOUBLE NOT NULL CHECK ((reference_probability > 0) AND (reference_probability < 1)),
    recipe_hash           VARCHAR NOT NULL,
    target_hash           VARCHAR NOT NULL,
    code_version          VARCHAR NOT NULL,
    degraded              BOOLEAN NOT NULL,
    degraded_reason       VARCHAR,
    data_age_hours        DOUBLE NOT NULL,
    run_id                VARCHAR,
    created_at            TIMESTAMPTZ NOT NULL,
    details               JSON,
    method                VARCHAR NOT NULL DEFAULT 'daily' CHECK (method IN ('daily', 'walk-forward', 'current-model')),
    in_sample             BOOLEAN NOT NULL DEFAULT false,
    degraded_reasons      JSON,
    CHECK ((method = 'daily') OR (mode IN ('hindcast', 'replay'))),
    CHECK ((NOT official) OR (method = 'daily')),
    CHECK ((NOT in_sample) OR (method = 'current-model'))
);
INSERT INTO forecast SELECT * FROM forecast_before;
DROP TABLE forecast_before;

ALTER TABLE score RENAME TO score_before;
CREATE TABLE score (
    forecast_id         VARCHAR NOT NULL,
    recipe_id           VARCHAR NOT NULL,
    target_start        TIMESTAMPTZ NOT NULL,
    mode                VARCHAR NOT NULL,
    happened            BOOLEAN NOT NULL,
    status              VARCHAR NOT NULL CHECK (status IN ('provisional', 'final')),
    log_score           DOUBLE NOT NULL,
    reference_log_score DOUBLE NOT NULL,
    brier               DOUBLE NOT NULL,
    scored_at           TIMESTAMPTZ NOT NULL
);
INSERT INTO score SELECT * FROM score_before;
DROP TABLE score_before;

ALTER TABLE rung RENAME TO rung_before;
CREATE TABLE rung (
    forecast_id           VARCHAR NOT NULL,
    horizon_days          INTEGER NOT NULL CHECK (horizon_days > 0),
    magnitude             DOUBLE NOT NULL,
    window_end            TIMESTAMPTZ NOT NULL,
    probability           DOUBLE NOT NULL CHECK ((probability > 0) AND (probability < 1)),
    reference_probability DOUBLE NOT NULL CHECK ((reference_probability > 0) AND (reference_probability < 1)),
    etas_probability      DOUBLE CHECK ((etas_probability > 0) AND (etas_probability < 1)),
    expected_count        DOUBLE NOT NULL CHECK (expected_count >= 0),
    count_low             BIGINT NOT NULL CHECK (count_low >= 0),
    count_high            BIGINT NOT NULL,
    usual_count           DOUBLE NOT NULL,
    basis                 VARCHAR NOT NULL,
    b_value               DOUBLE NOT NULL,
    b_sigma               DOUBLE NOT NULL,
    beyond_record         BOOLEAN NOT NULL,
    version               INTEGER NOT NULL,
    CHECK (count_high >= count_low)
);
INSERT INTO rung SELECT * FROM rung_before;
DROP TABLE rung_before;

ALTER TABLE rung_outcome RENAME TO rung_outcome_before;
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
    as_of        TIMESTAMPTZ NOT NULL
);
INSERT INTO rung_outcome SELECT * FROM rung_outcome_before;
DROP TABLE rung_outcome_before;

COMMENT ON TABLE forecast IS 'Every forecast of every model; one row of each issue is published, of kind published: the combination of the others';
COMMENT ON COLUMN forecast.forecast_id IS 'Deterministic: the same issue has the same id';
COMMENT ON COLUMN forecast.recipe_id IS 'The recipe';
COMMENT ON COLUMN forecast.target_start IS 'Start of the window, the first local midnight of the day';
COMMENT ON COLUMN forecast.target_end IS 'End of the window; itself outside';
COMMENT ON COLUMN forecast.model_id IS 'The model that computed it';
COMMENT ON COLUMN forecast.model_kind IS 'Its kind, as in model.kind; climatology is the usual rate, etas_generic an ETAS that was fitted nowhere, published the combination of the others';
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
COMMENT ON COLUMN forecast.degraded_reason IS 'What was missing, in English; degraded_reasons holds the same as keys and values';
COMMENT ON COLUMN forecast.data_age_hours IS 'From the end of what had been read of the catalogue to as_of';
COMMENT ON COLUMN forecast.run_id IS 'The run that made it; NULL outside a run';
COMMENT ON COLUMN forecast.created_at IS 'By the machine''s clock, or the simulated one of a replay';
COMMENT ON COLUMN forecast.details IS 'Further results of the model, as JSON: expected_count and count_low, count_high (95 %), where it counts; drivers: the contributing events of a published forecast, each with the probability without it; without_recent, that without the last 30 days';
COMMENT ON COLUMN forecast.method IS 'daily: one day at a time, by the models of that day. By a backfill: walk-forward, by models fitted on nothing but what was known before the block of days, out of sample without exception; current-model, by the models of the day on which the backfill ran';
COMMENT ON COLUMN forecast.in_sample IS 'The model has seen this day, or days too near to it: the row is shown as such and is never scored';
COMMENT ON COLUMN forecast.degraded_reasons IS 'What was missing, as a JSON list of reasons: each has a key, its values, and because, the reasons behind it; NULL in rows of schema 23 and before';
COMMENT ON TABLE score IS 'Scores of official forecasts, and of late, hindcast and replayed ones under their own mode';
COMMENT ON COLUMN score.forecast_id IS 'The forecast';
COMMENT ON COLUMN score.recipe_id IS 'The recipe';
COMMENT ON COLUMN score.target_start IS 'Start of the window';
COMMENT ON COLUMN score.mode IS 'Mode of the forecast';
COMMENT ON COLUMN score.happened IS 'The outcome it was scored against';
COMMENT ON COLUMN score.status IS 'provisional or final: of that outcome';
COMMENT ON COLUMN score.log_score IS 'ln of the probability given to what was observed, nats';
COMMENT ON COLUMN score.reference_log_score IS 'The same of the usual rate';
COMMENT ON COLUMN score.brier IS '(probability - outcome) squared';
COMMENT ON COLUMN score.scored_at IS 'When';
COMMENT ON TABLE rung IS 'The ladder of each published forecast: one row a horizon and magnitude. Written with its forecast, never changed';
COMMENT ON COLUMN rung.forecast_id IS 'The published forecast';
COMMENT ON COLUMN rung.horizon_days IS 'Local days from the start of the target';
COMMENT ON COLUMN rung.magnitude IS 'Smallest magnitude that counts';
COMMENT ON COLUMN rung.window_end IS 'End of the window, itself outside; it begins with the target';
COMMENT ON COLUMN rung.probability IS 'Of at least one such earthquake in the window';
COMMENT ON COLUMN rung.reference_probability IS 'What is usual for such a window and magnitude, as known then';
COMMENT ON COLUMN rung.etas_probability IS 'Probability of ETAS alone; NULL where no ETAS may forecast the day';
COMMENT ON COLUMN rung.expected_count IS 'Expected number of such earthquakes';
COMMENT ON COLUMN rung.count_low IS 'Lower end of the 95 % range of the number';
COMMENT ON COLUMN rung.count_high IS 'Upper end of that range, inside it';
COMMENT ON COLUMN rung.usual_count IS 'The usual number in such a window';
COMMENT ON COLUMN rung.basis IS 'What gives longer windows their shape: etas, or climatology where nothing but the usual rate was published';
COMMENT ON COLUMN rung.b_value IS 'Slope of the magnitudes that was used: the place''s, drawn towards the world''s';
COMMENT ON COLUMN rung.b_sigma IS 'Its standard deviation';
COMMENT ON COLUMN rung.beyond_record IS 'Larger than anything in the record of the circle: the magnitude law is extrapolated';
COMMENT ON COLUMN rung.version IS 'Of the rules by which ladders are made';
COMMENT ON TABLE rung_outcome IS 'Outcome of each rung whose window has ended: preliminary in the first day, provisional until 45 days after it, then final';
COMMENT ON COLUMN rung_outcome.recipe_id IS 'The recipe';
COMMENT ON COLUMN rung_outcome.target_hash IS 'Of the target';
COMMENT ON COLUMN rung_outcome.target_start IS 'Start of the window';
COMMENT ON COLUMN rung_outcome.horizon_days IS 'Its length, local days';
COMMENT ON COLUMN rung_outcome.magnitude IS 'Smallest magnitude that counts';
COMMENT ON COLUMN rung_outcome.window_end IS 'End of the window, as it was promised';
COMMENT ON COLUMN rung_outcome.happened IS 'Whether such an earthquake was observed';
COMMENT ON COLUMN rung_outcome.event_count IS 'Number of them observed';
COMMENT ON COLUMN rung_outcome.status IS 'preliminary (never scored), provisional or final (45 days after the window)';
COMMENT ON COLUMN rung_outcome.as_of IS 'By the catalogue as it was known then';
