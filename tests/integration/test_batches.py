"""A batch of messages over real sockets: one connection a server, no waiting for one that is dead, an end to every attempt."""

import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from forecaster.errors import DeliveryFailed, DeliveryRefused, ReceiverSilent
from forecaster.notify import http_post, outbox
from forecaster.notify.channels import apprise_addresses, email_channel, mail_building
from forecaster.notify.channels.apprise_addresses import send_apprise
from forecaster.notify.channels.mail_building import Mail, MailSettings, build_message
from forecaster.notify.channels.mail_server import MailServer
from forecaster.notify.channels.slack_channel import SlackSettings, send_slack
from forecaster.notify.channels.webhook_channel import WebhookSettings, send_webhook
from forecaster.notify.connections import PATIENCE
from forecaster.notify.heartbeat import beat
from forecaster.pipeline.messaging import sending
from forecaster.pipeline.messaging.deliver import Message, enqueue, notify
from forecaster.pipeline.run_context import Job
from forecaster.settings import load_settings
from tests.support.slow_server import SlowServer
from tests.support.smtp_server import SmtpServer, free_port
from tests.support.steps import machine
from tests.support.toys import table
from tests.support.web_server import WebServer
from tests.support.webhook_server import SECRET

pytestmark = pytest.mark.closed_files

NOW = datetime(2024, 1, 2, 12, tzinfo=UTC)
PATIENT_S = 0.4
HASTY_S = 0.1  # where no answer is expected
READERS = [f"r{number}@example.org" for number in range(5)]


@pytest.fixture
def job(store, settings):
    def make(moment=NOW, **changes) -> Job:
        made = load_settings(home=settings.home, webhook_allow_private=True, smtp_security="none", smtp_host="127.0.0.1", **changes)
        return Job(made, store, [], machine(moment), "run")

    return make


@pytest.fixture
def impatient(monkeypatch):
    """Time-outs of a fraction of a second in place of 15 s."""
    longer = email_channel.mail_settings
    monkeypatch.setattr(email_channel, "mail_settings", lambda settings: replace(longer(settings), timeout_s=PATIENT_S))
    monkeypatch.setattr(http_post, "TIMEOUT_S", PATIENT_S)
    for kind in (WebhookSettings, SlackSettings, http_post.WebAddress):
        monkeypatch.setattr(kind.__init__, "__defaults__", (*kind.__init__.__defaults__[:-1], PATIENT_S))


def alert(number: int = 1, **changes) -> Message:
    return Message(f"alert-{number}", "alert", f"Niigata {number}", ("line",), NOW, **changes)


def test_a_batch_of_mails_goes_over_one_connection_and_a_refusal_does_not_break_it(job):
    with SmtpServer(answers={READERS[1]: "550 gone", READERS[2]: "451 later"}) as smtp:
        work = job(smtp_port=smtp.port, mail_to=",".join(READERS))
        enqueue(work, [alert(1), alert(2)])
        result = notify(work)
    assert smtp.connections == 1 and len(result.rows) == 10
    assert sorted((mail["To"], mail["Subject"]) for mail in smtp.messages) == sorted(
        (reader, f"Niigata {number}") for reader in (READERS[0], *READERS[3:]) for number in (1, 2)
    )


@pytest.mark.parametrize("most", [1, 2])
def test_a_server_that_takes_few_mails_a_connection_is_asked_again(job, most):
    with SmtpServer(most_a_connection=most) as smtp:
        work = job(smtp_port=smtp.port, mail_to=",".join(READERS))
        enqueue(work, [alert()])
        assert notify(work).failed == []
    assert sorted(mail["To"] for mail in smtp.messages) == READERS and smtp.connections == -(-len(READERS) // most)


def test_a_connection_that_broke_between_two_mails_is_made_anew():
    with SmtpServer() as smtp:
        settings = MailSettings("127.0.0.1", "q@example.org", smtp.port, "none", timeout_s=5)
        server = MailServer(settings)
        for number in range(3):
            server.send(build_message(Mail(f"r{number}", "s", "t", "h"), "a@example.org", settings, NOW))
            if number == 0:
                server._connections._cut()
        server.close()
    assert len(smtp.messages) == 3 and smtp.connections == 2


def test_a_dead_mail_server_is_given_up_after_two_tries_and_nobody_else_waits(job, store, impatient):
    """Five mails, a server that says nothing: two time-outs. The others stay pending with the reason, and the webhook goes out."""
    with SlowServer() as dead, WebServer([204]) as hook:
        url = f"http://127.0.0.1:{hook.port}/hook"
        work = job(smtp_port=dead.port, mail_to=",".join(READERS), webhook_url=url, webhook_secret=SECRET)
        enqueue(work, [alert()])
        begun = time.monotonic()
        result = notify(work)
        took = time.monotonic() - begun
    rows = table(store, "delivery").sort_values("recipient")
    mails = rows[rows["channel"] == "email"]
    assert sorted(mails["state"]) == ["failed", "failed", "pending", "pending", "pending"] and dead.connections == 2
    left = mails[mails["state"] == "pending"]
    assert set(left["last_error"]) == {"not tried: SMTP server 127.0.0.1 did not answer 2 times in a row; the next batch tries again"}
    assert set(left["attempts"]) == {0} and len(hook.asked) == 1
    assert (
        "email: not tried: SMTP server 127.0.0.1 did not answer 2 times in a row; the next batch tries again (3 messages)" in result.failed
    )
    assert took < 2 * PATIENCE * PATIENT_S + 8
    with SmtpServer() as smtp:
        later = job(NOW + timedelta(minutes=5), smtp_port=smtp.port, mail_to=",".join(READERS))
        notify(later)
    assert sorted(mail["To"] for mail in smtp.messages) == READERS


def test_a_server_that_refuses_connections_is_given_up_too_and_a_refusal_in_words_is_none(job, store):
    work = job(smtp_port=free_port(), mail_to=",".join(READERS))
    enqueue(work, [alert()])
    notify(work)
    assert sorted(table(store, "delivery")["attempts"]) == [0, 0, 0, 1, 1]
    with SmtpServer(answers=dict.fromkeys(READERS, "451 greylisted")) as smtp:
        notify(job(NOW + timedelta(minutes=5), smtp_port=smtp.port, mail_to=",".join(READERS)))
    assert sorted(table(store, "delivery")["attempts"]) == [1, 1, 1, 2, 2]


def test_what_goes_to_one_host_goes_over_one_connection(job):
    with WebServer([204]) as hook:
        work = job(smtp_port=1, mail_to="", webhook_url=f"http://127.0.0.1:{hook.port}/hook", webhook_secret=SECRET)
        enqueue(work, [alert(number) for number in range(4)])
        assert notify(work).failed == []
    assert len(hook.asked) == 4 and hook.connections == 1


def test_no_transaction_is_open_while_a_mail_server_is_silent(job, store, impatient):
    """Another process writes in the meantime, without waiting."""
    program = (
        "import sys, pathlib; from forecaster.store.database import open_connection as o; o(pathlib.Path(sys.argv[1]), wait_s=0).close()"
    )
    with SlowServer(first=b"2", drip=b"2") as dead:
        work = job(smtp_port=dead.port, mail_to="a@example.org")
        enqueue(work, [alert()])
        at_work = threading.Thread(target=notify, args=(work,))
        at_work.start()
        assert dead.accepted.wait(60)
        done = subprocess.run([sys.executable, "-c", program, str(store.path)], capture_output=True, text=True, timeout=60, check=False)
        at_work.join(60)
    assert done.returncode == 0, done.stderr
    assert list(table(store, "delivery")["state"]) == ["failed"]


HTTP = b"HTTP/1.1 200 OK\r\n"
DRIPS = {
    "status": SlowServer(drip=b"HTTP/1.1 200 OK "),
    "headers": SlowServer(first=HTTP, drip=b"X-A: b\r\n"),
    "interim answers": SlowServer(drip=b"HTTP/1.1 100 Continue\r\n\r\n", pause_s=0.001),
    "endless headers": SlowServer(first=HTTP + b"X-A: ", flood=b"a" * 65536),
    "silence": SlowServer(),
}


@pytest.mark.parametrize("name", DRIPS)
@pytest.mark.parametrize("channel", ["webhook", "slack", "heartbeat"])
def test_an_answer_that_drips_ends_in_time(name: str, channel: str):
    """A time-out of a fraction of a second; the answer would last for ever."""
    with replace(DRIPS[name], accepted=threading.Event()) as server:
        url, begun = SecretStr(f"http://127.0.0.1:{server.port}/T0KEN"), time.monotonic()
        with pytest.raises((ReceiverSilent, DeliveryFailed)) as caught:
            if channel == "webhook":
                send_webhook({"a": 1}, "id", WebhookSettings(url, SecretStr(SECRET), True, HASTY_S), NOW)
            elif channel == "slack":
                send_slack({"text": "a"}, SlackSettings(url, True, HASTY_S), NOW)
            else:
                beat(url, failed=False, allow_private=True, timeout_s=HASTY_S)
        assert time.monotonic() - begun < PATIENCE * HASTY_S + 5 and "T0KEN" not in str(caught.value)


def test_a_message_that_was_taken_is_taken_although_the_rest_of_the_answer_drips_or_never_ends():
    for ending in ({"drip": b"x"}, {"flood": b"x" * 65536}):
        with SlowServer(first=HTTP + b"Content-Length: 1000000000\r\n\r\n", **ending) as server:
            url, begun = SecretStr(f"http://127.0.0.1:{server.port}/x"), time.monotonic()
            assert send_webhook({"a": 1}, "id", WebhookSettings(url, SecretStr(SECRET), True, PATIENT_S), NOW) == 200
            assert time.monotonic() - begun < PATIENCE * PATIENT_S + 5
        assert server.sent < 50_000_000


def test_after_a_cut_the_next_message_of_the_batch_goes_out():
    session = http_post.Session(True)
    with SlowServer(drip=b"H") as slow, WebServer([204]) as hook:
        for port, taken in ((slow.port, False), (hook.port, True)):
            settings = WebhookSettings(SecretStr(f"http://127.0.0.1:{port}/x"), SecretStr(SECRET), True, PATIENT_S)
            if taken:
                assert send_webhook({"a": 1}, "id", settings, NOW, session) == 204
            else:
                with pytest.raises(ReceiverSilent, match=r"no whole answer within 1\.6 s"):
                    send_webhook({"a": 1}, "id", settings, NOW, session)
    session.close()


@pytest.mark.parametrize("greeting", [b"2", b"220-hello\r\n"])
def test_a_mail_server_that_drips_ends_in_time(greeting: bytes):
    with SlowServer(drip=greeting, pause_s=0.02) as server:
        settings, begun = MailSettings("127.0.0.1", "q@example.org", server.port, "none", timeout_s=PATIENT_S), time.monotonic()
        mails = MailServer(settings)
        with pytest.raises(ReceiverSilent, match=r"was not done within 1\.6 s"):
            mails.send(build_message(Mail("r", "s", "t", "h"), "a@example.org", settings, NOW))
        mails.close()
    assert time.monotonic() - begun < PATIENCE * PATIENT_S + 5


@pytest.mark.parametrize("ending", [{"drip": b"HTTP/1.1 200 OK "}, {"first": HTTP + b"\r\n", "flood": b"x" * 65536}])
def test_a_service_of_apprise_that_drips_or_never_ends_is_ended(ending):
    with SlowServer(**ending) as server:
        begun = time.monotonic()
        with pytest.raises(DeliveryFailed, match="will be tried again"):
            send_apprise("a", "b", SecretStr(f"json://127.0.0.1:{server.port}/T0KEN"), allow_private=True, whole_s=4.0)
    assert time.monotonic() - begun < 15


def test_a_name_that_turns_inward_for_apprise_is_not_reached(monkeypatch):
    """Looked at by us, it is a public address; for the service's own process it is this machine."""
    with WebServer() as server:
        monkeypatch.setattr(apprise_addresses, "check_address", lambda *args: None)
        with pytest.raises((ReceiverSilent, DeliveryRefused)):
            send_apprise("a", "b", SecretStr(f"json://127.0.0.1:{server.port}/T0KEN"), allow_private=False)
    assert server.asked == []


def test_a_claim_outlasts_every_attempt_and_the_wait_for_the_database():
    """An attempt is one or two exchanges (Slack without its blocks, a mail server that says 421), each bounded."""
    longest = max(2 * PATIENCE * http_post.TIMEOUT_S, 2 * PATIENCE * mail_building.TIMEOUT_S, apprise_addresses.WHOLE_S)
    assert longest + sending.MARK_WAIT_S < outbox.LEASE.total_seconds()
