-- The track record of the ladder in sums of blocks of days that nothing can change any more, so that a report need not read all rungs.
-- Both tables can be made again from `rung` and `rung_outcome`, and are where those hold other rows than were summed.

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
CREATE TABLE ladder_closed (
    until    TIMESTAMPTZ NOT NULL,
    lengths  JSON NOT NULL,
    rungs    BIGINT NOT NULL,
    outcomes BIGINT NOT NULL,
    final    BIGINT NOT NULL,
    events   BIGINT NOT NULL,
    issues   BIGINT NOT NULL
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
COMMENT ON TABLE ladder_closed IS 'What ladder_sum was made from: one row. The sums are used only while the tables hold the same numbers of rows';
COMMENT ON COLUMN ladder_closed.until IS 'Windows that ended by then were looked at';
COMMENT ON COLUMN ladder_closed.lengths IS 'Length of the blocks in days, by horizon';
COMMENT ON COLUMN ladder_closed.rungs IS 'Number of rungs whose window ended by then';
COMMENT ON COLUMN ladder_closed.outcomes IS 'Number of their outcomes';
COMMENT ON COLUMN ladder_closed.final IS 'Number of those that are final';
COMMENT ON COLUMN ladder_closed.events IS 'Sum of the earthquakes in them';
COMMENT ON COLUMN ladder_closed.issues IS 'Number of published forecasts whose window began by then';

-- The numbers of rows that ladder_closed compares, of windows that ended by t.
CREATE MACRO ladder_rows(t) AS TABLE
    SELECT (SELECT count(*) FROM rung WHERE window_end <= t) AS rungs, o.outcomes, o.final, o.events,
           (SELECT count(*) FROM forecast WHERE published AND target_start <= t) AS issues
    FROM (SELECT count(*) AS outcomes, count(*) FILTER (status = 'final') AS final, coalesce(sum(event_count), 0)::BIGINT AS events
          FROM rung_outcome WHERE window_end <= t) o;
COMMENT ON MACRO TABLE ladder_rows IS 'The numbers of rungs, of their outcomes and of published forecasts by t, which ladder_closed keeps';
