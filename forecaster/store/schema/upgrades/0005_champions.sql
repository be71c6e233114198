-- Many kinds of models for a recipe, and which of them is published.

ALTER TABLE model DROP COLUMN champion;
COMMENT ON TABLE model IS 'Every fitted model; of each kind the newest of a recipe (by data_as_of) forecasts. The weights lie in the models folder';
COMMENT ON COLUMN model.decision IS 'How it did against the champion of that day';

CREATE TABLE champion (
    recipe_id    VARCHAR NOT NULL,
    target_hash  VARCHAR NOT NULL,
    number       INTEGER NOT NULL,          -- 1, 2, ... for each target
    kind         VARCHAR NOT NULL,
    model_id     VARCHAR,                   -- NULL: the climatology, which needs no fit
    since        TIMESTAMPTZ NOT NULL,      -- forecasts from what was known then on are published from this model
    decided_by   VARCHAR NOT NULL CHECK (decided_by IN ('rule', 'person')),
    reason       VARCHAR NOT NULL,
    numbers      JSON NOT NULL,             -- the gains that decided
    code_version VARCHAR NOT NULL,
    PRIMARY KEY (recipe_id, target_hash, number)
);
COMMENT ON TABLE champion IS 'Which model is published, one row a change, never rewritten; without a row it is the climatology';

CREATE VIEW champion_span AS
    SELECT recipe_id, target_hash, kind, model_id, since, lead(since) OVER (PARTITION BY recipe_id, target_hash ORDER BY since, number) AS until,
           decided_by, reason, number
    FROM champion;
COMMENT ON VIEW champion_span IS 'Champions with the time at which the next took their place; NULL: in office';

ALTER TABLE forecast ADD COLUMN details JSON;
COMMENT ON COLUMN forecast.details IS 'What the model says besides: expected_count and count_low, count_high (95 %), where it counts';
