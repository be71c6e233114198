"""E-mail over SMTP and signed webhooks over HTTP: the adapters that talk to other people's servers.

What will not get better by itself raises DeliveryRefused (do not retry), what may raises DeliveryFailed (retry later). Messages and
logs name the server, never a password, a secret or the rest of an address. Time is an argument.
"""

import hashlib
import ipaddress
import json
import logging
import smtplib
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Any, Literal
from urllib.parse import urlsplit

import requests
from pydantic import SecretStr
from requests.adapters import HTTPAdapter
from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError
from urllib3.connection import HTTPConnection, HTTPSConnection

from forecaster.errors import DeliveryFailed, DeliveryRefused

logger = logging.getLogger(__name__)

TIMEOUT_S = 15.0
RETRYABLE = frozenset({408, 425, 429})  # and every 5xx
METADATA_ADDRESSES = frozenset({"100.100.100.200", "168.63.129.16", "fd00:ec2::254", "192.0.0.192"})  # cloud services' own
NAT64 = ipaddress.ip_network("64:ff9b::/96")


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


@dataclass(frozen=True)
class WebhookSettings:
    """Where the webhook goes and the secret (whsec_... or base64) that signs it. Loopback and private addresses need the permission."""

    webhook_url: SecretStr
    webhook_secret: SecretStr
    webhook_allow_private: bool = False
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
    if settings.smtp_security == "none" and settings.smtp_username and not _is_loopback_name(settings.smtp_host):
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


def _is_loopback_name(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def send_webhook(document: Mapping[str, Any], delivery_id: str, settings: WebhookSettings, now: datetime) -> int:
    """POST `document` as JSON, signed by the Standard Webhooks scheme; the status (2xx) is returned.

    Headers webhook-id (= `delivery_id`: the receiver may drop what it has seen), webhook-timestamp (`now`), webhook-signature.
    Redirects are not followed, proxies and netrc not used, the answer's body is not read.

    Raises:
        DeliveryRefused: 410 and other 4xx, a redirect, a forbidden address, a bad URL or secret.
        DeliveryFailed: 408, 425, 429, 5xx, time-out, no connection.
    """
    url = settings.webhook_url.get_secret_value()
    where = f"webhook {recipient_label(url)}"
    _check_address(url, where, settings.webhook_allow_private)
    body = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "quakecast",
        "webhook-id": delivery_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": _sign(body, delivery_id, settings, now, where),
    }
    with requests.Session() as session:
        session.trust_env = False
        for scheme in ("http://", "https://"):
            session.mount(scheme, _PeerCheckingAdapter(settings.webhook_allow_private))
        try:
            with session.post(
                url, data=body.encode(), headers=headers, timeout=settings.timeout_s, allow_redirects=False, stream=True
            ) as answer:
                status = answer.status_code
        except requests.exceptions.SSLError:
            raise DeliveryRefused(f"{where}: its certificate cannot be trusted; check webhook_url") from None
        except requests.exceptions.RequestException as error:
            raise DeliveryFailed(f"{where} could not be reached or broke off ({type(error).__name__}); will be tried again") from None
    if 200 <= status < 300:
        return status
    if status in RETRYABLE or status >= 500:
        raise DeliveryFailed(f"{where} answered {status}; will be tried again")
    what = "a redirect, which is not followed" if 300 <= status < 400 else "a refusal"
    raise DeliveryRefused(f"{where} answered {status}, {what}; check webhook_url")


def recipient_label(url: str) -> str:
    """Scheme, host and port of a URL: the rest may hold a secret and is never stored or logged."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(not a URL)"
    return f"{parts.scheme}://{parts.hostname}{port}" if parts.hostname else "(not a URL)"


def is_forbidden(address: str, allow_private: bool) -> bool:
    """Whether a webhook must not go to this IP address: link-local, metadata, multicast; unless allowed, loopback and private."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_forbidden(str(ip.ipv4_mapped), allow_private)
        if ip in NAT64:
            return is_forbidden(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)), allow_private)
        if ip.sixtofour is not None or ip.teredo is not None:
            return True
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified or str(ip) in METADATA_ADDRESSES:
        return True
    return not (ip.is_global or allow_private)


def _sign(body: str, delivery_id: str, settings: WebhookSettings, now: datetime, where: str) -> str:
    try:
        return Webhook(settings.webhook_secret.get_secret_value()).sign(delivery_id, now.astimezone(UTC), body)
    except (ValueError, EmptyWebhookSecretError):
        raise DeliveryRefused(f"{where}: webhook_secret cannot sign; it must be whsec_ and base64, and not empty") from None


def _check_address(url: str, where: str, allow_private: bool) -> None:
    """Refuses before anything is connected; what a name resolves to later is checked again on the open connection."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        host, port = None, 0
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        raise DeliveryRefused("webhook_url is not an http(s) address; write it as https://host/path")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise DeliveryFailed(f"{where}: the name does not resolve; will be tried again") from None
    if any(is_forbidden(str(item[4][0]), allow_private) for item in found):
        raise DeliveryRefused(
            f"{where} leads to an address that webhooks must not reach (link-local, metadata, or private without {_PERMIT})"
        )


_PERMIT = "webhook_allow_private"


class _PeerChecked:
    """Mixed into urllib3's connections: the peer's address is looked at before a byte is sent, whatever the name resolved to by then."""

    allow_private = False

    def _new_conn(self) -> socket.socket:
        connection: socket.socket = super()._new_conn()  # type: ignore[misc]
        if is_forbidden(str(connection.getpeername()[0]), self.allow_private):
            connection.close()
            raise DeliveryRefused(f"the webhook's name led to an address that webhooks must not reach; see {_PERMIT}")
        return connection


class _PeerCheckingAdapter(HTTPAdapter):
    def __init__(self, allow_private: bool) -> None:
        self._allow_private = allow_private
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        fields = {"allow_private": self._allow_private}
        plain, secure = type("_Plain", (_PeerChecked, HTTPConnection), fields), type("_Secure", (_PeerChecked, HTTPSConnection), fields)
        pools = self.poolmanager.pool_classes_by_scheme
        self.poolmanager.pool_classes_by_scheme = {
            "http": type("_PlainPool", (pools["http"],), {"ConnectionCls": plain}),
            "https": type("_SecurePool", (pools["https"],), {"ConnectionCls": secure}),
        }
