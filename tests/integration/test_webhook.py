"""The webhook over real HTTP, its signature verified by the receiver's own library."""

import logging
import socket
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from forecaster.errors import DeliveryError, DeliveryFailed, DeliveryRefused
from forecaster.notify import outbox
from forecaster.notify.addresses import recipient_label
from forecaster.notify.channels.webhook_channel import WebhookSettings, send_webhook
from forecaster.reports.map_files import webhook_document
from tests.support.sample_report import sample_report
from tests.support.web_server import WebServer
from tests.support.webhook_server import WebhookServer

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # the example of the Standard Webhooks specification


def settings_for(server: WebhookServer, allow_private: bool = True, path: str = "/T0KEN", timeout_s: float = 5.0) -> WebhookSettings:
    return WebhookSettings(SecretStr(f"http://127.0.0.1:{server.port}{path}"), SecretStr(SECRET), allow_private, timeout_s)


def now() -> datetime:
    """The receiver's library compares with the machine's clock and takes no other."""
    return datetime.now(UTC)


def test_the_report_arrives_signed_and_unchanged() -> None:
    document = webhook_document(sample_report())
    with WebhookServer(SECRET) as server:
        assert send_webhook(document, "delivery-1", settings_for(server), now()) == 204
    assert (server.received, server.ids, server.rejected) == ([document], ["delivery-1"], 0)


@pytest.mark.parametrize(("secret", "age"), [("whsec_b3RoZXI=", 0), (SECRET, 3600)])
def test_another_secret_or_an_old_timestamp_does_not_verify(secret: str, age: int) -> None:
    with WebhookServer(secret) as server, pytest.raises(DeliveryRefused, match="answered 401"):
        send_webhook({"a": 1}, "id", settings_for(server), now() - timedelta(seconds=age))
    assert (server.rejected, server.received) == (1, [])


@pytest.mark.parametrize("status", [400, 404, 410, 413])
def test_a_client_error_is_final(status: int) -> None:
    with WebhookServer(SECRET, [status]) as server, pytest.raises(DeliveryRefused, match=f"answered {status}"):
        send_webhook({}, "id", settings_for(server), now())


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
def test_overload_and_server_errors_are_tried_again(status: int) -> None:
    with WebhookServer(SECRET, [status]) as server, pytest.raises(DeliveryFailed, match=f"answered {status}"):
        send_webhook({}, "id", settings_for(server), now())


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    with WebhookServer(SECRET, [status, 204]) as server, pytest.raises(DeliveryRefused, match="redirect"):
        send_webhook({}, "id", settings_for(server), now())
    assert server.paths == ["/T0KEN"]


def test_silence_and_absence_are_tried_again() -> None:
    with WebhookServer(SECRET, silence_s=1.0) as server, pytest.raises(DeliveryFailed, match="ReadTimeout"):
        send_webhook({}, "id", settings_for(server, timeout_s=0.2), now())
    with pytest.raises(DeliveryFailed, match="ConnectionError"):
        send_webhook({}, "id", settings_for(server), now())


def test_loopback_needs_the_permission() -> None:
    with WebhookServer(SECRET) as server, pytest.raises(DeliveryRefused, match="must not reach"):
        send_webhook({}, "id", settings_for(server, allow_private=False), now())
    assert server.paths == []


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "2852039166", "0.0.0.0"])  # the third is 169.254.169.254 as one number
def test_link_local_and_metadata_are_refused_even_with_the_permission(host: str) -> None:
    settings = WebhookSettings(SecretStr(f"http://{host}/latest/meta-data"), SecretStr(SECRET), webhook_allow_private=True, timeout_s=1.0)
    with pytest.raises(DeliveryRefused, match="must not reach"):
        send_webhook({}, "id", settings, now())


def test_a_name_that_turns_inward_after_the_check_is_caught_on_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: the first answer is a public address, every later one is loopback. Not a byte is sent."""
    real, asked = socket.getaddrinfo, []

    def turning(host: str, port: int, *args: object, **kwargs: object) -> list:
        asked.append(host)
        return real("8.8.8.8" if len(asked) == 1 else "127.0.0.1", port, *args, **kwargs)  # type: ignore[arg-type]

    with WebhookServer(SECRET) as server:
        monkeypatch.setattr(socket, "getaddrinfo", turning)
        settings = WebhookSettings(SecretStr(f"http://hooks.example.org:{server.port}/"), SecretStr(SECRET))
        with pytest.raises(DeliveryRefused, match="led to an address"):
            send_webhook({}, "id", settings, now())
    assert len(asked) == 2 and server.paths == []


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_é", "whsec_!"])
def test_a_secret_that_cannot_sign_is_said_and_not_shown(secret: str) -> None:
    with WebhookServer(SECRET) as server:
        settings = WebhookSettings(SecretStr(f"http://127.0.0.1:{server.port}/"), SecretStr(secret), True)
        with pytest.raises(DeliveryRefused, match="webhook_secret cannot sign"):
            send_webhook({}, "id", settings, now())
    assert server.paths == []


def attempted(row: outbox.Delivery, settings: WebhookSettings, now: datetime) -> outbox.Delivery:
    """The row after one claimed attempt."""
    error = None
    try:
        send_webhook({"a": 1}, row.delivery_id, settings, now)
    except DeliveryError as failure:
        error = failure
    return outbox.ended(outbox.claim(row, now), error, now)


def test_through_the_outbox_a_busy_receiver_gets_it_once_and_no_log_shows_the_address(caplog: pytest.LogCaptureFixture) -> None:
    start = datetime(2024, 1, 3, tzinfo=UTC)
    busy = (503, {"Retry-After": "Wed, 03 Jan 2024 00:20:00 GMT"}, b"")
    caplog.set_level(logging.DEBUG)
    with WebServer([busy, 204]) as server:
        url = SecretStr(f"http://127.0.0.1:{server.port}/T0KEN")
        settings = WebhookSettings(url, SecretStr(SECRET), webhook_allow_private=True)
        (row,) = outbox.plan("report-1", "report", [outbox.Recipient("webhook", recipient_label(url.get_secret_value()), url)], start)
        row = attempted(row, settings, start)
        assert (row.state, row.next_try_at) == ("failed", start + timedelta(minutes=20))
        later = start + timedelta(minutes=20)
        row = attempted(row, settings, later)
        assert (row.state, row.attempts) == ("sent", 2)
    assert [asked.headers["webhook-id"] for asked in server.asked] == [row.delivery_id] * 2  # the same id: the receiver can tell
    assert "T0KEN" not in caplog.text and "T0KEN" not in repr(row)
