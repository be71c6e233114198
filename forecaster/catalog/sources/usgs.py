"""Client of the USGS event service: a catalogue is complete, or it is an error.

Every read is checked against the service's own count. A cut body, HTML or an empty answer is never read as "no earthquakes". Only 429, 5xx,
time-outs and lost connections are retried. Spans that match too many events are bisected by count, never paged: the service's order has no
tie-breaker.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal, TypeVar
from urllib.parse import urlencode

import numpy as np
import pandas as pd

from forecaster.catalog.http_answers import Exchange, Fetcher, without_login
from forecaster.catalog.no_connection import advice
from forecaster.catalog.query import Progress, Query, ReadResult
from forecaster.catalog.rate_limit import Pace, in_words, pause_s, service_date, wished_wait_s
from forecaster.catalog.revisions import REVISION_COLUMNS, quarantine_frame, revision_frame
from forecaster.catalog.rows import Parsed, clean, only_asked
from forecaster.catalog.usgs_parse import parse_count, parse_csv, parse_geojson
from forecaster.errors import CatalogMalformed, CatalogRefused, CatalogTruncated, CatalogUnreachable, NoConnection
from forecaster.settings import Settings

log = logging.getLogger(__name__)

SERVICE = "/fdsnws/event/1"
SEARCH_LIMIT = 20_000
MAX_WAIT_S = 300.0
MAX_SILENCE_S = 28.0  # without any connection: a person is waiting, and the job can continue with the stored catalogue

MAX_WINDOWS = 2_000
MAX_SHOWN = 5_000
CLOCKS_DIFFER = timedelta(days=1)
STALE_ANSWER = timedelta(minutes=30)  # the service allows an answer to be cached for a minute

_PARSERS = {"csv": parse_csv, "geojson": parse_geojson}


T = TypeVar("T")


@dataclass(frozen=True)
class _Answer:
    """One answer. `received_at` is by the machine's clock; no time in the answer can be later than `latest`. `told` is the time by the
    service's clock."""

    status: int
    body: bytes
    received_at: datetime
    latest: datetime
    sent_at: datetime | None
    where: str


class _TooManyEvents(CatalogRefused):
    """The service's 400 for a query that matches more than its limit."""


class UsgsClient:
    """A client of the event service below `base_url` (scheme and host, such as https://earthquake.usgs.gov).

    `contact` goes into the User-Agent, as the service asks. `clock` gives aware UTC and stamps `observed_at`; waits use
    `sleep` and `monotonic`, jitter uses `rng`. `timeout_s` bounds connecting and every silence, `deadline_s` a whole
    answer. `fetch_log` keeps one entry a request, also of reads that failed.
    """

    name = "usgs"

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
        deadline_s: float = 300.0,
        max_tries: int = 5,
        search_limit: int = SEARCH_LIMIT,
    ) -> None:
        self._base_url = base_url.rstrip("/").removesuffix(SERVICE)
        self._clock = clock
        self._rng = rng
        self._sleep = sleep
        self._monotonic = monotonic
        self._pace = Pace(max_per_minute, monotonic, sleep)
        self._max_tries = max_tries
        self._search_limit = search_limit
        user_agent = f"quakecast/{_package_version()} ({contact or 'no contact given'})".encode("latin-1", "replace").decode("latin-1")
        self._fetcher = Fetcher(user_agent, timeout_s, deadline_s)
        self.fetch_log: list[dict[str, Any]] = []

    def count(self, query: Query) -> int:
        """Return the number of matching events, both bounds included, as the service counts them."""
        return self._count(query, "geojson")

    def read_span(self, query: Query, fmt: Literal["geojson", "csv"] = "geojson", on_progress: Progress | None = None) -> ReadResult:
        """Read every matching event, in as many requests as the service's limit needs. Only geojson contains aliases.

        Raises:
            CatalogTruncated: rows and count differ, also after counting again, or a body was cut.
            CatalogMalformed, CatalogRefused, CatalogUnreachable: no usable answer.
        """
        first = len(self.fetch_log)
        waiting, parts, counted, expected, windows = [query], list[Parsed](), 0, -1, 0
        while waiting:
            window = waiting.pop()
            windows += 1
            if windows > MAX_WINDOWS:
                raise CatalogMalformed(
                    f"{MAX_WINDOWS} parts of the span were asked for and it is not read yet: the service's counts do not add up; try again"
                )
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

    def changes_since(self, query: Query, on_progress: Progress | None = None) -> ReadResult:
        """Read a query that is expected to match few events (the daily pull) in one request. The answer's own count must equal its
        features. Falls back to `read_span` when the service reports too many events. Raises as `read_span`."""
        first = len(self.fetch_log)
        try:
            part = self._query(query, "geojson")
        except _TooManyEvents as refusal:
            log.info("reading in parts: %s", refusal)
            whole = self.read_span(query, "geojson", on_progress)
            entries = self.fetch_log[first:]
            return replace(whole, requests=len(entries), fetch_log=entries)
        if part.counted is None:
            raise CatalogMalformed("geojson without metadata.count: the answer cannot be checked; try again")
        if part.counted != part.rows:
            raise CatalogTruncated(f"the service counted {part.counted} events and sent {part.rows}; nothing was stored, try again")
        if on_progress is not None:
            on_progress(part.rows, part.rows)
        return self._result(query, [part], part.counted, first)

    def lookup(self, event_id: str) -> pd.DataFrame | None:
        """Look up one event by any of its ids. Returns a RevisionFrame of one row, with status `deleted` and nothing else but the id where
        the service reports it as deleted (409), or None where the service does not know it (404).

        Raises:
            CatalogMalformed: the row cannot be read, with the reason.
        """
        return self._get("query", {"eventid": event_id, "format": "geojson"}, lambda answer: self._one_event(event_id, answer))

    def _one_event(self, event_id: str, answer: _Answer) -> pd.DataFrame | None:
        if answer.status == 404:
            return None
        if answer.status == 409:
            stamps = {"observed_at": answer.received_at, "known_at": answer.received_at, "known_at_source": "observed"}
            row = {"event_id": event_id, "ids": [event_id], "status": "deleted", "source": "usgs", **stamps}
            return revision_frame([row])
        parsed = self._parsed(answer, "geojson")
        if len(parsed.revisions) != 1:
            reasons = ", ".join(parsed.quarantined["reason"]) or f"{parsed.rows} rows"
            raise CatalogMalformed(f"{answer.where}: one event was asked for and cannot be read: {reasons}")
        if not parsed.revisions["ids"].explode().eq(event_id).any():
            raise CatalogMalformed(f"{answer.where}: another event came, {parsed.revisions['event_id'].iat[0]}; try again")
        return parsed.revisions

    def _count(self, query: Query, fmt: str) -> int:
        return self._get("count", query.parameters() | {"format": fmt}, lambda answer: parse_count(_good(answer).body, answer.where))

    def _query(self, query: Query, fmt: str) -> Parsed:
        asked = query.parameters() | {"format": fmt, "orderby": "time-asc"}
        return self._get("query", asked, lambda answer: self._parsed(answer, fmt, query))

    def _parsed(self, answer: _Answer, fmt: str, query: Query | None = None) -> Parsed:
        answer = _good(answer)
        parsed = _PARSERS[fmt](answer.body, answer.received_at, answer.where, answer.latest)
        self.fetch_log[-1]["rows"] = parsed.rows
        _not_stale(answer, parsed)
        return parsed if query is None else only_asked(parsed, query, answer.where)

    def _read_window(self, window: Query, fmt: str, count: int) -> Parsed | None:
        """Return the rows of one request window, equal in number to the count; None where the window has grown over the limit.

        The second count uses the other format (a bare integer): the service's cache of 60 s would answer the same address with the same
        number.
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
        if not joined["event_id"].is_unique:  # neighbouring windows share an instant
            newest = joined.sort_values("updated_at", kind="stable", na_position="first").drop_duplicates("event_id", keep="last")
            joined = newest.sort_index().reset_index(drop=True)
        unread = [part.quarantined for part in parts if len(part.quarantined)] or [quarantine_frame([])]
        quarantined = pd.concat(unread, ignore_index=True).drop_duplicates("raw", ignore_index=True)
        entries = self.fetch_log[first:]
        return ReadResult(joined, quarantined, counted, len(entries), entries)

    def _get(self, method: str, parameters: dict[str, str], read: Callable[[_Answer], T]) -> T:
        """Return the result of `read` for an answer, after retries where they are worthwhile."""
        address = f"{self._base_url}{SERVICE}/{method}?{urlencode(parameters)}"
        began = self._monotonic()
        for tries in range(1, self._max_tries + 1):
            exchange = Exchange(address, without_login(address))
            try:
                return read(self._ask(exchange))
            except CatalogUnreachable as error:
                problem, wish = str(error), wished_wait_s(exchange.headers, self._clock())
                unreachable = isinstance(error, NoConnection)
            if tries == self._max_tries:
                break
            if wish is not None and wish > MAX_WAIT_S:
                raise CatalogUnreachable(f"{problem}, and asks to wait {in_words(wish)} (more than {in_words(MAX_WAIT_S)}); run again then")
            pause = pause_s(tries, wish, self._rng)
            spent = self._monotonic() - began
            if unreachable and spent + pause + self._fetcher.connect_s > MAX_SILENCE_S:
                break
            self.fetch_log[-1]["note"] = f"{exchange.note or 'says it is unavailable'}; waited {pause:.1f} s"
            log.info("%s; waiting %.1f s, then try %d of %d", problem, pause, tries + 1, self._max_tries)
            self._sleep(pause)
        if unreachable:
            raise NoConnection(f"{problem} ({tries} tries); {advice(address)}")
        raise CatalogUnreachable(f"{problem}, {self._max_tries} tries; check the network or run again later")

    def _ask(self, exchange: Exchange) -> _Answer:
        """Send one request. It is logged whatever its result."""
        self._pace.wait()
        requested_at, began = self._clock(), self._monotonic()
        entry = {"requested_at": requested_at, "url": exchange.where, "status": None, "rows": None, "bytes": 0, "note": ""}
        self.fetch_log.append(entry)
        try:
            self._fetcher.fetch(exchange)
        finally:
            sent_at = service_date(exchange.headers)
            entry |= {"status": exchange.status, "bytes": exchange.sent_bytes, "note": exchange.note, "service_date": sent_at}
            entry["elapsed_s"] = round(self._monotonic() - began, 3)
        received_at = self._clock()
        return _Answer(exchange.status or 0, exchange.body, received_at, _latest(received_at, sent_at), sent_at, exchange.where)


def open_source(settings: Settings, clock: Callable[[], datetime], rng: np.random.Generator) -> UsgsClient:
    """Open a client of the service that the settings name."""
    return UsgsClient(settings.usgs_url, settings.contact, clock=clock, rng=rng)


def _latest(received_at: datetime, sent_at: datetime | None) -> datetime:
    """Return the later of two clocks. So a slow machine clock does not put a stamp into the future. A service clock that is a day ahead is
    ignored."""
    return sent_at if sent_at is not None and received_at < sent_at <= received_at + CLOCKS_DIFFER else received_at


def _not_stale(answer: _Answer, parsed: Parsed) -> None:
    """Check that the answer is not stale. An answer that was made long before it was sent is an old copy, even where it is consistent.

    Raises:
        CatalogMalformed: with both times.
    """
    made, sent_at = parsed.generated_at, answer.sent_at
    if made is not None and sent_at is not None and sent_at - made > STALE_ANSWER:
        raise CatalogMalformed(
            f"{answer.where}: an old copy, made {made:%Y-%m-%d %H:%M} and sent {sent_at:%Y-%m-%d %H:%M} UTC; "
            "nothing was taken from it, try again"
        )


def _good(answer: _Answer) -> _Answer:
    """Return the answer, where its status is 200.

    Raises:
        CatalogRefused, CatalogMalformed: for every other status.
    """
    if answer.status != 200:
        raise _refusal(answer)
    return answer


def _refusal(answer: _Answer) -> CatalogMalformed | CatalogRefused:
    text = answer.body[:MAX_SHOWN].decode("utf-8", errors="replace").strip()
    if answer.status < 400:
        return CatalogMalformed(f"{answer.where}: HTTP {answer.status} instead of an answer; try again")
    paragraphs = [clean(line) for line in text.splitlines() if line.strip()]
    first = " ".join(paragraphs[:2])[:300] if text[:1] != "<" else f"HTTP {answer.status} and a web page"
    kind = _TooManyEvents if answer.status == 400 and "exceeds search limit" in text else CatalogRefused
    return kind(f"{answer.where}: {first or f'HTTP {answer.status}'}; the request is wrong, repeating it does not help")


def _package_version() -> str:
    try:
        return version("quakecast")
    except PackageNotFoundError:
        return "0"
