"""From settings to the channels that are set up: who gets messages, and how one is sent."""

import json
from datetime import datetime
from email.utils import parseaddr

from pydantic import SecretStr

from forecaster.errors import DeliveryRefused
from forecaster.notify import email, webhook
from forecaster.notify.addresses import recipient_label
from forecaster.notify.outbox import Recipient, delivery_id
from forecaster.reports.letters import Letter
from forecaster.settings import Settings

CHANNELS = ("email", "webhook")
HOW_TO = "QUAKECAST_SMTP_HOST and QUAKECAST_MAIL_TO, or QUAKECAST_WEBHOOK_URL"


def recipients(settings: Settings) -> list[Recipient]:
    """Everybody who is set up, each once; labels hold no secret and no whole address."""
    found = []
    if settings.smtp_host:
        found += [Recipient("email", f"{_masked(to)} by {settings.smtp_host}", _address(to)) for to in settings.mail_to]
    if url := settings.webhook_url.get_secret_value():
        found.append(Recipient("webhook", recipient_label(url), settings.webhook_url))
    return list({(to.channel, to.address.get_secret_value()): to for to in found}.values())


def send(letter: Letter, to: Recipient, settings: Settings, now: datetime, *, repeat: bool = False) -> None:
    """Send one report or message to one recipient.

    Args:
        now: the machine's time (receivers refuse a webhook with an old timestamp).
        repeat: it may have been sent before; said where the receiver cannot see it by an id.

    Raises:
        DeliveryRefused: for good. DeliveryFailed: for now.
    """
    if to.channel == "email":
        said = letter.mail()
        mail = email.Mail(letter.subject_id, said.subject, said.text, said.html, said.pictures, letter.thread_id)
        email.send_email(email.build_message(mail, to.address.get_secret_value(), _mail_settings(settings), now), _mail_settings(settings))
    elif to.channel == "webhook":
        hook = webhook.WebhookSettings(settings.webhook_url, settings.webhook_secret, settings.webhook_allow_private)
        webhook.send_webhook(letter.document(), delivery_id(letter.subject_id, to), hook, now)
    else:
        raise DeliveryRefused(f"there is no channel {to.channel!r}; there are {', '.join(CHANNELS)}")


def preview(letter: Letter, to: Recipient) -> str:
    """What would be sent, in a line; it is made as if it were."""
    if to.channel == "email":
        said = letter.mail()
        pictures = sum(map(len, said.pictures.values()))
        return f"{said.subject!r}, text {_kb(said.text)}, HTML {_kb(said.html)}, pictures {pictures / 1000:.0f} kB"
    document = letter.document()
    return f"{document['version']}, {_kb(json.dumps(document, ensure_ascii=False))}"


def _kb(text: str) -> str:
    return f"{len(text.encode()) / 1000:.1f} kB"


def _mail_settings(settings: Settings) -> email.MailSettings:
    return email.MailSettings(
        smtp_host=settings.smtp_host,
        mail_from=settings.mail_from or "quakecast@localhost",
        smtp_port=settings.smtp_port,
        smtp_security=settings.smtp_security,  # type: ignore[arg-type]
        smtp_username=settings.smtp_username,
        smtp_password=settings.smtp_password,
        mail_unsubscribe=settings.mail_unsubscribe,
    )


def _address(to: str) -> SecretStr:
    """The bare address: that a name was added to it makes no other recipient."""
    return SecretStr(parseaddr(to)[1] or to)


def _masked(to: str) -> str:
    """ "a...@example.org": enough for who knows the list."""
    name, at, domain = (parseaddr(to)[1] or to).rpartition("@")
    return f"{name[:1]}...{at}{domain}"
