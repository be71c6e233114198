"""What is read of a part of the tables, because the rest cannot change the answer: the same as when all of it is read."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from forecaster.recipe import Recipe
from forecaster.store import ledger, rung_rows
from forecaster.store.database import Connection, Store
from forecaster.store.forecasts import shown
from forecaster.store.row_types import RungOutcomeRow, rows_as
from forecaster.timewindow import TimeWindow
from tests.support.forecast_rows import forecast_row, rung_row

FIRST = datetime(2020, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
PLAIN_DUE = """
    SELECT f.forecast_id FROM forecast f JOIN outcome o USING (recipe_id, target_start, target_hash) LEFT JOIN score s USING (forecast_id)
    WHERE o.status <> 'preliminary' AND (f.official OR f.mode <> 'prospective') AND NOT f.in_sample
        AND (s.forecast_id IS NULL OR s.status <> o.status OR s.happened <> o.happened) ORDER BY 1"""
PLAIN_UNSETTLED = """
    SELECT DISTINCT f.recipe_id, f.target_start, r.horizon_days, r.magnitude, o.status FROM rung r JOIN forecast f USING (forecast_id)
    LEFT JOIN rung_outcome o ON o.recipe_id = f.recipe_id AND o.target_hash = f.target_hash AND o.target_start = f.target_start
        AND o.horizon_days = r.horizon_days AND o.magnitude = r.magnitude
    WHERE r.window_end <= $now AND coalesce(o.status, '') <> 'final' ORDER BY ALL"""


def window(day: int, days: int = 1) -> TimeWindow:
    return TimeWindow(FIRST + day * DAY, FIRST + (day + days) * DAY)


def made(recipe: Recipe, day: int, **changes: Any) -> dict[str, Any]:
    return forecast_row(recipe, window(day), FIRST + day * DAY - timedelta(hours=1), **changes)


def observed(recipe: Recipe, day: int, status: str, happened: bool) -> dict[str, Any]:
    return {
        "recipe_id": recipe.id,
        "target_start": window(day).start,
        "target_end": window(day).end,
        "target_hash": recipe.target_hash,
        "happened": happened,
        "event_count": int(happened),
        "max_magnitude": None,
        "status": status,
        "as_of": window(day).end,
        "changed": False,
    }


def fill(connection: Connection, recipes: list[Recipe], rng: np.random.Generator) -> None:
    """Sixty days of two recipes: most of them final and scored, some not verified, not scored, issued twice, or seen by the model."""
    forecasts, outcomes, scores, rungs, came = [], [], [], [], []
    for recipe in recipes:
        for day in range(60):
            issues = [made(recipe, day, in_sample=bool(rng.random() < 0.1), method="current-model", mode="hindcast", official=False)]
            issues += [made(recipe, day, forecast_id=f"{recipe.id}-{day}-2", mode="late", official=False)] if rng.random() < 0.2 else []
            forecasts += issues
            ladder = [rung_row(issue, horizon, 5.0) for issue in issues for horizon in (1, 7) if not issue["in_sample"]]
            rungs += ladder
            came += [
                {
                    **{name: issues[0][name] for name in ("recipe_id", "target_hash", "target_start")},
                    **{name: row[name] for name in ("horizon_days", "magnitude", "window_end")},
                    "happened": False,
                    "event_count": 0,
                    "status": "final" if rng.random() < 0.9 else "provisional",
                    "as_of": row["window_end"],
                }
                for row in {row["horizon_days"]: row for row in ladder}.values()
                if rng.random() < 0.9
            ]
            if rng.random() < 0.1:
                continue
            outcome = observed(recipe, day, str(rng.choice(["preliminary", "provisional", "final"], p=[0.1, 0.1, 0.8])), bool(day % 2))
            outcomes.append(outcome)
            scores += [
                {
                    **{name: issue[name] for name in ("forecast_id", "recipe_id", "target_start", "mode")},
                    "happened": outcome["happened"] if rng.random() < 0.95 or outcome["status"] == "final" else not outcome["happened"],
                    "status": outcome["status"] if rng.random() < 0.9 else "provisional",
                    "log_score": -1.0,
                    "reference_log_score": -1.0,
                    "brier": 0.1,
                    "scored_at": window(day).end,
                }
                for issue in issues
                if rng.random() < 0.9 and not issue["in_sample"] and outcome["status"] != "preliminary"
            ]
    tables = {"forecast": forecasts, "outcome": outcomes, "score": scores, "rung": rungs, "rung_outcome": came}
    for table, rows in tables.items():
        ledger.insert(connection, table, rows)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_due_is_what_a_reading_of_all_rows_finds(store: Store, recipes: dict[str, Recipe], seed: int) -> None:
    now = FIRST + 55 * DAY
    with store.transaction() as connection:
        fill(connection, [recipes["tokyo-m45"], recipes["istanbul"]], np.random.default_rng(seed))
        due = [row[0] for row in connection.execute(PLAIN_DUE).fetchall()]
        unsettled = connection.execute(PLAIN_UNSETTLED, {"now": now}).fetchall()
        found, rungs = ledger.forecasts_to_score(connection), rung_rows.unsettled(connection, now)
    assert due and unsettled, "the case decides something"
    assert sorted(found["forecast_id"]) == due
    names = ["recipe_id", "target_start", "horizon_days", "magnitude", "status"]
    assert [tuple(row) for row in rungs[names].astype(object).where(rungs[names].notna(), None).itertuples(index=False)] == unsettled


def test_a_rung_of_which_two_forecasts_promised_different_ends_has_one_outcome_that_stays(store: Store, recipes: dict[str, Recipe]) -> None:
    """The clocks' law changed between two issues. Seen to fail: a row for each end, and an outcome that was looked for at its end alone."""
    issues = [made(recipes["manila"], 0), made(recipes["manila"], 0, forecast_id="again", official=False)]
    ends = [window(0, 30).end, window(0, 30).end - timedelta(hours=1)]
    stored = []
    with store.transaction() as connection:
        ledger.insert(connection, "forecast", issues)
        rung_rows.add(connection, [rung_row(issue, 30, 5.0, window_end=end) for issue, end in zip(issues, ends, strict=True)])
        for status in ("provisional", "final", "final"):
            found = rung_rows.unsettled(connection, FIRST + 99 * DAY).rename(columns={"target_end": "window_end"})
            rows = found.assign(happened=True, event_count=1, status=status, as_of=FIRST + 99 * DAY)
            rung_rows.settle(connection, rows_as(RungOutcomeRow, rows))
            stored.append(connection.execute("SELECT window_end, status FROM rung_outcome").fetchall())
    assert stored == [[(ends[1], status)] for status in ("provisional", "final", "final")] and found.empty


def test_forecasts_of_years_ago_are_shown_where_a_recipe_has_no_later_ones(store: Store, recipes: dict[str, Recipe]) -> None:
    """Three recipes at day 1000: one forecast every day, one that has stopped, one with a gap of two years before its last day."""
    daily, stopped, resumed = recipes["tokyo-m45"], recipes["istanbul"], recipes["manila"]
    days = [(daily, range(990, 1001)), (stopped, range(5)), (resumed, [*range(4), 1000])]
    rows = [made(recipe, day) for recipe, some in days for day in some]
    targets = {recipe.id: recipe.target_hash for recipe, _ in days}
    now = window(1000).start + timedelta(hours=9)
    with store.transaction() as connection:
        ledger.insert(connection, "forecast", rows)
        last = shown.latest_published(connection, now, list(targets.values()))
        recent = shown.recent_published(connection, targets, dict.fromkeys(targets, now + 5 * DAY), 4)
        issues = shown.models_of_issues(connection, [rows[0]["forecast_id"], rows[-1]["forecast_id"]])
        ledger.insert(connection, "rung", [rung_row(rows[0], 1, 5.0), rung_row(rows[11], 30, 5.0)])
        ladders = rung_rows.ladders(connection, [rows[0]["forecast_id"], rows[11]["forecast_id"]])
    assert {row["recipe_id"]: (row["target_start"] - FIRST).days for row in last} == {daily.id: 1000, stopped.id: 4, resumed.id: 1000}
    starts = {recipe_id: [(start - FIRST).days for start in frame["target_start"]] for recipe_id, frame in recent.items()}
    assert starts == {daily.id: [997, 998, 999, 1000], stopped.id: [1, 2, 3, 4], resumed.id: [1, 2, 3, 1000]}
    assert [[row["forecast_id"] for row in rows] for rows in issues.values()] == [[key] for key in issues]
    assert [[row["horizon_days"] for row in ladder] for ladder in ladders.values()] == [[1], [30]]
