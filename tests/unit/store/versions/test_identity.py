"""Identity and as-of against a plain model of what they mean, on drawn histories of four ids.

The model: rows known by t. The last row under a name is its word; from the newest on, a word claims the names that it lists and no newer
one has claimed. A deletion claims what its name had, too, but no event that had taken the name over before. Live words that list the same
other id are one event. A row that comes again is news where another of no later stamp was believed. Each example is rolled back.
"""

from datetime import UTC, datetime, timedelta

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecaster.catalog.revisions import revision_frame
from forecaster.store.migrating import make_current
from forecaster.store.versions.catalogue import read_events, read_versions, write_revisions

T0 = datetime(2024, 1, 1, tzinfo=UTC)
ids = st.lists(st.sampled_from("abcd"), min_size=1, max_size=3, unique=True)
new = st.tuples(ids, st.sampled_from(["reviewed", "reviewed", "reviewed", "deleted"]), st.integers(0, 3))
repeat = st.integers(0, 5)
histories = st.lists(st.one_of(new, new, repeat), min_size=1, max_size=7)


@pytest.fixture(scope="module")
def connection():
    made = duckdb.connect()
    made.execute("SET TimeZone = 'UTC'")
    make_current(made)
    yield made
    made.close()


def row(minute: int, event_ids: list[str], status: str, age: int) -> dict:
    """The version seen in this minute under its first id, updated `age` minutes before; the magnitude tells the minute."""
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
        "updated_at": T0 + timedelta(minutes=minute - age),
        "known_at_source": "observed",
        "source": "usgs",
    } | seen(minute)


def seen(minute: int) -> dict:
    return {"observed_at": T0 + timedelta(minutes=minute), "known_at": T0 + timedelta(minutes=minute)}


def rows_of(history: list) -> list[dict]:
    """One row a minute; a number stands for the row of that minute, seen again (for nothing where there is none yet)."""
    rows: list[dict] = []
    for minute, drawn in enumerate(history):
        if isinstance(drawn, tuple):
            rows.append(row(minute, *drawn))
        elif drawn < len(rows):
            rows.append(rows[drawn] | seen(minute))
    return rows


def rank(version: dict) -> tuple:
    return version["updated_at"], version["known_at"]


def events_of(rows: list[dict]) -> dict[str, dict]:
    """By name, the row that counts for its event."""
    word, live = {}, {}
    for version in sorted(rows, key=rank):
        word[version["event_id"]] = version
        if version["status"] != "deleted":
            live[version["event_id"]] = version
    line = sorted(word.values(), key=rank, reverse=True)
    claimed: dict[str, str] = {}
    for number, version in enumerate(line):
        name = version["event_id"]
        gone, before = version["status"] == "deleted", live.get(name)
        listed = {*version["ids"], *(before["ids"] if gone and before else [])}
        for older in line[number + 1 :]:
            other = older["event_id"]
            took_over = gone and older["status"] != "deleted" and name in older["ids"] and (before is None or rank(older) > rank(before))
            shared = not gone and older["status"] != "deleted" and {*version["ids"]} & {*older["ids"]} - {*word}
            if other not in claimed and ((other in listed and not took_over) or shared):
                claimed[other] = name

    def head(name: str) -> str:
        return head(claimed[name]) if name in claimed else name

    return {name: word[head(name)] for name in word}


def stored_by(rows: list[dict]) -> list[dict]:
    """The rows that are news when they come."""
    kept: list[dict] = []
    for version in rows:
        same = [one for one in kept if one["magnitude"] == version["magnitude"]]
        counts = events_of(kept).get(version["event_id"])
        if not same or (counts["magnitude"] != version["magnitude"] and rank(version) > rank(counts)):
            kept.append(version)
    return kept


def as_meant(rows: list[dict], moment: datetime) -> list[tuple[str, float]]:
    last = events_of([version for version in stored_by(rows) if version["known_at"] <= moment]).values()
    return sorted({(version["event_id"], round(version["magnitude"], 2)) for version in last if version["status"] != "deleted"})


def as_stored(connection, moment: datetime) -> list[tuple[str, float]]:
    frame = read_events(connection, moment)
    return sorted(zip(frame["event_id"], frame["magnitude"].round(2), strict=True))


def as_believed(connection, as_of: datetime, moment: datetime) -> list[tuple[str, float]]:
    frame = read_versions(connection, as_of)
    frame = frame[(frame["known_at"] <= moment) & (frame["known_until"].isna() | (moment < frame["known_until"]))]
    return sorted(zip(frame["event_id"], frame["magnitude"].round(2), strict=True))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(history=histories)
def test_the_store_knows_at_every_moment_what_the_model_says_and_goes_on_saying_so(connection, history):
    rows, then = rows_of(history), {}
    connection.execute("BEGIN TRANSACTION")
    try:
        for version in rows:
            write_revisions(connection, revision_frame([version]))
            assert write_revisions(connection, revision_frame([version])).new == 0, "a second write of the same frame adds nothing"
            then[version["known_at"]] = as_stored(connection, version["known_at"])
        for minute in range(-1, len(history)):
            moment = T0 + timedelta(minutes=minute)
            meant = as_meant(rows, moment)
            assert as_stored(connection, moment) == then.get(moment, meant) == meant, minute
            for until in {moment, T0 + timedelta(minutes=len(history))}:
                assert as_believed(connection, until, moment) == meant, (until, minute)
    finally:
        connection.execute("ROLLBACK")
