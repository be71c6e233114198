"""Small hand-made catalogues in a real store, so that rules can be tested without the snapshot."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from forecaster.catalog.coverage import STREAMS, coverage_rows
from forecaster.catalog.revisions import revision_frame
from forecaster.settings import Settings
from forecaster.store.database import Store
from forecaster.store.versions import catalogue

TOKYO = (35.68, 139.77)
READ_FROM = datetime(2021, 1, 1, tzinfo=UTC)


def quake(event_id: str, time: datetime, magnitude: float = 5.0, *, known: datetime | None = None, place=TOKYO, **more) -> dict:
    """A row of a RevisionFrame: an earthquake at `place`, known 20 minutes after its origin unless told otherwise."""
    known = known or time + timedelta(minutes=20)
    return {
        "event_id": event_id,
        "ids": [event_id],
        "origin_time": time,
        "latitude_deg": place[0],
        "longitude_deg": place[1],
        "depth_km": 30.0,
        "magnitude": magnitude,
        "magnitude_type": "mww",
        "event_type": "earthquake",
        "status": "reviewed",
        "net": "us",
        "place": "near Tokyo",
        "updated_at": known,
        "observed_at": known,
        "known_at": known,
        "known_at_source": "observed",
        "source": "usgs",
    } | more


def write(store: Store, *rows: dict) -> None:
    """Store these versions of events."""
    with store.transaction() as connection:
        catalogue.write_revisions(connection, revision_frame(list(rows)))


def cover(
    store: Store,
    end: datetime,
    *,
    start: datetime = READ_FROM,
    read_at: datetime | None = None,
    source: str = "usgs full read",
    streams=STREAMS,
):
    """Say that the streams were read completely over [start, end)."""
    with store.transaction() as connection:
        catalogue.write_coverage(connection, coverage_rows(streams, start, end, read_at or end, source))


def quiet_years(store: Store, end: datetime, *, magnitude: float = 5.0, **more) -> None:
    """Two earthquakes near Tokyo, in March 2022 and in June 2023 (of this magnitude, with `more` fields), and all read until `end`."""
    second = quake("us2", datetime(2023, 6, 1, tzinfo=UTC), magnitude, **more)
    write(store, quake("us1", datetime(2022, 3, 5, tzinfo=UTC)), second)
    cover(store, end)


def own_copy(file: Path, settings: Settings) -> Store:
    """A store in the home of these settings, which is made, with what the database `file` holds."""
    settings.home.mkdir()
    shutil.copyfile(file, settings.database)
    return Store(settings.database)


def table(store: Store, name: str) -> pd.DataFrame:
    """All rows of a table."""
    with store.transaction() as connection:
        return connection.execute(f"SELECT * FROM {name} ORDER BY ALL").df()


def dump(store: Store, *but: str) -> dict[str, str]:
    """Every table as text, to see whether anything changed; tables named in `but` are left out."""
    with store.transaction() as connection:
        names = [row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()]
        return {name: str(connection.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall()) for name in names if name not in but}
