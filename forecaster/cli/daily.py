"""The steps of the daily job, one command each."""

import sys
from collections.abc import Hashable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from forecaster.cli.common import PARTIAL, complain, example, json_option, open_job, print_result, problem_lines, recipe_options
from forecaster.errors import BadInput
from forecaster.quantities import counted

if TYPE_CHECKING:
    from forecaster.pipeline.daily.pull import PullResult
    from forecaster.settings import Settings


@click.command(epilog=example("quakecast pull"))
@json_option
@click.pass_obj
def pull(settings: "Settings", as_json: bool) -> None:
    """Read all changes since the last pull from USGS into the database."""
    from forecaster.console import progress
    from forecaster.pipeline.daily.pull import pull_catalog
    from forecaster.pipeline.run_context import catalogue_source, publish_copy

    job = open_job(settings)
    with progress("reading USGS") as update:
        result = pull_catalog(job, catalogue_source(job), lambda done, total: update(done, total, ""))
    publish_copy(job)
    print_result(as_json, result.document(), _pulled(result))
    if problem := result.problem():
        complain(f"{problem}; see the table quarantine" if result.quarantined else problem)
        sys.exit(PARTIAL)


@click.command(epilog=example("quakecast predict --recipe tokyo --target-date 2024-01-03"))
@recipe_options
@click.option("--target-date", "--target_date", help="Day to forecast, YYYY-MM-DD (default: the next local day of each recipe).")
@click.option("--tz", help="Time zone in which 'the next day' is meant; without a --target-date (default: each recipe's own).")
@click.option("--reissue", is_flag=True, help="Issue once more: a new row supersedes the old one; the first is still the one scored.")
@click.option("--reforecast", is_flag=True, help="Keep it beside the official forecast of its day: it is never official, and not scored.")
@json_option
@click.pass_obj
def predict(
    settings: "Settings",
    recipes: tuple[str, ...],
    everything: bool,
    target_date: str | None,
    tz: str | None,
    reissue: bool,
    reforecast: bool,
    as_json: bool,
) -> None:
    """Forecast a day with every model of every recipe, and store it."""
    from zoneinfo import ZoneInfo

    from forecaster.pipeline.daily import predict as step
    from forecaster.pipeline.run_context import publish_copy
    from forecaster.store import ledger
    from forecaster.timewindow import check_zone_name, next_local_day, parse_day

    day: date | None = parse_day(target_date) if target_date else None
    if tz:
        try:
            check_zone_name(tz)
        except ValueError as error:
            raise BadInput(f"--tz {tz!r} {error}") from None
    if reissue and reforecast:
        raise BadInput("--reissue and --reforecast: one takes the place of a forecast, the other is kept beside it; name one of them")
    job = open_job(settings, recipes)
    if tz and day is None:
        day = next_local_day(job.clock.now(), ZoneInfo(tz))
    result = step.predict(job, step.PredictOptions(day, reissue, reforecast=reforecast))
    publish_copy(job)
    with job.store.transaction() as connection:
        rows = ledger.forecasts_of_issue(connection, result.forecast_ids)
    shown = rows.to_dict("records")
    print_result(as_json, {"forecasts": shown, **vars(result)}, _forecast_lines(shown, reforecast))
    without_forecast = [f"{recipe_id}, {kind}: {reason}" for recipe_id, kinds in result.silent.items() for kind, reason in kinds.items()]
    lacking = [f"without {kind}: {reason}" for kind, reason in result.unusable.items()]
    degraded = {
        name: f"{f'as issued at {result.kept[name]:%Y-%m-%d %H:%M} UTC, ' if name in result.kept else ''}{reason}"
        for name, reason in result.degraded.items()
    }
    kept = {
        name: f"issued at {issued:%Y-%m-%d %H:%M} UTC already, and kept; --reissue makes it anew from what is known now"
        for name, issued in result.kept.items()
    }
    for line in [*problem_lines(kept), *problem_lines({**result.not_scoreable, **degraded}), *without_forecast, *lacking]:
        complain(line)
    if result.degraded or without_forecast or not shown:
        sys.exit(PARTIAL)


def _pulled(result: "PullResult") -> str:
    read = f"{counted(result.rows_read, 'row')} in {counted(result.requests, 'request')}"
    return f"{read}, {counted(result.new_revisions, 'new version')} of events"


def _forecast_lines(rows: Sequence[Mapping[Hashable, Any]], reforecast: bool) -> str:
    from forecaster.console import chances
    from forecaster.pipeline.run_tables import is_shown

    published = [row for row in rows if is_shown(row, reforecast=reforecast)]
    return "\n".join(
        f"{row['recipe_id']:16} {row['target_start']:%Y-%m-%d %H:%M}Z to {row['target_end']:%Y-%m-%d %H:%M}Z  {{}} (usual {{}})".format(
            *chances(row["probability"], row["reference_probability"])
        )
        + f", {row['model_kind']}, {'reforecast' if reforecast else row['mode']}"
        for row in published
    )


@click.command(epilog=example("quakecast verify"))
@recipe_options
@json_option
@click.pass_obj
def verify(settings: "Settings", recipes: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """Verify ended forecasts: write what was observed, and score them."""
    from forecaster.pipeline.daily import verify as step
    from forecaster.pipeline.run_context import publish_copy

    job = open_job(settings, recipes)
    result = step.verify(job)
    publish_copy(job)
    counts = f"{len(result.revised)} revised, {result.waiting} waiting, {result.scored} scored"
    text = f"{counted(len(result.verified), 'outcome')} written, {counts}"
    print_result(as_json, result.document(), "\n".join([text, *(f"weights, {scope}: {reason}" for scope, reason in result.learnt.items())]))
    for what, failure in result.failed.items():
        complain(f"{what}: {failure}")
    if result.failed:
        sys.exit(PARTIAL)


@click.command(epilog=example("quakecast report --language ja"))
@click.option("--language", multiple=True, help="Language of the page, such as en or ja (default: all that there is an i18n file for).")
@click.option(
    "--one-file-to",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for copies that need no other file, to be sent or shown elsewhere.",
)
@json_option
@click.pass_obj
def report(settings: "Settings", language: tuple[str, ...], one_file_to: Path | None, as_json: bool) -> None:
    """Write the report page from the present content of the database. Pages share a style sheet and a script in reports/assets/."""
    from forecaster.pipeline.daily import publish_report
    from forecaster.reports.texts import languages

    job = open_job(settings)
    written = publish_report.write_report(job, language or languages(settings.templates))
    made = written.pages + (publish_report.copy_in_one_file(written, one_file_to) if one_file_to else [])
    print_result(as_json, {"report_id": written.report_id, "pages": [str(page) for page in made]}, "\n".join(map(str, made)))


COMMANDS = (pull, predict, verify, report)
