"""Receivers of messages on loopback that keep what they were sent, and can kill the sender just after they have said yes.

The sender is stopped (SIGSTOP) while the receiver says 204 or 250, and killed a little later: it was told yes and could not note it.
"""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.support.smtp_server import SmtpServer
from tests.support.web_server import Asked, Reply, WebServer

STOPPED_S = 0.1  # between the yes and the kill


@dataclass
class Received:
    """One message as it came: over which channel, under which id, for whom, what."""

    channel: str
    message_id: str
    to: str
    content: str


@dataclass
class Book:
    """What all receivers were sent. `victim`: the process to kill at the next yes on `channel`, once."""

    received: list[Received] = field(default_factory=list)
    victim: int | None = None
    channel: str = ""

    def take(self, message: Received) -> None:
        self.received.append(message)
        victim = self.victim
        if victim is not None and message.channel == self.channel:
            self.victim = None
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGSTOP)
                threading.Timer(STOPPED_S, kill, (victim,)).start()


def kill(process_id: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process_id, signal.SIGKILL)


class Hook(WebServer):
    book: Book

    def judge(self, asked: Asked) -> Reply:
        self.book.take(Received("webhook", asked.headers["webhook-id"], "hook", _what(json.loads(asked.body))))
        return 204


class Mailbox(SmtpServer):
    book: Book

    async def handle_DATA(self, *arguments: Any) -> str:
        answer: str = await super().handle_DATA(*arguments)
        mail = self.messages[-1]
        self.book.take(Received("email", str(mail["Message-ID"]), str(mail["To"]), str(mail["Subject"])))
        return answer


def _what(document: dict[str, Any]) -> str:
    """The document without the moment at which it was sent."""
    return json.dumps({name: value for name, value in document.items() if name != "timestamp"}, sort_keys=True)


@contextmanager
def receiving(secret: str) -> Iterator[tuple[Book, dict[str, Any]]]:
    """(the book, settings that send everything there): a webhook and two mailboxes."""
    book = Book()
    hook, box = Hook(), Mailbox()
    hook.book = box.book = book
    with hook, box:
        yield (
            book,
            {
                "smtp_host": "127.0.0.1",
                "smtp_port": box.port,
                "smtp_security": "none",
                "mail_from": "Quakecast <quake@example.org>",
                "mail_to": "a@example.org, b@example.org",
                "webhook_url": f"http://127.0.0.1:{hook.port}/hook",
                "webhook_secret": secret,
                "webhook_allow_private": True,
            },
        )
