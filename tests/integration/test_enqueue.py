"""Alerts, corrections and words about the operation through the outbox: each once, where it belongs, in its time and order."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from forecaster.clock import Clock
from forecaster.errors import BadInput
from forecaster.notify import outbox
from forecaster.notify.channels.mail_building import message_id
from forecaster.pipeline.messaging.deliver import Message, enqueue, list_deliveries, notify, resend
from forecaster.pipeline.run_context import Job
from forecaster.reports.map_files import check_document
from forecaster.settings import load_settings
from tests.support.channels import channels_to
from tests.support.slack_server import SlackServer, said
from tests.support.smtp_server import SmtpServer
from tests.support.steps import machine
from tests.support.toys import dump, table
from tests.support.web_server import WebServer
from tests.support.webhook_server import SECRET, WebhookServer

MAIL_FROM = "q@example.org"


@pytest.fixture
def servers():
    with SmtpServer() as smtp, WebhookServer(SECRET) as hook, SlackServer() as slack, WebServer() as chat:
        yield smtp, hook, slack, chat


@pytest.fixture
def job(store, settings, servers, now):
    """make(moment, **settings): the job as of a moment, all four channels set up, two readers of mail."""
    smtp, hook, slack, chat = servers
    two = {"mail_from": MAIL_FROM, "mail_to": "a@example.org, b@example.org"}
    every = channels_to(smtp, hook, slack, apprise_urls=f"json://127.0.0.1:{chat.port}/T0KEN", **two)

    def make(moment=now, **changes) -> Job:
        made = load_settings(home=settings.home, **(every | changes))
        return Job(made, store, [], machine(moment), "run")

    return make


@pytest.fixture
def alert(now) -> Message:
    facts = {"probability": 0.21, "usual_probability": 0.046}
    return Message("alert-1", "alert", "Niigata: 21 %, 4.6 times the usual 4.6 %", ("Window ...",), now, "warning", facts=facts)


def states(store) -> dict:
    frame = table(store, "delivery")
    return {(row["subject_id"], row["channel"], row["recipient"].split(" ")[0]): row["state"] for row in frame.to_dict("records")}


def test_an_alert_reaches_everybody_once(job, alert, store, servers, now):
    smtp, hook, slack, chat = servers
    assert enqueue(job(), [alert, alert]) == ["alert-1"] and enqueue(job(), [replace(alert, title="another")]) == []
    assert len(notify(job()).rows) == 5
    before = dump(store)
    for minutes in (0, 20, 2000):
        assert notify(job(now + timedelta(minutes=minutes))).rows == [] or minutes == 0
    assert dump(store) == before
    assert [(mail["To"], mail["Subject"]) for mail in smtp.messages] == [(to, alert.title) for to in ("a@example.org", "b@example.org")]
    (document,) = hook.received
    check_document("webhook.json", document)
    assert (document["kind"], document["message_id"], document["facts"]["probability"]) == ("alert", "alert-1", 0.21)
    assert [payload["text"] for payload in slack.posted] == [alert.title] and len(chat.asked) == 1
    assert set(table(store, "delivery")["state"]) == {"sent"}


def test_alert_and_message_are_stored_together_or_not_at_all(job, alert, store):
    with suppress(ZeroDivisionError), store.transaction() as connection:
        enqueue(job(), [alert], connection)
        raise ZeroDivisionError
    assert table(store, "message").empty and table(store, "delivery").empty


def test_a_message_goes_to_its_own_channels_and_a_strange_one_is_refused(job, alert, store, servers, caplog):
    enqueue(job(), [replace(alert, channels=("slack", "apprise"))])
    assert {row["channel"] for row in notify(job()).rows} == {"slack", "apprise"} and not servers[0].messages
    enqueue(job(slack_webhook_url=""), [replace(alert, subject_id="alert-2", channels=("slack",))])
    assert "goes nowhere: none of slack is set up" in caplog.text
    with pytest.raises(BadInput, match="there is no channel 'pigeon'; there are email, webhook, slack, apprise"):
        enqueue(job(), [replace(alert, subject_id="alert-3", channels=("pigeon",))])


def test_who_never_got_an_alert_gets_no_follow_up(job, alert, store, servers, now):
    """One reader's server refused the alert for good; the other one is told of its correction."""
    smtp = servers[0]
    smtp.answers["a@example.org"] = "550 no such user"
    enqueue(job(), [replace(alert, channels=("email",))])
    notify(job())
    smtp.answers.clear()
    later = now + timedelta(minutes=2)
    enqueue(job(later), [Message("c-1", "correction", "It was M 4.4", ("A revision ...",), later, thread_id="alert-1")])
    notify(job(later))
    before = dump(store)
    notify(job(later + timedelta(minutes=30)))
    assert dump(store) == before
    assert [mail["To"] for mail in smtp.messages] == ["b@example.org"] * 2
    assert states(store)["c-1", "email", "a...@example.org"] == "closed"
    rows = table(store, "delivery")
    assert rows.loc[rows["state"] == "closed", "last_error"].tolist() == ["what it follows up on never reached this recipient"]


def test_a_correction_follows_in_the_same_channels_and_thread_and_never_before(job, alert, store, servers, now):
    """The first mail is greylisted: its correction waits for it, on that channel only."""
    smtp, hook, slack, _ = servers
    smtp.answers["a@example.org"] = "451 greylisted"
    enqueue(job(), [replace(alert, channels=("email", "slack"))])
    notify(job())
    later = now + timedelta(minutes=2)
    enqueue(job(later), [Message("c-1", "correction", "It was M 4.4", ("A revision ...",), later, thread_id="alert-1")])
    notify(job(later))
    assert states(store) == {
        ("alert-1", "email", "a...@example.org"): "failed",
        ("alert-1", "email", "b...@example.org"): "sent",
        ("alert-1", "slack", slack.url.partition("/services")[0]): "sent",
        ("c-1", "email", "a...@example.org"): "pending",
        ("c-1", "email", "b...@example.org"): "sent",
        ("c-1", "slack", slack.url.partition("/services")[0]): "sent",
    }
    smtp.answers.clear()
    notify(job(now + timedelta(minutes=5)))
    first, answer = [mail for mail in smtp.messages if mail["To"] == "a@example.org"]
    assert (first["Message-ID"], answer["References"], answer["Subject"]) == (
        message_id("alert-1", MAIL_FROM),
        message_id("alert-1", MAIL_FROM),
        "Correction: It was M 4.4",
    )
    assert not hook.received and slack.posted[1]["text"] == "Correction: It was M 4.4"
    follows = f"This follows up on: {alert.title} ({now.day} {now:%b %Y, %H:%M} UTC)"
    assert follows in str(slack.posted[1]["blocks"]) and follows in " ".join(answer.get_body(("plain",)).get_content().split())
    assert "follows up" not in str(slack.posted[0])


def test_quiet_hours_hold_a_message_back_and_its_end_closes_it(job, alert, store, servers, now):
    morning, end = now + timedelta(hours=8), now + timedelta(hours=20)
    held = replace(alert, not_before=morning, expires_at=end)
    enqueue(job(), [held, replace(held, subject_id="alert-2", expires_at=now + timedelta(hours=7))])
    assert notify(job()).rows == [] and notify(job(morning - timedelta(seconds=1))).rows == []
    assert {row["subject_id"] for row in notify(job(morning)).rows} == {"alert-1"}
    late = table(store, "delivery").set_index("subject_id").loc["alert-2"]
    assert set(late["state"]) == {"closed"} and set(late["last_error"]) == {"it had expired before it could be sent"}


def test_a_busy_channel_is_asked_again_when_it_said(job, alert, store, servers, now):
    slack = servers[2]
    slack.answers.append(said(429, "rate_limited", **{"Retry-After": "1800"}))
    enqueue(job(), [replace(alert, channels=("slack",))])
    notify(job())
    assert table(store, "delivery")["next_try_at"][0] == now + timedelta(minutes=30)
    assert notify(job(now + timedelta(minutes=29))).rows == []
    assert notify(job(now + timedelta(minutes=30))).rows[0]["state"] == "sent"


def test_a_channel_that_is_gone_is_closed_and_comes_back_when_it_is_set_up_again(job, alert, store, servers, now):
    slack = servers[2]
    slack.answers += [said(503, "down")] * 2
    enqueue(job(), [replace(alert, channels=("slack", "email"))])
    notify(job())
    hour = now + timedelta(hours=1)
    assert notify(job(hour, slack_webhook_url="")).rows == []
    row = table(store, "delivery").set_index("channel").loc["slack"]
    assert (row["state"], row["last_error"].partition(";")[0]) == ("closed", f"slack to http://127.0.0.1:{slack.port} is no longer set up")
    assert notify(job(hour, smtp_host="", webhook_url="", apprise_urls="", slack_webhook_url="")).text.startswith("no channel is set up")
    slack.answers.clear()
    assert [row["state"] for row in notify(job(hour)).rows] == ["sent"]
    assert len(slack.posted) == 1 and len(servers[0].messages) == 2


def test_a_dead_letter_waits_for_a_person_and_is_sent_again_when_asked(job, alert, store, servers, now):
    slack = servers[2]
    slack.answers.append(said(410, "channel_is_archived"))
    enqueue(job(), [replace(alert, channels=("slack",))])
    assert "answered 410 channel_is_archived; make a new webhook" in notify(job()).failed[0]
    assert notify(job(now + timedelta(hours=9))).rows == []
    assert [row["state"] for row in list_deliveries(job())] == ["dead"]
    assert [row["state"] for row in resend(job(now + timedelta(hours=9))).rows] == ["sent"] and len(slack.posted) == 1
    with pytest.raises(BadInput, match="no dead letter"):
        resend(job(now + timedelta(hours=9)))
    (row,) = list_deliveries(job())
    assert [each["state"] for each in resend(job(), row["delivery_id"][:12]).rows] == ["sent"] and len(slack.posted) == 2
    assert [each["state"] for each in resend(job(), "alert-1").rows] == ["sent"] and len(slack.posted) == 3
    with pytest.raises(BadInput, match="no delivery, report or message 'nonsense'"):
        resend(job(), "nonsense")


def test_two_that_send_at_once_send_once(job, alert, store, now):
    """While one process waits for the receiver's answer, another looks for what is due."""

    class Meddler(WebServer):
        def judge(self, asked):
            self.found = notify(job(slack_webhook_url="", apprise_urls=self.address)).rows
            with pytest.raises(BadInput, match="'alert-1' is being sent at this moment"):
                resend(job(apprise_urls=self.address), "alert-1")
            return 200

    with Meddler() as server:
        server.address = f"json://127.0.0.1:{server.port}/T0KEN"
        enqueue(job(apprise_urls=server.address), [replace(alert, channels=("apprise",))])
        assert [row["state"] for row in notify(job(apprise_urls=server.address)).rows] == ["sent"]
    assert server.found == [] and len(server.asked) == 1


def test_one_message_that_cannot_be_made_does_not_keep_the_others(job, alert, store, monkeypatch):
    """Our own bug is told at the end; what could be sent was sent."""
    from forecaster.reports.outgoing import slack_blocks as slack

    def broken(*_arguments: object, **_options: object) -> dict:
        raise KeyError("our own bug")

    monkeypatch.setattr(slack, "render_slack_message", broken)
    enqueue(job(), [replace(alert, channels=("slack", "webhook"))])
    with pytest.raises(KeyError, match="our own bug"):
        notify(job())
    rows = table(store, "delivery").set_index("channel")
    assert (
        rows["state"].to_dict() == {"slack": "failed", "webhook": "sent"} and rows.loc["slack", "last_error"] == "our own fault: KeyError"
    )


def test_a_message_that_never_can_be_made_is_given_up_like_one_that_nobody_takes(job, alert, store, monkeypatch):
    from forecaster.reports.outgoing import slack_blocks as slack

    def broken(*_arguments: object, **_options: object) -> dict:
        raise KeyError("our own bug")

    monkeypatch.setattr(slack, "render_slack_message", broken)
    enqueue(job(), [replace(alert, channels=("slack",), expires_at=None)])
    for attempt in range(outbox.MAX_ATTEMPTS):
        later = job().clock.now() + attempt * outbox.MAX_WAIT
        with suppress(KeyError):
            notify(replace(job(), clock=Clock(lambda now=later: now, simulated=False)))
    (row,) = table(store, "delivery").to_dict("records")
    assert (row["state"], row["attempts"], row["last_error"]) == ("dead", outbox.MAX_ATTEMPTS, "our own fault: KeyError")


def test_messages_alone_leave_the_report_for_later(job, alert, store):
    """With nothing else there, the report that is missing is no error."""
    assert notify(job(), report=False).text.startswith("nothing was due: no alert or other message waits; ")
    enqueue(job(), [alert])
    assert len(notify(job(), report=False).rows) == 5
