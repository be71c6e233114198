"""What the channels would be sent, to look at before anybody is set up: the newest report and the newest message of
each kind, in each channel's shape."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass

from forecaster.errors import BadInput
from forecaster.pipeline.messaging.senders import CHANNELS, recipients, room_of
from forecaster.pipeline.messaging.sending import Letters, NoDocument
from forecaster.pipeline.run_context import Job
from forecaster.reports.outgoing.chat import ROOMY, Room
from forecaster.reports.outgoing.letters import Letter
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
    """(what each of `channels` would be sent, all where none is named; what cannot be shown, or is wrong with templates of one's own).

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
            room = room_of(reached[0]) if reached and channel == "apprise" else ROOMY
            made.append(Preview(channel, kind, *_shape(letter, channel, room), tuple(each.label for each in reached)))
    return made, [*problems, *letters.problems]


def _shape(letter: Letter, channel: str, room: Room) -> tuple[str, str, str | None]:
    """(title, text, HTML) of a letter in one channel."""
    if channel == "email":
        said = letter.mail()
        page = said.html
        for cid, picture in said.pictures.items():
            page = page.replace(f"cid:{cid}", f"data:image/png;base64,{base64.b64encode(picture).decode()}")
        return said.subject, said.text, page
    if channel == "apprise":
        title, text = letter.chat(False, room)
        return title, f"{title}\n\n{text}", None
    document = letter.slack(False) if channel == "slack" else letter.document()
    return document.get("text", document.get("version", "")), json.dumps(document, ensure_ascii=False, indent=2), None
