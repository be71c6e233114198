"""What SQL alone decides about plain versions, against the same answers processed one version at a time, on drawn answers of six ids."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecaster.catalog.revisions import revision_frame
from forecaster.store.migrating import make_current
from forecaster.store.versions import identity
from forecaster.store.versions.catalogue import write_revisions

T0 = datetime(2024, 1, 1, tzinfo=UTC)
ids = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=3, unique=True)
version = st.fixed_dictionaries(
    {
        "ids": ids,
        "status": st.sampled_from(["reviewed", "reviewed", "reviewed", "deleted", "deleted without a stamp"]),
        "age": st.integers(0, 2),
        "magnitude": st.sampled_from([5.0, 5.1]),
        "longitude": st.sampled_from([0.0, 0.0, 0.0, 9.0]),
        "wait": st.sampled_from([0, 0, 0, 1]),
    }
)
answers = st.lists(
    st.tuples(st.lists(version, min_size=1, max_size=4), st.sampled_from([False, False, False, True])), min_size=2, max_size=4
)
TABLES = ("event_revision ORDER BY rowid", "event_merge ORDER BY rowid", "event_id_map ORDER BY id")


@contextmanager
def empty_store():
    made = duckdb.connect()
    made.execute("SET TimeZone = 'UTC'")
    make_current(made)
    made.execute("BEGIN TRANSACTION")
    yield made
    made.close()


@pytest.fixture(scope="module")
def connection():
    with empty_store() as made:
        made.execute("COMMIT")
        yield made


def row(minute: int, drawn: dict) -> dict:
    seen = T0 + timedelta(minutes=minute + drawn["wait"])
    unstamped = drawn["status"] == "deleted without a stamp"
    return {
        "event_id": drawn["ids"][0],
        "ids": sorted(drawn["ids"]),
        "origin_time": T0,
        "latitude_deg": 0.0,
        "longitude_deg": drawn["longitude"],
        "magnitude": drawn["magnitude"],
        "event_type": "earthquake",
        "status": drawn["status"].split()[0],
        "updated_at": None if unstamped else T0 + timedelta(minutes=minute - drawn["age"]),
        "observed_at": seen,
        "known_at": seen,
        "known_at_source": "observed",
        "source": "usgs",
    }


def stored_after(connection, drawn: list) -> list:
    """What the writes say, and all rows of the three tables."""
    connection.execute("BEGIN TRANSACTION")
    try:
        said = []
        for minute, (versions, overruling) in enumerate(drawn):
            count = write_revisions(connection, revision_frame([row(minute, one) for one in versions]), overruling)
            said.append((count.new, count.unchanged, count.merged_events, count.parted_events, sorted(count.refused["raw"])))
        return [said, *([str(one) for one in connection.execute(f"FROM {table}").fetchall()] for table in TABLES)]
    finally:
        connection.execute("ROLLBACK")


@settings(max_examples=15, deadline=None, derandomize=True)
@given(drawn=answers)
def test_plain_versions_are_stored_as_if_processed_one_by_one(connection, drawn):
    ours = stored_after(connection, drawn)
    with pytest.MonkeyPatch.context() as patched:
        find = identity.find_plain
        patched.setattr(identity, "find_plain", lambda connection, overruling: find(connection, True))
        assert ours == stored_after(connection, drawn)


def test_new_events_further_versions_and_repeats_need_no_processing_one_by_one(connection, monkeypatch):
    def never(*given):
        raise AssertionError("processed one by one")

    def plain(ids: str, magnitude: float = 5.0) -> dict:
        return {"ids": list(ids), "status": "reviewed", "age": 0, "magnitude": magnitude, "longitude": 0.0, "wait": 0}

    monkeypatch.setattr(identity, "_one_by_one", never)
    said, _, merges, names = stored_after(
        connection,
        [([plain("a"), plain("bc"), plain("d")], False), ([plain("a", 5.1), plain("bce", 5.1), plain("f")], False)],
    )
    assert [count[:2] for count in said] == [(3, 0), (3, 0)]
    assert (merges, names) == ([], [str((one, key)) for one, key in zip("abcdef", "abbdbf", strict=True)])


def test_an_older_version_seen_late_takes_no_id(connection):
    """The newest version of d lists b, which proved to be another event; the late version lists a, and not b."""
    base = {"status": "reviewed", "magnitude": 5.0, "longitude": 0.0, "wait": 0}
    history = [("db", 0), ("b", 0), ("da", 3)]
    *_, names = stored_after(connection, [([base | {"ids": list(ids), "age": age}], False) for ids, age in history])
    assert names == [str(("b", "b")), str(("d", "d"))]
