"""Pulls over real HTTP from the local event service into a real store."""

from datetime import UTC, datetime, timedelta

import pytest

from forecaster.catalog.coverage import covered_span
from forecaster.errors import CatalogError, CatalogMalformed, CatalogTruncated, CatalogUnreachable, QuakecastError
from forecaster.pipeline.as_of.bundled_catalogue import load_snapshot
from forecaster.pipeline.as_of.catalogue_history import load_known
from forecaster.pipeline.daily import pull as step
from forecaster.store.versions import catalogue
from forecaster.timewindow import to_us
from tests.support.pulls import DAY, FIRST, HOUR, SECOND, SNAPSHOT, event, history, known, pull, read_until
from tests.support.toys import cover, dump, table
from tests.support.usgs_history import slice_history
from tests.support.usgs_server import SLICE, Fault, serve


def test_the_first_pull_makes_two_reads_a_stream_and_the_next_ones_a_single_request(seeded):
    rows = history(
        event("us_new", FIRST - HOUR),
        event("us_o1", SNAPSHOT - 100 * DAY, 5.2, known_at=SNAPSHOT + DAY),
        event("us_quiet", SNAPSHOT - 50 * DAY, 5.0, known_at=SNAPSHOT - 49 * DAY),
    )
    with serve(rows, FIRST) as server:
        first = pull(seeded, server, FIRST)
        reads = [asked.parameters for asked in server.requests if asked.path.endswith("/query")]
        assert [("updatedafter" in read, "minlatitude" in read) for read in reads] == [
            (False, False),
            (True, False),
            (False, True),
            (True, True),
        ]
        assert [read["starttime"] for read in reads] == ["2024-01-01T00:00:00Z", "1973-01-01T00:00:00Z"] * 2
        assert {read.get("updatedafter") for read in reads} == {None, "2024-01-01T00:00:00Z"}
        assert first.requests == len(server.requests) == 8, "a count for each read"
        assert known(seeded, FIRST) == {"us_far": 6.0, "us_new": 5.0}, "what the snapshot should have held is not read again"
        with seeded.transaction() as connection:
            revised = catalogue.read_events(connection, FIRST).set_index("event_id")["magnitude"]
        assert revised["us_o1"] == 5.2
        assert read_until(seeded) == FIRST
        second = pull(seeded, server, SECOND)
        assert second.requests == len(server.requests) == 1
        asked = server.requests[0].parameters
        assert asked["updatedafter"] == "2023-12-31T23:20:00Z", "48 hours before the largest `updated` stored, 01-02 23:20"
        assert (asked["includedeleted"], asked["starttime"], asked["minmagnitude"]) == ("true", "1973-01-01T00:00:00Z", "3")
        assert read_until(seeded) == SECOND


def test_after_a_long_silence_changes_are_read_from_the_last_reading_on(seeded):
    """No event for ten days: `updated` stays old; what counts is then the older of the two."""
    with serve(history(), FIRST) as server:
        pull(seeded, server, FIRST)
        pull(seeded, server, FIRST + 6 * DAY)
        pull(seeded, server, FIRST + 6 * DAY + HOUR)
    assert server.requests[0].parameters["updatedafter"] == "2023-12-30T01:20:00Z"


def test_pulling_twice_changes_nothing(seeded):
    with serve(history(event("us_new", FIRST - HOUR)), FIRST) as server:
        pull(seeded, server, FIRST)
        before = dump(seeded, "fetch_log")
        assert pull(seeded, server, FIRST).new_revisions == 0
        assert dump(seeded, "fetch_log") == before
        again = pull(seeded, server, FIRST + HOUR)
        assert (again.new_revisions, again.merged_events) == (0, 0) and again.rows_read > 0
    after = dump(seeded, "fetch_log")
    assert {name for name in before if after[name] != before[name]} == {"coverage", "coverage_read"}


def test_an_id_change_a_revision_and_a_deletion_count_from_the_pull_that_saw_them(seeded):
    """The id change is that of the M7.0 of 2024-12-05 (us7000nw7b became nc75095651)."""
    rows = history(
        event("us7000nw7b", FIRST - HOUR, 7.0),
        event("nc75095651", FIRST - HOUR, 7.0, event="us7000nw7b", known_at=FIRST + HOUR),
        event("us_rev", FIRST - HOUR, 4.4),
        event("us_rev", FIRST - HOUR, 4.7, known_at=FIRST + HOUR),
        event("us_gone", FIRST - HOUR, 5.0),
        event("us_gone", FIRST - HOUR, 5.0, known_at=FIRST + HOUR, status="deleted"),
    )
    with serve(rows, FIRST) as server:
        server.blank_deleted = True
        pull(seeded, server, FIRST)
        pull(seeded, server, SECOND)
    first = {"us_far": 6.0, "us7000nw7b": 7.0, "us_rev": 4.4, "us_gone": 5.0}
    assert known(seeded, FIRST - timedelta(microseconds=1)) == {}
    assert known(seeded, FIRST) == known(seeded, SECOND - timedelta(microseconds=1)) == first
    assert known(seeded, SECOND) == {"us_far": 6.0, "nc75095651": 7.0, "us_rev": 4.7}


def test_an_event_revised_below_the_cut_is_no_target_any_more(seeded, recipes):
    """At Tonga only M >= 4.5 is read in full; the changes are read from M 3.0 on."""
    place = {"latitude": -20.0, "longitude": -174.5}
    rows = history(
        event("us_rev", FIRST - HOUR, 4.6, **place),
        event("us_rev", FIRST - HOUR, 4.3, known_at=FIRST + HOUR, **place),
        event("us_never", FIRST - HOUR, 4.3, known_at=FIRST + HOUR, **place),
    )
    with serve(rows, FIRST) as server:
        pull(seeded, server, FIRST)
        second = pull(seeded, server, SECOND)
    assert known(seeded, SECOND) == {"us_far": 6.0, "us_rev": 4.3}, "what was never above the cut is not stored"
    assert second.below_cut == 1
    assert len(load_known(seeded, SECOND).inputs.visible(to_us(SECOND))) == 3, "the two old ones and us_far"


def test_an_event_revised_above_the_cut_becomes_known_then(seeded):
    place = {"latitude": -20.0, "longitude": -174.5}
    rows = history(event("us_up", FIRST - HOUR, 4.4, **place), event("us_up", FIRST - HOUR, 4.5, known_at=FIRST + HOUR, **place))
    with serve(rows, FIRST) as server:
        pull(seeded, server, FIRST)
        assert "us_up" not in known(seeded, FIRST)
        pull(seeded, server, SECOND)
    assert known(seeded, SECOND)["us_up"] == 4.5 and "us_up" not in known(seeded, SECOND - HOUR)


FAULTS = [
    (Fault("cut", times=99), CatalogTruncated),
    (Fault("cut_gzip", times=99), CatalogTruncated),
    (Fault("html", times=99), CatalogMalformed),
    (Fault("empty", times=99), CatalogMalformed),
    (Fault("status", times=99, status=500), CatalogUnreachable),
    (Fault("status", times=99, status=400), CatalogError),
    (Fault("disconnect", times=99), CatalogUnreachable),
]


@pytest.mark.parametrize(("fault", "error", "first"), [(*one, number % 2 == 0) for number, one in enumerate(FAULTS)])
def test_a_failed_pull_leaves_the_store_as_it_was(seeded, fault, error, first):
    with serve(history(event("us_new", FIRST - HOUR), event("us_late", SECOND - HOUR)), FIRST) as server:
        if not first:
            pull(seeded, server, FIRST)
        before = dump(seeded, "fetch_log")
        server.faults.append(Fault(fault.kind, times=99, status=fault.status, skip=3 if first else 0))  # the first read is good
        with pytest.raises(QuakecastError) as raised:
            pull(seeded, server, SECOND)
        assert isinstance(raised.value, error) and "\n" not in str(raised.value) and server.url in str(raised.value)
        assert dump(seeded, "fetch_log") == before
        log = table(seeded, "fetch_log")
        assert len(log[log["requested_at"] == SECOND]) == len(server.requests), "every request is in the log, also of a failed pull"
        server.faults.clear()
        pull(seeded, server, SECOND)
    assert {"us_new", "us_late"} <= set(known(seeded, SECOND))


def test_a_refused_connection_is_one_line_and_changes_nothing(seeded):
    with serve(history(), FIRST) as server:
        gone = server.url
    before = dump(seeded, "fetch_log")
    with pytest.raises(CatalogUnreachable) as raised:
        pull(seeded, server, FIRST, url=gone)
    assert "\n" not in str(raised.value) and "refused" in str(raised.value)
    assert dump(seeded, "fetch_log") == before


@pytest.mark.parametrize("first", [True, False], ids=["first pull", "daily pull"])
def test_rows_of_1970_are_kept_aside_and_prove_no_coverage(seeded, first):
    """As on 2024-10-07: the rows may be the day's events, so the day has not been read."""
    with serve(history(event("us_new", SECOND - HOUR)), FIRST) as server:
        if not first:
            pull(seeded, server, FIRST)
        covered, before = read_until(seeded), dump(seeded, "fetch_log", "quarantine")
        server.faults.append(Fault("epoch_1970", times=99))
        result = pull(seeded, server, SECOND)
        assert set(result.quarantined) == {"origin time is 1970-01-01"} and result.new_revisions == 0
        assert len(table(seeded, "quarantine")) == 2
        assert read_until(seeded) == covered and dump(seeded, "fetch_log", "quarantine") == before
        assert pull(seeded, server, SECOND).quarantined == result.quarantined
        assert len(table(seeded, "quarantine")) == 2, "the same row is kept once"
        server.faults.clear()
        assert pull(seeded, server, SECOND).quarantined == {}
    assert read_until(seeded) == SECOND and "us_new" in known(seeded, SECOND)


def test_a_row_that_one_answer_lacks_is_no_deletion(seeded):
    """As on 2023-10-23, when two back ends alternated."""
    rows = history(event("us_new", FIRST - HOUR), event("us_new", FIRST - HOUR, 5.1, known_at=FIRST + HOUR))
    with serve(rows, FIRST) as server:
        pull(seeded, server, FIRST)
        server.faults.append(Fault("missing", times=99, rows=2))
        pull(seeded, server, SECOND)
        assert known(seeded, SECOND) == {"us_far": 6.0, "us_new": 5.1}, "asked for one by one"
        assert known(seeded, SECOND - HOUR) == {"us_far": 6.0, "us_new": 5.0} and read_until(seeded) == FIRST
        server.faults.clear()
        assert pull(seeded, server, SECOND + HOUR).problem() is None
    assert read_until(seeded) == SECOND + HOUR, "48 hours of overlap bring it back"


def test_what_the_changes_do_not_show_is_asked_for_one_by_one(seeded):
    """A deletion and a revision far below the cut whose `updated` did not move are invisible to `updatedafter`."""
    old = {"updated": SNAPSHOT - 30 * DAY}
    rows = history(
        event("us_gone", FIRST - HOUR, 5.0),
        event("us_gone", FIRST - HOUR, 5.0, known_at=FIRST + HOUR, status="deleted", **old),
        event("us_low", FIRST - HOUR, 5.0),
        event("us_low", FIRST - HOUR, 2.0, known_at=FIRST + HOUR, updated=FIRST + HOUR),
        event("us_stays", FIRST - HOUR, 5.0),
    )
    with serve(rows, FIRST) as server:
        pull(seeded, server, FIRST)
        second = pull(seeded, server, SECOND)
        assert (second.requests, second.problem()) == (3, None) and read_until(seeded) == SECOND
        assert known(seeded, SECOND) == {"us_far": 6.0, "us_stays": 5.0, "us_low": 2.0}
        assert {"us_gone", "us_low"} <= set(known(seeded, SECOND - HOUR)), "they were known until then"
        assert pull(seeded, server, SECOND + HOUR).requests == 1


def test_the_weekly_reading_finds_what_the_changes_missed(seeded):
    """The same, of events that were last changed before what two readings have in common."""
    old = {"updated": SNAPSHOT - 30 * DAY}
    rows = history(
        event("us_gone", FIRST - HOUR, 5.0, **old),
        event("us_gone", FIRST - HOUR, 5.0, known_at=FIRST + HOUR, status="deleted", **old),
        event("us_low", FIRST - HOUR, 5.0, **old),
        event("us_low", FIRST - HOUR, 2.0, known_at=FIRST + HOUR, updated=FIRST + HOUR),
        event("us_stays", FIRST - HOUR, 5.0),
    )
    with serve(rows, FIRST) as server:
        pull(seeded, server, FIRST)
        for day in range(1, 7):
            assert pull(seeded, server, FIRST + day * DAY).reconciled is None
        assert {"us_gone", "us_low"} <= set(known(seeded, FIRST + 6 * DAY))
        week = pull(seeded, server, FIRST + 7 * DAY)
        assert week.reconciled is not None and {name: count for name, count in week.reconciled.items() if count} == {
            "missing": 4,
            "deleted": 2,
            "changed": 2,
        }, "each in both streams"
        assert known(seeded, FIRST + 7 * DAY) == {"us_far": 6.0, "us_stays": 5.0, "us_low": 2.0}
        assert {"us_gone", "us_low"} <= set(known(seeded, FIRST + 6 * DAY)), "they were known until then"
        assert pull(seeded, server, FIRST + 8 * DAY).reconciled is None
        assert pull(seeded, server, FIRST + 14 * DAY).reconciled == dict.fromkeys(week.reconciled, 0)


def test_a_stale_back_end_in_the_weekly_reading_deletes_nothing(seeded):
    with serve(history(event("us_new", FIRST - HOUR)), FIRST) as server:
        pull(seeded, server, FIRST)
        server.faults.append(Fault("missing", times=99, rows=1))
        week = pull(seeded, server, FIRST + 7 * DAY)
    assert week.reconciled is not None and week.reconciled["missing"] == 2 and week.reconciled["deleted"] == 0
    assert known(seeded, FIRST + 7 * DAY) == {"us_far": 6.0, "us_new": 5.0}


def test_an_event_that_cannot_be_read_alone_is_unexplained_and_does_not_stop_the_pull(seeded):
    """The answers lack us_low (M2.0 now); asked for by its id, the service sends a row of 1970."""
    rows = history(event("us_low", FIRST - HOUR, 5.0), event("us_low", FIRST - HOUR, 2.0, known_at=FIRST + HOUR))
    with serve(rows, FIRST) as server:
        pull(seeded, server, FIRST)
        server.faults += [Fault("epoch_1970", method="query", skip=skip) for skip in (1, 2, 3)]  # alone; the world passes; alone; Japan ...
        week = pull(seeded, server, FIRST + 7 * DAY)
        assert [asked.parameters["eventid"] for asked in server.requests if "eventid" in asked.parameters] == ["us_low"] * 3
        assert week.reconciled is not None and (week.reconciled["missing"], week.reconciled["unexplained"]) == (2, 2)
        assert known(seeded, FIRST + 7 * DAY)["us_low"] == 5.0
        assert "us_low" in str(week.problem()) and read_until(seeded) == FIRST
        assert pull(seeded, server, FIRST + 7 * DAY + HOUR).problem() is None
    assert known(seeded, FIRST + 7 * DAY + HOUR)["us_low"] == 2.0 and read_until(seeded) == FIRST + 7 * DAY + HOUR


def test_a_recipe_below_the_common_cut_gets_a_stream_of_its_own(seeded, recipes):
    """Niigata is M >= 3.0, the common stream of Japan M >= 3.5."""
    niigata = recipes["niigata"]
    place = {"latitude": 37.9, "longitude": 139.0}
    rows = history(
        event("us_low", FIRST - HOUR, 3.1, **place), event("us_lower", FIRST - HOUR, 2.9, **place), event("us_out", FIRST - HOUR, 3.1)
    )
    with serve(rows, FIRST) as server:
        pull(seeded, server, FIRST, recipes=[niigata])
        assert set(known(seeded, FIRST)) == {"us_far", "us_low"}
        span = covered_span(niigata, load_known(seeded, FIRST).coverage)
        assert (span.start, span.end) == (step.CATALOGUE_START, FIRST)
        assert len(load_known(seeded, FIRST).inputs) == 3, "inputs are cut to the common streams"
        assert pull(seeded, server, SECOND, recipes=[niigata]).requests == 2


def test_real_events_pulled_again_and_again_end_in_what_the_service_knows(store):
    """The bundled slice of the real catalogue, pulled on four days: at each one the store holds what the service shows."""
    known_by = datetime(2023, 12, 25, tzinfo=UTC)
    real = slice_history(SLICE)
    cover(store, known_by, start=datetime(1973, 1, 1, tzinfo=UTC), source="snapshot")
    with serve(real, known_by) as server:
        for day in (1, 2, 5, 8):
            moment = known_by + day * DAY
            result = pull(store, server, moment)
            assert result.requests <= (8 if day == 1 else 2) + (6 if day == 8 else 0) and result.problem() is None
            shown = real.versions[real.current(int(moment.timestamp() * 1e6))]
            shown = shown[(shown["time_us"] >= known_by.timestamp() * 1e6) & (shown["mag"] >= 4.5)]
            with store.transaction() as connection:
                held = catalogue.read_events(connection, moment)
            held = held[(held["origin_time"] >= known_by) & (held["magnitude"] >= 4.5)]
            assert sorted(held["event_id"]) == sorted(shown["id"]) and len(held) > 0
    assert held["magnitude"].max() >= 7.5, "the Noto earthquake of 2024-01-01, M7.5"


def test_the_snapshot_is_loaded_once_and_only_what_was_known_by_then(store, tmp_path, monkeypatch):
    """An M7 is known at once; of forty M3.6 of the day before some are known a day later, the others after weeks."""
    import duckdb

    file, known_by = tmp_path / "snapshot.parquet", datetime(2023, 12, 25, tzinfo=UTC)
    duckdb.sql(
        "COPY (SELECT 'us' || i AS event_id, epoch_ms(TIMESTAMP '2023-12-24 00:00:00') AS origin_time_ms, 35.7 AS latitude_deg, "
        "139.8 AS longitude_deg, 30.0 AS depth_km, CASE WHEN i = 0 THEN 7.0 ELSE 3.6 END AS magnitude, 'mb' AS magnitude_type, "
        f"'a place' AS place FROM range(41) t(i)) TO '{file}' (FORMAT parquet)"
    )
    monkeypatch.setattr("forecaster.catalog.snapshot.snapshot_path", lambda: file)
    loaded = load_snapshot(store, known_by)
    held = known(store, known_by)
    assert held["us0"] == 7.0 and 1 < loaded == len(held) < 41 and read_until(store) == known_by
    assert table(store, "event_revision")["known_at"].max() <= known_by
    before = dump(store)
    assert load_snapshot(store, known_by) == load_snapshot(store) == 0
    assert dump(store) == before
