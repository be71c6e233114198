"""Slack's incoming webhooks, by a local server that keeps Slack's published limits and errors. No real Slack has seen any of this."""

import gzip
import json
import logging
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from forecaster.errors import DeliveryFailed, DeliveryRefused
from forecaster.notify.channels.slack_channel import SlackSettings, send_slack
from forecaster.reports.outgoing.letters import MessageLetter, ReportLetter
from forecaster.reports.outgoing.message import Message
from forecaster.reports.outgoing.slack_blocks import check_limits
from tests.support.sample_report import many_recipes, sample_report
from tests.support.slack_server import SlackServer, obeyed, said, styled
from tests.support.told_reports import EVIL, evil_report, niigata_report

NOW = datetime(2024, 1, 2, 12, 5, tzinfo=UTC)
TEXT = {"text": "a"}


def settings_for(server: SlackServer, **changes: object) -> SlackSettings:
    return SlackSettings(**({"slack_webhook_url": SecretStr(server.url), "allow_private": True, "timeout_s": 5.0} | changes))  # type: ignore[arg-type]


def words(payload: object) -> str:
    return json.dumps(payload, ensure_ascii=False)


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("count", [0, 29, 200])
def test_a_report_of_any_size_is_taken(count: int, language: str) -> None:
    data = sample_report() if count == 29 else many_recipes(count)
    payload = ReportLetter(data, language, "https://example.org/r.html").slack(False)
    with SlackServer() as server:
        assert send_slack(payload, settings_for(server), NOW) == 200
    assert server.posted == [payload] and len(payload["blocks"]) <= 15
    if count:
        shown = sum(len(block.get("fields", [])) // 2 for block in payload["blocks"])
        leading, usual = {29: (4, 17), 200: (28, 172)}[count]  # those that stand out, ten at most, and one line for the others
        assert shown == min(leading, 10) and (f"{usual} more places" in words(payload) or f"ほかの{usual}か所" in words(payload))
        assert (f"… and {leading - 10} more" in words(payload) or f"ほか{leading - 10}か所" in words(payload)) == (leading > 10)
        assert "Japan Time" in words(payload) or "日本時間" in words(payload)
    else:
        assert "No place was forecast" in words(payload) or language == "ja"


def test_ten_seconds_are_enough() -> None:
    """The headline is the header and the notification; what it means, and that it is no warning, follow."""
    payload = ReportLetter(niigata_report(), "en", "https://example.org/r?a=1&b=2").slack(False)
    first = payload["blocks"][0]
    assert (first["type"], first["text"]["text"]) == (
        "header",
        "[Replay] Niigata, after the M 7.5 of 1 Jan: 21 %, 4.6 times the usual 4.6 %",
    )
    assert payload["text"] == first["text"]["text"] and payload["mrkdwn"] is False
    assert obeyed(payload) == ["<https://example.org/r?a=1&amp;b=2|The full report, with maps and tests>"]
    assert "Nobody can predict" in words(payload) and "no official warning" in words(payload)
    assert "may be a repeat" not in words(payload)
    assert "99 km NW of Nanao, Japan" in words(ReportLetter(sample_report(), "en").slack(False))  # the first place of the map of the world
    assert "may be a repeat" in words(ReportLetter(sample_report(), "en").slack(True)["blocks"][2])


@pytest.mark.parametrize("language", ["en", "ja"])
def test_names_and_reasons_are_shown_and_not_obeyed(language: str) -> None:
    """Foreign text stands in plain_text only; mrkdwn has our own words and figures."""
    payload = ReportLetter(evil_report(), language).slack(False)
    with SlackServer() as server:
        send_slack(payload, settings_for(server), NOW)
    assert obeyed(payload) == []
    assert not any(mark in text for text in styled(payload) for mark in ("bold", "everyone", "evil", "onerror", "القدس", "xxx"))
    assert "\u202e" not in words(payload) and "\u2068القدس\u2069" in words(payload) and "‹!channel›" in words(payload)


@pytest.mark.parametrize("kind", ["alert", "correction", "operations"])
def test_a_short_message_is_taken_whatever_it_holds(kind: str) -> None:
    lines = (*EVIL, "y" * 10_000, "", *(f"line {i}" for i in range(100)))
    message = Message("m-1", kind, "<!here> " + "t" * 300, lines, NOW, link="https://example.org/a|b c>d")  # type: ignore[arg-type]
    payload = MessageLetter(message, "en").slack(True)
    with SlackServer() as server:
        assert send_slack(payload, settings_for(server), NOW) == 200
    assert obeyed(payload) == ["<https://example.org/a%7Cb%20c&gt;d|More>"] and "… (+" in words(payload)
    assert ("no official warning" in words(payload)) is (kind != "operations")


def test_a_busy_slack_says_when_it_may_be_asked_again() -> None:
    with SlackServer(answers=[said(429, "rate_limited", **{"Retry-After": "37"})]) as server:
        with pytest.raises(DeliveryFailed, match="answered 429; will be tried again") as caught:
            send_slack(TEXT, settings_for(server), NOW)
        assert caught.value.retry_after_s == 37.0
        assert send_slack(TEXT, settings_for(server), NOW) == 200


@pytest.mark.parametrize(
    ("status", "word"),
    [(404, "no_service"), (410, "channel_is_archived"), (403, "invalid_token"), (404, "channel_not_found"), (404, "no_team")],
)
def test_a_webhook_that_is_gone_is_said_with_what_to_do(status: int, word: str) -> None:
    with SlackServer(answers=[said(status, word)]) as server, pytest.raises(DeliveryRefused) as caught:
        send_slack(TEXT, settings_for(server), NOW)
    assert str(caught.value) == (
        f"Slack http://127.0.0.1:{server.port} answered {status} {word}; make a new webhook and set slack_webhook_url"
    )


def test_a_refusal_whose_reason_cannot_be_read_is_a_refusal() -> None:
    """A body that was asked for plain and is packed: the status stands."""
    answer = 410, {"Content-Type": "text/plain", "Content-Encoding": "gzip"}, gzip.compress(b"channel_is_archived")
    with SlackServer(answers=[answer]) as server, pytest.raises(DeliveryRefused, match=r"410 \(no reason that can be told\)"):
        send_slack(TEXT, settings_for(server), NOW)


@pytest.mark.parametrize("status", [500, 503])
def test_a_slack_that_is_down_is_tried_again(status: int) -> None:
    with SlackServer(answers=[said(status, "rollup_error")]) as server, pytest.raises(DeliveryFailed):
        send_slack(TEXT, settings_for(server), NOW)


def test_blocks_that_slack_refuses_are_left_out_and_the_text_arrives(caplog: pytest.LogCaptureFixture) -> None:
    payload = {"text": "what matters", "blocks": [{"type": "header", "text": {"type": "plain_text", "text": "h" * 151}}]}
    with SlackServer() as server:
        assert send_slack(payload, settings_for(server), NOW) == 200
    assert server.posted == [{"text": "what matters"}]
    assert "refused the blocks of a message (invalid_blocks)" in caplog.text


@pytest.mark.parametrize(
    "payload",
    [
        {"blocks": []},
        {"text": "a", "blocks": [{"type": "divider"}] * 51},
        {"text": "a", "blocks": [{"type": "header", "text": {"type": "plain_text", "text": "h" * 151}}]},
        {"text": "a", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "s" * 3001}}]},
        {"text": "a", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": ""}}]},
        {"text": "a", "blocks": [{"type": "section", "fields": [{"type": "mrkdwn", "text": "f"}] * 11}]},
        {"text": "a", "blocks": [{"type": "section", "fields": [{"type": "mrkdwn", "text": "f" * 2001}]}]},
        {"text": "a", "blocks": ["no block"]},
        [],
    ],
)
def test_what_slack_would_refuse_is_seen_before_it_is_sent(payload: object) -> None:
    """So that a user's template that breaks a limit gives way to the built-in one."""
    with pytest.raises(ValueError, match=r"Slack|block"):
        check_limits(payload)


def test_the_address_is_its_secret_and_is_told_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with SlackServer(answers=[said(400, "no_text <b>T0KEN</b>")]) as server, pytest.raises(DeliveryRefused) as caught:
        send_slack(TEXT, settings_for(server), NOW)
    with pytest.raises(DeliveryFailed) as absent:
        send_slack(TEXT, settings_for(server), NOW)
    with pytest.raises(DeliveryRefused) as inner:
        send_slack(TEXT, replace(settings_for(server), allow_private=False), NOW)
    assert "T0KEN" not in f"{caplog.text}{caught.value}{absent.value}{inner.value}{settings_for(server)!r}"
