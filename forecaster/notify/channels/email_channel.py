"""The channel e-mail: one mail a recipient, all over one connection to the mail server."""

import base64
import re
from datetime import datetime
from email.utils import parseaddr

from pydantic import SecretStr

from forecaster.notify.channels.channel import Batch, Channel, Shown, kilobytes
from forecaster.notify.channels.mail_building import Mail, MailSettings, build_message
from forecaster.notify.channels.mail_server import MailServer
from forecaster.notify.outbox import Recipient
from forecaster.reports.outgoing.letters import Letter
from forecaster.settings import Settings


class EmailChannel(Channel[Mail]):
    name = "email"

    def recipients(self, settings: Settings) -> list[Recipient]:
        if not settings.smtp_host:
            return []
        return [Recipient(self.name, f"{_masked(to)} by {settings.smtp_host}", _address(to)) for to in settings.mail_to]

    def render(self, letter: Letter, to: Recipient | None, *, repeat: bool = False) -> Mail:
        rendered = letter.mail()
        return Mail(letter.subject_id, rendered.subject, rendered.text, rendered.html, rendered.pictures, letter.thread_id)

    def send(self, rendered: Mail, to: Recipient, batch: Batch, *, delivery_id: str, now: datetime) -> None:
        settings = mail_settings(batch.settings)
        server = batch.kept(self.name, lambda: MailServer(settings))
        server.send(build_message(rendered, to.address.get_secret_value(), settings, now))

    def preview(self, rendered: Mail) -> Shown:
        page = rendered.html
        for cid, picture in rendered.pictures.items():
            page = page.replace(f"cid:{cid}", f"data:image/png;base64,{base64.b64encode(picture).decode()}")
        pictures = sum(map(len, rendered.pictures.values()))
        sizes = f"text {kilobytes(rendered.text)}, HTML {kilobytes(rendered.html)}, pictures {pictures / 1000:.0f} kB"
        return Shown(f"{rendered.subject!r}, {sizes}", rendered.subject, rendered.text, page)

    def problems(self, settings: Settings) -> list[str]:
        if bool(settings.smtp_host) != bool(settings.mail_to):
            there, missing = ("SMTP_HOST", "MAIL_TO") if settings.smtp_host else ("MAIL_TO", "SMTP_HOST")
            return [f"QUAKECAST_{there} is set and QUAKECAST_{missing} is not: no mail would be sent; set both or neither"]
        listed = [("MAIL_TO", i, to) for i, to in enumerate(settings.mail_to, 1)]
        listed += [("MAIL_FROM", 1, settings.mail_from)] if settings.mail_from else []
        return [
            f"QUAKECAST_{name}, address {i}: it is no mail address; write name@example.org, or Name <name@example.org>"
            for name, i, to in listed
            if not re.fullmatch(r"[^@\s]+@[^@\s]+", parseaddr(to)[1])
        ]

    def place(self, to: Recipient, settings: Settings) -> str:
        return f"SMTP server {settings.smtp_host}"


CHANNEL = EmailChannel()


def mail_settings(settings: Settings) -> MailSettings:
    """Return the mail server and the sender, from the installation's settings."""
    return MailSettings(
        smtp_host=settings.smtp_host,
        mail_from=settings.mail_from or "quakecast@localhost",
        smtp_port=settings.smtp_port,
        smtp_security=settings.smtp_security,  # type: ignore[arg-type]
        smtp_username=settings.smtp_username,
        smtp_password=settings.smtp_password,
        mail_unsubscribe=settings.mail_unsubscribe,
    )


def _address(to: str) -> SecretStr:
    """Return the bare address. A name added to an address does not make it another recipient."""
    return SecretStr(parseaddr(to)[1] or to)


def _masked(to: str) -> str:
    """Return "a...@example.org", which is enough for an operator who knows the list."""
    name, at, domain = (parseaddr(to)[1] or to).rpartition("@")
    return f"{name[:1]}...{at}{domain}"
