"""Send what waits in the outbox, look into it, send again."""

import sys

import click

from forecaster.cli.common import PARTIAL, complain, example, json_option, look, open_job, tell
from forecaster.errors import BadInput
from forecaster.settings import Settings


@click.command(epilog=example("quakecast notify --dry-run"))
@click.option("--dry-run", is_flag=True, help="Show what would be sent, and that it can be made; nothing is sent or stored.")
@click.option("--list", "listed", is_flag=True, help="Show the newest messages and what became of each.")
@click.option(
    "--resend",
    is_flag=False,
    flag_value="",
    metavar="[ID]",
    help="Send again: the delivery, report or message with this id; without one, the dead letters that are not out of date.",
)
@click.option("--no-report", is_flag=True, help="Alerts and other messages only; the report waits.")
@json_option
@click.pass_obj
def notify(settings: Settings, dry_run: bool, listed: bool, resend: str | None, no_report: bool, as_json: bool) -> None:
    """Send the newest report and every message that is due to everybody who is set up; each message once."""
    from forecaster.pipeline import messages
    from forecaster.pipeline.channels import check_channels

    if sum((dry_run, listed, resend is not None)) > 1:
        raise BadInput("--dry-run, --list and --resend are three things; ask for one at a time")
    if not listed:
        check_channels(settings)
    job = look(settings) if listed or dry_run else open_job(settings)
    if listed:
        rows = messages.list_deliveries(job)
        tell(as_json, {"deliveries": rows}, "\n".join(map(_line, rows)) or "no message has been sent or planned yet")
        return
    again = resend is not None
    result = messages.resend(job, resend or None) if again else messages.notify(job, report=not no_report, dry_run=dry_run)
    tell(as_json, {"deliveries": result.rows, "failed": result.failed}, result.text)
    for failure in result.failed:
        complain(failure)
    if result.failed:
        sys.exit(PARTIAL)


def _line(row: dict) -> str:
    when = row["sent_at"] or row["next_try_at"] or row["created_at"]
    head = f"{row['delivery_id'][:12]}  {row['state']:8} {when:%Y-%m-%d %H:%M}Z  {row['subject_kind']:10} "
    head += f"{row['channel']} to {row['recipient']}"
    tries = f" ({row['attempts']} tries)" if row["attempts"] > 1 else ""
    return f"{head}{tries}{': ' + row['last_error'] if row['last_error'] else ''}"


COMMANDS = (notify,)
