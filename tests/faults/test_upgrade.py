"""Every schema that has landed, with rows in every table: today's code loses nothing of it, also after a restore; every view answers."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from forecaster.store import database
from forecaster.store.database import Store, open_store
from forecaster.store.sharing.publish import publish
from tests.faults import upgrade

pytestmark = pytest.mark.closed_files

BACKUP = Path(__file__).resolve().parents[2] / "deployments" / "backup.sh"


SCHEMAS = upgrade.schemas()
OFTEN = (SCHEMAS[0], SCHEMAS[len(SCHEMAS) // 2], SCHEMAS[-1])  # with every change; the others in the slow tests


@pytest.mark.parametrize("schema", [pytest.param(one, marks=[pytest.mark.slow] * (one not in OFTEN)) for one in SCHEMAS])
def test_nothing_is_lost_of_any_schema(schema: int, tmp_path: Path) -> None:
    path = tmp_path / "home" / "quakecast.duckdb"
    before = upgrade.built(path, schema)
    assert sum(len(rows) for _, rows in before.values()) > upgrade.ROWS
    assert upgrade.lost(path, before) == []
    assert upgrade.lost(path, before) == [], "opened once more"


@pytest.mark.parametrize("schema", [pytest.param(one, marks=[pytest.mark.slow] * (one != OFTEN[0])) for one in OFTEN])
def test_a_backup_of_an_old_schema_is_restored_and_upgraded(schema: int, tmp_path: Path) -> None:
    home, restored = tmp_path / "home", tmp_path / "restored"
    before = upgrade.built(home / "quakecast.duckdb", schema)
    publish(Store(home / "quakecast.duckdb"), home / "published" / "quakecast.duckdb")
    _backup(home, "save", tmp_path / "kept.tar.gz")
    shutil.rmtree(home)
    _backup(restored, "restore", tmp_path / "kept.tar.gz")
    assert upgrade.lost(restored / "quakecast.duckdb", before) == []


def test_stored_words_of_schema_24_become_those_of_the_field(tmp_path: Path) -> None:
    path = tmp_path / "quakecast.duckdb"
    upgrade.built(path, 24)
    old = database.open_connection(path)
    old.execute('UPDATE alert SET cleared_reason = \'lapsed\', outcomes = \'{"2024-01-02T15:00:00Z": {"happened": true, "turns": 1}}\'')
    old.execute("UPDATE alert SET cleared_reason = 'mended' WHERE alert_id = 'alert_id-1'")
    turns = old.execute("SELECT * FROM outcome_turn ORDER BY ALL").fetchall()
    moments = old.execute("SELECT turned_at FROM outcome ORDER BY ALL").fetchall()
    old.close()
    with open_store(path).transaction() as connection:
        assert connection.execute("SELECT cleared_reason FROM alert ORDER BY alert_id").fetchall() == [("expired",), ("resolved",)]
        kept = connection.execute("SELECT DISTINCT outcomes FROM alert").fetchall()
        assert [json.loads(row[0]) for row in kept] == [{"2024-01-02T15:00:00Z": {"happened": True, "revisions": 1}}]
        assert connection.execute("SELECT * FROM outcome_revision ORDER BY ALL").fetchall() == turns != []
        assert connection.execute("SELECT * FROM outcome_turn ORDER BY ALL").fetchall() == turns, "the former name answers, too"
        assert connection.execute("SELECT revised_at FROM outcome ORDER BY ALL").fetchall() == moments != []


def test_what_the_driver_looks_for_is_found(tmp_path: Path) -> None:
    path = tmp_path / "quakecast.duckdb"
    before = upgrade.built(path, SCHEMAS[-1])
    with open_store(path).transaction() as connection:
        connection.execute("UPDATE forecast SET probability = 0.26 WHERE forecast_id = 'forecast_id-0'")
        connection.execute("DELETE FROM outcome WHERE recipe_id = 'recipe_id-1'")
    assert [fault.partition(":")[0] for fault in upgrade.lost(path, before)] == [
        "forecast has changed or lost a row",
        "outcome has changed or lost a row",
    ]


def _backup(home: Path, *arguments: object) -> None:
    environment = {"PATH": os.environ["PATH"], "QUAKECAST_HOME": str(home)}
    done = subprocess.run([str(BACKUP), *map(str, arguments)], env=environment, text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
