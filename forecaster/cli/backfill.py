"""`quakecast backfill`: forecast past days in bulk."""

import sys
from typing import TYPE_CHECKING

import click

from forecaster.cli.common import PARTIAL, complain, day_option, example, json_option, look, open_job, print_result, recipe_options

if TYPE_CHECKING:
    from forecaster.pipeline.backfilling.backfill_plan import Mode
    from forecaster.settings import Settings

_DETAILS = """
walk-forward: each block of days by models that are fitted on nothing but what was known before it, with weights learnt from
its own earlier days; what is published tomorrow is not touched. current-model: all days by the models of today; days that a model has seen
are marked in-sample and never scored. Both are marked as hindcasts, and no other forecast is ever replaced. The same command again does
only what is missing; it may be stopped at any moment.
"""


@click.command(
    "backfill",
    help=f"Forecast past days in bulk.\n{_DETAILS}",
    epilog=example("quakecast backfill --from 2024-01-01 --to 2024-03-31 --mode walk-forward --dry-run"),
)
@recipe_options
@click.option("--from", "first", required=True, metavar="DAY", help="First local day, YYYY-MM-DD.")
@click.option("--to", "last", required=True, metavar="DAY", help="Last local day, included; it must be over.")
@click.option("--mode", required=True, type=click.Choice(["walk-forward", "current-model"]), help="With which models.")
@click.option(
    "--retrain-every", type=click.IntRange(min=1), default=30, show_default=True, metavar="DAYS", help="Days of a walk-forward block."
)
@click.option(
    "--max-minutes", type=click.FloatRange(min=0, min_open=True), help="Minutes of the fits of one recipe and block (default: its own)."
)
@click.option("--overwrite", is_flag=True, help="Recompute days that this mode has computed before.")
@click.option("--ladder/--no-ladder", default=True, show_default=True, help="Longer windows and larger magnitudes of each day, too.")
@click.option("--dry-run", is_flag=True, help="Only print what would be done and how long it would take.")
@click.option("--yes", is_flag=True, help="Do not ask before a training that takes more than ten minutes.")
@json_option
@click.pass_obj
def backfill(
    settings: "Settings",
    recipes: tuple[str, ...],
    everything: bool,
    first: str,
    last: str,
    mode: "Mode",
    retrain_every: int,
    max_minutes: float | None,
    overwrite: bool,
    ladder: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    from forecaster.console import progress
    from forecaster.pipeline.backfilling import backfill as step
    from forecaster.pipeline.daily.verify import verify
    from forecaster.pipeline.run_context import publish_copy

    first_day, last_day = day_option("--from", first, SAMPLE_DAY), day_option("--to", last, SAMPLE_DAY)
    options = step.BackfillOptions(first_day, last_day, mode, retrain_every, overwrite, max_minutes, ladder)
    job = look(settings, recipes) if dry_run else open_job(settings, recipes)
    plan = step.plan_backfill(job.store, settings, job.recipes, options, job.clock)
    figures = {"missing": plan.missing, "there": plan.there, "fits": plan.fits, "estimated_minutes": plan.estimated_minutes}
    click.echo(plan.text, err=as_json)
    if dry_run:
        if as_json:
            print_result(True, {**figures, "left_out": plan.left_out}, "")
        return
    if plan.fits and plan.estimated_minutes > ASK_ABOVE_MINUTES and not yes and sys.stdin.isatty():
        click.confirm("Begin?", abort=True, err=True)
    with progress("backfill", plan.missing) as update:
        result = step.backfill(job, options, update, plan)
    checked = verify(job)  # as the flow does: past days have outcomes, which `alerts test` counts
    publish_copy(job)
    text = f"{result.text}; {len(checked.verified)} outcomes written, {checked.scored} forecasts scored"
    outcomes = len(checked.verified)
    counts = {"verified": outcomes, "settled": outcomes, "scored": checked.scored}  # `settled`: the former name, for one release
    print_result(as_json, {**figures, "state": result.state, **vars(result), **counts}, text)
    failures = {**result.failed, **{f"verify, {what}": reason for what, reason in checked.failed.items()}}
    for line in [*(f"{name}: {reason}" for name, reason in failures.items()), *_without_forecast(result.silent)]:
        complain(line)
    if result.state != "success" or checked.failed:
        sys.exit(1 if result.state == "failed" else PARTIAL)


SAMPLE_DAY = "2024-01-31"  # in messages
ASK_ABOVE_MINUTES = 10


def _without_forecast(silent: dict[str, dict[str, str]]) -> list[str]:
    return [f"{name}, {kind}: {reason}" for name, kinds in silent.items() for kind, reason in kinds.items()]


COMMANDS = (backfill,)
