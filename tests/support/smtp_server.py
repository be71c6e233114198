"""A real SMTP server on a free port of this machine: STARTTLS, TLS, login, refusals, greylisting, silence.

with SmtpServer() as server: ...  server.port, server.messages, server.certificate
"""

import socket
import ssl
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """(certificate, key) files of a self-signed certificate for 127.0.0.1, valid for a day."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return files


@dataclass
class SmtpServer:
    """`answers` maps a recipient to its reply (550 ..., 451 ...).

    `data_answer` is the reply to DATA, after `silence_s`; `quit_answer` that to QUIT. `old`: it knows no extension and takes 7-bit mails
    with lines of 998 bytes only. After `most_a_connection` mails a connection takes none any more (421). `connections` counts them.
    """

    certificate_files: tuple[Path, Path] | None = None
    implicit_tls: bool = False
    login: tuple[str, str] | None = None
    answers: dict[str, str] = field(default_factory=dict)
    data_answer: str = "250 OK"
    quit_answer: str = "221 Bye"
    silence_s: float = 0.0
    old: bool = False
    most_a_connection: int = 1_000_000
    connections: int = 0
    messages: list[EmailMessage] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    port: int = field(default_factory=free_port)

    def __enter__(self) -> "SmtpServer":
        context = None
        if self.certificate_files:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.certificate_files)
        options: dict[str, Any] = {"data_size_limit": 2_000_000}
        if self.login:
            options |= {"authenticator": self._authenticate, "auth_required": True, "auth_require_tls": context is not None}
        if context and not self.implicit_tls:
            options |= {"tls_context": context, "require_starttls": True}
        if self.implicit_tls:
            options |= {"auth_require_tls": False}
        self._controller = Controller(self, "127.0.0.1", self.port, ssl_context=context if self.implicit_tls else None, **options)
        self._controller.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._controller.stop()

    def _authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
        given = (data.login.decode(), data.password.decode()) if isinstance(data, LoginPassword) else None
        return AuthResult(success=given == self.login, handled=given == self.login)

    async def handle_EHLO(self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]) -> list[str]:
        session.host_name = hostname
        self.connections += 1
        return responses[-1:] if self.old else responses

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        taken = getattr(session, "taken", 0)
        if taken >= self.most_a_connection:
            return "421 too many mails over one connection"
        envelope.mail_from, session.taken = address, taken + 1  # type: ignore[attr-defined]
        return "250 OK"

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        return self.quit_answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        time.sleep(self.silence_s)
        content = bytes(envelope.content or b"")
        if self.old and (not content.isascii() or max(map(len, content.split(b"\r\n"))) > 998):
            return "554 8-bit data, or a line that is too long"
        if self.data_answer.startswith("250"):
            self.messages.append(message_from_bytes(content, policy=policy.default))  # type: ignore[arg-type]
            self.sizes.append(len(content))
            self.encrypted.append(session.ssl is not None or self.implicit_tls)
        return self.data_answer
