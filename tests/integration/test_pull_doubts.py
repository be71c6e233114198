"""Answers that agree with themselves and are not believed, over real HTTP: empty, stale, of another back end, of another question.

A doubtful pull keeps what it read, moves no coverage, and says why; a good one afterwards heals everything.
"""

import json
from datetime import datetime, timedelta

import numpy as np
import pytest

from forecaster.errors import CatalogMalformed
from forecaster.pipeline.as_of.catalogue_history import load_known
from forecaster.pipeline.daily.pull_checks import LOST
from forecaster.store.database import Store
from forecaster.store.versions.same_event import REFUSED
from tests.support.pulls import DAY, FIRST, HOUR, SECOND, SNAPSHOT, event, history, known, pull, read_until
from tests.support.toys import dump, quake, table, write
from tests.support.usgs_bodies import collection
from tests.support.usgs_history import history_of
from tests.support.usgs_server import Fault, serve


def feature(
    event_id: str, time: datetime, updated: datetime, magnitude: float = 5.0, *, ids: tuple = (), at=(35.68, 139.77), **more
) -> dict:
    told = {"mag": magnitude, "place": "near Tokyo", "time": ms(time), "updated": ms(updated), "type": "earthquake", "status": "reviewed"}
    told |= {"ids": f",{','.join(ids or (event_id,))},", "net": event_id[:2], "code": event_id[2:], "magType": "mww", "sources": ",us,"}
    place = {"type": "Point", "coordinates": [at[1], at[0], 30.0]}
    return {"type": "Feature", "id": event_id, "properties": told | more, "geometry": place}


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def answers(server, *bodies: bytes) -> None:
    """What the next reads are answered with."""
    server.faults += [Fault("body", method="query", body=each) for each in bodies]


def asked_alone(server) -> list[str]:
    return [asked.parameters["eventid"] for asked in server.requests if "eventid" in asked.parameters]


def test_an_empty_answer_that_counts_nothing_is_not_believed(seeded):
    with serve(history(event("us_a", FIRST - HOUR), event("us_late", SECOND - HOUR)), FIRST) as server:
        pull(seeded, server, FIRST)
        before = dump(seeded, "fetch_log")
        answers(server, collection())
        empty = pull(seeded, server, SECOND)
        assert list(map(str, empty.doubts)) == ["2 events changed since 2023-12-31 23:20Z did not come back (us_far, us_a)"]
        assert str(empty.problem()).startswith("the service's answer looks incomplete: 2 events")
        assert dump(seeded, "fetch_log") == before and read_until(seeded) == FIRST
        good = pull(seeded, server, SECOND + HOUR)
    assert good.problem() is None and read_until(seeded) == SECOND + HOUR and "us_late" in known(seeded, SECOND + HOUR)


@pytest.mark.parametrize(("minutes", "believed"), [(2, True), (29, True), (31, False), (3 * 24 * 60, False)])
def test_an_answer_that_was_made_long_ago_is_an_old_copy_though_nothing_is_missing(seeded, minutes, believed):
    """After days without a good read a stale replica knows all that we know: only its own time gives it away."""

    def age(document: dict) -> None:
        document["metadata"]["generated"] -= minutes * 60_000

    with serve(history(event("us_a", FIRST - HOUR), event("us_late", SECOND - HOUR)), SECOND) as server:
        server.faults.append(Fault("edit", method="query", edit=age))
        if believed:
            assert pull(seeded, server, SECOND).problem() is None
        else:
            with pytest.raises(CatalogMalformed, match=r"an old copy, made 202[34]-\d\d-\d\d \d\d:\d\d and sent"):
                pull(seeded, server, SECOND)
            assert read_until(seeded) == SNAPSHOT


def test_an_old_replica_is_not_believed_and_what_it_says_undoes_nothing(seeded):
    rows = history(event("us_a", FIRST - 3 * HOUR, 5.0), event("us_a", FIRST - 3 * HOUR, 5.4, known_at=FIRST - HOUR))
    with serve(rows, FIRST) as server:
        pull(seeded, server, FIRST)
        old = history(event("us_a", FIRST - 3 * HOUR, 5.0))
        new, server.history = server.history, old
        stale = pull(seeded, server, SECOND)
        assert len(stale.doubts) == 1 and "us_a" in str(stale.doubts[0]) and asked_alone(server) == ["us_a"]
        assert known(seeded, SECOND)["us_a"] == 5.4 and read_until(seeded) == FIRST
        server.history = new
        assert pull(seeded, server, SECOND + HOUR).problem() is None


def test_a_back_end_that_lacks_one_event_and_has_newer_ones_is_not_believed(seeded):
    """As on 2023-10-23: a real M6.0 was missing, while the last rows were of minutes before. Asked alone, the other back end knows it."""
    rows = history(event("us_big", FIRST - HOUR, 6.1), event("us_new", SECOND - HOUR, 4.9))
    with serve(rows, FIRST) as server:
        pull(seeded, server, FIRST)
        far = feature("us_far", SNAPSHOT + HOUR, SNAPSHOT + HOUR + timedelta(minutes=20), 6.0, at=(-20.0, -175.0))
        answers(server, collection(far, feature("us_new", SECOND - HOUR, SECOND - HOUR, 4.9)))
        other = pull(seeded, server, SECOND)
        assert "us_big" in str(other.doubts[0]) and asked_alone(server) == ["us_big"]
        assert set(known(seeded, SECOND)) == {"us_far", "us_big", "us_new"}, "what it said is kept"
        assert read_until(seeded) == FIRST
        assert pull(seeded, server, SECOND + HOUR).problem() is None


def test_an_event_that_the_service_has_lost_without_a_word_doubts_for_two_days(seeded):
    """No deletion: it is kept. The second pull that asks for it in vain, 36 hours after the last good one, has been told before."""
    with serve(history(event("us_a", FIRST - HOUR)), FIRST) as server:
        pull(seeded, server, FIRST)
        server.history = history(event("us_b", SECOND))
        found = [pull(seeded, server, FIRST + hours * HOUR) for hours in (24, 30, 48, 72)]
    assert [bool(each.doubts) for each in found] == [True, True, False, False]
    assert [each.requests for each in found] == [2, 2, 2, 1], "once the coverage has moved on, it is not expected any more"
    assert found[2].quarantined == {LOST: 1} and found[3].problem() is None
    assert "us_a" in known(seeded, FIRST + 4 * DAY) and read_until(seeded) == FIRST + 3 * DAY


def test_many_lost_events_are_asked_for_twenty_at_a_time_and_doubt_until_all_were_twice(seeded):
    lost = [event(f"us_{n}", FIRST - HOUR - timedelta(minutes=n)) for n in range(30)]
    with serve(history(*lost), FIRST) as server:
        pull(seeded, server, FIRST)
        server.history = history(event("us_b", SECOND))
        days = [pull(seeded, server, FIRST + day * DAY) for day in range(1, 9)]
    assert [bool(day.doubts) for day in days] == [True] * 3 + [False] * 5
    assert [day.requests for day in days[:5]] == [1, 21, 21, 21, 1]
    assert read_until(seeded) == FIRST + 8 * DAY and len(known(seeded, FIRST + 8 * DAY)) == 32


def test_what_has_moved_out_of_the_question_or_under_another_id_is_no_doubt(seeded):
    """us_low is M2.0 now. us_old is nc_new now, whose row in the answer does not name it; asked for by its old id it does."""
    rows = history(event("us_low", FIRST - HOUR, 5.0), event("us_old", FIRST - HOUR, 5.2))
    with serve(rows, FIRST) as server:
        pull(seeded, server, FIRST)
        updated = FIRST + HOUR
        far = feature("us_far", SNAPSHOT + HOUR, SNAPSHOT + HOUR + timedelta(minutes=20), 6.0, at=(-20.0, -175.0))
        new = feature("nc_new", FIRST - HOUR, updated, 5.3)
        alone = {**new, "properties": new["properties"] | {"ids": ",nc_new,us_old,"}}
        answers(
            server, collection(far, new), json.dumps(alone).encode(), json.dumps(feature("us_low", FIRST - HOUR, updated, 2.0)).encode()
        )
        moved = pull(seeded, server, SECOND)
        assert asked_alone(server) == ["us_old", "us_low"] and moved.problem() is None
    assert known(seeded, SECOND) == {"us_far": 6.0, "nc_new": 5.3, "us_low": 2.0} and read_until(seeded) == SECOND


def test_a_row_that_could_not_be_read_is_not_asked_for_again(seeded):
    with serve(history(event("us_a", FIRST - HOUR)), FIRST) as server:
        pull(seeded, server, FIRST)
        server.faults.append(Fault("epoch_1970", times=99))
        assert pull(seeded, server, SECOND).doubts == [] and asked_alone(server) == []
    assert read_until(seeded) == FIRST


@pytest.fixture
def busy(seeded) -> Store:
    """With six events a day in the 365 days before the snapshot."""
    rng = np.random.default_rng(3)
    days = [(day, n) for day in range(1, 366) for n in range(6)]
    write(seeded, *(quake(f"us_{day}_{n}", SNAPSHOT - day * DAY + float(rng.uniform(0, 24)) * HOUR, 4.6) for day, n in days))
    return seeded


@pytest.mark.parametrize(
    ("days", "events", "believed"), [(5, 0, True), (9, 0, False), (30, 20, False), (30, 45, True)], ids=lambda value: str(value)
)
def test_silence_is_believed_as_long_as_the_earth_may_be_silent(busy, days, events, believed):
    """At 6 a day, of which 0.35 are counted upon: P(0 in 5 days) = exp(-10.5) = 3e-5, in 9 days 6e-9; P(20 or less in 30 days, where 63
    are) = 1e-10, P(45 or less) = 0.01. After a downtime of so long nothing stored must come back, so this is the only sign."""
    moment = SNAPSHOT + days * DAY
    rows = [event(f"us_n{n}", SNAPSHOT + (days * n / max(events, 1)) * DAY, 4.7) for n in range(events)]
    with serve(history_of([event("us_never", moment + DAY), *rows]), moment) as server:
        first = pull(busy, server, moment)
        expected = [] if believed else [f"{events} events of M >= {least}" for least in (4.5, 3.5)]
        assert [str(doubt).split(" since")[0] for doubt in first.doubts] == expected
        assert read_until(busy) == (moment if believed else SNAPSHOT)


def test_a_replica_that_stands_still_is_not_believed_after_two_days_of_nothing(busy):
    """At 12 a day: P(0 in 2 days) = exp(-8.4) = 2e-4; each day by itself, exp(-4.2) = 0.015, says nothing, and nothing is missing."""
    write(busy, *(quake(f"us_more_{n}", SNAPSHOT - n * DAY / 6, 4.6) for n in range(1, 6 * 365)))
    end = SNAPSHOT + 5 * DAY
    rows = [event(f"us_n{n}", SNAPSHOT + n * HOUR, 4.7) for n in range(5 * 24)]
    frozen = rows[:24]
    with serve(history_of([event("us_never", end + DAY), *frozen]), SNAPSHOT + DAY) as server:
        days = [pull(busy, server, SNAPSHOT + day * DAY) for day in range(1, 5)]
        assert [bool(day.doubts) for day in days] == [False, False, True, True]
        assert "0 events of M >= 4.5 since" in str(days[2].doubts[0]) and read_until(busy) == SNAPSHOT + 2 * DAY
        server.history = history_of([event("us_never", end + DAY), *rows])
        healed = pull(busy, server, end)
    assert healed.problem() is None and read_until(busy) == end and "us_n47" in known(busy, end)


def test_a_wrong_version_with_an_unchanged_stamp_goes_when_the_right_one_comes_back(seeded):
    """M5.0, then 7.0 with the same stamp, then 5.0 again: over the wire, as known at every moment."""
    with serve(history(event("us_a", FIRST - HOUR)), FIRST) as server:
        pull(seeded, server, FIRST)
        stamp = FIRST - HOUR + timedelta(minutes=20)
        far = feature("us_far", SNAPSHOT + HOUR, SNAPSHOT + HOUR + timedelta(minutes=20), 6.0, at=(-20.0, -175.0))
        answers(server, collection(far, feature("us_a", FIRST - HOUR, stamp, 7.0)))
        assert pull(seeded, server, SECOND).problem() is None
        assert pull(seeded, server, SECOND + HOUR).new_revisions == 2, "us_far said otherwise for a moment, too"
        assert pull(seeded, server, SECOND + 2 * HOUR).new_revisions == 0
    assert [known(seeded, moment)["us_a"] for moment in (SECOND - HOUR, SECOND, SECOND + HOUR)] == [5.0, 7.0, 5.0]


def test_a_wrong_version_with_a_later_stamp_goes_after_two_days(seeded):
    """The service itself goes back to what it said before. One answer alone could be a stale back end's."""
    with serve(history(event("us_a", FIRST - HOUR)), FIRST) as server:
        pull(seeded, server, FIRST)
        far = feature("us_far", SNAPSHOT + HOUR, SNAPSHOT + HOUR + timedelta(minutes=20), 6.0, at=(-20.0, -175.0))
        answers(server, collection(far, feature("us_a", FIRST - HOUR, FIRST + HOUR, 7.0)))
        pull(seeded, server, SECOND)
        found = [pull(seeded, server, SECOND + hours * HOUR) for hours in (24, 48, 72)]
    assert [bool(each.doubts) for each in found] == [True, False, False] and [each.overruled for each in found] == [0, 1, 0]
    assert [known(seeded, SECOND + day * DAY)["us_a"] for day in range(4)] == [7.0, 7.0, 5.0, 5.0]


def test_the_weekly_reading_brings_back_what_was_deleted_by_mistake(seeded):
    """Deleted with a later stamp; the service shows it again as it was before, which the changes do not tell."""
    old = {"updated": SNAPSHOT - 30 * DAY}
    with serve(history(event("us_a", FIRST - HOUR, **old), event("us_b", FIRST - HOUR, **old)), FIRST) as server:
        pull(seeded, server, FIRST)
        far = feature("us_far", SNAPSHOT + HOUR, SNAPSHOT + HOUR + timedelta(minutes=20), 6.0, at=(-20.0, -175.0))
        wrong = feature("us_b", FIRST - HOUR, SNAPSHOT + DAY, 7.0)
        answers(server, collection(far, feature("us_a", FIRST - HOUR, SNAPSHOT + DAY, status="deleted"), wrong))
        pull(seeded, server, SECOND)
        assert known(seeded, SECOND) == {"us_far": 6.0, "us_b": 7.0}
        weeks = [pull(seeded, server, FIRST + day * DAY) for day in range(2, 8)]
    reconciled = {name: count for name, count in (weeks[-1].reconciled or {}).items() if count}
    assert reconciled == {"alive again": 2}, "in both streams; us_b, which the changes should have brought, went back two days after"
    assert known(seeded, FIRST + 7 * DAY) == {"us_far": 6.0, "us_a": 5.0, "us_b": 5.0}


def test_an_event_that_the_service_parts_is_two_for_inputs_and_outcomes(seeded):
    """Its own names and places: two earthquakes 40 s and 44 km apart under one event, parted two hours later, then joined once more."""
    far = feature("us_far", SNAPSHOT + HOUR, SNAPSHOT + HOUR + timedelta(minutes=20), 6.0, at=(-20.0, -175.0))
    origin = FIRST - HOUR
    second = {"time": origin + timedelta(seconds=40), "magnitude": 5.9, "ids": ("us_y", "pt_z"), "at": (35.3, 139.77)}
    with serve(history(event("us_x", origin, 5.4)), FIRST) as server:
        pull(seeded, server, FIRST)
        answers(server, collection(far, feature("us_x", origin, FIRST, 5.4, ids=("us_x", "pt_z"))))
        pull(seeded, server, FIRST + HOUR)
        parted = feature("us_x", origin, FIRST + 2 * HOUR, 5.4), feature("us_y", updated=FIRST + 2 * HOUR, **second)
        answers(server, collection(far, *parted))
        pull(seeded, server, FIRST + 3 * HOUR)
        joined = feature("us_y", updated=FIRST + 4 * HOUR, **(second | {"ids": ("us_y", "us_x", "pt_z")}))
        answers(server, collection(joined))
        last = pull(seeded, server, FIRST + 5 * HOUR)
    assert [sorted(known(seeded, FIRST + hour * HOUR)) for hour in (1, 3, 5)] == [
        ["us_far", "us_x"],
        ["us_far", "us_x", "us_y"],
        ["us_far", "us_y"],
    ]
    parted_then = load_known(seeded, FIRST + 3 * HOUR)
    assert sorted(parted_then.inputs.magnitude[-2:]) == sorted(parted_then.events.magnitude[-2:]) == [5.4, 5.9]
    assert last.merged_events == 1 and last.problem() is None


def test_an_answer_whose_rows_all_name_each_other_joins_nothing_and_is_told(seeded):
    """Seventy events, an hour and half a degree from each other."""
    rows = [event(f"us_{n}", FIRST - (n + 1) * HOUR / 2, 5.0, latitude=n - 35.0) for n in range(70)]
    with serve(history(*rows), FIRST) as server:
        pull(seeded, server, FIRST)
        names = ("us_far", *(f"us_{n}" for n in range(70)))
        far = feature("us_far", SNAPSHOT + HOUR, FIRST, 6.0, ids=names, at=(-20.0, -175.0))
        wrong = [feature(f"us_{n}", FIRST - (n + 1) * HOUR / 2, FIRST, ids=(f"us_{n}", *names), at=(n - 35.0, 139.77)) for n in range(70)]
        answers(server, collection(far, *wrong))
        pulled = pull(seeded, server, SECOND)
    assert pulled.merged_events == 0 and len(known(seeded, SECOND)) == 71
    assert pulled.quarantined == {REFUSED: 70} and REFUSED in str(pulled.problem())
    assert set(table(seeded, "quarantine")["reason"]) == {REFUSED}
    assert read_until(seeded) == SECOND, "nothing is missing, so the day has been read"
