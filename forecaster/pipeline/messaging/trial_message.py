"""Send a test message at once to all configured recipients: nothing is stored, and neither the database nor the outbox is used."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC

from forecaster.clock import Clock
from forecaster.errors import BadInput, DeliveryError
from forecaster.pipeline.messaging.senders import Post, recipients
from forecaster.registry.message_channels import how_to_set_up
from forecaster.reports.outgoing.letters import MessageLetter
from forecaster.reports.outgoing.message import Message
from forecaster.reports.texts import translator
from forecaster.settings import Settings


@dataclass(frozen=True)
class Tried:
    """Whether one recipient took the test message; `error` is the reason if not."""

    channel: str
    recipient: str
    error: str | None

    def line(self) -> str:
        return f"{self.channel} to {self.recipient}: {self.error or 'test message sent'}"

    def document(self) -> dict[str, str | None]:
        return asdict(self)


def send_trial(settings: Settings, clock: Clock, channels: Sequence[str] = ()) -> list[Tried]:
    """Send a test message to every recipient of `channels` (of all that are configured, where none is named), each once.

    Raises:
        BadInput: none of these channels is configured.
    """
    to = [each for each in recipients(settings) if each.channel in channels or not channels]
    if not to:
        raise BadInput(f"no {' or '.join(channels) or 'channel'} is set up: set {how_to_set_up()}")
    now = clock.now()
    say = translator(settings.language, settings.templates)
    message = Message(
        subject_id=f"test-{now.astimezone(UTC):%Y%m%dT%H%M%S}",
        kind="operations",
        title=say("test.title"),
        lines=(say("test.nothing"), say("test.reached")),
        created_at=now,
        facts={"test": True},
    )
    letter, tried = MessageLetter(message, settings.language, settings.templates), list[Tried]()
    with Post(settings) as post:
        for each in to:
            try:
                post.send(letter, each, clock.now())
                tried.append(Tried(each.channel, each.label, None))
            except DeliveryError as error:
                tried.append(Tried(each.channel, each.label, str(error)))
    return tried
