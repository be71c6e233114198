"""The command line: `quakecast COMMAND`. Each command is one step of the daily job; `run` is the whole.

Exit codes: 0 success; 1 failure; 2 bad input; 3 partial (done, but degraded: the table or --json says what is missing).
"""

import json
import logging
import math
import sys
from datetime import UTC, date, datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import click

from forecaster.clock import Clock
from forecaster.errors import BadInput, QuakecastError
from forecaster.settings import Settings, code_version, load_settings
from forecaster.timewindow import next_local_day, parse_day

PARTIAL = 3


def machine_clock() -> Clock:
    """The machine's own clock."""
    return Clock(lambda: datetime.now(UTC), simulated=False)


class _Group(click.Group):
    """Shows our own errors as one line each, with their exit code, and finds commands that other packages register."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *(entry.name for entry in entry_points(group="quakecast.commands"))})

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        found = super().get_command(ctx, name)
        for entry in entry_points(group="quakecast.commands") if found is None else ():
            if entry.name == name:
                return entry.load()
        return found

    def main(self, *args: Any, **extra: Any) -> Any:
        try:
            return super().main(*args, **extra)
        except QuakecastError as error:
            for line in str(error).splitlines():
                click.echo(f"quakecast: {line}", err=True)
            sys.exit(error.exit_code)


def example(text: str) -> str:
    """The epilog of a command's help."""
    return f"\b\nExample:\n  {text}"


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(code_version(), prog_name="quakecast")
@click.option("--home", type=click.Path(path_type=Path), help="Data folder (QUAKECAST_HOME; default ./quakecast-data).")
@click.option("-v", "--verbose", is_flag=True, help="Say what is done.")
@click.pass_context
def main(ctx: click.Context, home: Path | None, verbose: bool) -> None:
    """Daily earthquake probabilities that can be checked. No official warning; nobody can predict time and place of an earthquake."""
    console = logging.StreamHandler()
    console.addFilter(lambda record: verbose or not record.name.startswith("prefect"))  # it tells failures that we tell in one line
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s", handlers=[console])
    ctx.obj = load_settings(**({"home": home} if home else {}))


def recipe_options(command: Any) -> Any:
    command = click.option("--all", "everything", is_flag=True, help="All recipes (the default where none is named).")(command)
    return click.option("--recipe", "--recipe_id", "recipes", multiple=True, metavar="ID", help="A recipe; may be repeated.")(command)


def json_option(command: Any) -> Any:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")(command)


def tell(as_json: bool, document: dict, text: str) -> None:
    """The result of a command, for a script or for a person."""
    click.echo(json.dumps(_plain(document), ensure_ascii=False, indent=2, default=str, allow_nan=False) if as_json else text)


def _plain(value: Any) -> Any:
    """The same in what JSON has: missing numbers and times are null, times are ISO 8601."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, date):
        return value.isoformat() if value == value else None  # NaT equals nothing
    return value


def _job(settings: Settings, recipes: tuple[str, ...] = ()) -> Any:
    from forecaster.pipeline.job import open_job

    return open_job(settings, machine_clock(), recipes)


@main.command(epilog=example("quakecast pull"))
@json_option
@click.pass_obj
def pull(settings: Settings, as_json: bool) -> None:
    """Read what USGS has learnt since the last pull into the database."""
    from forecaster.console import progress
    from forecaster.pipeline.job import publish_copy, usgs_client
    from forecaster.pipeline.pull import pull_catalog

    job = _job(settings)
    with progress("reading USGS") as update:
        result = pull_catalog(
            job.store,
            usgs_client(job),
            job.recipes,
            job.clock,
            job.run_id,
            settings.recipe_streams,
            lambda done, total: update(done, total, ""),
        )
    publish_copy(job)
    tell(as_json, vars(result), f"{result.rows_read} rows in {result.requests} requests, {result.new_revisions} new versions of events")
    if result.quarantined:
        click.echo(f"quakecast: rows that could not be believed: {result.quarantined}; see the table quarantine", err=True)
        sys.exit(PARTIAL)


@main.command(epilog=example("quakecast train --recipe niigata-m45 --max-minutes 2"))
@recipe_options
@click.option(
    "--max-minutes", type=click.FloatRange(min=0, min_open=True), help="Minutes per recipe, to an epoch's end (default: its own)."
)
@click.option("--max-epochs", type=click.IntRange(min=0), help="Epochs of each fit; repeats a fit that a budget had cut.")
@click.option("--evaluate-only", is_flag=True, help="Fit and score on the test span, but leave the served model as it is.")
@click.option("--tensorboard", type=click.Path(path_type=Path), help="Folder for TensorBoard logs.")
@json_option
@click.pass_obj
def train(settings: Settings, recipes, everything, max_minutes, max_epochs, evaluate_only, tensorboard, as_json) -> None:
    """Fit the ConvLSTM of each recipe, judge it on days it has not seen, and decide whether it is published."""
    from forecaster.console import progress
    from forecaster.pipeline.job import publish_copy
    from forecaster.pipeline.train import TrainOptions, train_recipes

    job = _job(settings, recipes)
    options = TrainOptions(max_minutes, max_epochs, evaluate_only, tensorboard)
    with progress("training", len(job.recipes)) as update:
        result = train_recipes(job.store, job.recipes, settings, job.clock, options, on_progress=update)
    publish_copy(job)
    lines = [f"{name}: {row['decision']}" for name, row in result.trained.items()] + [f"{k}: {v}" for k, v in result.skipped.items()]
    tell(as_json, vars(result), "\n".join(lines))
    if result.skipped:
        sys.exit(PARTIAL)


@main.command(epilog=example("quakecast predict --recipe tokyo --target-date 2024-01-03"))
@recipe_options
@click.option("--target-date", "--target_date", help="Day to forecast, YYYY-MM-DD (default: the next local day of each recipe).")
@click.option("--tz", help="Time zone in which 'the next day' is meant; without a --target-date (default: each recipe's own).")
@click.option("--reissue", is_flag=True, help="Issue once more: a new row supersedes the old one; the first is still the one scored.")
@json_option
@click.pass_obj
def predict(settings: Settings, recipes, everything, target_date, tz, reissue, as_json) -> None:
    """Forecast a day with every model of every recipe, and store it."""
    from forecaster.pipeline import predict as step
    from forecaster.pipeline.job import publish_copy
    from forecaster.store import ledger

    day: date | None = parse_day(target_date) if target_date else None
    if tz and tz not in available_timezones():
        raise BadInput(f"--tz {tz!r} is no IANA time zone; write it like Asia/Tokyo")
    job = _job(settings, recipes)
    if tz and day is None:
        day = next_local_day(job.clock.now(), ZoneInfo(tz))
    result = step.predict(job.store, job.recipes, settings, job.clock, target_day=day, run_id=job.run_id, reissue=reissue)
    publish_copy(job)
    with job.store.transaction() as connection:
        rows = ledger.forecasts_of_issue(connection, result.forecast_ids)
    shown = rows.to_dict("records")
    tell(as_json, {"forecasts": shown, **vars(result)}, _forecast_lines(shown))
    for recipe_id, reason in {**result.not_scoreable, **result.degraded}.items():
        click.echo(f"quakecast: {recipe_id}: {reason}", err=True)
    if result.degraded or not shown:
        sys.exit(PARTIAL)


def _forecast_lines(rows: list[dict]) -> str:
    from forecaster.console import chance

    said = [row for row in rows if row["published"]]
    return "\n".join(
        f"{row['recipe_id']:16} {row['target_start']:%Y-%m-%d %H:%M}Z to {row['target_end']:%Y-%m-%d %H:%M}Z  "
        f"{chance(row['probability'])} (usual {chance(row['reference_probability'])}), {row['model_kind']}, {row['mode']}"
        for row in said
    )


@main.command(epilog=example("quakecast verify"))
@recipe_options
@json_option
@click.pass_obj
def verify(settings: Settings, recipes, everything, as_json) -> None:
    """Settle the outcomes of ended forecasts and score them."""
    from forecaster.pipeline import verify as step
    from forecaster.pipeline.job import publish_copy

    job = _job(settings, recipes)
    result = step.verify(job.store, job.recipes, job.clock)
    publish_copy(job)
    text = f"{len(result.settled)} outcomes written, {len(result.turned)} turned round, {result.waiting} waiting, {result.scored} scored"
    tell(as_json, vars(result), text)


@main.command(epilog=example("quakecast report --language ja"))
@click.option("--language", type=click.Choice(["en", "ja"]), multiple=True, help="Language of the page (default: both).")
@json_option
@click.pass_obj
def report(settings: Settings, language, as_json) -> None:
    """Write the report page from what the database holds now."""
    from forecaster.pipeline import pages

    job = _job(settings)
    written = pages.write_report(job, language or ("en", "ja"))
    tell(as_json, {"report_id": written.report_id, "pages": [str(page) for page in written.pages]}, "\n".join(map(str, written.pages)))


@main.command(epilog=example("quakecast notify --dry-run"))
@click.option("--dry-run", is_flag=True, help="Show what would be sent.")
@json_option
@click.pass_obj
def notify(settings: Settings, dry_run, as_json) -> None:
    """Send the newest report to every channel that is set up; each message once."""
    from forecaster.pipeline import messages

    job = _job(settings)
    result = messages.notify(job, dry_run=dry_run)
    tell(as_json, {"deliveries": result.rows}, result.text)
    if result.failed:
        sys.exit(PARTIAL)


@main.command(epilog=example("quakecast export --out public"))
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write to (default: HOME/out).")
@recipe_options
@click.pass_obj
def export(settings: Settings, out, recipes, everything) -> None:
    """Write the map UI's JSON files: predictions, summary, validations, details."""
    from forecaster.pipeline.export import export as step

    job = _job(settings, recipes)
    for path in step(job, out or settings.output):
        click.echo(path)


@main.command(epilog=example("quakecast serve --port 8000"))
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535))
@click.pass_obj
def serve(settings: Settings, host, port) -> None:
    """Show the output folder (reports, JSON files) in a browser; on this machine only unless --host says otherwise."""
    from forecaster.reports.serve import make_server

    with make_server(settings.output, host, port) as server:
        click.echo(f"http://{host}:{server.server_address[1]}/ (Ctrl-C ends it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("ended")


@main.command(epilog=example('quakecast sql "SELECT count(*) FROM event WHERE magnitude >= 7"'))
@click.argument("statement")
@json_option
@click.pass_obj
def sql(settings: Settings, statement, as_json) -> None:
    """Ask the published copy of the database; also while a run writes."""
    from forecaster.store.database import query

    frame = query(settings.published, statement)
    click.echo(frame.to_json(orient="records", date_format="iso") if as_json else frame.to_string(index=False))


@main.command(epilog=example("quakecast status --json"))
@json_option
@click.pass_obj
def status(settings: Settings, as_json) -> None:
    """How old the data are, what ran last, what was said last. Reads the published copy."""
    from forecaster.pipeline.status import status_document, status_text

    document = status_document(settings, machine_clock())
    tell(as_json, document, status_text(document))
    if document["state"] != "ok":
        sys.exit(PARTIAL)


@main.group()
def recipes() -> None:
    """List, show and check recipes."""


@recipes.command("list", epilog=example("quakecast recipes list"))
@json_option
@click.pass_obj
def recipes_list(settings: Settings, as_json) -> None:
    """Every recipe, one line each."""
    from forecaster.recipe import load_recipes

    found = load_recipes(settings.recipe_folder)
    lines = [
        f"{r.id:16} M >= {r.threshold_mag:.1f} within {r.radius_km:4.0f} km of {r.display_name.en} ({r.time_zone})"
        + (" [comparison only]" if r.comparison_only else "")
        for r in found.values()
    ]
    tell(as_json, {"recipes": [r.model_dump(mode="json", by_alias=True) for r in found.values()]}, "\n".join(lines))


@recipes.command("show", epilog=example("quakecast recipes show tokyo"))
@click.argument("recipe_id")
@click.pass_obj
def recipes_show(settings: Settings, recipe_id) -> None:
    """All fields of one recipe."""
    from forecaster.recipe import choose, load_recipes

    recipe = choose(load_recipes(settings.recipe_folder), [recipe_id])[0]
    click.echo(json.dumps(recipe.model_dump(mode="json", by_alias=True), ensure_ascii=False, indent=2))


@recipes.command("check", epilog=example("quakecast recipes check"))
@recipe_options
@json_option
@click.pass_obj
def recipes_check(settings: Settings, recipes, everything, as_json) -> None:
    """Check every file, and say what the catalogue can tell at each place: completeness, past target days, coverage."""
    from forecaster.pipeline.check import check_recipes

    rows = check_recipes(_job(settings, recipes))
    tell(as_json, {"recipes": rows}, "\n".join(row["text"] for row in rows))
