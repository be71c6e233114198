"""A report or a short message in the shape of each channel: what is sent, ready to be handed over."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from forecaster.reports import export, mails
from forecaster.reports.contract import ReportData
from forecaster.reports.message import Message, message_document
from forecaster.settings import code_version

MOST_PICTURE_BYTES = 600_000  # a mail of 1 MB with its pictures in base64 and the HTML


@dataclass(frozen=True)
class MailText:
    """Subject, text part, HTML part, and its pictures by CID."""

    subject: str
    text: str
    html: str
    pictures: Mapping[str, bytes] = field(default_factory=dict)


class Letter(Protocol):
    """What a channel asks of a report or message. `problems`: what was wrong with the user's templates; the built-in ones were used."""

    problems: list[str]

    @property
    def subject_id(self) -> str: ...

    @property
    def thread_id(self) -> str | None: ...

    def mail(self) -> MailText: ...

    def document(self) -> dict[str, Any]: ...


@dataclass
class ReportLetter:
    """The day's report. `link`: where its page lies; `user_templates`: the folder of the user's own."""

    data: ReportData
    language: str
    link: str | None = None
    user_templates: Path | None = None
    problems: list[str] = field(default_factory=list)

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
            if sum(map(len, pictures.values())) + len(picture) <= MOST_PICTURE_BYTES:
                pictures[name] = picture
        return MailText(*mails.render_email(self.data, self.language, self.link, self.user_templates, self.problems, pictures), pictures)

    def mail(self) -> MailText:
        return self._mail

    def document(self) -> dict[str, Any]:
        return _checked(export.webhook_document(self.data, self.link))


@dataclass
class MessageLetter:
    """A short message."""

    message: Message
    language: str
    user_templates: Path | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def subject_id(self) -> str:
        return self.message.subject_id

    @property
    def thread_id(self) -> str | None:
        return self.message.thread_id

    def mail(self) -> MailText:
        return MailText(*mails.render_message(self.message, self.language, self.user_templates, self.problems))

    def document(self) -> dict[str, Any]:
        return _checked(message_document(self.message, code_version()))


def _checked(document: dict[str, Any]) -> dict[str, Any]:
    export.check_document("webhook.json", document)
    return document
