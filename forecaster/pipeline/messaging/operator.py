"""Report machine trouble to the operator, and send a heartbeat to a watchdog.

Neither needs the database, because the database may be what is broken.
"""

import logging
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from forecaster.errors import QuakecastError
from forecaster.notify.heartbeat import beat
from forecaster.notify.outbox import Recipient
from forecaster.pipeline.messaging.senders import Post, recipients
from forecaster.pipeline.messaging.side_by_side import Lanes
from forecaster.reports.outgoing.letters import MessageLetter
from forecaster.reports.outgoing.message import Message
from forecaster.settings import Settings

logger = logging.getLogger(__name__)

DONE = ("success", "partial", "completed")  # states of a run, and of a flow that ended as one


def report_to_operator(settings: Settings, subject: str, text: str, key: str, now: datetime) -> list[str]:
    """Send a short message about the operation (failed run, crash, stale data) to every channel that is set up, to all side by side.

    Sent at once and not through the outbox: tried once. Never raises.

    Args:
        subject: one line. `text`: paragraphs, an empty line between two; no secret may stand in either.
        key: deterministic id of what happened; Message-ID and webhook id follow from it, so that receivers can drop repeats.
        now: the machine's time (receivers refuse a webhook with an old timestamp).

    Returns:
        What failed, in words, a line a channel; no secrets.
    """
    try:
        lines = tuple(part.strip() for part in text.split("\n\n") if part.strip())
        message = Message(f"operations|{key}", "operations", subject, lines, now, severity="critical")
        letter, to = MessageLetter(message, settings.language, settings.templates), recipients(settings)
    except Exception as error:  # noqa: BLE001  a failing run must not fail a second time while reporting
        return [_failure("the message could not be made", error)]
    lanes, failures = Lanes(), {recipient.channel: list[str]() for recipient in to}
    for channel, of_channel in failures.items():
        lanes.start(channel, partial(_tell, settings, letter, [one for one in to if one.channel == channel], now, of_channel))
    while lanes.running:
        channel, trouble = lanes.next_ended()
        failures[channel] += [_failure(channel, trouble)] if isinstance(trouble, Exception) else []
    return [line for of_channel in failures.values() for line in of_channel]


def _tell(settings: Settings, letter: MessageLetter, to: Sequence[Recipient], now: datetime, failures: list[str]) -> None:
    """Send to the recipients of one channel, and add what failed to `failures`."""
    with Post(settings) as post:
        for recipient in to:
            if post.given_up(recipient):
                continue
            try:
                post.send(letter, recipient, now)
            except Exception as error:  # noqa: BLE001
                failures.append(_failure(f"{recipient.channel} to {recipient.label}", error))


def send_heartbeat(settings: Settings, state: str) -> str | None:
    """GET `heartbeat_url` after a run whose state is one of DONE, so that a missing run is noticed; return what failed, in words, or None.

    After any other state nothing is sent (the missing heartbeat is the sign), or `heartbeat_url`/fail is requested, where `heartbeat_fail`
    is set. Never raises.
    """
    failed = state.lower() not in DONE
    if not settings.heartbeat_url.get_secret_value() or (failed and not settings.heartbeat_fail):
        return None
    try:
        beat(settings.heartbeat_url, failed=failed, allow_private=settings.webhook_allow_private)
    except Exception as error:  # noqa: BLE001
        return _failure("heartbeat", error)
    return None


def _failure(what: str, error: Exception) -> str:
    """Describe a failure. Our own errors are reported in full; the text of others may hold an address, so only their type is."""
    line = f"{what}: {error if isinstance(error, QuakecastError) else type(error).__name__}"
    logger.error(line)
    return line
