"""A local USGS event service over real HTTP, which answers with the catalogue as it was known at its clock.

    with serve(history, clock=datetime(2024, 1, 2, 12, tzinfo=UTC)) as server:
        server.faults.append(Fault("status", status=429, headers={"Retry-After": "7"}, times=2))
        ... server.url, server.requests, server.clock = later

`python -m tests.support.usgs_server --help` serves the same from a shell.
"""

import argparse
import contextlib
import functools
import gzip
import json
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

import numpy as np

from tests.support import usgs_answers as answers
from tests.support.usgs_history import History, shared_history, slice_history

SERVICE = "/fdsnws/event/1/"
FEEDS = "/earthquakes/feed/v1.0/summary/"
SLICE = Path(__file__).with_name("history_slice.parquet")
_FEED_MAGNITUDES = {"all": None, "1.0": "0.95", "2.5": "2.45", "4.5": "4.45"}
_FEED_AGES = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
}


@dataclass
class Fault:
    """Something that goes wrong with the next `times` requests to `method` (query, count, feed; None for any), after
    `skip` good ones.

    status        answers `status` with `headers` and a short text
    hang          waits `seconds` before answering
    disconnect    closes the connection without an answer
    cut           promises the whole body and sends half of it
    cut_gzip      sends half of the gzip stream and promises just that
    cut_text      ends the text in the middle, with the right length
    html          a web page with HTTP 200
    empty         nothing, with HTTP 200
    header_only   the csv header (or geojson without features) although there are rows; the count in it stays
    missing       leaves out the `rows` newest rows, in the counts, too: a stale back end
    short         leaves out the `rows` newest rows, and counts them
    overcount     /count says `rows` more
    epoch_1970    all times read 1970
    body          sends `body` whatever was asked
    redirect      HTTP 302 to itself, or to the `Location` in `headers`
    says          HTTP 200, and `status` in the metadata: an error in disguise
    drip          the body a byte at a time, `seconds` apart, without an end
    bomb          a gzip body of 400 MB of blanks
    edit          `edit` changes the geojson document, its metadata and features, before it is sent
    """

    kind: Literal[
        "status",
        "hang",
        "disconnect",
        "cut",
        "cut_gzip",
        "cut_text",
        "html",
        "empty",
        "header_only",
        "missing",
        "short",
        "overcount",
        "epoch_1970",
        "body",
        "redirect",
        "says",
        "drip",
        "bomb",
        "edit",
    ]
    times: int = 1
    skip: int = 0
    method: Literal["query", "count", "feed"] | None = None
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    rows: int = 1
    body: bytes = b""
    edit: Callable[[dict], None] | None = None


@dataclass(frozen=True)
class Asked:
    """One request as it came; `status` is what was answered."""

    path: str
    parameters: dict[str, str]
    headers: dict[str, str]
    status: int


class UsgsServer:
    """The service's state: `history`, `clock` (settable: aware UTC that stands still, or None for the machine's), `faults` (used up in
    order), `requests` (a log), `search_limit`, and `blank_deleted` (deleted rows show nothing but their id)."""

    def __init__(self, history: History, clock: datetime | None, search_limit: int = 20_000) -> None:
        self.history = history
        self.clock = clock
        self.search_limit = search_limit
        self.blank_deleted = False
        self.faults: list[Fault] = []
        self.requests: list[Asked] = []
        self.closing = threading.Event()
        self.url = ""
        self._lock = threading.Lock()

    @property
    def catalogue(self) -> answers.Catalogue:
        clock_us = (self.now() - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        return answers.Catalogue(self.history, clock_us, self.search_limit)

    def now(self) -> datetime:
        """What its clock says."""
        return self.clock or datetime.now(UTC)

    def next_fault(self, method: str) -> Fault:
        """The fault that this request meets, used up by one; a `hang` of 0 s where there is none."""
        with self._lock:
            for fault in self.faults:
                if fault.times <= 0 or fault.method not in (None, method):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
        return Fault("hang")

    def answer(self, method: str, path: str, asked: dict[str, str], fault: Fault) -> tuple[str, str]:
        """Content type and body of /query or /count; raises ServiceError."""
        if method == "count":
            return self._count(asked, fault)
        catalogue, fmt = self.catalogue, asked.get("format", "quakeml")
        answers.check(asked, self.search_limit)
        if "eventid" in asked:
            rows = np.array([catalogue.one(asked["eventid"], asked)])
            if fmt == "geojson":
                found = answers.features(self.history, rows, fault.kind == "epoch_1970", self.blank_deleted)
                return "application/json", json.dumps(found[0])
        else:
            rows = catalogue.choose(asked)
        if fmt not in ("csv", "geojson"):
            raise answers.ServiceError(400, f"This local service writes csv and geojson only, not {fmt}.")
        count = len(rows)
        if fault.kind in ("missing", "short"):
            times = self.history.arrays["time_us"][rows]
            rows = np.delete(rows, np.argsort(times, kind="stable")[count - fault.rows :])
            count -= fault.rows if fault.kind == "missing" else 0
        if fault.kind == "header_only":
            rows = rows[:0]
        corrupt = fault.kind == "epoch_1970"
        if fmt == "csv":
            return "text/csv", answers.write_csv(self.history, rows, corrupt, self.blank_deleted)
        found = answers.features(self.history, rows, corrupt, self.blank_deleted)
        return "application/json", answers.collection(found, count, catalogue.clock_us, self.url + path)

    def _count(self, asked: dict[str, str], fault: Fault) -> tuple[str, str]:
        catalogue = self.catalogue
        answers.check(asked, self.search_limit)
        count = int(catalogue.match(asked).sum())
        count += {"overcount": fault.rows, "missing": -fault.rows}.get(fault.kind, 0)
        if asked.get("format") != "geojson":
            return "text/plain", str(count)
        told: dict[str, int | str] = {"count": count, "maxAllowed": self.search_limit}
        if count > self.search_limit:
            told["error"] = catalogue.over_limit(count)
        return "application/json", json.dumps(told)

    def feed(self, name: str, path: str, fault: Fault) -> tuple[str, str]:
        """A summary feed such as `all_day.csv`: origin at most that long before the clock, never deleted ones."""
        stem, _, fmt = name.rpartition(".")
        magnitude, _, age = stem.partition("_")
        if magnitude not in _FEED_MAGNITUDES or age not in _FEED_AGES or fmt not in ("csv", "geojson"):
            raise answers.ServiceError(404, "Not Found")
        since = self.now() - _FEED_AGES[age]
        asked = {"format": fmt, "starttime": since.isoformat()}
        if _FEED_MAGNITUDES[magnitude] is not None:
            asked["minmagnitude"] = str(_FEED_MAGNITUDES[magnitude])
        return self.answer("query", path, asked, fault)


@contextlib.contextmanager
def serve(history: History, clock: datetime | None, *, port: int = 0, search_limit: int = 20_000) -> Iterator[UsgsServer]:
    """The service on 127.0.0.1 in threads of its own; `server.url` has the port. Shuts down at the end."""
    state = UsgsServer(history, clock, search_limit)

    class Handler(_Handler):
        server_state = state

    with in_threads(ThreadingHTTPServer(("127.0.0.1", port), Handler), state.closing) as state.url:
        yield state


@contextlib.contextmanager
def in_threads(http: ThreadingHTTPServer, closing: threading.Event) -> Iterator[str]:
    """The address of a server that answers in threads of its own; at the end `closing` is set, then it shuts down."""
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}"
    finally:
        closing.set()
        http.shutdown()
        http.server_close()
        thread.join(timeout=5)


@functools.cache
def bomb() -> bytes:
    """400 MB of blanks as 0.4 MB of gzip."""
    pack = zlib.compressobj(9, wbits=31)
    return b"".join(pack.compress(b" " * 1_000_000) for _ in range(400)) + pack.flush()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65_536
    server_state: UsgsServer

    def do_GET(self) -> None:
        state, parts = self.server_state, urlsplit(self.path)
        asked = dict(parse_qsl(parts.query))
        place, _, name = parts.path.rpartition("/")
        kind = {SERVICE.rstrip("/"): name, FEEDS.rstrip("/"): "feed"}.get(place, "")
        fault = state.next_fault(kind)
        if fault.kind == "hang" and fault.seconds:
            state.closing.wait(fault.seconds)
        if fault.kind == "disconnect":
            self._log(parts.path, asked, 0)
            self.close_connection = True
            return
        status, headers = 200, {"Cache-Control": "public, max-age=60"}
        try:
            if fault.kind == "status":
                status, kind_of_text, text = fault.status, "text/plain", f"Error {fault.status}: put in by a test\n"
                headers = fault.headers
            elif fault.kind == "redirect":
                status, kind_of_text, text = 302, "text/plain", "Found\n"
                headers = {"Location": self.path} | fault.headers
            elif fault.kind == "says":
                told = {"metadata": {"status": fault.status, "error": "put in by a test"}, "type": "FeatureCollection"}
                kind_of_text, text = "application/json", json.dumps(told)
            elif kind == "feed":
                kind_of_text, text = state.feed(name, self.path, fault)
            elif kind in ("query", "count"):
                kind_of_text, text = state.answer(kind, self.path, asked, fault)
            else:
                raise answers.ServiceError(404, "Not Found")
        except answers.ServiceError as error:
            status, kind_of_text, text = error.status, "text/plain", error.body(self.path)
            if asked.get("jsonerror") == "true" and asked.get("format") == "geojson":
                told = {"metadata": {"status": status, "error": error.message, "api": "1.14.1"}}
                status, kind_of_text, text = 200, "application/json", json.dumps({"type": "FeatureCollection"} | told)
        if fault.kind == "html":
            kind_of_text, text = "text/html", "<!DOCTYPE html>\n<html><body>We are down for maintenance.</body></html>\n"
        if fault.edit is not None and kind_of_text == "application/json" and status == 200:
            document = json.loads(text)
            fault.edit(document)
            text = json.dumps(document)
        body = {"empty": b"", "body": fault.body}.get(fault.kind, text.encode())
        if fault.kind == "cut_text":
            body = body[: len(body) // 2]
        self._log(parts.path, asked, status)
        self._send(status, kind_of_text, body, headers, fault)

    def _send(self, status: int, kind_of_text: str, body: bytes, headers: dict[str, str], fault: Fault) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind_of_text}; charset=utf-8")
        if fault.kind == "bomb":
            body = bomb()
            self.send_header("Content-Encoding", "gzip")
        elif "gzip" in self.headers.get("Accept-Encoding", "") and fault.kind != "drip":
            body = gzip.compress(body, 1)
            self.send_header("Content-Encoding", "gzip")
        if fault.kind == "cut_gzip":
            body = body[: len(body) // 2]
        self.send_header("Content-Length", str(10_000_000 if fault.kind == "drip" else len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if fault.kind == "cut":
            body = body[: len(body) // 2]
            self.close_connection = True
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while fault.kind == "drip" and not self.server_state.closing.wait(fault.seconds):
                self.wfile.write(b" ")
                self.wfile.flush()
            self.wfile.write(body)
            self.wfile.flush()

    def finish(self) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # whoever asked has hung up
            super().finish()

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The Date header tells the service's clock, not the machine's."""
        return format_datetime(self.server_state.now(), usegmt=True)

    def _log(self, path: str, asked: dict[str, str], status: int) -> None:
        self.server_state.requests.append(Asked(path, asked, dict(self.headers.items()), status))

    def log_message(self, format: str, *args: object) -> None:
        pass


def load_history(folder: Path | None, start: datetime, end: datetime) -> History:
    """The recorded history of [start, end) in `folder`, or the modelled slice beside this file where there is none."""
    if folder is not None and folder.is_dir():
        return shared_history(folder, start, end)
    return slice_history(SLICE)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.usgs_server",
        description="Serve the USGS event service on 127.0.0.1 with the catalogue as it was known at a moment.",
        epilog="example: python -m tests.support.usgs_server --clock 2024-01-02T12:00:00Z --port 8901",
    )
    parser.add_argument("--clock", required=True, help="the moment, ISO 8601; UTC where no offset is given")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one (default); the address is printed")
    parser.add_argument("--days", type=int, default=100, help="days of history before the clock (default 100)")
    parser.add_argument("--folder", type=Path, help="folder of the recorded history; without it the bundled slice")
    chosen = parser.parse_args()
    clock = datetime.fromisoformat(chosen.clock)
    clock = clock.replace(tzinfo=UTC) if clock.tzinfo is None else clock.astimezone(UTC)
    history = load_history(chosen.folder, clock - timedelta(days=chosen.days), clock + timedelta(days=1))
    with serve(history, clock, port=chosen.port) as server, contextlib.suppress(KeyboardInterrupt):
        print(f"{server.url} serves {len(history.versions)} versions as known at {clock:%FT%TZ}; stop with ^C", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
