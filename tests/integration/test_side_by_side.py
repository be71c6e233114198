"""Channels of a batch side by side, over real sockets: shown by the order of events, which sending one after another cannot have."""

import asyncio
import base64
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from forecaster.clock import Clock
from forecaster.pipeline.messaging.deliver import Message, enqueue, notify
from forecaster.pipeline.messaging.operator import report_to_operator
from forecaster.pipeline.run_context import Job
from forecaster.settings import load_settings
from forecaster.store.database import Store
from tests.support.slack_server import SlackServer
from tests.support.smtp_server import SmtpServer
from tests.support.toys import table
from tests.support.web_server import Asked, Reply, WebServer

pytestmark = pytest.mark.closed_files

NOW = datetime(2024, 1, 2, 12, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(b"of these tests only, 32 bytes...").decode()
CHANNELS = ("email", "slack", "webhook")
ENOUGH_S = 14.0  # less than the time-out of a receiver


class Meeting:
    """Whoever comes waits for two others; nobody waits a second time."""

    def __init__(self) -> None:
        self._barrier = threading.Barrier(3)
        self.met = False

    def wait(self) -> None:
        if not self.met:
            self._barrier.wait(ENOUGH_S)
            self.met = True


class Meets:
    """A server that answers its first message when all have got one."""

    meeting: Meeting


class MeetingHook(Meets, WebServer):
    def judge(self, asked: Asked) -> Reply:
        self.meeting.wait()
        return super().judge(asked)


class MeetingSlack(Meets, SlackServer):
    def judge(self, asked: Asked) -> Reply:
        self.meeting.wait()
        return super().judge(asked)


class MeetingSmtp(Meets, SmtpServer):
    async def handle_DATA(self, *arguments: Any) -> str:
        await asyncio.to_thread(self.meeting.wait)
        return await super().handle_DATA(*arguments)


@contextmanager
def receivers(meeting: Meeting, **changes: Any):
    """The three servers, and the settings that name them."""
    with MeetingHook() as hook, MeetingSlack() as slack, MeetingSmtp(**changes) as smtp:
        hook.meeting = slack.meeting = smtp.meeting = meeting
        told = {"smtp_host": "127.0.0.1", "smtp_port": smtp.port, "smtp_security": "none", "mail_to": "a@example.org"}
        told |= {"webhook_url": f"http://127.0.0.1:{hook.port}/hook", "webhook_secret": SECRET, "webhook_allow_private": True}
        yield hook, slack, smtp, told | {"slack_webhook_url": slack.url}


def work(store: Store, settings: Any, told: dict[str, Any], alerts: int) -> Job:
    """A job with so many alerts in its outbox, of a minute each."""

    def at(minute: int) -> Job:
        moment = NOW + timedelta(minutes=minute)
        return Job(load_settings(home=settings.home, **told), store, [], Clock(lambda: moment, simulated=False), "run")

    for number in range(alerts):
        enqueue(at(number), [Message(f"alert-{number}", "alert", f"Niigata {number}", ("line",), NOW)])
    return at(alerts)


def test_no_channel_waits_for_another_and_each_keeps_its_order_and_its_connection(store, settings, monkeypatch):
    """Every server answers its first message when the others have got theirs: sent one after another, the first would time out."""
    users, transaction = set(), Store.transaction

    def noted(self: Store, *arguments: Any, **options: Any):
        users.add(threading.get_ident())
        return transaction(self, *arguments, **options)

    with receivers(Meeting()) as (hook, slack, smtp, told):
        job = work(store, settings, told, 3)
        with monkeypatch.context() as patch:
            patch.setattr(Store, "transaction", noted)
            result = notify(job)
        assert smtp.connections == hook.connections == slack.connections == 1
    assert result.failed == [] and set(table(store, "delivery")["state"]) == {"sent"}
    assert [(row["channel"], row["subject_id"]) for row in result.rows] == [
        (channel, f"alert-{number}") for number in range(3) for channel in CHANNELS
    ]
    titles = [f"Niigata {number}" for number in range(3)]
    assert [mail["Subject"] for mail in smtp.messages] == titles
    assert [title for asked in hook.asked for title in titles if title in asked.body.decode()] == titles
    assert users == {threading.get_ident()}, "only the thread that owns the batch uses the database"


def test_the_operator_is_told_by_all_channels_at_once(settings):
    with receivers(Meeting()) as (hook, slack, smtp, told):
        assert report_to_operator(load_settings(home=settings.home, **told), "a run failed", "why", "key", datetime.now(UTC)) == []
    assert len(hook.asked) == len(slack.posted) == len(smtp.messages) == 1


def test_the_failure_of_a_channel_is_its_own(store, settings):
    """The mail server refuses the reader, Slack is gone; they fail at the same time, and the webhook takes everything."""
    meeting = Meeting()
    with receivers(meeting, answers={"a@example.org": "550 gone"}) as (hook, slack, _, told):
        meeting.met = True
        result = notify(work(store, settings, told | {"slack_webhook_url": f"{slack.url}/nowhere"}, 2))
    states = table(store, "delivery").groupby("channel")["state"].agg(lambda each: sorted(each)).to_dict()
    assert states["email"] == ["dead", "dead"] and states["webhook"] == ["sent", "sent"] and "sent" not in states["slack"]
    assert len(hook.asked) == 2 and len(result.failed) == 4


def test_a_bug_of_ours_stops_its_message_and_is_raised_when_all_others_were_sent(store, settings, monkeypatch):
    from forecaster.notify.channels.slack_channel import SlackChannel

    def broken(*arguments: Any, **options: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(SlackChannel, "send", broken)
    meeting = Meeting()
    with receivers(meeting) as (hook, _, smtp, told):
        meeting.met = True
        with pytest.raises(ZeroDivisionError):
            notify(work(store, settings, told, 2))
    rows = table(store, "delivery").set_index("channel")
    assert set(rows.loc[["email", "webhook"], "state"]) == {"sent"} and len(hook.asked) == len(smtp.messages) == 2
    assert set(rows.loc["slack", "state"]) == {"failed"} and set(rows.loc["slack", "last_error"]) == {"our own fault: ZeroDivisionError"}
