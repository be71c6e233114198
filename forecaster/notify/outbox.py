"""The outbox: which message goes to which recipient, how often it was tried and when it is retried. Rows in, rows out; no SQL, no clock.

    pending --claim--> sending --taken--> sent        (final)
       |    (again)      |  |
       |  +--------------+  +--DeliveryFailed--> failed, until next_try_at
       |  |                 +--DeliveryRefused, or the last of MAX_ATTEMPTS--> dead   (final until a person asks for it)
       +--+--- a newer report took its place, its recipient is gone, too late --> closed

A row is claimed before its message is sent, so that two processes do not both send it. A process that dies between sending and marking
leaves it `sending`: after LEASE the claim has expired and the message is sent again (at least once). Ids are deterministic: the mail's
Message-ID and the webhook's id show the receiver that it is the same message. Where the protocol has no such id, the message says that it
may be a repeat.
"""

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from pydantic import SecretStr

from forecaster.errors import DeliveryFailed, DeliveryRefused

logger = logging.getLogger(__name__)

DeliveryState = Literal["pending", "sending", "sent", "failed", "dead", "closed"]
SubjectKind = Literal["report", "alert", "correction", "operations"]
OPEN_STATES: tuple[DeliveryState, ...] = ("pending", "sending", "failed")
FIRST_WAIT = timedelta(minutes=5)
MAX_WAIT = timedelta(hours=6)
MAX_ASKED = timedelta(hours=24)  # limit of the wait that a receiver may ask for by Retry-After
LEASE = timedelta(minutes=10)  # longer than any attempt takes
MAX_ATTEMPTS = 10


@dataclass(frozen=True)
class Recipient:
    """A recipient of messages over a channel. `label` is for people and holds no secret; `address` identifies the recipient."""

    channel: str  # of message_channels
    label: str
    address: SecretStr


@dataclass(frozen=True)
class Delivery:
    """A row of the outbox; `recipient` is the label."""

    delivery_id: str
    subject_id: str
    subject_kind: SubjectKind
    channel: str
    recipient: str
    state: DeliveryState
    attempts: int
    last_error: str | None
    created_at: datetime
    sent_at: datetime | None
    next_try_at: datetime | None

    @property
    def interrupted(self) -> bool:
        """Return whether an attempt was begun and its end was never recorded."""
        return self.state == "sending"


def delivery_id(subject_id: str, recipient: Recipient) -> str:
    """Return the SHA-256 (hex) of `subject_id|channel|address`. Another address is another delivery, and the address cannot be recovered
    from the id."""
    return hashlib.sha256(f"{subject_id}|{recipient.channel}|{recipient.address.get_secret_value()}".encode()).hexdigest()


def earlier_id(subject_id: str, channel: str) -> str:
    """Return the SHA-256 (hex) of `subject_id|channel`: the id up to schema 8, when a channel had one row for all its addresses."""
    return hashlib.sha256(f"{subject_id}|{channel}".encode()).hexdigest()


def plan(subject_id: str, kind: SubjectKind, recipients: Iterable[Recipient], now: datetime, due: datetime | None = None) -> list[Delivery]:
    """Make one pending row for each recipient, to be sent from `due` on. Rows that the store has under the same id are to be kept."""
    return [
        Delivery(delivery_id(subject_id, to), subject_id, kind, to.channel, to.label, "pending", 0, None, now, None, due or now)
        for to in sorted(recipients, key=lambda to: (to.channel, to.label))
    ]


def is_due(row: Delivery, now: datetime) -> bool:
    return row.state in OPEN_STATES and (row.next_try_at is None or row.next_try_at <= now)


def claim(row: Delivery, now: datetime) -> Delivery:
    """Return the row in the state `sending`: no other process takes it before the lease ends. Store it before sending."""
    return replace(row, state="sending", attempts=row.attempts + 1, next_try_at=now + LEASE)


def wait_after(attempts: int) -> timedelta:
    """Return the wait: 5, 15, 45 minutes, ... three times as long each time, at most six hours. Ten attempts take a day and a half."""
    wait: timedelta = min(FIRST_WAIT * 3 ** (min(attempts, 20) - 1), MAX_WAIT)
    return wait


def ended(row: Delivery, error: BaseException | None, now: datetime) -> Delivery:
    """Return a claimed row as it is after its attempt.

    Args:
        error: what the attempt raised, None where the receiver took the message. All but DeliveryRefused and DeliveryFailed is our own bug
            and is raised again.
        now: when the attempt had ended, which may be long after it began.
    """
    if error is None:
        return replace(row, state="sent", last_error=None, sent_at=now, next_try_at=None)
    if isinstance(error, DeliveryRefused):
        logger.error("%s to %s given up: %s", row.channel, row.recipient, error)
        return replace(row, state="dead", last_error=str(error), next_try_at=None)
    if isinstance(error, DeliveryFailed):
        return fail(row, str(error), now, error.retry_after_s or 0.0)
    raise error


def fail(row: Delivery, error: str, now: datetime, asked_s: float = 0.0) -> Delivery:
    """Return a claimed row that could not be sent: to be retried, or given up after MAX_ATTEMPTS. `asked_s`: the wait asked for."""
    if row.attempts >= MAX_ATTEMPTS:
        logger.error("%s to %s given up after %d attempts: %s", row.channel, row.recipient, row.attempts, error)
        return replace(row, state="dead", last_error=error, next_try_at=None)
    asked = timedelta(seconds=min(asked_s, MAX_ASKED.total_seconds()))  # it may be any number
    again = now + max(wait_after(row.attempts), asked)
    logger.warning("%s to %s failed, again from %s: %s", row.channel, row.recipient, again.isoformat(timespec="minutes"), error)
    return replace(row, state="failed", last_error=error, next_try_at=again)


def close(row: Delivery, reason: str) -> Delivery:
    """Close the row of a message that is no longer needed."""
    before = f"; before that: {row.last_error}" if row.last_error else ""
    return replace(row, state="closed", next_try_at=None, last_error=f"{reason}{before}")


def revive(row: Delivery, now: datetime) -> Delivery:
    """Return a row that a person wants sent (again): pending, with its count of attempts reset."""
    return replace(row, state="pending", attempts=0, sent_at=None, next_try_at=now)
