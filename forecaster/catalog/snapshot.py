"""The bundled snapshot: real ComCat earthquakes, so that the first run needs no hour of downloading.

`data/snapshot.parquet` holds M >= 4.5 worldwide and M >= 3.5 within 24-48 N, 122-154 E, origins 1973 to 2024, in the state of the catalogue
on 2025-11-09. `deployments/data/build_snapshot.py` rebuilds it byte for byte. The store reads the file; here its rows become revisions. Its
source lists earthquakes only, without status, network or update time.
"""

from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd

from forecaster.catalog.delays import modelled_known_at
from forecaster.catalog.revisions import REVISION_COLUMNS
from forecaster.errors import CatalogMalformed

SNAPSHOT_SERVICE = "usgs"  # the source whose ids the events have
SNAPSHOT_START = datetime(1973, 1, 1, tzinfo=UTC)
SNAPSHOT_END = datetime(2025, 1, 1, tzinfo=UTC)  # origins are before it
SNAPSHOT_OBSERVED_AT = datetime(2025, 11, 9, tzinfo=UTC)
SNAPSHOT_COLUMNS = (
    "event_id",
    "origin_time_ms",  # UTC milliseconds since 1970
    "latitude_deg",
    "longitude_deg",
    "depth_km",
    "magnitude",
    "magnitude_type",
    "place",
)
_UNCHANGED = ("latitude_deg", "longitude_deg", "depth_km", "magnitude", "magnitude_type", "place")
_TIME = "datetime64[us, UTC]"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def snapshot_path() -> Path:
    """Return the path of the bundled file. The package is always installed unpacked."""
    return Path(str(resources.files("forecaster.catalog").joinpath("data/snapshot.parquet")))


def snapshot_revisions(rows: pd.DataFrame, known_by: datetime | None = None) -> pd.DataFrame:
    """Convert rows of the snapshot (SNAPSHOT_COLUMNS) to revisions (REVISION_COLUMNS) with modelled known-times.

    Args:
        known_by: aware; a replay pretends that the snapshot was taken then: rows that were not known by it are left
            out, and `observed_at` is no later than it.
    Raises: CatalogMalformed where a column is missing; ValueError for a naive `known_by`.
    """
    if missing := [column for column in SNAPSHOT_COLUMNS if column not in rows.columns]:
        raise CatalogMalformed(f"snapshot: columns {', '.join(missing)} are missing in {snapshot_path().name}; install quakecast again")
    if known_by is not None and known_by.tzinfo is None:
        raise ValueError(f"known_by is {known_by}, without a time zone; pass an aware datetime")
    origin_time_us = rows["origin_time_ms"].to_numpy(dtype=np.int64) * 1000
    known_at_us = modelled_known_at(
        rows["event_id"].to_numpy(dtype=object),
        origin_time_us,
        *(rows[column].to_numpy(dtype=np.float64) for column in ("magnitude", "latitude_deg", "longitude_deg")),
    )
    observed_at = SNAPSHOT_OBSERVED_AT
    if known_by is not None:
        kept = known_at_us <= (known_by - _EPOCH) // timedelta(microseconds=1)
        rows, origin_time_us, known_at_us = rows[kept], origin_time_us[kept], known_at_us[kept]
        observed_at = min(observed_at, known_by)
    frame = rows[["event_id", *_UNCHANGED]].reset_index(drop=True)
    frame["ids"] = pd.Series([[event_id] for event_id in frame["event_id"]], index=frame.index, dtype=object)
    frame["origin_time"] = pd.to_datetime(origin_time_us, unit="us", utc=True).astype(_TIME)
    frame["known_at"] = pd.to_datetime(known_at_us, unit="us", utc=True).astype(_TIME)
    frame["updated_at"] = pd.Series(pd.NaT, index=frame.index, dtype=_TIME)
    frame["observed_at"] = pd.Series(pd.Timestamp(observed_at), index=frame.index, dtype=_TIME)
    frame["event_type"] = "earthquake"
    frame["status"] = "reviewed"
    frame["net"] = None
    frame["known_at_source"] = "modelled"
    frame["source"] = "snapshot"
    return frame[list(REVISION_COLUMNS)]
