"""The configured recipients, and how a message is sent to one of them."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from types import TracebackType

from forecaster.errors import DeliveryError, DeliveryRefused, ReceiverSilent
from forecaster.notify.channels.channel import Batch, channel_named, channels
from forecaster.notify.outbox import Recipient, delivery_id
from forecaster.registry.message_channels import CHANNELS
from forecaster.reports.outgoing.letters import Letter
from forecaster.settings import Settings

MAX_SILENCES = 2


def recipients(settings: Settings) -> list[Recipient]:
    """Return all configured recipients, each once; labels hold no secret and no whole address."""
    found = [to for channel in channels() for to in channel.recipients(settings)]
    return list({(to.channel, to.address.get_secret_value()): to for to in found}.values())


class Post:
    """The senders of one batch: one connection per mail server, one per host for what goes over HTTP.

    A receiver that fails to answer twice is given up for the batch, so that the other recipients behind it need not wait for its time-outs.

    with Post(settings) as post: post.send(letter, recipient, now)
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._batch = Batch(settings)
        self._silences: Counter[str] = Counter()

    def __enter__(self) -> "Post":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._batch.close()

    def given_up(self, to: Recipient) -> str | None:
        """Explain why this recipient is not tried in this batch; None where it is."""
        if self._silences[self._place(to)] < MAX_SILENCES:
            return None
        return f"not tried: {self._place(to)} did not answer {MAX_SILENCES} times in a row; the next batch tries again"

    def send(self, letter: Letter, to: Recipient, now: datetime, *, repeat: bool = False) -> None:
        """Send one report or message to one recipient.

        Args:
            now: the machine's time (receivers refuse a webhook with an old timestamp).
            repeat: it may have been sent before; this is stated where the receiver cannot see it by an id.

        Raises:
            DeliveryRefused: the failure is permanent. DeliveryFailed: the failure is temporary.
        """
        self.prepared(letter, to, now, repeat=repeat)()

    def prepared(self, letter: Letter, to: Recipient, now: datetime, *, repeat: bool = False) -> Callable[[], None]:
        """Render the message as `send` does, and return what sends it: another thread may call it, but one of this batch at a time.

        Raises:
            DeliveryRefused: there is no such channel. What is returned raises as `send`.
        """
        if to.channel not in CHANNELS:
            raise DeliveryRefused(f"there is no channel {to.channel!r}; there are {', '.join(CHANNELS)}")
        channel, place = channel_named(to.channel), self._place(to)
        rendered, name = channel.render(letter, to, repeat=repeat), delivery_id(letter.subject_id, to)

        def hand_over() -> None:
            try:
                channel.send(rendered, to, self._batch, delivery_id=name, now=now)
            except ReceiverSilent:
                self._silences[place] += 1
                raise
            except DeliveryError:
                self._silences[place] = 0
                raise
            self._silences[place] = 0

        return hand_over

    def _place(self, to: Recipient) -> str:
        return channel_named(to.channel).place(to, self._settings) if to.channel in CHANNELS else to.label


def preview(letter: Letter, to: Recipient) -> str:
    """Describe in a line what would be sent; the message is fully rendered."""
    channel = channel_named(to.channel)
    return channel.preview(channel.render(letter, to)).line
