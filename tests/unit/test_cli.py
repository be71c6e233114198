"""The command line where it needs no database: help, recipes, and what JSON it prints."""

import errno
import json
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import click
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from forecaster.cli import main
from forecaster.cli.common import print_result
from forecaster.files import refused

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = {"pull", "train", "predict", "verify", "report", "notify", "export", "serve", "sql", "status", "recipes"}


@pytest.fixture
def run(tmp_path):
    """Runs `quakecast ARGUMENTS` in an empty home."""

    def invoke(*arguments: str):
        environment = {"QUAKECAST_HOME": str(tmp_path / "home"), "QUAKECAST_RECIPES": None}
        return CliRunner().invoke(main, list(arguments), env=environment)

    return invoke


def every_command() -> list[list[str]]:
    context = click.Context(main)
    groups = [([name], main.get_command(context, name)) for name in main.list_commands(context)]
    return [
        [*path, *rest]
        for path, command in groups
        for rest in ([[n] for n in command.commands] if isinstance(command, click.Group) else [[]])
    ]


def test_the_commands_are_there():
    assert set(main.list_commands(click.Context(main))) >= COMMANDS


@pytest.mark.parametrize("path", every_command(), ids=" ".join)
def test_every_command_has_help_with_an_example_that_uses_it(run, path):
    result = run(*path, "--help")
    assert result.exit_code == 0
    example = result.output.split("Example:\n")[1]
    assert f"quakecast {' '.join(path)}" in example
    assert run(*path, "-h").output == result.output


HEAVY = ("numpy", "pandas", "pydantic", "duckdb", "prefect", "scipy", "rich", "requests")


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_what_needs_no_library_imports_none(option):
    ask = f"import sys; from forecaster.cli import main; main([{option!r}], standalone_mode=False); print(*sys.modules, file=sys.stderr)"
    asked = subprocess.run([sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "quakecast" in asked.stdout or "Usage" in asked.stdout
    assert set(asked.stderr.split()).isdisjoint(HEAVY)


def test_help_says_what_it_is_not(run):
    assert "nobody can predict time and place" in run("--help").output
    assert run("--version").output.startswith("quakecast, version ")


def test_recipes_list(run):
    lines = run("recipes", "list").output.splitlines()
    ids = [line.split()[0] for line in lines]
    assert len(ids) == 29 and ids == sorted(ids)
    tokyo = next(line for line in lines if line.startswith("tokyo "))
    assert tokyo.split() == ["tokyo", "M", ">=", "4.0", "within", "150", "km", "of", "Tokyo", "(Asia/Tokyo)", "[comparison", "only]"]
    document = json.loads(run("recipes", "list", "--json").output)
    assert len(document["recipes"]) == 29


def test_recipes_show_prints_what_a_recipe_file_says(run):
    shown = json.loads(run("recipes", "show", "tokyo").output)
    assert shown["displayName"] == {"en": "Tokyo", "ja": "東京"} and shown["predict_radius_meters"] == 150_000
    assert shown["issue_local_time"] == "23:30:00"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["recipes", "show", "tokio"], "unknown recipe 'tokio'; did you mean 'tokyo'?"),
        (["predict", "--target-date", "03.01.2024"], "target date '03.01.2024' is not a day; write it as YYYY-MM-DD"),
        (["predict", "--target_date", "2024-02-30"], "is not a day"),
        (["predict", "--tz", "Asia/Edo"], "--tz 'Asia/Edo' must be an IANA time zone"),
        (["predict", "--recipe_id", "tokio"], "unknown recipe 'tokio'"),
        (["sql", "SELECT 1"], "there is no published database at"),
        (["status"], "there is no published database at"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line_and_exit_code_2_and_makes_no_home(run, tmp_path, arguments, said):
    result = run(*arguments)
    assert result.exit_code == 2 and result.stdout == ""
    assert result.stderr.count("\n") == 1 and result.stderr.startswith("quakecast: ") and said in result.stderr
    assert not (tmp_path / "home").exists()


def test_a_bad_recipe_folder_gives_a_line_a_problem(tmp_path):
    text = (ROOT / "recipes" / "first_system" / "tokyo.toml").read_text(encoding="utf-8")
    (tmp_path / "tokyo.toml").write_text(
        text.replace("predict_radius_meters = 150000", "predict_radius_meters = 0\ncolour = 1"), encoding="utf-8"
    )
    result = CliRunner().invoke(
        main, ["recipes", "check"], env={"QUAKECAST_RECIPES": str(tmp_path), "QUAKECAST_HOME": str(tmp_path / "home")}
    )
    assert result.exit_code == 2 and not (tmp_path / "home").exists()
    assert [line.split(" = ")[0].split(": is")[0] for line in result.stderr.splitlines()] == [
        "quakecast: tokyo.toml: predict_radius_meters",
        "quakecast: tokyo.toml: colour",
    ]


def test_a_bad_setting_names_its_variable(run):
    result = CliRunner().invoke(main, ["recipes", "list"], env={"QUAKECAST_SMTP_PORT": "mail"})
    assert result.exit_code == 2 and "QUAKECAST_SMTP_PORT" in result.stderr and result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["predict", "--colour"], ["forecast"], ["train", "--max-minutes", "0"], ["serve", "--port", "70000"]]
)
def test_wrong_usage_is_exit_code_2(run, arguments):
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize("arguments", [["--home", "a\0b", "status"], ["sql", "SELECT '\0'"], ["report\0"]])
def test_a_nul_in_an_argument_is_one_line(run, arguments):
    done = run(*arguments)
    assert done.exit_code == 2 and done.stderr.startswith("quakecast: an argument holds a NUL") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("argument", [b"SELECT '\xff'", b"\xed\xa0\x80"])
def test_an_argument_that_is_no_utf_8_is_one_line(tmp_path, argument):
    done = subprocess.run([sys.executable, "-m", "forecaster", "--home", str(tmp_path), "sql", argument], cwd=ROOT, capture_output=True)
    assert done.returncode == 2 and done.stderr.startswith(b"quakecast: the argument ") and done.stderr.count(b"\n") == 1


def test_json_is_json(capsys):
    """NaN is not JSON, and neither is a time without its T."""
    moment = datetime(2024, 1, 2, 12, tzinfo=UTC)
    frame = pd.DataFrame({"n": [1.5, np.nan], "name": ["a", None], "when": [pd.Timestamp(moment), pd.NaT], "yes": [True, False]})
    document = {"rows": frame.to_dict("records"), "day": date(2024, 1, 3), "targets": {"tokyo": date(2024, 1, 3)}, "most": float("inf")}
    print_result(True, document, "")
    told = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert told["rows"] == [
        {"n": 1.5, "name": "a", "when": "2024-01-02T12:00:00+00:00", "yes": True},
        {"n": None, "name": None, "when": None, "yes": False},
    ]
    assert (told["day"], told["targets"], told["most"]) == ("2024-01-03", {"tokyo": "2024-01-03"}, None)


def test_as_a_module(tmp_path):
    def module(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "forecaster", "--home", str(tmp_path / "home"), *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)

    listed = module("recipes", "list")
    assert listed.returncode == 0 and len(listed.stdout.splitlines()) == 29 and listed.stderr == ""
    bad = module("predict", "--target-date", "tomorrow")
    assert bad.returncode == 2 and bad.stdout == "" and bad.stderr.count("\n") == 1
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied", "/etc/shadow-of-quakes"),
            "cannot use /etc/shadow-of-quakes: permission denied; ",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device", "/x/report.html"),
            "cannot write to /x/report.html (no space left on device); free",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "cannot write (no space left on device); free some space"),
    ],
)
def test_rights_and_space_are_one_line_and_no_traceback(monkeypatch, error, said):
    def raising(*args, **kwargs):
        raise error

    monkeypatch.setattr("forecaster.pipeline.status.status_document", raising)
    told = CliRunner().invoke(main, ["status"])
    assert told.exit_code == 2 and told.stderr.startswith(f"quakecast: {said}") and told.stderr.count("\n") == 1


def test_another_error_of_the_system_is_a_fault_of_ours(monkeypatch):
    def raising(*args, **kwargs):
        raise ConnectionResetError("x")

    monkeypatch.setattr("forecaster.pipeline.status.status_document", raising)
    assert isinstance(CliRunner().invoke(main, ["status"]).exception, ConnectionResetError)


def test_whose_a_folder_is_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("forecaster.files.os.geteuid", lambda: Path("/").stat().st_uid + 54321)
    assert f"/ belongs to {Path('/').owner()} and this is user " in refused(Path("/none/at/all"))
