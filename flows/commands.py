"""Commands of the command line that need Prefect. An entry point registers them."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import click

from forecaster.cli.common import PARTIAL, complain, example, json_option, machine_clock, print_result, problem_lines, recipe_options
from forecaster.quantities import counted

if TYPE_CHECKING:
    from forecaster.settings import Settings


def prefect_defaults(*, quiet: bool = True) -> None:
    """Set private defaults for Prefect, and `quiet` ones for a run without a server. Variables that are set already are kept."""
    ask_ourselves_directly()
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "180")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    if quiet:
        os.environ.setdefault("PREFECT_LOGGING_LEVEL", "WARNING")
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    if "PREFECT_HOME" in os.environ:  # Prefect makes the folder, but not the one above it
        Path(os.environ["PREFECT_HOME"]).mkdir(parents=True, exist_ok=True)


def ask_ourselves_directly() -> None:
    """Exclude Prefect's server on this machine, or beside it (a name without a dot), from an HTTP proxy."""
    if not any(os.environ.get(name) for kind in ("HTTP", "HTTPS", "ALL") for name in (f"{kind}_PROXY", f"{kind.lower()}_proxy")):
        return
    exceptions = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    server = urlsplit(os.environ.get("PREFECT_API_URL", "")).hostname or ""
    direct = [host for host in ("127.0.0.1", "localhost", server) if host and (host == "127.0.0.1" or "." not in host)]
    hosts = list(dict.fromkeys([*(host.strip() for host in exceptions.split(",") if host.strip()), *direct]))
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = ",".join(hosts)


def _check(settings: "Settings") -> None:
    """Raises:
    BadInput: a channel is set up wrongly. SchemaTooNew: a newer quakecast wrote the database.
    """
    from forecaster.pipeline.messaging.channel_check import check_channels
    from forecaster.pipeline.run_context import refuse_newer_home

    check_channels(settings)
    refuse_newer_home(settings)


@click.command(epilog=example("quakecast run --total-minutes 10"))
@recipe_options
@click.option("--target-date", "--target_date", help="Day to forecast, YYYY-MM-DD (default: the next local day of each recipe).")
@click.option("--train", "train_mode", type=click.Choice(["due", "never"]), default="due", show_default=True)
@click.option("--max-minutes", type=click.FloatRange(min=0, min_open=True), help="Training time per recipe, shared by its kinds of models.")
@click.option("--max-epochs", type=click.IntRange(min=0), help="Epochs of each ConvLSTM.")
@click.option("--total-minutes", type=click.FloatRange(min=0, min_open=True), default=20.0, show_default=True, help="Training time in all.")
@click.option("--no-send", is_flag=True, help="Write everything, send nothing.")
@json_option
@click.pass_obj
def run(
    settings: "Settings",
    recipes: tuple[str, ...],
    everything: bool,
    target_date: str | None,
    train_mode: Literal["due", "never"],
    max_minutes: float | None,
    max_epochs: int | None,
    total_minutes: float,
    no_send: bool,
    as_json: bool,
) -> None:
    """The whole daily job: pull, train what is due, predict, verify, report, export, notify."""
    from flows.support.own_prefect import choose_home, no_heartbeats
    from forecaster.timewindow import parse_day

    _check(settings)
    choose_home(settings.home)
    prefect_defaults()
    os.environ["QUAKECAST_HOME"] = str(Path(settings.home).resolve())
    day = parse_day(target_date) if target_date else None
    from flows.daily import daily

    with no_heartbeats():
        done: Any = daily(
            target_date=day,
            recipes=list(recipes) or None,
            train_mode=train_mode,
            max_minutes=max_minutes,
            max_epochs=max_epochs,
            total_minutes=total_minutes,
            send="nothing" if no_send else "everything",
        )
    without_forecast = {name: f"no forecast: {reason}" for name, reason in done.get("not_scoreable", {}).items()}
    reported = {*without_forecast, *done.get("out_of_time", [])}  # the latter among the problems
    untrained = {name: reason for name, reason in done.get("not_trained", {}).items() if name not in reported}
    lines = [
        f"{counted(done['forecasts'], 'forecast')}, state {done['state']}",
        *problem_lines(without_forecast),
        *problem_lines(untrained),
    ]
    print_result(as_json, done, "\n".join([*lines, *(f"report: {page}" for page in done["pages"])]))
    for problem in done["problems"]:
        complain(problem)
    if done["state"] != "success":
        sys.exit(PARTIAL)


@click.command(epilog=example("PREFECT_API_URL=http://127.0.0.1:4200/api quakecast deploy"))
@click.option(
    "--project",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="Folder in which runs work (default: this one).",
)
@click.option("--take-over", is_flag=True, help="Replace the schedules of another installation on this server.")
@json_option
@click.pass_obj
def deploy(settings: "Settings", project: Path, take_over: bool, as_json: bool) -> None:
    """Deploy the flows and their schedules to the Prefect server that PREFECT_API_URL names."""
    _check(settings)
    prefect_defaults()
    from flows.installation import claim_server
    from flows.support.deploying import deploy as step
    from forecaster.cli.data import migrated_text
    from forecaster.pipeline.recipes_in_use import recipes_in_use
    from forecaster.pipeline.run_context import migrate

    recipes = list(recipes_in_use(settings).values())
    claim_server(settings, take_over=take_over)
    names, coming = step(settings, recipes, project.resolve(), machine_clock().now())
    schema = migrated_text(*migrate(settings, machine_clock())) if settings.database.exists() else ""
    lines = [*(f"deployed {name}" for name in names), *([schema] if schema else []), "next runs:", *(f"  {run.text}" for run in coming)]
    rings = [{"deployment": run.deployment, "time_zone": run.time_zone, "at": run.at} for run in coming]
    text = "\n".join([*lines, "now start a worker: quakecast worker"])
    print_result(as_json, {"deployments": names, "schema": schema, "next_runs": rings}, text)


@click.command(epilog=example("quakecast worker --limit 4"))
@click.option("--limit", type=click.IntRange(min=1), help="Runs at once (default: no limit; a deployment never overlaps itself).")
@click.pass_obj
def worker(settings: "Settings", limit: int | None) -> None:
    """Execute the runs of the Prefect server on this machine, until stopped (Ctrl-C)."""
    _check(settings)
    prefect_defaults(quiet=False)
    from flows.installation import check_claim
    from flows.support.deploying import become_worker

    check_claim(settings)
    become_worker(settings, limit)
