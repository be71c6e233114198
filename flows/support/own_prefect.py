"""Prefect's settings for a run at a terminal, which no deployment watches: where its files lie, and no heartbeats.

Without a server its files lie in quakecast's data folder, so that quakecast and other programs that use Prefect do not interfere.
"""

import os
import sqlite3
import tomllib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from forecaster.errors import BadInput
from forecaster.files import check_data_folder

SAID = ("PREFECT_HOME", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH")
SERVER = ("PREFECT_API_URL", "PREFECT_SERVER_DATABASE_CONNECTION_URL", "PREFECT_API_DATABASE_CONNECTION_URL")


def choose_home(data: Path) -> None:
    """Set PREFECT_HOME to a folder below the data folder, unless the environment or the active profile names a home or a server.

    Raises:
        BadInput: no server is named, and the database in the home that is named was written by a newer Prefect.
        NotWritable: the folder below the data folder cannot be made or written.
    """
    has_server = any(os.environ.get(name) for name in SERVER) or bool(set(SERVER) & set(_active_profile()))
    if not has_server and not any(os.environ.get(name) for name in SAID):
        check_data_folder(data.resolve())
        os.environ["PREFECT_HOME"] = str(data.resolve() / "prefect")
    if not has_server:
        _refuse_newer(Path(os.environ.get("PREFECT_HOME") or Path.home() / ".prefect") / "prefect.db")


@contextmanager
def no_heartbeats() -> Iterator[None]:
    """Let flows in the block send no heartbeats: only runs of a deployment are watched. Prefect's thread for them sleeps for whole seconds,
    and each run waits at its end until it wakes."""
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield


def _active_profile() -> dict[str, Any]:
    """Return the settings of the active profile; none where it cannot be read."""
    home = Path(os.environ.get("PREFECT_HOME") or Path.home() / ".prefect")
    path = Path(os.environ.get("PREFECT_PROFILES_PATH") or home / "profiles.toml")
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        return dict(document["profiles"][os.environ.get("PREFECT_PROFILE") or document["active"]])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _refuse_newer(database: Path) -> None:
    """Refuse a database of a newer Prefect. Prefect itself would try for minutes to start a server on it, without giving the reason."""
    package = find_spec("prefect")
    if package is None or not database.is_file():
        return
    try:
        with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error:
        return
    folder = Path(str(package.origin)).parent / "server" / "database" / "_migrations" / "versions" / "sqlite"
    if row and not any(row[0] in path.read_text(encoding="utf-8") for path in folder.glob("*.py")):
        raise BadInput(
            f"{database} was written by another version of Prefect, a newer one (schema {row[0]}); set PREFECT_HOME to another folder"
        )
