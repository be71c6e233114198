-- What was said, by which model, and how it turned out.

CREATE TABLE model (
    model_id     VARCHAR PRIMARY KEY,
    recipe_id    VARCHAR NOT NULL,
    kind         VARCHAR NOT NULL,
    recipe_hash  VARCHAR NOT NULL,
    directory    VARCHAR NOT NULL,          -- below the models folder
    data_as_of   TIMESTAMPTZ NOT NULL,
    champion     BOOLEAN NOT NULL,          -- published instead of the reference
    decision     VARCHAR NOT NULL,          -- why, or why not
    details      JSON NOT NULL,             -- spans, epochs, losses, scores: model.json
    created_at   TIMESTAMPTZ NOT NULL,
    code_version VARCHAR NOT NULL
);
COMMENT ON TABLE model IS 'Every fitted model; the newest of a recipe (by data_as_of) serves. The weights lie in the models folder';

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
    published             BOOLEAN NOT NULL,       -- the model that was shown to people
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
    UNIQUE (recipe_id, recipe_hash, target_start, model_id, issue_time, mode)
);
COMMENT ON TABLE forecast IS 'Every forecast of every model; one row of each issue is published';

CREATE TABLE outcome (
    recipe_id     VARCHAR NOT NULL,
    target_start  TIMESTAMPTZ NOT NULL,
    target_end    TIMESTAMPTZ NOT NULL,
    target_hash   VARCHAR NOT NULL,
    happened      BOOLEAN NOT NULL,
    event_count   BIGINT NOT NULL,
    max_magnitude DOUBLE,
    status        VARCHAR NOT NULL CHECK (status IN ('preliminary', 'provisional', 'final')),
    as_of         TIMESTAMPTZ NOT NULL,
    changed       BOOLEAN NOT NULL,               -- a revision turned yes into no or no into yes since the first outcome
    PRIMARY KEY (recipe_id, target_start, target_hash)
);
COMMENT ON TABLE outcome IS 'Whether the target happened: preliminary in the first day, provisional until 45 days after the window, then final';

CREATE TABLE score (
    forecast_id         VARCHAR PRIMARY KEY,
    recipe_id           VARCHAR NOT NULL,
    target_start        TIMESTAMPTZ NOT NULL,
    mode                VARCHAR NOT NULL,
    happened            BOOLEAN NOT NULL,
    status              VARCHAR NOT NULL CHECK (status IN ('provisional', 'final')),
    log_score           DOUBLE NOT NULL,          -- ln of the probability given to what happened
    reference_log_score DOUBLE NOT NULL,
    brier               DOUBLE NOT NULL,
    scored_at           TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE score IS 'Scores of official forecasts, and of late, hindcast and replayed ones under their own mode';
