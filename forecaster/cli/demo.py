"""`quakecast demo`: show the program on real recorded data, without a network."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from forecaster.cli.common import example, json_option, print_result

if TYPE_CHECKING:
    from forecaster.settings import Settings

SHOWN_ISSUES = 9


@click.command(epilog=example("quakecast demo --quick"))
@click.option("--quick", is_flag=True, help="Four days instead of nine: about two minutes.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("quakecast-demo"),
    show_default=True,
    help="Where the demo works; emptied first where it is an earlier demo's.",
)
@json_option
@click.pass_obj
def demo(settings: "Settings", quick: bool, folder: Path, as_json: bool) -> None:
    """Replay the days around the Noto earthquake of 2024-01-01 from the bundled catalogue: no network, no training, nothing is sent."""
    from forecaster.console import days_table, forecast_table, ordered, print_table
    from forecaster.pipeline import demo as step
    from forecaster.reports.texts import languages

    started = time.monotonic()
    folder = folder.resolve()
    step.prepare(folder)

    def say(text: str) -> None:
        click.echo(f"[{time.monotonic() - started:4.0f} s] {text}", err=as_json)

    home = settings.model_copy(update={"home": folder, "recipes": None, "recipe_streams": False})
    done = step.replay(home, step.DAYS_QUICK if quick else step.DAYS, languages(), say)
    shown = [os.path.relpath(page) for page in done.pages]
    if not as_json:
        print_table(forecast_table(done.data))
        print_table(days_table(ordered(done.data.recipes)[0], SHOWN_ISSUES))
    lines = [
        "A replay with a simulated clock: none of these forecasts is official, and no warning is meant.",
        *(f"report: {page}" for page in shown),
        f"look at it:        quakecast --home {os.path.relpath(folder)} serve",
        f"what is sent:      quakecast --home {os.path.relpath(folder)} notify --preview --open",
        f'ask the database:  quakecast --home {os.path.relpath(folder)} sql "SELECT * FROM v_forecast WHERE counts LIMIT 5"',
    ]
    print_result(as_json, {"home": str(folder), "pages": [str(page) for page in done.pages]}, "\n".join(lines))


COMMANDS = (demo,)
