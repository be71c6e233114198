-- Hindcasts made in bulk: how a forecast was made, and whether its model had seen the day. DuckDB widens no constraint, so the table is
-- made anew; its rows stay as they are.

CREATE TABLE forecast_before AS SELECT * FROM forecast;
DROP TABLE forecast;
CREATE TABLE forecast (
    forecast_id           VARCHAR PRIMARY KEY,
    recipe_id             VARCHAR NOT NULL,
    target_start          TIMESTAMPTZ NOT NULL,
    target_end            TIMESTAMPTZ NOT NULL,
    model_id              VARCHAR NOT NULL,
    model_kind            VARCHAR NOT NULL,
    issue_time            TIMESTAMPTZ NOT NULL,
    as_of                 TIMESTAMPTZ NOT NULL,   -- inputs are what was known then
    mode                  VARCHAR NOT NULL CHECK (mode IN ('prospective', 'late', 'hindcast', 'replay')),
    official              BOOLEAN NOT NULL,       -- of the first prospective issue for this recipe and day
    published             BOOLEAN NOT NULL,       -- the model that was shown to people; of a backfill, the one that would have been
    supersedes            VARCHAR,                -- forecast_id that a deliberate re-issue replaces
    probability           DOUBLE NOT NULL CHECK (probability > 0 AND probability < 1),
    reference_probability DOUBLE NOT NULL CHECK (reference_probability > 0 AND reference_probability < 1),
    recipe_hash           VARCHAR NOT NULL,
    target_hash           VARCHAR NOT NULL,       -- the target alone: place, radius, magnitude, zone, range
    code_version          VARCHAR NOT NULL,
    degraded              BOOLEAN NOT NULL,
    degraded_reason       VARCHAR,
    data_age_hours        DOUBLE NOT NULL,
    run_id                VARCHAR,
    created_at            TIMESTAMPTZ NOT NULL,   -- by the machine's clock, or the simulated one of a replay
    details               JSON,
    method                VARCHAR NOT NULL DEFAULT 'daily' CHECK (method IN ('daily', 'walk-forward', 'current-model')),
    in_sample             BOOLEAN NOT NULL DEFAULT false,
    CHECK (method = 'daily' OR mode IN ('hindcast', 'replay')),
    CHECK (NOT official OR method = 'daily'),
    CHECK (NOT in_sample OR method = 'current-model'),
    UNIQUE (recipe_id, recipe_hash, target_start, model_id, issue_time, mode, method)
);
INSERT INTO forecast BY NAME SELECT * FROM forecast_before;
DROP TABLE forecast_before;
COMMENT ON TABLE forecast IS 'Every forecast of every model; one row of each issue is published';
COMMENT ON COLUMN forecast.details IS 'What the model says besides: expected_count and count_low, count_high (95 %), where it counts';
COMMENT ON COLUMN forecast.method IS 'daily: one day at a time, by the models of that day. By a backfill: walk-forward, by models fitted on nothing but what was known before the block of days, out of sample without exception; current-model, by the models of the day on which the backfill ran';
COMMENT ON COLUMN forecast.in_sample IS 'The model has seen this day, or days too near to it: the row is shown as such and is never scored';

CREATE TABLE walk_forward_fit (
    recipe_id          VARCHAR NOT NULL,
    recipe_hash        VARCHAR NOT NULL,
    retrain_every_days INTEGER NOT NULL,
    first_day          DATE NOT NULL,              -- of the block of days that it forecasts, local
    as_of              TIMESTAMPTZ NOT NULL,       -- the issue time of that day: nothing that became known later has entered
    kind               VARCHAR NOT NULL,           -- what is published over the block; climatology needs no model
    model_id           VARCHAR,
    reason             VARCHAR NOT NULL,
    numbers            JSON NOT NULL,              -- the gains that decided
    models             JSON NOT NULL,              -- by kind, the fits of this block as rows of the table model, directories included
    failed             JSON NOT NULL,              -- by kind, why one is missing
    seconds            DOUBLE NOT NULL,            -- what the fits took
    code_version       VARCHAR NOT NULL,
    created_at         TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (recipe_id, recipe_hash, retrain_every_days, first_day)
);
COMMENT ON TABLE walk_forward_fit IS 'The fits of walk-forward backfills and whom they would have published, each compared with the block before; apart from model and champion, so that no backfill changes what is published tomorrow';
