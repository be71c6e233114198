"""Bodies of the event service become rows or reasons.

The bodies in tests/support/incidents are written by hand to the shapes of the project's notes on the service; those in
the shared folder are the recorded ones. What each mutation would do: taking 1970 for a time, a cut row for a whole one,
a blank magnitude for 0, or longitude 190 for itself makes one of these tests fail.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from forecaster.catalog.parse import parse_count, parse_csv, parse_geojson
from forecaster.catalog.revisions import QUARANTINE_COLUMNS, REVISION_COLUMNS
from forecaster.errors import CatalogMalformed, CatalogRefused, CatalogTruncated

INCIDENTS = Path(__file__).resolve().parents[2] / "support" / "incidents"
READ_AT = datetime(2024, 1, 2, tzinfo=UTC)
IN_OCTOBER = datetime(2024, 10, 8, tzinfo=UTC)
ROW = (
    '2024-01-01T07:10:09.476Z,37.5,137.2,10,7.5,mww,,,,,us,us6000m0xl,2024-01-01T08:00:00.040Z,"Noto, Japan",earthquake,,,,,reviewed,us,us'
)


def header() -> str:
    return (INCIDENTS / "bad_rows.csv").read_text().splitlines()[0]


def feature(**changes: object) -> dict:
    properties = {"mag": 5.0, "place": "x", "time": 1_704_093_009_476, "updated": 1_704_096_000_040, "status": "reviewed"}
    properties |= {"net": "us", "ids": ",us1,nc2,", "magType": "mb", "type": "earthquake"} | changes
    return {"type": "Feature", "properties": properties, "geometry": {"coordinates": [140, 35, 10]}, "id": "us1"}


def collection(*features: object) -> bytes:
    metadata = {"status": 200, "count": len(features)}
    return json.dumps({"type": "FeatureCollection", "metadata": metadata, "features": features}).encode()


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
        "three days ahead": "origin time over a day after it was read",
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
        ({"time": 1_704_412_800_000}, "origin time over a day after it was read"),  # 2024-01-05
        ({"updated": 2000}, "updated time is of 1970"),
        ({"updated": 1e30}, "updated time missing or unreadable"),
    ],
)
def test_bad_features_are_kept_apart(changes, reason):
    parsed = parse_geojson(collection(feature(**changes), feature()), READ_AT)
    assert parsed.quarantined["reason"].tolist() == [reason]
    assert len(parsed.revisions) == 1


def test_an_origin_23_hours_ahead_is_legal_and_a_missing_magnitude_too():
    parsed = parse_geojson(collection(feature(time=1_704_236_400_000, mag=None)), READ_AT)  # 2024-01-02T23:00Z
    assert parsed.quarantined.empty
    assert parsed.revisions["magnitude"].isna().all()


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


@pytest.mark.parametrize(("body", "count"), [(b"17", 17), (b"17\n", 17), (b'{"count":17,"maxAllowed":20000}', 17), (b"0", 0)])
def test_count_in_both_spellings(body, count):
    assert parse_count(body) == count


@pytest.mark.parametrize("body", [b"", b"many", b"<html>", b'{"count": null}', b"-3", b'{"maxAllowed": 20000}'])
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
