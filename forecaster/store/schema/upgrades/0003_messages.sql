-- Runs, reports and what was sent to people.

CREATE TABLE run (
    run_id       VARCHAR PRIMARY KEY,
    kind         VARCHAR NOT NULL,
    started_at   TIMESTAMPTZ NOT NULL,
    finished_at  TIMESTAMPTZ,
    state        VARCHAR NOT NULL CHECK (state IN ('running', 'success', 'partial', 'failed')),
    details      JSON,
    code_version VARCHAR NOT NULL
);
COMMENT ON TABLE run IS 'Every run of the daily job and how it ended';

CREATE TABLE alert (
    alert_id     VARCHAR PRIMARY KEY,
    recipe_id    VARCHAR NOT NULL,
    rule         VARCHAR NOT NULL,
    forecast_id  VARCHAR,
    severity     VARCHAR NOT NULL,
    message      VARCHAR NOT NULL,
    raised_at    TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE alert IS 'Raised alerts; ids are deterministic, so that a second run raises none twice';

CREATE TABLE report (
    report_id        VARCHAR PRIMARY KEY,
    run_id           VARCHAR,
    issue_time       TIMESTAMPTZ NOT NULL,
    mode             VARCHAR NOT NULL,
    path             VARCHAR NOT NULL,            -- below the output folder
    forecasts_sha256 VARCHAR NOT NULL,
    created_at       TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE report IS 'Written report pages';

CREATE TABLE delivery (
    delivery_id VARCHAR PRIMARY KEY,              -- SHA-256 of subject and channel
    subject_id  VARCHAR NOT NULL,                 -- a report or an alert
    channel     VARCHAR NOT NULL,
    recipient   VARCHAR NOT NULL,                 -- a label, never an address with a secret
    state       VARCHAR NOT NULL CHECK (state IN ('pending', 'sent', 'failed', 'dead')),
    attempts    INTEGER NOT NULL,
    last_error  VARCHAR,
    created_at  TIMESTAMPTZ NOT NULL,
    next_try_at TIMESTAMPTZ,
    sent_at     TIMESTAMPTZ
);
COMMENT ON TABLE delivery IS 'The outbox: one row a message and channel';
