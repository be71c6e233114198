-- The schema of a new database: tables, then macros and views, each with its comments.
-- `make schema` writes this file from upgrades/*.sql: for a change, add an upgrade and run that command.
CREATE TABLE migration (number INTEGER PRIMARY KEY, name VARCHAR NOT NULL);

CREATE TABLE event_revision (
    event_key       VARCHAR NOT NULL,
    event_id        VARCHAR NOT NULL,
    ids             VARCHAR[] NOT NULL,
    origin_time     TIMESTAMPTZ,
    latitude_deg    DOUBLE,
    longitude_deg   DOUBLE,
    depth_km        DOUBLE,
    magnitude       DOUBLE,
    magnitude_type  VARCHAR,
    event_type      VARCHAR,
    status          VARCHAR NOT NULL,
    net             VARCHAR,
    place           VARCHAR,
    updated_at      TIMESTAMPTZ,
    observed_at     TIMESTAMPTZ NOT NULL,
    known_at        TIMESTAMPTZ NOT NULL,
    known_at_source VARCHAR NOT NULL CHECK (known_at_source IN ('observed', 'modelled')),
    source          VARCHAR NOT NULL CHECK (source <> ''),
    content_md5     VARCHAR NOT NULL,
    ordered_at      TIMESTAMPTZ,
    CHECK ((status = 'deleted') OR ((origin_time IS NOT NULL) AND (latitude_deg BETWEEN -90 AND 90) AND (longitude_deg BETWEEN -180 AND 180)))
);
COMMENT ON TABLE event_revision IS 'Every version of every event as it was received; append-only. Replace key: (event_id, observed_at)';
COMMENT ON COLUMN event_revision.event_key IS 'The event that this preferred id was met in first; event_merge says which it belongs to later';
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
COMMENT ON COLUMN event_revision.observed_at IS 'When we read it, by the machine''s clock, also in a replay';
COMMENT ON COLUMN event_revision.known_at IS 'When it could be known: observed_at; modelled for rows of the snapshot and for what a replay reads, which is known from the moment that is replayed';
COMMENT ON COLUMN event_revision.known_at_source IS 'observed; or modelled: a row of the snapshot, or read by a replay';
COMMENT ON COLUMN event_revision.source IS 'Where it was read: usgs, another service, or snapshot (the bundled catalogue)';
COMMENT ON COLUMN event_revision.content_md5 IS 'MD5 of the content of this version; a version is stored again only where it returns after a different one';
COMMENT ON COLUMN event_revision.ordered_at IS 'Of the versions of an event the greatest counts: updated_at, or observed_at where that is over a day ahead or missing; for a deletion without a stamp that of what it deletes';

CREATE TABLE event_id_map (
    id        VARCHAR PRIMARY KEY,
    event_key VARCHAR NOT NULL
);
COMMENT ON TABLE event_id_map IS 'Every id ever seen and the event it belongs to now';
COMMENT ON COLUMN event_id_map.id IS 'An id under which an event was ever seen';
COMMENT ON COLUMN event_id_map.event_key IS 'The event that it belongs to now';

CREATE TABLE event_merge (
    from_key VARCHAR NOT NULL,
    to_key   VARCHAR NOT NULL,
    known_at TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE event_merge IS 'Ids that proved to belong to another event, or to be an event of their own, and when this became known; append-only';
COMMENT ON COLUMN event_merge.from_key IS 'The preferred id, or the key of the event as a whole, that moved';
COMMENT ON COLUMN event_merge.to_key IS 'The event that it belongs to from then on';
COMMENT ON COLUMN event_merge.known_at IS 'When this became known';

CREATE TABLE coverage (
    stream            VARCHAR NOT NULL,
    min_latitude_deg  DOUBLE NOT NULL,
    max_latitude_deg  DOUBLE NOT NULL,
    min_longitude_deg DOUBLE NOT NULL,
    max_longitude_deg DOUBLE NOT NULL,
    min_magnitude     DOUBLE NOT NULL,
    span_start        TIMESTAMPTZ NOT NULL,
    span_end          TIMESTAMPTZ NOT NULL,
    read_at           TIMESTAMPTZ NOT NULL,
    source            VARCHAR NOT NULL,
    first_read_at     TIMESTAMPTZ NOT NULL,
    CHECK (span_start < span_end)
);
COMMENT ON TABLE coverage IS 'Which region, magnitude and span [span_start, span_end) has been read completely, a row for each contiguous span; outside it nothing is known, not even silence';
COMMENT ON COLUMN coverage.stream IS 'Which reading of the catalogue: world, japan, or one recipe''s own';
COMMENT ON COLUMN coverage.min_latitude_deg IS 'Southern edge of what was read';
COMMENT ON COLUMN coverage.max_latitude_deg IS 'Northern edge of what was read';
COMMENT ON COLUMN coverage.min_longitude_deg IS 'Western edge of what was read';
COMMENT ON COLUMN coverage.max_longitude_deg IS 'Eastern edge of what was read';
COMMENT ON COLUMN coverage.min_magnitude IS 'Smallest magnitude that was read';
COMMENT ON COLUMN coverage.span_start IS 'First origin time that was read';
COMMENT ON COLUMN coverage.span_end IS 'End of the origin times that were read; itself not read';
COMMENT ON COLUMN coverage.read_at IS 'When it was last read or added to';
COMMENT ON COLUMN coverage.source IS 'Reading that proves it: snapshot, or the name of the service with full read or changes, such as usgs changes';
COMMENT ON COLUMN coverage.first_read_at IS 'When the first part of it was read';

CREATE TABLE fetch_log (
    run_id       VARCHAR,
    requested_at TIMESTAMPTZ NOT NULL,
    url          VARCHAR NOT NULL,
    status       INTEGER,
    rows         BIGINT,
    bytes        BIGINT,
    elapsed_s    DOUBLE,
    note         VARCHAR,
    service_date TIMESTAMPTZ
);
COMMENT ON TABLE fetch_log IS 'Every request to the service';
COMMENT ON COLUMN fetch_log.run_id IS 'The run that made the request';
COMMENT ON COLUMN fetch_log.requested_at IS 'When, by the machine''s clock, also in a replay';
COMMENT ON COLUMN fetch_log.url IS 'Address of the request';
COMMENT ON COLUMN fetch_log.status IS 'HTTP status of the answer; NULL without an answer';
COMMENT ON COLUMN fetch_log.rows IS 'Events in the answer';
COMMENT ON COLUMN fetch_log.bytes IS 'Size of the answer';
COMMENT ON COLUMN fetch_log.elapsed_s IS 'Seconds to the end of the answer';
COMMENT ON COLUMN fetch_log.note IS 'What went wrong, if anything';
COMMENT ON COLUMN fetch_log.service_date IS 'The service''s clock when it answered, to the second; NULL where the answer had no date';

CREATE TABLE quarantine (
    run_id      VARCHAR,
    source      VARCHAR NOT NULL,
    observed_at TIMESTAMPTZ NOT NULL,
    reason      VARCHAR NOT NULL,
    raw         VARCHAR NOT NULL
);
COMMENT ON TABLE quarantine IS 'Rows of the service that failed validation, as received, with the reason';
COMMENT ON COLUMN quarantine.run_id IS 'The run that read it';
COMMENT ON COLUMN quarantine.source IS 'Source of the row';
COMMENT ON COLUMN quarantine.observed_at IS 'When we first read it, by the machine''s clock, also in a replay';
COMMENT ON COLUMN quarantine.reason IS 'Why it failed validation';
COMMENT ON COLUMN quarantine.raw IS 'The row as received';

CREATE TABLE model (
    model_id     VARCHAR PRIMARY KEY,
    recipe_id    VARCHAR NOT NULL,
    kind         VARCHAR NOT NULL,
    recipe_hash  VARCHAR NOT NULL,
    directory    VARCHAR NOT NULL,
    data_as_of   TIMESTAMPTZ NOT NULL,
    decision     VARCHAR NOT NULL,
    details      JSON NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL,
    code_version VARCHAR NOT NULL
);
COMMENT ON TABLE model IS 'Every fitted model; of each kind the newest of a recipe (by data_as_of) forecasts. The weights lie in the models folder';
COMMENT ON COLUMN model.model_id IS 'Id: recipe, kind, date and hash';
COMMENT ON COLUMN model.recipe_id IS 'The recipe that it was fitted for';
COMMENT ON COLUMN model.kind IS 'Kind of model: as in the models of a recipe, or recent_rate; docs/MODEL_CARD.md says what each of them is';
COMMENT ON COLUMN model.recipe_hash IS 'Of the recipe at the fit; a changed recipe voids it';
COMMENT ON COLUMN model.directory IS 'Of its weights, below the models folder';
COMMENT ON COLUMN model.data_as_of IS 'It was fitted on what was known then';
COMMENT ON COLUMN model.decision IS 'How it did against the champion of that day';
COMMENT ON COLUMN model.details IS 'model.json: spans, epochs, losses, scores';
COMMENT ON COLUMN model.created_at IS 'When the fit was stored';
COMMENT ON COLUMN model.code_version IS 'Version of quakecast that fitted it';

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
    changed       BOOLEAN NOT NULL,
    revised_at    TIMESTAMPTZ,
    PRIMARY KEY (recipe_id, target_start, target_hash)
);
COMMENT ON TABLE outcome IS 'Whether a target earthquake was observed: preliminary in the first day, provisional until 45 days after the window, then final';
COMMENT ON COLUMN outcome.recipe_id IS 'The recipe';
COMMENT ON COLUMN outcome.target_start IS 'Start of the window';
COMMENT ON COLUMN outcome.target_end IS 'End of the window; itself outside';
COMMENT ON COLUMN outcome.target_hash IS 'Of the target: place, radius, magnitude, zone, range';
COMMENT ON COLUMN outcome.happened IS 'Whether a target earthquake was observed';
COMMENT ON COLUMN outcome.event_count IS 'Number of them observed';
COMMENT ON COLUMN outcome.max_magnitude IS 'Of the largest; NULL where none was observed';
COMMENT ON COLUMN outcome.status IS 'preliminary for a day, provisional until 45 days after the window, then final';
COMMENT ON COLUMN outcome.as_of IS 'Verified from the catalogue as it was known then';
COMMENT ON COLUMN outcome.changed IS 'A revision has changed the outcome since the first one';
COMMENT ON COLUMN outcome.revised_at IS 'When the last revision that changed the outcome became known; NULL: none did';

CREATE TABLE run (
    run_id       VARCHAR PRIMARY KEY,
    kind         VARCHAR NOT NULL,
    started_at   TIMESTAMPTZ NOT NULL,
    finished_at  TIMESTAMPTZ,
    state        VARCHAR NOT NULL CHECK (state IN ('running', 'success', 'partial', 'failed')),
    details      JSON,
    code_version VARCHAR NOT NULL,
    replay       BOOLEAN DEFAULT false
);
COMMENT ON TABLE run IS 'Every run of the daily job and how it ended';
COMMENT ON COLUMN run.run_id IS 'Id of the run';
COMMENT ON COLUMN run.kind IS 'daily, retrain, backfill ...';
COMMENT ON COLUMN run.started_at IS 'When it began';
COMMENT ON COLUMN run.finished_at IS 'When it ended; NULL while it runs';
COMMENT ON COLUMN run.state IS 'running, success, partial (done, but something was missing) or failed';
COMMENT ON COLUMN run.details IS 'What each step did, as JSON';
COMMENT ON COLUMN run.code_version IS 'Version of quakecast that ran';
COMMENT ON COLUMN run.replay IS 'Its clock was simulated: times of the catalogue in this home are those of the replay, not those at which it was read';

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
    CHECK ((kind = 'operations') OR ((target_hash IS NOT NULL) AND (target_start < target_end) AND (last_target_start >= target_start))),
    CHECK ((state = 'raised') = (cleared_at IS NULL))
);
COMMENT ON TABLE alert IS 'Alerts of the recipes'' rules and of the operation; ids are deterministic, so that a second run raises none twice';
COMMENT ON COLUMN alert.alert_id IS 'Deterministic: the same alert has the same id';
COMMENT ON COLUMN alert.kind IS 'forecast: a rule of a recipe; operations: something is wrong with the machine';
COMMENT ON COLUMN alert.rule IS 'Name of the rule in the recipe, or of the check of the operation';
COMMENT ON COLUMN alert.recipe_id IS 'Empty where an alert of the operation concerns no recipe';
COMMENT ON COLUMN alert.target_hash IS 'Of the target; NULL for an alert of the operation';
COMMENT ON COLUMN alert.mode IS 'Mode of the forecast that raised it; an alert of a replay stays with replays';
COMMENT ON COLUMN alert.severity IS 'How prominently a channel shows it; it is no statement about hazard';
COMMENT ON COLUMN alert.state IS 'raised: active; cleared: ended; withdrawn: its reason is gone by a revision or a new issue';
COMMENT ON COLUMN alert.message IS 'Title of the message';
COMMENT ON COLUMN alert.reason IS 'Why it was raised, in words';
COMMENT ON COLUMN alert.raised_at IS 'When';
COMMENT ON COLUMN alert.held_until IS 'End of the quiet hours in which it was raised: it is sent then; NULL: at once';
COMMENT ON COLUMN alert.forecast_id IS 'The forecast that raised it';
COMMENT ON COLUMN alert.target_start IS 'Start of the window that it was raised for';
COMMENT ON COLUMN alert.target_end IS 'End of the window that it was raised for';
COMMENT ON COLUMN alert.probability IS 'Published for that window when it was raised, as are reference_probability and ratio';
COMMENT ON COLUMN alert.reference_probability IS 'The usual rate beside probability';
COMMENT ON COLUMN alert.ratio IS 'probability over reference_probability';
COMMENT ON COLUMN alert.last_forecast_id IS 'The last forecast above its clearing threshold';
COMMENT ON COLUMN alert.last_target_start IS 'Start of the last window for which it is, or was, active';
COMMENT ON COLUMN alert.last_target_end IS 'End of that forecast''s window';
COMMENT ON COLUMN alert.cleared_at IS 'When it ended; NULL: active';
COMMENT ON COLUMN alert.cleared_for IS 'Start of the window whose forecast ended it';
COMMENT ON COLUMN alert.cleared_reason IS 'Why it ended. below: a forecast below the clearing threshold; expired: no forecast followed for the next window; gone: the rule or its target is gone; reissued, revised: withdrawn, by a new issue or by revised events; resolved: the problem of the operation is gone';
COMMENT ON COLUMN alert.thread_id IS 'Message that follow-ups answer: the alert''s own id';
COMMENT ON COLUMN alert.channels IS 'Channels of the rule when it was raised; NULL: every channel that is set up';
COMMENT ON COLUMN alert.bounds IS 'The rule as it was when it was raised';
COMMENT ON COLUMN alert.expected IS 'Rates of false alarms, alerts a year and hits of the rule, from out-of-sample forecasts, as known when it was raised';
COMMENT ON COLUMN alert.outcomes IS 'Verified outcomes of its windows as they were first seen and after each revision: {target_start: {happened, revisions}}';

CREATE TABLE report (
    report_id        VARCHAR PRIMARY KEY,
    run_id           VARCHAR,
    issue_time       TIMESTAMPTZ NOT NULL,
    mode             VARCHAR NOT NULL,
    path             VARCHAR NOT NULL,
    forecasts_sha256 VARCHAR NOT NULL,
    created_at       TIMESTAMPTZ NOT NULL,
    document         BLOB,
    document_sha256  VARCHAR
);
COMMENT ON TABLE report IS 'Written report pages';
COMMENT ON COLUMN report.report_id IS 'Deterministic: the same report has the same id';
COMMENT ON COLUMN report.run_id IS 'The run that wrote it';
COMMENT ON COLUMN report.issue_time IS 'Issue time of its forecasts';
COMMENT ON COLUMN report.mode IS 'Their mode';
COMMENT ON COLUMN report.path IS 'Of the page, below the output folder';
COMMENT ON COLUMN report.forecasts_sha256 IS 'SHA-256 of the forecasts in it, so that a later change is seen';
COMMENT ON COLUMN report.created_at IS 'When it was written';
COMMENT ON COLUMN report.document IS 'Content of the report, as JSON compressed by zlib; NULL: written by an earlier version, or removed as too old';
COMMENT ON COLUMN report.document_sha256 IS 'SHA-256 of that JSON; it stays when the document is cleared';

CREATE TABLE delivery (
    delivery_id  VARCHAR PRIMARY KEY,
    subject_id   VARCHAR NOT NULL,
    subject_kind VARCHAR NOT NULL CHECK (subject_kind IN ('report', 'alert', 'correction', 'operations')),
    channel      VARCHAR NOT NULL,
    recipient    VARCHAR NOT NULL,
    state        VARCHAR NOT NULL CHECK (state IN ('pending', 'sending', 'sent', 'failed', 'dead', 'closed')),
    attempts     INTEGER NOT NULL,
    last_error   VARCHAR,
    created_at   TIMESTAMPTZ NOT NULL,
    next_try_at  TIMESTAMPTZ,
    sent_at      TIMESTAMPTZ
);
COMMENT ON TABLE delivery IS 'The outbox: one row a message and recipient';
COMMENT ON COLUMN delivery.delivery_id IS 'SHA-256 of subject, channel and address; the webhook-id of a webhook';
COMMENT ON COLUMN delivery.subject_id IS 'A report or a message';
COMMENT ON COLUMN delivery.subject_kind IS 'report, alert, correction or operations';
COMMENT ON COLUMN delivery.channel IS 'email, webhook ...';
COMMENT ON COLUMN delivery.recipient IS 'A label, never an address with a secret';
COMMENT ON COLUMN delivery.state IS 'dead: given up, a person may send it again; closed: nobody needs it any more (a newer report, a channel that is gone, too late)';
COMMENT ON COLUMN delivery.attempts IS 'How often it was tried';
COMMENT ON COLUMN delivery.last_error IS 'Why it failed or was closed';
COMMENT ON COLUMN delivery.created_at IS 'When it was put in the outbox';
COMMENT ON COLUMN delivery.next_try_at IS 'When it is due; while it is being sent, when that attempt counts as broken off';
COMMENT ON COLUMN delivery.sent_at IS 'When it was accepted';

CREATE TABLE champion (
    recipe_id    VARCHAR NOT NULL,
    target_hash  VARCHAR NOT NULL,
    number       INTEGER NOT NULL,
    kind         VARCHAR NOT NULL,
    model_id     VARCHAR,
    since        TIMESTAMPTZ NOT NULL,
    decided_by   VARCHAR NOT NULL CHECK (decided_by IN ('rule', 'person')),
    reason       VARCHAR NOT NULL,
    numbers      JSON NOT NULL,
    code_version VARCHAR NOT NULL,
    PRIMARY KEY (recipe_id, target_hash, number)
);
COMMENT ON TABLE champion IS 'History: which single model was published before the combination was, one row a change; nothing is added any more';
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

CREATE TABLE walk_forward_fit (
    recipe_id          VARCHAR NOT NULL,
    recipe_hash        VARCHAR NOT NULL,
    retrain_every_days INTEGER NOT NULL,
    first_day          DATE NOT NULL,
    as_of              TIMESTAMPTZ NOT NULL,
    kind               VARCHAR NOT NULL,
    model_id           VARCHAR,
    reason             VARCHAR NOT NULL,
    numbers            JSON NOT NULL,
    models             JSON NOT NULL,
    failed             JSON NOT NULL,
    seconds            DOUBLE NOT NULL,
    code_version       VARCHAR NOT NULL,
    created_at         TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (recipe_id, recipe_hash, retrain_every_days, first_day)
);
COMMENT ON TABLE walk_forward_fit IS 'Fits of walk-forward backfills and what each would have published, by comparison on the block before; apart from model and champion, so that no backfill changes what is published tomorrow';
COMMENT ON COLUMN walk_forward_fit.recipe_id IS 'The recipe';
COMMENT ON COLUMN walk_forward_fit.recipe_hash IS 'Of the recipe at the fit';
COMMENT ON COLUMN walk_forward_fit.retrain_every_days IS 'Length of a block of days';
COMMENT ON COLUMN walk_forward_fit.first_day IS 'First local day of the block that it forecasts';
COMMENT ON COLUMN walk_forward_fit.as_of IS 'Issue time of that day: nothing that became known later has entered';
COMMENT ON COLUMN walk_forward_fit.kind IS 'Kind of forecast that would have been published over the block; before combinations, one kind of model';
COMMENT ON COLUMN walk_forward_fit.model_id IS 'The model; NULL: the climatology';
COMMENT ON COLUMN walk_forward_fit.reason IS 'Why';
COMMENT ON COLUMN walk_forward_fit.numbers IS 'The weights of the combination over the block and what they were learnt from; before, the gains that decided; as JSON';
COMMENT ON COLUMN walk_forward_fit.models IS 'By kind, the fits of this block as rows of the table model, as JSON';
COMMENT ON COLUMN walk_forward_fit.failed IS 'By kind, why one is missing, as JSON';
COMMENT ON COLUMN walk_forward_fit.seconds IS 'What the fits took';
COMMENT ON COLUMN walk_forward_fit.code_version IS 'Version of quakecast that fitted them';
COMMENT ON COLUMN walk_forward_fit.created_at IS 'When they were stored';

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
COMMENT ON TABLE alert_correction IS 'Corrections of an alert or of its outcome; sent to the same channels, in the same thread';
COMMENT ON COLUMN alert_correction.correction_id IS 'Deterministic: the same correction has the same id';
COMMENT ON COLUMN alert_correction.alert_id IS 'The alert';
COMMENT ON COLUMN alert_correction.kind IS 'outcome: a revision changed the outcome of one of its windows; forecast: what raised it no longer holds';
COMMENT ON COLUMN alert_correction.target_start IS 'Start of the window that it is about';
COMMENT ON COLUMN alert_correction.happened IS 'Of an outcome: as it is known now';
COMMENT ON COLUMN alert_correction.probability IS 'Of a forecast: that of the same model for the same window and issue time with the events as they are known now, or of the new issue';
COMMENT ON COLUMN alert_correction.ratio IS 'Of a forecast: that probability over the usual rate';
COMMENT ON COLUMN alert_correction.reason IS 'Why: revised or reissued, as in alert.cleared_reason';
COMMENT ON COLUMN alert_correction.corrected_at IS 'When';

CREATE TABLE message (
    subject_id VARCHAR PRIMARY KEY,
    kind       VARCHAR NOT NULL CHECK (kind IN ('alert', 'correction', 'operations')),
    severity   VARCHAR NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    title      VARCHAR NOT NULL,
    lines      JSON NOT NULL,
    facts      JSON NOT NULL,
    link       VARCHAR,
    thread_id  VARCHAR,
    channels   JSON,
    created_at TIMESTAMPTZ NOT NULL,
    not_before TIMESTAMPTZ,
    expires_at TIMESTAMPTZ
);
COMMENT ON TABLE message IS 'Alerts, corrections and system alerts, as people read them; `delivery` has the state of each';
COMMENT ON COLUMN message.subject_id IS 'Deterministic: the same message has the same id';
COMMENT ON COLUMN message.kind IS 'alert, correction or operations';
COMMENT ON COLUMN message.severity IS 'How prominently a channel shows it; it is no statement about hazard';
COMMENT ON COLUMN message.title IS 'Title, or subject of the mail';
COMMENT ON COLUMN message.lines IS 'Paragraphs of plain text';
COMMENT ON COLUMN message.facts IS 'Figures for machines, as the webhook carries them';
COMMENT ON COLUMN message.link IS 'Page to read on';
COMMENT ON COLUMN message.thread_id IS 'subject_id of the message or report that this one answers';
COMMENT ON COLUMN message.channels IS 'Where it goes; NULL: every channel that is set up, or those of its thread';
COMMENT ON COLUMN message.created_at IS 'When it was written';
COMMENT ON COLUMN message.not_before IS 'It is held back until then (quiet hours)';
COMMENT ON COLUMN message.expires_at IS 'A message that has not been sent by then is closed';

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
COMMENT ON TABLE target IS 'The target of each recipe: at least one earthquake of this magnitude in this circle on a local day. One row a version of the target';
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

CREATE TABLE outcome_revision (
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
COMMENT ON TABLE outcome_revision IS 'Every outcome that a revision of the catalogue changed; append-only';
COMMENT ON COLUMN outcome_revision.recipe_id IS 'The recipe';
COMMENT ON COLUMN outcome_revision.target_start IS 'Start of the window';
COMMENT ON COLUMN outcome_revision.target_hash IS 'Of the target';
COMMENT ON COLUMN outcome_revision.happened IS 'The revised outcome; before it was the opposite';
COMMENT ON COLUMN outcome_revision.status_before IS 'preliminary, provisional or final: of the outcome before';
COMMENT ON COLUMN outcome_revision.status IS 'Of the revised outcome';
COMMENT ON COLUMN outcome_revision.as_of_before IS 'What was known then gave the outcome before';
COMMENT ON COLUMN outcome_revision.as_of IS 'What was known then gave the revised outcome';

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
COMMENT ON TABLE combination IS 'Weights of the published combination, learnt from verified official forecasts; one row each time they are learnt, never rewritten. Without a row the weights of the package are used';
COMMENT ON COLUMN combination.scope IS 'world: of all recipes together; else the recipe whose own record has moved them';
COMMENT ON COLUMN combination.target_hash IS 'Of the target: place, radius, magnitude, zone, range; empty for the world';
COMMENT ON COLUMN combination.number IS '1, 2, ... for each scope and target';
COMMENT ON COLUMN combination.base IS 'The weights of the package that they were learnt on top of';
COMMENT ON COLUMN combination.since IS 'Forecasts from what was known then on use them';
COMMENT ON COLUMN combination.weights IS 'By kind of model, as JSON: how far its departure from the usual rate counts; kinds that are absent count nothing';
COMMENT ON COLUMN combination.belief IS 'Mean and precision of the weights, as JSON';
COMMENT ON COLUMN combination.rate_only IS 'By the record the combination is worse than the usual rate here: the rate is published';
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
COMMENT ON TABLE publication IS 'Decisions of a person on what is published; one row a decision, never rewritten. Without a row the combination is published';
COMMENT ON COLUMN publication.recipe_id IS 'The recipe';
COMMENT ON COLUMN publication.target_hash IS 'Of the target: place, radius, magnitude, zone, range';
COMMENT ON COLUMN publication.number IS '1, 2, ... for each target';
COMMENT ON COLUMN publication.how IS 'combination: of all members; kind: one kind of model alone; rate: the usual rate';
COMMENT ON COLUMN publication.kind IS 'The kind of model, where how is kind';
COMMENT ON COLUMN publication.model_id IS 'The very model, where a person named one; NULL: the newest of its kind';
COMMENT ON COLUMN publication.since IS 'Forecasts from what was known then on follow it';
COMMENT ON COLUMN publication.reason IS 'Why, in the words of the person';
COMMENT ON COLUMN publication.code_version IS 'Version of quakecast at the time';

CREATE TABLE coverage_read (
    stream            VARCHAR NOT NULL,
    min_latitude_deg  DOUBLE NOT NULL,
    max_latitude_deg  DOUBLE NOT NULL,
    min_longitude_deg DOUBLE NOT NULL,
    max_longitude_deg DOUBLE NOT NULL,
    min_magnitude     DOUBLE NOT NULL,
    span_start        TIMESTAMPTZ NOT NULL,
    span_end          TIMESTAMPTZ NOT NULL,
    read_at           TIMESTAMPTZ NOT NULL,
    source            VARCHAR NOT NULL,
    CHECK (span_start < span_end)
);
COMMENT ON TABLE coverage_read IS 'Every request that proved a span complete; coverage_as_of(t) joins those made by t';
COMMENT ON COLUMN coverage_read.stream IS 'Which reading of the catalogue: world, japan, or one recipe''s own';
COMMENT ON COLUMN coverage_read.min_latitude_deg IS 'Southern edge of what was read';
COMMENT ON COLUMN coverage_read.max_latitude_deg IS 'Northern edge of what was read';
COMMENT ON COLUMN coverage_read.min_longitude_deg IS 'Western edge of what was read';
COMMENT ON COLUMN coverage_read.max_longitude_deg IS 'Eastern edge of what was read';
COMMENT ON COLUMN coverage_read.min_magnitude IS 'Smallest magnitude that was read';
COMMENT ON COLUMN coverage_read.span_start IS 'First origin time that was read';
COMMENT ON COLUMN coverage_read.span_end IS 'End of the origin times that were read; itself not read';
COMMENT ON COLUMN coverage_read.read_at IS 'When it was read';
COMMENT ON COLUMN coverage_read.source IS 'Reading that proves it: snapshot, or the name of the service with full read or changes, such as usgs changes';

CREATE TABLE world_set (
    number       INTEGER PRIMARY KEY,
    kind         VARCHAR NOT NULL,
    data_until   DATE NOT NULL,
    decision     VARCHAR NOT NULL CHECK (decision IN ('serves', 'refused', 'retired')),
    decided_by   VARCHAR NOT NULL CHECK (decided_by IN ('rule', 'record', 'person')),
    since        TIMESTAMPTZ NOT NULL,
    instead_of   VARCHAR,
    directory    VARCHAR NOT NULL,
    sha256       VARCHAR NOT NULL,
    kind_version VARCHAR NOT NULL,
    reason       VARCHAR NOT NULL,
    numbers      JSON NOT NULL,
    code_version VARCHAR NOT NULL
);
COMMENT ON TABLE world_set IS 'Decisions on sets that were trained here on circles around the world, one row a decision, never rewritten. Without a row the sets of the package serve';
COMMENT ON COLUMN world_set.number IS '1, 2, ... in the order of the decisions';
COMMENT ON COLUMN world_set.kind IS 'etas, pooled, hybrid: a kind of model; combination: the weights of what is published';
COMMENT ON COLUMN world_set.data_until IS 'The last UTC day of which anything entered the training';
COMMENT ON COLUMN world_set.decision IS 'serves: it forecasts from the next day on; refused: trained and evaluated, and not used; retired: it forecasts until the end of the day and no longer';
COMMENT ON COLUMN world_set.decided_by IS 'rule: the comparison on days that neither set had seen; record: its own verified forecasts; person: by command';
COMMENT ON COLUMN world_set.since IS 'When it was decided; it counts for days after this one (UTC)';
COMMENT ON COLUMN world_set.instead_of IS 'The set that served before; after a retirement the one that serves again';
COMMENT ON COLUMN world_set.directory IS 'Its folder, below HOME/models/world; that of a set that was refused is not kept';
COMMENT ON COLUMN world_set.sha256 IS 'Hash of the hashes of its files: no other files are read in its place';
COMMENT ON COLUMN world_set.kind_version IS 'Version of the kind that it was trained for; a set of another version does not serve';
COMMENT ON COLUMN world_set.reason IS 'Why, in words';
COMMENT ON COLUMN world_set.numbers IS 'Why, in figures, as JSON: the gain over the other set, nats per target day, with its interval, and what was compared';
COMMENT ON COLUMN world_set.code_version IS 'Version of quakecast at the time';

CREATE TABLE world_map (
    issue            INTEGER PRIMARY KEY,
    issue_time       TIMESTAMPTZ NOT NULL,
    as_of            TIMESTAMPTZ NOT NULL,
    target_start     TIMESTAMPTZ NOT NULL,
    mode             VARCHAR NOT NULL,
    resolution       UTINYINT NOT NULL,
    radius_km        DOUBLE NOT NULL,
    cells            INTEGER NOT NULL,
    weights          JSON NOT NULL,
    left_out         JSON NOT NULL,
    problems         JSON NOT NULL,
    code_version     VARCHAR NOT NULL,
    run_id           VARCHAR,
    created_at       TIMESTAMPTZ NOT NULL,
    left_out_reasons JSON,
    problem_reasons  JSON,
    UNIQUE (target_start, mode, resolution)
);
COMMENT ON TABLE world_map IS 'The issues of the map of the world, one a day of UTC; never changed';
COMMENT ON COLUMN world_map.issue IS '1, 2, ... in the order in which they were stored';
COMMENT ON COLUMN world_map.issue_time IS 'When it was made';
COMMENT ON COLUMN world_map.as_of IS 'From what was known then';
COMMENT ON COLUMN world_map.target_start IS 'Start of the day and of the week that it forecasts, 0:00 UTC';
COMMENT ON COLUMN world_map.mode IS 'prospective (stored before the day, by the machine''s clock), late (the day had begun) or replay; never mix them';
COMMENT ON COLUMN world_map.resolution IS 'Of the H3 grid: 3 has cells of about 12,400 km2';
COMMENT ON COLUMN world_map.radius_km IS 'Of the circle about each centre that is forecast';
COMMENT ON COLUMN world_map.cells IS 'Cells with seismicity: ten earthquakes of M 5 or more within the circle since the record begins';
COMMENT ON COLUMN world_map.weights IS 'Of the members by kind, as JSON; empty: the usual rate alone';
COMMENT ON COLUMN world_map.left_out IS 'What has no forecast and why, in English, as a JSON list';
COMMENT ON COLUMN world_map.problems IS 'What degrades the map, in English, as a JSON list';
COMMENT ON COLUMN world_map.code_version IS 'Version of quakecast that made it';
COMMENT ON COLUMN world_map.run_id IS 'The run that made it';
COMMENT ON COLUMN world_map.created_at IS 'When it was stored';
COMMENT ON COLUMN world_map.left_out_reasons IS 'The same as a JSON list of reasons, as in forecast.degraded_reasons; NULL in rows of schema 23 and before';
COMMENT ON COLUMN world_map.problem_reasons IS 'The same as a JSON list of reasons; NULL in rows of schema 23 and before';

CREATE TABLE world_place (
    cell          UBIGINT PRIMARY KEY,
    resolution    UTINYINT NOT NULL,
    latitude_deg  DOUBLE NOT NULL,
    longitude_deg DOUBLE NOT NULL,
    area_km2      DOUBLE NOT NULL,
    place         VARCHAR
);
COMMENT ON TABLE world_place IS 'Where the cells of the map of the world lie';
COMMENT ON COLUMN world_place.cell IS 'H3''s number of the cell';
COMMENT ON COLUMN world_place.resolution IS 'Of the H3 grid';
COMMENT ON COLUMN world_place.latitude_deg IS 'Of the centre, degrees north';
COMMENT ON COLUMN world_place.longitude_deg IS 'Of the centre, degrees east';
COMMENT ON COLUMN world_place.area_km2 IS 'Of the cell, not of the circle';
COMMENT ON COLUMN world_place.place IS 'What the service called the place of the earthquake nearest to the centre; NULL where none lies within 100 km';

CREATE TABLE world_cell (
    issue             INTEGER NOT NULL,
    cell              UBIGINT NOT NULL,
    magnitude         FLOAT NOT NULL,
    horizon_days      UTINYINT NOT NULL,
    probability       FLOAT NOT NULL CHECK ((probability > 0) AND (probability < 1)),
    usual_probability FLOAT NOT NULL CHECK ((usual_probability > 0) AND (usual_probability < 1))
);
COMMENT ON TABLE world_cell IS 'Forecasts of the map of the world: one row an issue, cell, magnitude and horizon. Kept for QUAKECAST_KEEP_WORLD_DAYS';
COMMENT ON COLUMN world_cell.issue IS 'The issue, as in world_map';
COMMENT ON COLUMN world_cell.cell IS 'H3''s number of the cell, as in world_place';
COMMENT ON COLUMN world_cell.magnitude IS 'Smallest magnitude that counts';
COMMENT ON COLUMN world_cell.horizon_days IS 'Days of UTC from the start of the target';
COMMENT ON COLUMN world_cell.probability IS 'Of at least one such earthquake in the circle and window';
COMMENT ON COLUMN world_cell.usual_probability IS 'What is usual for such a window, from the last ten years';

CREATE TABLE world_score (
    issue                INTEGER NOT NULL,
    magnitude            FLOAT NOT NULL,
    horizon_days         UTINYINT NOT NULL,
    status               VARCHAR NOT NULL CHECK (status IN ('provisional', 'final')),
    as_of                TIMESTAMPTZ NOT NULL,
    cells                INTEGER NOT NULL,
    events               INTEGER NOT NULL,
    events_elsewhere     INTEGER NOT NULL,
    active_cells         INTEGER NOT NULL,
    expected_cells       DOUBLE NOT NULL,
    cells_low            INTEGER NOT NULL,
    cells_high           INTEGER NOT NULL,
    usual_expected_cells DOUBLE NOT NULL,
    n_delta1             DOUBLE NOT NULL,
    n_delta2             DOUBLE NOT NULL,
    s_gamma              DOUBLE,
    l_gamma              DOUBLE NOT NULL,
    log_likelihood       DOUBLE NOT NULL,
    usual_log_likelihood DOUBLE NOT NULL,
    PRIMARY KEY (issue, magnitude, horizon_days)
);
COMMENT ON TABLE world_score IS 'How each issue of the map of the world did as a pool of cells: consistency tests of CSEP in binary form (Zechar et al. 2010, doi:10.1785/0120090192), and its log likelihood beside that of smoothed seismicity, the usual rate';
COMMENT ON COLUMN world_score.issue IS 'The issue, as in world_map';
COMMENT ON COLUMN world_score.magnitude IS 'Smallest magnitude that counts';
COMMENT ON COLUMN world_score.horizon_days IS 'Days of UTC from the start of the target';
COMMENT ON COLUMN world_score.status IS 'provisional or final (45 days after the window)';
COMMENT ON COLUMN world_score.as_of IS 'By the catalogue as it was known then';
COMMENT ON COLUMN world_score.cells IS 'Cells that were forecast';
COMMENT ON COLUMN world_score.events IS 'Earthquakes in them';
COMMENT ON COLUMN world_score.events_elsewhere IS 'Earthquakes in cells without a forecast';
COMMENT ON COLUMN world_score.active_cells IS 'Cells with at least one';
COMMENT ON COLUMN world_score.expected_cells IS 'How many were expected';
COMMENT ON COLUMN world_score.cells_low IS 'Lower end of the 95 % range of their number by the forecast';
COMMENT ON COLUMN world_score.cells_high IS 'Upper end of that range, inside it';
COMMENT ON COLUMN world_score.usual_expected_cells IS 'How many the usual rate expects';
COMMENT ON COLUMN world_score.n_delta1 IS 'N test: the chance of as many active cells or more; below 0.025 too few were expected';
COMMENT ON COLUMN world_score.n_delta2 IS 'N test: the chance of as many or fewer; below 0.025 too many were expected';
COMMENT ON COLUMN world_score.s_gamma IS 'S test: the share of simulated patterns of as many cells that are as likely or less; below 0.05 they are in the wrong places; NULL without an active cell';
COMMENT ON COLUMN world_score.l_gamma IS 'L test: the share of simulated records that are as likely or less; below 0.05 the forecast is rejected';
COMMENT ON COLUMN world_score.log_likelihood IS 'Of all cells, nats';
COMMENT ON COLUMN world_score.usual_log_likelihood IS 'The same of smoothed seismicity: the usual rate of each circle, spread over its cell';

CREATE TABLE ladder_sum (
    recipe_id     VARCHAR NOT NULL,
    target_hash   VARCHAR NOT NULL,
    mode          VARCHAR NOT NULL,
    horizon_days  INTEGER NOT NULL,
    magnitude     DOUBLE NOT NULL,
    block         BIGINT NOT NULL,
    settled       BIGINT NOT NULL,
    hits          BIGINT NOT NULL,
    expected_hits DOUBLE NOT NULL,
    usual_hits    DOUBLE NOT NULL,
    in_range      BIGINT NOT NULL,
    gain          DOUBLE NOT NULL,
    spans         BIGINT[] NOT NULL
);
COMMENT ON TABLE ladder_sum IS 'Sums of the verified rungs over blocks of calendar days that are closed: their outcomes are final. Made from rung and rung_outcome';
COMMENT ON COLUMN ladder_sum.recipe_id IS 'The recipe';
COMMENT ON COLUMN ladder_sum.target_hash IS 'Of the target';
COMMENT ON COLUMN ladder_sum.mode IS 'prospective, late or replay';
COMMENT ON COLUMN ladder_sum.horizon_days IS 'Length of the window';
COMMENT ON COLUMN ladder_sum.magnitude IS 'Smallest magnitude that counts';
COMMENT ON COLUMN ladder_sum.block IS 'Number of the block: UTC days since 1970-01-01, divided by the length of a block of this horizon';
COMMENT ON COLUMN ladder_sum.settled IS 'Number of verified rungs whose window begins in the block';
COMMENT ON COLUMN ladder_sum.hits IS 'Number of them with such an earthquake';
COMMENT ON COLUMN ladder_sum.expected_hits IS 'Sum of their probabilities';
COMMENT ON COLUMN ladder_sum.usual_hits IS 'Sum of their usual probabilities';
COMMENT ON COLUMN ladder_sum.in_range IS 'Number of them whose count of earthquakes lay in the 95 % range';
COMMENT ON COLUMN ladder_sum.gain IS 'Sum of their information gains over the usual rate, nats';
COMMENT ON COLUMN ladder_sum.spans IS 'Numbers of the spans of horizon_days in which a window with such an earthquake began';

CREATE TABLE ladder_closed (
    until    TIMESTAMPTZ NOT NULL,
    lengths  JSON NOT NULL,
    rungs    BIGINT NOT NULL,
    outcomes BIGINT NOT NULL,
    final    BIGINT NOT NULL,
    events   BIGINT NOT NULL,
    issues   BIGINT NOT NULL
);
COMMENT ON TABLE ladder_closed IS 'What ladder_sum was made from: one row. The sums are used only while the tables hold the same numbers of rows';
COMMENT ON COLUMN ladder_closed.until IS 'Windows that ended by then were looked at';
COMMENT ON COLUMN ladder_closed.lengths IS 'Length of the blocks in days, by horizon';
COMMENT ON COLUMN ladder_closed.rungs IS 'Number of rungs whose window ended by then';
COMMENT ON COLUMN ladder_closed.outcomes IS 'Number of their outcomes';
COMMENT ON COLUMN ladder_closed.final IS 'Number of those that are final';
COMMENT ON COLUMN ladder_closed.events IS 'Sum of the earthquakes in them';
COMMENT ON COLUMN ladder_closed.issues IS 'Number of published forecasts whose window began by then';

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

CREATE MACRO event_as_of(t) AS TABLE
    WITH merged AS (
        SELECT from_key, last(to_key ORDER BY known_at, rowid) AS to_key FROM event_merge WHERE known_at <= t GROUP BY from_key
    ), known AS (
        SELECT coalesce(m.to_key, r.event_key) AS key, r.*
        FROM event_revision r LEFT JOIN merged m ON m.from_key = r.event_id
        WHERE r.known_at <= t
    ), latest AS (
        SELECT *, min(known_at) OVER (PARTITION BY key) AS first_known_at
        FROM known
        QUALIFY row_number() OVER (PARTITION BY key ORDER BY ordered_at DESC, known_at DESC, observed_at DESC, event_id, content_md5) = 1
    )
    SELECT key AS event_key, event_id, origin_time, latitude_deg, longitude_deg, depth_km, magnitude, magnitude_type, event_type,
           status, net, place, updated_at, observed_at, known_at, first_known_at, known_at_source, source
    FROM latest WHERE status <> 'deleted';
COMMENT ON MACRO TABLE event_as_of IS 'The catalogue as it was known at a moment: SELECT * FROM event_as_of(TIMESTAMPTZ ''2024-01-01 07:30:00+00'')';

CREATE VIEW event AS SELECT * FROM event_as_of(TIMESTAMPTZ '9999-12-31 00:00:00+00');
COMMENT ON VIEW event IS 'The latest known version of every event that is not deleted';
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
COMMENT ON COLUMN event.source IS 'Where it was read: usgs, another service, or snapshot (the bundled catalogue)';

-- As before; preferred ids move, all that are in a key at one moment, and event_key is the event to which the version belongs at t.
-- A version that was believed, taken up by another event, and let go again has a row for each of its spans.
CREATE MACRO event_versions(t) AS TABLE
    WITH moved AS (
        SELECT from_key, to_key, known_at AS begins, lead(known_at) OVER (PARTITION BY from_key ORDER BY known_at, rowid) AS ends
        FROM event_merge WHERE known_at <= t
    ), first_move AS (
        SELECT from_key, min(begins) AS ends FROM moved GROUP BY from_key
    ), last_move AS (
        SELECT from_key, to_key FROM moved WHERE ends IS NULL
    ), revision AS (
        SELECT rowid AS version, * FROM event_revision WHERE known_at <= t
    ), member AS (
        SELECT r.event_key AS key, r.version, r.ordered_at, r.known_at, r.observed_at, r.event_id, r.content_md5, r.known_at AS begins, m.ends,
               m.from_key IS NOT NULL AS moves
        FROM revision r LEFT JOIN first_move m ON m.from_key = r.event_id
        UNION ALL
        SELECT m.to_key, r.version, r.ordered_at, r.known_at, r.observed_at, r.event_id, r.content_md5, greatest(r.known_at, m.begins), m.ends,
               true
        FROM revision r JOIN moved m ON m.from_key = r.event_id
    ), ranked AS (
        SELECT key, version, begins, ends, moves, row_number() OVER (
            PARTITION BY key ORDER BY ordered_at, known_at, observed_at, event_id DESC, content_md5 DESC) AS place_in_line
        FROM member WHERE ends IS NULL OR begins < ends
    ), believed AS (
        SELECT * FROM ranked
        QUALIFY place_in_line = max(place_in_line) OVER (PARTITION BY key ORDER BY begins RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    ), span AS (
        SELECT version, moves, begins, coalesce(lead(begins) OVER (PARTITION BY key ORDER BY begins), ends) AS ends FROM believed
    ), stretch AS (
        SELECT version, begins, ends, sum(starts) OVER (PARTITION BY version ORDER BY begins) AS number FROM (
            SELECT *, CASE WHEN begins = lag(ends) OVER (PARTITION BY version ORDER BY begins) THEN 0 ELSE 1 END AS starts
            FROM span WHERE moves)
    ), joined AS (
        SELECT version, begins AS believed_from, ends AS believed_until FROM span WHERE NOT moves
        UNION ALL
        SELECT version, min(begins), CASE WHEN count(*) = count(ends) THEN max(ends) END FROM stretch GROUP BY version, number
    )
    SELECT coalesce(l.to_key, r.event_key) AS event_key, r.event_id, r.origin_time, r.latitude_deg, r.longitude_deg, r.depth_km, r.magnitude,
           r.magnitude_type, r.event_type, r.status, r.net, r.place, r.updated_at, r.observed_at, r.known_at, j.believed_from,
           j.believed_until, r.known_at_source, r.source
    FROM joined j JOIN revision r USING (version) LEFT JOIN last_move l ON l.from_key = r.event_id WHERE r.status <> 'deleted';
COMMENT ON MACRO TABLE event_versions IS 'Every version of every event with the span [believed_from, believed_until) in which it was believed, as known at a moment';

CREATE VIEW champion_span AS
    SELECT recipe_id, target_hash, kind, model_id, since, lead(since) OVER (PARTITION BY recipe_id, target_hash ORDER BY since, number) AS until,
           decided_by, reason, number
    FROM champion;
COMMENT ON VIEW champion_span IS 'Champions with the time at which the next replaced them; NULL: current champion';
COMMENT ON COLUMN champion_span.recipe_id IS 'The recipe';
COMMENT ON COLUMN champion_span.target_hash IS 'Of the target: place, radius, magnitude, zone, range';
COMMENT ON COLUMN champion_span.kind IS 'Kind of model that is published';
COMMENT ON COLUMN champion_span.model_id IS 'The model; NULL: the climatology';
COMMENT ON COLUMN champion_span.since IS 'From then on';
COMMENT ON COLUMN champion_span.until IS 'When the next replaced it; NULL: current champion';
COMMENT ON COLUMN champion_span.decided_by IS 'rule or person';
COMMENT ON COLUMN champion_span.reason IS 'Why';
COMMENT ON COLUMN champion_span.number IS '1, 2, ... for each target';

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
           f.run_id, f.created_at,
           f.model_kind AS kind, f.reference_probability AS usual_probability, t.latitude_deg, t.longitude_deg, f.published
    FROM forecast f
    LEFT JOIN target t USING (recipe_id, target_hash)
    LEFT JOIN outcome o USING (recipe_id, target_start, target_hash)
    LEFT JOIN score s USING (forecast_id)
    WHERE f.published;
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
COMMENT ON COLUMN v_forecast.happened IS 'Whether a target earthquake was observed; NULL: not known yet, which is not no';
COMMENT ON COLUMN v_forecast.event_count IS 'Number of them observed';
COMMENT ON COLUMN v_forecast.max_magnitude IS 'Of the largest; NULL where none was observed';
COMMENT ON COLUMN v_forecast.outcome_status IS 'preliminary (never scored), provisional or final (45 days after the window); NULL: not verified yet';
COMMENT ON COLUMN v_forecast.outcome_changed IS 'A revision has changed the outcome since it was first verified';
COMMENT ON COLUMN v_forecast.log_score IS 'ln of the probability given to what was observed, nats; NULL: not scored';
COMMENT ON COLUMN v_forecast.information_gain IS 'log_score less that of the usual rate, nats';
COMMENT ON COLUMN v_forecast.brier IS '(probability - outcome) squared';
COMMENT ON COLUMN v_forecast.reference_brier IS 'The same of the usual rate';
COMMENT ON COLUMN v_forecast.degraded IS 'Made with less than it should have been';
COMMENT ON COLUMN v_forecast.degraded_reason IS 'What was missing';
COMMENT ON COLUMN v_forecast.data_age_hours IS 'From the end of what had been read of the catalogue to as_of';
COMMENT ON COLUMN v_forecast.supersedes IS 'forecast_id that a deliberate re-issue replaces';
COMMENT ON COLUMN v_forecast.details IS 'Further results of the model, as JSON: expected_count, count_low, count_high (95 %); drivers: its contributing events';
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
           e.scored_at, e.shown_as AS kind, e.reference_probability AS usual_probability
    FROM every e LEFT JOIN target t USING (recipe_id, target_hash)
    QUALIFY row_number() OVER (
        PARTITION BY e.recipe_id, e.target_hash, e.target_start, e.mode, e.method, e.shown_as
        ORDER BY e.official DESC, e.issue_time DESC, e.created_at DESC) = 1;
COMMENT ON VIEW v_scored IS 'The scored forecasts that count, one a recipe, day, mode and kind of model; never one in sample. The published forecasts are there again as model_kind published';
COMMENT ON COLUMN v_scored.recipe_id IS 'The recipe';
COMMENT ON COLUMN v_scored.local_day IS 'The day that was forecast, in the recipe''s own zone';
COMMENT ON COLUMN v_scored.target_start IS 'Start of the window';
COMMENT ON COLUMN v_scored.mode IS 'prospective, late, hindcast or replay; never mix them';
COMMENT ON COLUMN v_scored.method IS 'daily: one day at a time, by the models of that day; walk-forward or current-model: a backfill''s, see forecast.method';
COMMENT ON COLUMN v_scored.model_kind IS 'Kind of model; climatology is the usual rate; published is whatever was shown that day';
COMMENT ON COLUMN v_scored.outcome_status IS 'provisional or final (45 days after the window)';
COMMENT ON COLUMN v_scored.happened IS 'Whether a target earthquake was observed';
COMMENT ON COLUMN v_scored.probability IS 'Of at least one target earthquake in the window';
COMMENT ON COLUMN v_scored.reference_probability IS 'The usual rate of the place as known then';
COMMENT ON COLUMN v_scored.log_score IS 'ln of the probability given to what was observed, nats';
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

CREATE VIEW v_skill AS
    SELECT recipe_id, model_kind, mode, method, outcome_status, count(*) AS days, count(*) FILTER (happened) AS target_days,
           sum(probability) AS expected_target_days, sum(reference_probability) AS reference_target_days,
           sum(information_gain) AS log_likelihood_gain,
           sum(information_gain) / nullif(count(*) FILTER (happened), 0) AS information_gain,
           avg(brier) AS brier, avg(reference_brier) AS reference_brier, 1 - avg(brier) / nullif(avg(reference_brier), 0) AS brier_skill,
           count(*) FILTER (degraded) AS degraded_days, min(local_day) AS first_day, max(local_day) AS last_day, target_hash, model_kind AS kind
    FROM v_scored
    GROUP BY ALL;
COMMENT ON VIEW v_skill IS 'Skill over the usual rate by recipe, kind of model and mode, final and provisional outcomes apart. Few target days mean little: see the report for intervals';
COMMENT ON COLUMN v_skill.recipe_id IS 'The recipe';
COMMENT ON COLUMN v_skill.model_kind IS 'Kind of model; climatology is the usual rate itself; published is whatever was shown each day';
COMMENT ON COLUMN v_skill.mode IS 'prospective, late, hindcast or replay; never added up';
COMMENT ON COLUMN v_skill.method IS 'daily: one day at a time, by the models of that day; walk-forward or current-model: a backfill''s, see forecast.method';
COMMENT ON COLUMN v_skill.outcome_status IS 'provisional or final (45 days after the window)';
COMMENT ON COLUMN v_skill.days IS 'Scored days';
COMMENT ON COLUMN v_skill.target_days IS 'Days on which a target earthquake was observed';
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

CREATE VIEW v_calibration AS
    WITH edge AS (
        SELECT unnest([0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5]) AS bin_low, unnest([0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1]) AS bin_high
    )
    SELECT recipe_id, model_kind, mode, method, outcome_status, bin_low::DOUBLE AS bin_low, bin_high::DOUBLE AS bin_high, count(*) AS days,
           sum(probability) AS expected_target_days, count(*) FILTER (happened) AS target_days,
           avg(probability) AS mean_probability, avg(happened::INTEGER) AS observed_frequency,
           sum(probability * (1 - probability)) AS expected_variance, target_hash, model_kind AS kind
    FROM v_scored JOIN edge ON probability >= bin_low AND probability < bin_high
    GROUP BY ALL;
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
COMMENT ON COLUMN v_calibration.target_days IS 'Days on which a target earthquake was observed';
COMMENT ON COLUMN v_calibration.mean_probability IS 'expected_target_days / days';
COMMENT ON COLUMN v_calibration.observed_frequency IS 'target_days / days';
COMMENT ON COLUMN v_calibration.expected_variance IS 'Sum of p (1 - p): the variance of target_days if the probabilities are right and the days independent, which they are not quite';
COMMENT ON COLUMN v_calibration.target_hash IS 'Of the target';
COMMENT ON COLUMN v_calibration.kind IS 'The same as model_kind';

-- As before, by preferred id.
CREATE VIEW v_event AS
    WITH merged AS (
        SELECT from_key, last(to_key ORDER BY known_at, rowid) AS to_key FROM event_merge GROUP BY from_key
    ), history AS (
        SELECT coalesce(m.to_key, r.event_key) AS event_key, count(*) AS versions, arg_min(r.magnitude, r.known_at) AS first_magnitude
        FROM event_revision r LEFT JOIN merged m ON m.from_key = r.event_id GROUP BY 1
    )
    SELECT e.event_id, e.origin_time, e.magnitude, e.magnitude_type, e.place, e.latitude_deg, e.longitude_deg, e.depth_km, e.event_type,
           e.status, e.net, e.first_known_at, (epoch(e.first_known_at) - epoch(e.origin_time)) / 3600 AS delay_hours, e.known_at,
           e.updated_at, h.versions, h.first_magnitude, e.magnitude - h.first_magnitude AS magnitude_change, e.known_at_source, e.source,
           e.event_key
    FROM event e JOIN history h USING (event_key);
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
COMMENT ON COLUMN v_event.source IS 'Where it was read: usgs, another service, or snapshot (the bundled catalogue)';
COMMENT ON COLUMN v_event.event_key IS 'The event, whatever it is called';

CREATE VIEW v_revision_impact AS
    WITH revision AS (
        SELECT recipe_id, target_start, target_hash, NOT happened AS happened_before, happened AS happened_after, status_before,
               status AS status_after, as_of_before, as_of AS as_of_after
        FROM outcome_revision
        UNION ALL
        SELECT recipe_id, target_start, target_hash, NULL, happened, NULL, status, NULL, as_of
        FROM outcome o WHERE changed AND NOT EXISTS (
            SELECT 1 FROM outcome_revision r
            WHERE r.recipe_id = o.recipe_id AND r.target_start = o.target_start AND r.target_hash = o.target_hash)
    ), placed AS (
        SELECT revision.*, o.target_end, t.display_name->>'en' AS place, t.latitude_deg, t.longitude_deg, t.radius_km, t.threshold_mag, t.time_zone
        FROM revision JOIN outcome o USING (recipe_id, target_start, target_hash) LEFT JOIN target t USING (recipe_id, target_hash)
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
    ), version_before AS (
        SELECT * FROM near WHERE believed_from <= as_of_before AND (believed_until IS NULL OR as_of_before < believed_until)
    ), version_after AS (
        SELECT * FROM near WHERE believed_from <= as_of_after AND (believed_until IS NULL OR as_of_after < believed_until)
    ), differing AS (
        SELECT recipe_id, target_start, target_hash, as_of_after, event_key,
               w.event_id AS event_id_before, b.event_id AS event_id_after, coalesce(b.place, w.place) AS event_place,
               coalesce(w.counted, false) AS counted_before, coalesce(b.counted, false) AS counted_after,
               w.magnitude AS magnitude_before, b.magnitude AS magnitude_after,
               w.distance_km AS distance_km_before, b.distance_km AS distance_km_after,
               w.origin_time AS origin_time_before, b.origin_time AS origin_time_after, b.known_at
        FROM (SELECT * FROM version_before WHERE as_of_before IS NOT NULL) w
        FULL JOIN (SELECT * FROM version_after WHERE as_of_before IS NOT NULL) b
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
COMMENT ON VIEW v_revision_impact IS 'Every revised outcome, with the events that count now and did not before, or the other way; one row an event; one row without an event where none is known';
COMMENT ON COLUMN v_revision_impact.recipe_id IS 'The recipe';
COMMENT ON COLUMN v_revision_impact.place IS 'Name of the place, in English';
COMMENT ON COLUMN v_revision_impact.local_day IS 'The day, in the recipe''s own zone';
COMMENT ON COLUMN v_revision_impact.happened_before IS 'The outcome before';
COMMENT ON COLUMN v_revision_impact.happened_after IS 'The outcome after';
COMMENT ON COLUMN v_revision_impact.status_before IS 'preliminary, provisional or final: of the outcome before';
COMMENT ON COLUMN v_revision_impact.status_after IS 'The same after';
COMMENT ON COLUMN v_revision_impact.as_of_before IS 'The outcome before is of what was known then; NULL: revised before this was recorded';
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
COMMENT ON COLUMN v_run.quarantined_rows IS 'New rows that failed validation';
COMMENT ON COLUMN v_run.reports IS 'Pages written';
COMMENT ON COLUMN v_run.problems IS 'What went wrong, a line each';
COMMENT ON COLUMN v_run.details IS 'What each step did, as JSON';
COMMENT ON COLUMN v_run.code_version IS 'Version of quakecast that ran';

-- The spans of a table or query of this name (columns of `coverage`), joined where those of one reading touch or overlap.
CREATE MACRO coverage_joined(spans) AS TABLE
    WITH ordered AS (
        SELECT *, max(span_end) OVER (
            PARTITION BY stream, min_latitude_deg, max_latitude_deg, min_longitude_deg, max_longitude_deg, min_magnitude, source
            ORDER BY span_start, span_end ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS end_before
        FROM query_table(spans)
    ), numbered AS (
        SELECT *, count(*) FILTER (end_before IS NULL OR span_start > end_before) OVER (
            PARTITION BY stream, min_latitude_deg, max_latitude_deg, min_longitude_deg, max_longitude_deg, min_magnitude, source
            ORDER BY span_start, span_end ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS number
        FROM ordered
    )
    SELECT stream, min_latitude_deg, max_latitude_deg, min_longitude_deg, max_longitude_deg, min_magnitude, min(span_start) AS span_start,
           max(span_end) AS span_end, max(read_at) AS read_at, source, min(first_read_at) AS first_read_at
    FROM numbered
    GROUP BY stream, min_latitude_deg, max_latitude_deg, min_longitude_deg, max_longitude_deg, min_magnitude, source, number;
COMMENT ON MACRO TABLE coverage_joined IS 'The spans of a table of this name (columns of coverage), joined where those of one reading touch or overlap';

-- The table `coverage` as it was at t.
CREATE MACRO coverage_as_of(t) AS TABLE
    WITH read_by_then AS (SELECT *, read_at AS first_read_at FROM coverage_read WHERE read_at <= t)
    SELECT * FROM coverage_joined('read_by_then');
COMMENT ON MACRO TABLE coverage_as_of IS 'The table coverage as it was at t: what had been read by then';

-- One row a recipe: its target as it is now. One that has not been forecast yet is newer than those that have.
CREATE VIEW recipe AS
    SELECT t.recipe_id, t.display_name->>'en' AS place, t.latitude_deg, t.longitude_deg, t.radius_km, t.threshold_mag, t.range_days, t.time_zone,
           t.comparison_only, f.last_issue_time, t.display_name, t.target_hash
    FROM target t
    LEFT JOIN (SELECT recipe_id, target_hash, max(issue_time) AS last_issue_time FROM forecast GROUP BY ALL) f USING (recipe_id, target_hash)
    QUALIFY row_number() OVER (PARTITION BY t.recipe_id ORDER BY f.last_issue_time DESC NULLS FIRST, t.target_hash) = 1;
COMMENT ON VIEW recipe IS 'The present target of each recipe: place, radius, threshold. Earlier versions of a target are in the table target';
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
COMMENT ON VIEW v_ladder IS 'The ladder of every published forecast: one row a horizon and magnitude, with what was observed. Windows of several days overlap: their rows are not independent. Filter by mode, and by counts where a day is to count once';
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
COMMENT ON COLUMN v_ladder.beyond_record IS 'Larger than anything in the record of the circle: the magnitude law is extrapolated';
COMMENT ON COLUMN v_ladder.target_start IS 'Start of the window, as a moment';
COMMENT ON COLUMN v_ladder.window_end IS 'End of the window; itself outside';
COMMENT ON COLUMN v_ladder.mode IS 'prospective, late, hindcast or replay; never mix them';
COMMENT ON COLUMN v_ladder.method IS 'daily: one day at a time; others are a backfill''s, see forecast.method';
COMMENT ON COLUMN v_ladder.official IS 'Of the first prospective issue for this recipe and day; it stays';
COMMENT ON COLUMN v_ladder.counts IS 'Of the one issue of its day and mode that skill counts';
COMMENT ON COLUMN v_ladder.issue_time IS 'When it was issued';
COMMENT ON COLUMN v_ladder.happened IS 'Whether such an earthquake was observed; NULL: not known yet, which is not no';
COMMENT ON COLUMN v_ladder.event_count IS 'Number of them observed';
COMMENT ON COLUMN v_ladder.in_range IS 'Whether that number lies in the 95 % range';
COMMENT ON COLUMN v_ladder.outcome_status IS 'preliminary (never scored), provisional or final (45 days after the window); NULL: not verified yet';
COMMENT ON COLUMN v_ladder.log_score IS 'ln of the probability given to what was observed, nats; NULL: not scored';
COMMENT ON COLUMN v_ladder.information_gain IS 'log_score less that of the usual rate, nats';
COMMENT ON COLUMN v_ladder.gain_over_etas IS 'log_score less that of ETAS alone, nats';
COMMENT ON COLUMN v_ladder.etas_probability IS 'Probability of ETAS alone; NULL where no ETAS may forecast the day';
COMMENT ON COLUMN v_ladder.basis IS 'What gives longer windows their shape: etas, or climatology where nothing but the usual rate was published';
COMMENT ON COLUMN v_ladder.b_value IS 'Slope of the magnitudes that was used: the place''s, drawn towards the world''s';
COMMENT ON COLUMN v_ladder.b_sigma IS 'Its standard deviation';
COMMENT ON COLUMN v_ladder.threshold_mag IS 'Threshold of the recipe: the smallest rung';
COMMENT ON COLUMN v_ladder.degraded IS 'The forecast was made with less than it should have been';
COMMENT ON COLUMN v_ladder.forecast_id IS 'Id of the forecast';
COMMENT ON COLUMN v_ladder.target_hash IS 'Of the target';
COMMENT ON COLUMN v_ladder.version IS 'Of the rules by which the ladder was made';

CREATE VIEW v_world AS
    SELECT (m.target_start AT TIME ZONE 'UTC')::DATE AS day, c.horizon_days, round(c.magnitude::DOUBLE, 1) AS magnitude, printf('%x', c.cell) AS cell,
           p.place, p.latitude_deg, p.longitude_deg, c.probability::DOUBLE AS probability, c.usual_probability::DOUBLE AS usual_probability,
           c.probability::DOUBLE / c.usual_probability::DOUBLE AS ratio, m.issue = (SELECT max(issue) FROM world_map) AS newest, m.mode,
           m.target_start, m.target_start + to_hours(24 * c.horizon_days::INTEGER) AS target_end, m.radius_km, p.area_km2, m.issue_time, m.as_of,
           m.issue
    FROM world_cell c JOIN world_map m USING (issue) JOIN world_place p USING (cell);
COMMENT ON VIEW v_world IS 'The map of the world: the forecast for the circle about every cell with seismicity; one row an issue, cell, magnitude and horizon';
COMMENT ON COLUMN v_world.day IS 'First day of the window (UTC)';
COMMENT ON COLUMN v_world.horizon_days IS 'Days of the window: 1, or 7';
COMMENT ON COLUMN v_world.magnitude IS 'Smallest magnitude that counts; M 4.5 only where the catalogue is complete down to it';
COMMENT ON COLUMN v_world.cell IS 'The cell by its H3 name';
COMMENT ON COLUMN v_world.place IS 'What the service called the place of the earthquake nearest to the centre; NULL where none lies within 100 km';
COMMENT ON COLUMN v_world.latitude_deg IS 'Of the centre, degrees north';
COMMENT ON COLUMN v_world.longitude_deg IS 'Of the centre, degrees east';
COMMENT ON COLUMN v_world.probability IS 'Of at least one such earthquake within radius_km of the centre; circles of neighbours overlap, so never add them up';
COMMENT ON COLUMN v_world.usual_probability IS 'What is usual for such a window, from the last ten years';
COMMENT ON COLUMN v_world.ratio IS 'probability / usual_probability';
COMMENT ON COLUMN v_world.newest IS 'Whether it is the last issue that was stored';
COMMENT ON COLUMN v_world.mode IS 'prospective or replay; never mix them';
COMMENT ON COLUMN v_world.target_start IS 'Start of the window';
COMMENT ON COLUMN v_world.target_end IS 'End of the window, itself outside';
COMMENT ON COLUMN v_world.radius_km IS 'Of the circle about the centre that is forecast';
COMMENT ON COLUMN v_world.area_km2 IS 'Of the cell, not of the circle';
COMMENT ON COLUMN v_world.issue_time IS 'When it was made';
COMMENT ON COLUMN v_world.as_of IS 'From what was known then';
COMMENT ON COLUMN v_world.issue IS 'Number of the issue, as in world_map and world_score';

CREATE VIEW outcome_turn AS SELECT * FROM outcome_revision;
COMMENT ON VIEW outcome_turn IS 'Former name of outcome_revision, for one release';
COMMENT ON COLUMN outcome_turn.recipe_id IS 'The recipe';
COMMENT ON COLUMN outcome_turn.target_start IS 'Start of the window';
COMMENT ON COLUMN outcome_turn.target_hash IS 'Of the target';
COMMENT ON COLUMN outcome_turn.happened IS 'The revised outcome; before it was the opposite';
COMMENT ON COLUMN outcome_turn.status_before IS 'preliminary, provisional or final: of the outcome before';
COMMENT ON COLUMN outcome_turn.status IS 'Of the revised outcome';
COMMENT ON COLUMN outcome_turn.as_of_before IS 'What was known then gave the outcome before';
COMMENT ON COLUMN outcome_turn.as_of IS 'What was known then gave the revised outcome';

-- The numbers of rows that ladder_closed compares, of windows that ended by t.
CREATE MACRO ladder_rows(t) AS TABLE
    SELECT (SELECT count(*) FROM rung WHERE window_end <= t) AS rungs, o.outcomes, o.final, o.events,
           (SELECT count(*) FROM forecast WHERE published AND target_start <= t) AS issues
    FROM (SELECT count(*) AS outcomes, count(*) FILTER (status = 'final') AS final, coalesce(sum(event_count), 0)::BIGINT AS events
          FROM rung_outcome WHERE window_end <= t) o;
COMMENT ON MACRO TABLE ladder_rows IS 'The numbers of rungs, of their outcomes and of published forecasts by t, which ladder_closed keeps';

-- What it holds of the upgrades.
INSERT INTO migration VALUES
    (1, '0001_catalog.sql'),
    (2, '0002_forecasts.sql'),
    (3, '0003_messages.sql'),
    (4, '0004_event_versions.sql'),
    (5, '0005_champions.sql'),
    (6, '0006_backfill.sql'),
    (7, '0007_alerts.sql'),
    (8, '0008_turned_outcomes.sql'),
    (9, '0009_messages.sql'),
    (10, '0010_views.sql'),
    (11, '0011_publication.sql'),
    (12, '0012_service_clock.sql'),
    (13, '0013_identity.sql'),
    (14, '0014_runs_and_replays.sql'),
    (15, '0015_report_documents.sql'),
    (16, '0016_growth.sql'),
    (17, '0017_world_sets.sql'),
    (18, '0018_names.sql'),
    (19, '0019_ladder.sql'),
    (20, '0020_any_source.sql'),
    (21, '0021_world_map.sql'),
    (22, '0022_plain_comments.sql'),
    (23, '0023_kinds.sql'),
    (24, '0024_reasons.sql'),
    (25, '0025_field_words.sql'),
    (26, '0026_ladder_sums.sql'),
    (27, '0027_fewer_indexes.sql');
