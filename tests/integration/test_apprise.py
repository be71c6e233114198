"""Services by way of apprise: its own JSON and ntfy protocols over real HTTP on this machine. No real service has seen any of this."""

import json
import logging
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from forecaster.errors import DeliveryFailed, DeliveryRefused
from forecaster.notify.channels.apprise_addresses import send_apprise, service_label, split_addresses
from forecaster.notify.channels.apprise_channel import room_of
from forecaster.notify.outbox import Recipient
from forecaster.reports.outgoing.chat import MAX_TEXT, MAX_TITLE
from forecaster.reports.outgoing.letters import MessageLetter, ReportLetter
from forecaster.reports.outgoing.message import Message
from tests.support.sample_report import many_recipes
from tests.support.told_reports import EVIL, evil_report, niigata_report
from tests.support.web_server import WebServer


def address(server: WebServer, scheme: str = "json") -> SecretStr:
    return SecretStr(f"{scheme}://user:Pa55w0rd@127.0.0.1:{server.port}/T0KEN")


def test_title_and_text_arrive_through_json_and_ntfy() -> None:
    title, text = ReportLetter(niigata_report(), "en", "https://example.org/r").chat(False)
    with WebServer() as server:
        for scheme in ("json", "ntfy"):
            send_apprise(title, text, address(server, scheme), allow_private=True)
    plain, ntfy = (json.loads(asked.body) for asked in server.asked)
    assert (plain["title"], plain["message"], plain["type"]) == (title, text, "info") and server.asked[0].path == "/T0KEN"
    assert (ntfy["topic"], ntfy["title"], ntfy["message"]) == ("T0KEN", title, text)
    assert (
        title.startswith("[Replay] Niigata, after the M 7.5 of 1 Jan: 21 %, 4.6 times")
        and "\n1. Niigata: 21 % (4.6 times the usual 4.6 %)\n" in text
    )
    assert "Japan Time" in text and "https://example.org/r" in text and "Nobody can predict" in text


def test_what_ntfy_is_sent_has_4096_bytes_at_most() -> None:
    """By a real server: Japanese letters have three bytes each."""
    letter = MessageLetter(Message("m", "alert", "新潟" * 60, ("地震 " * 900,), datetime(2024, 1, 2, tzinfo=UTC)), "en")
    with WebServer() as server:
        url = f"ntfy://127.0.0.1:{server.port}/topic"
        send_apprise(*letter.chat(False, room_of(Recipient("apprise", "", SecretStr(url)))), SecretStr(url), allow_private=True)
    told = json.loads(server.asked[0].body)
    assert len(told["message"].encode()) > 3000 and len(f"{told['title']}\r\n{told['message']}".encode()) <= 4096


@pytest.mark.parametrize("count", [0, 200])
@pytest.mark.parametrize("language", ["en", "ja"])
def test_texts_stay_short_and_keep_their_last_words(count: int, language: str) -> None:
    last = {
        "en": "This is no official warning; those come from the JMA, the USGS and each country's authority.",
        "ja": "これは公式の警報ではありません。公式の情報は気象庁(JMA)、米国地質調査所(USGS)、各国の機関が出します。",
    }[language]
    for letter in (
        ReportLetter(many_recipes(count), language),
        ReportLetter(evil_report(), language),
        MessageLetter(Message("m", "alert", "t" * 400, ("z" * 900,) * 9, datetime(2024, 1, 1, tzinfo=UTC)), language),
    ):
        title, text = letter.chat(True)
        assert len(title) <= MAX_TITLE and len(text) <= MAX_TEXT and text.endswith(last) and "\n" not in title


def test_nobody_is_called_and_no_direction_is_turned() -> None:
    title, text = ReportLetter(evil_report(), "en").chat(False)
    assert "@" not in title + text and "\u202e" not in title + text and "＠everyone" in text


@pytest.mark.parametrize("status", [400, 401, 404, 410])
def test_a_refusal_is_final(status: int) -> None:
    with WebServer([status]) as server, pytest.raises(DeliveryRefused, match=f"apprise to JSON answered {status}; check apprise_urls"):
        send_apprise("a", "b", address(server), allow_private=True)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_trouble_is_tried_again(status: int) -> None:
    with WebServer([status]) as server, pytest.raises(DeliveryFailed, match=f"answered {status}; will be tried again"):
        send_apprise("a", "b", address(server), allow_private=True)


def test_absence_is_tried_again_and_a_redirect_is_not_followed() -> None:
    with WebServer([(302, {"Location": "/elsewhere"}, b""), 200]) as server, pytest.raises(DeliveryFailed):
        send_apprise("a", "b", address(server), allow_private=True)
    assert [asked.path for asked in server.asked] == ["/T0KEN"]
    with pytest.raises(DeliveryFailed, match="could not deliver"):
        send_apprise("a", "b", address(server), allow_private=True)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense://T0KEN", "does not understand"),
        ("json://[bad", "does not understand"),
        ("json://169.254.169.254/T0KEN", "must not reach"),
        ("ntfy://127.0.0.1:9/T0KEN", "must not reach"),
    ],
)
def test_bad_addresses_are_refused_in_words(url: str, said: str) -> None:
    with pytest.raises(DeliveryRefused, match=said) as caught:
        send_apprise("a", "b", SecretStr(url))
    assert "T0KEN" not in str(caught.value)


def test_addresses_are_told_apart_and_named_without_their_secrets() -> None:
    """Names of services are apprise's own; the token of a Discord address stands where a host would."""
    listed = (
        "discord://12345678901234567/T0KENabcdefgh, ntfys://ntfy.example.org:8443/T0KEN?tags=a,b\n tgram://123456789:T0KENabcdefgh/12345"
    )
    found = split_addresses(listed)
    assert found == [part.strip() for part in listed.replace("\n", ", ").split(", ")]
    assert list(map(service_label, found)) == ["Discord", "ntfy ntfy.example.org:8443", "Telegram"]
    assert service_label("nonsense://T0KEN") == "an address that apprise does not understand"


def test_what_apprise_logs_of_an_address_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """apprise logs the whole address at the level DEBUG, and the libraries below it the path."""
    with WebServer([500]) as server, caplog.at_level(logging.DEBUG):
        logging.getLogger("apprise").setLevel(logging.DEBUG)
        with pytest.raises(DeliveryFailed) as caught:
            send_apprise("a", "b", address(server), allow_private=True)
        service_label(f"json://user:Pa55w0rd@127.0.0.1/T0KEN/{EVIL[0]}")
    assert "T0KEN" not in f"{caplog.text}{caught.value}" and "Pa55w0rd" not in f"{caplog.text}{caught.value}"
