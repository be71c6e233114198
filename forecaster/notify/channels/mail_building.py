"""Building a mail: headers and parts that every relay transports and every mail program decodes to the original."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Literal
from urllib.parse import quote

from pydantic import SecretStr

from forecaster.errors import DeliveryRefused
from forecaster.notify.channels.mail_headers import header_registry

TIMEOUT_S = 15.0


@dataclass(frozen=True)
class MailSettings:
    """Settings of outgoing mail. `mail_unsubscribe`: mailto: and https addresses; `ca_file` names further trusted certificates."""

    smtp_host: str
    mail_from: str
    smtp_port: int = 587
    smtp_security: Literal["none", "starttls", "tls"] = "starttls"
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    mail_unsubscribe: tuple[str, ...] = ()
    ca_file: str | None = None
    timeout_s: float = TIMEOUT_S


@dataclass(frozen=True)
class Mail:
    """The content of a mail. `pictures`: CID -> PNG; `thread_id`: `subject_id` of the mail that this one answers."""

    subject_id: str
    subject: str
    text: str
    html: str
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    thread_id: str | None = None


def message_id(subject_id: str, mail_from: str) -> str:
    """Return the Message-ID. It is the same whenever the same report or message is sent: mail programs then show it once."""
    return f"<{hashlib.sha256(subject_id.encode()).hexdigest()[:32]}@{_domain(mail_from)}>"


def build_message(mail: Mail, to: str, settings: MailSettings, now: datetime) -> EmailMessage:
    """Build a mail to one recipient: a text part, and an HTML part with its embedded pictures.

    A follow-up names the mail that it answers in References, and has its own subject. List-Unsubscribe is always there (RFC 2369); with an
    https address also the one-click form (RFC 8058). `{recipient}` in an address is replaced by the recipient's.

    Raises:
        DeliveryRefused: an address or the subject cannot be a mail header.
    """
    message = EmailMessage(policy=_POLICY)
    try:
        message["Subject"] = mail.subject
        message["From"] = settings.mail_from
        message["To"] = to
        ways = [way.replace("{recipient}", quote(parseaddr(to)[1], safe="")) for way in _unsubscribe(settings)]
        message["List-Unsubscribe"] = ", ".join(f"<{way}>" for way in ways)
        message["List-Id"] = f"quakecast <quakecast.{_domain(settings.mail_from)}>"
    except ValueError as error:
        raise DeliveryRefused(
            f"subject, mail_from, mail_to or mail_unsubscribe cannot be a mail header: {error}; check these settings"
        ) from None
    if any(way.startswith("https://") for way in ways):
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message["Date"] = format_datetime(now.astimezone(UTC))
    message["Message-ID"] = message_id(mail.subject_id, settings.mail_from)
    if mail.thread_id:
        message["In-Reply-To"] = message["References"] = message_id(mail.thread_id, settings.mail_from)
    message["Auto-Submitted"] = "auto-generated"
    message["X-Quakecast-Id"] = hashlib.sha256(mail.subject_id.encode()).hexdigest()
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    page = message.get_payload()[1]  # type: ignore[index]
    for cid, picture in mail.pictures.items():
        page.add_related(picture, "image", "png", cid=f"<{cid}>", filename=f"{cid}.png", disposition="inline")  # type: ignore[union-attr]
    return message


def _domain(mail_from: str) -> str:
    return parseaddr(mail_from)[1].rpartition("@")[2] or "quakecast.invalid"


def _unsubscribe(settings: MailSettings) -> tuple[str, ...]:
    return settings.mail_unsubscribe or (f"mailto:{parseaddr(settings.mail_from)[1]}?subject=unsubscribe",)


# 7bit: no part needs a server that offers 8BITMIME, and no line is longer than a server accepts
_POLICY = policy.default.clone(header_factory=header_registry(), cte_type="7bit")
