"""Identity and as-of against a plain model of what they mean, on drawn histories of four ids.

The model: rows known by t; rows that share an id, directly or over other rows, are one event; the version updated last counts.
Each example runs in a transaction that is rolled back.
"""

from datetime import UTC, datetime, timedelta

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecaster.catalog.revisions import revision_frame
from forecaster.store.catalogue import read_events, read_versions, write_revisions
from forecaster.store.database import migrations

T0 = datetime(2024, 1, 1, tzinfo=UTC)
ids = st.lists(st.sampled_from("abcd"), min_size=1, max_size=3, unique=True)
step = st.tuples(ids, st.sampled_from(["reviewed", "reviewed", "reviewed", "deleted"]), st.integers(0, 9))
histories = st.lists(step, min_size=1, max_size=6)


@pytest.fixture(scope="module")
def connection():
    made = duckdb.connect()
    made.execute("SET TimeZone = 'UTC'")
    for _, _, sql in migrations():
        made.execute(sql)
    yield made
    made.close()


def row(minute: int, event_ids: list[str], status: str, age: int) -> dict:
    """The version seen in this minute under its first id; `age` says how many minutes before it was updated; magnitude tells the minute."""
    seen = T0 + timedelta(minutes=minute)
    return {
        "event_id": event_ids[0],
        "ids": event_ids,
        "origin_time": T0,
        "latitude_deg": 0.0,
        "longitude_deg": 0.0,
        "depth_km": 10.0,
        "magnitude": 5.0 + minute / 100,
        "event_type": "earthquake",
        "status": status,
        "updated_at": seen - timedelta(minutes=age, seconds=minute),
        "observed_at": seen,
        "known_at": seen,
        "known_at_source": "observed",
        "source": "usgs",
    }


def as_meant(rows: list[dict], moment: datetime) -> list[tuple[str, float]]:
    events: list[tuple[set[str], list[dict]]] = []
    for version in rows:
        if version["known_at"] > moment:
            continue
        names, versions = set(version["ids"]), [version]
        apart = []
        for other_names, other_versions in events:
            if names & other_names:
                names, versions = names | other_names, versions + other_versions
            else:
                apart.append((other_names, other_versions))
        events = [*apart, (names, versions)]
    last = [max(versions, key=lambda version: (version["updated_at"], version["known_at"])) for _, versions in events]
    return sorted((version["event_id"], round(version["magnitude"], 2)) for version in last if version["status"] != "deleted")


def as_stored(connection, moment: datetime) -> list[tuple[str, float]]:
    frame = read_events(connection, moment)
    return sorted(zip(frame["event_id"], frame["magnitude"].round(2), strict=True))


def as_believed(connection, as_of: datetime, moment: datetime) -> list[tuple[str, float]]:
    frame = read_versions(connection, as_of)
    frame = frame[(frame["known_at"] <= moment) & (frame["known_until"].isna() | (moment < frame["known_until"]))]
    return sorted(zip(frame["event_id"], frame["magnitude"].round(2), strict=True))


@settings(max_examples=15, deadline=None, derandomize=True)
@given(history=histories)
def test_the_store_knows_at_every_moment_what_the_model_says(connection, history):
    rows = [row(minute, *drawn) for minute, drawn in enumerate(history)]
    connection.execute("BEGIN TRANSACTION")
    try:
        for version in rows:
            write_revisions(connection, revision_frame([version]))
        again = [write_revisions(connection, revision_frame([version])).new for version in rows]
        assert again == [0] * len(rows), "everything is known already"
        for minute in range(-1, len(rows)):
            moment = T0 + timedelta(minutes=minute)
            assert as_stored(connection, moment) == as_meant(rows, moment), minute
            for until in {moment, T0 + timedelta(minutes=len(rows))}:
                assert as_believed(connection, until, moment) == as_meant(rows, moment), (until, minute)
    finally:
        connection.execute("ROLLBACK")
