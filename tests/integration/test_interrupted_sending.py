"""A process that is killed between sending a message and noting that it was sent: a real process, and real servers that kill it."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from forecaster.clock import Clock
from forecaster.pipeline.messaging.deliver import Message, enqueue, notify
from forecaster.pipeline.run_context import Job
from forecaster.settings import load_settings
from tests.support.slack_server import SlackServer
from tests.support.slow_server import SlowServer
from tests.support.smtp_server import SmtpServer
from tests.support.toys import table
from tests.support.web_server import Asked, Reply, WebServer
from tests.support.webhook_server import SECRET

pytestmark = pytest.mark.closed_files

ROOT = Path(__file__).resolve().parents[2]
CHILD = """
import json, signal, sys
from datetime import datetime
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts jobs in the background with SIGINT ignored
from forecaster.clock import Clock
from forecaster.pipeline.run_context import Job
from forecaster.pipeline.messaging.deliver import notify
from forecaster.settings import load_settings
from forecaster.store.database import open_store
settings = load_settings(**json.loads(sys.argv[1]))
moment = datetime.fromisoformat(sys.argv[2])
notify(Job(settings, open_store(settings.database), [], Clock(lambda: moment, simulated=False), "run"))
"""


@dataclass
class Killer:
    """Kills the process that sends, once; from then on it lets live."""

    child: list[subprocess.Popen] = field(default_factory=list)

    def strike(self) -> None:
        if self.child:
            child = self.child.pop()
            os.kill(child.pid, signal.SIGKILL)
            child.wait(300)


class KillingHook(WebServer):
    killer: Killer

    def judge(self, asked: Asked) -> Reply:
        self.killer.strike()
        return 204


class KillingSlack(SlackServer):
    killer: Killer

    def judge(self, asked: Asked) -> Reply:
        reply = super().judge(asked)
        self.killer.strike()
        return reply


class KillingSmtp(SmtpServer):
    killer: Killer

    async def handle_DATA(self, *arguments: Any) -> str:
        answer = await super().handle_DATA(*arguments)
        self.killer.strike()
        return answer


class InterruptingHook(WebServer):
    """Takes the first message, and asks the process to stop when it gets the second."""

    killer: Killer

    def judge(self, asked: Asked) -> Reply:
        if len(self.asked) == 2 and self.killer.child:
            child = self.killer.child.pop()
            child.send_signal(signal.SIGINT)
            child.wait(300)
        return 204


def test_a_process_that_is_asked_to_stop_waits_for_nobody_and_what_it_had_begun_is_sent_later(store, settings):
    """The mail server says nothing; the webhook's first message is marked, the second is under way. Nothing is lost, and nothing that was
    marked is sent twice."""
    now, killer = datetime.now(UTC).replace(microsecond=0), Killer()
    with InterruptingHook() as hook, SlowServer() as silent, SmtpServer() as smtp:
        hook.killer = killer
        told: dict[str, Any] = {"home": str(settings.home), "smtp_host": "127.0.0.1", "smtp_port": silent.port, "smtp_security": "none"}
        told |= {"webhook_url": f"http://127.0.0.1:{hook.port}/hook", "webhook_secret": SECRET, "webhook_allow_private": True}
        told |= {"mail_to": "a@example.org"}

        def job(moment: datetime, **changes: Any) -> Job:
            return Job(load_settings(**(told | changes)), store, [], Clock(lambda: moment, simulated=False), "run")

        for number in range(3):
            enqueue(job(now - timedelta(minutes=3 - number)), [Message(f"alert-{number}", "alert", f"title {number}", ("line",), now)])
        child = subprocess.Popen([sys.executable, "-c", CHILD, json.dumps(told), now.isoformat()], cwd=ROOT, stderr=subprocess.PIPE)
        killer.child.append(child)
        assert child.wait(300) == -signal.SIGINT and silent.accepted.is_set()
        child.stderr.close()
        states = table(store, "delivery").sort_values(["channel", "subject_id"])["state"].tolist()
        assert states == ["sending", "pending", "pending", "sent", "sending", "pending"]
        later = job(now + timedelta(minutes=10), smtp_port=smtp.port)
        assert notify(later).failed == []
    assert set(table(store, "delivery")["state"]) == {"sent"} and len(smtp.messages) == 3
    ids = [asked.headers["webhook-id"] for asked in hook.asked]
    assert len(ids) == 4 and len(set(ids)) == 3 and ids.count(ids[1]) == 2


@pytest.mark.parametrize("channel", ["email", "webhook", "slack"])
def test_it_is_sent_again_when_the_claim_has_lapsed_under_the_same_id_or_with_a_word(channel: str, store, settings) -> None:
    """At least once, and never silently twice: by the Message-ID, the webhook-id, or (Slack has none) by what the message says."""
    now, killer = datetime.now(UTC).replace(microsecond=0), Killer()
    with KillingHook() as hook, KillingSlack() as slack, KillingSmtp() as smtp:
        hook.killer = slack.killer = smtp.killer = killer
        told: dict[str, Any] = {
            "home": str(settings.home),
            "smtp_host": "127.0.0.1",
            "smtp_port": smtp.port,
            "smtp_security": "none",
            "mail_to": "a@example.org",
            "webhook_url": f"http://127.0.0.1:{hook.port}/hook",
            "webhook_secret": SECRET,
            "webhook_allow_private": True,
            "slack_webhook_url": slack.url,
        }

        def job(moment: datetime) -> Job:
            return Job(load_settings(**told), store, [], Clock(lambda: moment, simulated=False), "run")

        enqueue(job(now), [Message("alert-1", "alert", "title", ("line",), now, channels=(channel,))])
        child = subprocess.Popen([sys.executable, "-c", CHILD, json.dumps(told), now.isoformat()], cwd=ROOT)
        killer.child.append(child)
        assert child.wait(300) == -signal.SIGKILL
        row = table(store, "delivery").iloc[0]
        assert (row["state"], row["attempts"]) == ("sending", 1)
        assert notify(job(now + timedelta(minutes=9))).rows == []  # the claim of the dead still stands
        assert [done["state"] for done in notify(job(now + timedelta(minutes=10))).rows] == ["sent"]
        assert notify(job(now + timedelta(hours=2))).rows == []
    assert table(store, "delivery").iloc[0]["attempts"] == 2
    if channel == "email":
        first, again = smtp.messages
        assert first["Message-ID"] == again["Message-ID"]
    elif channel == "webhook":
        first_asked, again_asked = hook.asked
        assert first_asked.headers["webhook-id"] == again_asked.headers["webhook-id"] and first_asked.body == again_asked.body
    else:
        said = [json.dumps(payload) for payload in slack.posted]
        assert ["may be a repeat" in text for text in said] == [False, True]
