"""Identity, revisions and as-of. All rows are hand-made toys but for the id change of 2024-12-05 (ids and times as recorded)."""

from datetime import UTC, datetime

import pandas as pd
import pytest

from forecaster.catalog.revisions import revision_frame
from forecaster.store.catalogue import read_events, write_revisions
from forecaster.store.database import Store, open_store

T0 = datetime(2024, 12, 5, 18, 44, tzinfo=UTC)


def at(minute: int) -> datetime:
    return T0 + pd.Timedelta(minutes=minute)


def version(
    event_id: str, seen: int, *, ids: list[str] | None = None, magnitude: float = 7.0, status: str = "reviewed", updated: int | None = None
):
    return {
        "event_id": event_id,
        "ids": ids or [event_id],
        "origin_time": T0,
        "latitude_deg": 40.37,
        "longitude_deg": -125.02,
        "depth_km": 10.0,
        "magnitude": magnitude,
        "magnitude_type": "mw",
        "event_type": "earthquake",
        "status": status,
        "net": event_id[:2],
        "place": "off the coast",
        "updated_at": at(seen if updated is None else updated),
        "observed_at": at(seen),
        "known_at": at(seen),
        "known_at_source": "observed",
        "source": "usgs",
    }


@pytest.fixture
def store(tmp_path) -> Store:
    return open_store(tmp_path / "quakecast.duckdb")


def write(store: Store, *rows: dict):
    with store.transaction() as connection:
        return write_revisions(connection, revision_frame(list(rows)))


def known(store: Store, minute: int) -> pd.DataFrame:
    with store.transaction() as connection:
        return read_events(connection, at(minute))


def test_writing_the_same_versions_twice_changes_nothing(store):
    rows = [version("us1", 5), version("us2", 6, magnitude=5.0)]
    assert write(store, *rows).new == 2
    later = [{**row, "observed_at": at(90), "known_at": at(90)} for row in rows]
    again = write(store, *later)
    assert (again.new, again.unchanged) == (0, 2)
    assert len(known(store, 10)) == 2, "seeing it again later must not make it unknown before"


def test_a_revised_magnitude_counts_from_when_it_was_known(store):
    write(store, version("us1", 5, magnitude=4.4))
    write(store, version("us1", 50, magnitude=4.6))
    assert known(store, 4).empty
    assert known(store, 49)["magnitude"].tolist() == [4.4]
    assert known(store, 50)["magnitude"].tolist() == [4.6]


def test_an_older_version_seen_later_does_not_win(store):
    """Two back ends alternated on 2023-10-23: what was updated last counts, not what was seen last."""
    write(store, version("us1", 50, magnitude=6.0, updated=45))
    write(store, version("us1", 60, magnitude=5.5, updated=20))
    assert known(store, 70)["magnitude"].tolist() == [6.0]


def test_an_id_change_leaves_one_event(store):
    write(store, version("us7000nw7b", 5))
    write(store, version("nc75095651", 40, ids=["us7000nw7b", "nc75095651"]))
    assert known(store, 39)["event_id"].tolist() == ["us7000nw7b"]
    assert known(store, 40)["event_id"].tolist() == ["nc75095651"]
    assert known(store, 41)["known_at"].tolist() == [at(5)], "the event was first known under its first id"


def test_two_events_that_turn_out_to_be_one_are_merged_from_then_on(store):
    write(store, version("us1", 5), version("nc1", 6))
    count = write(store, version("us1", 40, ids=["us1", "nc1"]))
    assert count.merged_events == 1
    assert len(known(store, 39)) == 2
    assert len(known(store, 40)) == 1


def test_a_chain_of_merges_ends_in_one_event(store):
    write(store, version("a1", 1), version("b1", 2), version("c1", 3))
    write(store, version("b1", 10, ids=["b1", "c1"]))
    write(store, version("a1", 20, ids=["a1", "b1"]))
    assert [len(known(store, minute)) for minute in (9, 10, 20)] == [3, 2, 1]
    write(store, version("c1", 30, magnitude=7.2))
    assert known(store, 30)["magnitude"].tolist() == [7.2]


def test_merging_inside_one_frame(store):
    write(store, version("a1", 1), version("b1", 2), version("b1", 3, ids=["b1", "a1"]))
    assert len(known(store, 5)) == 1


def test_a_deletion_counts_from_when_it_was_known_and_absence_is_no_deletion(store):
    write(store, version("us1", 5), version("us2", 5, magnitude=5.0))
    write(store, version("us2", 10, magnitude=5.1))
    gone = {"event_id": "us1", "ids": ["us1"], "status": "deleted", "updated_at": at(20), "observed_at": at(20), "known_at": at(20)}
    write(store, {**gone, "known_at_source": "observed", "source": "usgs"})
    assert len(known(store, 19)) == 2
    assert known(store, 20)["event_id"].tolist() == ["us2"]


def test_missing_magnitudes_and_quarry_blasts_are_kept_but_are_no_earthquakes(store):
    write(store, version("us1", 5, magnitude=float("nan")), {**version("us2", 5), "event_type": "quarry blast"})
    assert known(store, 10).empty
    with store.transaction() as connection:
        assert connection.execute("SELECT count(*) FROM event").fetchone() == (2,)


def test_an_error_inside_a_transaction_leaves_nothing(store):
    with pytest.raises(RuntimeError), store.transaction() as connection:
        write_revisions(connection, revision_frame([version("us1", 5)]))
        raise RuntimeError
    assert known(store, 10).empty
