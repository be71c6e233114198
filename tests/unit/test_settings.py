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
    assert settings.recipe_folder == bundled_folder("recipes") and (settings.recipe_folder / "tokyo-m45.toml").is_file()
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
    with pytest.raises(BadInput, match=r"QUAKECAST_SEND_TIME_ZONE.*names no place"):
        load_settings()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('"mail.example.org"', "has quotes around its value"),
        ("'mail.example.org'", "has quotes"),
        ("mail.example.org\r", "those of Windows"),
    ],
)
def test_what_a_reader_of_an_env_file_left_in_is_named(monkeypatch, value, said):
    monkeypatch.setenv("QUAKECAST_SMTP_HOST", value)
    with pytest.raises(BadInput, match=f"QUAKECAST_SMTP_HOST .*{said}") as error:
        load_settings()
    assert "mail.example.org" not in str(error.value)


def test_a_password_may_have_quotes_around_it_and_a_name_in_front_of_an_address(monkeypatch):
    monkeypatch.setenv("QUAKECAST_SMTP_PASSWORD", '"a"')
    monkeypatch.setenv("QUAKECAST_MAIL_FROM", '"Quakes, all of them" <a@example.org>')
    assert load_settings().smtp_password.get_secret_value() == '"a"'


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


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("QUAKECAST_MAILTO", "QUAKECAST_MAIL_TO"),
        ("QUAKECAST_EMAIL_TO", "QUAKECAST_MAIL_TO"),
        ("QUAKECAST_MAIL_TOO", "QUAKECAST_MAIL_TO"),
        ("QUAKECAST_SMTP_PASS", "QUAKECAST_SMTP_PASSWORD"),
        ("QUAKECAST_SMTP_USER", "QUAKECAST_SMTP_USERNAME"),
        ("QUAKECAST_HEARTBEATURL", "QUAKECAST_HEARTBEAT_URL"),
        ("QUAKECAST_SLACK_WEBHOOK", "QUAKECAST_SLACK_WEBHOOK_URL"),
        ("QUAKECAST_HOMES", "QUAKECAST_HOME"),
        ("QUAKCAST_MAIL_TO", "QUAKECAST_MAIL_TO"),
        ("QUAKECASTMAIL_TO", "QUAKECAST_MAIL_TO"),
    ],
)
def test_a_misspelt_setting_is_named_and_not_ignored(monkeypatch, name, meant):
    monkeypatch.setenv(name, "tell-nobody")
    with pytest.raises(BadInput, match=f"{name} in the environment is no setting; did you mean {meant}") as error:
        load_settings()
    assert "tell-nobody" not in str(error.value)


@pytest.mark.parametrize(
    "name", ["QUAKECAST_CI", "QUAKECAST_CHROMIUM", "QUAKECAST_SNAPSHOT_WHEEL", "QUAKECAST_home", "QUAKE_III", "QUAKER_OATS"]
)
def test_other_variables_and_other_letters_break_nothing(monkeypatch, caplog, name):
    monkeypatch.setenv(name, "1")
    load_settings()
    assert caplog.text == ""


@pytest.mark.parametrize("name", ["QUAKECAST_IMAGE_TAG", "QUAKECAST_BACKUP_FOLDER", "QUAKECAST_X"])
def test_a_strange_name_of_ours_is_warned_of_once(monkeypatch, caplog, name):
    """A deployment's own variable stops no forecast."""
    monkeypatch.setenv(name, "tell-nobody")
    for _ in range(3):
        load_settings()
    assert [record.getMessage().split(",")[0] for record in caplog.records] == [f"{name} in the environment is no setting"]
    assert "tell-nobody" not in caplog.text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("USGS_URL", "earthquake.usgs.gov"),
        ("USGS_URL", "ftp://earthquake.usgs.gov"),
        ("USGS_URL", "https://"),
        ("USGS_URL", "https://[::1"),
        ("BASE_URL", "quakes.example.org"),
        ("HEARTBEAT_URL", "hc-ping.com/tell-nobody"),
        ("HEARTBEAT_URL", "not a URL"),
        ("WEBHOOK_URL", "example.org/tell-nobody"),
        ("SLACK_WEBHOOK_URL", "hooks.slack.com/services/tell-nobody"),
        ("DASK_ADDRESS", "127.0.0.1:8786"),
        ("READ_FROM", "quakes.example.org/export"),
        ("READ_FROM", "127.0.0.1:9000/bucket"),
    ],
)
def test_an_address_without_its_scheme_is_named_at_the_start(monkeypatch, name, value):
    monkeypatch.setenv(f"QUAKECAST_{name}", value)
    with pytest.raises(BadInput, match=f"QUAKECAST_{name}: ") as error:
        load_settings()
    assert "\n" not in str(error.value) and "tell-nobody" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("USGS_URL", "http://127.0.0.1:8080"),
        ("BASE_URL", "https://quakes.example.org/reports"),
        ("READ_FROM", "s3://bucket/quakecast"),
        ("READ_FROM", "data/export"),
        ("READ_FROM", "/srv/export.2024/tables"),
        ("READ_FROM", "quakecast.duckdb"),
        ("DASK_ADDRESS", "tls://10.0.0.5:8786"),
    ],
)
def test_whole_addresses_and_folders_are_taken(monkeypatch, name, value):
    monkeypatch.setenv(f"QUAKECAST_{name}", value)
    assert getattr(load_settings(), name.lower()) == value


def test_workers_forecast_many_recipes_where_they_are_processes():
    def told(recipes, **settings):
        return load_settings(**settings).forecasts_on_workers(recipes)

    assert not told(5000) and not told(300, task_runner="dask") and told(301, task_runner="dask")
    assert told(2, task_runner="processes", forecast_workers_above=1) and not told(5000, task_runner="dask", forecast_workers_above=0)
