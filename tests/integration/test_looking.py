"""Commands that look write nothing: no file is made, changed or touched, in no home, a finished one and one of an older schema."""

from datetime import UTC, datetime

import pytest

from forecaster.errors import SchemaTooNew, StoreBusy
from forecaster.store import database
from forecaster.store.database import open_store
from forecaster.store.migrating import newest_schema
from forecaster.store.sharing.one_at_a_time import WRITER_LOCK, one_at_a_time
from tests.support import command_line, tiny
from tests.support.old_schemas import old_schema

pytestmark = pytest.mark.usefixtures("thin_snapshot")
NOTHING_THERE = "there is no database at"
LOOKING = {
    "alerts list": ["alerts", "list"],
    "alerts check": ["alerts", "check"],
    "alerts test": ["alerts", "test", "--recipe", "athens", "--probability", "0.2", "--ratio", "2"],
    "models list": ["models", "list"],
    "models show": ["models", "show", "no-such-model"],
    "notify --list": ["notify", "--list"],
    "notify --dry-run": ["notify", "--dry-run"],
    "backfill --dry-run": ["backfill", "--dry-run", "--mode", "current-model", "--from", "2024-01-01", "--to", "2024-01-02"],
    "recipes list": ["recipes", "list"],
    "recipes show": ["recipes", "show", "athens"],
    "recipes check": ["recipes", "check", "--recipe", "athens"],
    "status": ["status"],
    "sql": ["sql", "SELECT 1"],
    "sql --describe": ["sql", "--describe"],
    "forecast": ["forecast", "--at", "38,23.7", "--radius-km", "300", "--date", "2024-01-05"],
}
WITHOUT_A_HOME = {"recipes list", "recipes show", "recipes check", "forecast"}  # the bundled catalogue answers


def quakecast(home, *arguments):
    return command_line.quakecast(home.parent, *arguments, QUAKECAST_HOME=str(home), QUAKECAST_RECIPES=str(home.parent / "recipes"))


def everything(folder):
    """Bytes and time of every file, and every folder."""
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"") for path in [folder, *folder.rglob("*")]}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A home with a catalogue, published, whose folder may not be written."""
    place = tmp_path_factory.mktemp("finished")
    tiny.write_recipe(place / "recipes", "athens", models='["etas"]')
    home = place / "home"
    tiny.fill(open_store(home / "quakecast.duckdb"), datetime(2024, 2, 1, tzinfo=UTC), sign=True)
    assert quakecast(home, "migrate").returncode == 0
    home.chmod(0o555)
    yield home
    home.chmod(0o755)


@pytest.fixture(scope="module")
def older(tmp_path_factory):
    """A home that an older version left."""
    place = tmp_path_factory.mktemp("older")
    tiny.write_recipe(place / "recipes", "athens", models='["etas"]')
    with old_schema(11):
        open_store(place / "home" / "quakecast.duckdb")
    return place / "home"


@pytest.mark.parametrize("name", LOOKING)
def test_without_a_home_none_is_made(tmp_path, name):
    tiny.write_recipe(tmp_path / "recipes", "athens", models='["etas"]')
    before = everything(tmp_path)
    said = quakecast(tmp_path / "home", *LOOKING[name])
    assert everything(tmp_path) == before
    assert "Traceback" not in said.stderr
    if name in WITHOUT_A_HOME:
        assert said.returncode in (0, 3) and said.stdout, said.stderr
    else:
        assert said.returncode in (2, 3) and said.stderr.count("\n") <= 1, said.stderr


@pytest.mark.parametrize("name", LOOKING)
def test_a_home_that_may_not_be_written_answers(finished, name):
    before = everything(finished.parent)
    said = quakecast(finished, *LOOKING[name])
    assert everything(finished.parent) == before
    assert said.returncode in (0, 3) or name == "models show", said.stderr
    assert "Traceback" not in said.stderr and NOTHING_THERE not in said.stderr


@pytest.mark.parametrize("name", LOOKING)
def test_an_older_schema_is_said_and_stays(older, name):
    before = everything(older.parent)
    said = quakecast(older, *LOOKING[name])
    assert everything(older.parent) == before
    newest = newest_schema()
    if name.split()[0] in ("alerts", "models", "notify", "backfill", "forecast") or name == "recipes check":
        (line,) = said.stderr.splitlines()
        assert said.returncode == 2 and f"has schema 11, this quakecast needs {newest}" in line and "run `quakecast migrate`" in line
    assert "Traceback" not in said.stderr


def test_a_migration_is_told_and_leaves_the_published_copy_readable(older, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "quakecast.duckdb").write_bytes((older / "quakecast.duckdb").read_bytes())
    tiny.write_recipe(tmp_path / "recipes", "athens", models='["etas"]')
    said = quakecast(home, "migrate")
    newest = newest_schema()
    assert said.returncode == 0 and f"had schema 11 and has {newest} now; restart the workers" in said.stdout, said.stderr
    assert f"has schema {newest}: nothing to do" in quakecast(home, "migrate").stdout
    assert quakecast(home, "models", "list").returncode == 0 and quakecast(home, "sql", "SELECT 1").returncode == 0


def test_nothing_to_migrate_is_said(tmp_path):
    said = quakecast(tmp_path / "home", "migrate")
    assert said.returncode == 2 and NOTHING_THERE in said.stderr and list(tmp_path.iterdir()) == []


@pytest.mark.closed_files
@pytest.mark.parametrize("name", ["run", "worker", "deploy", "pull", "verify", "migrate", "models list", "recipes check"])
def test_a_newer_schema_stops_every_command_before_it_does_anything(tmp_path, name):
    tiny.write_recipe(tmp_path / "recipes", "athens", models='["etas"]')
    store, newest = open_store(tmp_path / "home" / "quakecast.duckdb"), newest_schema()
    with store.transaction() as connection:
        connection.execute("INSERT INTO migration VALUES ($1, 'of a later version')", [newest + 1])
    before = everything(tmp_path)
    said = quakecast(tmp_path / "home", *name.split())
    (line,) = said.stderr.splitlines()
    assert said.returncode == 1 and f"has schema {newest + 1}" in line and "upgrade quakecast" in line
    assert {path: found for path, found in everything(tmp_path).items() if not path.endswith("home")} == {
        path: found for path, found in before.items() if not path.endswith("home")
    }


def test_a_schema_that_moves_under_a_run_stops_its_next_step(tmp_path):
    store = open_store(tmp_path / "quakecast.duckdb")
    with store.transaction() as connection:
        connection.execute("INSERT INTO migration VALUES ($1, 'of a later version')", [newest_schema() + 1])
    with pytest.raises(SchemaTooNew, match="restart its workers"), store.transaction():
        pass


def test_no_schema_is_moved_under_a_run_that_writes(older, tmp_path, monkeypatch):
    path = tmp_path / "quakecast.duckdb"
    path.write_bytes((older / "quakecast.duckdb").read_bytes())
    monkeypatch.setattr(database, "LOCK_WAIT_S", 0.5)
    busy = pytest.raises(StoreBusy, match="the run 'daily' is running already")
    with one_at_a_time(tmp_path / WRITER_LOCK, "the run 'daily'", datetime(2026, 1, 2, 14, 31, tzinfo=UTC)), busy:
        open_store(path)
    assert database.stored_schema(path) == 11
    open_store(path)
    assert database.stored_schema(path) == newest_schema()
