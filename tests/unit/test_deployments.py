"""What cannot run without a Docker daemon is read instead: the image, the services, the settings that they are given."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from flows.support.stale_runs import HEARTBEAT_SECONDS
from forecaster.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deployments"
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SETTINGS = {f"QUAKECAST_{name.upper()}": field for name, field in Settings.model_fields.items()}
SECRET_NAME = r"(?i)(password|secret|token|api_key)"


def instructions() -> list[tuple[str, str]]:
    """(instruction, arguments) of the Dockerfile, lines joined, comments dropped."""
    lines = [line for line in (FOLDER / "Dockerfile").read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]  # type: ignore[misc]


DOCKERFILE = instructions()


def said(name: str) -> list[str]:
    return [arguments for instruction, arguments in DOCKERFILE if instruction == name]


def test_bases_are_pinned_to_a_patch_release_and_name_no_registry():
    images = [*said("FROM"), *(service["image"] for service in SERVICES.values() if "build" not in service)]
    for image in images:
        assert re.fullmatch(r"(python:\d+\.\d+\.\d+-slim|postgres:\d+\.\d+)-[a-z]+", image), image  # PostgreSQL has two numbers


def test_the_image_runs_as_a_numbered_user_that_is_not_root_and_last():
    (user,) = said("USER")
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
    after = [name for name, _ in DOCKERFILE[DOCKERFILE.index(("USER", user)) :]]
    assert not {"COPY", "ADD", "RUN"} & set(after)


def test_what_is_copied_exists_and_is_let_through_and_nothing_else_is():
    ignore = (FOLDER / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line[1:] for line in ignore if line.startswith("!")}
    copied = {source for line in said("COPY") for source in shlex.split(line)[:-1]}
    assert ignore[1] == "*" and copied == allowed
    assert not said("ADD")
    for source in copied:
        assert (ROOT / source).exists(), source
    assert not any(".env" in source for source in copied)


def test_the_image_installs_the_lock_by_hash_and_no_address_or_secret_is_written():
    (install,) = [line for line in said("RUN") if " -r " in line]
    assert "--require-hashes" in install and "--no-deps" in install and "pip check" in install
    (argument,) = said("ARG")
    assert (ROOT / argument.partition("=")[2]).is_file()
    for path in (FOLDER / "Dockerfile", FOLDER / "compose.yaml"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"https?://(?!127\.0\.0\.1|server:)", text), path
        assert not re.search(rf"{SECRET_NAME}\w*\s*[:=]\s*[^\s$]", text), path
    assert not any(re.match(r"TZ\b|.*\sTZ=", line) for line in said("ENV"))


def test_nothing_is_told_to_anybody_and_no_time_zone_is_set():
    environment = " ".join(said("ENV"))
    assert "PREFECT_SERVER_ANALYTICS_ENABLED=false" in environment and "DO_NOT_TRACK=1" in environment
    for name, service in SERVICES.items():
        assert "TZ" not in service.get("environment", {}), name
        if service["image"].startswith("quakecast"):
            said_here = service["environment"].get("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
            assert said_here == "false", name


def test_runs_of_the_image_s_worker_give_the_sign_of_life_that_the_server_waits_for():
    assert f"PREFECT_FLOWS_HEARTBEAT_FREQUENCY={HEARTBEAT_SECONDS}" in " ".join(said("ENV")).split()


def test_only_loopback_reaches_the_services():
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports and all(re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port) for port in ports)
    assert "ports" not in SERVICES["database"] and SERVICES["database"]["network_mode"] == "none"
    assert not any(service.get("privileged") or service.get("network_mode") == "host" for service in SERVICES.values())


def test_one_container_writes_the_data():
    """`deploy` opens no database and has ended before the worker starts; whoever else has the volume only reads."""
    writers = {name for name, service in SERVICES.items() if "data:/data" in service.get("volumes", [])}
    assert writers == {"worker", "deploy"}
    assert SERVICES["worker"]["depends_on"] == {"deploy": {"condition": "service_completed_successfully"}}
    assert "deploy" not in SERVICES["worker"] and "scale" not in SERVICES["worker"]


def test_every_service_of_ours_is_hardened_and_says_when_it_is_ill():
    for name, service in SERVICES.items():
        assert "healthcheck" in service or name == "worker", name  # the worker's is the image's
        if name == "database":
            continue
        assert (service["read_only"], service["cap_drop"], service["init"]) == (True, ["ALL"], True), name
        assert service["security_opt"] == ["no-new-privileges:true"]
    (health,) = said("HEALTHCHECK")
    (command,) = said("CMD")
    assert "127.0.0.1:8080/health" in health and "--with-healthcheck" in command


def test_volumes_networks_and_dependencies_are_declared():
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in COMPOSE["volumes"], name
        for network in service.get("networks", []):
            assert network in COMPOSE["networks"], name
        for other in service.get("depends_on", {}):
            assert other in SERVICES, name


def test_settings_in_compose_and_in_the_image_are_known():
    given = {name for service in SERVICES.values() for name in service.get("environment", {})}
    given |= {assignment.partition("=")[0] for line in said("ENV") for assignment in shlex.split(line)}
    assert {name for name in given if name.startswith("QUAKECAST_")} <= set(SETTINGS)
    prefect = {name for name in given if name.startswith("PREFECT_")}
    assert prefect <= prefect_settings(), prefect - prefect_settings()


def prefect_settings() -> set[str]:
    """Names of the environment variables that this version of Prefect knows."""
    from prefect.settings.legacy import _get_settings_fields
    from prefect.settings.models.root import Settings as PrefectSettings

    return set(_get_settings_fields(PrefectSettings)) | {"PREFECT_API_URL"}


EXAMPLE = (FOLDER / ".env.example").read_text(encoding="utf-8")


def test_the_example_names_every_setting_once_each_with_a_line_of_its_own():
    lines = EXAMPLE.splitlines()
    named = [found[1] for line in lines if (found := re.fullmatch(r"#?(QUAKECAST_[A-Z_]+)=(.*)", line))]
    assert sorted(named) == sorted(SETTINGS), "deployments/.env.example and forecaster/settings.py"
    for number, line in enumerate(lines):
        if re.match(r"#?QUAKECAST_", line):
            assert re.match(r"# \S.*\.$", lines[number - 1]), line


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_the_example_shows_the_default_and_no_secret(name):
    field = SETTINGS[name]
    (shown,) = re.findall(rf"^#?{name}=(.*)$", EXAMPLE, flags=re.M)
    assert shown == written(field.get_default(call_default_factory=True)), name
    secret = "SecretStr" in str(field.annotation)
    (comment,) = re.findall(rf"^# (.*)\n#?{name}=", EXAMPLE, flags=re.M)
    assert comment.startswith("SECRET: ") == secret


def written(default: Any) -> str:
    """A default as an environment variable would say it."""
    if default in (None, PydanticUndefined, "", ()):
        return ""
    if isinstance(default, SecretStr):
        return default.get_secret_value()
    if isinstance(default, bool):
        return str(default).lower()
    return default.isoformat("minutes") if hasattr(default, "isoformat") else str(default)


def test_the_security_notes_name_what_is_there():
    """Its settings, files and commands exist, and it keeps to a page and a half."""
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert set(re.findall(r"QUAKECAST_[A-Z_]+", text)) <= set(SETTINGS)
    for path in re.findall(r"`((?:deployments|requirements|docs)/[\w./-]*)`", text):
        assert (ROOT / path).exists() or path == "deployments/.env", path
    assert len(text.split()) < 1000 and len(text.splitlines()) < 80
