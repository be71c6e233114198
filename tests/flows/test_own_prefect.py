"""`quakecast run` beside somebody else's Prefect: a home of its own, or one line that names the file."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, get_current_settings, temporary_settings

from flows import commands
from flows.support.own_prefect import choose_home
from forecaster.settings import load_settings
from forecaster.store.database import open_store, query
from tests.support import tiny
from tests.support.usgs_history import history_of
from tests.support.usgs_server import serve

ROOT = Path(__file__).resolve().parents[2]
PROFILE = 'active = "ours"\n[profiles.ours]\n'


@pytest.fixture(scope="session", autouse=True)
def prefect_home() -> None:
    """Takes the place of the folder's own test server: nothing of it is needed here."""


@pytest.fixture
def user(tmp_path):
    """The home of a user whose own Prefect is newer than ours."""
    (tmp_path / ".prefect").mkdir()
    with closing(sqlite3.connect(tmp_path / ".prefect" / "prefect.db")) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        connection.execute("INSERT INTO alembic_version VALUES ('fedcba987654')")
        connection.commit()
    return tmp_path


def run(user, **more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "QUAKECAST_"))}
    environment = kept | {
        "HOME": str(user),
        "PYTHONPATH": str(ROOT),
        "QUAKECAST_HOME": str(user / "data"),
        "QUAKECAST_RECIPES": str(user / "recipes"),
        "QUAKECAST_USGS_URL": "http://127.0.0.1:9",
        **more,
    }
    command = [sys.executable, "-c", "from forecaster.cli import main; main()", "run", "--train", "never", "--no-send"]
    return subprocess.run(command, env=environment, cwd=user, text=True, capture_output=True, timeout=240, check=False)


def test_a_run_at_a_terminal_sends_no_heartbeats(tmp_path, monkeypatch):
    """A deployment's runs do, and wait at their end for up to a second, until Prefect's thread for them wakes."""

    def told() -> int | None:
        return get_current_settings().flows.heartbeat_frequency

    def daily(**_options):
        asked.append(told())
        return {"forecasts": 0, "state": "success", "pages": [], "problems": []}

    asked: list[int | None] = []
    monkeypatch.setattr("flows.daily.daily", daily)
    monkeypatch.setattr(commands, "prefect_defaults", lambda: None)
    for name in ("QUAKECAST_HOME", "PREFECT_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: 30}):  # those of the tests are none, too
        ran = CliRunner().invoke(commands.run, [], obj=load_settings(), catch_exceptions=False)
        assert ran.exit_code == 0 and asked == [None] and told() == 30


def test_a_run_has_a_home_of_its_own(user):
    now = datetime.now(UTC).replace(microsecond=0)
    tiny.write_recipe(user / "recipes", "athens", models='["best_rate"]')
    tiny.fill(open_store(user / "data" / "quakecast.duckdb"), now - timedelta(hours=20), sign=True, start=now - timedelta(days=1100))
    theirs = (user / ".prefect" / "prefect.db").read_bytes()
    near = {"id": "us1", "mag": 5.1, "latitude": 37.9, "longitude": 23.7}
    with serve(history_of([{"time": now - timedelta(hours=3), "known_at": now - timedelta(hours=2), **near}]), clock=None) as usgs:
        done = run(user, QUAKECAST_USGS_URL=usgs.url)
    assert done.returncode in (0, 3) and "forecasts, state" in done.stdout, done.stderr
    assert query(user / "data" / "published" / "quakecast.duckdb", "SELECT count(*) FROM forecast WHERE published").iloc[0, 0] == 1
    assert (user / "data" / "prefect" / "prefect.db").is_file()
    assert sorted(path.name for path in (user / ".prefect").iterdir()) == ["prefect.db"]
    assert (user / ".prefect" / "prefect.db").read_bytes() == theirs


def test_a_home_that_is_set_and_newer_is_one_line(user):
    done = run(user, PREFECT_HOME=str(user / ".prefect"))
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2 and str(user / ".prefect" / "prefect.db") in line and "newer one (schema fedcba987654)" in line


def test_a_data_folder_that_cannot_be_is_one_line(user):
    (user / "data").write_text("a file")
    done = run(user)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2 and f"cannot write to the data folder {user / 'data'}" in line and "set QUAKECAST_HOME" in line


@pytest.mark.parametrize("named", ["active", "by PREFECT_PROFILE"])
def test_a_newer_database_that_is_not_used_is_in_nobodys_way(user, monkeypatch, named):
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(user))
    profile = f'{PROFILE}PREFECT_API_URL = "http://127.0.0.1:4200/api"\n'
    if named != "active":
        profile = profile.replace('active = "ours"', 'active = "other"')
        monkeypatch.setenv("PREFECT_PROFILE", "ours")
    (user / ".prefect" / "profiles.toml").write_text(profile)
    choose_home(user / "data")
    assert "PREFECT_HOME" not in os.environ and not (user / "data").exists()


@pytest.mark.parametrize(
    ("environment", "profile", "chosen"),
    [
        ({}, None, "data/prefect"),
        ({"PREFECT_API_URL": "http://127.0.0.1:4200/api"}, None, None),
        ({"PREFECT_HOME": "elsewhere"}, None, "elsewhere"),
        ({}, f'{PROFILE}PREFECT_API_URL = "http://127.0.0.1:4200/api"\n', None),
        ({}, f'{PROFILE}PREFECT_LOGGING_LEVEL = "DEBUG"\n', "data/prefect"),
        ({}, "no toml", "data/prefect"),
    ],
)
def test_what_is_set_is_kept(tmp_path, monkeypatch, environment, profile, chosen):
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PREFECT_HOME", "")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    if profile is not None:
        (tmp_path / ".prefect").mkdir()
        (tmp_path / ".prefect" / "profiles.toml").write_text(profile)
    choose_home(tmp_path / "data")
    found = os.environ.get("PREFECT_HOME") or None
    assert found == (str(tmp_path / chosen) if chosen == "data/prefect" else chosen)
