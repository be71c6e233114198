"""Prefect with a database of its own, and a home with a small catalogue, real channels and a local USGS server."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from forecaster.settings import load_settings
from forecaster.store.database import open_store
from tests.support import tiny
from tests.support.prefect_server import CLIENT_RETRIES
from tests.support.smtp_server import SmtpServer, make_certificate
from tests.support.toys import quake, write
from tests.support.usgs_history import history_of
from tests.support.usgs_server import serve
from tests.support.webhook_server import SECRET, WebhookServer

NOW = datetime(2024, 1, 2, 12, tzinfo=UTC)
READ_UNTIL = NOW - timedelta(hours=20)
RECIPES = ("tokyo-m45", "istanbul")
PASSWORD = "Correct-Horse-77"  # of the servers of these tests only
WEBHOOK_PATH = "/hook/Battery-Staple-88"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A Prefect server and its processes share the machine with other work: what hangs is ended, what is slow is not.

    First, as `-m` picks by the marks that it finds."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(1800))
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.closed_files)


@pytest.fixture(scope="session", autouse=True)
def prefect_home(tmp_path_factory) -> Iterator[Path]:
    """A Prefect server of these tests, its home and its database below the folder."""
    folder = tmp_path_factory.mktemp("prefect")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(folder))
        patch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        patch.setenv("DO_NOT_TRACK", "1")
        patch.setattr("tempfile.tempdir", str(folder))
        from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, PREFECT_HOME, temporary_settings
        from prefect.testing.utilities import prefect_test_harness

        from flows.support.own_prefect import no_heartbeats

        settings = {PREFECT_HOME: folder, PREFECT_CLIENT_MAX_RETRIES: int(CLIENT_RETRIES)}
        with temporary_settings(settings), prefect_test_harness(server_startup_timeout=600), no_heartbeats():
            yield folder


@pytest.fixture(scope="session")
def catalogue_file(tmp_path_factory) -> Path:
    """A database that was read until yesterday evening: three years of toy earthquakes. Copy it; never write to it."""
    store = open_store(tmp_path_factory.mktemp("catalogue") / "quakecast.duckdb")
    tiny.fill(store, READ_UNTIL, sign=True)
    write(store, quake("tk1", datetime(2022, 3, 5, tzinfo=UTC)), quake("tk2", datetime(2023, 6, 1, tzinfo=UTC)))
    return store.path


@pytest.fixture(scope="session")
def certificate(tmp_path_factory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def world(tmp_path, catalogue_file, certificate, monkeypatch) -> Iterator[SimpleNamespace]:
    """home, store, settings, and the servers usgs, smtp (TLS and login) and hook that the environment names."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "quakecast.duckdb").write_bytes(catalogue_file.read_bytes())
    for recipe_id in RECIPES:
        tiny.write_recipe(home / "recipes", recipe_id, models='["hybrid"]')
    tiny.write_tiny_recipe(home / "recipes", models='["etas", "pooled"]')
    history = history_of(
        [
            {
                "id": "us9a",
                "time": NOW - timedelta(hours=3),
                "known_at": NOW - timedelta(hours=2),
                "mag": 5.1,
                "latitude": 35.7,
                "longitude": 139.7,
            },
            {
                "id": "us9b",
                "time": NOW - timedelta(hours=1),
                "known_at": NOW + timedelta(hours=2),
                "mag": 6.1,
                "latitude": 35.7,
                "longitude": 139.7,
            },
        ]
    )
    with (
        serve(history, clock=NOW) as usgs,
        SmtpServer(certificate_files=certificate, implicit_tls=True, login=("quake", PASSWORD)) as smtp,
        WebhookServer(SECRET) as hook,
    ):
        environment = {
            "QUAKECAST_HOME": home,
            "QUAKECAST_RECIPES": home / "recipes",
            "QUAKECAST_USGS_URL": usgs.url,
            "QUAKECAST_SMTP_HOST": "127.0.0.1",
            "QUAKECAST_SMTP_PORT": smtp.port,
            "QUAKECAST_SMTP_SECURITY": "tls",
            "QUAKECAST_SMTP_USERNAME": "quake",
            "QUAKECAST_SMTP_PASSWORD": PASSWORD,
            "QUAKECAST_MAIL_FROM": "Quakecast <quake@example.org>",
            "QUAKECAST_MAIL_TO": "a@example.org, b@example.org",
            "QUAKECAST_WEBHOOK_URL": f"http://127.0.0.1:{hook.port}{WEBHOOK_PATH}",
            "QUAKECAST_WEBHOOK_SECRET": SECRET,
            "QUAKECAST_WEBHOOK_ALLOW_PRIVATE": "true",
            "SSL_CERT_FILE": certificate[0],
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, str(value))
        settings = load_settings()
        yield SimpleNamespace(home=home, settings=settings, store=open_store(settings.database), usgs=usgs, smtp=smtp, hook=hook)
