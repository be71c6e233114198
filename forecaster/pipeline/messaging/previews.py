"""Previews of what the channels would send, before any recipient is configured: the newest report and the newest message of each kind."""

from collections.abc import Sequence
from dataclasses import dataclass

from forecaster.errors import BadInput
from forecaster.notify.channels.channel import channel_named
from forecaster.pipeline.messaging.senders import recipients
from forecaster.pipeline.messaging.sending import Letters, NoDocument
from forecaster.pipeline.run_context import Job
from forecaster.registry.message_channels import CHANNELS
from forecaster.store import deliveries


@dataclass(frozen=True)
class Preview:
    """One report or message as one channel sends it.

    Attributes:
        subject: "report" or the message's kind.
        text: what a terminal can show: the mail's text part, the chat's title and text, the JSON that Slack or the webhook is sent.
        html: the mail's HTML part with its pictures inside; None for other channels.
        recipients: labels of who would get it; empty where the channel is not set up.
    """

    channel: str
    subject: str
    title: str
    text: str
    html: str | None
    recipients: tuple[str, ...]


def previews(job: Job, channels: Sequence[str] = ()) -> tuple[list[Preview], list[str]]:
    """Return previews for `channels` (all where none is named), and what cannot be shown or is wrong with the user's own templates.

    Raises:
        BadInput: no report and no message has been written yet.
    """
    with job.store.transaction() as connection:
        newest, subjects = deliveries.newest_report(connection), deliveries.newest_messages(connection)
    if newest:
        subjects = [("report", newest["report_id"]), *subjects]
    if not subjects:
        raise BadInput("there is no report or message to show yet; write a report with `quakecast report`")
    to, letters = recipients(job.settings), Letters(job)
    made: list[Preview] = []
    problems: list[str] = []
    for kind, subject_id in subjects:
        try:
            letter = letters.of_subject(kind, subject_id)
        except NoDocument as error:
            problems.append(str(error))
            continue
        for channel in channels or CHANNELS:
            reached = [each for each in to if each.channel == channel]
            shape = channel_named(channel)
            shown = shape.preview(shape.render(letter, reached[0] if reached else None))
            made.append(Preview(channel, kind, shown.title, shown.text, shown.html, tuple(each.label for each in reached)))
    return made, [*problems, *letters.problems]
