"""The contract of catalogue rows, which a client returns and the store keeps.

A *revision* is one version of one event as a source reported it. Nothing is ever overwritten.
"""

from datetime import datetime
from typing import Any

import pandas as pd

REVISION_COLUMNS = (
    "event_id",  # preferred id in this version
    "ids",  # list of every id of the event, event_id included
    "origin_time",
    "latitude_deg",
    "longitude_deg",
    "depth_km",
    "magnitude",
    "magnitude_type",
    "event_type",
    "status",  # automatic | reviewed | deleted
    "net",
    "place",
    "updated_at",  # the service's; missing in the snapshot
    "observed_at",  # when we read it, by the machine's clock
    "known_at",  # = observed_at, or modelled: rows of the snapshot and of a replay
    "known_at_source",  # observed | modelled
    "source",  # usgs | snapshot
)
QUARANTINE_COLUMNS = ("source", "observed_at", "reason", "raw")

_TIMES = ("origin_time", "updated_at", "observed_at", "known_at")
_FLOATS = ("latitude_deg", "longitude_deg", "depth_km", "magnitude")


def revision_frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Convert rows (dicts with keys among REVISION_COLUMNS) to a frame with the contract's dtypes; times are UTC microseconds."""
    frame = pd.DataFrame(rows, columns=list(REVISION_COLUMNS))
    for column in _TIMES:
        frame[column] = pd.to_datetime(frame[column], utc=True).astype("datetime64[us, UTC]")
    for column in _FLOATS:
        frame[column] = frame[column].astype("float64")
    return frame


def replayed(frame: pd.DataFrame, moment: datetime) -> pd.DataFrame:
    """Return the same rows as a replay of `moment` knows them: known from then on. They are marked as modelled, since nobody had read them
    then."""
    known_at = pd.Series(pd.Timestamp(moment), index=frame.index).astype("datetime64[us, UTC]")
    return frame.assign(known_at=known_at, known_at_source="modelled")


def quarantine_frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return a frame of rows that could not be read, with the reason; `raw` is cut to 2000 characters."""
    frame = pd.DataFrame(rows, columns=list(QUARANTINE_COLUMNS))
    frame["observed_at"] = pd.to_datetime(frame["observed_at"], utc=True).astype("datetime64[us, UTC]")
    frame["raw"] = frame["raw"].astype("str").str.slice(0, 2000)
    return frame
