"""Settings from the environment: names, limits, and secrets that are never shown."""

import os
from pathlib import Path

import pytest

from forecaster.errors import BadInput
from forecaster.settings import bundled_folder, load_settings


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    for name in [name for name in os.environ if name.startswith("QUAKECAST_")]:
        monkeypatch.delenv(name)


def test_defaults_need_no_environment():
    settings = load_settings()
    assert settings.home == Path("quakecast-data") and settings.usgs_url == "https://earthquake.usgs.gov"
    assert settings.recipe_folder == bundled_folder("recipes") and (settings.recipe_folder / "tokyo.toml").is_file()
    assert (settings.smtp_host, settings.mail_to, settings.webhook_url.get_secret_value()) == ("", (), "")
    assert (settings.database, settings.published) == (
        Path("quakecast-data/quakecast.duckdb"),
        Path("quakecast-data/published/quakecast.duckdb"),
    )


def test_the_environment_is_read_and_overrides_win(monkeypatch, tmp_path):
    monkeypatch.setenv("QUAKECAST_HOME", "/somewhere")
    monkeypatch.setenv("QUAKECAST_MAIL_TO", " a@example.org, b@example.org ,")
    monkeypatch.setenv("QUAKECAST_RECIPES", str(tmp_path))
    assert load_settings().home == Path("/somewhere")
    assert load_settings().mail_to == ("a@example.org", "b@example.org")
    assert load_settings().recipe_folder == tmp_path
    assert load_settings(home=tmp_path).models == tmp_path / "models"


def test_an_empty_variable_is_an_unset_one(monkeypatch):
    """An .env file lists every variable, most of them empty."""
    for name in ("HOME", "RECIPES", "SMTP_PORT", "SMTP_SECURITY", "LANGUAGE", "MAIL_TO", "WEBHOOK_ALLOW_PRIVATE", "USGS_URL"):
        monkeypatch.setenv(f"QUAKECAST_{name}", "")
    assert load_settings() == _defaults(monkeypatch)


def _defaults(monkeypatch):
    for name in [name for name in os.environ if name.startswith("QUAKECAST_")]:
        monkeypatch.delenv(name)
    return load_settings()


def test_the_ways_to_unsubscribe_are_addresses(monkeypatch):
    monkeypatch.setenv("QUAKECAST_MAIL_UNSUBSCRIBE", "mailto:out@example.org, https://example.org/out?{recipient}")
    assert load_settings().mail_unsubscribe == ("mailto:out@example.org", "https://example.org/out?{recipient}")


@pytest.mark.parametrize("value", ["http://example.org/out", "out@example.org", "mailto:a@example.org>\nBcc: x", "https://example.org/a b"])
def test_a_way_out_that_is_none_is_refused(monkeypatch, value):
    monkeypatch.setenv("QUAKECAST_MAIL_UNSUBSCRIBE", value)
    with pytest.raises(BadInput, match="QUAKECAST_MAIL_UNSUBSCRIBE"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [("SMTP_PORT", "0"), ("SMTP_PORT", "seventeen"), ("SMTP_SECURITY", "ssl3"), ("LANGUAGE", "French!"), ("RECIPE_STREAMS", "perhaps")],
)
def test_a_bad_value_names_its_variable_in_one_line(monkeypatch, name, value):
    monkeypatch.setenv(f"QUAKECAST_{name}", value)
    with pytest.raises(BadInput, match=f"QUAKECAST_{name}") as error:
        load_settings()
    assert "\n" not in str(error.value)


def test_a_zone_of_sending_that_names_no_place_is_refused(monkeypatch):
    monkeypatch.setenv("QUAKECAST_SEND_TIME_ZONE", "localtime")
    with pytest.raises(BadInput, match="QUAKECAST_SEND_TIME_ZONE.*names no place"):
        load_settings()


def test_secrets_are_not_shown(monkeypatch):
    secrets = ("SMTP_PASSWORD", "WEBHOOK_SECRET", "WEBHOOK_URL", "SLACK_WEBHOOK_URL", "APPRISE_URLS", "HEARTBEAT_URL")
    for name in secrets:
        monkeypatch.setenv(f"QUAKECAST_{name}", "https://example.org/tell-nobody" if "URL" in name else "tell-nobody")
    settings = load_settings()
    assert settings.smtp_password.get_secret_value() == "tell-nobody"
    assert "tell-nobody" not in f"{settings!r}{settings}{settings.model_dump()}{settings.model_dump_json()}"
    monkeypatch.setenv("QUAKECAST_SMTP_PORT", "0")
    with pytest.raises(BadInput) as error:
        load_settings()
    assert "tell-nobody" not in str(error.value)
