"""Paths, addresses and secrets of an installation. This is the only module that reads environment variables (QUAKECAST_*)."""

import logging
import os
import re
from collections.abc import Iterable
from datetime import time
from difflib import get_close_matches
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from forecaster import logs
from forecaster.errors import BadInput
from forecaster.registry.message_channels import CHANNELS
from forecaster.timewindow import check_zone_name

log = logging.getLogger(__name__)

USGS_URL = "https://earthquake.usgs.gov"
PREFIX = "QUAKECAST_"
NO_SETTINGS = ("QUAKECAST_CI", "QUAKECAST_CHROMIUM", "QUAKECAST_SNAPSHOT_WHEEL")
"""Other variables of that prefix: of the tests and of the build."""
ANY_TEXT = ("QUAKECAST_SMTP_USERNAME", "QUAKECAST_SMTP_PASSWORD")  # they may begin and end with a quote
OF_CHANNELS = tuple(f"{PREFIX}{name.upper()}" for entry in CHANNELS.values() for name in entry.own_settings)
SURELY_MEANT = 0.8  # similarity from which one name is taken for a misspelling of the other
ADDRESS = re.compile(r"[\w-]+(\.[\w-]+)+(:\d+)?/")


class Settings(BaseSettings):
    """Settings of an installation. Secrets are never shown, logged or stored."""

    model_config = SettingsConfigDict(env_prefix="QUAKECAST_", env_ignore_empty=True, frozen=True, extra="ignore")

    home: Path = Field(default=Path("quakecast-data"), description="database, models, reports")
    recipes: Path | None = Field(default=None, description="folder of recipes; the bundled ones where not set")
    first_system: bool = Field(
        default=True, description="whether the first system, kept for comparison, is run: its recipes (comparison_only) and its network"
    )
    catalogue_source: str = Field(default="usgs", description="which service the catalogue is read from; a home keeps to one")
    usgs_url: str = USGS_URL
    contact: str = Field(default="", description="an address for the service's operators, sent with every request")
    recipe_streams: bool = Field(default=True, description="read the whole history for recipes below the common magnitudes")
    base_url: str = Field(default="", description="where the reports are reachable, for links in messages")
    language: str = Field(
        default="en", pattern="^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", description="of messages; there must be an i18n file of it"
    )

    page_recipes: int = Field(
        default=30, ge=1, le=500, description="how many recipes a report page holds; more are divided into pages by group or country"
    )
    keep_pages_days: int = Field(
        default=400, ge=0, description="how long report pages stay; 0: for ever. After 35 days: what was sent, daily"
    )
    keep_details_days: int = Field(default=400, ge=0, description="how long logs, sent messages and superseded models stay; 0: for ever")

    keep_runs_days: int = Field(
        default=100, ge=0, description="how long runs of quakecast's deployments stay on the Prefect server; 0: for ever"
    )
    keep_world_days: int = Field(default=100, ge=0, description="how long the cells of old maps of the world stay; 0: for ever")
    world_map: bool = Field(default=True, description="whether the daily run makes the map of the world")

    read_from: str = Field(default="", description="where workers read: a published copy, or an export (a folder, https://, s3://)")
    task_runner: Literal["threads", "processes", "dask"] = Field(
        default="threads", description="who fits the regions and makes a backfill's days"
    )
    workers: int = Field(default=1, ge=1, le=1024, description="how many of them at once")
    dask_address: str = Field(default="", description="a Dask scheduler, such as tcp://127.0.0.1:8786; a local cluster where it is not set")
    forecast_workers_above: int = Field(
        default=300, ge=0, description="with more recipes than this, processes or dask make the day's forecasts, too; 0: never"
    )
    send_local_time: time = Field(default=time(7, 30), description="when the morning's messages are sent")
    send_time_zone: str = Field(default="", description="of that time; the zone of most recipes where it is not set")

    smtp_host: str = ""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: str = Field(default="starttls", pattern="^(none|starttls|tls)$")
    smtp_username: str = ""
    smtp_password: SecretStr = SecretStr("")
    mail_from: str = ""
    mail_to: Annotated[tuple[str, ...], NoDecode] = Field(default=(), description="comma-separated")
    mail_unsubscribe: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="mailto: and https: addresses, comma-separated; {recipient} in one is the reader's address"
    )

    webhook_url: SecretStr = SecretStr("")
    webhook_secret: SecretStr = SecretStr("")
    webhook_allow_private: bool = Field(default=False, description="messages and heartbeat may go to this machine and private nets")

    slack_webhook_url: SecretStr = Field(default=SecretStr(""), description="an incoming webhook of Slack")
    apprise_urls: SecretStr = Field(default=SecretStr(""), description="apprise's addresses (Teams, Discord, ntfy ...), comma-separated")

    heartbeat_url: SecretStr = Field(default=SecretStr(""), description="asked for after each run (healthchecks.io and its like)")
    heartbeat_fail: bool = Field(default=False, description="a failed run asks for heartbeat_url/fail; else it stays silent")
    log_format: Literal["text", "json"] = Field(default="text", description="how the log is written: for people, or one JSON object a line")
    templates: Path | None = Field(default=None, description="folder of templates that replace the bundled ones of the same name")

    @field_validator("mail_unsubscribe")
    @classmethod
    def _ways_out(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not way.startswith(("mailto:", "https://")) or set(way) & set("<> ") for way in value):
            raise ValueError("must be mailto: or https:// addresses, comma-separated")
        return value

    @field_validator("mail_to", "mail_unsubscribe", mode="before")
    @classmethod
    def _comma_separated(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("usgs_url", "base_url", "heartbeat_url", "webhook_url", "slack_webhook_url")
    @classmethod
    def _whole_address(cls, value: str | SecretStr) -> str | SecretStr:
        address = value.get_secret_value() if isinstance(value, SecretStr) else value
        if address and not _is_web_address(address):
            raise ValueError("must be a whole address that begins with https:// (or http://) and a host")
        return value

    @field_validator("dask_address")
    @classmethod
    def _with_protocol(cls, value: str) -> str:
        if value and "://" not in value:
            raise ValueError("must begin with its protocol, such as tcp://127.0.0.1:8786")
        return value

    @field_validator("read_from")
    @classmethod
    def _place_to_read(cls, value: str) -> str:
        if ADDRESS.match(value) and not Path(value).exists():
            raise ValueError("is neither a folder that is there nor an address; an address begins with https:// or s3://")
        return value

    @field_validator("send_time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        return check_zone_name(value) if value else value

    @field_validator("send_local_time")
    @classmethod
    def _naive_time(cls, value: time) -> time:
        if value.tzinfo is not None:
            raise ValueError("must be a local time such as 07:30, without an offset")
        if value.second or value.microsecond:
            raise ValueError("must be a whole minute such as 07:30")
        return value

    _of_channels: dict[str, SecretStr] = PrivateAttr(default_factory=lambda: _settings_of_channels())

    def of_channel(self, name: str) -> SecretStr:
        """A setting that a channel has for itself (`message_channels`); empty where it is not set."""
        return self._of_channels[f"{PREFIX}{name.upper()}"]

    @property
    def database(self) -> Path:
        return self.home / "quakecast.duckdb"

    @property
    def published(self) -> Path:
        return self.home / "published" / "quakecast.duckdb"

    @property
    def models(self) -> Path:
        return self.home / "models"

    @property
    def output(self) -> Path:
        return self.home / "out"

    def forecasts_on_workers(self, recipes: int) -> bool:
        """Whether workers make the forecasts of so many recipes. Threads do not: they would share one core."""
        return self.task_runner != "threads" and 0 < self.forecast_workers_above < recipes

    @property
    def recipe_folder(self) -> Path:
        return self.recipes or bundled_folder("recipes")


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment; `overrides` win.

    Raises:
        BadInput: a variable has a value out of range, with its name (secrets are not repeated), or its name is misspelt.
    """
    check_names(tuple(sorted(name for name in os.environ if name.upper().startswith("QUAK"))))
    _check_values()
    try:
        settings = Settings(**overrides)  # type: ignore[arg-type]
        secrets = [*settings._of_channels.values(), *(value for _, value in settings if isinstance(value, SecretStr))]
        logs.hide(secret.get_secret_value() for secret in secrets)
        return settings
    except ValidationError as error:
        problems_found = error.errors(include_input=False)
        problems = "; ".join(
            f"{PREFIX}{str(item['loc'][0]).upper()}: {item['msg'].removeprefix('Value error, ')}" for item in problems_found
        )
        raise BadInput(f"bad setting: {problems}") from None


def _settings_of_channels() -> dict[str, SecretStr]:
    return {name: SecretStr(os.environ.get(name, "")) for name in OF_CHANNELS}


def wants_json(asked: str | None) -> bool:
    """Return whether the log is to be JSON: as `asked`, else as QUAKECAST_LOG_FORMAT says. For the time before settings are loaded."""
    return (asked or os.environ.get(f"{PREFIX}LOG_FORMAT", "")) == "json"


@lru_cache(maxsize=8)
def check_names(names: Iterable[str]) -> None:
    """Check the names of environment variables for misspelt settings. A name that resembles no setting causes one warning.

    Raises:
        BadInput: a name resembles that of a setting, so that its value would be ignored without notice.
    """
    known = [*(f"{PREFIX}{field.upper()}" for field in Settings.model_fields), *OF_CHANNELS]
    strange = [name for name in names if name.upper() not in known and name.upper() not in NO_SETTINGS]
    meant = {name: found for name in strange if (found := _meant(name.upper(), known))}
    if meant:
        raise BadInput("\n".join(f"{name} in the environment is no setting; did you mean {found}?" for name, found in meant.items()))
    for name in strange:
        if name.upper().startswith(PREFIX):
            log.warning("%s in the environment is no setting, and is ignored; `quakecast init FILE` writes all of them", name)


def _check_values() -> None:
    """Check for characters of a settings file that its reader should have removed: quotes, the line ends of Windows.

    Raises:
        BadInput: with the names of the variables; values are not repeated.
    """
    problems = []
    for name, value in sorted(os.environ.items()):
        if not name.upper().startswith(PREFIX):
            continue
        if value != value.rstrip("\r\n"):
            problems.append(f"{name} ends with a line end: the file it comes from has those of Windows; save it with those of Unix (LF)")
        elif len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" and name.upper() not in ANY_TEXT:
            problems.append(
                f"{name} has quotes around its value, which count as a part of it; take them off (docker run --env-file keeps them)"
            )
    if problems:
        raise BadInput("\n".join(problems))


def _meant(name: str, known: list[str]) -> str | None:
    """Return the setting that `name` was meant for, if it resembles one: after the prefix, or in the spelling of the prefix."""
    if not name.startswith(PREFIX):
        return next(iter(get_close_matches(name, known, n=1, cutoff=0.9)), None)
    fields = [setting.removeprefix(PREFIX) for setting in known]
    found = get_close_matches(name.removeprefix(PREFIX), fields, n=1, cutoff=SURELY_MEANT)
    return PREFIX + found[0] if found else None


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def bundled_folder(name: str) -> Path:
    """Return the folder `recipes`, `templates` or `docs`: at the top of a checkout, inside the package in an installed wheel."""
    inside = Path(str(resources.files("forecaster"))) / "_bundled" / name
    return inside if inside.is_dir() else Path(str(resources.files("forecaster"))).parent / name
