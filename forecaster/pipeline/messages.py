"""Send the report to the channels that are set up, through the outbox: each message once a channel, tried again where that can help."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

import pandas as pd

from forecaster.clock import Clock
from forecaster.errors import BadInput
from forecaster.notify import email, outbox, webhook
from forecaster.pipeline.job import Job
from forecaster.pipeline.report import report_data
from forecaster.pipeline.senders import mail_settings, recipients, webhook_settings
from forecaster.reports import export, mails
from forecaster.reports.contract import ReportData
from forecaster.settings import Settings
from forecaster.store import ledger


@dataclass
class NotifyResult:
    """The rows that were tried, the failures in words, and a text for people."""

    rows: list[dict] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    text: str = "no channel is set up (QUAKECAST_SMTP_HOST and QUAKECAST_MAIL_TO, or QUAKECAST_WEBHOOK_URL)"


def notify(job: Job, *, dry_run: bool = False, sent_at: datetime | None = None) -> NotifyResult:
    """Put the newest report into the outbox, then try every message that is due.

    A message says what its report said, whenever it is sent; one of an older report is given up, for the newer one takes its place.
    A message is marked as sent after the receiver took it: where the process dies in between it is sent again, under the same
    Message-ID or webhook id. `sent_at` is the machine's time, where the job's clock is simulated: receivers refuse an old webhook.

    Raises:
        BadInput: no report has been written yet.
    """
    now = job.clock.now()
    to = recipients(job.settings)
    if not to:
        return NotifyResult()
    with job.store.transaction() as connection:
        report = ledger.newest_report(connection)
        if report is None:
            raise BadInput("there is no report to send yet; write one with `quakecast report`")
        known = {row.delivery_id: row for row in _deliveries(ledger.deliveries_of(connection, report["report_id"]))}
    planned = [known.get(row.delivery_id, row) for row in outbox.plan_deliveries(report["report_id"], to, now)]
    if dry_run:
        lines = [f"{row.channel} to {row.recipient}: {row.state}" + (", due" if outbox.is_due(row, now) else "") for row in planned]
        return NotifyResult([asdict(row) for row in planned], text="\n".join(lines))
    _store(job, planned)
    with job.store.transaction() as connection:
        waiting = _deliveries(ledger.pending_deliveries(connection, now))
    due = [row for row in waiting if row.subject_id == report["report_id"]]
    _store(job, [_overtaken(row) for row in waiting if row.subject_id != report["report_id"]])
    written_at = pd.Timestamp(report["issue_time"]).to_pydatetime()
    data = report_data(job.store, job.recipes, Clock(lambda: written_at, job.clock.simulated))
    data = replace(data, report_id=report["report_id"])
    link = f"{job.settings.base_url.rstrip('/')}/{report['path']}" if job.settings.base_url else None
    senders = _senders(job.settings, data, link, sent_at or now)
    result = NotifyResult(text="nothing was due")
    for row in due:
        done = outbox.deliver([row], senders, now)
        _store(job, done)
        result.rows += [asdict(item) for item in done]
        result.failed += [f"{item.channel} to {item.recipient}: {item.last_error}" for item in done if item.state in ("failed", "dead")]
    if result.rows:
        result.text = "\n".join(f"{row['channel']} to {row['recipient']}: {row['state']}" for row in result.rows)
    return result


def _senders(settings: Settings, data: ReportData, link: str | None, now: datetime) -> dict[str, Callable[[outbox.Delivery], Any]]:
    """Channel -> function that sends one message; only the channels that are set up."""
    mail, hook = mail_settings(settings), webhook_settings(settings)

    def send_mail(row: outbox.Delivery) -> Any:
        subject, text, html = mails.render_email(data, settings.language, link)
        pictures = mails.email_pictures(data, settings.language)
        return email.send_email(email.build_message(row.subject_id, subject, text, html, pictures, mail, now), mail)

    def send_hook(row: outbox.Delivery) -> Any:
        document = export.webhook_document(data, link)
        export.check_document("webhook.json", document)
        return webhook.send_webhook(document, row.delivery_id, hook, now)

    every = {"email": send_mail, "webhook": send_hook}
    return {channel: send for channel, send in every.items() if channel in recipients(settings)}


def _overtaken(row: outbox.Delivery) -> outbox.Delivery:
    """A message that nobody needs any more."""
    return replace(
        row, state="dead", next_try_at=None, last_error=f"a newer report took its place; before that: {row.last_error or 'not tried'}"
    )


def _deliveries(frame: pd.DataFrame) -> list[outbox.Delivery]:
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [outbox.Delivery(**{name: row[name] for name in outbox.Delivery.__dataclass_fields__}) for row in rows]


def _store(job: Job, rows: list[outbox.Delivery]) -> None:
    with job.store.transaction() as connection:
        ledger.insert(connection, "delivery", [asdict(row) for row in rows], replace=True)
