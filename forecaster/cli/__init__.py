"""The command line: `quakecast COMMAND`. Each command is one step of the daily job; `run` is the whole job.

Exit codes: 0 success; 1 failure; 2 bad input; 3 partial (done, but degraded: the table or --json says what is missing). A module of this
package names its commands in `COMMANDS`; large imports are inside the commands.
"""

import errno
import os
import sys
from collections.abc import Sequence
from functools import cache
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from typing import Any

import click

from forecaster import logs
from forecaster.cli import alerts, backfill, daily, data, demo, evaluate, forecast, init, models, notify, pretrain, recipes, world
from forecaster.cli.common import complain
from forecaster.errors import BadInput, QuakecastError
from forecaster.files import refused
from forecaster.installed import code_version

COMMANDS = "quakecast.commands"  # the group of entry points of commands from other packages


class _Group(click.Group):
    """Shows our own errors as one line each, with their exit code, and finds commands that other packages register."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *(entry.name for entry in _registered())})

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        found = super().get_command(ctx, name)
        for entry in _registered() if found is None else ():
            if entry.name == name:
                command: click.Command = entry.load()
                return command
        return found

    def main(self, *args: Any, **extra: Any) -> Any:
        try:
            _refuse_what_is_no_text(args[0] if args else extra.get("args"))
            return super().main(*args, **extra)
        except QuakecastError as error:
            for line in str(error).splitlines():
                complain(line)
            sys.exit(error.exit_code)
        except OSError as error:
            if (description := _of_the_machine(error)) is None:
                raise
            complain(description)
            sys.exit(BadInput.exit_code)


@cache
def _registered() -> list[EntryPoint]:
    """Return the commands that installed packages register. `importlib.metadata.entry_points` parses the lists of all packages, which takes
    twenty times as long as checking which of them name the group."""
    listed = {dist.name: dist for dist in reversed(list(distributions())) if COMMANDS in (dist.read_text("entry_points.txt") or "")}
    return [entry for dist in listed.values() for entry in dist.entry_points if entry.group == COMMANDS]


def _refuse_what_is_no_text(words: Sequence[str] | None) -> None:
    """Reject arguments that hold a NUL, or bytes that are not UTF-8 (which Python passes as lone surrogates)."""
    for word in sys.argv[1:] if words is None else words:
        if "\0" in word:
            raise BadInput("an argument holds a NUL character, which no file name and no query can have; leave it out")
        if any("\ud800" <= letter <= "\udfff" for letter in word):
            raise BadInput(f"the argument {ascii(word)[:100]} is no text in UTF-8; write it anew")


def _of_the_machine(error: OSError) -> str | None:
    """Return the error for a system error that the user can correct: rights and space. None for every other, which is our own bug."""
    path = Path(os.fsdecode(error.filename)) if isinstance(error.filename, (str, bytes)) else Path()
    if isinstance(error, PermissionError):
        return f"cannot use {path}: {refused(path)}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        named = f" to {path}" if error.filename else ""
        return f"cannot write{named} ({(error.strerror or 'no space').lower()}); free some space, or set QUAKECAST_HOME to another disk"
    return None


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Show the version. `click.version_option` would have it looked up at every start."""
    if wanted and not ctx.resilient_parsing:
        click.echo(f"quakecast, version {code_version()}")
        ctx.exit()


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version and exit.")
@click.option("--home", type=click.Path(path_type=Path), help="Data folder (QUAKECAST_HOME; default ./quakecast-data).")
@click.option("-v", "--verbose", is_flag=True, help="Log each step.")
@click.option("--log-format", type=click.Choice(["text", "json"]), help="Format of the log on standard error (QUAKECAST_LOG_FORMAT).")
@click.pass_context
def main(ctx: click.Context, home: Path | None, verbose: bool, log_format: str | None) -> None:
    """Daily earthquake probabilities that can be checked. No official warning; nobody can predict time and place of an earthquake."""
    from forecaster.settings import load_settings, wants_json

    logs.set_up(verbose=verbose, as_json=wants_json(log_format))
    given = {"home": home, "log_format": log_format}
    ctx.obj = load_settings(**{name: value for name, value in given.items() if value is not None})


for module in (init, demo, daily, forecast, notify, alerts, models, pretrain, backfill, evaluate, recipes, world, data):
    for command in module.COMMANDS:
        main.add_command(command)
