"""Answers that no service should give, over real sockets: each ends as a CatalogError, by the deadline, and in bounded memory.

Every one of them was a raw error, an answer without an end, or half a gigabyte of memory before.
"""

import gzip
import json
import subprocess
import sys
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from forecaster.errors import CatalogMalformed, CatalogRefused, CatalogTruncated, CatalogUnreachable
from forecaster.store.database import open_store
from forecaster.store.versions import catalogue
from tests.support.raw_server import OK, answer, drip, flood, say, serve_raw
from tests.support.smtp_server import make_certificate
from tests.support.usgs_bodies import TIME_MS, collection, feature
from tests.support.usgs_clients import NOW, QUERY, new_client

LARGE = 400_000_000


def packed(size: int) -> bytes:
    """A gzip stream of so many zeros."""
    pack = zlib.compressobj(9, wbits=31)
    return b"".join(pack.compress(bytes(1_000_000)) for _ in range(size // 1_000_000)) + pack.flush()


REDIRECT = b"302 Found"
INCIDENTS = {
    "a redirect to itself": (answer(b"", b"Location: /fdsnws/event/1/query", status=REDIRECT), CatalogMalformed, "no redirect is followed"),
    "a redirect to a sign-in page": (
        answer(b"", b"Location: http://user:secret@portal.example/login?token=secret", status=REDIRECT),
        CatalogMalformed,
        "302 points to http://portal.example/login, .*sign-in page",
    ),
    "a bad Location": (answer(b"", b"Location: http://[::1", status=REDIRECT), CatalogMalformed, "302 points to"),
    "a Location of another scheme": (answer(b"", b"Location: file:///etc/passwd", status=b"301 Moved"), CatalogMalformed, "file:"),
    "a Location of noise": (answer(b"", b"Location: \xff\xfe\x80", status=b"307 x"), CatalogMalformed, "307 points to"),
    "a redirect without a place": (answer(b"", status=b"308 x"), CatalogMalformed, "points to nowhere"),
    "a Date of the year 9999999": (answer(collection(), b"Date: Mon, 01 Jan 9999999 00:00:00 GMT"), None, ""),
    "a Date at the end of time": (answer(collection(), b"Date: Fri, 31 Dec 9999 23:59:59 -2359"), None, ""),
    "a body in another packing": (answer(b"x", b"Content-Encoding: br"), CatalogMalformed, "packed as 'br'"),
    "a length of 5,000 digits": (answer(collection(), b"Content-Length: " + b"9" * 5000), CatalogTruncated, r"\d+ of 9{20} bytes came"),
    "metadata that is a list": (answer(collection(metadata=[])), CatalogMalformed, "metadata is no object"),
    "metadata that is a text": (answer(collection(metadata="x")), CatalogMalformed, "metadata is no object"),
    "features that are no list": (answer(collection(features={"a": 1})), CatalogMalformed, "without a list of features"),
    "a count of 4,300 digits": (answer(b'{"metadata": {"count": ' + b"9" * 4301 + b"}}"), CatalogMalformed, "cannot be read"),
    "a nest of 100,000 lists": (answer(b'{"features": ' + b"[" * 100_000), CatalogMalformed, "cannot be read"),
    "no text": (answer(bytes(range(128, 256))), CatalogMalformed, "JSON was asked for"),
    "status 404 in a 200": (answer(collection(metadata={"status": 404, "error": "x"})), CatalogRefused, "says 404 in an HTTP 200"),
    "a gzip stream of noise": (answer(b"noise", b"Content-Encoding: gzip"), CatalogTruncated, "gzip body is not whole"),
    "half a gzip stream": (answer(gzip.compress(collection())[:-9], b"Content-Encoding: gzip"), CatalogTruncated, "ends too early"),
    "an answer without a head": (b"hello\r\n\r\n", CatalogUnreachable, "cannot be reached"),
    "a status that is no number": (b"HTTP/1.1 abc\r\n\r\n", CatalogUnreachable, "cannot be reached"),
    "a header of 1 MB": (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n", CatalogUnreachable, "cannot be reached"),
    "a thousand headers": (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n", CatalogUnreachable, "cannot be reached"),
    "a chunk of no length": (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc", CatalogTruncated, "body was cut"),
    "a status that nobody knows": (answer(b"", status=b"299 x"), CatalogMalformed, "HTTP 299"),
}


@pytest.mark.parametrize("name", INCIDENTS)
def test_an_incident_ends_as_an_error_in_one_line_or_does_no_harm(name):
    said, error, words = INCIDENTS[name]
    with serve_raw(say(said)) as server:
        client = new_client(server.url)
        if error is None:
            assert client.changes_since(QUERY).counted == 0
            return
        with pytest.raises(error, match=words) as told:
            client.changes_since(QUERY)
    assert "\n" not in str(told.value) and "secret" not in str(told.value)
    assert all(entry["note"] for entry in client.fetch_log if error is CatalogUnreachable or "redirect" in words)
    assert len(server.asked) == (5 if error is CatalogUnreachable else 1)


def test_no_redirect_is_followed_to_another_host_nor_read():
    with serve_raw(say(answer(collection()))) as other:
        endless = flood(b"HTTP/1.1 302 Found\r\nLocation: " + other.url.encode() + b"/query\r\n\r\n", b"x")
        with serve_raw(endless) as server, pytest.raises(CatalogMalformed, match=other.url):
            new_client(server.url).changes_since(QUERY)
        assert other.asked == []


@pytest.mark.parametrize(
    ("url", "error", "words"),
    [
        ("earthquake.example", CatalogRefused, "QUAKECAST_USGS_URL"),
        ("ftp://127.0.0.1", CatalogRefused, "QUAKECAST_USGS_URL"),
        ("http://[::1", CatalogRefused, "QUAKECAST_USGS_URL"),
        ("http://user:secret@[::1", CatalogRefused, "QUAKECAST_USGS_URL"),
        ("http://127.0.0.1:99999999", CatalogRefused, "QUAKECAST_USGS_URL"),
        ("http://" + "x" * 300, CatalogRefused, "QUAKECAST_USGS_URL"),
        ("", CatalogRefused, "QUAKECAST_USGS_URL"),
    ],
)
def test_an_address_that_is_none_is_refused_with_the_setting_to_mend(url, error, words):
    with pytest.raises(error, match=words) as told:
        new_client(url).changes_since(QUERY)
    assert "secret" not in str(told.value)


ENDLESS = {
    "a body a byte at a time": drip(OK + b"Content-Length: 100000\r\n\r\n", b" "),
    "a chunked body a byte at a time": drip(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "a gzip body a byte at a time": drip(OK + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b"")),
    "a head a byte at a time": drip(OK, b"X"),
    "nothing but 100 Continue": flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "trailers without an end": flood(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
    "a chunk's length a byte at a time": drip(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
    "empty gzip members": flood(
        OK + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", b"14\r\n" + gzip.compress(b"") + b"\r\n"
    ),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_an_answer_without_an_end_is_given_up_at_the_deadline_and_its_connection_is_cut(name):
    """The socket's own time-out of 60 s never comes: each byte starts it anew."""
    with serve_raw(ENDLESS[name]) as server:
        client = new_client(server.url, timeout_s=(5.0, 60.0), deadline_s=0.5, max_tries=1)
        with pytest.raises((CatalogUnreachable, CatalogMalformed), match=r"did not end its answer within 0\.5 s|over 50 MB sent"):
            client.changes_since(QUERY)
        assert server.cut.wait(20)
    assert client.fetch_log[-1]["note"] in ("time-out", "too large")


@pytest.mark.parametrize("name", ["a body a byte at a time", "a head a byte at a time"])
def test_the_deadline_holds_over_tls(name, tmp_path, monkeypatch):
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    with serve_raw(ENDLESS[name], certificate) as server:
        client = new_client(server.url, timeout_s=(5.0, 60.0), deadline_s=2.0, max_tries=1)
        with pytest.raises(CatalogUnreachable, match=r"did not end its answer within 2 s"):
            client.changes_since(QUERY)
        assert server.asked and server.cut.wait(20)


def test_more_bytes_than_any_answer_has_are_not_taken():
    with serve_raw(flood(OK + b"\r\n", b" ")) as server, pytest.raises(CatalogMalformed, match="over 50 MB sent"):
        new_client(server.url).changes_since(QUERY)


MEASURE = """
import resource, sys
from tests.support.usgs_clients import QUERY, new_client
from forecaster.errors import CatalogMalformed
new_client(sys.argv[1]).changes_since(QUERY)
base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    new_client(sys.argv[2]).changes_since(QUERY)
except CatalogMalformed as error:
    assert "over 50 MB unpacked" in str(error)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base) * 1024)
"""


@pytest.mark.slow
def test_a_gzip_body_of_400_mb_takes_no_more_memory_than_the_limit():
    bomb = answer(packed(LARGE), b"Content-Encoding: gzip")
    with serve_raw(say(answer(collection()))) as good, serve_raw(say(bomb)) as bad:
        ran = subprocess.run([sys.executable, "-c", MEASURE, good.url, bad.url], capture_output=True, text=True, check=True, timeout=200)
    assert int(ran.stdout) < 100_000_000


def test_a_503_inside_a_200_is_tried_again_with_a_pause():
    said = [
        answer(collection(metadata={"status": 503, "error": "busy"})),
        answer(collection(metadata={"status": 429})),
        answer(collection(feature())),
    ]
    slept: list[float] = []
    with serve_raw(lambda line, closing: line.sendall(said.pop(0))) as server:
        client = new_client(server.url, slept)
        assert client.changes_since(QUERY).counted == 1
    assert len(slept) == 2 and min(slept) > 0
    assert client.fetch_log[0]["note"].startswith("says it is unavailable; waited")


def test_a_503_inside_a_200_that_stays_is_unreachable():
    slept: list[float] = []
    with (
        serve_raw(say(answer(collection(metadata={"status": 503})))) as server,
        pytest.raises(CatalogUnreachable, match=r"says 503 .*5 tries"),
    ):
        new_client(server.url, slept).changes_since(QUERY)
    assert len(slept) == 4


@pytest.mark.parametrize(
    "wish",
    [
        "0",
        "-5",
        "abc",
        "1.5",
        "",
        "\xb2",
        "Wed, 10 Jan 2001 12:00:40 GMT",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Mon, 01 Jan 99999999 00:00:00",
    ],
)
def test_a_retry_after_that_is_no_wait_still_pauses(wish):
    slept: list[float] = []
    refused = answer(b"", b"Retry-After: " + wish.encode("latin-1"), b"Date: Tue, 02 Jan 2024 00:00:00 GMT", status=b"503 x")
    with serve_raw(say(refused)) as server, pytest.raises(CatalogUnreachable, match="5 tries"):
        new_client(server.url, slept).changes_since(QUERY)
    assert len(slept) == 4 and min(slept) >= 0.25 and len(set(slept)) == 4


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ("31536000", "asks to wait 365 days"),
        ("9" * 30, "asks to wait over 300 years"),
        ("9" * 400, "asks to wait over 300 years"),
        ("9" * 5000, "asks to wait over 300 years"),
        ("Thu, 02 Jan 2025 00:00:00 GMT", "asks to wait 366 days"),
    ],
)
def test_a_retry_after_of_a_year_ends_it_at_once(wish, words):
    slept: list[float] = []
    refused = answer(b"", b"Retry-After: " + wish.encode(), b"Date: Tue, 02 Jan 2024 00:00:00 GMT", status=b"429 x")
    with serve_raw(say(refused)) as server, pytest.raises(CatalogUnreachable, match=words):
        new_client(server.url, slept).changes_since(QUERY)
    assert slept == [] and len(server.asked) == 1


def test_counts_that_never_add_up_end_after_a_bounded_number_of_requests():
    """Every part is said to hold more than the limit, until it is two seconds long: then nothing."""

    def talk(line, closing):
        line.sendall(answer(b'{"count": %d}' % (20_001 if len(server.asked) % 20 else 0)))

    with serve_raw(talk) as server, pytest.raises((CatalogMalformed, CatalogTruncated)):
        new_client(server.url, max_per_minute=100_000).read_span(QUERY)
    assert len(server.asked) <= 4_100


def test_another_event_than_the_one_asked_for_is_malformed():
    with serve_raw(say(answer(json.dumps(feature("us2")).encode()))) as server, pytest.raises(CatalogMalformed, match="another event came"):
        new_client(server.url).lookup("us1")


OTHERS = {
    "too early": feature("us2", time=TIME_MS - 200_000_000, updated=TIME_MS),
    "too late": feature("us2", time=1_704_153_600_000 + 120_000, updated=TIME_MS),
    "too small": feature("us2", mag=3.5),
    "deleted": feature("us2", status="deleted"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_row_outside_the_question_is_kept_apart_and_many_are_the_answer_to_another(name):
    good = [feature(f"us1{i:02d}") for i in range(20)]
    with serve_raw(say(answer(collection(*good, OTHERS[name])))) as server:
        found = new_client(server.url).changes_since(QUERY)
    assert (len(found.revisions), len(found.quarantined), found.counted) == (20, 1, 21)
    assert "asked for" in found.quarantined["reason"].iat[0] and "us2" in found.quarantined["raw"].iat[0]
    bad = [OTHERS[name] | {"id": f"us3{i:02d}"} for i in range(20)]
    with (
        serve_raw(say(answer(collection(*good, *bad)))) as server,
        pytest.raises(CatalogMalformed, match=r"20 of 40 events .*another question"),
    ):
        new_client(server.url).changes_since(QUERY)


def test_a_stamp_of_years_ahead_outlives_neither_the_correction_nor_the_deletion(tmp_path):
    """M 6.4 stamped 2090, then M 5.1 stamped two hours after the event, then its deletion: each as the service tells it on another day."""
    told = [
        feature(mag=6.4, updated=3_786_912_000_000),
        feature(mag=5.1, updated=TIME_MS + 7_200_000),
        feature(mag=5.1, updated=TIME_MS + 14_400_000, status="deleted"),
    ]
    said = [answer(collection(row)) for row in told]
    query, store, seen = replace(QUERY, include_deleted=True), open_store(tmp_path / "quakecast.duckdb"), []
    with serve_raw(lambda line, closing: line.sendall(said.pop(0))) as server:
        for day in range(3):
            read_at = NOW + timedelta(days=day)
            found = new_client(server.url, clock=lambda moment=read_at: moment).changes_since(query)
            with store.transaction() as connection:
                catalogue.write_revisions(connection, found.revisions)
                catalogue.write_quarantine(connection, found.quarantined, None)
                seen.append(catalogue.read_events(connection, read_at)["magnitude"].tolist())
    assert seen == [[], [5.1], []]
    with store.transaction() as connection:
        assert connection.execute("SELECT reason FROM quarantine").fetchall() == [("updated time in the future when it was read",)]


def test_our_own_clock_being_hours_slow_makes_no_row_one_of_the_future():
    """The service's clock says how late it is."""
    said = answer(collection(feature(updated=TIME_MS)), b"Date: Tue, 02 Jan 2024 00:00:00 GMT")
    with serve_raw(say(said)) as server:
        slow = new_client(server.url, clock=lambda: datetime(2024, 1, 1, 1, tzinfo=UTC))
        assert len(slow.changes_since(QUERY).revisions) == 1
        years = new_client(server.url, clock=lambda: datetime(2020, 1, 1, tzinfo=UTC))
        assert len(years.changes_since(QUERY).quarantined) == 1
