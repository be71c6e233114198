"""Send a batch of the outbox: rows are claimed, sent and marked one by one. No transaction is open while waiting for a receiver."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from functools import partial
from typing import Any

import pandas as pd

from forecaster.notify import outbox
from forecaster.notify.outbox import Delivery, Recipient
from forecaster.pipeline.daily.publish_report import kept_data
from forecaster.pipeline.messaging.senders import Post, preview
from forecaster.pipeline.run_context import Job
from forecaster.reports.outgoing.letters import Letter, MessageLetter, ReportLetter
from forecaster.reports.outgoing.message import Message
from forecaster.store import deliveries
from forecaster.store.typed_rows.alert_types import MessageRow

logger = logging.getLogger(__name__)

MARK_WAIT_S = 240.0  # wait for the database once a receiver has taken a message: an unrecorded message is sent again


@dataclass
class NotifyResult:
    """The rows that were tried, failures in words (including broken user templates), and a text for people."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    text: str = "nothing was due"


def rehearse(job: Job, rows: Sequence[Delivery], to: Sequence[Recipient]) -> NotifyResult:
    """Report what would be sent, and render each message; nothing is sent or stored."""
    now, letters, result, lines = job.clock.now(), Letters(job), NotifyResult(), []
    for row in rows:
        line, recipient = f"{row.channel} to {row.recipient}: {row.subject_kind}, {row.state}", recipient_of(row, to)
        if outbox.is_due(row, now) and recipient is not None:
            try:
                line += f", due; {preview(letters.of(row), recipient)}"
            except NoDocument as error:
                line += f", due, but cannot be sent: {error}"
        lines.append(line if row.state != "closed" else f"{line} ({row.last_error})")
    result.rows, result.failed, result.text = [asdict(row) for row in rows], letters.problems, "\n".join(lines) or result.text
    return result


def send_rows(job: Job, rows: Sequence[Delivery], to: Sequence[Recipient], sent_at: datetime | None) -> NotifyResult:
    """Claim, send and mark one row after the other. The failure of one row, our own bugs included, does not stop the others.

    The clock is read for each row: a claim must outlast its own attempt, however long the earlier ones took.
    """
    letters, result, bug = Letters(job), NotifyResult(), None
    states = {(row.subject_id, row.channel, row.recipient): row.state for row in rows}
    skipped: list[str] = []
    with Post(job.settings) as post:
        for planned in rows:
            if not outbox.is_due(planned, job.clock.now()):
                continue
            try:
                thread = letters.of(planned).thread_id
            except NoDocument:
                thread = None
            except Exception as error:  # noqa: BLE001  raised again below, after the other rows were tried
                bug = bug or error
                continue
            if thread and states.get((thread, planned.channel, planned.recipient)) in outbox.OPEN_STATES:
                continue  # the message that it follows up on has not been sent yet
            recipient = recipient_of(planned, to)
            if recipient is not None and (why := post.given_up(recipient)):
                _leave(job, planned.delivery_id, why)
                skipped.append(f"{planned.channel}: {why}")
                continue
            row, repeat = _claim(job, planned.delivery_id, job.clock.now())
            if row is None:
                continue
            try:
                done = _attempt(job, post, letters, row, to, sent_at, repeat)
            except Exception as error:  # noqa: BLE001
                bug = bug or error
                done = outbox.fail(row, f"our own fault: {type(error).__name__}", job.clock.now())
            _mark(job, row, done)
            states[(done.subject_id, done.channel, done.recipient)] = done.state
            result.rows.append(asdict(done))
            if done.state != "sent":
                result.failed.append(f"{done.channel} to {done.recipient}: {done.last_error}")
    result.failed += [*(f"{why} ({count} messages)" for why, count in Counter(skipped).items()), *letters.problems]
    if bug is not None:
        raise bug
    if result.rows:
        result.text = "\n".join(f"{row['channel']} to {row['recipient']}: {row['subject_kind']}, {row['state']}" for row in result.rows)
    return result


def _attempt(
    job: Job, post: Post, letters: "Letters", row: Delivery, to: Sequence[Recipient], sent_at: datetime | None, repeat: bool
) -> Delivery:
    """Return the claimed row after sending it, or closed because it cannot be sent."""
    recipient = recipient_of(row, to)
    if recipient is None:
        return outbox.close(row, gone(row, to))
    try:
        letter = letters.of(row)
    except NoDocument as error:
        return outbox.close(row, str(error))
    return outbox.attempt(row, partial(post.send, letter, recipient, sent_at or job.clock.now(), repeat=repeat), job.clock.now)


def _claim(job: Job, delivery_id: str, now: datetime) -> tuple[Delivery | None, bool]:
    """Claim the row; return it and whether it may have been sent before. None where another process has claimed or sent it."""
    with job.store.transaction() as connection:
        (row,) = rows_of(deliveries.by_id(connection, delivery_id))
        if not outbox.is_due(row, now):
            return None, False
        claimed = outbox.claim(row, now)
        deliveries.write(connection, [asdict(claimed)])
    return claimed, row.interrupted


def _leave(job: Job, delivery_id: str, why: str) -> None:
    """Record why a row was not tried; it stays due."""
    with job.store.transaction() as connection:
        deliveries.write(connection, [asdict(replace(row, last_error=why)) for row in rows_of(deliveries.by_id(connection, delivery_id))])


def _mark(job: Job, claimed: Delivery, done: Delivery) -> None:
    """Record how an attempt ended. If its claim expired and another process took it, that process's record is kept."""
    with job.store.transaction(wait_s=MARK_WAIT_S) as connection:
        (row,) = rows_of(deliveries.by_id(connection, claimed.delivery_id))
        if (row.state, row.attempts) == (claimed.state, claimed.attempts):
            deliveries.write(connection, [asdict(done)])
        else:
            logger.error("%s to %s took longer than its claim; another process has sent it, too", row.channel, row.recipient)


class NoDocument(Exception):
    """A report whose document is not stored, or cannot be read."""


class Letters:
    """Reports and messages as rendered messages, each rendered once for all its recipients."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._made: dict[str, Letter] = {}

    def of(self, row: Delivery) -> Letter:
        return self.of_subject(row.subject_kind, row.subject_id)

    def of_subject(self, kind: str, subject_id: str) -> Letter:
        """Return the rendered message of the report, or of the message, with this id."""
        if subject_id not in self._made:
            self._made[subject_id] = self._report(subject_id) if kind == "report" else self._message(subject_id)
        return self._made[subject_id]

    @property
    def problems(self) -> list[str]:
        return list(dict.fromkeys(problem for letter in self._made.values() for problem in letter.problems))

    def _report(self, report_id: str) -> Letter:
        job = self._job
        with job.store.transaction() as connection:
            row = deliveries.report(connection, report_id)
        assert row is not None, f"report {report_id} is in the outbox and not in the table report"
        link = f"{job.settings.base_url.rstrip('/')}/{row['path']}" if job.settings.base_url else None
        try:
            data = kept_data(row)
        except ValueError as error:
            raise NoDocument(f"{error}; `quakecast report` writes the report anew") from None
        return ReportLetter(data, job.settings.language, link, job.settings.templates)

    def _message(self, subject_id: str) -> Letter:
        with self._job.store.transaction() as connection:
            (message,) = map(message_of, deliveries.messages(connection, [subject_id]))
            thread = deliveries.messages(connection, [message.thread_id]) if message.thread_id else []
        answered = message_of(thread[0]) if thread else None
        return MessageLetter(message, self._job.settings.language, self._job.settings.templates, answered)


def recipient_of(row: Delivery, to: Sequence[Recipient]) -> Recipient | None:
    """Return the configured recipient of a row; None where it is no longer configured."""
    of_channel = [each for each in to if each.channel == row.channel]
    if len(of_channel) == 1 and row.delivery_id == outbox.earlier_id(row.subject_id, row.channel):
        return of_channel[0]
    return next((each for each in of_channel if outbox.delivery_id(row.subject_id, each) == row.delivery_id), None)


def gone(row: Delivery, to: Sequence[Recipient]) -> str:
    """Explain in words why a row has no recipient."""
    if row.delivery_id == outbox.earlier_id(row.subject_id, row.channel) and any(each.channel == row.channel for each in to):
        return f"each recipient of {row.channel} has a row of their own now"
    return f"{row.channel} to {row.recipient} is no longer set up"


def rows_of(frame: pd.DataFrame) -> list[Delivery]:
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [Delivery(**{each.name: row[each.name] for each in fields(Delivery)}) for row in rows]


def message_of(row: MessageRow) -> Message:
    return Message(
        subject_id=row["subject_id"],
        kind=row["kind"],
        title=row["title"],
        lines=tuple(row["lines"]),
        created_at=row["created_at"],
        severity=row["severity"],
        thread_id=row["thread_id"],
        channels=None if row["channels"] is None else tuple(row["channels"]),
        facts=row["facts"],
        link=row["link"],
        not_before=row["not_before"],
        expires_at=row["expires_at"],
    )
