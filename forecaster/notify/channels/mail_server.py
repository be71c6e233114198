"""E-mail over SMTP: sending mails to the mail server.

Permanent errors raise DeliveryRefused (do not retry), temporary errors raise DeliveryFailed (retry later). Messages and logs name the
server, never a password or an address.
"""

import smtplib
import socket
import ssl
from contextlib import closing, suppress
from email.message import EmailMessage
from typing import Any

from forecaster.errors import DeliveryError, DeliveryFailed, DeliveryRefused, ReceiverSilent
from forecaster.notify.addresses import is_loopback_name
from forecaster.notify.channels.mail_building import MailSettings
from forecaster.notify.connections import PATIENCE, Connections

GOODBYE_S = 5.0


def send_email(message: EmailMessage, settings: MailSettings) -> None:
    """Send one mail; see `MailServer.send`."""
    with closing(MailServer(settings)) as server:
        server.send(message)


class MailServer:
    """The connection to the mail server: one for all mails of a batch, a new one after an error. Close it at the end."""

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings
        self._where = f"SMTP server {settings.smtp_host}:{settings.smtp_port}"
        self._whole_s = PATIENCE * settings.timeout_s
        self._connections = Connections()
        self._smtp: smtplib.SMTP | None = None

    def send(self, message: EmailMessage) -> None:
        """Send `message` to the recipient in its To.

        Raises:
            DeliveryRefused: the server refuses permanently (5xx), does not offer STARTTLS, or a password would travel unencrypted.
            DeliveryFailed: greylisting and other 4xx.
            ReceiverSilent: no connection, a silence of `timeout_s`, or not done after PATIENCE of them.
        """
        settings = self._settings
        if settings.smtp_security == "none" and settings.smtp_username and not is_loopback_name(settings.smtp_host):
            raise DeliveryRefused(f"{self._where}: the password would travel unencrypted; set smtp_security to starttls or tls")
        usable = False
        try:
            with self._connections.within(self._whole_s):
                self._hand_over(message)
            usable = True
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            usable = self._smtp is not None and self._smtp.sock is not None
            raise self._answer(error) from None
        except (smtplib.SMTPException, OSError) as error:
            raise self._trouble(error) from None
        finally:
            if not usable:
                self._drop()

    def close(self) -> None:
        """Close the connection. The server's answer to the goodbye is ignored: it has accepted the mails by then."""
        if self._smtp is not None:
            with suppress(OSError, smtplib.SMTPException), self._connections.within(GOODBYE_S):
                self._smtp.quit()
        self._drop()

    def _hand_over(self, message: EmailMessage) -> None:
        if self._smtp is not None and not _is_alive(self._smtp):
            self._drop()
        fresh = self._smtp is None
        smtp = self._smtp or self._connect()
        try:
            smtp.send_message(message)
        except (smtplib.SMTPSenderRefused, smtplib.SMTPRecipientsRefused):
            if fresh or smtp.sock is not None:
                raise
            self._drop()  # 421: it takes no more mails over this connection
            self._connect().send_message(message)

    def _connect(self) -> smtplib.SMTP:
        settings, context = self._settings, ssl.create_default_context(cafile=self._settings.ca_file)
        server: smtplib.SMTP
        if settings.smtp_security == "tls":
            server = _SecureSmtp(self._connections, settings, context=context)
        else:
            server = _PlainSmtp(self._connections, settings)
        self._smtp = server
        if settings.smtp_security == "starttls":
            server.starttls(context=context)
        if settings.smtp_username:
            server.login(settings.smtp_username, settings.smtp_password.get_secret_value() if settings.smtp_password else "")
        return server

    def _drop(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
        self._smtp = None
        self._connections.forget()

    def _answer(self, error: smtplib.SMTPException) -> DeliveryError:
        """Return the server's answer to one mail."""
        if isinstance(error, smtplib.SMTPRecipientsRefused):
            codes = sorted({code for code, _ in error.recipients.values()})
            return _mail_error(max(codes), f"{self._where} refused the recipient ({', '.join(map(str, codes))})")
        assert isinstance(error, smtplib.SMTPResponseException)
        return _mail_error(error.smtp_code, f"{self._where} answered {error.smtp_code}: {_line(error.smtp_error)}")

    def _trouble(self, error: Exception) -> DeliveryError:
        """Return what was wrong with the server or the connection to it."""
        where = self._where
        if self._connections.were_cut:
            return ReceiverSilent(f"{where} was not done within {self._whole_s:g} s; will be tried again")
        if isinstance(error, smtplib.SMTPAuthenticationError):
            return _mail_error(error.smtp_code, f"{where} refused the login ({error.smtp_code}); check user name and password")
        if isinstance(error, smtplib.SMTPResponseException):
            return self._answer(error)
        if isinstance(error, smtplib.SMTPNotSupportedError):
            return DeliveryRefused(
                f"{where} does not offer what smtp_security, the login or an address needs ({error}); check these settings"
            )
        if isinstance(error, ssl.SSLCertVerificationError):
            return DeliveryRefused(f"{where}: its certificate cannot be trusted ({error.verify_message}); check smtp_host")
        return ReceiverSilent(f"{where} could not be reached or broke off ({type(error).__name__}); will be tried again")


class _PlainSmtp(smtplib.SMTP):
    """A connection opened by `connections`, which can cut it."""

    def __init__(self, connections: Connections, settings: MailSettings, **options: Any) -> None:
        self._connections = connections
        super().__init__(settings.smtp_host, settings.smtp_port, timeout=settings.timeout_s, **options)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return self._connections.open(host, port, timeout)


class _SecureSmtp(smtplib.SMTP_SSL):
    """The same, with TLS from the first byte."""

    def __init__(self, connections: Connections, settings: MailSettings, context: ssl.SSLContext) -> None:
        self._connections = connections
        self._wrap = context.wrap_socket
        super().__init__(settings.smtp_host, settings.smtp_port, timeout=settings.timeout_s, context=context)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return self._wrap(self._connections.open(host, port, timeout), server_hostname=host)


def _is_alive(server: smtplib.SMTP) -> bool:
    try:
        return server.rset()[0] == 250
    except (OSError, smtplib.SMTPException):
        return False


def _mail_error(code: int, message: str) -> DeliveryRefused | DeliveryFailed:
    return DeliveryRefused(message) if code >= 500 else DeliveryFailed(f"{message}; will be tried again")


def _line(answer: bytes | str) -> str:
    """Return the server's reply, without any address."""
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return " ".join("(address)" if "@" in word else word for word in text.split())[:200]
