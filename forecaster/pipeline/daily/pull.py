"""Update the catalogue with the service's changes since the last pull.

A pull reads everything first and writes once, so a failed read leaves the store unchanged. A row missing from an answer is not a
deletion: only an explicit statement by the service is. A read with rows that failed validation proves no coverage, because one of them may
be the event.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from forecaster.catalog.coverage import STREAMS, WORLD, CoverageSource, Stream, coverage_rows, in_streams, streams_for
from forecaster.catalog.query import Query, ReadResult
from forecaster.catalog.revisions import quarantine_frame, replayed
from forecaster.catalog.sources.base import Source
from forecaster.clock import Clock
from forecaster.pipeline.daily.pull_checks import LOST, Covered, Lookups, not_brought_back, too_few, unexplained
from forecaster.pipeline.daily.reconcile import RECONCILE_SPAN, reconcile
from forecaster.pipeline.run_context import Job
from forecaster.registry.reasons import Reason, ReasonKey, Value, english, iso
from forecaster.store.database import Connection, Store
from forecaster.store.versions import catalogue

log = logging.getLogger(__name__)

CATALOGUE_START = datetime(1973, 1, 1, tzinfo=UTC)
MAGNITUDE_MARGIN = 0.5  # read this much below a stream's cut, so that events revised downwards are seen
UPDATED_OVERLAP = timedelta(hours=48)
RECONCILE_EVERY = timedelta(days=7)
QUARANTINE_BLOCKS = timedelta(days=7)  # a row that stays invalid for longer no longer blocks the coverage


@dataclass
class PullResult:
    """What a pull did; stored in the run's details and shown in the report.

    doubts: why the answers are considered incomplete; such a pull keeps what it read and proves no coverage.
    reconciled: the differences found by the weekly full read, by kind; None on other days.
    """

    rows_read: int = 0
    new_revisions: int = 0
    merged_events: int = 0
    parted_events: int = 0
    overruled: int = 0
    quarantined: dict[str, int] = field(default_factory=dict)
    requests: int = 0
    below_cut: int = 0
    doubts: list[Reason] = field(default_factory=list)
    reconciled: dict[str, int] | None = None

    def problems(self) -> tuple[Reason, ...]:
        """Return what is wrong with the catalogue after this pull, for the forecasts made from it."""
        found = [Reason(ReasonKey.DOUBTED, because=tuple(self.doubts))] if self.doubts else []
        found += [Reason(ReasonKey.SET_ASIDE, {"quarantined": dict(self.quarantined)})] if self.quarantined else []
        return tuple(found)

    def document(self) -> dict[str, Any]:
        """Return the result as a JSON object, with the doubts as stored reasons."""
        return vars(self) | {"doubts": [doubt.stored() for doubt in self.doubts]}

    def problem(self) -> str | None:
        """Return the same as one line of English text; None where nothing is wrong."""
        return english(self.problems())


@dataclass(frozen=True)
class _Read:
    """One read. streams: those whose events the answer holds."""

    query: Query
    full: bool
    streams: tuple[Stream, ...]


def pull_catalog(job: Job, client: Source, on_progress: Callable[[int, int], None] | None = None) -> PullResult:
    """Read what the service has learnt since the last pull, and store it with the coverage it proves.

    Where the settings say so (`recipe_streams`), the whole history is also read for recipes whose targets the common streams do not hold.

    Raises:
        CatalogError: the service could not be read completely; nothing but the log of requests is stored.
    """
    store, clock, now = job.store, job.clock, job.clock.now()
    streams = streams_for(job.recipes) if job.settings.recipe_streams else list(STREAMS)
    with store.transaction() as connection:
        coverage = catalogue.read_coverage(connection)
        updated_at = catalogue.last_updated_at(connection)
    result = PullResult()
    answers: list[ReadResult] = []
    lookups, weekly = Lookups(client), None
    try:
        for read in _plan(streams, coverage, updated_at, now):
            small = read.query.updated_after is not None and not read.full
            answer = client.changes_since(read.query, on_progress) if small else client.read_span(read.query, on_progress=on_progress)
            answers.append(answer)
            result.doubts += _doubts(store, lookups, read, answer, coverage, now)
        if _reconcile_due(coverage, now):
            weekly = reconcile(store, client, streams, now)
    except BaseException:
        with store.transaction() as connection:
            _log_requests(connection, client, job.run_id)
        raise
    answers += weekly.answers if weekly else []
    with store.transaction() as connection:
        result.requests = _log_requests(connection, client, job.run_id)
        frames = [_keep(connection, answer, streams, result) for answer in answers] + lookups.found + (weekly.found if weekly else [])
        refused = [_write(connection, frame, clock, result) for frame in frames]
        bad = pd.concat([answer.quarantined for answer in answers]).drop_duplicates(["reason", "raw"])
        doubtful = catalogue.not_quarantined_before(connection, bad, clock.observed_now() - QUARANTINE_BLOCKS) or result.doubts
        if weekly is not None:
            result.reconciled = weekly.differences | {"joined": result.merged_events, "parted": result.parted_events}
        overruling = [] if doubtful else lookups.overruling + (weekly.overruling if weekly else [])
        result.overruled = len(overruling)
        refused += [_write(connection, frame, clock, result, overruling=True) for frame in overruling]
        lost = [{"source": client.name, "observed_at": clock.observed_now(), "reason": LOST, "raw": name} for name in lookups.lost]
        bad = pd.concat([bad, *refused, quarantine_frame(lost)]).drop_duplicates(["reason", "raw"])
        result.quarantined = {str(reason): int(count) for reason, count in bad["reason"].value_counts().items()}
        catalogue.write_quarantine(connection, bad, job.run_id)
        if not doubtful:
            catalogue.write_coverage(connection, _proved(client.name, streams, coverage, now))
            if weekly is not None:
                catalogue.write_coverage(
                    connection, coverage_rows(streams, now - RECONCILE_SPAN, now, now, CoverageSource.FULL_READ, client.name)
                )
    log.info("pulled %d rows in %d requests, %d new versions", result.rows_read, result.requests, result.new_revisions)
    return result


def _log_requests(connection: Connection, client: Source, run_id: str) -> int:
    """Store the client's log of requests and empty it; return how many there were."""
    count = len(client.fetch_log)
    catalogue.write_fetch_log(connection, client.fetch_log, run_id)
    client.fetch_log.clear()
    return count


def _write(connection: Connection, frame: pd.DataFrame, clock: Clock, result: PullResult, overruling: bool = False) -> pd.DataFrame:
    """Store versions and count the results; return the rows whose ids were not accepted as belonging to one event."""
    count = catalogue.write_revisions(connection, replayed(frame, clock.now()) if clock.simulated else frame, overruling)
    result.new_revisions += count.new
    result.merged_events += count.merged_events
    result.parted_events += count.parted_events
    return count.refused


def _doubts(store: Store, lookups: Lookups, read: _Read, answer: ReadResult, coverage: pd.DataFrame, now: datetime) -> list[Reason]:
    """Return the reasons why this answer is considered incomplete."""
    before = [] if read.query.end < now else [one for stream in read.streams if (one := _covered(stream, coverage))]
    with store.transaction() as connection:
        doubts = too_few(connection, [one for one in before if one.end < now], answer, now)
        missing = [] if read.full else not_brought_back(connection, read.query, answer)
    if missing:
        last_good = min(one.end for stream in read.streams if (one := _covered(stream, coverage)))
        if lost := unexplained(missing, lookups, read.query, answer, now - last_good):
            assert read.query.updated_after is not None
            events = [*lost[:3], *(["..."] if len(lost) > 3 else [])]
            values: dict[str, Value] = {"count": len(lost), "at": iso(read.query.updated_after), "events": events}
            doubts.append(Reason(ReasonKey.LOST_CHANGES, values))
    return doubts


def _covered(stream: Stream, coverage: pd.DataFrame) -> Covered | None:
    """Return the span in which the stream has been read; None where it never was."""
    spans = coverage[coverage["stream"] == stream.name]
    return None if spans.empty else Covered(stream, spans["span_start"].min().to_pydatetime(), spans["span_end"].max().to_pydatetime())


def _plan(streams: list[Stream], coverage: pd.DataFrame, updated_at: datetime | None, now: datetime) -> list[_Read]:
    """Plan the reads that bring every stream up to `now`: one for all changes, more only where a stream was never read."""
    reads: list[_Read] = []
    changes: list[Stream] = []
    for stream in streams:
        rows = coverage[coverage["stream"] == stream.name]
        if rows.empty:
            reads.append(_Read(Query(CATALOGUE_START, now, stream.min_magnitude, stream.region), True, (stream,)))
        elif updated_at is None or (rows["source"] == CoverageSource.SNAPSHOT).all():
            end, taken_at = rows["span_end"].max().to_pydatetime(), rows["read_at"].max().to_pydatetime()
            low = stream.min_magnitude - MAGNITUDE_MARGIN
            if end < now:
                reads.append(_Read(Query(end, now, stream.min_magnitude, stream.region), True, (stream,)))
            reads.append(
                _Read(Query(CATALOGUE_START, end, low, stream.region, updated_after=taken_at, include_deleted=True), True, (stream,))
            )
        else:
            changes.append(stream)
    common = [stream for stream in changes if stream in STREAMS]
    groups = [(WORLD.region, common)] if common else []
    groups += [(stream.region, [stream]) for stream in changes if stream not in STREAMS]
    for region, group in groups:
        assert updated_at is not None
        low = min(stream.min_magnitude for stream in group) - MAGNITUDE_MARGIN
        read_to = min(coverage.loc[coverage["stream"] == stream.name, "span_end"].max().to_pydatetime() for stream in group)
        since = min(updated_at, read_to) - UPDATED_OVERLAP
        query = Query(CATALOGUE_START, now, low, region, updated_after=since, include_deleted=True)
        reads.append(_Read(query, False, tuple(group)))
    return reads


def _keep(connection: Connection, answer: ReadResult, streams: list[Stream], result: PullResult) -> pd.DataFrame:
    """Return the rows that belong to a stream or to a stored event; other rows lie below the magnitudes that are read completely."""
    frame = answer.revisions
    wanted = in_streams(
        streams, frame["latitude_deg"].to_numpy(), frame["longitude_deg"].to_numpy(), frame["magnitude"].to_numpy(dtype=np.float64)
    )
    known = catalogue.known_ids(connection, set(frame.loc[~wanted, "ids"].explode()))
    wanted |= np.fromiter((not known.isdisjoint(ids) for ids in frame["ids"]), dtype=bool, count=len(frame))
    result.rows_read += answer.counted
    result.below_cut += int((~wanted).sum())
    return frame[wanted]


def _proved(source: str, streams: list[Stream], coverage: pd.DataFrame, now: datetime) -> pd.DataFrame:
    rows = []
    for stream in streams:
        spans = coverage[coverage["stream"] == stream.name]
        start = CATALOGUE_START if spans.empty else spans["span_end"].max().to_pydatetime()
        if start < now:
            reading = CoverageSource.FULL_READ if spans.empty else CoverageSource.CHANGES
            rows.append(coverage_rows([stream], start, now, now, reading, source))
    return pd.concat(rows) if rows else coverage.head(0)


def _reconcile_due(coverage: pd.DataFrame, now: datetime) -> bool:
    """Whether a full read is due: a week after the first pull, and weekly from then on."""
    pulls = coverage[coverage["source"] != CoverageSource.SNAPSHOT]
    if pulls.empty:
        return False
    full = pulls[pulls["source"].str.endswith(CoverageSource.FULL_READ)]
    last = full["read_at"].max() if len(full) else pulls["first_read_at"].min()
    due: bool = now - last >= RECONCILE_EVERY
    return due
