"""From settings to the channels that are set up: who gets messages, and how one is sent."""

import json
from collections import Counter
from datetime import datetime
from email.utils import parseaddr
from types import TracebackType

from pydantic import SecretStr

from forecaster.errors import DeliveryError, DeliveryRefused, ReceiverSilent
from forecaster.notify import apprise_channel, email, mail_server, slack, web, webhook
from forecaster.notify.addresses import recipient_label
from forecaster.notify.outbox import Recipient, delivery_id
from forecaster.reports.outgoing.chat import Room
from forecaster.reports.outgoing.letters import Letter
from forecaster.settings import Settings

MAX_SILENCES = 2
CHANNELS = ("email", "webhook", "slack", "apprise")
HOW_TO = "QUAKECAST_SMTP_HOST and QUAKECAST_MAIL_TO, or QUAKECAST_WEBHOOK_URL, QUAKECAST_SLACK_WEBHOOK_URL or QUAKECAST_APPRISE_URLS"


def recipients(settings: Settings) -> list[Recipient]:
    """Everybody who is set up, each once; labels hold no secret and no whole address."""
    found = []
    if settings.smtp_host:
        found += [Recipient("email", f"{_masked(to)} by {settings.smtp_host}", _address(to)) for to in settings.mail_to]
    if url := settings.webhook_url.get_secret_value():
        found.append(Recipient("webhook", recipient_label(url), settings.webhook_url))
    if url := settings.slack_webhook_url.get_secret_value():
        found.append(Recipient("slack", recipient_label(url), settings.slack_webhook_url))
    for url in apprise_channel.split_addresses(settings.apprise_urls.get_secret_value()):
        found.append(Recipient("apprise", apprise_channel.service_label(url), SecretStr(url)))
    return list({(to.channel, to.address.get_secret_value()): to for to in found}.values())


class Post:
    """The senders of one batch: one connection a mail server, one a host for what goes over HTTP. A receiver that is silent twice is given
    up for the batch: the others who are reached through it need not wait for its time-outs, too.

    with Post(settings) as post: post.send(letter, recipient, now)
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._mail = mail_server.MailServer(_mail_settings(settings))
        self._web = web.Session(settings.webhook_allow_private)
        self._silences: Counter[str] = Counter()

    def __enter__(self) -> "Post":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._mail.close()
        self._web.close()

    def given_up(self, to: Recipient) -> str | None:
        """Why this recipient is not tried in this batch; None where it is."""
        if self._silences[self._place(to)] < MAX_SILENCES:
            return None
        return f"not tried: {self._place(to)} was silent {MAX_SILENCES} times in a row; the next batch tries again"

    def send(self, letter: Letter, to: Recipient, now: datetime, *, repeat: bool = False) -> None:
        """Send one report or message to one recipient.

        Args:
            now: the machine's time (receivers refuse a webhook with an old timestamp).
            repeat: it may have been sent before; said where the receiver cannot see it by an id.

        Raises:
            DeliveryRefused: for good. DeliveryFailed: for now.
        """
        place = self._place(to)
        try:
            self._send(letter, to, now, repeat)
        except ReceiverSilent:
            self._silences[place] += 1
            raise
        except DeliveryError:
            self._silences[place] = 0
            raise
        self._silences[place] = 0

    def _send(self, letter: Letter, to: Recipient, now: datetime, repeat: bool) -> None:
        settings = self._settings
        if to.channel == "email":
            said = letter.mail()
            mail = email.Mail(letter.subject_id, said.subject, said.text, said.html, said.pictures, letter.thread_id)
            self._mail.send(email.build_message(mail, to.address.get_secret_value(), _mail_settings(settings), now))
        elif to.channel == "webhook":
            hook = webhook.WebhookSettings(settings.webhook_url, settings.webhook_secret, settings.webhook_allow_private)
            webhook.send_webhook(letter.document(), delivery_id(letter.subject_id, to), hook, now, self._web)
        elif to.channel == "slack":
            slack.send_slack(letter.slack(repeat), slack.SlackSettings(to.address, settings.webhook_allow_private), now, self._web)
        elif to.channel == "apprise":
            said_short = letter.chat(repeat, room_of(to))
            apprise_channel.send_apprise(*said_short, to.address, allow_private=settings.webhook_allow_private)
        else:
            raise DeliveryRefused(f"there is no channel {to.channel!r}; there are {', '.join(CHANNELS)}")

    def _place(self, to: Recipient) -> str:
        return f"SMTP server {self._settings.smtp_host}" if to.channel == "email" else to.label


def preview(letter: Letter, to: Recipient) -> str:
    """What would be sent, in a line; it is made as if it were."""
    if to.channel == "email":
        said = letter.mail()
        pictures = sum(map(len, said.pictures.values()))
        return f"{said.subject!r}, text {_kb(said.text)}, HTML {_kb(said.html)}, pictures {pictures / 1000:.0f} kB"
    if to.channel == "slack":
        payload = letter.slack(False)
        return f"{payload['text']!r}, {len(payload.get('blocks', []))} blocks"
    if to.channel == "apprise":
        title, text = letter.chat(False, room_of(to))
        return f"{title!r}, text {_kb(text)}"
    document = letter.document()
    return f"{document.get('version', 'a shape of your own')}, {_kb(json.dumps(document, ensure_ascii=False))}"


def room_of(to: Recipient) -> Room:
    """What the service of an address that apprise knows takes."""
    limits = apprise_channel.limits_of(to.address.get_secret_value())
    return Room(limits.title, limits.text, limits.text if limits.together else None, limits.unit, apprise_channel.SEPARATOR)


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
