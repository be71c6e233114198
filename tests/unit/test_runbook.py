"""The runbook cannot rot: its commands, options, deployments, parameters and files exist, and the texts it explains are still said."""

import inspect
import json
import re
import shlex
import tomllib
from importlib import import_module
from pathlib import Path

import click
import pytest
import yaml

from forecaster.cli import main
from forecaster.pipeline.alerting.system_alerts import CHECKS
from forecaster.registry.reasons import ReasonKey
from forecaster.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "deployments" / "RUNBOOK.md").read_text(encoding="utf-8")
KINDS = ("sh", "sh service", "sh not run")
SOURCES = {path: path.read_text(encoding="utf-8") for folder in ("flows", "forecaster") for path in (ROOT / folder).rglob("*.py")}
SYSTEM = {
    "cp",
    "mv",
    "chmod",
    "set",
    ".",
    "export",
    "createdb",
    "pg_dump",
    "pg_restore",
    "psql",
    "git",
    "du",
    "find",
    "true",
    "sudo",
    "docker",
    "postgres",
}
DEPLOYMENTS = {
    row["name"]: row for row in yaml.safe_load((ROOT / "deployments" / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
}


def blocks() -> list[tuple[str, str]]:
    """(kind, text) of every fenced block."""
    return re.findall(r"^```([^\n]*)\n(.*?)^```$", TEXT, flags=re.M | re.S)


def commands(kind: str) -> list[list[str]]:
    """The words of every simple command in blocks of this kind; assignments before it, env and redirections left off."""
    found = []
    for told, text in blocks():
        if told != kind:
            continue
        for line in text.replace("\\\n", " ").splitlines():
            words = shlex.split(re.sub(r"\$\(.*?\)", "DATE", line), comments=True)
            for part in " \n ".join(words).replace("&&", "\0").replace("||", "\0").replace("> \n /dev/null", "").split("\0"):
                command = [word for word in part.split(" \n ") if word.strip()]
                command = [word.strip() for word in command]
                while command and (re.match(r"[A-Z_]+=", command[0]) or command[0] in ("env", "-u", "PREFECT_API_URL")):
                    command = command[1:]
                if command:
                    found.append(command)
    return found


def services() -> list[list[str]]:
    """What the containers and the systemd units run."""
    folder = ROOT / "deployments"
    compose = yaml.safe_load((folder / "compose.yaml").read_text(encoding="utf-8"))
    found = [list(service["command"]) for service in compose["services"].values() if "command" in service]
    found += [json.loads(line[4:]) for line in (folder / "Dockerfile").read_text(encoding="utf-8").splitlines() if line.startswith("CMD ")]
    units = "".join(path.read_text(encoding="utf-8") for path in (folder / "systemd").glob("*.service"))
    return found + [shlex.split(command) for command in re.findall(r"^ExecStart=\S*/\.venv/bin/(.*)$", units, flags=re.M)]


EVERY = [command for kind in KINDS for command in commands(kind)] + services()


def test_every_block_says_whether_it_was_run_and_why_not():
    kinds = {kind for kind, _ in blocks()}
    assert kinds == set(KINDS)
    for kind, text in blocks():
        assert (kind == "sh not run") == text.startswith("# not run here: "), text


def test_every_program_is_known_and_every_file_exists():
    ours = {"quakecast", "prefect", "dask", "make", "python", "deployments/backup.sh"}
    assert {command[0] for command in EVERY} <= ours | SYSTEM
    targets = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in EVERY:
        if command[0] == "make":
            assert re.search(rf"^{command[1]}:", targets, flags=re.M)
    for path in re.findall(r"(?<![\w/])((?:deployments|docs|tests|requirements)/[\w./-]+\w)", TEXT):
        assert (ROOT / path).exists() or path == "deployments/.env", path
    for name in re.findall(r"\bQUAKECAST_[A-Z_]+\b", TEXT):
        assert name.removeprefix("QUAKECAST_").lower() in Settings.model_fields, name


@pytest.mark.parametrize("command", [command for command in EVERY if command[0] == "quakecast"], ids=" ".join)
def test_quakecast_takes_these_words(command):
    """Each word is parsed as the command line would, options before the command included; nothing is run."""
    context = click.Context(main)
    words = command[1:]
    context = main.make_context("quakecast", list(words), resilient_parsing=False)
    while isinstance(context.command, click.Group):
        rest = [*context._protected_args, *context.args]
        name, found, words = context.command.resolve_command(context, rest)
        assert found is not None, command
        context = found.make_context(name, list(words), parent=context)


@pytest.mark.parametrize("command", [command for command in EVERY if command[0] == "prefect"], ids=" ".join)
def test_prefect_takes_these_words(command):
    """Parsed by Prefect's own command line; the session's options are taken off, as it does itself."""
    cli = import_module("prefect.cli._app")._app
    words = [word for word in command[1:] if word not in ("--prompt", "--no-prompt")]
    cli.parse_args(words, exit_on_error=False, print_error=False)
    if words[:2] == ["deployment", "run"] or words[:3] == ["deployment", "schedule", "ls"]:
        flow, deployment = next(word for word in words if "/" in word and "=" not in word).split("/")
        module, _, name = DEPLOYMENTS[deployment]["entrypoint"].rpartition(".")
        assert name == flow
        known = inspect.signature(getattr(import_module(module), name).fn).parameters
        given = {words[place + 1].partition("=")[0] for place, word in enumerate(words) if word == "--param"}
        assert given <= set(known), given - set(known)


def test_dask_takes_these_options():
    pytest.importorskip("distributed")
    commands_of = {"scheduler": "distributed.cli.dask_scheduler", "worker": "distributed.cli.dask_worker"}
    for command in (command for command in EVERY if command[0] == "dask"):
        import_module(commands_of[command[1]]).main.make_context(command[1], command[2:])


def alarms() -> list[str]:
    """The first column of the table of alarms, what stands in backticks there."""
    table = TEXT.split("## What each message means")[1].split("\n## ")[0]
    return [told for line in table.splitlines() if line.startswith("| ") for told in re.findall(r"`([^`]+)`", line.split(" | ")[0])]


TEXTS = tomllib.loads((ROOT / "templates" / "i18n" / "en.toml").read_text(encoding="utf-8"))["alert"]
FORMS = [form for text in TEXTS.values() for form in ([text] if isinstance(text, str) else text.values())]
SAID = "\n".join([*SOURCES.values(), *FORMS])


@pytest.mark.parametrize("told", alarms())
def test_what_an_alarm_says_is_still_said(told):
    """Every piece between the dots stands in one string of the code; a number may stand there as a name in braces."""
    pieces = [piece.strip() for piece in told.split("...") if piece.strip()]
    for piece in pieces:
        pattern = re.sub(r"\d+", r"(\\d+|\\{[^}]*\\})", re.escape(piece)).replace(r"\ ", r"(\s|\"\s+f?\")+")
        assert re.search(pattern, SAID), piece


def test_every_problem_of_the_status_is_explained():
    """What `quakecast status` can put into its state stands in the table: the texts are read from the code."""
    source = SOURCES[ROOT / "forecaster" / "pipeline" / "status.py"] + SOURCES[ROOT / "forecaster" / "pipeline" / "training" / "due.py"]
    texts = re.findall(r'f?"((?:the catalogue|the last|the recipes|it has no|its |\{count\}|\{new\})[^"]*)"', source)
    texts.append(ReasonKey.DRIFT.english)
    assert len(texts) >= 8, texts
    explained = "\n".join(re.sub(r"\s*\.\.\.\s*", " ", told) for told in alarms())
    words = set(re.findall(r"[a-z]+", explained))
    for text in texts:
        plain = re.findall(r"[a-z]{4,}", re.sub(r"\{[^}]*\}", " ", text))
        missing = [word for word in plain if word not in words]
        assert len(missing) <= len(plain) / 2, (text, missing)


def test_every_alarm_of_the_operation_is_explained():
    """Each title that an alarm of the operation can have, what varies cut out of it, stands in the table."""
    explained = re.sub(r"\s*\.\.\.\s*", " ", " ".join(alarms()))
    for check in CHECKS:
        pieces = [piece.strip(" :") for piece in re.split(r"\{[^}]*\}", TEXTS[f"ops_{check}_title"])]
        for piece in filter(None, pieces):
            assert piece in explained, (check, piece)


def test_what_the_hooks_point_to_is_there():
    for path, source in SOURCES.items():
        for heading in re.findall(r"RUNBOOK\.md, ([A-Z][\w ]+?)[.\"]", source):
            assert f"## {heading}\n" in TEXT, (path, heading)
    for heading in re.findall(r"\"([A-Z][\w ]+)\"", re.sub(r"```.*?```", "", TEXT, flags=re.S)):
        assert f"## {heading}\n" in TEXT or heading[:-1] in TEXT.replace(f'"{heading}"', ""), heading
