"""E-mail over SMTP: what a mail is made of, and how it is handed over.

What will not get better by itself raises DeliveryRefused (do not retry), what may raises DeliveryFailed (retry later). Messages and
logs name the server, never a password or an address.
"""

import hashlib
import logging
import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Literal

from pydantic import SecretStr

from forecaster.errors import DeliveryFailed, DeliveryRefused
from forecaster.notify.addresses import is_loopback_name

logger = logging.getLogger(__name__)

TIMEOUT_S = 15.0


@dataclass(frozen=True)
class MailSettings:
    """Where mail goes out. `ca_file` names further trusted certificates, for a server of one's own."""

    smtp_host: str
    mail_from: str
    mail_to: tuple[str, ...]
    smtp_port: int = 587
    smtp_security: Literal["none", "starttls", "tls"] = "starttls"
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    ca_file: str | None = None
    timeout_s: float = TIMEOUT_S


def message_id(report_id: str, mail_from: str) -> str:
    """The same report has the same Message-ID whenever it is sent: mail programs then show it once."""
    domain = parseaddr(mail_from)[1].rpartition("@")[2] or "quakecast.invalid"
    return f"<{hashlib.sha256(report_id.encode()).hexdigest()[:32]}@{domain}>"


def build_message(
    report_id: str, subject: str, text: str, html: str, pictures: Mapping[str, bytes], settings: MailSettings, now: datetime
) -> EmailMessage:
    """A mail with a text part and an HTML part whose PNG pictures (CID -> bytes) travel with it.

    Raises:
        DeliveryRefused: an address or the subject that cannot be a mail header.
    """
    message = EmailMessage()
    try:
        message["Subject"] = subject
        message["From"] = settings.mail_from
        message["To"] = ", ".join(settings.mail_to)
    except ValueError as error:
        raise DeliveryRefused(f"subject, mail_from or mail_to cannot be a mail header: {error}; check these settings") from None
    message["Date"] = format_datetime(now.astimezone(UTC))
    message["Message-ID"] = message_id(report_id, settings.mail_from)
    message["Auto-Submitted"] = "auto-generated"
    message["X-Quakecast-Report"] = hashlib.sha256(report_id.encode()).hexdigest()
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    page = message.get_payload()[1]  # type: ignore[index]
    for cid, picture in pictures.items():
        page.add_related(picture, "image", "png", cid=f"<{cid}>", filename=f"{cid}.png", disposition="inline")  # type: ignore[union-attr]
    return message


def send_email(message: EmailMessage, settings: MailSettings) -> tuple[str, ...]:
    """Hand `message` to the server; the recipients that it refused while it took others are returned (and logged by number).

    Raises:
        DeliveryRefused: the server says no for good (5xx), does not offer STARTTLS, or a password would travel unencrypted.
        DeliveryFailed: greylisting and other 4xx, no connection, time-out.
    """
    where = f"SMTP server {settings.smtp_host}:{settings.smtp_port}"
    if not settings.mail_to or not settings.mail_from:
        raise DeliveryRefused("no mail sent: mail_from and mail_to must both be set")
    if settings.smtp_security == "none" and settings.smtp_username and not is_loopback_name(settings.smtp_host):
        raise DeliveryRefused(f"{where}: the password would travel unencrypted; set smtp_security to starttls or tls")
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        with _connect(settings, context) as server:
            if settings.smtp_security == "starttls":
                server.starttls(context=context)
            if settings.smtp_username:
                password = settings.smtp_password.get_secret_value() if settings.smtp_password else ""
                server.login(settings.smtp_username, password)
            refused = server.send_message(message, settings.mail_from, list(settings.mail_to))
    except smtplib.SMTPRecipientsRefused as error:
        codes = sorted({code for code, _ in error.recipients.values()})
        raise _mail_error(max(codes), f"{where} refused all {len(error.recipients)} recipients ({', '.join(map(str, codes))})") from None
    except smtplib.SMTPAuthenticationError as error:
        raise _mail_error(error.smtp_code, f"{where} refused the login ({error.smtp_code}); check user name and password") from None
    except smtplib.SMTPResponseException as error:
        raise _mail_error(error.smtp_code, f"{where} answered {error.smtp_code}: {_line(error.smtp_error)}") from None
    except smtplib.SMTPNotSupportedError as error:
        raise DeliveryRefused(f"{where} does not offer what smtp_security or the login needs ({error}); check smtp_security") from None
    except ssl.SSLCertVerificationError as error:
        raise DeliveryRefused(f"{where}: its certificate cannot be trusted ({error.verify_message}); check smtp_host") from None
    except (OSError, smtplib.SMTPException) as error:
        raise DeliveryFailed(f"{where} could not be reached or broke off ({type(error).__name__}); will be tried again") from None
    if refused:
        logger.warning("%s refused %d of %d recipients", where, len(refused), len(settings.mail_to))
    return tuple(refused)


def _connect(settings: MailSettings, context: ssl.SSLContext) -> smtplib.SMTP:
    if settings.smtp_security == "tls":
        return smtplib.SMTP_SSL(settings.smtp_host, settings.smtp_port, timeout=settings.timeout_s, context=context)
    return smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=settings.timeout_s)


def _mail_error(code: int, message: str) -> DeliveryRefused | DeliveryFailed:
    return DeliveryRefused(message) if code >= 500 else DeliveryFailed(f"{message}; will be tried again")


def _line(answer: bytes | str) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return " ".join(text.split())[:200]
