"""Check whether a consistent answer is plausible: it must contain what we know, and as many earthquakes as are normal.

A read of changes overlaps the previous one by two days. Every stored version that the service changed within the overlap must be returned,
or a later version of the same event. In 2,044 pulls of the recorded history (2022-05 to 2024-12; 23 such versions or more each, 46 on
average) none was missing. A stream must also have a plausible number of events, judged by its own record of a year. Fewer events are
doubted where the chance of so few is below one in a million since the last good read, or below one in a thousand over the last days.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from forecaster.catalog.coverage import Stream, in_streams
from forecaster.catalog.query import MAGNITUDE_DIFFERS, PLACE_DIFFERS_DEG, WORLD, Query, ReadResult
from forecaster.catalog.sources.base import Source
from forecaster.errors import CatalogMalformed
from forecaster.registry.reasons import Reason, ReasonKey, Value, iso
from forecaster.store.database import Connection
from forecaster.store.versions import held

log = logging.getLogger(__name__)

MAX_SINGLE_LOOKUPS = 20
LOST_AFTER = timedelta(hours=36)  # without a good read, and looked up before: the service has dropped the event, or reverted it for good
SETTLED_AFTER = timedelta(days=7)  # the same, whatever the service answers to the look-up
LOST = "stored, and the service does not show it any more, without a word; it is kept"
LEAST_PROBABILITY = 1e-6
LAST_DAYS, LEAST_PROBABILITY_OF_DAYS = (2, 3, 7, 14), 1e-3  # in 7,224 checks of the recorded history (July 2022 to 2024) never below 0.03
KNOWN_SHARE = 0.35  # of a usual span's events, known at its end; in the recorded history never below 0.41 for a week and 0.20 for two days
RATE_DAYS, LEAST_RATE_DAYS = 365, 60


@dataclass
class Lookups:
    """How many events may still be looked up one by one, and the results, as frames to be stored.

    overruling: those results that are valid from now on, although another version has a later stamp.
    lost: events no longer expected, as rows for the quarantine, so that each is reported once.
    """

    client: Source
    left: int = MAX_SINGLE_LOOKUPS
    found: list[pd.DataFrame] = field(default_factory=list)
    overruling: list[pd.DataFrame] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def ask(self, event_id: str) -> tuple[str, pd.DataFrame | None]:
        """Look one event up; rows are kept in `found`.

        Returns ("known", its row), ("deleted", a row that says so), ("unknown", None) or ("unreadable", None).
        """
        self.left -= 1
        try:
            row = self.client.lookup(event_id)
        except CatalogMalformed as error:
            log.warning("%s", error)
            return "unreadable", None
        if row is None:
            return "unknown", None
        self.found.append(row)
        return "deleted" if row["status"].iloc[0] == "deleted" else "known", row


@dataclass(frozen=True)
class Missing:
    """A stored version that an answer lacks. asked_before: whether its event was looked up by itself at an earlier time."""

    event_id: str
    updated_at: pd.Timestamp
    asked_before: bool

    def __str__(self) -> str:
        """Return the text that identifies the version in the quarantine."""
        return f"{self.event_id} of {self.updated_at:%FT%T.%fZ}"


def not_brought_back(connection: Connection, query: Query, answer: ReadResult) -> list[Missing]:
    """Return the stored versions that an answer to this query should hold, themselves or in a later version, and does not."""
    if query.updated_after is None:
        return []
    expected = held.changed_since(connection, query.updated_after)
    expected = expected[_well_inside(query, expected)]
    stamps: dict[str, pd.Timestamp] = {}
    for ids, stamp in zip(answer.revisions["ids"], answer.revisions["updated_at"], strict=True):
        if stamp is not pd.NaT:
            stamps.update((event_id, stamp) for event_id in ids if event_id not in stamps or stamp > stamps[event_id])
    raw = " ".join(answer.quarantined["raw"])
    lacking = [
        (str(name), stamp)
        for name, ids, stamp in zip(expected["event_id"], expected["ids"], expected["updated_at"], strict=True)
        if not any((i in stamps and stamps[i] >= stamp) or f'"{i}"' in raw for i in ids)
    ]
    if not lacking:
        return []
    asked_before, given_up = held.asked_alone_before(connection), held.quarantined_as(connection, LOST)
    missing = [Missing(name, stamp, name in asked_before) for name, stamp in lacking]
    return [one for one in missing if str(one) not in given_up]


def _well_inside(query: Query, events: pd.DataFrame) -> pd.Series:
    """Return which events must match the query even if the service's internal values differ a little from those it shows."""
    inside = (events["magnitude"] >= query.min_magnitude + MAGNITUDE_DIFFERS) & events["origin_time"].between(query.start, query.end)
    if query.region == WORLD:
        return inside
    south, north, west, east = vars(query.region).values()
    from_west = (events["longitude_deg"] - west - PLACE_DIFFERS_DEG) % 360
    near_edge = ~events["latitude_deg"].between(south + PLACE_DIFFERS_DEG, north - PLACE_DIFFERS_DEG)
    well_inside: pd.Series = inside & ~near_edge & (from_west <= east - west - 2 * PLACE_DIFFERS_DEG)
    return well_inside


def unexplained(missing: Sequence[Missing], lookups: Lookups, query: Query, answer: ReadResult, silent_for: timedelta) -> list[str]:
    """Return those of the missing events that single look-ups do not explain. silent_for: how long ago the last good read was.

    An event is explained if the service reports it as deleted, has moved it out of the query, or shows it under an id that was returned.
    An event that is now unknown, or known only in an older version, must have been so at an earlier look-up, too; the older version is
    valid then. If too many are missing at once, none is looked up at first: the answer is stale.
    """
    if len(missing) > lookups.left and silent_for < LOST_AFTER:
        return [event.event_id for event in missing]
    left = []
    for event in sorted(missing, key=lambda event: event.asked_before):
        lasting = event.asked_before and silent_for >= LOST_AFTER
        reply, row = lookups.ask(event.event_id) if lookups.left > 0 else ("not asked", None)
        if reply == "deleted" or (row is not None and _elsewhere(query, answer, row, event.updated_at)):
            continue
        if lasting and row is not None and bool((row["updated_at"] < event.updated_at).all()):
            lookups.overruling.append(row)
        elif lasting and (reply == "unknown" or silent_for >= SETTLED_AFTER):
            lookups.lost.append(str(event))
        else:
            left.append(event.event_id)
    return left


def _elsewhere(query: Query, answer: ReadResult, row: pd.DataFrame, updated_at: datetime) -> bool:
    """Whether the event, as the single look-up shows it, need not be in the answer, or is in it under another id."""
    late = answer.revisions.loc[answer.revisions["updated_at"] >= updated_at, "ids"].explode()
    return not set(late).isdisjoint(row["ids"].iloc[0]) or bool((replace(query, updated_after=None).outside(row) != "").all())


@dataclass(frozen=True)
class Covered:
    """A stream, and the span in which it has been read."""

    stream: Stream
    start: datetime
    end: datetime

    def spans(self, now: datetime) -> list[tuple[datetime, float]]:
        """Return the starts of the spans up to `now` in which events are counted, and below which chance their number is doubted."""
        return [(self.end, LEAST_PROBABILITY), *((now - timedelta(days=days), LEAST_PROBABILITY_OF_DAYS) for days in LAST_DAYS)]

    def usual_span(self, now: datetime) -> tuple[datetime, int]:
        """Return the span that shows how many events are usual: its end and its length in days."""
        end = min(start for start, _ in self.spans(now))
        return end, min(RATE_DAYS, (end - self.start).days)


def too_few(connection: Connection, covered: Iterable[Covered], answer: ReadResult, now: datetime) -> list[Reason]:
    """Return for each stream, as a reason, why its number of events is implausible since the last good read or over the last days.

    The last days are checked as a whole, even if their parts were accepted before. A stalled replica lacks a few events in each answer,
    too few to detect, and after some days it lacks all of them.
    """
    known = [one for one in covered if one.usual_span(now)[1] >= LEAST_RATE_DAYS]
    if not known:
        return []
    start = min(end - timedelta(days=days) for end, days in (one.usual_span(now) for one in known))
    stored = held.stored_between(connection, start, now, min(one.stream.min_magnitude for one in known))
    received = {event_id for ids in answer.revisions["ids"] for event_id in ids}
    found = [_too_few(one, stored, answer.revisions, received, now) for one in known]
    return [reason for reason in found if reason is not None]


def _too_few(covered: Covered, stored: pd.DataFrame, frame: pd.DataFrame, received: set[str], now: datetime) -> Reason | None:
    stream, (first, days) = covered.stream, covered.usual_span(now)
    stored = stored[_in(stream, stored) & (stored["origin_time"] >= first - timedelta(days=days)).to_numpy()]
    before, since = stored[stored["origin_time"] < first], stored[stored["origin_time"] >= first]
    ages = (first - before["origin_time"]).dt.total_seconds().to_numpy() // 86_400
    usual = float(np.median(np.bincount(ages.astype(np.int64), minlength=days)[:days]))
    alive = frame[(frame["status"] != "deleted") & (frame["origin_time"] < now) & _in(stream, frame)]
    kept = since[np.array([received.isdisjoint(ids) for ids in since["ids"]], dtype=bool)]
    times = pd.concat([alive["origin_time"], kept["origin_time"]])
    from scipy.special import pdtr  # a slow import; a run that pulls nothing need not wait for it

    for start, least in covered.spans(now):
        count = int((times >= start).sum())
        expected = usual * KNOWN_SHARE * ((now - start) / timedelta(days=1))
        if pdtr(count, expected) < least:
            values: dict[str, Value] = {"count": count, "magnitude": stream.min_magnitude, "at": iso(start), "stream": stream.name}
            values["expected"] = round(expected, 2)
            return Reason(ReasonKey.TOO_FEW_EVENTS, values)
    return None


def _in(stream: Stream, events: pd.DataFrame) -> np.ndarray:
    where = (events[name].to_numpy(dtype=np.float64) for name in ("latitude_deg", "longitude_deg", "magnitude"))
    return in_streams([stream], *where)
