"""Fixtures that every test folder may use."""

import os
from collections.abc import Generator
from functools import partial
from pathlib import Path

import duckdb
import pytest

from forecaster.catalog import snapshot
from forecaster.pipeline.as_of.bundled_catalogue import load_snapshot
from forecaster.recipe import Recipe, load_recipes
from forecaster.settings import Settings, load_settings
from forecaster.store import database
from forecaster.store.database import Store, open_store
from forecaster.store.engine import duckdb_engine
from forecaster.store.engine.parquet_files import read_parquet, write_parquet
from forecaster.store.sharing import read_only_store
from tests.support import past_world, toy_models
from tests.support.toys import own_copy

PROXY = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
CI = os.environ.get("QUAKECAST_CI") == "1"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The recorded history beside the checkout; tests that need it are skipped where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the recorded history is not here ({folder.name}/ beside the checkout)")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Generator[None]:
    """DuckDB works with one thread: tests run beside each other, and for small tables a second one costs more than it gives."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duckdb, "connect", partial(duckdb.connect, config={"threads": 1}))
        yield


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory) -> Generator[None]:
    """The user's cache is one folder for all workers of a run, and for the processes that they start."""
    base = tmp_path_factory.getbasetemp()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cache"))
        yield


@pytest.fixture(autouse=True)
def _no_outside_settings(monkeypatch):
    """Settings of whoever runs the tests play no part, their proxy included."""
    ours = [name for name in os.environ if name.startswith("QUAKECAST_") and name != "QUAKECAST_CI"]
    for name in [*ours, *(name for name in os.environ if name.upper() in PROXY)]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def toy_kinds() -> Generator[None]:
    """Toys in the place of the models, for every test and fixture of a module that names this one in its `pytestmark`."""
    with pytest.MonkeyPatch.context() as patch:
        toy_models.put_in_place(patch)
        yield


@pytest.fixture
def toys(monkeypatch) -> None:
    """The same for one test."""
    toy_models.put_in_place(monkeypatch)


@pytest.fixture(scope="session")
def trains() -> None:
    """Fixtures that train a model ask for this one, so that the tests which use them are marked `trains`."""


@pytest.fixture(scope="session")
def past_home(tmp_path_factory) -> tuple[Settings, Recipe]:
    """The home of `past_world`, trained with toys. Copy it; never write to it."""
    with pytest.MonkeyPatch.context() as patch:
        toy_models.put_in_place(patch)
        return past_world.trained(tmp_path_factory.mktemp("past"))


@pytest.fixture(scope="session")
def recipes() -> dict[str, Recipe]:
    return load_recipes(Path(__file__).resolve().parents[1] / "recipes")


@pytest.fixture(scope="session")
def snapshot_file(tmp_path_factory) -> Path:
    """A database with the bundled snapshot, all of it: origins to the end of 2024. Copy it; never write to it."""
    store = open_store(tmp_path_factory.mktemp("snapshot") / "quakecast.duckdb")
    assert load_snapshot(store) > 290_000
    return store.path


@pytest.fixture
def settings(tmp_path) -> Settings:
    """Settings of a fresh home."""
    return load_settings(home=tmp_path / "home")


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory) -> Path:
    """A database without rows; migrations run once."""
    return open_store(tmp_path_factory.mktemp("empty") / "quakecast.duckdb").path


@pytest.fixture
def store(empty_file, settings) -> Store:
    """An empty store."""
    return own_copy(empty_file, settings)


@pytest.fixture(autouse=True)
def _kept_open(request, monkeypatch) -> Generator[None]:
    """Databases stay open between the transactions of a test: to open one costs ten times what most of these do.

    Not where other processes want the file, or the closed file is looked at: those tests are marked `closed_files`."""
    if request.node.get_closest_marker("closed_files"):
        yield
        return
    kept = {}
    opened = duckdb_engine.open_connection

    def open_connection(path: Path, *, read_only: bool = False, **options):
        if read_only and path in kept:
            kept.pop(path).close()
        if not read_only and path.name == "quakecast.duckdb" and path not in kept:
            kept[path] = opened(path, **options)
        return opened(path, read_only=read_only, **options)

    for module in (duckdb_engine, database, read_only_store):
        monkeypatch.setattr(module, "open_connection", open_connection)
    yield
    for connection in kept.values():
        connection.close()


@pytest.fixture(scope="session")
def thin_snapshot_file(tmp_path_factory) -> Path:
    """One in 500 of the snapshot's earthquakes, as such a file."""
    path = tmp_path_factory.mktemp("thin") / "snapshot.parquet"
    write_parquet(path, read_parquet(snapshot.snapshot_path()).iloc[::500])
    return path


@pytest.fixture
def thin_snapshot(thin_snapshot_file, monkeypatch) -> None:
    """The package comes with one in 500 of its earthquakes: a fresh home takes no ten seconds to fill."""
    monkeypatch.setattr(snapshot, "snapshot_path", lambda: thin_snapshot_file)


@pytest.fixture
def snapshot_store(snapshot_file, settings) -> Store:
    """A store of its own with the whole snapshot."""
    return own_copy(snapshot_file, settings)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what takes the whole snapshot as slow (loading it alone takes ten seconds), and what takes a trained model as training.

    First, as `-m` picks by the marks that it finds."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "snapshot_file" in fixtures:
            item.add_marker(pytest.mark.slow)
        if "trains" in fixtures:
            item.add_marker(pytest.mark.trains)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI (QUAKECAST_CI=1) a skipped test of what `make system-deps` installs is a failure, not a gap."""
    report = yield
    if CI and report.skipped and not hasattr(report, "wasxfail") and item.get_closest_marker("system"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where deployments/apt.txt is installed: {report.longrepr[2]}"
    return report
