"""One HTTP request to somebody else's server: no redirects, no proxies, no netrc, the peer's address checked on the open connection."""

import logging
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import requests
from pydantic import SecretStr
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from forecaster.errors import DeliveryFailed, DeliveryRefused
from forecaster.notify.addresses import PERMIT, check_address, is_forbidden, recipient_label

TIMEOUT_S = 15.0
RETRYABLE = frozenset({408, 425, 429})  # and every 5xx
LONGEST_ANSWER = 300  # bytes of the body that are read, where they are asked for


@dataclass(frozen=True)
class WebAddress:
    """A URL (which may hold a secret), what it is called in messages, the setting it came from, and where it may lead."""

    url: SecretStr
    name: str
    setting: str
    allow_private: bool = False
    timeout_s: float = TIMEOUT_S

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
        """Seconds from `now`, of a Retry-After in seconds or as a date (RFC 9110, 10.2.3)."""
        value = (self.retry_after or "").strip()
        if value.isascii() and value.isdigit():
            return float(value)
        try:
            until = parsedate_to_datetime(value)
        except ValueError:
            return None
        return max((until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds(), 0.0)


def request(
    method: Literal["GET", "POST"], address: WebAddress, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """Ask once.

    Raises:
        DeliveryRefused: a forbidden address, a URL that is none, a certificate that cannot be trusted.
        DeliveryFailed: time-out, no connection.
    """
    url = address.url.get_secret_value()
    check_address(url, address.where, address.setting, address.allow_private)
    with unlogged("urllib3"), requests.Session() as session:
        session.trust_env = False
        for scheme in ("http://", "https://"):
            session.mount(scheme, _PeerCheckingAdapter(address.allow_private))
        try:
            with session.request(
                method,
                url,
                data=body,
                headers={"User-Agent": "quakecast", **(headers or {})},
                timeout=address.timeout_s,
                allow_redirects=False,
                stream=True,
            ) as answer:
                said = _beginning(answer) if answer.status_code >= 400 else ""
                return Answer(answer.status_code, answer.headers.get("Retry-After"), said)
        except requests.exceptions.SSLError:
            raise DeliveryRefused(f"{address.where}: its certificate cannot be trusted; check {address.setting}") from None
        except (requests.exceptions.RequestException, OSError) as error:
            raise DeliveryFailed(
                f"{address.where} could not be reached or broke off ({type(error).__name__}); will be tried again"
            ) from None


def _beginning(answer: requests.Response) -> str:
    """The first bytes of a body; nothing, where it cannot be read: the status has been told by then."""
    try:
        return bytes(answer.raw.read(LONGEST_ANSWER, decode_content=True)).decode("utf-8", "replace")
    except (HTTPError, OSError):
        return ""


def expect_success(answer: Answer, address: WebAddress, now: datetime) -> int:
    """The status, where it is 2xx.

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
    """While inside, nothing is logged below these loggers: libraries that speak HTTP log the whole address, and it may hold a secret.

    Yields what they would have logged; it may hold secrets and must not be passed on as it is.
    """
    kept: list[str] = []

    def silent(record: logging.LogRecord) -> bool:
        kept.append(record.getMessage())
        return False

    known = [
        logger for name, logger in logging.root.manager.loggerDict.items() if isinstance(logger, logging.Logger) and _below(name, names)
    ]
    for logger in known:
        logger.addFilter(silent)
    try:
        yield kept
    finally:
        for logger in known:
            logger.removeFilter(silent)


def _below(name: str, names: tuple[str, ...]) -> bool:
    return any(name == above or name.startswith(f"{above}.") for above in names)


class _PeerChecked:
    """Mixed into urllib3's connections: the peer's address is looked at before a byte is sent, whatever the name resolved to by then."""

    allow_private = False

    def _new_conn(self) -> socket.socket:
        connection: socket.socket = super()._new_conn()  # type: ignore[misc]
        if is_forbidden(str(connection.getpeername()[0]), self.allow_private):
            connection.close()
            raise DeliveryRefused(f"a receiver's name led to an address that messages must not reach; see {PERMIT}")
        return connection


class _PeerCheckingAdapter(HTTPAdapter):
    def __init__(self, allow_private: bool) -> None:
        self._allow_private = allow_private
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        fields = {"allow_private": self._allow_private}
        plain, secure = type("_Plain", (_PeerChecked, HTTPConnection), fields), type("_Secure", (_PeerChecked, HTTPSConnection), fields)
        pools = self.poolmanager.pool_classes_by_scheme
        self.poolmanager.pool_classes_by_scheme = {
            "http": type("_PlainPool", (pools["http"],), {"ConnectionCls": plain}),
            "https": type("_SecurePool", (pools["https"],), {"ConnectionCls": secure}),
        }
