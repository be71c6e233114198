"""The track record of the ladder: sums of rungs over blocks of calendar days.

A block whose outcomes are all final does not change, so its sums are stored (`close`) and read in place of its rungs (`record_sums`), of
which there are some 200,000 a year for 29 recipes. The sums come with the numbers of the rows that they were made from. Where the tables
hold other numbers, because something was written later for windows of that time, all rungs are read, and the next verification makes the
sums anew.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from forecaster.store.database import Connection
from forecaster.store.ledger import EVER
from forecaster.store.row_types import RungSums, rows_as

CLOSED_AFTER = timedelta(days=50)  # outcomes are final 45 days after the window
EVERY = timedelta(days=30)  # so often the sums are carried on
FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_FIRST_BLOCK = -1_000_000  # before every forecast
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = "recipe_id, mode, horizon_days, magnitude, block, settled, hits, expected_hits, usual_hits, in_range, gain, spans"
_RUNG = "recipe_id, mode, horizon_days, magnitude"
_WHOLE = f"""{_RUNG}, sum(settled)::BIGINT AS settled, sum(hits)::BIGINT AS hits, sum(expected_hits) AS expected_hits,
    sum(usual_hits) AS usual_hits, sum(in_range)::BIGINT AS in_range, sum(gain) AS gain, len(list_distinct(flatten(list(spans)))) AS cases,
    list_sort(list(struct_pack(block := block, hits := hits, gain := gain))) AS parts"""

# One issue of a window and mode counts (as in v_forecast); blocks [first_block, end_block) of each horizon, starts in [$since, $before).
_SUMS = """
    length AS (SELECT unnest($horizons) AS horizon_days, unnest($lengths) AS block_days, unnest($firsts) AS first_block,
        unnest($ends) AS end_block),
    counted AS (
        SELECT forecast_id, recipe_id, target_hash, target_start, mode, (epoch(target_start) // 86400)::BIGINT AS day
        FROM forecast WHERE published AND method = 'daily' AND NOT in_sample AND target_start >= $since AND target_start < $before
        QUALIFY row_number() OVER (PARTITION BY recipe_id, target_hash, target_start, mode
            ORDER BY official DESC, issue_time DESC, created_at DESC) = 1 AND (official OR mode <> 'prospective')),
    told AS (
        SELECT f.recipe_id, f.target_hash, f.mode, r.horizon_days, r.magnitude, f.day, f.day // block_days AS block, r.probability,
            r.reference_probability, o.happened, o.event_count BETWEEN r.count_low AND r.count_high AS in_range
        FROM counted f JOIN (SELECT * FROM rung WHERE window_end > $since) r USING (forecast_id) JOIN length USING (horizon_days)
        JOIN (SELECT * FROM rung_outcome WHERE status <> 'preliminary' AND window_end > $since) o ON o.recipe_id = f.recipe_id
            AND o.target_hash = f.target_hash AND o.target_start = f.target_start AND o.horizon_days = r.horizon_days
            AND o.magnitude = r.magnitude
        WHERE f.day // block_days >= first_block AND f.day // block_days < end_block),
    summed AS (
        SELECT recipe_id, target_hash, mode, horizon_days, magnitude, block, count(*) AS settled, count(*) FILTER (happened) AS hits,
            sum(probability) AS expected_hits, sum(reference_probability) AS usual_hits, count(*) FILTER (in_range) AS in_range,
            sum(CASE WHEN happened THEN ln(probability / reference_probability)
                ELSE ln((1 - probability) / (1 - reference_probability)) END) AS gain,
            coalesce(list(DISTINCT day // horizon_days) FILTER (happened), []) AS spans
        FROM told GROUP BY ALL)"""

Blocks = Callable[[int], int]
"""The length of the blocks in days, by horizon."""


def record_sums(connection: Connection, targets: Mapping[str, str], block_days: Blocks) -> list[RungSums]:
    """Return the sums of the rungs of these targets (recipe id -> target hash).

    They cover forecasts that count and whose window has ended; preliminary outcomes are left out.

    Returns:
        one row per recipe_id, mode, horizon_days and magnitude, with settled, hits, expected_hits, usual_hits, in_range, gain (nats),
        cases: in how many of the spans of horizon_days a window with such an earthquake began, and the parts of some sums by block of
        calendar days, as arrays: blocks (UTC days since 1970-01-01 over block_days, ascending), block_hits, block_gains.
    """
    lengths = _lengths(connection, block_days)
    until = _closed(connection, lengths)
    stored = "" if until is None else f"UNION ALL SELECT target_hash, {_COLUMNS} FROM ladder_sum"
    frame = connection.execute(
        f"WITH {_SUMS}, whole AS (SELECT {_WHOLE} FROM (SELECT target_hash, {_COLUMNS} FROM summed {stored}) "
        f"WHERE (recipe_id, target_hash) IN (SELECT unnest($ids), unnest($hashes)) GROUP BY {_RUNG}) "
        "SELECT * EXCLUDE (parts), apply(parts, lambda part: part.block) AS blocks, apply(parts, lambda part: part.hits) AS block_hits, "
        f"apply(parts, lambda part: part.gain) AS block_gains FROM whole ORDER BY {_RUNG}",
        {"ids": list(targets), "hashes": list(targets.values()), **_span(lengths, until, None)},
    ).df()
    return rows_as(RungSums, frame)


def close(connection: Connection, block_days: Blocks, now: datetime) -> None:
    """Store the sums of the blocks that are closed since the last time, once in EVERY; all of them where the stored ones are not valid.

    A window that waits for its outcome, of a recipe that is gone for instance, keeps no block open: its outcome would make the sums anew.
    """
    lengths, until = _lengths(connection, block_days), now - CLOSED_AFTER
    before = _closed(connection, lengths)
    if before is not None and until < before + EVERY:
        return
    if before is None:
        connection.execute("DELETE FROM ladder_sum")
    connection.execute(f"WITH {_SUMS} INSERT INTO ladder_sum BY NAME SELECT * FROM summed", _span(lengths, before, until))
    connection.execute("DELETE FROM ladder_closed")
    connection.execute(
        "INSERT INTO ladder_closed SELECT $until, $lengths, * FROM ladder_rows($until)", {"until": until, "lengths": json.dumps(lengths)}
    )


def _lengths(connection: Connection, block_days: Blocks) -> dict[int, int]:
    """Return the length of the blocks of each horizon that there is."""
    rows = connection.execute("SELECT DISTINCT horizon_days FROM rung ORDER BY 1").fetchall()
    return {horizon: block_days(horizon) for (horizon,) in rows}


def _closed(connection: Connection, lengths: Mapping[int, int]) -> datetime | None:
    """Return until when windows are in the stored sums; None where the sums do not fit what the tables hold."""
    rows = connection.execute("SELECT * FROM ladder_closed").fetchall()
    if len(rows) != 1 or json.loads(rows[0][1]) != {str(horizon): length for horizon, length in lengths.items()}:
        return None
    until, _, *numbers = rows[0]
    (found,) = connection.execute("SELECT * FROM ladder_rows($until)", {"until": until}).fetchall()
    return until if list(found) == numbers else None


def _span(lengths: Mapping[int, int], after: datetime | None, until: datetime | None) -> dict[str, object]:
    """Return the parameters of `_SUMS` for the blocks that are not yet closed at `after` and are at `until` (None: no bound).

    A window that begins after noon is of the next day: the cast to a whole number rounds. So a block begins up to a day before its first.
    """
    firsts = [_FIRST_BLOCK if after is None else _open_block(horizon, length, after) for horizon, length in lengths.items()]
    ends = [_open_block(horizon, length, until or FOREVER) for horizon, length in lengths.items()]
    begins = [] if after is None else [_EPOCH + (first * length - 1) * _DAY for first, length in zip(firsts, lengths.values(), strict=True)]
    return {
        "horizons": list(lengths),
        "lengths": list(lengths.values()),
        "firsts": firsts,
        "ends": ends,
        "since": min(begins, default=EVER),
        "before": until or FOREVER,
    }


def _open_block(horizon_days: int, block_days: int, until: datetime) -> int:
    """Return the first block with a window that may end after `until`. A day more is for clocks that are set back."""
    return ((until - _EPOCH) // _DAY - horizon_days - 1) // block_days
