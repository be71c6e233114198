-- Alerts with their whole life: what raised them, for which windows they stand, what was told since. The table was empty until now.

DROP TABLE alert;
CREATE TABLE alert (
    alert_id              VARCHAR PRIMARY KEY,
    kind                  VARCHAR NOT NULL CHECK (kind IN ('forecast', 'operations')),
    rule                  VARCHAR NOT NULL,
    recipe_id             VARCHAR NOT NULL,
    target_hash           VARCHAR,
    mode                  VARCHAR NOT NULL CHECK (mode IN ('prospective', 'late', 'replay')),
    severity              VARCHAR NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    state                 VARCHAR NOT NULL CHECK (state IN ('raised', 'cleared', 'withdrawn')),
    message               VARCHAR NOT NULL,
    reason                VARCHAR NOT NULL,
    raised_at             TIMESTAMPTZ NOT NULL,
    held_until            TIMESTAMPTZ,
    forecast_id           VARCHAR,
    target_start          TIMESTAMPTZ,
    target_end            TIMESTAMPTZ,
    probability           DOUBLE,
    reference_probability DOUBLE,
    ratio                 DOUBLE,
    last_forecast_id      VARCHAR,
    last_target_start     TIMESTAMPTZ,
    last_target_end       TIMESTAMPTZ,
    cleared_at            TIMESTAMPTZ,
    cleared_for           TIMESTAMPTZ,
    cleared_reason        VARCHAR,
    thread_id             VARCHAR NOT NULL,
    channels              JSON,
    bounds                JSON,
    expected              JSON,
    outcomes              JSON,
    CHECK (kind = 'operations' OR (target_hash IS NOT NULL AND target_start < target_end AND last_target_start >= target_start)),
    CHECK ((state = 'raised') = (cleared_at IS NULL))
);
COMMENT ON TABLE alert IS 'Alerts of the recipes'' rules and of the operation; ids are deterministic, so that a second run raises none twice';
COMMENT ON COLUMN alert.kind IS 'forecast: a rule of a recipe; operations: something is wrong with the machine';
COMMENT ON COLUMN alert.rule IS 'Name of the rule in the recipe, or of the check of the operation';
COMMENT ON COLUMN alert.recipe_id IS 'Empty where an alert of the operation concerns no recipe';
COMMENT ON COLUMN alert.mode IS 'Mode of the forecast that raised it; an alert of a replay stays with replays';
COMMENT ON COLUMN alert.severity IS 'How loudly a channel shows it; it says nothing of the ground';
COMMENT ON COLUMN alert.state IS 'raised: it stands; cleared: it ended; withdrawn: a revision or a new issue took away what it was raised on';
COMMENT ON COLUMN alert.message IS 'Title of the message';
COMMENT ON COLUMN alert.held_until IS 'End of the quiet hours in which it was raised: it is sent then; NULL: at once';
COMMENT ON COLUMN alert.target_start IS 'Start of the window that it was raised for';
COMMENT ON COLUMN alert.probability IS 'Published for that window when it was raised, as are reference_probability and ratio';
COMMENT ON COLUMN alert.last_target_start IS 'Start of the last window that it stands, or stood, for';
COMMENT ON COLUMN alert.cleared_for IS 'Start of the window whose forecast ended it';
COMMENT ON COLUMN alert.thread_id IS 'Message that follow-ups answer: the alert''s own id';
COMMENT ON COLUMN alert.channels IS 'Channels of the rule when it was raised; NULL: every channel that is set up';
COMMENT ON COLUMN alert.bounds IS 'The rule as it was when it was raised';
COMMENT ON COLUMN alert.expected IS 'Rates of false alarms, alerts a year and hits of the rule, from out-of-sample forecasts, as known when it was raised';
COMMENT ON COLUMN alert.outcomes IS 'Settled outcomes of its windows as they were first seen and after each turn: {target_start: {happened, turns}}';

CREATE TABLE alert_correction (
    correction_id VARCHAR PRIMARY KEY,
    alert_id      VARCHAR NOT NULL,
    kind          VARCHAR NOT NULL CHECK (kind IN ('outcome', 'forecast')),
    target_start  TIMESTAMPTZ NOT NULL,
    happened      BOOLEAN,
    probability   DOUBLE,
    ratio         DOUBLE,
    reason        VARCHAR NOT NULL,
    corrected_at  TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE alert_correction IS 'What turned out to be otherwise than an alert or its record had said; sent to the same channels, in the same thread';
COMMENT ON COLUMN alert_correction.kind IS 'outcome: a revision turned the outcome of one of its windows; forecast: what raised it no longer holds';
COMMENT ON COLUMN alert_correction.happened IS 'Of an outcome: as it is known now';
COMMENT ON COLUMN alert_correction.probability IS 'Of a forecast: what the same model says of the same window and moment with the events as they are known now, or the new issue';
