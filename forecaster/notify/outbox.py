"""The outbox: which message goes to which channel, how often it was tried and when it is tried again. Rows in, rows out; no SQL, no clock.

    pending --sent--> sent            (final)
       |  ^
       |  +--- failed, until next_try_at   (DeliveryFailed: again with backoff)
       +-----> dead                   (DeliveryRefused, or MOST_ATTEMPTS failures: final until a person asks for it)

Ids are deterministic, so planning twice plans once. A process that dies between sending and marking sends again (at least once); the
mail's Message-ID and the webhook's id let the receiver see that it is the same.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from forecaster.errors import DeliveryFailed, DeliveryRefused

logger = logging.getLogger(__name__)

DeliveryState = Literal["pending", "sent", "failed", "dead"]
OPEN_STATES: tuple[DeliveryState, ...] = ("pending", "failed")
FIRST_WAIT = timedelta(minutes=5)
LONGEST_WAIT = timedelta(hours=6)
MOST_ATTEMPTS = 10


@dataclass(frozen=True)
class Delivery:
    """A row of the outbox; `recipient` is a label for people and holds no secret."""

    delivery_id: str
    subject_id: str  # id of the report or alert
    channel: str  # email | webhook | ...
    recipient: str
    state: DeliveryState
    attempts: int
    last_error: str | None
    created_at: datetime
    sent_at: datetime | None
    next_try_at: datetime | None


def delivery_id(subject_id: str, channel: str) -> str:
    """SHA-256 (hex) of `subject_id|channel`."""
    return hashlib.sha256(f"{subject_id}|{channel}".encode()).hexdigest()


def plan_deliveries(subject_id: str, recipients: Mapping[str, str], now: datetime) -> list[Delivery]:
    """One pending row for each channel of `recipients` (channel -> label). The store keeps what it has under the same id."""
    return [
        Delivery(delivery_id(subject_id, channel), subject_id, channel, label, "pending", 0, None, now, None, now)
        for channel, label in sorted(recipients.items())
    ]


def is_due(row: Delivery, now: datetime) -> bool:
    return row.state in OPEN_STATES and (row.next_try_at is None or row.next_try_at <= now)


def wait_after(attempts: int) -> timedelta:
    """5, 15, 45 minutes, ... three times as long each time, at most six hours: ten attempts take a day and a half."""
    return min(FIRST_WAIT * 3 ** (min(attempts, 20) - 1), LONGEST_WAIT)


def deliver(rows: Iterable[Delivery], send: Mapping[str, Callable[[Delivery], object]], now: datetime) -> list[Delivery]:
    """Try every row that is due and return these rows as they are now; the others are left out.

    Args:
        send: channel -> function that sends one row's message, or raises DeliveryRefused or DeliveryFailed. A row whose channel is
            missing here waits like a failed one: the channel may be configured again. Any other error is our own bug and raises.
    """
    return [_try(row, send.get(row.channel), now) for row in rows if is_due(row, now)]


def revive(row: Delivery, now: datetime) -> Delivery:
    """A dead or sent row that a person wants sent (again): pending, its count of attempts begun anew."""
    return replace(row, state="pending", attempts=0, sent_at=None, next_try_at=now)


def _try(row: Delivery, send: Callable[[Delivery], object] | None, now: datetime) -> Delivery:
    attempts = row.attempts + 1
    try:
        if send is None:
            raise DeliveryFailed(f"channel {row.channel!r} is not configured; set it up or drop the delivery")
        send(row)
    except DeliveryRefused as error:
        logger.error("%s to %s given up: %s", row.channel, row.recipient, error)
        return replace(row, state="dead", attempts=attempts, last_error=str(error), next_try_at=None)
    except DeliveryFailed as error:
        if attempts >= MOST_ATTEMPTS:
            logger.error("%s to %s given up after %d attempts: %s", row.channel, row.recipient, attempts, error)
            return replace(row, state="dead", attempts=attempts, last_error=str(error), next_try_at=None)
        again = now + wait_after(attempts)
        logger.warning("%s to %s failed, again from %s: %s", row.channel, row.recipient, again.isoformat(timespec="minutes"), error)
        return replace(row, state="failed", attempts=attempts, last_error=str(error), next_try_at=again)
    return replace(row, state="sent", attempts=attempts, last_error=None, sent_at=now, next_try_at=None)
