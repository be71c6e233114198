"""The interface of every channel, and the look-up of channels by name."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Any, Generic, Protocol, TypeVar

from forecaster.notify import http_post
from forecaster.notify.outbox import Recipient
from forecaster.registry.message_channels import CHANNELS
from forecaster.reports.outgoing.letters import Letter
from forecaster.settings import Settings

Rendered = TypeVar("Rendered")


class Closable(Protocol):
    """An object that holds a connection."""

    def close(self) -> None: ...


Opened = TypeVar("Opened", bound=Closable)


class Batch:
    """The connections of a batch of messages, each opened when it is first used and closed at the end."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._opened: dict[str, Any] = {}
        self._stack = ExitStack()

    @property
    def web(self) -> http_post.Session:
        """What goes over HTTP."""
        return self.kept("web", lambda: http_post.Session(self.settings.webhook_allow_private))

    def kept(self, name: str, opening: Callable[[], Opened]) -> Opened:
        """Return what `opening` gave when this name was first requested. Its `close` is called at the end."""
        if name not in self._opened:
            self._opened[name] = self._stack.enter_context(closing(opening()))
        opened: Opened = self._opened[name]
        return opened

    def close(self) -> None:
        self._stack.close()


@dataclass(frozen=True)
class Shown:
    """A preview of a message. line: its size in a few words. text: what a terminal can show; html: None where there is none."""

    line: str
    title: str
    text: str
    html: str | None = None


class Channel(ABC, Generic[Rendered]):
    """A notification channel. `Rendered` is the type of its rendered messages, which `render` makes of a report or message.

    name: as in `message_channels`. ending: the ending of the file that a preview's text is written to.
    """

    name: str
    ending = "txt"

    @abstractmethod
    def recipients(self, settings: Settings) -> list[Recipient]:
        """Return all recipients that are set up. Labels hold no secret and no whole address."""

    @abstractmethod
    def render(self, letter: Letter, to: Recipient | None, *, repeat: bool = False) -> Rendered:
        """Render the report or message for this channel. `to` is None where no recipient is set up, for a preview.

        repeat: it may have been sent before; the text says so where the receiver cannot see it by an id.
        """

    @abstractmethod
    def send(self, rendered: Rendered, to: Recipient, batch: Batch, *, delivery_id: str, now: datetime) -> None:
        """Send the rendered message.

        Args:
            delivery_id: the same whenever this message is sent to this recipient. now: the machine's time.

        Raises:
            DeliveryRefused: permanently. DeliveryFailed: temporarily.
        """

    @abstractmethod
    def preview(self, rendered: Rendered) -> Shown:
        """Return a preview of the rendered message."""

    def problems(self, settings: Settings) -> list[str]:
        """Return why its settings cannot work together, a line each, with the setting's name and what to write instead. No secret is
        repeated."""
        return []

    def place(self, to: Recipient, settings: Settings) -> str:
        """Return what is down where the recipient does not answer. All recipients reached through it then wait for the next batch."""
        return to.label


def channel_named(name: str) -> Channel[Any]:
    """Return the channel of this name, which must be one of `CHANNELS`."""
    found: Channel[Any] = import_module(CHANNELS[name].module).CHANNEL
    return found


def channels() -> list[Channel[Any]]:
    """Return all channels, in the order of `CHANNELS`."""
    return [channel_named(name) for name in CHANNELS]


def kilobytes(text: str) -> str:
    """ "1.2 kB"."""
    return f"{len(text.encode()) / 1000:.1f} kB"
