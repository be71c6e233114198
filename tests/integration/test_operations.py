"""Messages about the machine itself: sent without a database, never raising, under ids that follow from what happened; the heartbeat."""

import logging
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest

from forecaster.notify.channels.mail_building import message_id
from forecaster.notify.outbox import delivery_id
from forecaster.pipeline.messaging.operator import report_to_operator, send_heartbeat
from forecaster.pipeline.messaging.senders import recipients
from forecaster.reports.map_files import check_document
from forecaster.settings import load_settings
from tests.support.smtp_server import SmtpServer
from tests.support.web_server import WebServer
from tests.support.webhook_server import SECRET, WebhookServer

TEXT = "pull: USGS answers HTTP 500, 5 tries <b>.\n\nLook at the log of run 0123."


def settings_for(smtp_port: int, hook_port: int, **changes):
    return load_settings(
        **{
            "smtp_host": "127.0.0.1",
            "smtp_port": smtp_port,
            "smtp_security": "none",
            "mail_from": "q@example.org",
            "mail_to": "ops@example.org",
            "webhook_url": f"http://127.0.0.1:{hook_port}/T0KEN",
            "webhook_secret": SECRET,
            "webhook_allow_private": True,
        }
        | changes
    )


def parts_of(mail: EmailMessage) -> dict[str, str]:
    return {part.get_content_type(): part.get_content().replace("\r\n", "\n") for part in mail.walk() if not part.is_multipart()}


def test_the_operator_is_told_by_mail_and_webhook_under_ids_that_follow_from_the_key() -> None:
    now = datetime.now(UTC)
    with SmtpServer() as smtp, WebhookServer(SECRET) as hook:
        settings = settings_for(smtp.port, hook.port)
        for _ in range(2):
            assert report_to_operator(settings, "run failed", TEXT, "failed|0123", now) == []
    first, again = smtp.messages
    assert first["Message-ID"] == again["Message-ID"] == message_id("operations|failed|0123", "q@example.org")
    (to,) = [to for to in recipients(settings) if to.channel == "webhook"]
    assert hook.ids == [delivery_id("operations|failed|0123", to)] * 2
    assert first["Subject"] == "quakecast operations: run failed"
    parts = parts_of(first)
    assert TEXT in parts["text/plain"] and "not about earthquakes" in " ".join(parts["text/plain"].split())
    assert "5 tries &lt;b&gt;" in parts["text/html"] and "<style" in parts["text/html"] and 'style="' in parts["text/html"]
    document = hook.received[0]
    check_document("webhook.json", document)
    assert (document["version"], document["kind"], document["severity"]) == ("quakecast.message/1", "operations", "critical")
    assert document["lines"] == TEXT.split("\n\n") and document["thread_id"] is None


def test_one_channel_s_failure_is_told_and_does_not_keep_the_other_silent(caplog: pytest.LogCaptureFixture) -> None:
    with SmtpServer(data_answer="554 spam") as smtp, WebhookServer(SECRET, [410]) as hook, caplog.at_level(logging.DEBUG):
        failures = report_to_operator(settings_for(smtp.port, hook.port), "run failed", TEXT, "k", datetime.now(UTC))
        assert len(hook.received) == 1
    assert ["email" in failures[0] and "554" in failures[0], "webhook" in failures[1] and "answered 410" in failures[1]] == [True, True]
    assert "T0KEN" not in f"{failures}{caplog.text}" and SECRET not in f"{failures}{caplog.text}"


def test_nothing_raises_whatever_is_wrong() -> None:
    now = datetime.now(UTC)
    assert report_to_operator(load_settings(), "no channel", "", "k", now) == []
    assert len(report_to_operator(settings_for(9, 9, webhook_secret=""), "a\nBcc: x@example.org", "t", "k", now)) == 2
    assert report_to_operator(settings_for(9, 9), "naive", "t", "k", None)[0].endswith("by 127.0.0.1: AttributeError")  # type: ignore[arg-type]


def test_the_heartbeat_tells_life_and_by_wish_failure() -> None:
    with WebServer() as server:
        url = f"http://127.0.0.1:{server.port}/ping/T0KEN?rid=7"
        settings = load_settings(heartbeat_url=url, webhook_allow_private=True)
        assert [send_heartbeat(settings, state) for state in ("success", "partial", "Completed", "failed", "Crashed")] == [None] * 5
        loud = load_settings(heartbeat_url=url, webhook_allow_private=True, heartbeat_fail=True)
        assert send_heartbeat(loud, "failed") is None
    assert [(asked.method, asked.path) for asked in server.asked] == [
        *[("GET", "/ping/T0KEN?rid=7")] * 3,
        ("GET", "/ping/T0KEN/fail?rid=7"),
    ]
    assert send_heartbeat(load_settings(), "success") is None


@pytest.mark.parametrize("address", ["http://169.254.169.254/ping", "http://[fe80::1]/ping"])
def test_a_heartbeat_to_an_inner_address_is_refused_in_words(address: str) -> None:
    told = send_heartbeat(load_settings(heartbeat_url=address, webhook_allow_private=True), "success")
    assert told is not None and "must not reach" in told


def test_a_heartbeat_that_fails_is_told_without_its_address(caplog: pytest.LogCaptureFixture) -> None:
    with WebServer([404]) as server:
        settings = load_settings(heartbeat_url=f"http://127.0.0.1:{server.port}/T0KEN", webhook_allow_private=True)
        told = [send_heartbeat(settings, "success")]
    told.append(send_heartbeat(settings, "success"))
    told.append(send_heartbeat(load_settings(heartbeat_url=settings.heartbeat_url), "success"))
    for words, line in zip(("answered 404", "could not be reached", "must not reach"), told, strict=True):
        assert words in str(line)
    assert "T0KEN" not in f"{told}{caplog.text}"
