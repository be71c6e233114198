"""One answer of the service over HTTP: complete, within limits of time and size, or a CatalogError. Redirects are not followed.

The exchange runs in a thread of its own, because a socket time-out does not end an answer that comes a byte at a time. At the deadline its
connection is cut. A thread that still waits then (for a name server, in a TLS handshake) stays idle and blocks nothing.
"""

import io
import re
import socket
import struct
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from forecaster.catalog.no_connection import HOW_TO, bad_certificate, host_of, is_no_connection, reason
from forecaster.errors import CatalogError, CatalogMalformed, CatalogRefused, CatalogTruncated, CatalogUnreachable, NoConnection

MAX_BYTES = 50_000_000  # 20,000 rows of geojson take 18 MB; before and after unpacking
CONNECT_MARGIN_S = 2.0  # to resolve the name and agree on TLS, beyond the time-out of the connection itself
_CHUNK = 65_536
_WRONG_ADDRESS = (
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidProxyURL,
    requests.exceptions.InvalidHeader,
    urllib3.exceptions.LocationValueError,
)
_TIMEOUTS = (requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError, TimeoutError)


@dataclass
class Exchange:
    """One request and the answer received so far: `status` and `headers` first, then `body` (unpacked). `note` is a short description of
    what went wrong. `where` names the address without a login."""

    url: str
    where: str
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    sent_bytes: int = 0
    body: bytes = b""
    note: str = ""
    error: CatalogError | None = None
    line: socket.socket | None = None
    given_up: threading.Event = field(default_factory=threading.Event)

    def hang_up(self) -> None:
        """Cut the connection, so that a thread reading from it wakes up."""
        self.given_up.set()
        if self.line is not None:
            with suppress(OSError):
                self.line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # the close that follows is a reset
                socket.socket.shutdown(self.line, socket.SHUT_RDWR)


class Fetcher:
    """A client of one service. It keeps its connections, and no cookies."""

    def __init__(self, user_agent: str, timeout_s: tuple[float, float], deadline_s: float) -> None:
        self._timeout_s = timeout_s
        self._deadline_s = deadline_s
        self.connect_s = min(timeout_s[0] + CONNECT_MARGIN_S, deadline_s)
        self._session = _Session()
        self._session.headers.update({"User-Agent": user_agent, "Accept-Encoding": "gzip"})
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Adapter())

    def fetch(self, exchange: Exchange) -> None:
        """Fill `exchange`. The status may be any below 500 except 3xx and 429.

        Raises:
            CatalogUnreachable: time-out, 429 or 5xx: worth another try. NoConnection: nothing answered within `connect_s`.
            CatalogTruncated: the body was cut. CatalogMalformed: redirect, too large, or no HTTP.
            CatalogRefused: no address, or a certificate that is not trusted.
        """
        thread = threading.Thread(target=self._run, args=(exchange,), name="one answer of the service", daemon=True)
        thread.start()
        try:
            thread.join(self.connect_s)
            connected = not thread.is_alive() or exchange.line is not None
            if connected:
                thread.join(self._deadline_s - self.connect_s)
        finally:
            late = thread.is_alive()
            if late:
                exchange.hang_up()
        if late and not connected:
            exchange.note = "no connection"
            raise NoConnection(f"{host_of(exchange.url)} cannot be reached: no connection within {self.connect_s:g} s")
        if late:
            exchange.note = "time-out"
            raise CatalogUnreachable(
                f"{exchange.where} did not end its answer within {self._deadline_s:g} s ({exchange.sent_bytes:,} bytes of the body came)"
            )
        if exchange.error is not None:
            raise exchange.error

    def _run(self, exchange: Exchange) -> None:
        _of_this_thread.exchange = exchange
        try:
            self._exchange(exchange)
        except CatalogError as error:
            exchange.error = error

    def _exchange(self, exchange: Exchange) -> None:
        where = exchange.where
        try:
            with self._session.get(exchange.url, stream=True, timeout=self._timeout_s, allow_redirects=False) as response:
                exchange.status, exchange.headers = response.status_code, response.headers
                _check_status(exchange)
                exchange.body = _read(response, exchange)
        except CatalogError:
            raise
        except _TIMEOUTS as error:
            exchange.note = "time-out"
            raise CatalogUnreachable(f"{where} did not answer within {self._timeout_s[1]:g} s") from error
        except _WRONG_ADDRESS as error:
            exchange.note = "no address"
            if isinstance(error, requests.exceptions.InvalidProxyURL) or "SOCKS" in str(error):
                raise CatalogRefused(
                    f"{host_of(exchange.url)} cannot be asked: the proxy in HTTPS_PROXY, HTTP_PROXY or ALL_PROXY cannot be used "
                    f"({_described(error)}); write it as http://host:port"
                ) from error
            raise CatalogRefused(
                f"{where} cannot be asked ({_described(error)}); check the address of the service (QUAKECAST_USGS_URL)"
            ) from error
        except Exception as error:
            if exchange.status is not None:
                exchange.note = "body cut"
                raise CatalogTruncated(f"{where}: the body was cut ({_described(error)}); nothing was stored, try again") from error
            if trouble := bad_certificate(error):
                exchange.note = "certificate"
                raise CatalogRefused(
                    f"{host_of(exchange.url)}: its certificate is not trusted ({trouble}); where a proxy opens TLS, name the file with its "
                    f"certificate in REQUESTS_CA_BUNDLE ({HOW_TO})"
                ) from error
            if is_no_connection(error):
                exchange.note = "no connection"
                raise NoConnection(f"{host_of(exchange.url)} cannot be reached: {reason(error, exchange.url)}") from error
            if isinstance(error, requests.ConnectionError):
                exchange.note = "no connection"
                raise CatalogUnreachable(f"{where} cannot be reached ({_described(error)})") from error
            exchange.note = "no HTTP"
            raise CatalogMalformed(f"{where}: the answer is no HTTP that can be read ({_described(error)}); try again") from error


_INSIDE = re.compile(r"_?\w*Https?\w*\([^)]*\): ")  # urllib3's name for the object that it worked with

_of_this_thread = threading.local()


class _Noted:
    """A connection that records in the exchange of its thread which socket it uses."""

    def request(self, *args: Any, **kwargs: Any) -> None:
        super().request(*args, **kwargs)  # type: ignore[misc]
        exchange: Exchange | None = getattr(_of_this_thread, "exchange", None)
        if exchange is not None:
            exchange.line = self.sock  # type: ignore[attr-defined]
            if exchange.given_up.is_set():
                exchange.hang_up()


class _NotedHttp(_Noted, HTTPConnection):
    pass


class _NotedHttps(_Noted, HTTPSConnection):
    pass


class _Adapter(HTTPAdapter):
    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = _NotedHttps if pool.scheme == "https" else _NotedHttp
        return pool


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return None. Otherwise requests would read the whole body of a redirect, and its Location, only to offer the next request."""
        return None


def _check_status(exchange: Exchange) -> None:
    status, where = exchange.status or 0, exchange.where
    if status == 407:
        exchange.note = "HTTP 407"
        raise CatalogRefused(
            f"{host_of(exchange.url)}: the proxy wants a login; write it as http://user:password@host:port in HTTPS_PROXY or HTTP_PROXY"
        )
    if status == 429 or status >= 500:
        exchange.note = f"HTTP {status}"
        raise CatalogUnreachable(f"{where} answers HTTP {status}")
    if 300 <= status < 400:
        exchange.note = "redirect"
        raise CatalogMalformed(
            f"{where}: HTTP {status} points to {_place(exchange.headers.get('Location', ''))}, and no redirect is followed; a proxy or the "
            "sign-in page of a network may stand between, or the address of the service (QUAKECAST_USGS_URL) has changed"
        )


def _read(response: requests.Response, exchange: Exchange) -> bytes:
    """Return the body. It is unpacked here and not by requests, which accepts a gzip stream that ends too early as complete."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise CatalogMalformed(f"{exchange.where}: the body is packed as {encoding[:20]!r}, only gzip was asked for; try again")
    sent = _sent(response, exchange)
    whole = io.BytesIO()
    for chunk in _unpacked(sent, exchange) if encoding.endswith("gzip") else sent:
        if whole.tell() + len(chunk) > MAX_BYTES:
            raise _too_large(exchange, "unpacked")
        whole.write(chunk)
    promised = response.headers.get("Content-Length", "")
    if promised.isascii() and promised.isdigit() and promised.lstrip("0") != str(exchange.sent_bytes).lstrip("0"):
        exchange.note = "body cut"
        raise CatalogTruncated(f"{exchange.where}: {exchange.sent_bytes} of {promised[:20]} bytes came; nothing was stored, try again")
    return whole.getvalue()


def _sent(response: requests.Response, exchange: Exchange) -> Iterator[bytes]:
    for chunk in response.raw.stream(_CHUNK, decode_content=False):
        exchange.sent_bytes += len(chunk)
        if exchange.sent_bytes > MAX_BYTES:
            raise _too_large(exchange, "sent")
        yield chunk


def _unpacked(sent: Iterator[bytes], exchange: Exchange) -> Iterator[bytes]:
    """Yield the members of a gzip stream, in pieces of a bounded size."""
    unpack, begun = zlib.decompressobj(wbits=31), False
    try:
        for data in sent:
            while data and not exchange.given_up.is_set():
                begun = True
                yield unpack.decompress(data, _CHUNK)
                data = unpack.unconsumed_tail
                if unpack.eof:
                    data = unpack.unused_data.lstrip(b"\0")
                    unpack, begun = zlib.decompressobj(wbits=31), False
        while begun and (rest := unpack.decompress(b"", _CHUNK)):  # what zlib has read and not returned yet
            yield rest
    except zlib.error as error:
        exchange.note = "body cut"
        raise CatalogTruncated(f"{exchange.where}: the gzip body is not whole ({error}); nothing was stored, try again") from error
    if begun and not unpack.eof:
        exchange.note = "body cut"
        raise CatalogTruncated(f"{exchange.where}: the gzip body ends too early; nothing was stored, try again")


def _too_large(exchange: Exchange, how: str) -> CatalogMalformed:
    exchange.note = "too large"
    return CatalogMalformed(
        f"{exchange.where}: the body is over {MAX_BYTES // 1_000_000} MB {how}, and 20,000 events take less than half of that; "
        "nothing was taken from it, try again"
    )


def without_login(text: str) -> str:
    """Return a text with addresses, without the user and password before the host."""
    return re.sub(r"//[^/?#\s]*@", "//", text)


def _place(location: str) -> str:
    """Return the target of a redirect, without anything that may be a secret."""
    shown = without_login(location).split("?")[0].split("#")[0]
    return "".join(c if c.isprintable() else "?" for c in shown)[:200] or "nowhere"


def _described(error: BaseException) -> str:
    cause = error.args[0] if error.args else error
    text = _INSIDE.sub("", str(getattr(cause, "reason", cause)).rsplit(">:", 1)[-1].strip())
    return "".join(c if c.isprintable() else "?" for c in without_login(text or type(error).__name__))[:200]
