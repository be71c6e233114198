"""Without a network, behind a proxy, behind one that opens TLS: one line that says what is wrong and what to do, soon; never an object's
name, a login or a token. Messages and heartbeat go by the same settings as USGS."""

import os
import socket
import threading
import time
from datetime import UTC, datetime

import numpy as np
import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from forecaster import cli
from forecaster.catalog.sources.usgs import MAX_SILENCE_S, UsgsClient
from forecaster.errors import CatalogRefused, DeliveryFailed, DeliveryRefused, NoConnection, ReceiverSilent
from forecaster.notify import http_post
from forecaster.notify.channels.webhook_channel import WebhookSettings, send_webhook
from forecaster.notify.heartbeat import beat
from tests.support.raw_server import OK, answer, say, serve_raw
from tests.support.smtp_server import make_certificate
from tests.support.usgs_bodies import collection
from tests.support.usgs_clients import NOW, QUERY, Waits, new_client
from tests.support.web_server import WebServer
from tests.support.webhook_server import WebhookServer

NOBODY = "http://127.0.0.1:9"  # the port that throws all away, where nobody listens
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ADVICE = "check the network; behind a proxy set HTTPS_PROXY (not set now); docs/how-to/network.md says more; what is stored still serves: "


@pytest.fixture
def nameless(monkeypatch):
    """A machine without a name server: only numbers resolve."""
    resolve = socket.getaddrinfo

    def getaddrinfo(host, *args, **kwargs):
        if not str(host).replace(".", "").isdigit():
            raise socket.gaierror(-2, "Name or service not known")
        return resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def behind(monkeypatch, proxy: str) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, proxy)


def refused(url: str, **options) -> tuple[Exception, list[float]]:
    waits = Waits()
    jitter = np.random.default_rng(1)
    client = UsgsClient(url, "x", clock=lambda: NOW, rng=jitter, sleep=waits.sleep, monotonic=waits.monotonic, **options)
    with pytest.raises((NoConnection, CatalogRefused)) as told:
        client.changes_since(QUERY)
    return told.value, waits.slept


def test_a_name_that_does_not_resolve_is_one_line_with_host_proxy_and_what_still_works(nameless):
    error, slept = refused("https://quakes.example.org", timeout_s=(5.0, 5.0))
    assert isinstance(error, NoConnection)
    said = str(error)
    assert said.startswith("https://quakes.example.org cannot be reached: the name does not resolve (") and ADVICE in said
    assert "\n" not in said and "Https" not in said and "fdsnws" not in said
    assert sum(slept) < MAX_SILENCE_S


def test_where_nobody_listens_it_says_so():
    error, _ = refused(NOBODY)
    assert str(error).startswith(f"{NOBODY} cannot be reached: connection refused (") and "set HTTP_PROXY (not set now)" in str(error)


def test_no_more_tries_than_fit_into_half_a_minute(nameless):
    """Each try may take as long as a connection may: by that clock two fit into 28 s, with a pause between."""
    waits = Waits()

    def monotonic() -> float:
        return sum(waits.slept) + 12.0 * len(client.fetch_log)

    client = UsgsClient("https://x.example", "x", clock=lambda: NOW, rng=np.random.default_rng(1), sleep=waits.sleep, monotonic=monotonic)
    with pytest.raises(NoConnection, match=r"\(2 tries\)"):
        client.changes_since(QUERY)
    assert monotonic() < MAX_SILENCE_S


def test_a_name_server_that_never_answers_holds_nobody_up(monkeypatch):
    go_on = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: go_on.wait(60) and [])
    began = time.monotonic()
    try:
        error, _ = refused("https://x.example", timeout_s=(0.1, 5.0), deadline_s=0.3, max_tries=2)
        assert time.monotonic() - began < 30, "the name server would have taken two minutes"
    finally:
        go_on.set()
    assert "https://x.example cannot be reached: no connection within 0.3 s (2 tries)" in str(error)


def test_a_proxy_that_is_away_is_named_without_its_login(monkeypatch):
    behind(monkeypatch, "http://user:secret@127.0.0.1:9")
    error, _ = refused("https://quakes.example.org")
    assert "the proxy http://127.0.0.1:9 does not let us through: connection refused" in str(error)
    assert "check HTTPS_PROXY (now http://127.0.0.1:9)" in str(error) and "secret" not in str(error)


@pytest.mark.parametrize("url", ["https://quakes.example.org", "http://quakes.example.org"])
def test_a_proxy_that_wants_a_login_says_so(monkeypatch, url):
    with serve_raw(say(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")) as proxy:
        behind(monkeypatch, proxy.url)
        error, _ = refused(url)
    assert "407" in str(error) or "the proxy wants a login" in str(error)


@pytest.mark.parametrize("proxy", ["http://", "socks5://127.0.0.1:9"])
def test_a_proxy_that_cannot_be_used_is_told_at_once(monkeypatch, proxy):
    behind(monkeypatch, proxy)
    error, slept = refused("https://quakes.example.org")
    assert isinstance(error, CatalogRefused) and "HTTPS_PROXY" in str(error) and not slept


def test_a_certificate_that_is_not_trusted_names_the_setting_and_is_not_tried_again(tmp_path):
    with serve_raw(say(OK), make_certificate(tmp_path)) as server:
        error, slept = refused(server.url)
    assert isinstance(error, CatalogRefused) and "REQUESTS_CA_BUNDLE" in str(error) and "self" in str(error) and not slept


def test_the_service_is_read_through_a_proxy(monkeypatch):
    with serve_raw(say(answer(collection()))) as proxy:
        behind(monkeypatch, proxy.url)
        assert new_client("http://quakes.example.org").changes_since(QUERY).counted == 0
    assert proxy.asked[0].startswith(b"GET http://quakes.example.org/fdsnws/event/1/query?")


def test_pull_says_it_in_one_line(store, settings):
    environment = {"QUAKECAST_HOME": str(settings.home), "QUAKECAST_USGS_URL": NOBODY}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("forecaster.catalog.sources.usgs.MAX_SILENCE_S", 0.0)
        patch.setattr("forecaster.pipeline.as_of.bundled_catalogue.load_snapshot", lambda *args: 0)
        told = CliRunner().invoke(cli.main, ["pull"], env=environment)
    assert told.exit_code == 1 and told.stderr.splitlines()[-1].startswith(f"quakecast: {NOBODY} cannot be reached")


# Messages and heartbeat


def hook(url: str, allow_private: bool = False) -> WebhookSettings:
    return WebhookSettings(SecretStr(url), SecretStr(SECRET), allow_private, 5.0)


def test_webhook_and_heartbeat_go_through_the_proxy_that_resolves_their_names(monkeypatch, nameless):
    with WebServer([200]) as proxy:
        behind(monkeypatch, f"http://127.0.0.1:{proxy.port}")
        assert send_webhook({"a": 1}, "id", hook("http://hooks.example.org/T0KEN"), datetime.now(UTC)) == 200
        assert beat(SecretStr("http://ping.example.org/uuid"), failed=False, allow_private=False) == 200
    assert [asked.path for asked in proxy.asked] == ["http://hooks.example.org/T0KEN", "http://ping.example.org/uuid"]


def test_no_proxy_is_asked_where_it_is_said_so(monkeypatch):
    behind(monkeypatch, NOBODY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with WebhookServer(SECRET) as server:
        assert send_webhook({"a": 1}, "id", hook(f"http://127.0.0.1:{server.port}/T0KEN", True), datetime.now(UTC)) == 204


@pytest.mark.parametrize("host", ["169.254.169.254", "127.0.0.1", "10.0.0.1"])
def test_a_proxy_is_no_way_to_an_inner_address(monkeypatch, host):
    with WebServer([200]) as proxy:
        behind(monkeypatch, f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(DeliveryRefused, match="must not reach"):
            http_post.request("POST", http_post.WebAddress(SecretStr(f"http://{host}/T0KEN"), "webhook", "webhook_url"), b"x")
        assert proxy.asked == []


def test_a_proxy_in_the_way_of_a_message_is_named_without_secrets(monkeypatch, nameless):
    behind(monkeypatch, "http://user:secret@127.0.0.1:9")
    with pytest.raises(ReceiverSilent) as told:
        http_post.request("POST", http_post.WebAddress(SecretStr("https://hooks.example.org/T0KEN"), "webhook", "webhook_url"), b"x")
    assert "the proxy http://127.0.0.1:9 does not let us through" in str(told.value)
    assert "secret" not in str(told.value) and "T0KEN" not in str(told.value)


def test_without_a_proxy_a_name_must_resolve(nameless):
    with pytest.raises(DeliveryFailed, match="the name does not resolve"):
        http_post.request("POST", http_post.WebAddress(SecretStr("https://hooks.example.org/T0KEN"), "webhook", "webhook_url"), b"x")


@pytest.mark.parametrize(
    ("set_before", "server", "hosts"),
    [
        ("", "", "127.0.0.1,localhost"),
        ("a.example, 127.0.0.1", "http://server:4200/api", "a.example,127.0.0.1,localhost,server"),
        ("", "https://prefect.example.org/api", "127.0.0.1,localhost"),
    ],
)
def test_prefects_server_on_this_machine_is_asked_directly(monkeypatch, set_before, server, hosts):
    from flows.commands import ask_ourselves_directly

    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", set_before)
    monkeypatch.setenv("PREFECT_API_URL", server)
    ask_ourselves_directly()
    assert os.environ["NO_PROXY"] == set_before, "without a proxy nothing is set"
    behind(monkeypatch, NOBODY)
    ask_ourselves_directly()
    assert os.environ["NO_PROXY"] == os.environ["no_proxy"] == hosts
