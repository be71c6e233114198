"""The command line inside this process, as a shell would call it: a tenth of the time of a process of its own."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from forecaster import cli


@dataclass(frozen=True)
class Ended:
    """How a command ended, named as `subprocess` names it."""

    returncode: int
    stdout: str
    stderr: str


def quakecast(folder: Path, *arguments: str, **environment: str) -> Ended:
    """`quakecast ARGUMENTS` in `folder`, with these variables and no other settings; an unexpected error is raised."""
    others = {name: None for name in os.environ if name.startswith("QUAKECAST_")}
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.setattr("forecaster.logs._hidden", set())
        done = CliRunner().invoke(cli.main, list(arguments), env=others | environment)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Ended(done.exit_code, done.stdout, done.stderr)
