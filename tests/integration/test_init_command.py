"""`quakecast init`: the file of settings that it writes works as it is, and nothing is overwritten."""

import os
import stat
import subprocess

from click.testing import CliRunner

from forecaster import cli
from forecaster.settings import Settings


def run(*words: str, home: str = "my data"):
    return CliRunner().invoke(cli.main, ["--home", home, "init", *words])


def test_a_shell_reads_the_file_and_it_names_every_setting(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = run()
    file = tmp_path / "quakecast.env"
    assert (
        told.exit_code == 0 and "set -a && . ./quakecast.env && set +a" in told.stdout and "_QUAKECAST_COMPLETE=bash_source" in told.stdout
    )
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text(encoding="utf-8")
    assert all(f"QUAKECAST_{name.upper()}=" in text for name in Settings.model_fields)
    shell = subprocess.run(
        ["bash", "-euc", 'set -a && . ./quakecast.env && set +a && printf %s "$QUAKECAST_HOME"'],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shell.stdout == str(tmp_path / "my data")


def test_a_file_that_is_there_stays(tmp_path):
    file = tmp_path / "mine.env"
    file.write_text("QUAKECAST_CONTACT=me@example.org\n")
    told = run(str(file))
    assert told.exit_code == 2 and "is there already and stays as it is" in told.stderr
    assert file.read_text() == "QUAKECAST_CONTACT=me@example.org\n"


def test_a_folder_that_is_not_there_is_named(tmp_path):
    told = run(str(tmp_path / "none" / "quakecast.env"))
    assert told.exit_code == 2 and "cannot write" in told.stderr and told.stderr.count("\n") == 1
