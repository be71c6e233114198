"""Texts for chats fit as each service counts: with the title, in UTF-16 units or bytes; cut at a word, and never inside an address."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from forecaster.notify.channels.apprise_addresses import Limits, limits_of
from forecaster.notify.channels.apprise_channel import room_of
from forecaster.notify.outbox import Recipient
from forecaster.reports.outgoing import slack_blocks
from forecaster.reports.outgoing.letters import MessageLetter, ReportLetter
from forecaster.reports.outgoing.message import Message
from forecaster.reports.plain_text import cut, size
from tests.support.sample_report import many_recipes, sample_report
from tests.support.slack_server import fault_of, obeyed
from tests.support.told_reports import EVIL, evil_report

NOW = datetime(2024, 1, 2, tzinfo=UTC)
DISCORD = "discord://12345678901234567/T0KENabcdefgh"
TELEGRAM = "tgram://123456789:T0KENabcdefgh/12345"
UNITS = ("characters", "utf16", "bytes")
LINK = "https://example.org/reports/2024-01-02T1200Z.en.html"


def alert(title: str, *lines: str, link: str | None = None) -> MessageLetter:
    return MessageLetter(Message("m", "alert", title, lines, NOW, link=link), "en")


def sent(letter: MessageLetter | ReportLetter, url: str) -> tuple[str, str]:
    return letter.chat(False, room_of(Recipient("apprise", "", SecretStr(url))))


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def test_limits_are_the_library_s_or_corrected_ones() -> None:
    """Discord counts title and text together, Telegram has no title, ntfy counts bytes (apprise says 7,800 characters)."""
    assert limits_of(DISCORD) == Limits(250, 2000, True) and limits_of(TELEGRAM) == Limits(4096, 4096, True)
    assert limits_of("ntfys://ntfy.example.org/topic") == limits_of("ntfy://topic") == Limits(200, 4096, True, "bytes")
    assert limits_of("nonsense://x") == Limits(0, 0, True)


@pytest.mark.parametrize("letter", ["é", "z", "新", "😀"])
def test_a_long_title_and_a_long_paragraph_fit_into_discord_together(letter: str) -> None:
    """A title of 120 characters with accents and a paragraph of 1,900: 2,022 with the separator, which Discord refuses."""
    title = f"Concepción and Valparaíso {letter * 93}x"
    said = sent(alert(title, f"{letter * 10} " * 173), DISCORD)
    assert (utf16("\r\n".join(said)) <= 2000 and said[0].startswith("Alert: Concepción")) or said[0].startswith("Concepción")
    assert "…" in said[1]


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("url", [DISCORD, TELEGRAM, "ntfy://127.0.0.1/topic", "pover://user@T0KEN", "json://127.0.0.1"])
def test_every_report_fits_every_service(language: str, url: str) -> None:
    limits = limits_of(url)
    for data in (many_recipes(200), sample_report(), evil_report()):
        title, text = sent(ReportLetter(data, language, LINK), url)
        counted = size("\r\n".join((title, text)) if limits.together else text, limits.unit)
        assert title and text and counted <= limits.text and "@" not in title + text


def test_an_address_is_whole_or_not_there() -> None:
    link = f"https://example.org/{'a' * 300}"
    for words in range(150, 190):
        _, text = sent(alert("t", "abcdefghi " * words + f"see {link} for more " + "z " * 400), DISCORD)
        assert "https" not in text or link in text


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=300), st.integers(1, 320), st.sampled_from(UNITS))
@example("👩‍👩‍👧‍👦" * 40, 101, "utf16")
@example("e\u0301" * 100, 50, "characters")
@example("a https://example.org/abc/def ghi", 25, "characters")
def test_what_is_cut_is_a_beginning_and_fits(text: str, most: int, unit: str) -> None:
    said = cut(text, most, unit)
    assert size(said, unit) <= most
    if said == text:
        return
    assert size(text, unit) > most
    if said:
        assert said.endswith("…") and text.startswith(said[:-1])
        assert not re.search(r"\S*://\S*$", said[:-1]) or text[len(said) - 1 :][:1].isspace()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(EVIL), st.text(max_size=400)), min_size=1, max_size=5))
def test_whatever_a_message_says_no_channel_obeys_it(texts: list[str]) -> None:
    """Place names and reasons of any letters: nobody is called, no link and no header is made, the schema holds, and all of it fits."""
    letter = alert(texts[0], *texts)
    title, text = letter.chat(True)
    assert "@" not in title + text and "\n" not in title
    payload = letter.slack(True)
    slack_blocks.check_limits(payload)
    assert fault_of(payload) is None and not obeyed(payload)
    assert letter.document()["title"] == texts[0]
    mail = letter.mail()
    assert "\n" not in mail.subject and "\u202e" not in mail.subject + mail.text + title + text
