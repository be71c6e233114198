"""`quakecast status --check`: one line and an exit code for a monitor, from a store that was published; it reads and nothing else."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from forecaster.cli import common, main
from forecaster.pipeline.monitor import look
from forecaster.recipe import load_recipes
from forecaster.settings import load_settings
from forecaster.store import ledger
from forecaster.store.database import Store, open_store
from forecaster.store.sharing.one_at_a_time import holder_of, one_at_a_time
from forecaster.store.sharing.publish import publish
from tests.support import tiny
from tests.support.processes import started
from tests.support.steps import machine, predict
from tests.support.toys import cover, quake, write

NOW = datetime(2024, 1, 2, 14, 40, tzinfo=UTC)  # ten minutes after Tokyo's issue time
HOUR = timedelta(hours=1)
LONG_AGO = datetime(2022, 3, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A published installation in which all is well: read, run and forecast a moment ago. Copy it; never write to it."""
    folder = tmp_path_factory.mktemp("house")
    settings = load_settings(home=folder / "home", recipes=folder / "recipes")
    tiny.write_recipe(folder / "recipes", "tokyo-m45", models="[]")
    store = open_store(settings.database)
    write(store, quake("us1", LONG_AGO))
    cover(store, NOW - HOUR)
    recipes = list(load_recipes(settings.recipe_folder).values())
    predict(store, recipes, settings, machine(NOW))
    with store.transaction() as connection:
        row = {"run_id": "r1", "kind": "daily", "started_at": NOW - HOUR / 6, "code_version": "0"}
        ledger.start_run(connection, row)
        ledger.finish_run(connection, "r1", NOW, "success", {})
    publish(store, settings.published)
    return folder


@pytest.fixture
def house(tmp_path, built):
    for name in ("home", "recipes"):
        shutil.copytree(built / name, tmp_path / name)
    settings = load_settings(home=tmp_path / "home", recipes=tmp_path / "recipes")
    return settings, Store(settings.database)


def checked(house, moment=NOW):
    return look(house[0], machine(moment))


def change(house, *statements):
    settings, store = house
    with store.transaction() as connection:
        for statement in statements:
            connection.execute(statement)
    publish(store, settings.published)


def test_all_is_well(house):
    found = checked(house)
    assert (found.level, found.line()) == (0, "OK: forecasts are made and sent | daily_age_hours=0.2 data_age_hours=1.0")


@pytest.mark.parametrize(
    ("statement", "hours", "level", "words"),
    [
        ("UPDATE run SET state = 'failed'", 0, 2, "CRITICAL: the last daily run was failed, at 2024-01-02 14:40Z"),
        ("UPDATE run SET state = 'partial'", 0, 1, "WARNING: the last daily run was partial"),
        ("UPDATE run SET state = 'failed', kind = 'retrain'", 0, 2, "CRITICAL: no daily run yet; the last retrain run was failed"),
        ("DELETE FROM run", 0, 2, "CRITICAL: no daily run yet"),
        ("SELECT 1", 25, 2, "no forecast for tokyo-m45, due at 2024-01-03 14:30Z"),
        ("SELECT 1", 27, 2, "no daily run since 2024-01-02 14:30Z, 27 hours ago"),
        ("SELECT 1", 0.5, 0, "OK"),
        ("UPDATE coverage SET span_end = span_end - INTERVAL 24 HOUR", 0, 1, "WARNING: the catalogue is 25 hours old"),
        ("UPDATE coverage SET span_end = span_end - INTERVAL 8 DAY", 0, 2, "CRITICAL: the catalogue is 8 days old"),
        ("DELETE FROM coverage", 0, 2, "CRITICAL: the catalogue has not been read"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_its_level(house, statement, hours, level, words):
    change(house, statement)
    found = checked(house, NOW + hours * HOUR)
    assert found.level == level and words in found.line() and "\n" not in found.line()


def test_dead_letters_are_counted_by_channel(house):
    settings, store = house
    row = {"channel": "email", "state": "dead", "created_at": NOW - HOUR, "last_error": "refused", "subject_kind": "report"}
    with store.transaction() as connection:
        columns = "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'delivery' AND NOT is_nullable"
        for name, kind in connection.execute(columns).fetchall():
            row.setdefault(name, NOW if "TIMESTAMP" in kind else 0 if "INT" in kind else False if kind == "BOOLEAN" else "x")
        ledger.insert(connection, "delivery", [row])
    publish(store, settings.published)
    assert checked(house).line().startswith("WARNING: 1 messages by email could not be delivered")


def test_a_writer_who_holds_its_place_for_long_is_named(house):
    lock = house[0].home / "writer.lock"
    with one_at_a_time(lock, "the run 'a notebook'", NOW - 2 * HOUR):
        found = checked(house)
        assert found.level == 1 and "held since 2024-01-02 12:40Z by the run 'a notebook', process" in found.line()
        assert "held" not in checked(house, NOW - 1.5 * HOUR).line(), "half an hour is nothing"
    assert holder_of(lock) is None and checked(house).level == 0


def test_who_died_with_the_lock_holds_nothing(tmp_path):
    """kill -9 leaves the name in the file, and no lock."""
    lock = tmp_path / "writer.lock"
    program = (
        "import sys, time; from datetime import datetime, UTC; from pathlib import Path\n"
        "from forecaster.store.sharing.one_at_a_time import one_at_a_time\n"
        f"with one_at_a_time(Path({str(lock)!r}), 'a run', datetime.now(UTC)): print('held', flush=True); time.sleep(60)"
    )
    holder = started(program)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    assert holder_of(lock)["what"] == "a run"
    holder.kill()
    holder.wait()
    assert lock.read_text() and holder_of(lock) is None


def test_nothing_published_and_broken_recipes_are_critical(house, tmp_path):
    none = look(load_settings(home=tmp_path / "none", recipes=house[0].recipes), machine(NOW))
    assert none.level == 2 and none.line().startswith("CRITICAL: there is no published database")
    (house[0].recipes / "tokyo-m45.toml").write_text("id = ")
    assert checked(house).level == 2 and "tokyo-m45.toml" in checked(house).line() and "\n" not in checked(house).line()


@pytest.mark.parametrize(("hours", "code", "word"), [(0, 0, "OK"), (-0.2, 0, "OK"), (300, 2, "CRITICAL")])
def test_the_command_ends_with_the_level_and_writes_nothing(house, monkeypatch, hours, code, word):
    settings, _ = house
    monkeypatch.setattr(common, "machine_clock", lambda: machine(NOW + hours * HOUR))
    monkeypatch.setenv("QUAKECAST_RECIPES", str(settings.recipes))
    before = files(settings.home)
    told = CliRunner().invoke(main, ["--home", str(settings.home), "status", "--check"])
    assert (told.exit_code, told.output.split(":")[0], told.output.count("\n")) == (code, word, 1)
    document = json.loads(CliRunner().invoke(main, ["--home", str(settings.home), "status", "--check", "--json"]).output)
    assert (document["level"], document["exit_code"]) == (word, code)
    assert files(settings.home) == before


def files(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*") if path.is_file()}


def test_it_needs_neither_prefect_nor_the_right_to_write(house):
    """A process of its own that cannot import Prefect, on a folder that cannot be written."""
    settings, _ = house
    program = (
        "import sys; sys.modules['prefect'] = None; sys.argv = ['quakecast', 'status', '--check']\n"
        "from forecaster.cli import main; main(prog_name='quakecast')"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("QUAKECAST_")}
    environment |= {"QUAKECAST_HOME": str(settings.home), "QUAKECAST_RECIPES": str(settings.recipes)}
    for path in [settings.home, *settings.home.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        root = Path(__file__).resolve().parents[2]
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=root, env=environment, text=True, capture_output=True, timeout=600, check=False
        )
    finally:
        for path in [settings.home, *settings.home.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert done.returncode == 2 and done.stdout.startswith("CRITICAL: no daily run since 2024-01-02"), done.stderr
