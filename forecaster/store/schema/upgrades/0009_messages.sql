-- Messages are kept, so that an alert can be sent again as it was meant; the outbox knows what is being sent and what nobody needs any more.

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
COMMENT ON TABLE message IS 'Alerts, corrections and words about the operation, as people read them; the outbox says what became of each';
COMMENT ON COLUMN message.subject_id IS 'Deterministic: the same message has the same id';
COMMENT ON COLUMN message.lines IS 'Paragraphs of plain text';
COMMENT ON COLUMN message.facts IS 'Figures for machines, as the webhook carries them';
COMMENT ON COLUMN message.thread_id IS 'subject_id of the message or report that this one answers';
COMMENT ON COLUMN message.channels IS 'Where it goes; NULL: every channel that is set up, or those of its thread';
COMMENT ON COLUMN message.not_before IS 'It is held back until then (quiet hours)';
COMMENT ON COLUMN message.expires_at IS 'What has not been sent by then is closed: it would say nothing any more';

CREATE TABLE delivery_as_before AS SELECT * FROM delivery;
DROP TABLE delivery;
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
INSERT INTO delivery BY NAME SELECT *, 'report' AS subject_kind FROM delivery_as_before;
DROP TABLE delivery_as_before;
COMMENT ON TABLE delivery IS 'The outbox: one row a message and recipient';
COMMENT ON COLUMN delivery.delivery_id IS 'SHA-256 of subject, channel and address; the webhook-id of a webhook';
COMMENT ON COLUMN delivery.subject_id IS 'A report or a message';
COMMENT ON COLUMN delivery.recipient IS 'A label, never an address with a secret';
COMMENT ON COLUMN delivery.state IS 'dead: given up, a person may send it again; closed: nobody needs it any more (a newer report, a channel that is gone, too late)';
COMMENT ON COLUMN delivery.last_error IS 'Why it failed or was closed';
COMMENT ON COLUMN delivery.next_try_at IS 'When it is due; while it is being sent, when that attempt counts as broken off';
