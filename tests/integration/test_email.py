"""The day's mail through a real SMTP server: what arrives, and how refusals, greylisting and silence are told apart."""

import logging
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from forecaster.errors import DeliveryFailed, DeliveryRefused
from forecaster.notify.channels.mail_building import Mail, MailSettings, build_message, message_id
from forecaster.notify.channels.mail_server import send_email
from forecaster.reports.outgoing import letters, mails
from forecaster.reports.outgoing.letters import ReportLetter
from tests.support.sample_report import many_recipes, sample_report
from tests.support.smtp_server import SmtpServer, free_port, make_certificate
from tests.support.told_reports import evil_report

NOW = datetime(2024, 1, 2, 12, 5, tzinfo=UTC)
PASSWORD = "correct horse"  # of the test server only


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


def settings_for(server: SmtpServer, **fields: object) -> MailSettings:
    base = MailSettings("127.0.0.1", "Quakecast <quake@example.org>", server.port, "none", timeout_s=5)
    return replace(base, **fields)  # type: ignore[arg-type]


def small_message(settings: MailSettings) -> EmailMessage:
    return build_message(Mail("r", "s", "t", "<p>h</p>"), "a@example.org", settings, NOW)


@pytest.mark.parametrize("count", [0, 29, 200])
def test_the_report_arrives_whole_small_and_with_its_pictures(count: int) -> None:
    """Issue 5: HTML under 100 kB, the whole under 1 MB, for 29 recipes; by design for any number."""
    data = sample_report() if count == 29 else many_recipes(count)
    letter = ReportLetter(data, "ja", "https://example.org/r.html")
    with SmtpServer() as server:
        settings = settings_for(server)
        said = letter.mail()
        mail_out = Mail(letter.subject_id, said.subject, said.text, said.html, said.pictures)
        send_email(build_message(mail_out, "a@example.org", settings, NOW), settings)
    (mail,) = server.messages
    assert server.sizes[0] < 1_000_000 and mail["Message-ID"] == message_id(data.report_id, settings.mail_from)
    parts = {part.get_content_type(): part for part in mail.walk()}
    page, text = parts["text/html"].get_content(), parts["text/plain"].get_content()
    assert len(page.encode()) < 100_000 and "<" not in text.replace("<https", "")
    if count == 29:
        assert mail["Subject"].startswith("[再現] 新潟") and "模擬時計による再現" in page and "新潟" in text
    if count == 200:
        assert "か所は平常並みか" in text and "https://example.org/r.html" in text
    cids = [part["Content-ID"].strip("<>") for part in mail.walk() if part.get_content_type() == "image/png"]
    assert cids == (["world-map", "japan-map"] if count else ["world-map"]) and all(f"cid:{cid}" in page for cid in cids)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_relay_without_any_extension_takes_the_report_and_nothing_is_lost(language: str) -> None:
    """No 8BITMIME, no SMTPUTF8, lines of 998 bytes: what arrives is what was meant, whatever the names are."""
    for data in (sample_report(), evil_report()):
        letter = ReportLetter(data, language, "https://example.org/r.html")
        with SmtpServer(old=True) as server:
            settings, said = settings_for(server, mail_from="Séismes <quake@example.org>"), letter.mail()
            mail_out = Mail(letter.subject_id, said.subject, said.text, said.html, said.pictures)
            send_email(build_message(mail_out, "Zoë <a@example.org>", settings, NOW), settings)
        (mail,) = server.messages
        assert mail["Subject"] == said.subject and str(mail["To"]) == "Zoë <a@example.org>"
        for kind, meant in (("plain", said.text), ("html", said.html)):
            assert mail.get_body((kind,)).get_content().splitlines() == meant.splitlines()


@pytest.mark.parametrize("language", ["en", "ja"])
def test_names_that_would_be_more_than_names_stay_names(language: str) -> None:
    """Line breaks, markup, turned directions, no end: no header is added, nothing is obeyed, and the mail stays small."""
    letter = ReportLetter(evil_report(), language)
    with SmtpServer() as server:
        settings, said = settings_for(server), letter.mail()
        mail_out = Mail(letter.subject_id, said.subject, said.text, said.html, said.pictures)
        send_email(build_message(mail_out, "a@example.org", settings, NOW), settings)
    (mail,) = server.messages
    assert mail["Bcc"] is None and mail["Subject"].startswith("\u2068القدس\u2069")
    page, text = (mail.get_body((kind,)).get_content() for kind in ("html", "plain"))
    assert "<img src=x" not in page and "&lt;img src=x onerror=alert(1)&gt;" in page and "\u202e" not in page + text + mail["Subject"]
    assert "xxxx…" in text and "x" * 300 not in page + text and "{{ 7 * 7 }} {% raw %}" in text
    assert len(page.encode()) < 100_000


def test_a_mail_that_would_be_too_long_lists_fewer_rows_and_leaves_pictures_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """By design: with limits so low that 40 rows of 200 and the second picture do not fit."""
    monkeypatch.setattr(mails, "MAX_HTML_BYTES", 40_000)
    monkeypatch.setattr(letters, "MAX_PICTURE_BYTES", 300_000)
    said = ReportLetter(many_recipes(200), "en", "https://example.org/r.html").mail()
    assert len(said.html.encode()) < 40_000 and "… and 18 more places in the full report." in said.text and "and 18 more" in said.html
    assert "172 more places are near or below their usual rate. The likeliest of them: " in " ".join(said.text.split())
    assert list(said.pictures) == ["world-map"] and "cid:world-map" in said.html and "cid:japan-map" not in said.html


def test_every_model_degraded_and_no_earthquake_is_said() -> None:
    data = sample_report("prospective")
    rows = tuple(replace(row, degraded_reason=f"no model of {row.recipe_id}: the usual rate is published") for row in data.recipes)
    said = ReportLetter(replace(data, recipes=rows, events=(), degraded=tuple(row.degraded_reason or "" for row in rows)), "en").mail()
    assert "29 of 29 forecasts are made with less than usual. Most often: no model of" in " ".join(said.text.split())
    assert said.text.count("! Made with less than usual: ") == 4 and len(said.html.encode()) < 100_000  # the four that stand out


def test_texts_for_a_text_client_keep_to_its_columns() -> None:
    """76 columns, an East Asian letter counted twice; only what has no blank may be longer."""
    for language in ("en", "ja"):
        for line in ReportLetter(sample_report(), language, "https://example.org/r.html").mail().text.splitlines():
            columns = sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in line)
            assert columns <= 78 or " " not in line.strip(), line


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_encrypted_with_login(certificate: tuple[Path, Path], security: str) -> None:
    with SmtpServer(certificate_files=certificate, implicit_tls=security == "tls", login=("quake", PASSWORD)) as server:
        settings = settings_for(
            server, smtp_security=security, smtp_username="quake", smtp_password=SecretStr(PASSWORD), ca_file=str(certificate[0])
        )
        send_email(small_message(settings), settings)
    assert server.encrypted == [True]


def test_a_wrong_password_is_final_and_is_not_shown(certificate: tuple[Path, Path], caplog: pytest.LogCaptureFixture) -> None:
    with SmtpServer(certificate_files=certificate, login=("quake", PASSWORD)) as server, caplog.at_level(logging.DEBUG):
        settings = settings_for(
            server, smtp_security="starttls", smtp_username="quake", smtp_password=SecretStr("wr0ng"), ca_file=str(certificate[0])
        )
        with pytest.raises(DeliveryRefused, match=r"refused the login \(535\)") as caught:
            send_email(small_message(settings), settings)
    assert "wr0ng" not in str(caught.value) + caplog.text.replace(repr(settings), "")


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: tuple[Path, Path], security: str) -> None:
    with SmtpServer(certificate_files=certificate, implicit_tls=security == "tls") as server:
        settings = settings_for(server, smtp_security=security)
        with pytest.raises(DeliveryRefused, match="certificate cannot be trusted"):
            send_email(small_message(settings), settings)
    assert server.messages == []


def test_no_starttls_on_offer_means_no_mail() -> None:
    with SmtpServer() as server:
        settings = settings_for(server, smtp_security="starttls")
        with pytest.raises(DeliveryRefused, match="does not offer"):
            send_email(small_message(settings), settings)
    assert server.messages == []


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        ({"answers": {"a@example.org": "550 no such user"}}, DeliveryRefused),
        ({"answers": {"a@example.org": "451 greylisted, come back"}}, DeliveryFailed),
        ({"data_answer": "554 spam"}, DeliveryRefused),
        ({"data_answer": "452 disk full"}, DeliveryFailed),
    ],
)
def test_refused_for_good_or_for_now(behaviour: dict[str, Any], error: type[Exception]) -> None:
    with SmtpServer(**behaviour) as server:
        settings = settings_for(server)
        with pytest.raises(error) as caught:
            send_email(small_message(settings), settings)
    assert f"127.0.0.1:{server.port}" in str(caught.value) and server.messages == []


def test_a_farewell_that_goes_wrong_does_not_make_a_mail_that_was_taken_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server has the mail; tried again, it would come twice."""
    with SmtpServer(quit_answer="421 too busy to part") as server:
        send_email(small_message(settings_for(server)), settings_for(server))
    assert len(server.messages) == 1


def test_what_a_server_says_is_told_without_anybody_s_address() -> None:
    with SmtpServer(data_answer="554 <reader@example.org> looks like spam") as server, pytest.raises(DeliveryRefused) as caught:
        send_email(small_message(settings_for(server)), settings_for(server))
    assert str(caught.value).endswith("answered 554: (address) looks like spam")


def test_silence_and_absence_are_tried_again() -> None:
    with SmtpServer(silence_s=1.0) as server:
        settings = settings_for(server, timeout_s=0.3)
        with pytest.raises(DeliveryFailed, match="could not be reached or broke off"):
            send_email(small_message(settings), settings)
    nobody = settings_for(server, smtp_port=free_port())
    with pytest.raises(DeliveryFailed, match="could not be reached"):
        send_email(small_message(nobody), nobody)
