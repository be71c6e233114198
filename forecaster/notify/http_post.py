"""HTTP requests to other people's servers. No redirects, no netrc. The peer's address is checked before connecting, every attempt has a
time limit, and only the needed part of an answer is read. Proxy and certificates as for USGS: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY
and REQUESTS_CA_BUNDLE. A proxy resolves names by itself: names that this machine cannot resolve are left to the proxy's rules."""

import logging
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import requests
from pydantic import SecretStr
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from forecaster.errors import DeliveryFailed, DeliveryRefused, ReceiverSilent
from forecaster.notify.addresses import check_address, host_and_port, is_forbidden, recipient_label
from forecaster.notify.connections import PATIENCE, Connections

TIMEOUT_S = 15.0
RETRYABLE = frozenset({408, 425, 429})  # and every 5xx
MAX_ANSWER = 4096  # bytes of the body that are read; after a longer one the connection is not used again


@dataclass(frozen=True)
class WebAddress:
    """A URL (which may hold a secret), its name in messages, the setting it came from, and where it may lead."""

    url: SecretStr
    name: str
    setting: str
    allow_private: bool = False
    timeout_s: float = TIMEOUT_S

    @property
    def whole_s(self) -> float:
        """Return the longest duration of an attempt once its name has been resolved. An answer that trickles in is cut off then."""
        return PATIENCE * self.timeout_s

    @property
    def where(self) -> str:
        return f"{self.name} {recipient_label(self.url.get_secret_value())}"


@dataclass(frozen=True)
class Answer:
    """Status, the wait that the server asks for, and the beginning of the body."""

    status: int
    retry_after: str | None = None
    text: str = ""

    def retry_after_s(self, now: datetime) -> float | None:
        """Return the seconds from `now` in a Retry-After, given in seconds or as a date (RFC 9110, 10.2.3)."""
        value = (self.retry_after or "").strip()
        if value.isascii() and value.isdigit():
            return float(value)
        try:
            until = parsedate_to_datetime(value)
        except ValueError:
            return None
        return max((until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds(), 0.0)


class Session:
    """The connections of a batch: one a host, kept open between its messages. Close it at the end."""

    def __init__(self, allow_private: bool) -> None:
        self._connections = Connections(lambda address: is_forbidden(address, allow_private))
        self._environment = requests.Session()  # it reads proxies and certificates from the environment, and is never connected
        self._open()

    def _open(self) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Adapter(self._connections))

    def close(self) -> None:
        self._session.close()
        self._connections.forget()

    def ask(self, method: str, address: WebAddress, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        """Send one request, as `request` describes."""
        url = address.url.get_secret_value()
        place = host_and_port(url, address.setting)  # before the library looks for a proxy: it fails at an invalid URL
        around = self._environment.merge_environment_settings(url, {}, True, None, None)
        proxy = select_proxy(url, around["proxies"])
        check_address(*place, address.where, address.allow_private, by_proxy=proxy is not None)
        try:
            with (
                unlogged("urllib3"),
                self._connections.within(address.whole_s),
                self._session.request(
                    method,
                    url,
                    data=body,
                    headers={"User-Agent": "quakecast", "Accept-Encoding": "identity", **headers},
                    timeout=address.timeout_s,
                    allow_redirects=False,
                    stream=True,
                    proxies=around["proxies"],
                    verify=around["verify"],
                ) as answer,
            ):
                if self._connections.were_cut:  # a cut answer looks like headers that have ended
                    raise TimeoutError
                beginning = _beginning(answer)
                return Answer(answer.status_code, answer.headers.get("Retry-After"), beginning if answer.status_code >= 400 else "")
        except requests.exceptions.SSLError as error:
            if self._connections.were_cut:
                raise self._silent(address, error) from None
            raise DeliveryRefused(
                f"{address.where}: its certificate cannot be trusted; check {address.setting}, and where a proxy opens TLS, name the file "
                "with its certificate in REQUESTS_CA_BUNDLE"
            ) from None
        except (requests.exceptions.ProxyError, requests.exceptions.InvalidProxyURL, requests.exceptions.InvalidSchema) as error:
            if self._connections.were_cut:
                raise self._silent(address, error) from None
            named = recipient_label(proxy or "")
            raise ReceiverSilent(
                f"{address.where}: the proxy {named} does not let us through; check HTTPS_PROXY and HTTP_PROXY; will be tried again"
            ) from None
        except (requests.exceptions.RequestException, OSError) as error:
            raise self._silent(address, error) from None
        finally:
            if self._connections.were_cut:
                self.close()
                self._open()

    def _silent(self, address: WebAddress, error: Exception) -> ReceiverSilent:
        if self._connections.were_cut:
            return ReceiverSilent(f"{address.where} gave no whole answer within {address.whole_s:g} s; will be tried again")
        return ReceiverSilent(f"{address.where} could not be reached or broke off ({type(error).__name__}); will be tried again")


def request(
    method: Literal["GET", "POST"],
    address: WebAddress,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    session: Session | None = None,
) -> Answer:
    """Send one request, over the connections of `session` where there is one.

    Raises:
        DeliveryRefused: a forbidden address, an invalid URL, a certificate that cannot be trusted.
        ReceiverSilent: no connection, a silence of `timeout_s`, no whole answer within `whole_s`.
    """
    if session is not None:
        return session.ask(method, address, body, headers or {})
    with closing(Session(address.allow_private)) as own:
        return own.ask(method, address, body, headers or {})


def _beginning(answer: requests.Response) -> str:
    """Return the first bytes of a body; nothing where it cannot be read, since the status is known by then."""
    try:
        return bytes(answer.raw.read(MAX_ANSWER, decode_content=False)).decode("utf-8", "replace")
    except (HTTPError, OSError):
        return ""


def expect_success(answer: Answer, address: WebAddress, now: datetime) -> int:
    """Return the status, where it is 2xx.

    Raises:
        DeliveryFailed: 408, 425, 429, 5xx; with the wait that the server asks for.
        DeliveryRefused: every other status, redirects included.
    """
    if 200 <= answer.status < 300:
        return answer.status
    if answer.status in RETRYABLE or answer.status >= 500:
        raise DeliveryFailed(f"{address.where} answered {answer.status}; will be tried again", answer.retry_after_s(now))
    what = "a redirect, which is not followed" if 300 <= answer.status < 400 else "a refusal"
    raise DeliveryRefused(f"{address.where} answered {answer.status}, {what}; check {address.setting}")


@contextmanager
def unlogged(*names: str) -> Iterator[list[str]]:
    """Suppress all log records of these loggers inside the block. Libraries that speak HTTP log the whole address, and it may hold a
    secret.

    Yields the suppressed records. They may hold secrets and must not be passed on as they are.
    """
    kept: list[str] = []

    def silent(record: logging.LogRecord) -> bool:
        kept.append(record.getMessage())
        return False

    there = list(logging.root.manager.loggerDict.items())  # other threads make loggers
    known = [logger for name, logger in there if isinstance(logger, logging.Logger) and _below(name, names)]
    for logger in known:
        logger.addFilter(silent)
    try:
        yield kept
    finally:
        for logger in known:
            logger.removeFilter(silent)


def _below(name: str, names: tuple[str, ...]) -> bool:
    return any(name == above or name.startswith(f"{above}.") for above in names)


class _Watched:
    """Mixed into urllib3's connections: `connections` opens them, checks the address and can cut them."""

    connections: Connections

    def _new_conn(self) -> socket.socket:
        own: Any = self
        try:
            return self.connections.open(own._dns_host, own.port, own.timeout, trusted=own.proxy is not None)
        except TimeoutError:
            raise ConnectTimeoutError(own, "no connection in time") from None
        except OSError as error:
            raise NewConnectionError(own, f"no connection ({type(error).__name__})") from None


class _Adapter(HTTPAdapter):
    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self._watch(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        self._watch(manager)
        return manager

    def _watch(self, manager: Any) -> None:
        """Make `connections` open the manager's connections."""
        fields = {"connections": self._connections}
        plain, secure = type("_Plain", (_Watched, HTTPConnection), fields), type("_Secure", (_Watched, HTTPSConnection), fields)
        manager.pool_classes_by_scheme = {
            "http": type("_PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("_SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
        }
