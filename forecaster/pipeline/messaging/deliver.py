"""The outbox: sends reports and messages to all configured recipients, once each, and retries where that can help.

messages.enqueue(job, [Message(...)])     an alert, a correction, an operations message: stored, and planned for its recipients
messages.notify(job)                      plan the newest report, then send everything that is due
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from forecaster.errors import BadInput
from forecaster.notify import outbox
from forecaster.notify.outbox import Delivery, Recipient
from forecaster.pipeline import replay_homes
from forecaster.pipeline.messaging.senders import recipients
from forecaster.pipeline.messaging.sending import NotifyResult, dry_run_result, gone, message_of, recipient_of, rows_of, send_rows
from forecaster.pipeline.run_context import Job
from forecaster.registry.message_channels import CHANNELS, how_to_set_up
from forecaster.reports.outgoing.message import Message
from forecaster.store import deliveries
from forecaster.store.database import Connection
from forecaster.store.typed_rows.alert_types import MessageRow, NewestReport

__all__ = ["Message", "NotifyResult", "enqueue", "list_deliveries", "notify", "resend"]

logger = logging.getLogger(__name__)

LATE_RECIPIENTS = timedelta(hours=36)  # a newly configured recipient gets the newest report and the messages of this period
TOO_OLD = timedelta(hours=48)  # an older report is about days that are over, and is not sent


def enqueue(job: Job, messages: Iterable[Message], connection: Connection | None = None) -> list[str]:
    """Store messages and plan one delivery for each of their recipients; `notify` sends them. Returns the ids that are new.

    Enqueuing again changes nothing: a message whose `subject_id` is known stays as it was, and nobody gets it twice. All is stored in one
    transaction. With `connection` it is the caller's, so that an alert and its message are stored together or not at all.

    A follow-up (`thread_id`) without `channels` goes to the channels of its thread; it is sent after the message that it follows up on.

    Raises:
        BadInput: a channel that does not exist, with the message's title.
    """
    unique = list({message.subject_id: message for message in reversed(list(messages))}.values())[::-1]
    for message in unique:
        if unknown := set(message.channels or ()) - set(CHANNELS):
            raise BadInput(f"message {message.title!r}: there is no channel {sorted(unknown)[0]!r}; there are {', '.join(CHANNELS)}")
    to, now = recipients(job.settings), job.clock.now()
    with nullcontext(connection) if connection is not None else job.store.transaction() as open_connection:
        known = {row["subject_id"] for row in deliveries.messages(open_connection, [message.subject_id for message in unique])}
        new = [message for message in unique if message.subject_id not in known]
        deliveries.write_messages(open_connection, [_message_row(message) for message in new])
        for message in new:
            rows = _plan_message(open_connection, message, to, now)
            deliveries.write(open_connection, [asdict(row) for row in rows])
            if to and not rows:
                logger.warning("message %r goes nowhere: none of %s is set up", message.title, ", ".join(message.channels or ()))
    return [message.subject_id for message in new]


def notify(job: Job, *, report: bool = True, dry_run: bool = False, sent_at: datetime | None = None) -> NotifyResult:
    """Send everything that is due. With `report`, the newest report is put into the outbox first.

    A message has the content of its report or alert, whenever it is sent. Deliveries that are no longer needed are closed: an older report,
    a removed recipient, an expired message. A newly configured recipient gets the newest report and the messages of the last day and a
    half. A row is marked `sending` before, and `sent` after, the receiver took it. If the process dies in between, the message is sent
    again when the claim has expired, under the same Message-ID or webhook id.

    Args:
        dry_run: report what would be sent, and render each message; nothing is sent or stored.
        sent_at: the machine's time, where the job's clock is simulated: receivers refuse an old webhook.

    Raises:
        BadInput: no report has been written yet, and nothing else waits; or the home belongs to a replay, and the clock is the machine's.
    """
    to, now = recipients(job.settings), job.clock.now()
    if not to:
        return NotifyResult(text=f"no channel is set up ({how_to_set_up()}); `quakecast notify --preview` shows what would be sent")
    if not (dry_run or job.clock.simulated):
        replay_homes.check(job.store, job.clock)
    with job.store.transaction() as connection:
        rows = _plan(connection, to, now, report)
        if not dry_run:
            deliveries.write(connection, [asdict(row) for row in rows])
        why = None if any(outbox.is_due(row, now) for row in rows) else _why_nothing(connection, rows, now, report)
    result = dry_run_result(job, rows, to) if dry_run else send_rows(job, rows, to, sent_at)
    if why is not None:
        result.text = "\n".join([*([result.text] if result.rows else []), why])
    return result


def resend(job: Job, wanted: str | None = None, *, sent_at: datetime | None = None) -> NotifyResult:
    """Send again what a person asks for, whatever its state.

    Args:
        wanted: a report's or message's id, or the beginning of a delivery's id; None: the dead letters that are not out of date.

    Raises:
        BadInput: there is no such row.
    """
    to, now = recipients(job.settings), job.clock.now()
    with job.store.transaction() as connection:
        if wanted:
            rows = rows_of(deliveries.matching(connection, wanted))
        else:
            newest = deliveries.newest_report(connection)
            current = [newest["report_id"]] if newest else []
            current += deliveries.recent_message_ids(connection, now - LATE_RECIPIENTS)
            rows = [row for row in rows_of(deliveries.of_subjects(connection, current)) if row.state == "dead"]
        if not rows:
            what = f"no delivery, report or message {wanted!r}" if wanted else "no dead letter of the newest report or a recent message"
            raise BadInput(f"{what}; see `quakecast notify --list`")
        revived = [outbox.revive(row, now) for row in rows if not row.interrupted or outbox.is_due(row, now)]
        if not revived:
            raise BadInput(f"{wanted!r} is being sent at this moment; look again with `quakecast notify --list`")
        deliveries.write(connection, [asdict(row) for row in revived])
    return send_rows(job, revived, to, sent_at)


def list_deliveries(job: Job, limit: int = 30) -> list[dict[str, Any]]:
    """Return the newest rows of the outbox, newest first."""
    with job.store.transaction() as connection:
        return [asdict(row) for row in rows_of(deliveries.latest_rows(connection, limit))]


def _plan(connection: Connection, to: Sequence[Recipient], now: datetime, with_report: bool) -> list[Delivery]:
    """Return the open rows as they should be: the stored ones, closed where no longer needed, and new ones."""
    newest = deliveries.newest_report(connection)
    rows = {row.delivery_id: row for row in rows_of(deliveries.open_rows(connection))}
    subjects = [row.subject_id for row in rows.values()] + deliveries.recent_message_ids(connection, now - LATE_RECIPIENTS)
    if with_report and newest is None and not subjects:
        raise BadInput("there is no report to send yet; write one with `quakecast report`")
    messages = {row["subject_id"]: message_of(row) for row in deliveries.messages(connection, subjects)}
    planned = [row for message in messages.values() for row in _plan_message(connection, message, to, now)]
    if with_report and newest is not None and newest["has_document"] and now - newest["issue_time"] <= TOO_OLD:
        planned += outbox.plan(newest["report_id"], "report", to, now)
    known = {row.delivery_id: row for row in rows_of(deliveries.of_subjects(connection, [row.subject_id for row in planned]))}
    threads = sorted({message.thread_id for message in messages.values() if message.thread_id})
    heard = {_place(row.subject_id, row): row.state for row in rows_of(deliveries.of_subjects(connection, threads))}

    def no_need(row: Delivery) -> str | None:
        message = messages.get(row.subject_id)
        return _no_need(row, to, newest, message, now) or _unheard(row, message, heard)

    for row in planned:
        earlier = known.get(outbox.earlier_id(row.subject_id, row.channel))
        if earlier is not None and (earlier.state in ("sent", "dead") or (earlier.state != "closed" and recipient_of(earlier, to))):
            continue  # an earlier version has sent it, or will send its own row
        before = known.get(row.delivery_id, row)
        if before.state == "closed" and not no_need(row):
            before = replace(before, state="pending", next_try_at=row.next_try_at)  # its recipient was removed for a while
        if before.state in outbox.OPEN_STATES:
            rows[row.delivery_id] = before
    kept = []
    for row in sorted(rows.values(), key=lambda row: (row.subject_kind == "report", row.created_at, row.channel, row.recipient)):
        reason = no_need(row)
        kept.append(outbox.close(row, reason) if reason else row)
        heard[_place(row.subject_id, row)] = kept[-1].state
    return kept


def _why_nothing(connection: Connection, rows: Sequence[Delivery], now: datetime, with_report: bool) -> str:
    """Explain in one line why nothing is sent now."""
    waiting = [row for row in rows if row.state in outbox.OPEN_STATES]
    reasons = [_report_now(connection, now)] if with_report else []
    if waiting:
        first = min(row.next_try_at for row in waiting if row.next_try_at)
        reasons.append(f"{len(waiting)} waiting, the first until {first:%Y-%m-%d %H:%M}Z")
    else:
        reasons.append("no alert or other message waits")
    return f"nothing was due: {'; '.join(reasons)}; `quakecast notify --preview` shows what the newest looks like"


def _report_now(connection: Connection, now: datetime) -> str:
    """Return whether the newest report has been sent, or why not."""
    newest = deliveries.newest_report(connection)
    if newest is None:
        return "no report has been written yet"
    named = f"the newest report, of {newest['issue_time']:%Y-%m-%d %H:%M}Z,"
    if not newest["has_document"]:
        return f"{named} was written by an earlier version and cannot be sent (`quakecast report` writes it again)"
    states = Counter(deliveries.of_subjects(connection, [newest["report_id"]])["state"])
    if set(states) == {"sent"}:
        return f"{named} has been sent to all {states['sent']} recipients" if states["sent"] > 1 else f"{named} has been sent"
    if now - newest["issue_time"] > TOO_OLD:
        return f"{named} is older than {TOO_OLD / timedelta(hours=1):.0f} hours, and such a report is not sent"
    return f"{named} is {', '.join(f'{state} for {count}' for state, count in sorted(states.items())) or 'for nobody'}"


def _place(subject_id: str, row: Delivery) -> tuple[str, str, str]:
    """Return the key of this recipient's row of another subject."""
    return subject_id, row.channel, row.recipient


def _unheard(row: Delivery, message: Message | None, heard: Mapping[tuple[str, str, str], str]) -> str | None:
    """Explain why a follow-up is not sent: the message that it follows up on never reached this recipient."""
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


def _no_need(row: Delivery, to: Sequence[Recipient], newest: NewestReport | None, message: Message | None, now: datetime) -> str | None:
    """Explain why this row is no longer needed; None where it is to be sent."""
    if recipient_of(row, to) is None:
        return gone(row, to)
    if row.subject_kind != "report":
        expired = message is not None and message.expires_at is not None and message.expires_at <= now
        return "it had expired before it could be sent" if expired else None
    if newest is None or row.subject_id != newest["report_id"]:
        return "a newer report took its place"
    if not newest["has_document"]:
        return "an earlier version wrote the report and kept no document of it; `quakecast report` writes it again"
    return "the report had become too old before it could be sent" if now - newest["issue_time"] > TOO_OLD else None


def _message_row(message: Message) -> MessageRow:
    return {
        "subject_id": message.subject_id,
        "kind": message.kind,
        "severity": message.severity,
        "title": message.title,
        "lines": list(message.lines),
        "facts": dict(message.facts),
        "link": message.link,
        "thread_id": message.thread_id,
        "channels": None if message.channels is None else list(message.channels),
        "created_at": message.created_at,
        "not_before": message.not_before,
        "expires_at": message.expires_at,
    }
