"""Send a batch of the outbox, channels side by side. No transaction is open while waiting for a receiver."""

import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from typing import Any

import pandas as pd

from forecaster.notify import outbox
from forecaster.notify.outbox import Delivery, Recipient
from forecaster.pipeline.daily.publish_report import kept_data
from forecaster.pipeline.messaging.senders import Post, preview
from forecaster.pipeline.messaging.side_by_side import Lanes
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


def dry_run_result(job: Job, rows: Sequence[Delivery], to: Sequence[Recipient]) -> NotifyResult:
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
    """Claim, send and mark the rows: channels side by side, the rows of a channel one after the other.

    This thread alone reads and writes the database and renders messages; others wait for the receivers. A row is marked when its attempt
    has ended, before the next one of its channel is claimed. The failure of one row, our own bugs included, does not stop the others.
    Whoever stops the process leaves claimed what is being sent, and due what is not.

    The clock is read for each row: a claim must outlast its own attempt, however long the earlier ones took.
    """
    batch, lanes = _Batch(job, rows, to, sent_at), Lanes()
    try:
        for channel in batch.channels:
            lanes.start(channel, batch.next_call(channel))
        while lanes.running:
            channel, error = lanes.next_ended()
            batch.note_end(channel, error)
            lanes.start(channel, batch.next_call(channel))
    except BaseException:
        for channel, error in lanes.ended_already():
            batch.note_end(channel, error)
        raise
    return batch.result()


@dataclass
class _Lane:
    """One channel of a batch: its connections, None once they are closed; the rows that wait; and the row that is being sent."""

    post: Post | None
    waiting: deque[Delivery]
    claimed: Delivery | None = None


class _Batch:
    """The rows of one batch, by channel, and how they ended."""

    def __init__(self, job: Job, rows: Sequence[Delivery], to: Sequence[Recipient], sent_at: datetime | None) -> None:
        self._job, self._to, self._sent_at, self._letters = job, to, sent_at, Letters(job)
        self._lanes = {
            channel: _Lane(Post(job.settings), deque(row for row in rows if row.channel == channel))
            for channel in dict.fromkeys(row.channel for row in rows)
        }
        self._place = {row.delivery_id: place for place, row in enumerate(rows)}
        self._states = {(row.subject_id, row.channel, row.recipient): row.state for row in rows}
        self._done: list[Delivery] = []
        self._skipped: list[str] = []
        self._bug: Exception | None = None

    @property
    def channels(self) -> list[str]:
        return list(self._lanes)

    def next_call(self, channel: str) -> Callable[[], object] | None:
        """Claim the channel's next row that can be sent; return what sends it. After the last one, return what closes the connections, and
        then None."""
        lane = self._lanes[channel]
        while lane.waiting and lane.post is not None:
            try:
                call = self._begin(lane, lane.post, lane.waiting.popleft())
            except Exception as error:  # noqa: BLE001
                self._stop(lane, error)
                break
            if call is not None:
                return call
        post, lane.post = lane.post, None
        return None if post is None else post.close

    def note_end(self, channel: str, error: BaseException | None) -> None:
        """Mark the row that the channel was sending; `error` is what its call raised."""
        lane = self._lanes[channel]
        claimed, lane.claimed = lane.claimed, None
        if claimed is not None:
            try:
                self._end(claimed, error)
            except Exception as trouble:  # noqa: BLE001
                self._stop(lane, trouble)

    def _stop(self, lane: _Lane, error: Exception) -> None:
        """Leave the rest of a channel due, for the database cannot be used; the error is raised after the other channels were served."""
        self._bug = self._bug or error
        lane.waiting.clear()

    def result(self) -> NotifyResult:
        """Return how the rows ended, in the order in which they were given; raise our own first bug."""
        if self._bug is not None:
            raise self._bug
        done, result = sorted(self._done, key=lambda row: self._place[row.delivery_id]), NotifyResult()
        result.rows = [asdict(row) for row in done]
        result.failed = [f"{row.channel} to {row.recipient}: {row.last_error}" for row in done if row.state != "sent"]
        result.failed += [f"{why} ({count} messages)" for why, count in Counter(self._skipped).items()]
        result.failed += self._letters.problems
        if done:
            result.text = "\n".join(f"{row.channel} to {row.recipient}: {row.subject_kind}, {row.state}" for row in done)
        return result

    def _begin(self, lane: _Lane, post: Post, planned: Delivery) -> Callable[[], object] | None:
        """Claim a row and return what sends it; None where it is not to be sent, or cannot be."""
        job = self._job
        if not outbox.is_due(planned, job.clock.now()) or self._follows_unsent(planned):
            return None
        recipient = recipient_of(planned, self._to)
        if recipient is not None and (why := post.given_up(recipient)):
            _leave(job, planned.delivery_id, why)
            self._skipped.append(f"{planned.channel}: {why}")
            return None
        row, repeat = _claim(job, planned.delivery_id, job.clock.now())
        if row is None:
            return None
        try:
            if recipient is None:
                raise NoDocument(gone(row, self._to))
            call = post.prepared(self._letters.of(row), recipient, self._sent_at or job.clock.now(), repeat=repeat)
        except NoDocument as error:
            self._mark(row, outbox.close(row, str(error)))
            return None
        except Exception as error:  # noqa: BLE001
            self._end(row, error)
            return None
        lane.claimed = row
        return call

    def _follows_unsent(self, planned: Delivery) -> bool:
        """Whether the message that this one follows up on has not been sent yet; also true where it cannot be told, by our own fault."""
        try:
            thread = self._letters.of(planned).thread_id
        except NoDocument:
            return False
        except Exception as error:  # noqa: BLE001
            self._bug = self._bug or error
            return True
        return bool(thread) and self._states.get((str(thread), planned.channel, planned.recipient)) in outbox.OPEN_STATES

    def _end(self, row: Delivery, error: BaseException | None) -> None:
        now = self._job.clock.now()
        try:
            done = outbox.ended(row, error, now)
        except Exception as bug:  # noqa: BLE001
            self._bug = self._bug or bug
            done = outbox.fail(row, f"our own fault: {type(bug).__name__}", now)
        self._mark(row, done)

    def _mark(self, claimed: Delivery, done: Delivery) -> None:
        """Record how an attempt ended. If its claim expired and another process took it, that process's record is kept."""
        with self._job.store.transaction(wait_s=MARK_WAIT_S) as connection:
            (row,) = rows_of(deliveries.by_id(connection, claimed.delivery_id))
            if (row.state, row.attempts) == (claimed.state, claimed.attempts):
                deliveries.write(connection, [asdict(done)])
            else:
                logger.error("%s to %s took longer than its claim; another process has sent it, too", row.channel, row.recipient)
        self._states[(done.subject_id, done.channel, done.recipient)] = done.state
        self._done.append(done)


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
