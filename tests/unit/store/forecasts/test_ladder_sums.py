"""Sums of closed blocks: the same figures as from the rungs themselves, whatever is written later and whenever they are stored."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from forecaster.pipeline.rungs.rung_record import block_days
from forecaster.recipe import Recipe
from forecaster.store import ledger, rung_rows
from forecaster.store.database import Connection, Store
from forecaster.store.forecasts import ladder_sums
from forecaster.timewindow import TimeWindow
from tests.support.forecast_rows import forecast_row, rung_row

FIRST = datetime(2020, 1, 1, 15, tzinfo=UTC)
DAY = timedelta(days=1)
NOW = FIRST + 350 * DAY
PLAIN = """
    SELECT recipe_id, mode, horizon_days, magnitude,
        (epoch(target_start) // 86400)::BIGINT // CASE WHEN horizon_days <= 7 THEN 30 ELSE 90 END AS block,
        count(*) AS settled, count(*) FILTER (happened) AS hits, sum(probability) AS expected_hits,
        sum(reference_probability) AS usual_hits, count(*) FILTER (in_range) AS in_range, sum(information_gain) AS gain,
        coalesce(list(DISTINCT (epoch(target_start) // 86400)::BIGINT // horizon_days) FILTER (happened), []) AS spans
    FROM v_ladder WHERE counts AND log_score IS NOT NULL AND method = 'daily' AND (official OR mode <> 'prospective')
        AND (recipe_id, target_hash) IN (SELECT unnest($ids), unnest($hashes))
    GROUP BY ALL ORDER BY recipe_id, mode, horizon_days, magnitude, block"""


def add_days(connection: Connection, recipe: Recipe, days: range, status: str, rng: np.random.Generator, **changes: Any) -> None:
    """A forecast a day with four rungs and their outcomes of this status."""
    rows: dict[str, list[dict[str, Any]]] = {"forecast": [], "rung": [], "rung_outcome": []}
    for day in days:
        start = FIRST + day * DAY
        forecast = forecast_row(recipe, TimeWindow(start, start + DAY), start - timedelta(hours=6), **changes)
        forecast["forecast_id"] += "-".join(map(str, changes.values()))
        rungs = [rung_row(forecast, days, 5.0, probability=float(rng.uniform(0.05, 0.6))) for days in (1, 3, 7, 30)]
        rows["forecast"].append(forecast)
        rows["rung"] += rungs
        rows["rung_outcome"] += observed(forecast, rungs, status, rng)
    ledger.insert(connection, "forecast", rows["forecast"])
    ledger.insert(connection, "rung", rows["rung"])
    rung_rows.settle(connection, rows["rung_outcome"])


def observed(forecast: dict[str, Any], rungs: list[dict[str, Any]], status: str, rng: np.random.Generator) -> list[dict[str, Any]]:
    counts = rng.poisson(0.5, len(rungs)).tolist()
    kept = {name: forecast[name] for name in ("recipe_id", "target_hash", "target_start")}
    return [
        kept
        | {name: rung[name] for name in ("horizon_days", "magnitude", "window_end")}
        | {"happened": count > 0, "event_count": count, "status": status, "as_of": rung["window_end"] + 50 * DAY}
        for rung, count in zip(rungs, counts, strict=True)
    ]


def same(connection: Connection, recipes: list[Recipe]) -> bool:
    """Compare the blocks with those of all rungs; return whether stored sums were used."""
    targets = {recipe.id: recipe.target_hash for recipe in recipes}
    found = ladder_sums.record_sums(connection, targets, block_days)
    plain = connection.execute(PLAIN, {"ids": list(targets), "hashes": list(targets.values())}).df()
    keys = ["recipe_id", "mode", "horizon_days", "magnitude"]
    for row, (key, blocks) in zip(found, plain.groupby(keys, sort=True), strict=True):
        assert tuple(row[name] for name in keys) == key
        for name in ("settled", "hits", "expected_hits", "usual_hits", "in_range", "gain"):
            assert row[name] == pytest.approx(blocks[name].sum(), rel=1e-12), name
        assert row["cases"] == len({span for spans in blocks["spans"] for span in spans})
        assert row["blocks"].tolist() == blocks["block"].tolist() and row["block_hits"].tolist() == blocks["hits"].tolist()
        assert row["block_gains"] == pytest.approx(blocks["gain"].to_numpy(), rel=1e-12)
    assert len(found), "the case decides something"
    closed = ladder_sums._closed(connection, ladder_sums._lengths(connection, block_days))
    return closed is not None and connection.execute("SELECT count(*) > 0 FROM ladder_sum").fetchall()[0][0]


@pytest.fixture
def two(recipes: dict[str, Recipe]) -> list[Recipe]:
    return [recipes["tokyo-m45"], recipes["istanbul"]]


def test_stored_sums_are_those_of_the_rungs_however_often_they_are_carried_on(store: Store, two: list[Recipe]) -> None:
    rng = np.random.default_rng(1)
    with store.transaction() as connection:
        for first in range(0, 400, 50):
            for recipe in two:
                add_days(connection, recipe, range(first, first + 50), "provisional", rng)
                add_days(connection, recipe, range(first, first + 50, 7), "provisional", rng, mode="late", official=False)
            now = FIRST + (first + 50) * DAY
            connection.execute("UPDATE rung_outcome SET status = 'final' WHERE window_end <= $now - INTERVAL 45 DAY", {"now": now})
            ladder_sums.close(connection, block_days, now)
            ladder_sums.close(connection, block_days, now)
            assert same(connection, two) == (first > 0), "with the first fifty days final a block is closed"
        assert same(connection, two[1:])
        blocks = connection.execute("SELECT count(*), count(DISTINCT (recipe_id, mode, horizon_days, block)) FROM ladder_sum").fetchall()
    assert blocks[0][0] == blocks[0][1] > 50, "each block is stored once"


def test_an_outcome_that_never_becomes_final_holds_nothing_up_and_counts_as_it_is(store: Store, two: list[Recipe]) -> None:
    """The recipe of such an outcome is gone. When it comes back, the outcome is final and the sums are made anew."""
    rng = np.random.default_rng(2)
    with store.transaction() as connection:
        add_days(connection, two[0], range(300), "final", rng)
        add_days(connection, two[1], range(100, 105), "provisional", rng)
        add_days(connection, two[1], range(105, 106), "preliminary", rng)
        ladder_sums.close(connection, block_days, NOW)
        assert same(connection, two)
        last = connection.execute("SELECT max((block + 1) * 30) FROM ladder_sum WHERE horizon_days = 1").fetchall()[0][0]
        assert (FIRST + 250 * DAY - ladder_sums._EPOCH).days < last <= (NOW - ladder_sums._EPOCH).days - 50
        connection.execute("UPDATE rung_outcome SET status = 'final'")
        assert not same(connection, two)
        ladder_sums.close(connection, block_days, NOW)
        assert same(connection, two)


@pytest.mark.parametrize("late", ["a forecast", "a second issue", "an outcome", "a changed count"])
def test_what_is_written_later_into_closed_blocks_counts_at_once_and_after_the_next_closing(
    store: Store, two: list[Recipe], late: str
) -> None:
    rng = np.random.default_rng(3)
    with store.transaction() as connection:
        add_days(connection, two[0], range(300), "final", rng)
        connection.execute("DELETE FROM rung_outcome WHERE target_start = $start", {"start": FIRST + 20 * DAY})
        ladder_sums.close(connection, block_days, NOW)
        assert same(connection, two)
        match late:
            case "a forecast":
                add_days(connection, two[1], range(10, 12), "final", rng)
            case "a second issue":
                add_days(connection, two[0], range(10, 12), "final", rng, issue_time=FIRST + 9 * DAY)
            case "an outcome":
                start = FIRST + 20 * DAY
                forecast = forecast_row(two[0], TimeWindow(start, start + DAY), start)
                ledger.insert(connection, "rung_outcome", observed(forecast, [rung_row(forecast, 7, 5.0)], "final", rng))
            case "a changed count":
                connection.execute("UPDATE rung_outcome SET event_count = event_count + 1, happened = true WHERE horizon_days = 3")
        assert not same(connection, two), "the stored sums are not used"
        ladder_sums.close(connection, block_days, NOW)
        assert same(connection, two)


def test_another_length_of_blocks_makes_the_sums_anew(store: Store, two: list[Recipe]) -> None:
    with store.transaction() as connection:
        add_days(connection, two[0], range(300), "final", np.random.default_rng(4))
        ladder_sums.close(connection, lambda _: 10, NOW)
        assert not same(connection, two)
        ladder_sums.close(connection, block_days, NOW)
        assert same(connection, two)


def test_what_a_recipe_forecast_before_it_was_moved_is_not_in_its_record(store: Store, two: list[Recipe]) -> None:
    """Another recipe has its former target now. Seen to fail: targets chosen by their hash alone."""
    moved, other = two
    rng = np.random.default_rng(5)
    with store.transaction() as connection:
        add_days(connection, moved, range(100), "final", rng, target_hash="former")
        add_days(connection, moved, range(100, 150), "final", rng)
        add_days(connection, other, range(100), "final", rng, target_hash="former")
        sums = ladder_sums.record_sums(connection, {moved.id: moved.target_hash, other.id: "former"}, block_days)
    assert {row["recipe_id"]: row["settled"] for row in reversed(sums)} == {moved.id: 50, other.id: 100}


def test_an_empty_ladder(store: Store, two: list[Recipe]) -> None:
    with store.transaction() as connection:
        ladder_sums.close(connection, block_days, NOW)
        assert ladder_sums.record_sums(connection, {two[0].id: two[0].target_hash}, block_days) == []
        assert rung_rows.ladders(connection, []) == {}
