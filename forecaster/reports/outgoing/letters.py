"""Rendered messages: a report or a short message in the form of each channel, ready to be sent."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from forecaster.errors import BadInput
from forecaster.installed import code_version
from forecaster.reports import map_files, templates
from forecaster.reports.content.contract import ReportData
from forecaster.reports.outgoing import chat, mails
from forecaster.reports.outgoing import slack_blocks as slack
from forecaster.reports.outgoing.message import Message, message_document
from forecaster.reports.render import environment
from forecaster.reports.texts import FALLBACK, languages, read_texts

logger = logging.getLogger(__name__)

MAX_PICTURE_BYTES = 600_000  # with base64 and the HTML, a mail of 1 MB


@dataclass(frozen=True)
class MailText:
    """A mail's subject, text part, HTML part, and its pictures by CID."""

    subject: str
    text: str
    html: str
    pictures: Mapping[str, bytes] = field(default_factory=dict)


class Letter(Protocol):
    """The interface of a rendered message: what the channels request of a report or a short message.

    `repeat`: the message may have been sent before, and the receiver has no id to recognise that; the text states it. `problems`: errors in
    the user's templates; the built-in ones were used.
    """

    problems: list[str]

    @property
    def subject_id(self) -> str: ...

    @property
    def thread_id(self) -> str | None: ...

    def mail(self) -> MailText: ...

    def document(self) -> dict[str, Any]:
        """Return the webhook's body."""

    def slack(self, repeat: bool) -> dict[str, Any]:
        """Return Slack's payload."""

    def chat(self, repeat: bool, room: chat.Room = chat.ROOMY) -> tuple[str, str]:
        """Return title and text, limited to the lengths that the service accepts."""


@dataclass
class ReportLetter:
    """The day's report, rendered. `link`: address of its page; `user_templates`: folder of the user's own templates."""

    data: ReportData
    language: str
    link: str | None = None
    user_templates: Path | None = None
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.language, self.user_templates = _usable(self.language, self.user_templates, self.problems)

    @property
    def subject_id(self) -> str:
        return self.data.report_id

    @property
    def thread_id(self) -> str | None:
        return None

    @cached_property
    def _mail(self) -> MailText:
        pictures: dict[str, bytes] = {}
        for name, picture in mails.email_pictures(self.data, self.language).items():
            if sum(map(len, pictures.values())) + len(picture) <= MAX_PICTURE_BYTES:
                pictures[name] = picture
        return MailText(*mails.render_email(self.data, self.language, self.link, self.user_templates, self.problems, pictures), pictures)

    def mail(self) -> MailText:
        return self._mail

    def document(self) -> dict[str, Any]:
        return _document(map_files.webhook_document(self.data, self.link), self)

    def slack(self, repeat: bool) -> dict[str, Any]:
        return slack.render_slack(self.data, self.language, self.link, self.user_templates, self.problems, repeat=repeat)

    def chat(self, repeat: bool, room: chat.Room = chat.ROOMY) -> tuple[str, str]:
        return chat.render_chat(self.data, self.language, self.link, self.user_templates, self.problems, repeat=repeat, room=room)


@dataclass
class MessageLetter:
    """A short message, rendered.

    `answered`: the message that it follows up on; in chats without threads the text names that message.
    """

    message: Message
    language: str
    user_templates: Path | None = None
    answered: Message | None = None
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.language, self.user_templates = _usable(self.language, self.user_templates, self.problems)

    @property
    def subject_id(self) -> str:
        return self.message.subject_id

    @property
    def thread_id(self) -> str | None:
        return self.message.thread_id

    def mail(self) -> MailText:
        return MailText(*mails.render_message(self.message, self.language, self.user_templates, self.problems, self.answered))

    def document(self) -> dict[str, Any]:
        return _document(message_document(self.message, code_version()), self)

    def slack(self, repeat: bool) -> dict[str, Any]:
        return slack.render_slack_message(self.message, self.language, self.user_templates, self.problems, self.answered, repeat=repeat)

    def chat(self, repeat: bool, room: chat.Room = chat.ROOMY) -> tuple[str, str]:
        return chat.render_chat_message(
            self.message, self.language, self.user_templates, self.problems, self.answered, repeat=repeat, room=room
        )


def _usable(language: str, user_templates: Path | None, problems: list[str]) -> tuple[str, Path | None]:
    """Return language and folder unchanged where their texts can be read.

    Otherwise the problem is reported and the folder is not used; where the language is unavailable, English is used.
    """
    try:
        read_texts(language, user_templates)
    except BadInput as error:
        usable = language if language in languages() else FALLBACK
        aside = f", and no template of {user_templates}" if user_templates else ""
        problems.append(f"{error}; messages use {usable}{aside}")
        logger.warning(problems[-1])
        return usable, None
    return language, user_templates


def _document(document: dict[str, Any], letter: "ReportLetter | MessageLetter") -> dict[str, Any]:
    """Return the document, checked by its schema and rendered by the webhook's template; a user's template may return any JSON object."""
    map_files.check_document("webhook.json", document)
    builtin = environment(letter.language, letter.user_templates)
    text = templates.fill(builtin, "webhook.json.j2", {"document": document}, letter.user_templates, letter.problems, _json_object)
    return _json_object(text)


def _json_object(text: str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("a webhook's body is a JSON object")
    return found
