"""Bring the catalogue up to date: the bundled snapshot once, then what the service has learnt since.

A pull reads everything first and writes once: a failed read leaves the store as it was. A row that is absent from an answer is not
a deletion; only the service's own word is. A read with rows that could not be believed proves no coverage: one of them may be the event.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from forecaster.catalog import snapshot
from forecaster.catalog.coverage import STREAMS, WORLD, Stream, coverage_rows, in_streams, streams_for
from forecaster.catalog.query import Query, ReadResult, Region
from forecaster.catalog.revisions import replayed
from forecaster.catalog.usgs import UsgsClient
from forecaster.clock import Clock
from forecaster.errors import CatalogMalformed
from forecaster.recipe import Recipe
from forecaster.store import catalogue
from forecaster.store.database import Store, read_parquet

log = logging.getLogger(__name__)

CATALOGUE_START = datetime(1973, 1, 1, tzinfo=UTC)
MAGNITUDE_MARGIN = 0.5  # read this much below a stream's cut, so that an event revised downwards is seen
UPDATED_OVERLAP = timedelta(hours=48)
RECONCILE_EVERY = timedelta(days=7)
RECONCILE_SPAN = timedelta(days=60)
MOST_SINGLE_LOOKUPS = 20
QUARANTINE_BLOCKS = timedelta(days=7)  # a row that has been sent like this for longer no longer holds up everything else
FULL_READ = "usgs full read"
CHANGES = "usgs changes"


@dataclass
class PullResult:
    """What a pull did; goes into the run's details and the report."""

    rows_read: int = 0
    new_revisions: int = 0
    merged_events: int = 0
    quarantined: dict[str, int] = field(default_factory=dict)
    requests: int = 0
    below_cut: int = 0
    reconciled: dict[str, int] | None = None


@dataclass(frozen=True)
class _Read:
    query: Query
    full: bool


def load_snapshot(store: Store, known_by: datetime | None = None) -> int:
    """Load the bundled snapshot into an empty store; returns the number of events, 0 where a catalogue is there already.

    With `known_by` only what was known by then is loaded, as if the snapshot had been taken at that time.
    """
    with store.transaction() as connection:
        if not catalogue.read_coverage(connection).empty:
            return 0
    frame = snapshot.snapshot_revisions(read_parquet(snapshot.snapshot_path()), known_by)
    taken_at = min(snapshot.SNAPSHOT_OBSERVED_AT, known_by or snapshot.SNAPSHOT_OBSERVED_AT)
    rows = coverage_rows(STREAMS, snapshot.SNAPSHOT_START, min(snapshot.SNAPSHOT_END, taken_at), taken_at, "snapshot")
    with store.transaction() as connection:
        count = catalogue.write_revisions(connection, frame)
        catalogue.write_coverage(connection, rows)
    return count.new


def pull_catalog(
    store: Store,
    client: UsgsClient,
    recipes: list[Recipe],
    clock: Clock,
    run_id: str | None = None,
    own_streams: bool = True,
    on_progress: Callable[[int, int], None] | None = None,
) -> PullResult:
    """Read what the service has learnt since the last pull, and store it with the coverage it proves.

    `own_streams`: also read the whole history for recipes whose targets the common streams do not hold.

    Raises:
        CatalogError: the service could not be read completely; nothing but the log of requests is stored.
    """
    streams = streams_for(recipes) if own_streams else list(STREAMS)
    now = clock.now()
    with store.transaction() as connection:
        coverage = catalogue.read_coverage(connection)
        updated_at = catalogue.last_updated_at(connection)
        known = catalogue.known_ids(connection)
    result = PullResult()
    try:
        frames = []
        for read in _plan(streams, coverage, updated_at, now):
            small = read.query.updated_after is not None and not read.full
            answer = client.read_small(read.query, on_progress) if small else client.read(read.query, on_progress=on_progress)
            frames.append(_keep(answer, streams, known, result))
        reconciling = _reconcile_due(coverage, now)
        if reconciling:
            frames += _reconcile(store, client, streams, known, now, result)
    finally:
        with store.transaction() as connection:
            catalogue.write_fetch_log(connection, client.fetch_log, run_id)
            result.requests = len(client.fetch_log)
            client.fetch_log.clear()
    with store.transaction() as connection:
        for frame, _ in frames:
            count = catalogue.write_revisions(connection, replayed(frame, now) if clock.simulated else frame)
            result.new_revisions += count.new
            result.merged_events += count.merged_events
        bad = pd.concat([quarantined for _, quarantined in frames]).drop_duplicates(["reason", "raw"])
        result.quarantined = {str(reason): int(count) for reason, count in bad["reason"].value_counts().items()}
        doubtful = catalogue.not_quarantined_before(connection, bad, clock.observed_now() - QUARANTINE_BLOCKS)
        catalogue.write_quarantine(connection, bad, run_id)
        if not doubtful:
            catalogue.write_coverage(connection, _proved(streams, coverage, now))
            if reconciling:
                catalogue.write_coverage(connection, coverage_rows(streams, now - RECONCILE_SPAN, now, now, FULL_READ))
    log.info("pulled %d rows in %d requests, %d new versions", result.rows_read, result.requests, result.new_revisions)
    return result


def _plan(streams: list[Stream], coverage: pd.DataFrame, updated_at: datetime | None, now: datetime) -> list[_Read]:
    """The reads that bring every stream up to `now`: one for all the changes, more only where a stream was never read."""
    reads: list[_Read] = []
    changes: list[Stream] = []
    for stream in streams:
        rows = coverage[coverage["stream"] == stream.name]
        if rows.empty:
            reads.append(_Read(Query(CATALOGUE_START, now, stream.min_magnitude, stream.region), full=True))
        elif updated_at is None or not rows["source"].str.startswith("usgs").any():
            end, taken_at = rows["span_end"].max().to_pydatetime(), rows["read_at"].max().to_pydatetime()
            low = stream.min_magnitude - MAGNITUDE_MARGIN
            if end < now:
                reads.append(_Read(Query(end, now, stream.min_magnitude, stream.region), full=True))
            reads.append(_Read(Query(CATALOGUE_START, end, low, stream.region, updated_after=taken_at, include_deleted=True), full=True))
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
        reads.append(_Read(query, full=False))
    return reads


def _keep(answer: ReadResult, streams: list[Stream], known: set[str], result: PullResult) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows that belong to a stream, or to an event that is stored already; the rest is below what is read completely."""
    frame = answer.revisions
    wanted = in_streams(
        streams, frame["latitude_deg"].to_numpy(), frame["longitude_deg"].to_numpy(), frame["magnitude"].to_numpy(dtype=np.float64)
    )
    wanted |= np.fromiter((not known.isdisjoint(ids) for ids in frame["ids"]), dtype=bool, count=len(frame))
    result.rows_read += answer.counted
    result.below_cut += int((~wanted).sum())
    return frame[wanted], answer.quarantined


def _proved(streams: list[Stream], coverage: pd.DataFrame, now: datetime) -> pd.DataFrame:
    rows = []
    for stream in streams:
        spans = coverage[coverage["stream"] == stream.name]
        start = CATALOGUE_START if spans.empty else spans["span_end"].max().to_pydatetime()
        if start < now:
            rows.append(coverage_rows([stream], start, now, now, FULL_READ if spans.empty else CHANGES))
    return pd.concat(rows) if rows else coverage.head(0)


def _reconcile_due(coverage: pd.DataFrame, now: datetime) -> bool:
    """A week after the first pull, and every week from then on."""
    pulls = coverage[coverage["source"].str.startswith("usgs")]
    if pulls.empty:
        return False
    full = pulls[pulls["source"] == FULL_READ]
    last = full["read_at"].max() if len(full) else pulls["first_read_at"].min()
    return now - last >= RECONCILE_EVERY


def _reconcile(
    store: Store, client: UsgsClient, streams: list[Stream], known: set[str], now: datetime, result: PullResult
) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """Read the last 60 days in full; ask by id for every stored event that the answer lacks."""
    differences = {"missing": 0, "deleted": 0, "changed": 0, "unexplained": 0, "not asked": 0}
    frames = []
    for stream in streams:
        query = Query(now - RECONCILE_SPAN, now, stream.min_magnitude, stream.region)
        answer = client.read(query)
        frames.append(_keep(answer, streams, known, result))
        seen = {event_id for ids in answer.revisions["ids"] for event_id in ids}
        with store.transaction() as connection:
            stored = catalogue.stored_ids_between(connection, query.start, query.end, stream.min_magnitude)
        rows = stored.to_dict("records")
        missing = [str(row["event_id"]) for row in rows if _in_region(row, stream.region) and seen.isdisjoint(row["ids"])]
        differences["missing"] += len(missing)
        differences["not asked"] += max(0, len(missing) - MOST_SINGLE_LOOKUPS)
        for event_id in missing[:MOST_SINGLE_LOOKUPS]:
            found = _asked_alone(client, event_id)
            if found is None:
                differences["unexplained"] += 1
                continue
            differences["deleted" if found["status"].iloc[0] == "deleted" else "changed"] += 1
            frames.append((found, answer.quarantined.head(0)))
    result.reconciled = differences
    return frames


def _asked_alone(client: UsgsClient, event_id: str) -> pd.DataFrame | None:
    """One event by its id; None where the service does not know it, or its row cannot be believed: neither says that it was deleted."""
    try:
        return client.event(event_id)
    except CatalogMalformed as error:
        log.warning("%s", error)
        return None


def _in_region(row: dict, region: Region) -> bool:
    return (
        region.min_latitude_deg <= row["latitude_deg"] <= region.max_latitude_deg
        and region.min_longitude_deg <= row["longitude_deg"] <= region.max_longitude_deg
    )
