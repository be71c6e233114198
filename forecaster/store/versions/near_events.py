"""Queries for the events of some boxes: the macros of the schema see the versions of these events only, which takes much less time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from forecaster.store.database import Connection
from forecaster.store.engine import ask

Box = tuple[float, float, float, float]
"""(south, north, west, east) in degrees, edges included; longitudes may run on through the date line, below -180 or above 180."""

STORED = (
    "event_key, event_id, ids, origin_time, latitude_deg, longitude_deg, depth_km, magnitude, magnitude_type, event_type, status, net, "
    "place, updated_at, observed_at, known_at, known_at_source, source, content_md5, ordered_at"
)
IN_BOX = (
    "latitude_deg BETWEEN $south AND $north AND (longitude_deg BETWEEN $west AND $east "
    "OR longitude_deg + 360 BETWEEN $west AND $east OR longitude_deg - 360 BETWEEN $west AND $east)"
)
_OF_NEAR_EVENTS = f"""led AS (
        SELECT event_key FROM near UNION SELECT to_key FROM event_merge WHERE from_key IN (SELECT event_id FROM near)
    ), related AS (
        SELECT event_id FROM near UNION SELECT from_key FROM event_merge WHERE to_key IN (SELECT event_key FROM led)
    ), event_revision AS (
        SELECT rowid, {STORED} FROM main.event_revision
        WHERE event_key IN (SELECT event_key FROM led) OR event_id IN (SELECT event_id FROM related)
    )"""
"""All versions of the events of which any version is among those of `near`, under the table's own name: the schema's macros see these
instead of the whole table. Should a later DuckDB look past it, the answers stay the same, and take longer."""
_ONLY_EVENTS_OF_THE_BOX = f"""
    WITH near AS (SELECT DISTINCT event_id, event_key FROM main.event_revision WHERE {IN_BOX}), {_OF_NEAR_EVENTS}"""
_IN_SOME_BOX = (
    "e.latitude_deg BETWEEN south AND north AND (e.longitude_deg BETWEEN west AND east "
    "OR e.longitude_deg + 360 BETWEEN west AND east OR e.longitude_deg - 360 BETWEEN west AND east)"
)
_BOXES = "WITH box AS (SELECT unnest($south) AS south, unnest($north) AS north, unnest($west) AS west, unnest($east) AS east)"
_COLUMNS = "event_id, epoch_us(origin_time) AS origin_time_us, latitude_deg, longitude_deg, magnitude"
_ONLY_STRONG_EVENTS_OF_BOXES = f"""{_BOXES}, near AS (
        SELECT DISTINCT event_id, event_key FROM main.event_revision e
        WHERE magnitude >= $least AND origin_time >= $since AND EXISTS (SELECT 1 FROM box WHERE {_IN_SOME_BOX})
    ), {_OF_NEAR_EVENTS}"""


def inside(box: Box | None) -> tuple[str, dict[str, float]]:
    """Return (the text to put before a query of the macros, its parameters)."""
    return ("", {}) if box is None else (_ONLY_EVENTS_OF_THE_BOX, dict(zip(("south", "north", "west", "east"), box, strict=True)))


@dataclass(frozen=True)
class StrongEvents:
    """Events by origin time; arrays (n,). origin_time_us: microseconds since the epoch, UTC."""

    event_id: np.ndarray
    origin_time_us: np.ndarray
    latitude_deg: np.ndarray
    longitude_deg: np.ndarray
    magnitude: np.ndarray


def read_strong_events(
    connection: Connection, as_of: datetime, boxes: Sequence[Box], min_magnitude: float, since: datetime | None = None
) -> StrongEvents:
    """Return the events of `catalogue.read_events` in any of these boxes (at least one) from `min_magnitude` on, with origin at or after
    `since`; takes a third of the time."""
    found = ask(
        connection,
        f"{_ONLY_STRONG_EVENTS_OF_BOXES} SELECT {_COLUMNS} FROM event_as_of($as_of) e "
        "WHERE event_type = 'earthquake' AND magnitude >= $least AND origin_time >= $since "
        f"AND EXISTS (SELECT 1 FROM box WHERE {_IN_SOME_BOX}) ORDER BY origin_time, event_id",
        {"as_of": as_of, "least": min_magnitude, "since": since or "-infinity", **_edges(boxes)},
    )
    return _events(found)


def read_strong_versions(connection: Connection, boxes: Sequence[Box], min_magnitude: float) -> StrongEvents:
    """Return every stored version in any of these boxes from `min_magnitude` on, replaced and withdrawn ones included.

    These are all events of `read_strong_events` and some more, in a third of its time.
    """
    found = ask(
        connection,
        f"{_BOXES} SELECT {_COLUMNS} FROM event_revision e WHERE magnitude >= $least "
        f"AND EXISTS (SELECT 1 FROM box WHERE {_IN_SOME_BOX}) ORDER BY origin_time, event_id",
        {"least": min_magnitude, **_edges(boxes)},
    )
    return _events(found)


def _events(cursor: Connection) -> StrongEvents:
    return StrongEvents(**{name: np.asarray(values) for name, values in cursor.fetchnumpy().items()})


def _edges(boxes: Sequence[Box]) -> dict[str, list[float]]:
    return dict(zip(("south", "north", "west", "east"), map(list, zip(*boxes, strict=True)), strict=True))
