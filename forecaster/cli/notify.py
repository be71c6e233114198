"""Send the pending messages of the outbox, list it, preview messages, test delivery, send again."""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from forecaster.cli.common import PARTIAL, complain, example, json_option, look, machine_clock, open_job, print_result
from forecaster.errors import BadInput
from forecaster.registry.message_channels import CHANNELS

if TYPE_CHECKING:
    from forecaster.pipeline.messaging.previews import Preview
    from forecaster.settings import Settings


@click.command(epilog=example("quakecast notify --preview --channel email --open\n  quakecast notify --test\n  quakecast notify --dry-run"))
@click.option("--preview", is_flag=True, help="Show what the newest report and messages look like in each channel, configured or not.")
@click.option("--test", "trial", is_flag=True, help="Send a test message to all configured recipients, at once; nothing is stored.")
@click.option("--dry-run", is_flag=True, help="List what is due now and for whom, or why nothing is; nothing is sent or stored.")
@click.option("--list", "listed", is_flag=True, help="List the newest messages and whether each was delivered.")
@click.option(
    "--resend",
    is_flag=False,
    flag_value="",
    metavar="[ID]",
    help="Send again: the delivery, report or message with this id; without one, the dead letters that are not out of date.",
)
@click.option(
    "--channel", "channels", multiple=True, type=click.Choice(list(CHANNELS)), help="With --preview or --test: this channel only."
)
@click.option("--open", "opened", is_flag=True, help="With --preview: write it as files into a new folder, and open them in a browser.")
@click.option("--no-report", is_flag=True, help="Alerts and other messages only; the report waits.")
@json_option
@click.pass_obj
def notify(
    settings: "Settings",
    preview: bool,
    trial: bool,
    dry_run: bool,
    listed: bool,
    resend: str | None,
    channels: tuple[str, ...],
    opened: bool,
    no_report: bool,
    as_json: bool,
) -> None:
    """Send the newest report and every message that is due to all configured recipients; each message once."""
    asked = {"--preview": preview, "--test": trial, "--dry-run": dry_run, "--list": listed, "--resend": resend is not None}
    if sum(asked.values()) > 1:
        raise BadInput(f"{' and '.join(name for name, given in asked.items() if given)} are different things; ask for one at a time")
    if channels and not (preview or trial):
        raise BadInput("--channel goes with --preview or --test; messages that are due go to all channels")
    if opened and not preview:
        raise BadInput("--open goes with --preview")
    if preview:
        _preview(settings, channels, opened, as_json)
    elif trial:
        _trial(settings, channels, as_json)
    else:
        _outbox(settings, dry_run, listed, resend, not no_report, as_json)


def _outbox(settings: "Settings", dry_run: bool, listed: bool, resend: str | None, report: bool, as_json: bool) -> None:
    from forecaster.pipeline.messaging import deliver
    from forecaster.pipeline.messaging.channel_check import check_channels

    if not listed:
        check_channels(settings)
    job = look(settings) if listed or dry_run else open_job(settings)
    if listed:
        rows = deliver.list_deliveries(job)
        print_result(as_json, {"deliveries": rows}, "\n".join(map(_line, rows)) or "no message has been sent or planned yet")
        return
    again = resend is not None
    result = deliver.resend(job, resend or None) if again else deliver.notify(job, report=report, dry_run=dry_run)
    print_result(as_json, {"deliveries": result.rows, "failed": result.failed, "text": result.text}, result.text)
    _complain(result.failed)


def _preview(settings: "Settings", channels: tuple[str, ...], opened: bool, as_json: bool) -> None:
    import webbrowser

    from forecaster.pipeline.messaging.previews import previews

    made, problems = previews(look(settings), channels)
    if opened:
        folder, files = _written(made)
        print_result(as_json, {"files": files}, "\n".join(map(str, files)))
        shown = [file for file in files if file.suffix == ".html"] or files
        if not all(webbrowser.open(file.as_uri()) for file in shown):
            click.echo(f"no browser could be opened here: look at the files in {folder}", err=True)
    else:
        print_result(
            as_json, {"previews": [vars(each) for each in made]}, "\n\n".join(f"{_heading(each)}\n{each.text.rstrip()}" for each in made)
        )
    _complain(problems)


def _heading(each: "Preview") -> str:
    whom = f"would be sent to {', '.join(each.recipients)}" if each.recipients else "not configured: nobody would get it"
    return f"--- {each.subject} by {each.channel}, {whom}: {each.title}"


def _written(made: list["Preview"]) -> tuple[Path, list[Path]]:
    """Write the previews as files of a new folder of the system's temporary one: a mail's HTML and text, JSON, text."""
    from forecaster.notify.channels.channel import channel_named

    folder = Path(tempfile.mkdtemp(prefix="quakecast-preview-"))
    files = []
    for each in made:
        texts = {channel_named(each.channel).ending: each.text} | ({"html": each.html} if each.html else {})
        for ending, text in texts.items():
            files.append(folder / f"{each.subject}-{each.channel}.{ending}")
            files[-1].write_text(text, encoding="utf-8")
    return folder, files


def _trial(settings: "Settings", channels: tuple[str, ...], as_json: bool) -> None:
    from forecaster.pipeline.messaging.channel_check import check_channels
    from forecaster.pipeline.messaging.trial_message import send_trial

    check_channels(settings)
    tried = send_trial(settings, machine_clock(), channels)
    print_result(as_json, {"tried": [each.document() for each in tried]}, "\n".join(each.line() for each in tried))
    if any(each.error for each in tried):
        sys.exit(PARTIAL)


def _complain(problems: list[str]) -> None:
    for problem in problems:
        complain(problem)
    if problems:
        sys.exit(PARTIAL)


def _line(row: Mapping[str, Any]) -> str:
    when = row["sent_at"] or row["next_try_at"] or row["created_at"]
    head = f"{row['delivery_id'][:12]}  {row['state']:8} {when:%Y-%m-%d %H:%M}Z  {row['subject_kind']:10} "
    head += f"{row['channel']} to {row['recipient']}"
    tries = f" ({row['attempts']} tries)" if row["attempts"] > 1 else ""
    return f"{head}{tries}{': ' + row['last_error'] if row['last_error'] else ''}"


COMMANDS = (notify,)
