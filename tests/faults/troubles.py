"""Troubles of the event service beyond `tests.support.usgs_server.Fault`: answers that go wrong on the way, and answers that lie.

    with between(usgs) as proxy: proxy.trouble = TROUBLES["redirect loop"] ... proxy.url, proxy.requests

A proxy on loopback between the client and the local service. `raw` troubles answer in its place; `lie` troubles change a good geojson
answer and keep its count right. Every trouble is deterministic.
"""

import gzip
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

from tests.support.usgs_server import Fault, UsgsServer, in_threads

Document = dict[str, Any]
Raw = tuple[int, dict[str, str], bytes]
YEAR_MS = 365 * 86_400_000
LIED_ABOUT_MS = 21 * 86_400_000
HOSTILE = 5_000  # digits of a number, levels of a nesting


@dataclass(frozen=True)
class Trouble:
    """One kind. `fault`: of the local service itself; `raw`: an answer; `lie`: a change of the good answer; `back`, `skew`: its clock.

    told: the pull fails, or its forecasts are marked as degraded. believed: nobody can tell at that moment; a later good pull mends it.
    harmless: changes nothing.
    """

    name: str
    expected: Literal["told", "believed", "harmless"] = "told"
    fault: Fault | None = None
    raw: Callable[[str], Raw] | None = None
    lie: Callable[[Document], None] | None = None
    back: timedelta = timedelta(0)
    skew: timedelta = timedelta(0)
    drip_s: float = 0.0
    times: int = 1_000_000


def _features(document: Document) -> list[Document]:
    """Those that are lied about: alive, and of the last three weeks, so that a reconciliation (60 days) can mend them within the month."""
    alive = [feature for feature in document["features"] if feature["properties"]["status"] != "deleted"]
    newest = max((feature["properties"]["time"] for feature in alive), default=0)
    return [feature for feature in alive if feature["properties"]["time"] > newest - LIED_ABOUT_MS]


def _each(change: Callable[[Document, Document], None], every: int = 3) -> Callable[[Document], None]:
    """A lie about every third feature: called with (feature, its properties)."""

    def lie(document: Document) -> None:
        for feature in _features(document)[::every]:
            change(feature, feature["properties"])

    return lie


def _set(**values: Any) -> Callable[[Document], None]:
    return _each(lambda _, properties: properties.update(values))


def _emptied(document: Document) -> None:
    document["features"] = []


def _joined(document: Document) -> None:
    """The first 70 name each other's ids: one event, says the answer."""
    first = _features(document)[:70]
    ids = "," + ",".join(feature["id"] for feature in first) + ","
    for feature in first:
        feature["properties"]["ids"] = ids


def _outside(document: Document) -> None:
    """A row that was not asked for: an old one, far below the magnitude, far before the moment of change."""
    if _features(document):
        stranger = json.loads(json.dumps(_features(document)[0]))
        stranger["id"] = stranger["properties"]["code"] = "zz00000001"
        stranger["properties"] |= {"ids": ",zz00000001,", "mag": 0.3, "time": 10 * YEAR_MS, "updated": 10 * YEAR_MS}
        document["features"].append(stranger)


def _doubled(document: Document) -> None:
    document["features"] += [dict(feature) for feature in document["features"][:5]]


def _body(text: str | bytes, **headers: str) -> Callable[[str], Raw]:
    body = text if isinstance(text, bytes) else text.encode()
    return lambda _: (200, {"Content-Type": "application/json", **headers}, body)


def _status(status: int, **headers: str) -> Callable[[str], Raw]:
    return lambda _: (status, {name.replace("_", "-"): value for name, value in headers.items()}, b"")


def _metadata(value: Any) -> Callable[[Document], None]:
    return lambda document: document.update(metadata=value)


def _bomb() -> bytes:
    return gzip.compress(b"[" + b"0," * 40_000_000, 9)


_COLUMNS = "time,latitude,longitude,depth,mag,magType,net,id,id,updated,place,type,status\n"
TROUBLES = {
    trouble.name: trouble
    for trouble in [
        # the local service's own
        Trouble("HTTP 500 for a while", "harmless", fault=Fault("status", times=3, status=500)),
        Trouble("HTTP 500 all day", fault=Fault("status", times=10_000, status=500)),
        Trouble("HTTP 403", fault=Fault("status", times=10_000, status=403)),
        Trouble("connection lost", fault=Fault("disconnect", times=10_000)),
        Trouble("a body half sent", fault=Fault("cut", times=10_000)),
        Trouble("gzip half sent", fault=Fault("cut_gzip", times=10_000)),
        Trouble("text that ends early", fault=Fault("cut_text", times=10_000)),
        Trouble("a web page", fault=Fault("html", times=10_000)),
        Trouble("nothing", fault=Fault("empty", times=10_000)),
        Trouble("a header only", fault=Fault("header_only", times=10_000, method="query")),
        Trouble("rows missing and counted", "believed", fault=Fault("missing", times=10_000, rows=5)),
        Trouble("rows missing", fault=Fault("short", times=10_000, rows=5)),
        Trouble("all times of 1970", fault=Fault("epoch_1970", times=10_000)),
        # on the way
        Trouble("redirect loop", raw=lambda path: (302, {"Location": path}, b"")),
        Trouble("redirect to another host", raw=_status(302, Location="http://localhost:9/fdsnws/event/1/query")),
        Trouble("bad Location", raw=_status(302, Location="http://[::1")),
        Trouble("Retry-After of a year", raw=_status(503, Retry_After=str(365 * 86_400))),
        Trouble("Retry-After in the year 99999", raw=_status(503, Retry_After="Fri, 31 Dec 99999 23:59:59 GMT")),
        Trouble("Retry-After 0", raw=_status(429, Retry_After="0")),
        Trouble("a dripped body", raw=_body("[" + "0," * 50_000), drip_s=0.05),
        Trouble("gzip bomb", raw=lambda _: (200, {"Content-Encoding": "gzip"}, _bomb())),
        Trouble("deep nesting", raw=_body("[" * HOSTILE * 20)),
        Trouble("a number of 5,000 digits", raw=_body('{"features": [], "metadata": {"count": ' + "9" * HOSTILE + "}}")),
        Trouble("csv with a column twice", raw=_body(_COLUMNS)),
        # answers that cannot be right
        Trouble("metadata is a list", lie=_metadata([1, 2])),
        Trouble("status 503 within a 200", lie=_metadata({"status": 503, "error": "try later", "count": 0})),
        Trouble("no count", lie=_metadata({"status": 200})),
        Trouble("a lone surrogate", "harmless", lie=_set(place="near \ud800 here")),
        Trouble("empty and counted so", lie=_emptied),
        Trouble("a stale replica", back=timedelta(days=3)),
        Trouble("stamps of the future", lie=_each(lambda _, p: p.update(updated=p["updated"] + 2 * YEAR_MS, mag=7.0))),
        Trouble("other content, same stamp", "believed", lie=_each(lambda _, p: p.update(mag=round((p["mag"] or 4.0) + 1.1, 1)))),
        Trouble("deleted, says one answer", "believed", lie=_set(status="deleted")),
        Trouble("70 events in one", lie=_joined),
        Trouble("magnitude -9", lie=_set(mag=-9.0)),
        Trouble("no type", lie=_set(type=None)),
        Trouble("another case of the type", "harmless", lie=_set(type="Earthquake")),
        Trouble("a place of text", lie=_each(lambda feature, _: feature.update(geometry={"type": "Point", "coordinates": ["x", [], {}]}))),
        Trouble("rows nobody asked for", lie=_outside),
        Trouble("rows twice", "harmless", lie=_doubled),
        Trouble("the service's clock is 5 hours off", skew=timedelta(hours=5)),
    ]
}


def recorded(folder: Path) -> list[Trouble]:
    """The answers kept in `folder` (*.csv) of days on which the service went wrong: each is another day's, and says so by its rows."""
    return [
        Trouble(f"recorded {path.stem}", raw=_body(path.read_bytes(), **{"Content-Type": "text/csv"}))
        for path in sorted(folder.glob("*.csv"))
    ]


@dataclass
class Proxy:
    """`trouble` meets the next requests, as many as it says; `requests` are those that came."""

    usgs: UsgsServer
    url: str = ""
    trouble: Trouble | None = None
    met: int = 0
    requests: list[str] = field(default_factory=list)

    def meet(self, trouble: Trouble | None) -> None:
        self.trouble, self.met = trouble, 0
        self.usgs.faults[:] = [Fault(**vars(trouble.fault))] if trouble and trouble.fault else []

    def current(self) -> Trouble:
        self.met += 1
        return self.trouble if self.trouble is not None and self.met <= self.trouble.times else Trouble("none")


@contextmanager
def between(usgs: UsgsServer) -> Iterator[Proxy]:
    """A proxy before the local service, in threads of its own."""
    proxy = Proxy(usgs)
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            proxy.requests.append(self.path)
            trouble = proxy.current()
            try:
                status, headers, body = trouble.raw(self.path) if trouble.raw else self._asked(trouble)
            except (urllib.error.URLError, OSError):
                self.close_connection = True
                return
            with suppress(OSError):
                self.send_response_only(status)
                self.send_header("Date", format_datetime(usgs.clock + trouble.skew, usegmt=True))
                for name, value in {**headers, "Content-Length": headers.get("Content-Length", str(len(body)))}.items():
                    self.send_header(name, value)
                self.end_headers()
                if not trouble.drip_s:
                    self.wfile.write(body)
                for place in range(len(body) if trouble.drip_s else 0):
                    self.wfile.write(body[place : place + 1])
                    if closing.wait(trouble.drip_s):
                        return
                self.close_connection = self.close_connection or headers.get("Content-Length", str(len(body))) != str(len(body))

        def _asked(self, trouble: Trouble) -> Raw:
            """The service's own answer, told at an earlier clock or changed by a lie."""
            now = usgs.clock
            usgs.clock = now - trouble.back
            try:
                request = urllib.request.Request(usgs.url + self.path, headers={"Accept-Encoding": self.headers.get("Accept-Encoding", "")})
                with urllib.request.urlopen(request, timeout=20) as answer:
                    status, headers, body = answer.status, dict(answer.headers), _all_of(answer)
            except urllib.error.HTTPError as error:
                status, headers, body = error.code, dict(error.headers), error.read()
            finally:
                usgs.clock = now
            kept = {name: value for name, value in headers.items() if name not in ("Date", "Server", "Connection")}
            if trouble.lie is None or status != 200 or "format=geojson" not in self.path or "/query" not in self.path:
                return status, kept, body
            document = json.loads(gzip.decompress(body) if kept.get("Content-Encoding") == "gzip" else body)
            if "features" not in document:  # one event, asked for by its id
                return status, kept, body
            trouble.lie(document)
            if isinstance(document.get("metadata"), dict) and "count" in document["metadata"] and "features" in document:
                document["metadata"]["count"] = len(document["features"])
            return status, {"Content-Type": "application/json"}, json.dumps(document).encode()

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that hangs up is what these tests are about."""

    with in_threads(Server(("127.0.0.1", 0), Handler), closing) as proxy.url:
        yield proxy


def _all_of(answer: Any) -> bytes:
    """The body as far as it came; a Content-Length that promised more is passed on."""
    import http.client

    try:
        return bytes(answer.read())
    except http.client.IncompleteRead as error:
        return bytes(error.partial)
