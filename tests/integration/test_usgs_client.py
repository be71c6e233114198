"""The client against the local server, over real HTTP.

Times are worked by hand: the little catalogue has an event on every bound that a wrong comparison would lose or double.
Waits are recorded, not slept: `Waits` is a clock that moves only when the client sleeps.
"""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from forecaster.catalog.query import Query, Region
from forecaster.catalog.sources.usgs import UsgsClient
from forecaster.errors import (
    BadDate,
    BadInput,
    CatalogMalformed,
    CatalogRefused,
    CatalogTruncated,
    CatalogUnreachable,
)
from tests.support.usgs_clients import Waits
from tests.support.usgs_history import event, history_of
from tests.support.usgs_server import Fault, serve

NOW = datetime(2024, 1, 10, 12, tzinfo=UTC)
START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 3, tzinfo=UTC)
FORMATS = ("csv", "geojson")


def ms(**amount: float) -> timedelta:
    return timedelta(**amount)


ON_THE_BOUNDS = [
    event("us_before", START - ms(milliseconds=1)),
    event("us_start", START),
    event("us_noon", START + ms(hours=12)),
    event("us_middle", START + ms(days=1)),
    event("us_last_999", END - ms(milliseconds=1)),
    event("us_end", END),
    event("us_after", END + ms(milliseconds=1)),
]


@pytest.fixture
def waits():
    return Waits()


@pytest.fixture
def server():
    with serve(history_of(ON_THE_BOUNDS), NOW) as running:
        yield running


@pytest.fixture
def client(server, waits):
    return new_client(server, waits)


def new_client(server, waits, **options):
    options = {"rng": np.random.default_rng(1), "sleep": waits.sleep, "monotonic": waits.monotonic} | options
    return UsgsClient(server.url, "quake@example.org", clock=lambda: server.clock, **options)


def ids_of(result) -> list[str]:
    return sorted(result.revisions["event_id"])


def query(**changes) -> Query:
    return Query(**({"start": START, "end": END, "min_magnitude": 4.0} | changes))


@pytest.mark.parametrize("fmt", FORMATS)
def test_half_open_window_keeps_the_start_and_the_last_999_ms_and_drops_the_end(client, fmt):
    result = client.read_span(query(), fmt)
    assert ids_of(result) == ["us_last_999", "us_middle", "us_noon", "us_start"]
    assert result.counted == 5  # the service counts us_end, too: its bounds are inclusive
    assert result.requests == len(result.fetch_log) == 2
    assert result.revisions["origin_time"].is_monotonic_increasing


@pytest.mark.parametrize("fmt", FORMATS)
def test_neighbouring_windows_share_no_event_and_lose_none(client, fmt):
    first = client.read_span(query(end=START + ms(days=1)), fmt)
    second = client.read_span(query(start=START + ms(days=1)), fmt)
    assert sorted(ids_of(first) + ids_of(second)) == ids_of(client.read_span(query(), fmt))


def test_bounds_within_a_second_are_widened_and_cut_again(client):
    result = client.read_span(query(start=START + ms(milliseconds=1), end=END - ms(milliseconds=1)))
    assert ids_of(result) == ["us_middle", "us_noon"]
    assert "us_last_999" in ids_of(client.read_span(query(end=END - ms(microseconds=500))))


@pytest.mark.parametrize("fmt", FORMATS)
def test_windows_are_bisected_until_each_is_under_the_limit(waits, fmt):
    rows = [event(f"us{i:03d}", START + ms(minutes=7 * i)) for i in range(300)]
    with serve(history_of(rows), NOW, search_limit=20) as server:
        seen: list[tuple[int, int]] = []
        client = new_client(server, waits, search_limit=20, max_per_minute=10_000)
        result = client.read_span(query(), fmt, lambda done, expected: seen.append((done, expected)))
        assert ids_of(result) == [f"us{i:03d}" for i in range(300)]
        queries = [asked for asked in server.requests if asked.path.endswith("/query")]
        assert {asked.status for asked in queries} == {200}  # never tried and refused
        assert not any("limit" in asked.parameters or "offset" in asked.parameters for asked in queries)
    assert seen[-1][0] == result.counted
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_more_events_in_a_second_than_the_limit_is_an_error_not_a_loop(waits):
    rows = [event(f"us{i}", START + ms(milliseconds=10 * i)) for i in range(5)]
    with serve(history_of(rows), NOW, search_limit=3) as server, pytest.raises(CatalogTruncated, match="in the second"):
        new_client(server, waits, search_limit=3, max_per_minute=10_000).read_span(query())


def test_an_event_on_the_shared_second_of_two_requests_comes_once(waits):
    rows = [event(f"us{i}", START + ms(hours=12 * i)) for i in range(5)]  # us2 lies on the middle bound
    with serve(history_of(rows), NOW, search_limit=3) as server:
        result = new_client(server, waits, search_limit=3).read_span(query())
    assert ids_of(result) == ["us0", "us1", "us2", "us3"]
    assert result.counted == 6  # us0..us2, us2..us4


@pytest.mark.parametrize("fmt", FORMATS)
def test_fewer_rows_than_counted_is_truncated(server, client, fmt):
    server.faults.append(Fault("overcount", method="count", times=9, rows=2))
    with pytest.raises(CatalogTruncated, match="counted 7, then 7 events and sent 5"):
        client.read_span(query(), fmt)


def test_a_catalogue_that_moved_between_count_and_rows_is_counted_once_more(server, client):
    server.faults.append(Fault("overcount", method="count", times=1, rows=2))
    result = client.read_span(query())
    assert result.counted == 5
    counts = [asked.parameters["format"] for asked in server.requests if asked.path.endswith("/count")]
    assert counts == ["geojson", "csv"]  # another address: the 60 s cache cannot give the old number again
    assert "counted again" in result.fetch_log[-1]["note"]


@pytest.mark.parametrize("fmt", FORMATS)
def test_two_back_ends_one_of_them_stale_do_not_lose_events_silently(server, client, fmt):
    server.faults.append(Fault("missing", method="query", rows=2))
    with pytest.raises(CatalogTruncated):
        client.read_span(query(), fmt)


@pytest.mark.parametrize("fmt", FORMATS)
def test_header_only_is_truncated_when_events_were_counted_and_fine_when_none(server, client, fmt):
    assert client.read_span(query(min_magnitude=9.0), fmt).revisions.empty
    server.faults.append(Fault("header_only", method="query"))
    with pytest.raises(CatalogTruncated):
        client.read_span(query(), fmt)


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("html", CatalogMalformed),
        ("empty", CatalogMalformed),
        ("cut", CatalogTruncated),
        ("cut_gzip", CatalogTruncated),
        ("cut_text", CatalogTruncated),
    ],
)
def test_a_body_that_is_not_whole_or_not_data_is_an_error_and_is_not_repeated(server, client, fmt, fault, error):
    server.faults.append(Fault(fault, method="query", times=9))
    with pytest.raises(error):
        client.read_span(query(), fmt)
    assert len(server.requests) == 2  # one count, one query
    assert client.fetch_log[-1]["status"] == 200


def first_row(**changes):
    """Changes the properties of the first event of an answer."""
    return lambda document: document["features"] and document["features"][0]["properties"].update(changes)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("redirect"), CatalogMalformed),
        (Fault("redirect", headers={"Location": "http://portal.example/"}), CatalogMalformed),
        (Fault("says", status=503, times=9), CatalogUnreachable),
        (Fault("says", status=404), CatalogRefused),
        (Fault("drip", seconds=0.01), CatalogUnreachable),
        (Fault("bomb"), CatalogMalformed),
        (Fault("edit", edit=lambda document: document.update(metadata=[])), CatalogMalformed),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else None,
)
def test_each_answer_that_is_none_ends_as_an_error(server, waits, fault, error):
    client = new_client(server, waits, **({"deadline_s": 5.0, "max_tries": 1} if fault.kind == "drip" else {}))
    server.faults.append(fault)
    with pytest.raises(error):
        client.changes_since(query())
    assert ids_of(client.changes_since(query())) == ["us_last_999", "us_middle", "us_noon", "us_start"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"updated": 3_786_912_000_000}, "updated time in the future when it was read"),
        ({"mag": -9}, "magnitude below -5"),
        ({"type": None}, "no event type"),
        ({"mag": 3.0}, "below the magnitude that was asked for"),
        ({"ids": ",us_start,\ud800,"}, "an id that cannot be one, or too many"),
    ],
)
def test_a_row_that_cannot_be_believed_is_kept_apart_with_its_reason(server, client, changes, reason):
    server.faults.append(Fault("edit", edit=first_row(**changes)))
    found = client.changes_since(query())
    assert ids_of(found) == ["us_last_999", "us_middle", "us_noon"]
    assert found.quarantined["reason"].tolist() == [reason]


def test_half_a_surrogate_in_a_place_is_mended(server, client):
    server.faults.append(Fault("edit", edit=first_row(place="\ud800 Noto\x00")))
    assert client.changes_since(query()).revisions["place"].iat[0] == "\ufffd Noto\ufffd"


@pytest.mark.parametrize(
    "changes",
    [
        {"region": Region(24, 48, 122, 154)},
        {"min_magnitude": 6.0},
        {"start": START - ms(days=9), "end": START - ms(days=8)},
        {"updated_after": NOW - ms(hours=1), "include_deleted": True},
    ],
    ids=["region", "magnitude", "time", "updated"],
)
def test_the_answer_to_another_question_is_malformed(server, client, changes):
    whole = client._get("query", query(region=Region(-60, 60, -170, 170)).parameters() | {"format": "geojson"}, lambda answer: answer.body)
    server.faults.append(Fault("body", body=whole, method="query"))
    with pytest.raises(CatalogMalformed, match="answer to another question"):
        client.changes_since(query(**changes))


def test_gzip_is_asked_for_and_the_user_agent_names_a_contact(server, client):
    client.count(query())
    headers = server.requests[-1].headers
    assert headers["Accept-Encoding"] == "gzip"
    assert headers["User-Agent"].startswith("quakecast/")
    assert headers["User-Agent"].endswith("(quake@example.org)")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "Wed, 10 Jan 2024 12:00:40 GMT"}, 40.0),
        ({"Expires": "Wed, 10 Jan 2024 12:00:09 GMT"}, 9.0),
    ],
)
def test_429_waits_as_long_as_the_service_wishes(server, client, waits, headers, expected):
    server.faults.append(Fault("status", status=429, headers=headers, times=2))
    assert client.count(query()) == 5
    assert waits.slept == [expected, expected]
    assert [entry["status"] for entry in client.fetch_log] == [429, 429, 200]


def test_a_wish_of_an_hour_is_reported_instead_of_slept(server, client, waits):
    server.faults.append(Fault("status", status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(CatalogUnreachable, match="asks to wait 60 min"):
        client.count(query())
    assert waits.slept == []


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_refusals_without_a_wish_are_met_with_growing_jittered_waits(server, client, waits, status):
    server.faults.append(Fault("status", status=status, times=99))
    with pytest.raises(CatalogUnreachable, match="5 tries"):
        client.count(query())
    assert len(server.requests) == 5
    assert len(waits.slept) == 4
    assert all(0 <= pause <= 2.0**tries for tries, pause in enumerate(waits.slept, start=1))
    assert len(set(waits.slept)) == 4


@pytest.mark.parametrize("kind", ["hang", "disconnect"])
def test_time_outs_and_lost_connections_are_tried_again(server, waits, kind):
    client = new_client(server, waits, timeout_s=(1.0, 0.2))
    server.faults.append(Fault(kind, seconds=2.0, times=1))
    assert client.count(query()) == 5
    assert len(waits.slept) == 1
    assert client.fetch_log[0]["note"].startswith(("time-out", "no connection"))


def test_no_service_at_all_is_unreachable_in_one_line(server, waits):
    client = UsgsClient("http://127.0.0.1:9", "x", clock=lambda: NOW, rng=np.random.default_rng(1), sleep=waits.sleep)
    with pytest.raises(CatalogUnreachable, match=r"127\.0\.0\.1:9") as told:
        client.count(query())
    assert "\n" not in str(told.value)


def test_a_wrong_request_is_refused_with_the_services_words_and_not_repeated(server, client, waits):
    server.faults.append(Fault("status", status=400, times=9))
    with pytest.raises(CatalogRefused, match="Error 400: put in by a test"):
        client.count(query())
    assert len(server.requests) == 1
    assert waits.slept == []


def test_no_more_than_the_agreed_requests_a_minute(server, waits):
    client = new_client(server, waits, max_per_minute=3)
    for _ in range(7):
        client.count(query())
    assert waits.slept == [60.0, 60.0]  # the clock moves by sleeping only: 3 now, 3 after a minute, 1 after two


@pytest.mark.parametrize("fmt", FORMATS)
def test_1970_rows_count_as_read_and_are_quarantined(server, client, fmt):
    server.faults.append(Fault("epoch_1970", method="query"))
    result = client.read_span(query(), fmt)
    assert result.revisions.empty
    assert set(result.quarantined["reason"]) == {"origin time is 1970-01-01"}
    assert result.counted == 5


def test_region_magnitude_and_time_stamps_are_asked_for_as_agreed(server, client):
    japan = Region(24.0, 48.0, 122.0, 154.0)
    client.count(query(region=japan, updated_after=START + ms(milliseconds=900), include_deleted=True))
    assert server.requests[-1].parameters == {
        "format": "geojson",
        "starttime": "2024-01-01T00:00:00Z",
        "endtime": "2024-01-03T00:00:00Z",
        "minmagnitude": "4",
        "minlatitude": "24",
        "maxlatitude": "48",
        "minlongitude": "122",
        "maxlongitude": "154",
        "updatedafter": "2024-01-01T00:00:00Z",  # the service cuts to seconds; rounding up would lose an update
        "includedeleted": "true",
    }


def test_latitudes_are_not_longitudes(waits):
    rows = [event("us_japan", START, latitude=35.0, longitude=140.0), event("us_fiji", START, latitude=-17, longitude=-178)]
    with serve(history_of(rows), NOW) as server:
        client = new_client(server, waits)
        assert ids_of(client.read_span(query(region=Region(24, 48, 122, 154)))) == ["us_japan"]
        over_the_date_line = client.read_span(query(region=Region(-30, -10, 170, 190)))
        assert over_the_date_line.revisions["longitude_deg"].tolist() == [-178.0]


def test_read_small_is_one_request(server, client):
    result = client.changes_since(query())
    assert ids_of(result) == ["us_last_999", "us_middle", "us_noon", "us_start"]
    assert [asked.path for asked in server.requests] == ["/fdsnws/event/1/query"]
    assert "limit" not in server.requests[0].parameters


@pytest.mark.parametrize("fault", ["short", "header_only", "cut_text", "cut_gzip", "cut"])
def test_read_small_notices_missing_features(server, client, fault):
    server.faults.append(Fault(fault, method="query"))
    with pytest.raises(CatalogTruncated):
        client.changes_since(query())


def test_read_small_falls_back_to_parts_when_there_are_too_many(waits):
    rows = [event(f"us{i:03d}", START + ms(minutes=7 * i)) for i in range(100)]
    with serve(history_of(rows), NOW, search_limit=30) as server:
        result = new_client(server, waits, search_limit=30, max_per_minute=10_000).changes_since(query())
    assert len(result.revisions) == 100
    assert result.fetch_log[0]["status"] == 400
    assert result.requests == len(result.fetch_log) > 5


def test_updated_after_and_deletions_and_id_changes(waits):
    rows = [
        event("us1", START),
        event("us2", START + ms(hours=1)),
        event("us2", START + ms(hours=1), known_at=START + ms(hours=9), status="deleted"),
        event("us3", START + ms(hours=2), event="big", mag=7.0),
        event("nc3", START + ms(hours=2, seconds=3), event="big", mag=7.1, known_at=START + ms(hours=8)),
    ]
    with serve(history_of(rows), START + ms(hours=4)) as server:
        client = new_client(server, waits)
        before = client.changes_since(query(include_deleted=True))
        assert ids_of(before) == ["us1", "us2", "us3"]
        server.clock = START + ms(hours=10)
        since = client.changes_since(query(updated_after=START + ms(hours=4), include_deleted=True)).revisions
        assert since.set_index("event_id")["status"].to_dict() == {"nc3": "automatic", "us2": "deleted"}
        assert since.set_index("event_id").loc["nc3", "ids"] == ["us3", "nc3"]
        assert ids_of(client.read_span(query())) == ["nc3", "us1"]
        server.blank_deleted = True
        blank = client.changes_since(query(include_deleted=True)).revisions.set_index("event_id").loc["us2"]
        assert blank[["origin_time", "latitude_deg", "magnitude"]].isna().all()
        assert blank["status"] == "deleted"


def test_event_by_id_tells_present_deleted_and_unknown_apart(waits):
    rows = [
        event("us1", START),
        event("us2", START),
        event("us2", START, known_at=START + ms(hours=9), status="deleted"),
        event("us3", START, event="big"),
        event("nc3", START, event="big", known_at=START + ms(hours=8)),
    ]
    with serve(history_of(rows), NOW) as server:
        client = new_client(server, waits)
        assert client.lookup("us1")["status"].tolist() == ["automatic"]
        assert client.lookup("us3")["event_id"].tolist() == ["nc3"]
        gone = client.lookup("us2")
        assert gone[["event_id", "status"]].to_numpy().tolist() == [["us2", "deleted"]]
        assert gone["ids"].iat[0] == ["us2"]
        assert client.lookup("us4") is None
        server.faults.append(Fault("epoch_1970"))
        with pytest.raises(CatalogMalformed, match="1970"):
            client.lookup("us1")


def test_fetch_log_has_an_entry_for_every_try_and_no_login(server, waits):
    address = server.url.replace("http://", "http://user:secret@")
    client = UsgsClient(address, "x", clock=lambda: NOW, rng=np.random.default_rng(1), sleep=waits.sleep)
    server.faults.append(Fault("status", status=503, headers={"Retry-After": "2"}))
    result = client.read_span(query())
    first, second, third = result.fetch_log
    assert set(first) == {"requested_at", "url", "status", "rows", "bytes", "elapsed_s", "note", "service_date"}
    assert (first["status"], first["note"]) == (503, "HTTP 503; waited 2.0 s")
    assert (second["status"], third["rows"]) == (200, 5)
    assert third["requested_at"] == NOW
    assert third["bytes"] > 0
    assert "secret" not in str(result.fetch_log)


@pytest.mark.parametrize("ahead_s", [0, 5400, -21600])
def test_what_the_services_clock_said_is_kept_beside_ours(server, waits, ahead_s):
    """The service says noon; ours says noon less `ahead_s`."""
    ours = NOW - ms(seconds=ahead_s)
    client = UsgsClient(server.url, "x", clock=lambda: ours, rng=np.random.default_rng(1), sleep=waits.sleep)
    client.read_span(query())
    assert [(entry["service_date"], entry["requested_at"]) for entry in client.fetch_log] == [(NOW, ours)] * 2


def test_the_age_of_a_stored_answer_counts(server, client):
    """The service says noon and 90 s of age."""
    server.faults.append(Fault("status", status=404, headers={"Age": "90"}))
    with pytest.raises(CatalogRefused):
        client.count(query())
    assert client.fetch_log[-1]["service_date"] == NOW + ms(seconds=90)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"start": datetime(2024, 1, 1)}, BadDate),  # noqa: DTZ001
        ({"end": START}, BadDate),
        ({"updated_after": datetime(2024, 1, 1)}, BadDate),  # noqa: DTZ001
    ],
)
def test_a_query_without_a_zone_or_a_span_is_an_error(changes, error):
    with pytest.raises(error):
        query(**changes)


@pytest.mark.parametrize("bounds", [(48, 24, 122, 154), (24, 95, 122, 154), (24, 48, 154, 122), (24, 48, -200, 200)])
def test_a_region_that_is_no_box_is_an_error(bounds):
    with pytest.raises(BadInput):
        Region(*bounds)
