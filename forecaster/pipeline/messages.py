"""The outbox at work: reports and messages to everybody who is set up, once each, tried again where that can help.

messages.enqueue(job, [Message(...)])     an alert, a correction, a word about the operation: kept, and planned for its recipients
messages.notify(job)                      plan the newest report, then send everything that is due
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime, timedelta
from functools import partial

import pandas as pd

from forecaster.clock import Clock
from forecaster.errors import BadInput
from forecaster.notify import outbox
from forecaster.notify.outbox import Delivery, Recipient
from forecaster.pipeline.job import Job
from forecaster.pipeline.report import report_data
from forecaster.pipeline.senders import CHANNELS, HOW_TO, preview, recipients, send
from forecaster.reports.letters import Letter, MessageLetter, ReportLetter
from forecaster.reports.message import Message
from forecaster.store import deliveries
from forecaster.store.database import Connection

__all__ = ["Message", "NotifyResult", "enqueue", "list_deliveries", "notify", "resend"]

logger = logging.getLogger(__name__)

LATE_RECIPIENTS = timedelta(hours=36)  # somebody who is set up anew gets the newest report and the messages of this long
TOO_OLD = timedelta(hours=48)  # a report that has not been sent by then speaks of days that are over


@dataclass
class NotifyResult:
    """The rows that were tried, what failed in words (broken templates of the user included), and a text for people."""

    rows: list[dict] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    text: str = "nothing was due"


def enqueue(job: Job, messages: Iterable[Message], connection: Connection | None = None) -> list[str]:
    """Keep messages and plan one delivery for each of their recipients; `notify` sends them. Returns the ids that are new.

    Enqueuing again changes nothing: a message whose `subject_id` is known stays as it was, and nobody gets it twice. All is stored in one
    transaction: in the caller's, where `connection` is given, so that an alert and its message are kept together or not at all.

    A follow-up (`thread_id`) without `channels` goes to the channels that its thread went to; it is sent after what it answers.

    Raises:
        BadInput: a channel that does not exist, with the message's title.
    """
    told = list({message.subject_id: message for message in reversed(list(messages))}.values())[::-1]
    for message in told:
        if unknown := set(message.channels or ()) - set(CHANNELS):
            raise BadInput(f"message {message.title!r}: there is no channel {sorted(unknown)[0]!r}; there are {', '.join(CHANNELS)}")
    to, now = recipients(job.settings), job.clock.now()
    with nullcontext(connection) if connection is not None else job.store.transaction() as open_connection:
        known = {row["subject_id"] for row in deliveries.messages(open_connection, [message.subject_id for message in told])}
        new = [message for message in told if message.subject_id not in known]
        deliveries.write_messages(open_connection, [_message_row(message) for message in new])
        for message in new:
            rows = _plan_message(open_connection, message, to, now)
            deliveries.write(open_connection, [asdict(row) for row in rows])
            if to and not rows:
                logger.warning("message %r goes nowhere: none of %s is set up", message.title, ", ".join(message.channels or ()))
    return [message.subject_id for message in new]


def notify(job: Job, *, report: bool = True, dry_run: bool = False, sent_at: datetime | None = None) -> NotifyResult:
    """Send everything that is due; with `report`, the newest report is put into the outbox before.

    A message says what its report or alert said, whenever it is sent. What nobody needs any more is closed: an older report, a
    recipient that is gone, a message that has expired. Somebody who is set up anew gets the newest report and the messages of the last
    day and a half. A row is marked `sending` before and `sent` after the receiver took it: where the process dies in between, it is sent
    again when its claim has lapsed, under the same Message-ID or webhook id.

    Args:
        dry_run: tell what would be sent, and make each message; nothing is sent or stored.
        sent_at: the machine's time, where the job's clock is simulated: receivers refuse an old webhook.

    Raises:
        BadInput: no report has been written yet, and nothing else waits.
    """
    to, now = recipients(job.settings), job.clock.now()
    if not to:
        return NotifyResult(text=f"no channel is set up ({HOW_TO})")
    with job.store.transaction() as connection:
        rows = _plan(connection, to, now, report)
        if not dry_run:
            deliveries.write(connection, [asdict(row) for row in rows])
    return _dry_run(job, rows, to) if dry_run else _send_rows(job, rows, to, sent_at)


def resend(job: Job, wanted: str | None = None, *, sent_at: datetime | None = None) -> NotifyResult:
    """Send again what a person asks for, whatever became of it.

    Args:
        wanted: a report's or message's id, or the beginning of a delivery's id; None: the dead letters that are not out of date.

    Raises:
        BadInput: there is no such row.
    """
    to, now = recipients(job.settings), job.clock.now()
    with job.store.transaction() as connection:
        if wanted:
            rows = _deliveries(deliveries.matching(connection, wanted))
        else:
            newest = deliveries.newest_report(connection)
            current = [newest["report_id"]] if newest else []
            current += deliveries.recent_message_ids(connection, now - LATE_RECIPIENTS)
            rows = [row for row in _deliveries(deliveries.of_subjects(connection, current)) if row.state == "dead"]
        if not rows:
            what = f"no delivery, report or message {wanted!r}" if wanted else "no dead letter of the newest report or a recent message"
            raise BadInput(f"{what}; see `quakecast notify --list`")
        revived = [outbox.revive(row, now) for row in rows if not row.interrupted or outbox.is_due(row, now)]
        if not revived:
            raise BadInput(f"{wanted!r} is being sent at this moment; look again with `quakecast notify --list`")
        deliveries.write(connection, [asdict(row) for row in revived])
    return _send_rows(job, revived, to, sent_at)


def list_deliveries(job: Job, limit: int = 30) -> list[dict]:
    """The newest rows of the outbox, newest first."""
    with job.store.transaction() as connection:
        return [asdict(row) for row in _deliveries(deliveries.latest_rows(connection, limit))]


def _plan(connection: Connection, to: Sequence[Recipient], now: datetime, with_report: bool) -> list[Delivery]:
    """The open rows as they are to be: those that are stored, closed where nobody needs them any more, and new ones."""
    newest = deliveries.newest_report(connection)
    rows = {row.delivery_id: row for row in _deliveries(deliveries.open_rows(connection))}
    subjects = [row.subject_id for row in rows.values()] + deliveries.recent_message_ids(connection, now - LATE_RECIPIENTS)
    if with_report and newest is None and not subjects:
        raise BadInput("there is no report to send yet; write one with `quakecast report`")
    messages = {row["subject_id"]: _message(row) for row in deliveries.messages(connection, subjects)}
    planned = [row for message in messages.values() for row in _plan_message(connection, message, to, now)]
    if with_report and newest is not None and now - newest["created_at"] <= TOO_OLD:
        planned += outbox.plan(newest["report_id"], "report", to, now)
    known = {row.delivery_id: row for row in _deliveries(deliveries.of_subjects(connection, [row.subject_id for row in planned]))}
    threads = sorted({message.thread_id for message in messages.values() if message.thread_id})
    heard = {_place(row.subject_id, row): row.state for row in _deliveries(deliveries.of_subjects(connection, threads))}

    def no_need(row: Delivery) -> str | None:
        message = messages.get(row.subject_id)
        return _no_need(row, to, newest, message, now) or _unheard(row, message, heard)

    for row in planned:
        earlier = known.get(outbox.earlier_id(row.subject_id, row.channel))
        if earlier is not None and (earlier.state in ("sent", "dead") or _recipient_of(earlier, to) is not None):
            continue  # the version before has sent it, or its row is sent on
        before = known.get(row.delivery_id, row)
        if before.state == "closed" and not no_need(row):
            before = replace(before, state="pending", next_try_at=row.next_try_at)  # its recipient was gone for a while
        if before.state in outbox.OPEN_STATES:
            rows[row.delivery_id] = before
    kept = []
    for row in sorted(rows.values(), key=lambda row: (row.subject_kind == "report", row.created_at, row.channel, row.recipient)):
        reason = no_need(row)
        kept.append(outbox.close(row, reason) if reason else row)
        heard[_place(row.subject_id, row)] = kept[-1].state
    return kept


def _place(subject_id: str, row: Delivery) -> tuple[str, str, str]:
    """What identifies the row of another subject for the recipient of this one."""
    return subject_id, row.channel, row.recipient


def _unheard(row: Delivery, message: Message | None, heard: Mapping[tuple[str, str, str], str]) -> str | None:
    """Why a follow-up is not sent: what it answers never reached this recipient."""
    if message is None or message.thread_id is None or heard.get(_place(message.thread_id, row)) not in ("closed", "dead"):
        return None
    return "what it follows up on never reached this recipient"


def _plan_message(connection: Connection, message: Message, to: Sequence[Recipient], now: datetime) -> list[Delivery]:
    channels = set(CHANNELS if message.channels is None else message.channels)
    if message.channels is None and message.thread_id:
        thread = deliveries.of_subjects(connection, [message.thread_id])
        channels = set(thread["channel"]) or channels
    chosen = [recipient for recipient in to if recipient.channel in channels]
    return outbox.plan(message.subject_id, message.kind, chosen, now, message.not_before)


def _no_need(row: Delivery, to: Sequence[Recipient], newest: dict | None, message: Message | None, now: datetime) -> str | None:
    """Why nobody needs this row any more; None where it is to be sent."""
    if _recipient_of(row, to) is None:
        return _gone(row, to)
    if row.subject_kind != "report":
        expired = message is not None and message.expires_at is not None and message.expires_at <= now
        return "it had expired before it could be sent" if expired else None
    if newest is None or row.subject_id != newest["report_id"]:
        return "a newer report took its place"
    return "the report had become too old before it could be sent" if now - newest["created_at"] > TOO_OLD else None


def _dry_run(job: Job, rows: Sequence[Delivery], to: Sequence[Recipient]) -> NotifyResult:
    now, letters, result, lines = job.clock.now(), _Letters(job), NotifyResult(), []
    for row in rows:
        line, recipient = f"{row.channel} to {row.recipient}: {row.subject_kind}, {row.state}", _recipient_of(row, to)
        if outbox.is_due(row, now) and recipient is not None:
            line += f", due; {preview(letters.of(row), recipient)}"
        lines.append(line if row.state != "closed" else f"{line} ({row.last_error})")
    result.rows, result.failed, result.text = [asdict(row) for row in rows], letters.problems, "\n".join(lines) or result.text
    return result


def _send_rows(job: Job, rows: Sequence[Delivery], to: Sequence[Recipient], sent_at: datetime | None) -> NotifyResult:
    """Claim, send and mark one row after the other; one row's trouble, our own bugs included, does not keep the others.

    The clock is read for each row: a claim must outlast its own attempt, however long those before it took.
    """
    letters, result, bug = _Letters(job), NotifyResult(), None
    states = {(row.subject_id, row.channel, row.recipient): row.state for row in rows}
    for planned in rows:
        now = job.clock.now()
        if not outbox.is_due(planned, now):
            continue
        try:
            letter, recipient = letters.of(planned), _recipient_of(planned, to)
        except Exception as error:  # noqa: BLE001  raised again below, when the others have been tried
            bug = bug or error
            continue
        if letter.thread_id and states.get((letter.thread_id, planned.channel, planned.recipient)) in outbox.OPEN_STATES:
            continue  # what it answers has not been sent yet
        row, repeat = _claim(job, planned.delivery_id, now)
        if row is None:
            continue
        try:
            if recipient is None:
                done = outbox.close(row, _gone(row, to))
            else:
                done = outbox.attempt(row, partial(send, letter, recipient, job.settings, sent_at or now, repeat=repeat), job.clock.now)
        except Exception as error:  # noqa: BLE001
            bug = bug or error
            done = replace(
                row, state="failed", last_error=f"our own fault: {type(error).__name__}", next_try_at=job.clock.now() + outbox.LEASE
            )
        with job.store.transaction() as connection:
            deliveries.write(connection, [asdict(done)])
        states[(done.subject_id, done.channel, done.recipient)] = done.state
        result.rows.append(asdict(done))
        if done.state != "sent":
            result.failed.append(f"{done.channel} to {done.recipient}: {done.last_error}")
    result.failed += letters.problems
    if bug is not None:
        raise bug
    if result.rows:
        result.text = "\n".join(f"{row['channel']} to {row['recipient']}: {row['subject_kind']}, {row['state']}" for row in result.rows)
    return result


def _recipient_of(row: Delivery, to: Sequence[Recipient]) -> Recipient | None:
    of_channel = [each for each in to if each.channel == row.channel]
    if len(of_channel) == 1 and row.delivery_id == outbox.earlier_id(row.subject_id, row.channel):
        return of_channel[0]
    return next((each for each in of_channel if outbox.delivery_id(row.subject_id, each) == row.delivery_id), None)


def _gone(row: Delivery, to: Sequence[Recipient]) -> str:
    if row.delivery_id == outbox.earlier_id(row.subject_id, row.channel) and any(each.channel == row.channel for each in to):
        return f"each recipient of {row.channel} has a row of their own now"
    return f"{row.channel} to {row.recipient} is no longer set up"


def _claim(job: Job, delivery_id: str, now: datetime) -> tuple[Delivery | None, bool]:
    """The row, claimed, and whether it may have been sent before; None where another process has it or has sent it."""
    with job.store.transaction() as connection:
        (row,) = _deliveries(deliveries.by_id(connection, delivery_id))
        if not outbox.is_due(row, now):
            return None, False
        claimed = outbox.claim(row, now)
        deliveries.write(connection, [asdict(claimed)])
    return claimed, row.interrupted


class _Letters:
    """Reports and messages as letters, each made once however many recipients it has."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._made: dict[str, Letter] = {}

    def of(self, row: Delivery) -> Letter:
        if row.subject_id not in self._made:
            self._made[row.subject_id] = self._report(row.subject_id) if row.subject_kind == "report" else self._message(row.subject_id)
        return self._made[row.subject_id]

    @property
    def problems(self) -> list[str]:
        return list(dict.fromkeys(problem for letter in self._made.values() for problem in letter.problems))

    def _report(self, report_id: str) -> Letter:
        job = self._job
        with job.store.transaction() as connection:
            row = deliveries.report(connection, report_id)
        assert row is not None, f"report {report_id} is in the outbox and not in the table report"
        written_at = pd.Timestamp(row["issue_time"]).to_pydatetime()
        data = report_data(job.store, job.recipes, Clock(lambda: written_at, job.clock.simulated))
        link = f"{job.settings.base_url.rstrip('/')}/{row['path']}" if job.settings.base_url else None
        return ReportLetter(replace(data, report_id=report_id), job.settings.language, link, job.settings.templates)

    def _message(self, subject_id: str) -> Letter:
        with self._job.store.transaction() as connection:
            (message,) = map(_message, deliveries.messages(connection, [subject_id]))
            thread = deliveries.messages(connection, [message.thread_id]) if message.thread_id else []
        answered = _message(thread[0]) if thread else None
        return MessageLetter(message, self._job.settings.language, self._job.settings.templates, answered)


def _deliveries(frame: pd.DataFrame) -> list[Delivery]:
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [Delivery(**{each.name: row[each.name] for each in fields(Delivery)}) for row in rows]


def _message_row(message: Message) -> dict:
    channels = None if message.channels is None else list(message.channels)
    return {**asdict(message), "lines": list(message.lines), "facts": dict(message.facts), "channels": channels}


def _message(row: dict) -> Message:
    channels = None if row["channels"] is None else tuple(row["channels"])
    return Message(**{**row, "lines": tuple(row["lines"]), "channels": channels})
