"""Whether an answer that agrees with itself can be believed: it must bring back what we know, and as many earthquakes as the Earth has.

A read of changes overlaps the one before by two days. Every stored version that the service changed within the overlap must come back, or a
later one of the same event: in 2,044 pulls of the recorded history (2022-05 to 2024-12; 23 such versions or more each, 46 on average) none
was missing. And a stream must have at least so many events that fewer would be a chance of one in a million since the last good read, or of
one in a thousand over the last days, counted by its own record of a year.
"""

import logging
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from forecaster.catalog.coverage import Stream, in_streams
from forecaster.catalog.query import MAGNITUDE_DIFFERS, PLACE_DIFFERS_DEG, WORLD, Query, ReadResult
from forecaster.catalog.sources.base import Source
from forecaster.errors import CatalogMalformed
from forecaster.store.database import Connection, Store
from forecaster.store.versions import held

log = logging.getLogger(__name__)

MAX_SINGLE_LOOKUPS = 20
LOST_AFTER = timedelta(hours=36)  # without a good read, and asked for before: the service has forgotten it, or has gone back for good
SETTLED_AFTER = timedelta(days=7)  # the same, whatever the service says of it when it is asked
LOST = "stored, and the service does not show it any more, without a word; it is kept"
LEAST_PROBABILITY = 1e-6
LAST_DAYS, LEAST_PROBABILITY_OF_DAYS = (2, 3, 7, 14), 1e-3  # in 7,224 looks at the recorded history (July 2022 to 2024) never below 0.03
KNOWN_SHARE = 0.35  # of a usual span's events, known at its end: never below 0.41 of a week's and 0.20 of two days' in the recorded history
RATE_DAYS, LEAST_RATE_DAYS = 365, 60


@dataclass
class Lookups:
    """How many events may still be asked for one by one, and what was said of them: frames to be stored.

    overruling: of these the ones that count from now on, although a later stamp had spoken for another version.
    lost: what is not expected any more, as rows for the quarantine, so that it is told once.
    """

    client: Source
    left: int = MAX_SINGLE_LOOKUPS
    found: list[pd.DataFrame] = field(default_factory=list)
    overruling: list[pd.DataFrame] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def ask(self, event_id: str) -> tuple[str, pd.DataFrame | None]:
        """("known", its row), ("deleted", a row that says so), ("unknown", None) or ("unreadable", None); rows are kept in `found`."""
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


def not_brought_back(connection: Connection, query: Query, answer: ReadResult) -> pd.DataFrame:
    """The stored versions that an answer to this question should hold, or a later one of the same event, and does not.

    Columns: event_id, ids (all), updated_at.
    """
    if query.updated_after is None:
        return pd.DataFrame(columns=["event_id", "ids", "updated_at"])
    expected = held.changed_since(connection, query.updated_after)
    given_up = held.quarantined_as(connection, LOST)
    expected = expected[_well_inside(query, expected) & ~expected.apply(_name_of, axis=1, result_type="reduce").isin(given_up)]
    back = answer.revisions[["ids", "updated_at"]].explode("ids").groupby("ids")["updated_at"].max()
    raw = " ".join(answer.quarantined["raw"])
    stamps = dict(zip(back.index, back, strict=True))
    missing = [
        not any((i in stamps and stamps[i] >= row["updated_at"]) or f'"{i}"' in raw for i in row["ids"])
        for row in expected.to_dict("records")
    ]
    return expected[np.array(missing, dtype=bool)]


def _name_of(event: Mapping[Hashable, Any]) -> str:
    """A stored version, as the quarantine names it."""
    return f"{event['event_id']} of {event['updated_at']:%FT%T.%fZ}"


def _well_inside(query: Query, events: pd.DataFrame) -> pd.Series:
    """Which events the service cannot but count in, though its values differ a little from those that it shows."""
    inside = (events["magnitude"] >= query.min_magnitude + MAGNITUDE_DIFFERS) & events["origin_time"].between(query.start, query.end)
    if query.region == WORLD:
        return inside
    south, north, west, east = vars(query.region).values()
    from_west = (events["longitude_deg"] - west - PLACE_DIFFERS_DEG) % 360
    near_edge = ~events["latitude_deg"].between(south + PLACE_DIFFERS_DEG, north - PLACE_DIFFERS_DEG)
    well_inside: pd.Series = inside & ~near_edge & (from_west <= east - west - 2 * PLACE_DIFFERS_DEG)
    return well_inside


def unexplained(store: Store, lookups: Lookups, query: Query, answer: ReadResult, last_good: datetime, now: datetime) -> list[str]:
    """The events that should have come back and that asking for them one by one does not explain.

    Explained is what the service says was deleted, what it has moved out of the question, and what it shows under an id that did come.
    What it does not know any more, or in an older version only, it must have said so before, and the older version counts then. Too many
    at once are not asked for at first: that answer is stale.
    """
    with store.transaction() as connection:
        missing = not_brought_back(connection, query, answer)
        asked_before = held.asked_alone_before(connection) if len(missing) else set()
    silent_for = now - last_good
    if len(missing) > lookups.left and silent_for < LOST_AFTER:
        return [str(name) for name in missing["event_id"]]
    left = []
    for event in sorted(missing.to_dict("records"), key=lambda event: event["event_id"] in asked_before):
        name, lasting = str(event["event_id"]), event["event_id"] in asked_before and silent_for >= LOST_AFTER
        said, row = lookups.ask(name) if lookups.left > 0 else ("not asked", None)
        if said == "deleted" or (row is not None and _elsewhere(query, answer, row, event["updated_at"])):
            continue
        if lasting and row is not None and bool((row["updated_at"] < event["updated_at"]).all()):
            lookups.overruling.append(row)
        elif lasting and (said == "unknown" or silent_for >= SETTLED_AFTER):
            lookups.lost.append(_name_of(event))
        else:
            left.append(name)
    return left


def _elsewhere(query: Query, answer: ReadResult, row: pd.DataFrame, updated_at: datetime) -> bool:
    """Whether the event as it came alone need not be in the answer, or is in it under another id."""
    late = answer.revisions.loc[answer.revisions["updated_at"] >= updated_at, "ids"].explode()
    return not set(late).isdisjoint(row["ids"].iloc[0]) or bool((replace(query, updated_after=None).outside(row) != "").all())


def too_few(
    connection: Connection, stream: Stream, answer: ReadResult, covered_from: datetime, covered_to: datetime, now: datetime
) -> str | None:
    """Why the number of the stream's events is not believed, since the last good read or over the last days; None where it may be so.

    The last days are looked at as a whole, whatever was believed of them before: a replica that stands still lacks a few events in each
    answer, too few to tell, and after days everything.
    """
    spans = [(covered_to, LEAST_PROBABILITY), *((now - timedelta(days=days), LEAST_PROBABILITY_OF_DAYS) for days in LAST_DAYS)]
    first = min(start for start, _ in spans)
    days = min(RATE_DAYS, (first - covered_from).days)
    if days < LEAST_RATE_DAYS:
        return None
    stored = held.stored_between(connection, first - timedelta(days=days), now, stream.min_magnitude)
    stored = stored[_in(stream, stored)]
    before, since = stored[stored["origin_time"] < first], stored[stored["origin_time"] >= first]
    ages = (first - before["origin_time"]).dt.total_seconds().to_numpy() // 86_400
    usual = float(np.median(np.bincount(ages.astype(np.int64), minlength=days)[:days]))
    frame = answer.revisions
    alive = frame[(frame["status"] != "deleted") & (frame["origin_time"] < now) & _in(stream, frame)]
    told = set(frame["ids"].explode())
    kept = since[np.array([told.isdisjoint(ids) for ids in since["ids"]], dtype=bool)]
    times = pd.concat([alive["origin_time"], kept["origin_time"]])
    from scipy.special import pdtr  # takes long to import, and a run that pulls nothing need not wait for it

    for start, least in spans:
        count = int((times >= start).sum())
        expected = usual * KNOWN_SHARE * ((now - start) / timedelta(days=1))
        if pdtr(count, expected) < least:
            found = f"{count} events of M >= {stream.min_magnitude:g} since {start:%F %H:%M} ({stream.name})"
            return f"{found}, where {expected:.0f} would be few"
    return None


def _in(stream: Stream, events: pd.DataFrame) -> np.ndarray:
    where = (events[name].to_numpy(dtype=np.float64) for name in ("latitude_deg", "longitude_deg", "magnitude"))
    return in_streams([stream], *where)
