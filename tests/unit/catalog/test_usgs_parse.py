"""Bodies of the event service become rows or reasons.

The bodies in tests/support/incidents are written by hand to the shapes of the project's notes on the service; those in
the shared folder are the recorded ones. What each mutation would do: taking 1970 for a time, a cut row for a whole one,
a blank magnitude for 0, or longitude 190 for itself makes one of these tests fail.
"""

import contextlib
import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from forecaster.catalog.revisions import QUARANTINE_COLUMNS, REVISION_COLUMNS
from forecaster.catalog.usgs_parse import parse_count, parse_csv, parse_geojson
from forecaster.errors import CatalogMalformed, CatalogRefused, CatalogTruncated, CatalogUnreachable
from forecaster.store.database import open_store
from forecaster.store.versions import catalogue
from tests.support.usgs_bodies import collection, feature

INCIDENTS = Path(__file__).resolve().parents[2] / "support" / "incidents"
READ_AT = datetime(2024, 1, 2, tzinfo=UTC)
IN_OCTOBER = datetime(2024, 10, 8, tzinfo=UTC)
ROW = (
    '2024-01-01T07:10:09.476Z,37.5,137.2,10,7.5,mww,,,,,us,us6000m0xl,2024-01-01T08:00:00.040Z,"Noto, Japan",earthquake,,,,,reviewed,us,us'
)


def header() -> str:
    return (INCIDENTS / "bad_rows.csv").read_text().splitlines()[0]


def test_csv_row_becomes_a_revision_with_its_milliseconds_and_units():
    parsed = parse_csv(f"{header()}\n{ROW}\n".encode(), READ_AT)
    assert tuple(parsed.revisions.columns) == REVISION_COLUMNS
    assert tuple(parsed.quarantined.columns) == QUARANTINE_COLUMNS
    row = parsed.revisions.iloc[0]
    assert row["origin_time"] == pd.Timestamp("2024-01-01T07:10:09.476Z")
    assert row["updated_at"] == pd.Timestamp("2024-01-01T08:00:00.040Z")
    assert (row["latitude_deg"], row["longitude_deg"], row["depth_km"], row["magnitude"]) == (37.5, 137.2, 10.0, 7.5)
    assert (row["event_id"], row["ids"], row["place"]) == ("us6000m0xl", ["us6000m0xl"], "Noto, Japan")
    assert (row["known_at"], row["known_at_source"]) == (pd.Timestamp(READ_AT), "observed")
    assert str(parsed.revisions["origin_time"].dtype) == "datetime64[us, UTC]"


def test_every_bad_row_is_kept_apart_with_its_reason_and_its_text():
    parsed = parse_csv((INCIDENTS / "bad_rows.csv").read_bytes(), READ_AT)
    reasons = dict(zip(parsed.quarantined["raw"].str.extract('"(.*)"')[0], parsed.quarantined["reason"], strict=True))
    assert reasons == {
        "no id": "no event id",
        "latitude 95": "latitude missing or outside -90..90",
        "longitude 540": "longitude missing or outside -360..360",
        "magnitude big": "magnitude is not a number",
        "magnitude 11": "magnitude above 10",
        "three days ahead": "origin time in the future when it was read",
        "no time": "origin time missing or unreadable",
        "no updated": "updated time missing or unreadable",
        "depth deep": "depth is not a number",
        "magnitude nan": "magnitude is not a number",
        "no latitude": "latitude missing or outside -90..90",
    }
    assert parsed.rows == 12  # 11 bad ones and the legal one: a quarantined row counts as read
    legal = parsed.revisions.iloc[0]
    assert legal["longitude_deg"] == -170.0  # 190 E
    assert legal[["depth_km", "magnitude"]].isna().all()
    assert legal["status"] == "automatic"


def test_1970_is_never_taken_for_a_time():
    parsed = parse_csv((INCIDENTS / "corrupt_times.csv").read_bytes(), IN_OCTOBER)
    assert parsed.quarantined["reason"].tolist() == ["origin time is 1970-01-01", "updated time is of 1970"]
    assert parsed.quarantined["raw"].iat[0].startswith("1970-01-01T00:00:02.-2147483648Z,35.11")
    assert parsed.revisions["event_id"].tolist() == ["us9000aaa3"]


def test_geojson_aliases_date_line_and_a_deleted_event_without_fields():
    parsed = parse_geojson((INCIDENTS / "corrupt_times.geojson").read_bytes(), IN_OCTOBER)
    assert (parsed.rows, parsed.counted) == (3, 3)
    assert parsed.quarantined["reason"].tolist() == ["origin time is 1970-01-01"]
    live, deleted = parsed.revisions.iloc[0], parsed.revisions.iloc[1]
    assert live["ids"] == ["us9000aaa2", "nc123"]
    assert live["longitude_deg"] == 170.0  # -190
    assert live["origin_time"] == pd.Timestamp("2024-10-07T13:10:00.120Z")  # 1728306600120 ms
    assert deleted["status"] == "deleted"
    assert deleted[["origin_time", "latitude_deg", "longitude_deg", "depth_km"]].isna().all()  # not at 0, 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"mag": "big"}, "magnitude is not a number"),
        ({"mag": 10.1}, "magnitude above 10"),
        ({"time": None}, "origin time missing or unreadable"),
        ({"mag": -9}, "magnitude below -5"),
        ({"mag": True}, "magnitude is not a number"),
        ({"mag": 10**400}, "magnitude is not a number"),
        ({"mag": math.inf}, "magnitude is not a number"),
        ({"mag": [5]}, "magnitude is not a number"),
        ({"mag": "5_0"}, "magnitude is not a number"),
        ({"time": math.nan}, "origin time missing or unreadable"),
        ({"time": 1_704_236_400_000}, "origin time in the future when it was read"),  # 2024-01-02T23:00Z
        ({"updated": 1_704_154_260_000}, "updated time in the future when it was read"),  # 2024-01-02T00:11Z
        ({"updated": 3_786_912_000_000}, "updated time in the future when it was read"),  # 2090
        ({"updated": 3_786_912_000_000, "status": "deleted"}, "updated time in the future when it was read"),
        ({"type": None}, "no event type"),
        ({"type": " "}, "no event type"),
        ({"place": {"a": 1}}, "a list or an object where a text belongs"),
        ({"ids": ",us1,us\ud8002,"}, "an id that cannot be one, or too many"),
        ({"ids": ",us1,us\x002,"}, "an id that cannot be one, or too many"),
        ({"ids": "," + ",".join(f"us{i}" for i in range(200)) + ","}, "an id that cannot be one, or too many"),
        ({"updated": 2000}, "updated time is of 1970"),
        ({"updated": 1e30}, "updated time missing or unreadable"),
    ],
)
def test_bad_features_are_kept_apart(changes, reason):
    parsed = parse_geojson(collection(feature(**changes), feature()), READ_AT)
    assert parsed.quarantined["reason"].tolist() == [reason]
    assert len(parsed.revisions) == 1


def test_depths_that_no_earthquake_has_are_kept_apart():
    deep = feature() | {"geometry": {"coordinates": [140, 35, 1e300]}}
    assert parse_geojson(collection(deep, feature()), READ_AT).quarantined["reason"].tolist() == ["depth outside -100..1000 km"]


def test_stamps_a_few_minutes_ahead_and_small_and_missing_magnitudes_are_legal():
    """Read at 00:00: origin 00:09, updated 00:10. M -1.2 is a blast in a mine."""
    ahead = feature(time=1_704_154_140_000, updated=1_704_154_200_000)
    parsed = parse_geojson(collection(ahead, feature(mag=-1.2), feature(mag=None)), READ_AT)
    assert parsed.quarantined.empty
    assert parsed.revisions["magnitude"].isna().tolist() == [False, False, True]


def test_the_services_clock_counts_where_it_is_given():
    ahead = collection(feature(updated=1_704_160_800_000))  # 2024-01-02T01:40Z
    assert len(parse_geojson(ahead, READ_AT).quarantined) == 1
    assert len(parse_geojson(ahead, READ_AT, latest=READ_AT + timedelta(hours=2)).quarantined) == 0


def test_a_type_in_other_letters_is_what_it_is():
    parsed = parse_geojson(collection(feature(type="Earthquake"), feature(type="QUARRY BLAST ")), READ_AT)
    assert parsed.revisions["event_type"].tolist() == ["earthquake", "quarry blast"]


@pytest.mark.parametrize("place", ["\ud800", "a\x00b", "\udfffNoto\ud83d", "x" * 5000, "\x1b[31mred", 5])
def test_a_text_that_no_store_can_hold_is_mended_and_the_row_is_kept(place, tmp_path):
    parsed = parse_geojson(collection(feature(place=place), feature(mag="big", place=place)), READ_AT)
    text = parsed.revisions["place"].iat[0]
    assert text.encode().decode() == text and len(text) <= 1000 and text.isprintable()
    with open_store(tmp_path / "q.duckdb").transaction() as connection:
        assert catalogue.write_revisions(connection, parsed.revisions).new == 1
        catalogue.write_quarantine(connection, parsed.quarantined, None)
        assert connection.execute("SELECT place FROM event_revision").fetchall() == [(text,)]
        assert connection.execute("SELECT reason FROM quarantine").fetchall() == [("magnitude is not a number",)]


@pytest.mark.parametrize("number", ["9" * 4301, "-" + "9" * 5000])
@pytest.mark.parametrize("read", [parse_geojson, parse_count])
def test_a_number_of_4300_digits_is_malformed(read, number):
    body = f'{{"metadata": {{"status": 200}}, "count": {number}, "features": [{number}]}}'.encode()
    with pytest.raises(CatalogMalformed):
        read(body) if read is parse_count else read(body, READ_AT)


@pytest.mark.parametrize("depth", [500, 5_000, 1_000_000])
@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_deep_nesting_is_an_error_or_a_bad_row_and_never_a_raw_one(opening, depth):
    closing = "]" if opening == "[" else "}"
    nested = opening * depth + "1" + closing * depth
    body = f'{{"features": [{{"properties": {{"mag": {nested}}}}}]}}'.encode()
    with contextlib.suppress(CatalogMalformed, CatalogTruncated):
        assert len(parse_geojson(body, READ_AT).quarantined) == 1


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ([], CatalogMalformed),
        ("ok", CatalogMalformed),
        (5, CatalogMalformed),
        ({"status": 503, "error": "busy"}, CatalogUnreachable),
        ({"status": 429}, CatalogUnreachable),
        ({"status": 500}, CatalogUnreachable),
        ({"status": 404}, CatalogRefused),
        ({"status": "503"}, CatalogUnreachable),
        ({"status": None}, CatalogMalformed),
        ({"status": [1]}, CatalogMalformed),
        ({"status": 302}, CatalogMalformed),
    ],
)
@pytest.mark.parametrize("read", [parse_geojson, parse_count])
def test_what_an_answer_says_of_itself_is_believed(read, metadata, error):
    body = json.dumps({"metadata": metadata, "count": 1, "features": [feature()]}).encode()
    with pytest.raises(error):
        read(body) if read is parse_count else read(body, READ_AT)


@pytest.mark.parametrize("name", ["id", "time", "mag", "status"])
def test_a_csv_column_that_is_there_twice_is_malformed(name):
    with pytest.raises(CatalogMalformed, match=f"lacks {name}, or has it twice"):
        parse_csv(f"{header()},{name}\n{ROW},x\n".encode(), READ_AT)


def test_a_body_of_more_values_than_any_answer_has_is_refused_before_it_takes_memory():
    with pytest.raises(CatalogMalformed, match="values, the limit is"):
        parse_geojson(b'{"features": [' + b"[]," * 3_000_000 + b"1]}", READ_AT)


@pytest.mark.parametrize("body", ['{"features": [], "metadata": {"count": 0}}'.encode("utf-16"), b"\xff\xfe\x00", b"\x1f\x8b\x08"])
def test_bodies_that_are_no_utf8_are_malformed(body):
    for read in (parse_geojson, parse_csv):
        with pytest.raises(CatalogMalformed):
            read(body, READ_AT)


def test_features_of_another_shape_do_not_stop_the_others():
    parsed = parse_geojson(collection(None, {"id": "us3"}, feature()), READ_AT)
    assert parsed.quarantined["reason"].tolist() == ["feature without properties"] * 2
    assert parsed.rows == 3


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty body.*try again"),
        (b"   \n", "empty body"),
        ((INCIDENTS / "maintenance.html").read_bytes(), "HTML or XML.*try again"),
        (b"time,latitude,longitude\n", "header lacks depth, mag.*try again"),
        (b"Error 503: come back later\n", "header lacks time"),
    ],
)
def test_a_body_that_is_no_csv_is_an_error_not_an_empty_catalogue(body, words):
    with pytest.raises(CatalogMalformed, match=words):
        parse_csv(body, READ_AT)


def test_header_alone_is_no_rows():
    parsed = parse_csv(f"{header()}\n".encode(), READ_AT)
    assert (parsed.rows, len(parsed.revisions), len(parsed.quarantined)) == (0, 0, 0)


def test_csv_that_ends_within_a_row_is_truncated():
    body = f"{header()}\n{ROW}\n{ROW[: len(ROW) // 2]}".encode()
    with pytest.raises(CatalogTruncated, match="last of 2 rows"):
        parse_csv(body, READ_AT)


def test_a_row_with_too_few_or_too_many_fields_in_the_middle_is_kept_apart():
    for odd in (ROW[:40], ROW + ",extra,fields"):
        parsed = parse_csv(f"{header()}\n{ROW}\n{odd}\n{ROW}\n".encode(), READ_AT)
        assert parsed.quarantined["reason"].tolist() == ["row has not as many fields as the header"]
        assert parsed.rows == 3


def test_a_new_column_at_the_end_and_another_order_are_read_by_name():
    names, values = header().split(","), ROW.replace('"Noto, Japan"', "Noto").split(",")
    body = ",".join([*reversed(names), "new"]) + "\n" + ",".join([*reversed(values), "1"]) + "\n"
    row = parse_csv(body.encode(), READ_AT).revisions.iloc[0]
    assert (row["latitude_deg"], row["longitude_deg"], row["place"]) == (37.5, 137.2, "Noto")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", CatalogMalformed),
        (b"<html>", CatalogMalformed),
        (b"[1]", CatalogMalformed),
        (b'{"type": "Topology"}', CatalogMalformed),
        (collection(feature())[:-30], CatalogTruncated),
        (b'{"metadata": {"status": 400, "error": "Unknown parameter"}}', CatalogRefused),
    ],
)
def test_a_body_that_is_no_feature_collection_is_an_error(body, error):
    with pytest.raises(error):
        parse_geojson(body, READ_AT)


def test_a_message_stays_short_whatever_the_body_names():
    with pytest.raises(CatalogMalformed) as told:
        parse_geojson(json.dumps({"features" * 5000: [], "\ud800": 1}).encode(), READ_AT)
    assert len(str(told.value)) < 300 and str(told.value).encode()


@pytest.mark.parametrize(("body", "count"), [(b"17", 17), (b"17\n", 17), (b'{"count":17,"maxAllowed":20000}', 17), (b"0", 0)])
def test_count_in_both_spellings(body, count):
    assert parse_count(body) == count


@pytest.mark.parametrize(
    "body", [b"", b"many", b"<html>", b'{"count": null}', b"-3", b"9" * 5000, b"99999999999", b'{"maxAllowed": 20000}']
)
def test_a_count_that_is_no_number_is_an_error(body):
    with pytest.raises(CatalogMalformed):
        parse_count(body)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "rows", "legal"),
    [  # rows = lines of the recorded body less the header
        ("allday_2023-10-23T1536_backend_A.csv", 187, 187),
        ("allday_2023-10-23T1646_backend_B_stale.csv", 115, 115),
        ("allday_2024-01-01T09_noto.csv", 231, 231),
        ("allday_2024-10-07_epoch1970_corrupt_timestamps.csv", 201, 0),
        ("allday_2024-12-05_us7000nw7b_M7_before_id_change.csv", 300, 300),
        ("allday_2024-12-05_nc75095651_M7_after_id_change.csv", 331, 331),
    ],
)
def test_recorded_bodies(shared_data, name, rows, legal):
    parsed = parse_csv((shared_data / "feed_incidents" / name).read_bytes(), datetime(2024, 12, 31, tzinfo=UTC))
    assert (parsed.rows, len(parsed.revisions)) == (rows, legal)
    assert len(parsed.quarantined) == rows - legal
