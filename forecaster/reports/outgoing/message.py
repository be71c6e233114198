"""A short message to people that is not the day's report: an alert, its correction, or a word about the machine's operation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

MessageKind = Literal["alert", "correction", "operations"]
Severity = Literal["info", "warning", "critical"]
MESSAGE_VERSION = "quakecast.message/1"


@dataclass(frozen=True)
class Message:
    """What one message says, in the words that people read; the templates of each channel give it its shape.

    Attributes:
        subject_id: deterministic id: the same message has the same id whenever it is made, and is sent once to each channel.
        title: one line; it is the subject of a mail and the heading elsewhere.
        lines: paragraphs of plain text, the most important first; no markup, it would be shown as it is.
        created_at: when it was decided, aware UTC.
        thread_id: `subject_id` of the message (or id of the report) that this one answers: a follow-up goes to the same channels, and in
            mail programs into the same thread. It waits for what it answers.
        channels: where it goes, of `message_channels`; None is every channel that is set up, or those of its thread. A
            channel that is not set up is left out.
        facts: figures for machines (the webhook carries them as they are): JSON values only.
        link: address of a page with more, or None.
        not_before: it is held back until then (quiet hours); None: at once.
        expires_at: what has not been sent by then is closed unsent, as the end of the window that an alert speaks of; None: never.
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
    """What the webhook carries of a message (webhook.schema.json)."""
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
