"""Tables whose keys schema 27 took away: rows are replaced by their key as before, and an upgrade keeps what was stored."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from forecaster.recipe import Recipe
from forecaster.store import ledger, migrating, rung_rows
from forecaster.store.database import Store, open_store
from forecaster.store.engine import put
from forecaster.timewindow import TimeWindow
from tests.support.forecast_rows import forecast_row, rung_row
from tests.support.old_schemas import old_schema

T0 = datetime(2024, 1, 1, 15, tzinfo=UTC)
DAY = timedelta(days=1)
TABLES = ("forecast", "score", "rung", "rung_outcome")


def outcome_rows(recipe: Recipe, days: range, status: str) -> list[dict]:
    return [
        {
            **{
                "recipe_id": recipe.id,
                "target_hash": recipe.target_hash,
                "target_start": T0 + day * DAY,
                "horizon_days": 1,
                "magnitude": 5.0,
            },
            **{"window_end": T0 + (day + 1) * DAY, "happened": False, "event_count": 0, "status": status, "as_of": T0 + 99 * DAY},
        }
        for day in days
    ]


def score_rows(recipe: Recipe, days: range, status: str) -> list[dict]:
    return [
        {
            **{"forecast_id": f"{recipe.id}-{T0 + day * DAY:%F}", "recipe_id": recipe.id, "target_start": T0 + day * DAY},
            **{"mode": "prospective", "happened": False, "status": status, "log_score": -0.1, "reference_log_score": -0.1},
            **{"brier": 0.01, "scored_at": T0 + 99 * DAY},
        }
        for day in days
    ]


def test_rows_of_the_same_key_are_replaced_and_no_others(store: Store, recipes: dict[str, Recipe]) -> None:
    one, other = recipes["tokyo-m45"], recipes["istanbul"]
    with store.transaction() as connection:
        for recipe, days, status in ((one, range(10), "provisional"), (other, range(10), "provisional"), (one, range(3, 6), "final")):
            rung_rows.settle(connection, outcome_rows(recipe, days, status))
            ledger.write_scores(connection, score_rows(recipe, days, status))
        for table in ("rung_outcome", "score"):
            found = connection.execute(f"SELECT recipe_id, target_start, status FROM {table} ORDER BY ALL").fetchall()
            every = [
                (recipe.id, T0 + day * DAY, "final" if recipe == one and 3 <= day < 6 else "provisional")
                for recipe in (one, other)
                for day in range(10)
            ]
            assert found == sorted(every), table


def test_of_several_rows_of_the_same_key_the_first_is_stored(store: Store) -> None:
    """As a primary key would have it. Seen to fail: all of them were stored."""
    with store.transaction() as connection:
        connection.execute("CREATE TEMP TABLE kept (moment TIMESTAMPTZ, name VARCHAR, number INTEGER)")
        frame = pd.DataFrame({"moment": [T0, T0, T0 + DAY], "name": ["a", "a", "a"], "number": [1, 2, 3]})
        for rows in (frame, frame.iloc[:0], frame.assign(number=frame["number"] + 10)):
            put(connection, "kept", rows, ("moment", "name"))
        assert connection.execute("SELECT number FROM kept ORDER BY 1").fetchall() == [(11,), (13,)]


def test_an_upgrade_keeps_every_row_and_one_that_is_cut_off_changes_nothing(
    tmp_path: Path, recipes: dict[str, Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail: two columns exchanged; the last table left empty."""
    path, recipe, days = tmp_path / "old.duckdb", recipes["tokyo-m45"], range(20)
    forecasts = [forecast_row(recipe, TimeWindow(T0 + day * DAY, T0 + (day + 1) * DAY), T0 + (day - 1) * DAY) for day in days]
    rows = {
        "forecast": forecasts,
        "score": score_rows(recipe, days, "final"),
        "rung": [rung_row(row, horizon, 5.0, probability=0.1 / horizon) for row in forecasts for horizon in (1, 7)],
        "rung_outcome": outcome_rows(recipe, days, "final"),
    }
    with old_schema(26):
        store = open_store(path)
        with store.transaction() as connection:
            for table, some in rows.items():
                ledger.insert(connection, table, some)
            before = {table: connection.execute(f"FROM {table}").fetchall() for table in TABLES}
    with monkeypatch.context() as patch:
        steps = [(number, name, f"{sql}; SELECT error('pulled the plug')") for number, name, sql in migrating.migrations() if number == 27]
        patch.setattr(migrating, "migrations", lambda: steps)
        with pytest.raises(duckdb.Error, match="pulled the plug"):
            open_store(path)
    with old_schema(26), store.transaction() as connection:
        assert migrating.schema_of(connection) == 26
        assert before == {table: connection.execute(f"FROM {table}").fetchall() for table in TABLES}
    with open_store(path).transaction() as connection:
        assert before == {table: connection.execute(f"FROM {table}").fetchall() for table in TABLES}
        assert connection.execute("SELECT count(*) FROM v_ladder").fetchall() == [(len(rows["rung"]),)]
