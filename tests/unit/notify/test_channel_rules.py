"""Where webhooks may go and what a mail is made of; what is sent over real sockets is in tests/integration."""

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from pydantic import SecretStr

from forecaster.errors import DeliveryRefused
from forecaster.notify import addresses
from forecaster.notify.channels import mail_building, mail_server, webhook_channel

NOW = datetime(2024, 1, 2, 12, tzinfo=UTC)
MAIL = mail_building.MailSettings("mail.example.org", "Quakecast <quake@example.org>")


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",  # cloud metadata, link-local
        "169.254.1.1",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",  # AWS metadata over IPv6
        "100.100.100.200",  # Alibaba metadata
        "168.63.129.16",  # Azure's host
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",  # 169.254.169.254 through NAT64
        "2002:a9fe:a9fe::1",  # and through 6to4
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
        "64:ff9b:1::808:808",  # a net's own NAT64
        "64:ff9b:1:a00:1::",
        "::ffff:0:8.8.8.8",  # IPv4-translated
        "::ffff:0:10.0.0.1",
        "::8.8.8.8",  # IPv4-compatible
        "::10.0.0.1",
        "3fff::1",  # documentation
        "3fff:fff:ffff::1",
        "2001:db8::1",
        "5f00::1",  # segment routing
        "2001:0:808:808::1",  # Teredo
        "2002:808:808::1",  # 6to4
        "100::1",  # discard-only
        "fec0::1",  # site-local of old
        "4000::1",  # not given out
    ],
)
def test_never_there_even_with_permission(address: str) -> None:
    assert addresses.is_forbidden(address, allow_private=True)
    assert addresses.is_forbidden(address, allow_private=False)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "::1", "10.1.2.3", "192.168.0.9", "172.16.0.1", "fd12::1", "::ffff:127.0.0.1", "100.64.0.1", "64:ff9b::10.0.0.1"],
)
def test_there_with_permission_only(address: str) -> None:
    assert addresses.is_forbidden(address, allow_private=False)
    assert not addresses.is_forbidden(address, allow_private=True)


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860:4860::8888", "2a00:1450:4001::1", "64:ff9b::8.8.8.8", "::ffff:8.8.8.8"])
def test_public_addresses_are_free(address: str) -> None:
    assert not addresses.is_forbidden(address, allow_private=False)


@pytest.mark.parametrize(
    "url", ["", "ftp://example.org/x", "file:///etc/passwd", "//example.org", "https://", "http://[::1", "http://host:99999/"]
)
def test_a_url_that_is_no_web_address_is_refused_and_not_repeated(url: str) -> None:
    settings = webhook_channel.WebhookSettings(SecretStr(url), SecretStr("whsec_c2VjcmV0"))
    with pytest.raises(DeliveryRefused, match="not an http") as caught:
        webhook_channel.send_webhook({}, "id", settings, NOW)
    assert len(url) < 9 or url not in str(caught.value)


def test_a_label_keeps_the_secret_parts_of_a_url() -> None:
    assert addresses.recipient_label("https://user:pw@hooks.example.org:8443/T0KEN?key=1") == "https://hooks.example.org:8443"
    assert addresses.recipient_label("http://[bad") == "(not a URL)"


def test_settings_do_not_show_their_secrets() -> None:
    shown = repr(webhook_channel.WebhookSettings(SecretStr("https://x/T0KEN"), SecretStr("whsec_abc")))
    shown += repr(mail_building.MailSettings("h", "f", smtp_password=SecretStr("hunter2")))
    assert "T0KEN" not in shown and "whsec_abc" not in shown and "hunter2" not in shown


def built(mail: mail_building.Mail, settings: mail_building.MailSettings = MAIL, to: str = "a@example.org") -> EmailMessage:
    """The mail as it arrives."""
    return message_from_bytes(mail_building.build_message(mail, to, settings, NOW).as_bytes(), policy=policy.default)  # type: ignore[return-value]


def test_a_mail_has_text_html_pictures_and_a_deterministic_id() -> None:
    mail, again = (built(mail_building.Mail("r-1", "新潟: 19 %", "text €", '<img src="cid:map">', {"map": b"\x89PNG"})) for _ in range(2))
    assert [part.get_content_type() for part in mail.walk()] == [
        *("multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"),
    ]
    assert (mail["Subject"], mail["To"], mail["Date"]) == ("新潟: 19 %", "a@example.org", "Tue, 02 Jan 2024 12:00:00 +0000")
    assert [part["Content-ID"] for part in mail.walk() if part["Content-ID"]] == ["<map>"]
    assert mail["Message-ID"] == again["Message-ID"] and mail["Message-ID"].endswith("@example.org>")
    assert mail_building.message_id("r-2", MAIL.mail_from) != mail["Message-ID"] and mail["References"] is None


def test_a_follow_up_stands_in_the_thread_of_what_it_answers() -> None:
    first, answer = (
        built(mail_building.Mail("alert-1", "s", "t", "h")),
        built(mail_building.Mail("correction-1", "c", "t", "h", thread_id="alert-1")),
    )
    assert answer["References"] == answer["In-Reply-To"] == first["Message-ID"] != answer["Message-ID"]


def test_there_is_always_a_way_out() -> None:
    """RFC 2369; with an https address also RFC 8058's one click, which must name the recipient."""
    mail = mail_building.Mail("r", "s", "t", "h")
    assert built(mail)["List-Unsubscribe"] == "<mailto:quake@example.org?subject=unsubscribe>"
    assert built(mail)["List-Unsubscribe-Post"] is None and built(mail)["List-Id"] == "quakecast <quakecast.example.org>"
    address = f"https://example.org/{'long/' * 30}out?who={{recipient}}"
    ways = ("mailto:out@example.org", address)
    raw = mail_building.build_message(mail, "B <b+c@example.org>", replace(MAIL, mail_unsubscribe=ways), NOW).as_bytes()
    told = message_from_bytes(raw, policy=policy.default)
    assert told["List-Unsubscribe"] == f"<mailto:out@example.org>, <{address.replace('{recipient}', 'b%2Bc%40example.org')}>"
    assert told["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click" and b"=?utf-8?" not in raw


@pytest.mark.parametrize("subject", ["a\nBcc: x@example.org", "a\r\n\r\nbody"])
def test_a_subject_with_a_line_break_cannot_add_headers(subject: str) -> None:
    with pytest.raises(DeliveryRefused, match="cannot be a mail header"):
        mail_building.build_message(mail_building.Mail("r", subject, "t", "h"), "a@example.org", MAIL, NOW)


def test_a_password_never_travels_unencrypted_to_another_machine() -> None:
    settings = replace(MAIL, smtp_security="none", smtp_username="u", smtp_password=SecretStr("p"))
    with pytest.raises(DeliveryRefused, match="unencrypted"):
        mail_server.send_email(mail_building.build_message(mail_building.Mail("r", "s", "t", "h"), "d@e.f", settings, NOW), settings)
