"""The local event service behaves as the notes on the real one say, and replays what was known.

The contract checks (tests.support.live_check) are the ones that `make live-check` puts to the real service.
"""

import gzip
import itertools
import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import requests

from forecaster.catalog.query import Query, Region
from forecaster.catalog.sources.usgs import UsgsClient
from tests.support.live_check import CHECKS
from tests.support.usgs_answers import HEADER
from tests.support.usgs_history import event, history_of, review_delay_us, shared_history, slice_history
from tests.support.usgs_server import SLICE, Fault, serve

NOW = datetime(2024, 1, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
LONG_AGO = NOW - 31 * DAY


@pytest.fixture
def server():
    rows = [
        event("us_old", LONG_AGO),
        event("us_a", NOW - 3 * DAY, 4.0, place="a, b", latitude=10.0, longitude=170.0),
        event("us_b", NOW - 2 * DAY, 6.0, latitude=20.0, longitude=-175.0),
        event("us_gone", NOW - 2 * HOUR, 5.0),
        event("us_gone", NOW - 2 * HOUR, 5.0, known_at=NOW - HOUR, status="deleted"),
        event("us_blast", NOW - HOUR, 3.0, type="quarry blast"),
        event("us_later", NOW - HOUR / 2, 5.5, known_at=NOW + HOUR),
    ]
    with serve(history_of(rows), NOW, search_limit=5) as running:
        yield running


def get(server, method: str = "query", **asked) -> requests.Response:
    return requests.get(f"{server.url}/fdsnws/event/1/{method}", params=asked, timeout=60)


def ids_of(answer: requests.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [feature["id"] for feature in answer.json()["features"]]


def names(server, **asked) -> list[str]:
    return ids_of(get(server, format="geojson", **asked))


def test_default_start_is_30_days_ago_and_updatedafter_does_not_lift_it(server):
    assert "us_old" not in names(server)
    assert "us_old" not in names(server, updatedafter="2000-01-01")
    assert "us_old" in names(server, starttime="2000-01-01", updatedafter="2000-01-01")


def test_answers_are_of_the_clock_and_newest_first(server):
    assert names(server) == ["us_blast", "us_b", "us_a"]
    server.clock = NOW + 2 * HOUR
    assert names(server) == ["us_later", "us_blast", "us_b", "us_a"]


def test_bounds_are_inclusive_and_cut_to_seconds():
    start = datetime(2024, 1, 1, tzinfo=UTC)
    rows = [event("us0", start), event("us1", start + timedelta(milliseconds=999)), event("us2", start + timedelta(seconds=1))]
    with serve(history_of(rows), NOW) as server:
        assert names(server, starttime="2024-01-01T00:00:00.900", endtime="2024-01-01T00:00:00.950") == ["us0"]
        assert names(server, starttime="2024-01-01", endtime="2024-01-01T00:00:01") == ["us2", "us1", "us0"]
        assert names(server, starttime="2024-01-01T00:00:01") == ["us2"]


def test_updatedafter_is_inclusive():
    rows = [event("us0", NOW - DAY, updated=NOW - HOUR)]
    with serve(history_of(rows), NOW) as server:
        assert names(server, updatedafter=(NOW - HOUR).isoformat()) == ["us0"]
        assert names(server, updatedafter=(NOW - HOUR + timedelta(seconds=1)).isoformat()) == []


def test_over_the_limit_is_400_with_the_services_words_unless_a_limit_is_given():
    rows = [event(f"us{i}", NOW - DAY + i * HOUR) for i in range(7)]
    with serve(history_of(rows), NOW, search_limit=5) as server:
        refused = get(server, format="geojson")
        assert refused.status_code == 400
        assert refused.headers["Content-Type"].startswith("text/plain")
        assert refused.text.startswith(
            "Error 400: Bad Request\n\n7 matching events exceeds search limit of 5. "
            "Modify the search to match fewer events.\n\nUsage details are available from "
        )
        assert names(server, limit=5, orderby="time-asc") == [f"us{i}" for i in range(5)]  # silently cut
        assert names(server, limit=3, offset=6, orderby="time-asc") == ["us5", "us6"]
        assert get(server, format="geojson", offset=3).status_code == 400  # ignored without limit
        assert get(server, format="geojson", limit=6).text.split("\n")[2] == ('Bad limit value "6". Valid values are 0 <= limit <= 5')
        assert get(server, format="geojson", limit=2, offset=0).status_code == 400
        assert get(server, "count").text == "7"
        assert get(server, "count", format="geojson").json()["count"] == 7
        assert get(server, "count", format="geojson").json()["maxAllowed"] == 5


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"magnitude": "4"}, 'Unknown parameter "magnitude".'),
        ({"orderby": "size"}, 'Bad orderby value "size".'),
        ({"starttime": "soon"}, 'Bad starttime value "soon".'),
        ({"minlatitude": "95"}, 'Bad minlatitude value "95".'),
        ({"minlatitude": "5", "maxlatitude": "4"}, "minlatitude must be less than maxlatitude"),
        ({"format": "yaml"}, 'Bad format value "yaml".'),
    ],
)
def test_wrong_parameters_are_400_and_with_jsonerror_200(server, asked, words):
    asked = {"format": "geojson"} | asked
    assert get(server, **asked).status_code == 400
    assert get(server, **asked).text.split("\n")[2].startswith(words)
    if asked["format"] == "geojson":
        told = get(server, jsonerror="true", **asked)
        assert told.status_code == 200
        assert told.json()["metadata"]["status"] == 400
        assert told.json()["metadata"]["error"].startswith(words)


def test_no_data_is_the_header_or_a_count_of_zero(server):
    assert get(server, format="csv", minmagnitude=9).text == HEADER + "\n"
    assert get(server, format="geojson", minmagnitude=9).json()["metadata"]["count"] == 0


def test_csv_quotes_the_place_only_and_leaves_a_missing_magnitude_empty():
    rows = [event("us1", NOW - DAY - timedelta(milliseconds=1), None, place="5 km N of X, Japan", magType="mb")]
    with serve(history_of(rows), NOW) as server:
        assert get(server, format="csv").text.splitlines()[1] == (
            '2024-01-09T11:59:59.999Z,0,0,10,,mb,,,,,us,us1,2024-01-09T12:19:59.999Z,"5 km N of X, Japan",earthquake,,,,,automatic,,'
        )


def test_deleted_events_are_shown_only_when_asked_for(server):
    assert "us_gone" not in names(server)
    assert "us_gone" in names(server, includedeleted="true")
    assert names(server, includedeleted="only") == ["us_gone"]
    assert get(server, "count", includedeleted="true").status_code == 400  # csv and geojson only
    assert get(server, "count", includedeleted="only", format="csv").text == "1"
    assert get(server, eventid="us_gone", format="geojson").status_code == 409
    assert get(server, eventid="us_later", format="geojson").status_code == 404
    assert get(server, eventid="us_old", format="geojson").json()["id"] == "us_old"
    server.clock = NOW - timedelta(minutes=90)
    assert "us_gone" in names(server)


def test_magnitude_type_and_a_box_over_the_date_line(server):
    assert names(server, minmagnitude=4, maxmagnitude=5) == ["us_a"]
    assert names(server, eventtype="earthquake") == ["us_b", "us_a"]
    assert names(server, minlongitude=160, maxlongitude=180) == ["us_a"]
    assert names(server, minlongitude=160, maxlongitude=190) == ["us_b", "us_a"]
    assert names(server, minlatitude=15, maxlatitude=25) == ["us_b"]


def test_gzip_when_asked_and_the_cache_header(server):
    address = f"{server.url}/fdsnws/event/1/query?format=csv"
    plain = requests.get(address, headers={"Accept-Encoding": "identity"}, timeout=60)
    packed = requests.get(address, headers={"Accept-Encoding": "gzip"}, timeout=60, stream=True)
    assert "Content-Encoding" not in plain.headers
    assert plain.headers["Cache-Control"] == "public, max-age=60"
    assert gzip.decompress(packed.raw.read(decode_content=False)) == plain.content


def test_feeds(server):
    server.search_limit = 20_000
    base = f"{server.url}/earthquakes/feed/v1.0/summary"
    assert ids_of(requests.get(f"{base}/all_day.geojson", timeout=60)) == ["us_blast"]
    assert ids_of(requests.get(f"{base}/4.5_week.geojson", timeout=60)) == ["us_b"]
    assert requests.get(f"{base}/all_day.csv", timeout=60).text.startswith(HEADER)
    assert requests.get(f"{base}/some_day.csv", timeout=60).status_code == 404


def test_ids_name_every_alias_known_by_then_and_the_event_appears_once():
    rows = [
        event("us1", NOW - 3 * HOUR, event="big", known_at=NOW - 2 * HOUR),
        event("nc1", NOW - 3 * HOUR, event="big", known_at=NOW - HOUR),
    ]
    with serve(history_of(rows), NOW - timedelta(minutes=90)) as server:
        assert names(server) == ["us1"]
        assert get(server, eventid="nc1", format="geojson").status_code == 404
        server.clock = NOW
        found = get(server, format="geojson").json()["features"]
        assert [(feature["id"], feature["properties"]["ids"]) for feature in found] == [("nc1", ",us1,nc1,")]
        assert get(server, eventid="us1", format="geojson").json()["id"] == "nc1"


def test_faults_are_used_up_in_order_and_can_wait_their_turn(server):
    server.faults += [Fault("status", status=500, skip=1, times=2), Fault("html")]
    assert [get(server, format="csv").status_code for _ in range(5)] == [200, 500, 500, 200, 200]
    assert [asked.status for asked in server.requests] == [200, 500, 500, 200, 200]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract_that_the_real_service_is_held_to(check):
    rows = [event(f"us{i:04d}", NOW - 5 * DAY + i * HOUR / 2, 4.5 + i % 3, latitude=35, longitude=140) for i in range(200)]
    rows += [event("us_x", NOW - 4 * DAY), event("us_x", NOW - 4 * DAY, known_at=NOW - 3 * DAY, status="deleted")]
    with serve(history_of(rows), NOW) as server:
        check(UsgsClient(server.url, "x", clock=lambda: NOW, rng=np.random.default_rng(1)), server.url, NOW)


def test_the_bundled_slice_is_replayed_with_modelled_known_times():
    if not SLICE.is_file():
        pytest.skip("tests/support/history_slice.parquet is not here")
    began = time.perf_counter()
    history = slice_history(SLICE)
    assert time.perf_counter() - began < 5.0
    noto = datetime(2024, 1, 1, 7, 10, 9, tzinfo=UTC)  # the M7.5 of the demo
    japan = Query(noto - DAY, noto + DAY, 7.0, Region(24, 48, 122, 154))
    with serve(history, noto - HOUR) as server:
        client = UsgsClient(server.url, "x", clock=lambda: server.clock, rng=np.random.default_rng(1))
        assert client.changes_since(japan).revisions.empty
        server.clock = noto + 12 * HOUR
        assert client.changes_since(japan).revisions["magnitude"].tolist() == [7.5]
        weak = Query(noto - 30 * DAY, noto, 4.0)
        early = client.count(weak)
        server.clock = noto + 40 * DAY
        assert client.count(weak) > 1.3 * early  # M4-4.5: about a third is known within a day (notes on the service)


def test_served_from_a_shell():
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "tests.support.usgs_server", "--clock", "2024-01-02T12:00:00Z"]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as running:
        try:
            line = running.stdout.readline()
            answer = requests.get(f"{line.split()[0]}/fdsnws/event/1/count", params={"minmagnitude": 7}, timeout=60)
            assert int(answer.text) >= 1
        finally:
            running.terminate()


def test_review_delays_are_about_three_weeks_and_the_same_every_time():
    days = review_delay_us([f"us{i}" for i in range(2000)]) / 86_400e6
    assert 20 < np.median(days) < 22
    assert days.min() >= 1
    assert days.max() <= 60
    assert np.array_equal(days, review_delay_us([f"us{i}" for i in range(2000)]) / 86_400e6)


@pytest.fixture(scope="module")
def recorded(shared_data):
    return shared_history(shared_data, datetime(2023, 9, 25, tzinfo=UTC), datetime(2024, 1, 3, tzinfo=UTC))


def microseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@pytest.mark.shared
def test_a_few_months_of_recorded_history_load_and_answer_quickly(shared_data):
    began = time.perf_counter()
    history = shared_history(shared_data, datetime(2023, 10, 1, tzinfo=UTC), datetime(2024, 1, 3, tzinfo=UTC))
    assert time.perf_counter() - began < 5.0
    with serve(history, datetime(2024, 1, 2, 12, tzinfo=UTC)) as server:
        began = time.perf_counter()
        rows = names(server, minmagnitude=4.5, starttime="2023-12-01")
        assert time.perf_counter() - began < 0.3
    assert len(rows) == len(set(rows)) > 500


@pytest.mark.shared
def test_noto_is_unknown_before_and_known_after(recorded):
    noto = datetime(2024, 1, 1, 7, 10, 9, tzinfo=UTC)
    assert recorded.find("us6000m0xl", microseconds(noto)) is None
    row = recorded.find("us6000m0xl", microseconds(noto + HOUR))
    assert recorded.versions["mag"].iat[row] == 7.5


@pytest.mark.shared
def test_an_event_stays_known_when_it_ages_out_of_the_feed(recorded):
    origin = datetime(2023, 12, 20, tzinfo=UTC)
    at = recorded.arrays
    that_day = (at["time_us"] >= microseconds(origin)) & (at["time_us"] < microseconds(origin + DAY)) & (at["mag"] >= 4.5)
    day_after = set(recorded.versions["id"][recorded.current(microseconds(origin + DAY)) & that_day])
    week_after = set(recorded.versions["id"][recorded.current(microseconds(origin + 7 * DAY)) & that_day])
    assert len(day_after) >= 3
    assert day_after <= week_after


@pytest.mark.shared
def test_a_review_three_weeks_later_adds_what_was_never_shown(recorded):
    """Shown within 24 h: 33 % of M4-4.5 (notes on the service), so at least twice as many are known in the end."""
    at, start = recorded.arrays, datetime(2023, 10, 1, tzinfo=UTC)
    weak = (at["mag"] >= 4) & (at["mag"] < 4.5) & (at["time_us"] >= microseconds(start))
    weak &= at["time_us"] < microseconds(start + 20 * DAY)
    early = (weak & recorded.current(microseconds(start + 21 * DAY))).sum()
    assert (weak & recorded.current(microseconds(start + 80 * DAY))).sum() > 1.5 * early


@pytest.mark.shared
def test_deletions_are_rare(recorded):
    """The notes count 9 true deletions of M >= 4 in 3.5 years; a row that ages out, or fades in an outage, is none."""
    at = recorded.arrays
    assert ((at["status"] == "deleted") & (at["mag"] >= 4)).sum() <= 5


@pytest.mark.shared
def test_a_row_missing_from_one_back_end_is_not_a_deletion(recorded):
    """2023-10-23: two back ends alternated; what the stale one lacked was there before and after."""
    day = datetime(2023, 10, 23, tzinfo=UTC)
    at = recorded.arrays
    that_day = (at["time_us"] >= microseconds(day - DAY / 2)) & (at["time_us"] < microseconds(day + DAY))
    assert not ((at["status"] == "deleted") & that_day & (at["mag"] >= 4)).any()
    moments = [recorded.current(microseconds(day + hour * HOUR)) & that_day for hour in range(6, 24)]
    known = [set(recorded.versions["key"][mask]) for mask in moments]
    assert all(earlier <= later for earlier, later in itertools.pairwise(known))


@pytest.mark.shared
def test_the_m7_that_changed_its_id_is_one_event_under_the_id_preferred_then(shared_data):
    """us7000nw7b and nc75095651, 2024-12-05: the recorded bodies show one at 18:59 and the other at 19:34."""
    history = shared_history(shared_data, datetime(2024, 12, 4, tzinfo=UTC), datetime(2024, 12, 7, tzinfo=UTC))
    with serve(history, datetime(2024, 12, 5, 18, 59, tzinfo=UTC)) as server:
        big = {"minmagnitude": 6.5, "starttime": "2024-12-05"}
        assert names(server, **big) == ["us7000nw7b"]
        server.clock = datetime(2024, 12, 5, 19, 34, 30, tzinfo=UTC)
        found = get(server, format="geojson", **big).json()["features"]
        assert [feature["id"] for feature in found] == ["nc75095651"]
        assert set(found[0]["properties"]["ids"].strip(",").split(",")) == {"us7000nw7b", "nc75095651"}
        assert get(server, eventid="us7000nw7b", format="geojson").json()["id"] == "nc75095651"


@pytest.mark.shared
def test_a_withdrawn_event_is_deleted_and_not_before(shared_data):
    """us7000lg0v (M5.2, 2023-12-04) was taken off the feed; the final catalogue has nothing there."""
    start = datetime(2023, 12, 4, tzinfo=UTC)
    history = shared_history(shared_data, start, start + DAY)
    rows = history.versions[history.versions["id"] == "us7000lg0v"]
    assert rows["status"].tolist()[-1] == "deleted"
    deleted_us = int(rows["known_us"].iat[-1])
    assert history.versions["status"][history.find("us7000lg0v", deleted_us - 1)] != "deleted"
    assert history.versions["status"][history.find("us7000lg0v", deleted_us)] == "deleted"


@pytest.mark.shared
def test_corrupt_versions_are_replayed_only_when_asked_for(shared_data):
    start = datetime(2024, 10, 7, tzinfo=UTC)
    sound = shared_history(shared_data, start, start + DAY)
    assert not sound.versions["time_us"].isna().any()
    broken = shared_history(shared_data, start, start + DAY, corrupt=True)
    with serve(broken, start + 15 * HOUR) as server:
        client = UsgsClient(server.url, "x", clock=lambda: server.clock, rng=np.random.default_rng(1))
        result = client.read_span(Query(start, start + DAY, 2.5), "csv")
    assert set(result.quarantined["reason"]) == {"origin time is 1970-01-01"}
    assert result.quarantined["raw"].str.startswith("1970-01-01T00:00:02.-2147483648Z").all()


@pytest.mark.shared
def test_a_recorded_body_goes_through_the_client(shared_data):
    body = (shared_data / "feed_incidents" / "allday_2024-10-07_epoch1970_corrupt_timestamps.csv").read_bytes()
    with serve(history_of([event("us1", NOW - DAY)]), NOW) as server:
        server.faults += [
            Fault("body", method="count", body=json.dumps({"count": 201}).encode()),
            Fault("body", method="query", body=body),
        ]
        client = UsgsClient(server.url, "x", clock=lambda: server.clock, rng=np.random.default_rng(1))
        result = client.read_span(Query(NOW - DAY, NOW, 2.5), "csv")
    assert (len(result.revisions), len(result.quarantined), result.counted) == (0, 201, 201)
