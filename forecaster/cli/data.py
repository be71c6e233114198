"""What there is, for people and other programs: files, the page server, questions to the database, the state of things."""

import sys
from pathlib import Path

import click

from forecaster.cli import common
from forecaster.cli.common import PARTIAL, example, json_option, open_job, recipe_options, tell
from forecaster.settings import Settings


@click.command(epilog=example("quakecast export --out public"))
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write to (default: HOME/out).")
@recipe_options
@click.pass_obj
def export(settings: Settings, out, recipes, everything) -> None:
    """Write the map UI's JSON files: predictions, summary, validations, details."""
    from forecaster.pipeline.export import export as step

    job = open_job(settings, recipes)
    for path in step(job, out or settings.output):
        click.echo(path)


@click.command(epilog=example("quakecast serve --port 8000"))
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


@click.command(epilog=example('quakecast sql "SELECT count(*) FROM event WHERE magnitude >= 7"'))
@click.argument("statement")
@json_option
@click.pass_obj
def sql(settings: Settings, statement, as_json) -> None:
    """Ask the published copy of the database; also while a run writes."""
    from forecaster.store.database import query

    frame = query(settings.published, statement)
    click.echo(frame.to_json(orient="records", date_format="iso") if as_json else frame.to_string(index=False))


@click.command(epilog=example("quakecast status --json"))
@json_option
@click.pass_obj
def status(settings: Settings, as_json) -> None:
    """How old the data are, what ran last, what was said last. Reads the published copy."""
    from forecaster.pipeline.status import status_document, status_text

    document = status_document(settings, common.machine_clock())
    tell(as_json, document, status_text(document))
    if document["state"] != "ok":
        sys.exit(PARTIAL)


COMMANDS = (export, serve, sql, status)
