"""Shared code of the commands: options, the job they work on, how they report the result."""

import json
import logging
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import click

from forecaster import logs
from forecaster.errors import BadInput

if TYPE_CHECKING:
    from forecaster.clock import Clock
    from forecaster.pipeline.run_context import Job
    from forecaster.settings import Settings

PARTIAL = 3
MAX_NAMED = 5


def machine_clock() -> "Clock":
    """Return the machine's own clock."""
    from forecaster.clock import Clock

    return Clock(lambda: datetime.now(UTC), simulated=False)


def open_job(settings: "Settings", recipes: tuple[str, ...] = ()) -> "Job":
    """Open the job of these recipes (all, where none is named), on the machine's clock, for a command that stores something.

    Raises:
        BadInput: it is the home of a replay: storing something today would end it.
    """
    from forecaster.pipeline import replay_homes, run_context

    opened = run_context.open_job(settings, machine_clock(), recipes)
    replay_homes.check(opened.store, opened.clock)
    return opened


def look(settings: "Settings", recipes: tuple[str, ...] = ()) -> "Job":
    """Open the same job for a command that only reads: it makes and changes nothing."""
    from forecaster.pipeline import run_context

    return run_context.look(settings, machine_clock(), recipes)


def example(text: str) -> str:
    """Return the epilog of a command's help."""
    return f"\b\nExample:\n  {text}"


def recipe_options(command: Any) -> Any:
    command = click.option("--all", "everything", is_flag=True, help="All recipes (the default where none is named).")(command)
    return click.option("--recipe", "--recipe_id", "recipes", multiple=True, metavar="ID", help="A recipe; may be repeated.")(command)


def json_option(command: Any) -> Any:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")(command)


def print_result(as_json: bool, document: Mapping[str, Any], text: str) -> None:
    """Print the result of a command, for a script or for a person."""
    click.echo(json.dumps(plain(document), ensure_ascii=False, indent=2, default=str, allow_nan=False) if as_json else text)


def complain(text: str) -> None:
    """Print one line on standard error: what went wrong, or what is missing from the result; in a log of JSON an object."""
    if logs.is_json():
        logging.getLogger("quakecast").error("%s", text)
    else:
        click.echo(f"quakecast: {text}", err=True)


def problem_lines(problems: dict[str, str]) -> list[str]:
    """Return one line for each problem (by recipe), however many recipes have it."""
    having: dict[str, list[str]] = {}
    for recipe_id, reason in problems.items():
        having.setdefault(reason, []).append(recipe_id)
    return [f"{', '.join(ids) if len(ids) <= MAX_NAMED else f'{len(ids)} recipes'}: {reason}" for reason, ids in having.items()]


def plain(value: Any) -> Any:
    """Return the same in JSON's types: missing numbers and times are null, times are ISO 8601."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, date):
        return value.isoformat() if value == value else None  # NaT equals nothing
    return value


def day_option(option: str, text: str, sample: str = "2018-01-01") -> date:
    """Return the day that an option names.

    Raises:
        BadInput: it is no day; names the option, and the `sample` to write it like.
    """
    from forecaster.timewindow import parse_day

    try:
        return parse_day(text)
    except BadInput:
        raise BadInput(f"{option} {text!r} is not a day; write it as YYYY-MM-DD, for example {sample}") from None
