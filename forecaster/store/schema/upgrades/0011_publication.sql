-- What is published is a combination of all members: its weights, and what a person decides instead. The table champion stays as history.

CREATE TABLE combination (
    scope        VARCHAR NOT NULL,
    target_hash  VARCHAR NOT NULL,
    number       INTEGER NOT NULL,
    base         VARCHAR NOT NULL,
    since        TIMESTAMPTZ NOT NULL,
    weights      JSON NOT NULL,
    belief       JSON NOT NULL,
    rate_only    BOOLEAN NOT NULL,
    reason       VARCHAR NOT NULL,
    numbers      JSON NOT NULL,
    code_version VARCHAR NOT NULL,
    PRIMARY KEY (scope, target_hash, number)
);
COMMENT ON TABLE combination IS 'Weights of the published combination, learnt from settled official forecasts; one row each time they are learnt, never rewritten. Without a row the weights of the package count';
COMMENT ON COLUMN combination.scope IS 'world: of all recipes together; else the recipe whose own record has moved them';
COMMENT ON COLUMN combination.target_hash IS 'Of the target: place, radius, magnitude, zone, range; empty for the world';
COMMENT ON COLUMN combination.number IS '1, 2, ... for each scope and target';
COMMENT ON COLUMN combination.base IS 'The weights of the package that they were learnt on top of';
COMMENT ON COLUMN combination.since IS 'Forecasts from what was known then on use them';
COMMENT ON COLUMN combination.weights IS 'By kind of model, as JSON: how far its departure from the usual rate counts; kinds that are absent count nothing';
COMMENT ON COLUMN combination.belief IS 'Mean and precision of the weights, as JSON';
COMMENT ON COLUMN combination.rate_only IS 'The record says that the combination is worse than the usual rate here: the rate is published';
COMMENT ON COLUMN combination.reason IS 'From what they were learnt, in words';
COMMENT ON COLUMN combination.numbers IS 'From what they were learnt, in figures, as JSON';
COMMENT ON COLUMN combination.code_version IS 'Version of quakecast that learnt them';

CREATE TABLE publication (
    recipe_id    VARCHAR NOT NULL,
    target_hash  VARCHAR NOT NULL,
    number       INTEGER NOT NULL,
    how          VARCHAR NOT NULL CHECK (how IN ('combination', 'kind', 'rate')),
    kind         VARCHAR,
    model_id     VARCHAR,
    since        TIMESTAMPTZ NOT NULL,
    reason       VARCHAR NOT NULL,
    code_version VARCHAR NOT NULL,
    PRIMARY KEY (recipe_id, target_hash, number)
);
COMMENT ON TABLE publication IS 'What a person decided to publish, one row a decision, never rewritten; without a row it is the combination';
COMMENT ON COLUMN publication.recipe_id IS 'The recipe';
COMMENT ON COLUMN publication.target_hash IS 'Of the target: place, radius, magnitude, zone, range';
COMMENT ON COLUMN publication.number IS '1, 2, ... for each target';
COMMENT ON COLUMN publication.how IS 'combination: of all members; kind: one kind of model alone; rate: the usual rate';
COMMENT ON COLUMN publication.kind IS 'The kind of model, where how is kind';
COMMENT ON COLUMN publication.model_id IS 'The very model, where a person named one; NULL: the newest of its kind';
COMMENT ON COLUMN publication.since IS 'Forecasts from what was known then on follow it';
COMMENT ON COLUMN publication.reason IS 'Why, in the words of the person';
COMMENT ON COLUMN publication.code_version IS 'Version of quakecast at the time';

-- What a person had decided last under the old rule goes on.
INSERT INTO publication
    SELECT recipe_id, target_hash, 1, CASE WHEN kind = 'climatology' THEN 'rate' ELSE 'kind' END,
           CASE WHEN kind = 'climatology' THEN NULL ELSE kind END, model_id, since, reason, code_version
    FROM champion WHERE decided_by = 'person'
    AND number = (SELECT max(number) FROM champion AS c WHERE c.recipe_id = champion.recipe_id AND c.target_hash = champion.target_hash);

COMMENT ON TABLE champion IS 'History: which single model was published before the combination was, one row a change; nothing is added any more';
COMMENT ON TABLE forecast IS 'Every forecast of every model; one row of each issue is published, of kind published: the combination of the others';
COMMENT ON COLUMN walk_forward_fit.kind IS 'Kind of forecast that would have been published over the block; before combinations, one kind of model';
COMMENT ON COLUMN walk_forward_fit.numbers IS 'The weights of the combination over the block and what they were learnt from; before, the gains that decided; as JSON';
