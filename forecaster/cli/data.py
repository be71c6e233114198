"""Data for people and other programs: files, the page server, queries of the database, the status."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from forecaster.cli import common
from forecaster.cli.common import PARTIAL, example, json_option, look, print_result, recipe_options
from forecaster.errors import BadInput

if TYPE_CHECKING:
    from forecaster.settings import Settings


@click.command(epilog=example("quakecast export --out public\n  quakecast export --parquet /mnt/shared/quakecast"))
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write to (default: HOME/out).")
@click.option("--parquet", type=click.Path(path_type=Path), help="Folder for all tables of the published copy as Parquet, for workers.")
@recipe_options
@click.pass_obj
def export(settings: "Settings", out: Path | None, parquet: Path | None, recipes: tuple[str, ...], everything: bool) -> None:
    """Write the map UI's JSON files: predictions, summary, validations, details; or, with --parquet, all tables for workers to read."""
    if parquet is not None:
        from forecaster.store.sharing.parquet import export_tables
        from forecaster.store.sharing.read_only_store import PublishedCopy

        made = export_tables(PublishedCopy(settings.published), parquet)
        click.echo(f"{made.folder / made.version}: {len(made.tables)} tables, {sum(made.tables.values())} rows")
    if parquet is None or out is not None:
        from forecaster.pipeline.daily.export_map_files import export as step

        for path in step(look(settings, recipes), out or settings.output):
            click.echo(path)


@click.command(epilog=example("quakecast serve --port 8000"))
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535))
@click.pass_obj
def serve(settings: "Settings", host: str, port: int) -> None:
    """Show the output folder (reports, JSON files) in a browser; on this machine only unless --host says otherwise."""
    from forecaster.reports.web.serve import make_server

    with make_server(settings.output, host, port, settings.language, settings.templates) as server:
        click.echo(f"http://{host}:{server.server_address[1]}/ (Ctrl-C ends it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("ended")


@click.command(epilog=example('quakecast sql "SELECT * FROM v_skill"\n  quakecast sql --describe\n  quakecast sql --describe v_skill'))
@click.argument("statement", required=False)
@click.option("--describe", is_flag=True, help="List views and tables, or the columns of the one that is named, and what they mean.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV: all rows, all of every value.")
@json_option
@click.pass_obj
def sql(settings: "Settings", statement: str | None, describe: bool, as_csv: bool, as_json: bool) -> None:
    """Ask the published copy of the database; also while a run writes. Times are UTC. See docs/QUERIES.md."""
    from forecaster.cli import query_output

    if describe:
        answer = query_output.describe(settings.published, statement)
    elif statement is None:
        raise BadInput('no query; write one such as "SELECT * FROM v_skill", or --describe to see what there is')
    else:
        answer = query_output.ask(settings.published, statement)
    width = query_output.terminal_width(sys.stdout)
    left_out = 0
    if as_json:
        text = query_output.json_text(answer)
    elif as_csv:
        text = query_output.csv_text(answer).rstrip("\n")
    elif describe:
        text = query_output.listing_text(answer, width)
    else:
        text, left_out = query_output.table_text(answer, width)
    click.echo(text)
    if left_out:
        click.echo(f"... {left_out:,} more rows: --csv prints all of them, LIMIT asks for fewer", err=True)


@click.command(epilog=example("quakecast status --json\n  quakecast status --check"))
@click.option("--check", is_flag=True, help="One line for a monitor; exit code 0: OK, 1: warning, 2: critical.")
@json_option
@click.pass_obj
def status(settings: "Settings", check: bool, as_json: bool) -> None:
    """Show the age of the data, the last runs and the last forecasts. Reads the published copy."""
    if check:
        from forecaster.pipeline.monitor import look

        found = look(settings, common.machine_clock())
        print_result(as_json, found.document(), found.line())
        sys.exit(found.level)
    from forecaster.pipeline.status import status_document, status_text

    document = status_document(settings, common.machine_clock())
    print_result(as_json, document, status_text(document))
    if document["state"] != "ok":
        sys.exit(PARTIAL)


@click.command(epilog=example("quakecast migrate"))
@json_option
@click.pass_obj
def migrate(settings: "Settings", as_json: bool) -> None:
    """Bring the database to the schema of this version, and publish it. Take a backup first: there is no way back.

    Commands that write do so by themselves; those that only look ask for it.
    """
    from forecaster.pipeline.run_context import migrate as step

    before, after = step(settings, common.machine_clock())
    print_result(as_json, {"schema_before": before, "schema": after}, migrated_text(before, after))


@click.command(epilog=example("quakecast tidy --dry-run"))
@click.option("--dry-run", is_flag=True, help="Only list what would be removed.")
@json_option
@click.pass_obj
def tidy(settings: "Settings", dry_run: bool, as_json: bool) -> None:
    """Remove what is older than QUAKECAST_KEEP_PAGES_DAYS, QUAKECAST_KEEP_DETAILS_DAYS and QUAKECAST_KEEP_WORLD_DAYS say.

    The daily job does so after each run. Forecasts, outcomes, scores, alerts and the catalogue stay for ever. Old runs on the Prefect
    server (QUAKECAST_KEEP_RUNS_DAYS) are removed by the daily flow alone.
    """
    from forecaster.pipeline.run_context import publish_copy
    from forecaster.pipeline.tidy import tidy as step
    from forecaster.pipeline.tidy import words

    job = look(settings) if dry_run else common.open_job(settings)
    found = step(job, dry_run=dry_run)
    if any(found.rows.values()) and not dry_run:
        publish_copy(job)
    named = [f"  {name}" for names in found.files.values() for name in names] if dry_run else []
    summary = words(found) if found.nothing else f"{'would remove' if dry_run else 'removed'}: {words(found)}"
    print_result(as_json, vars(found), "\n".join([summary, *named]))


def migrated_text(before: int, after: int) -> str:
    """Return the consequences of a schema change for people who work with it."""
    if before == after:
        return f"the database has schema {after}: nothing to do"
    return f"the database had schema {before} and has {after} now; restart the workers: an older quakecast refuses it"


COMMANDS = (export, serve, sql, status, migrate, tidy)
