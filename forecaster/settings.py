"""Where things lie and whom to talk to: the one place that reads environment variables (QUAKECAST_*)."""

from importlib import metadata, resources
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from forecaster.errors import BadInput

USGS_URL = "https://earthquake.usgs.gov"


class Settings(BaseSettings):
    """Settings of an installation. Secrets are never shown, logged or stored."""

    model_config = SettingsConfigDict(env_prefix="QUAKECAST_", env_ignore_empty=True, frozen=True, extra="ignore")

    home: Path = Field(default=Path("quakecast-data"), description="database, models, reports")
    recipes: Path | None = Field(default=None, description="folder of recipes; the bundled ones where not set")
    usgs_url: str = USGS_URL
    contact: str = Field(default="", description="an address for the service's operators, sent with every request")
    recipe_streams: bool = Field(default=True, description="read the whole history for recipes below the common magnitudes")
    base_url: str = Field(default="", description="where the reports are reachable, for links in messages")
    language: str = Field(default="en", pattern="^(en|ja)$")

    smtp_host: str = ""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: str = Field(default="starttls", pattern="^(none|starttls|tls)$")
    smtp_username: str = ""
    smtp_password: SecretStr = SecretStr("")
    mail_from: str = ""
    mail_to: Annotated[tuple[str, ...], NoDecode] = Field(default=(), description="comma-separated")

    webhook_url: SecretStr = SecretStr("")
    webhook_secret: SecretStr = SecretStr("")
    webhook_allow_private: bool = False

    @field_validator("mail_to", mode="before")
    @classmethod
    def _comma_separated(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

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

    @property
    def recipe_folder(self) -> Path:
        return self.recipes or bundled_folder("recipes")


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment; `overrides` win.

    Raises:
        BadInput: a variable has a value out of range, with its name; secrets are not repeated.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        problems = "; ".join(f"QUAKECAST_{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors(include_input=False))
        raise BadInput(f"bad setting: {problems}") from None


def bundled_folder(name: str) -> Path:
    """`recipes` or `templates`: at the top of a checkout, inside the package in an installed wheel."""
    inside = Path(str(resources.files("forecaster"))) / "_bundled" / name
    return inside if inside.is_dir() else Path(str(resources.files("forecaster"))).parent / name


def code_version() -> str:
    """The version of quakecast that runs."""
    try:
        return metadata.version("quakecast")
    except metadata.PackageNotFoundError:
        return "uninstalled"
