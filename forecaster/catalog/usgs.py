"""Client of the USGS event service: a catalogue is complete, or it is an error.

Every read is checked against the service's own count; a cut body, HTML or an empty answer is never read as "no
earthquakes". Only 429, 5xx, time-outs and lost connections are tried again. Spans that match too many events are
bisected by count, never paged: the service's order has no tie-breaker.
"""

import gzip
import logging
import time
import zlib
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import pandas as pd
import requests
import urllib3

from forecaster.catalog.parse import Parsed, parse_count, parse_csv, parse_geojson
from forecaster.catalog.politeness import Pace, backoff_s, service_date, wished_wait_s
from forecaster.catalog.query import Progress, Query, ReadResult
from forecaster.catalog.revisions import REVISION_COLUMNS, quarantine_frame, revision_frame
from forecaster.errors import CatalogMalformed, CatalogRefused, CatalogTruncated, CatalogUnreachable

log = logging.getLogger(__name__)

SERVICE = "/fdsnws/event/1"
SEARCH_LIMIT = 20_000
LONGEST_WAIT_S = 300.0
MOST_OFFSETS = 100
HALF_A_SECOND = 0.5  # a Date header is cut to whole seconds

_PARSERS = {"csv": parse_csv, "geojson": parse_geojson}


@dataclass(frozen=True)
class _Answer:
    status: int
    body: bytes
    received_at: datetime
    where: str


class _TooManyEvents(CatalogRefused):
    """The service's 400 for a query that matches more than its limit."""


class UsgsClient:
    """Reads the event service below `base_url` (scheme and host, such as https://earthquake.usgs.gov).

    `contact` goes into the User-Agent, as the service asks. `clock` gives aware UTC and stamps `observed_at`; waits use
    `sleep` and `monotonic`, jitter uses `rng`. `fetch_log` keeps one entry a request, also of reads that failed.
    """

    def __init__(
        self,
        base_url: str,
        contact: str,
        *,
        clock: Callable[[], datetime],
        rng: np.random.Generator,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        max_per_minute: int = 60,
        timeout_s: tuple[float, float] = (10.0, 120.0),
        max_tries: int = 5,
        search_limit: int = SEARCH_LIMIT,
    ) -> None:
        self._base_url = base_url.rstrip("/").removesuffix(SERVICE)
        self._clock = clock
        self._rng = rng
        self._sleep = sleep
        self._monotonic = monotonic
        self._pace = Pace(max_per_minute, monotonic, sleep)
        self._timeout_s = timeout_s
        self._max_tries = max_tries
        self._search_limit = search_limit
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"quakecast/{_package_version()} ({contact or 'no contact given'})"
        self._session.headers["Accept-Encoding"] = "gzip"
        self.fetch_log: list[dict] = []
        self._offsets_s: deque[float] = deque(maxlen=MOST_OFFSETS)

    @property
    def clock_offset_s(self) -> float | None:
        """By how many seconds the service's clock is ahead of `clock` (below 0: behind): the median over the answers so far, to about a
        second; None where no answer told a time."""
        return float(np.median(self._offsets_s)) if self._offsets_s else None

    def count(self, query: Query) -> int:
        """Number of matching events, both bounds included, as the service counts them."""
        return self._count(query, "geojson")

    def read(self, query: Query, fmt: Literal["geojson", "csv"] = "geojson", on_progress: Progress | None = None) -> ReadResult:
        """Every matching event, in as many requests as the service's limit needs; only geojson knows aliases.

        Raises:
            CatalogTruncated: rows and count differ, also after counting again, or a body was cut.
            CatalogMalformed, CatalogRefused, CatalogUnreachable: no usable answer.
        """
        first = len(self.fetch_log)
        waiting, parts, counted, expected = [query], list[Parsed](), 0, -1
        while waiting:
            window = waiting.pop()
            count = self.count(window)
            expected = count if expected < 0 else expected
            part = None if count > self._search_limit else self._read_window(window, fmt, count)
            if part is None:
                halves = window.halves()
                if halves is None:
                    raise CatalogTruncated(
                        f"{count} events in the second from {window.start:%FT%TZ} exceed the limit of "
                        f"{self._search_limit} a request; raise the least magnitude ({query.min_magnitude:g})"
                    )
                waiting += reversed(halves)
                continue
            parts.append(part)
            counted += part.rows
            if on_progress is not None:
                on_progress(counted, max(expected, counted))
        return self._result(query, parts, counted, first)

    def read_small(self, query: Query, on_progress: Progress | None = None) -> ReadResult:
        """One request for a query that is expected to match few events (the daily pull): the answer's own count must
        equal its features. Falls back to `read` when the service says that there are too many. Raises as `read`."""
        first = len(self.fetch_log)
        try:
            part = self._query(query, "geojson")
        except _TooManyEvents as refusal:
            log.info("reading in parts: %s", refusal)
            whole = self.read(query, "geojson", on_progress)
            entries = self.fetch_log[first:]
            return replace(whole, requests=len(entries), fetch_log=entries)
        if part.counted is None:
            raise CatalogMalformed("geojson without metadata.count: the answer cannot be checked; try again")
        if part.counted != part.rows:
            raise CatalogTruncated(f"the service counted {part.counted} events and sent {part.rows}; nothing was stored, try again")
        if on_progress is not None:
            on_progress(part.rows, part.rows)
        return self._result(query, [part], part.counted, first)

    def event(self, event_id: str) -> pd.DataFrame | None:
        """One event by any of its ids: a RevisionFrame of one row, with status `deleted` and nothing else but the id
        where the service says it was deleted (409), or None where it does not know it (404).

        Raises:
            CatalogMalformed: the row cannot be read, with the reason.
        """
        answer = self._get("query", {"eventid": event_id, "format": "geojson"}, answers=(200, 404, 409))
        if answer.status == 404:
            return None
        if answer.status == 409:
            told = {"observed_at": answer.received_at, "known_at": answer.received_at, "known_at_source": "observed"}
            row = {"event_id": event_id, "ids": [event_id], "status": "deleted", "source": "usgs", **told}
            return revision_frame([row])
        parsed = parse_geojson(answer.body, answer.received_at, answer.where)
        self.fetch_log[-1]["rows"] = parsed.rows
        if len(parsed.revisions) != 1:
            reasons = ", ".join(parsed.quarantined["reason"]) or f"{parsed.rows} rows"
            raise CatalogMalformed(f"{answer.where}: one event was asked for and cannot be read: {reasons}")
        return parsed.revisions

    def _count(self, query: Query, fmt: str) -> int:
        answer = self._get("count", query.parameters() | {"format": fmt})
        return parse_count(answer.body, answer.where)

    def _query(self, query: Query, fmt: str) -> Parsed:
        answer = self._get("query", query.parameters() | {"format": fmt, "orderby": "time-asc"})
        parsed = _PARSERS[fmt](answer.body, answer.received_at, answer.where)
        self.fetch_log[-1]["rows"] = parsed.rows
        return parsed

    def _read_window(self, window: Query, fmt: str, count: int) -> Parsed | None:
        """Rows of one request window, equal in number to the count; None where the window has grown over the limit.

        The second count asks in the other spelling (a bare integer): the service's cache of 60 s would answer the
        same address with the same number.
        """
        try:
            part = self._query(window, fmt)
        except _TooManyEvents:
            return None
        if part.rows == count:
            return part
        again = self._count(window, "csv")
        self.fetch_log[-1]["note"] = f"counted again: {count} before, {part.rows} rows read"
        if part.rows == again:
            return part
        raise CatalogTruncated(
            f"{window.start:%FT%TZ} to {window.end:%FT%TZ}: the service counted {count}, then {again} events and sent "
            f"{part.rows}; nothing was stored, try again in some minutes"
        )

    def _result(self, query: Query, parts: list[Parsed], counted: int, first: int) -> ReadResult:
        revisions = [query.cut(part.revisions) for part in parts]
        filled = [frame for frame in revisions if len(frame)] or revisions[:1]
        joined = pd.concat(filled, ignore_index=True)[list(REVISION_COLUMNS)]
        newest = joined.sort_values("updated_at", kind="stable", na_position="first").drop_duplicates("event_id", keep="last")
        unread = [part.quarantined for part in parts if len(part.quarantined)] or [quarantine_frame([])]
        quarantined = pd.concat(unread, ignore_index=True).drop_duplicates("raw", ignore_index=True)
        entries = self.fetch_log[first:]
        return ReadResult(newest.sort_index().reset_index(drop=True), quarantined, counted, len(entries), entries)

    def _get(self, method: str, parameters: dict[str, str], answers: tuple[int, ...] = (200,)) -> _Answer:
        """One answer with a status among `answers`, after as many tries as are worth it."""
        for tries in range(1, self._max_tries + 1):
            answer, problem, wish = self._try(method, parameters)
            if answer is not None:
                if answer.status in answers:
                    return answer
                raise _refusal(answer)
            if tries == self._max_tries:
                break
            if wish is not None and wish > LONGEST_WAIT_S:
                raise CatalogUnreachable(f"{problem}, and asks to wait {wish:.0f} s (more than {LONGEST_WAIT_S:.0f} s); run again then")
            pause = backoff_s(tries, self._rng) if wish is None else wish
            self.fetch_log[-1]["note"] += f"; waited {pause:.1f} s"
            log.info("%s; waiting %.1f s, then try %d of %d", problem, pause, tries + 1, self._max_tries)
            self._sleep(pause)
        raise CatalogUnreachable(f"{problem}, {self._max_tries} tries; check the network or run again later")

    def _try(self, method: str, parameters: dict[str, str]) -> tuple[_Answer | None, str, float | None]:
        """An answer, or what went wrong (worth another try) with the wait that the service wishes for."""
        self._pace.wait()
        asked = requests.Request("GET", f"{self._base_url}{SERVICE}/{method}", params=parameters).prepare().url or ""
        where = _without_login(asked)
        entry = {"requested_at": self._clock(), "url": where, "status": None, "rows": None, "bytes": 0, "note": "", "service_date": None}
        self.fetch_log.append(entry)
        began = self._monotonic()
        try:
            with self._session.get(asked, stream=True, timeout=self._timeout_s) as response:
                entry["status"] = response.status_code
                self._compare_clocks(entry, response.headers)
                if response.status_code == 429 or response.status_code >= 500:
                    entry["note"] = f"HTTP {response.status_code}"
                    wish = wished_wait_s(response.headers, self._clock())
                    return None, f"{where} answers HTTP {response.status_code}", wish
                raw = _read_body(response, where)
        except (requests.Timeout, urllib3.exceptions.ReadTimeoutError):
            entry["note"] = "time-out"
            return None, f"{where} did not answer within {self._timeout_s[1]:g} s", None
        except requests.ConnectionError as error:
            entry["note"] = "no connection"
            return None, f"{where} cannot be reached ({_root_cause(error)})", None
        except CatalogTruncated:
            entry["note"] = "body cut"
            raise
        finally:
            entry["elapsed_s"] = round(self._monotonic() - began, 3)
        entry["bytes"] = len(raw)
        return _Answer(response.status_code, _decompress(response, raw, where), self._clock(), where), "", None

    def _compare_clocks(self, entry: dict, headers: Mapping[str, str]) -> None:
        """Note the service's clock, and by how much it is ahead of ours in the middle of the round trip."""
        told = entry["service_date"] = service_date(headers)
        if told is not None:
            middle = entry["requested_at"] + (self._clock() - entry["requested_at"]) / 2
            self._offsets_s.append((told - middle).total_seconds() + HALF_A_SECOND)


def _read_body(response: requests.Response, where: str) -> bytes:
    """The body as sent, still compressed; as long as Content-Length says, or CatalogTruncated."""
    try:
        raw: bytes = response.raw.read(decode_content=False)
    except urllib3.exceptions.ReadTimeoutError:
        raise
    except urllib3.exceptions.HTTPError as error:
        raise CatalogTruncated(f"{where}: the body was cut ({error}); nothing was stored, try again") from error
    promised = response.headers.get("Content-Length", "")
    if promised.isdigit() and len(raw) != int(promised):
        raise CatalogTruncated(f"{where}: {len(raw)} of {promised} bytes came; nothing was stored, try again")
    return raw


def _decompress(response: requests.Response, raw: bytes, where: str) -> bytes:
    """Unpacked here and not by requests, which takes a gzip stream that ends too early for a whole one."""
    if response.headers.get("Content-Encoding", "").lower() != "gzip" or not raw:
        return raw
    try:
        return gzip.decompress(raw)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CatalogTruncated(f"{where}: the gzip body is not whole ({error}); nothing was stored, try again") from error


def _refusal(answer: _Answer) -> CatalogMalformed | CatalogRefused:
    said = answer.body.decode("utf-8", errors="replace").strip()
    if answer.status < 400:
        return CatalogMalformed(f"{answer.where}: HTTP {answer.status} instead of an answer; try again")
    paragraphs = [line.strip() for line in said.splitlines() if line.strip()]
    first = " ".join(paragraphs[:2])[:300] if said[:1] != "<" else f"HTTP {answer.status} and a web page"
    kind = _TooManyEvents if answer.status == 400 and "exceeds search limit" in said else CatalogRefused
    return kind(f"{answer.where}: {first or f'HTTP {answer.status}'}; the request is wrong, repeating it does not help")


def _root_cause(error: BaseException) -> str:
    reason = error.args[0] if error.args else error
    return str(getattr(reason, "reason", reason)).rsplit(">:", 1)[-1].strip()[:200]


def _without_login(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _package_version() -> str:
    try:
        return version("quakecast")
    except PackageNotFoundError:
        return "0"
