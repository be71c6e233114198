"""Identity, revisions and as-of. All rows are hand-made toys but for the id change of 2024-12-05 (ids and times as recorded)."""

from datetime import UTC, datetime

import pandas as pd
import pytest

from forecaster.catalog.revisions import revision_frame
from forecaster.errors import NotWritable
from forecaster.store.database import Store
from forecaster.store.versions import catalogue
from forecaster.store.versions.catalogue import read_events, write_revisions
from forecaster.store.versions.same_event import REFUSED

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
    write(store, version("c1", 30, ids=["c1", "b1", "a1"], magnitude=7.2))
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


def magnitudes(store: Store, minute: int) -> list[float]:
    return sorted(known(store, minute)["magnitude"])


def seen_again(row: dict, minute: int) -> dict:
    return {**row, "observed_at": at(minute), "known_at": at(minute)}


def deletion(event_id: str, seen: int, *, ids: list[str] | None = None, updated: int | None = None) -> dict:
    """As the service sends one without a place, and without a stamp where it was asked for by its id."""
    told = {"event_id": event_id, "ids": ids or [event_id], "status": "deleted", "known_at_source": "observed", "source": "usgs"}
    return told | {"updated_at": None if updated is None else at(updated), "observed_at": at(seen), "known_at": at(seen)}


def test_a_version_that_comes_back_counts_again_where_another_had_the_same_stamp(store):
    """M 5.0, a corrupt M 7.0 with the same stamp, M 5.0 three times. Each was believed from when it came."""
    good = version("us1", 5, magnitude=5.0, updated=4)
    write(store, good)
    write(store, version("us1", 10, magnitude=7.0, updated=4))
    assert [write(store, seen_again(good, minute)).new for minute in (20, 30, 40)] == [1, 0, 0]
    assert [magnitudes(store, minute) for minute in (9, 10, 19, 20, 50)] == [[5.0], [7.0], [7.0], [5.0], [5.0]]


@pytest.mark.parametrize("updated", [4, None], ids=["with the same stamp", "without a stamp"])
def test_what_was_said_to_be_deleted_and_is_there_again_is_alive(store, updated):
    alive = version("us1", 5, updated=4)
    write(store, alive)
    write(store, deletion("us1", 10, updated=updated))
    assert write(store, deletion("us1", 12, updated=updated)).new == 0
    write(store, seen_again(alive, 20))
    assert [len(known(store, minute)) for minute in (9, 10, 19, 20)] == [1, 0, 0, 1]


def test_what_was_deleted_later_is_not_undone_by_a_back_end_that_does_not_know_it(store):
    alive = version("us1", 5, updated=4)
    write(store, alive)
    write(store, deletion("us1", 10, updated=9))
    assert write(store, seen_again(alive, 20)).new == 0 and known(store, 20).empty


def test_a_stamp_of_the_future_does_not_outlive_what_comes_later(store):
    """Years ahead; stored before such rows were refused."""
    write(store, version("us1", 5, magnitude=8.0, updated=3_000_000))
    write(store, version("us1", 10, magnitude=5.0))
    assert magnitudes(store, 10) == [5.0]
    write(store, deletion("us1", 20, updated=20))
    assert known(store, 20).empty


def test_the_deletion_of_a_former_id_leaves_the_event_and_that_of_the_present_one_does_not(store):
    write(store, version("us1", 5), version("us2", 5, magnitude=5.0))
    write(store, version("nc1", 10, ids=["nc1", "us1"]))
    write(store, deletion("us1", 20, ids=["us1", "nc1"], updated=20))
    assert known(store, 20)["event_id"].tolist() == ["nc1", "us2"]
    write(store, deletion("nc1", 30))
    assert known(store, 30)["event_id"].tolist() == ["us2"], "without a word on us1, which nc1 had taken up"


def test_an_event_is_split_joined_and_split_again(store):
    """The second one has an id that the first had; each part goes on under its own name."""
    east = {"longitude_deg": -124.6, "magnitude": 5.9}
    write(store, version("us1", 5, ids=["us1", "pt1"], magnitude=5.4))
    write(store, version("us1", 10, magnitude=5.4), version("us2", 10, ids=["us2", "pt1"]) | east)
    write(store, version("us1", 20, ids=["us1", "us2", "pt1"], magnitude=5.8))
    parted = write(store, version("us1", 30, magnitude=5.4), version("us2", 30, ids=["us2", "pt1"]) | east)
    assert parted.parted_events == 1
    write(store, version("us2", 40, ids=["us2", "pt1"]) | east | {"magnitude": 6.0})
    expected = {9: [5.4], 10: [5.4, 5.9], 19: [5.4, 5.9], 20: [5.8], 29: [5.8], 30: [5.4, 5.9], 40: [5.4, 6.0]}
    assert {minute: magnitudes(store, minute) for minute in expected} == expected
    with store.transaction() as connection:
        rows = connection.execute("SELECT event_id, versions FROM v_event ORDER BY 1").fetchall()
    assert rows == [("us1", 4), ("us2", 3)]


def test_an_answer_that_makes_seventy_events_one_is_refused_and_a_real_join_beside_it_is_not(store):
    """Each 1 degree and one hour from the next, but for the last two, which are 40 s and 44 km apart; each row names all of them."""
    rows = [version(f"us{n}", 5, magnitude=5.0) | {"latitude_deg": n - 35.0, "origin_time": T0 - pd.Timedelta(hours=n)} for n in range(70)]
    near = {"latitude_deg": rows[-1]["latitude_deg"] + 0.4, "origin_time": rows[-1]["origin_time"] + pd.Timedelta(seconds=40)}
    rows.append(version("us70", 5, magnitude=5.0) | near)
    write(store, *rows)
    wrong = [{**row, "ids": [row["event_id"], *(other["event_id"] for other in rows)]} for row in rows]
    count = write(store, *(seen_again(row, 10) | {"updated_at": at(9)} for row in wrong))
    assert len(known(store, 10)) == 70 and count.merged_events == 1
    assert set(count.refused["reason"]) == {REFUSED} and len(count.refused) == 70
    write(store, *(seen_again(row, 20) | {"updated_at": at(15)} for row in rows))
    assert [len(known(store, minute)) for minute in (9, 10, 20)] == [71, 70, 71], "a good answer undoes what the wrong one joined"


def test_the_same_seventy_come_apart_when_the_good_answer_has_the_same_stamps(store):
    near = [{"latitude_deg": 40.0 + n / 100, "origin_time": T0 + pd.Timedelta(seconds=n)} for n in range(70)]
    rows = [version(f"us{n}", 5, magnitude=5.0 + n / 100) | place for n, place in enumerate(near)]
    write(store, *rows)
    write(store, *({**seen_again(row, 10), "ids": [row["event_id"], *(other["event_id"] for other in rows)]} for row in rows))
    assert len(known(store, 10)) == 1
    write(store, *(seen_again(row, 20) for row in rows))
    assert [len(known(store, minute)) for minute in (9, 10, 20)] == [70, 1, 70]


def test_two_solutions_that_share_a_contributor_are_one_where_the_service_would_say_so(store):
    write(store, version("us1", 5, ids=["us1", "pt1"]))
    write(store, version("nc1", 10, ids=["nc1", "pt1"]))
    assert known(store, 10)["event_id"].tolist() == ["nc1"]
    write(store, version("ak1", 20, ids=["ak1", "pt1"]) | {"latitude_deg": 42.0})
    assert known(store, 20)["event_id"].tolist() == ["ak1", "nc1"], "more than 100 km from them"


def test_what_overrules_a_later_stamp_counts_from_then_on(store):
    """The weekly reading finds that the service has gone back to an older version, and stays with it."""
    good = version("us1", 5, magnitude=5.0, updated=4)
    write(store, good)
    write(store, version("us1", 10, magnitude=7.0, updated=9))
    with store.transaction() as connection:
        again = revision_frame([seen_again(good, 20)])
        assert [write_revisions(connection, again, overruling=True).new for _ in range(2)] == [1, 0]
    assert [magnitudes(store, minute) for minute in (10, 19, 20)] == [[7.0], [7.0], [5.0]]
    write(store, version("us1", 30, magnitude=5.1))
    assert magnitudes(store, 30) == [5.1]


def test_a_full_disk_is_told_as_such_and_nothing_is_stored(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen to fail: another statement in the ended transaction, whose own error hid this one."""
    with monkeypatch.context() as patch:
        patch.setattr(catalogue, "_CONTENT", ("error('no space left on device')",))
        with pytest.raises(NotWritable, match="free some space"), store.transaction() as connection:
            write_revisions(connection, revision_frame([version("us1", 0)]))
    with store.transaction() as connection:
        assert write_revisions(connection, revision_frame([version("us1", 0)])).new == 1
