"""A short message to people besides the day's report: an alert, its correction, or a system alert."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

MessageKind = Literal["alert", "correction", "operations"]
Severity = Literal["info", "warning", "critical"]
MESSAGE_VERSION = "quakecast.message/1"


@dataclass(frozen=True)
class Message:
    """The content of one message; the templates of each channel give it its form.

    Attributes:
        subject_id: deterministic id: the same message has the same id whenever it is made, and is sent once to each channel.
        title: one line; it is the subject of a mail and the heading elsewhere.
        lines: paragraphs of plain text, the most important first; markup would be shown as it is.
        created_at: when the message was decided on, aware UTC.
        thread_id: `subject_id` of the message (or id of the report) that this one answers. A follow-up goes to the same channels, in mail
            programs into the same thread, and is sent only after the message that it answers.
        channels: channels to send to, of `message_channels`; None is every channel that is set up, or those of its thread. A channel that
            is not set up is left out.
        facts: figures for programs (the webhook carries them unchanged): JSON values only.
        link: address of a page with more, or None.
        not_before: the message is held back until then (quiet hours); None: it is sent at once.
        expires_at: what is unsent by then is closed unsent, for example at the end of the window of an alert; None: never.
    """

    subject_id: str
    kind: MessageKind
    title: str
    lines: tuple[str, ...]
    created_at: datetime
    severity: Severity = "info"
    thread_id: str | None = None
    channels: tuple[str, ...] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    link: str | None = None
    not_before: datetime | None = None
    expires_at: datetime | None = None


def message_document(message: Message, code_version: str) -> dict[str, Any]:
    """Return the webhook's body of a message (webhook.schema.json)."""
    return {
        "version": MESSAGE_VERSION,
        "kind": message.kind,
        "message_id": message.subject_id,
        "thread_id": message.thread_id,
        "created_at": f"{message.created_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "severity": message.severity,
        "title": message.title,
        "lines": list(message.lines),
        "facts": dict(message.facts),
        "link": message.link,
        "code_version": code_version,
        "disclaimer": "Probabilities, not predictions, and no official warning.",
    }
