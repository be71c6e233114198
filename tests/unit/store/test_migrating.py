"""A new database and one that went through all upgrades have the same schema, to the last comment."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from forecaster.store import migrating
from forecaster.store.database import Store, open_store
from forecaster.store.engine import Connection
from tests.support.old_schemas import EMPTY, old_schema
from tests.support.scripts import load_script

ROOT = Path(__file__).resolve().parents[3]
PARTS = {
    "tables": "SELECT table_name, comment FROM duckdb_tables() ORDER BY ALL",
    "columns": "SELECT table_name, column_index, column_name, data_type, is_nullable, column_default, comment FROM duckdb_columns() "
    "WHERE NOT internal ORDER BY ALL",
    "constraints": "SELECT table_name, row_number() OVER (PARTITION BY table_name ORDER BY constraint_index) AS place, constraint_type, "
    "constraint_text, constraint_column_names, referenced_table FROM duckdb_constraints() WHERE constraint_type <> 'NOT NULL' ORDER BY ALL",
    "indexes": "SELECT table_name, index_name, sql FROM duckdb_indexes() ORDER BY ALL",
    "views": "SELECT view_name, sql, comment FROM duckdb_views() WHERE NOT internal ORDER BY ALL",
    "macros": "SELECT function_name, parameters, macro_definition, comment FROM duckdb_functions() WHERE NOT internal ORDER BY ALL",
    "others": "SELECT type_name FROM duckdb_types() WHERE NOT internal UNION ALL SELECT sequence_name FROM duckdb_sequences()",
    "numbers": "SELECT number, name FROM migration ORDER BY number",
}


def schema(connection: Connection) -> dict[str, list[tuple]]:
    return {part: connection.execute(sql).fetchall() for part, sql in PARTS.items()}


def upgraded(path: Path, first: int = 1) -> dict[str, list[tuple]]:
    """The schema of a database that an earlier version made with `first`, and this one has opened."""
    with old_schema(first):
        open_store(path)
    with open_store(path).transaction() as connection:
        return schema(connection)


def new(path: Path) -> dict[str, list[tuple]]:
    with open_store(path).transaction() as connection:
        return schema(connection)


def test_a_new_database_has_the_schema_of_an_upgraded_one(tmp_path: Path) -> None:
    """Seen to fail: a comment, a default, a CHECK, the order of two columns, a view changed in the baseline."""
    made, there = new(tmp_path / "new.duckdb"), upgraded(tmp_path / "old.duckdb")
    assert [part for part in PARTS if made[part] != there[part]] == []
    assert len(there["tables"]) >= 30 and len(there["columns"]) > 500 and there["numbers"][-1][0] == migrating.newest_schema()


def test_without_comments_the_schema_is_the_same() -> None:
    """As readers of an export make it. Seen to fail: a comment of two lines, of which the second stays."""
    with duckdb.connect() as whole, duckdb.connect() as bare:
        migrating.make_current(whole)
        migrating.make_current(bare, comments=False)
        there, made = schema(whole), schema(bare)
    of_views = {name for name, _, _ in there["views"]}
    assert not any(row[-1] for part in ("tables", "columns", "views", "macros") for row in made[part])
    for part in ("tables", "columns", "views", "macros"):
        assert [row[:-1] for row in made[part]] == [row[:-1] for row in there[part]]
        assert all(row[-1] for row in there[part] if row[0] not in {"migration", *of_views})
    assert all(made[part] == there[part] for part in ("constraints", "indexes", "others", "numbers"))


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE score ALTER brier SET DEFAULT 1",
        "ALTER TABLE score ALTER brier DROP NOT NULL",
        "ALTER TABLE score ADD COLUMN more DOUBLE",
        "COMMENT ON COLUMN score.brier IS 'other'",
        "COMMENT ON VIEW v_run IS 'other'",
        "CREATE OR REPLACE VIEW v_run AS SELECT 1 AS one",
        "CREATE OR REPLACE MACRO coverage_as_of(t) AS TABLE SELECT 1 AS one",
        "CREATE INDEX faster ON score (recipe_id)",
        "CREATE TABLE more (one INTEGER)",
    ],
)
def test_a_difference_is_seen(tmp_path: Path, change: str) -> None:
    store = open_store(tmp_path / "new.duckdb")
    with store.transaction() as connection:
        before = schema(connection)
        connection.execute(change)
        assert schema(connection) != before


def test_a_baseline_that_is_behind_gets_the_rest_from_the_upgrades(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later = (migrating.newest_schema() + 1, "9999_later.sql", "ALTER TABLE score ADD COLUMN later DOUBLE")
    steps = [*migrating.migrations(), later]
    monkeypatch.setattr(migrating, "migrations", lambda: steps)
    monkeypatch.setattr(migrating, "newest_schema", lambda: later[0])
    made = new(tmp_path / "new.duckdb")
    assert made["numbers"][-1] == later[:2]
    assert ("score", "later") in [(row[0], row[2]) for row in made["columns"]]


def test_a_new_database_that_cannot_be_made_leaves_no_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrating, "baseline", lambda: f"{EMPTY}; CREATE TABLE half (one INTEGER); SELECT error('pulled the plug')")
    with pytest.raises(duckdb.Error, match="pulled the plug"):
        open_store(tmp_path / "new.duckdb")
    with Store(tmp_path / "new.duckdb").transaction() as connection:
        assert connection.execute("SELECT count(*) FROM duckdb_tables()").fetchall() == [(0,)]


def test_the_baseline_is_what_the_upgrades_make() -> None:
    """Seen to fail: a line of it changed; a comment changed in an upgrade."""
    command = [sys.executable, "deployments/data/write_baseline.py", "--check"]  # a process of its own, as `make schema` runs it
    told = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr


def test_an_upgrade_makes_the_baseline_old(monkeypatch: pytest.MonkeyPatch) -> None:
    write_baseline = load_script("deployments/data/write_baseline.py")
    later = (
        migrating.newest_schema() + 1,
        "9999_later.sql",
        "ALTER TABLE score ADD COLUMN later DOUBLE; COMMENT ON COLUMN score.later IS 'Later';",
    )
    steps: Callable[[], list] = lambda: [*migrating.migrations(), later]  # noqa: E731
    monkeypatch.setattr(write_baseline, "migrations", steps)
    changed = set(write_baseline.written().splitlines()) - set(write_baseline.FILE.read_text(encoding="utf-8").splitlines())
    assert "COMMENT ON COLUMN score.later IS 'Later';" in changed and any(line.split()[:2] == ["later", "DOUBLE"] for line in changed)


def test_upgrades_are_numbered_without_a_gap_and_lie_in_one_folder() -> None:
    folder = ROOT / "forecaster" / "store" / "schema"
    assert [path.name for path in folder.rglob("*.sql") if path.parent.name != "upgrades"] == ["baseline.sql"], (
        "an upgrade belongs in upgrades/"
    )
    assert [number for number, _, _ in migrating.migrations()] == list(range(1, migrating.newest_schema() + 1))
