"""What holds for every body and every question, not only for those somebody thought of."""

import json
import math
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from forecaster.catalog.query import Query, Region, ceil_second, floor_second
from forecaster.catalog.rows import only_asked
from forecaster.catalog.usgs_parse import parse_count, parse_csv, parse_geojson
from forecaster.errors import CatalogError
from tests.faults.bodies import READ_AT, Body, check, collection, feature, judged
from tests.support.usgs_answers import HEADER

ANY_TEXT = st.text(st.characters(), max_size=30)  # half surrogates, too
NUMBERS = st.one_of(st.integers(), st.floats(), st.integers(-(10**400), 10**400))
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, ANY_TEXT)
VALUES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(ANY_TEXT, inner, max_size=4)), max_leaves=12
)
NAMES = st.sampled_from(["mag", "place", "time", "updated", "status", "net", "ids", "magType", "type"])
MOMENTS = st.datetimes(datetime(2023, 1, 1), datetime(2023, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - a bound of hypothesis


def written(document: object) -> bytes:
    return json.dumps(document).encode()


@settings(max_examples=80, deadline=None)
@given(VALUES)
def test_every_json_becomes_rows_or_a_documented_error(document):
    for fmt in ("geojson", "count"):
        judged(Body(fmt, written(document), ()))


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(NAMES, VALUES, max_size=4), VALUES, VALUES)
def test_every_feature_becomes_a_row_or_a_reason(properties, geometry, event_id):
    odd = feature(1, **properties)
    for changed in (odd, odd | {"geometry": geometry}, odd | {"id": event_id}):
        parsed = parse_geojson(written(collection(changed, feature(2))), READ_AT)
        check(parsed)
        assert parsed.rows == 2 and "us2" in set(parsed.revisions["event_id"])


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_every_row_of_bytes_becomes_rows_or_a_documented_error(noise):
    judged(Body("csv", HEADER.encode() + b"\n" + noise, ()))
    for fmt in ("csv", "geojson", "count"):
        judged(Body(fmt, noise, ()))


@settings(max_examples=60, deadline=None)
@given(
    st.floats(-5, 10),
    st.floats(-90, 90),
    st.floats(-180, 180),
    st.floats(-100, 1000),
    st.integers(31_536_000_000, int(READ_AT.timestamp()) * 1000),
    st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=40),
)
def test_a_legal_row_comes_back_as_it_was_told(magnitude, latitude, longitude, depth, time, place):
    told = feature(1, mag=magnitude, time=time, updated=time, place=place) | {"geometry": {"coordinates": [longitude, latitude, depth]}}
    row = parse_geojson(written(collection(told)), READ_AT).revisions.iloc[0]
    assert (row["magnitude"], row["latitude_deg"], row["longitude_deg"], row["depth_km"]) == (magnitude, latitude, longitude, depth)
    assert row["origin_time"].value == time * 1_000_000 and row["place"] == place.strip()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**25))
def test_a_count_is_read_as_it_is_or_refused(number):
    try:
        assert parse_count(str(number).encode()) == number
    except CatalogError:
        assert number >= 20_000


def as_the_service_asks(query: Query, time: datetime, updated: datetime, magnitude: float, latitude: float, longitude: float) -> bool:
    """Whether the service would choose such an event: bounds included, and cut to whole seconds."""
    west, east = query.region.min_longitude_deg, query.region.max_longitude_deg
    return (
        floor_second(query.start) <= time <= ceil_second(query.end)
        and magnitude >= query.min_magnitude
        and query.region.min_latitude_deg <= latitude <= query.region.max_latitude_deg
        and (longitude - west) % 360 <= east - west
        and (query.updated_after is None or updated >= floor_second(query.updated_after))
    )


QUERIES = st.builds(
    lambda start, hours, magnitude, south, height, west, width, since: Query(
        start, start + timedelta(hours=hours), magnitude, Region(south, south + height, west, west + width), since, include_deleted=True
    ),
    MOMENTS,
    st.floats(0.1, 2000),
    st.floats(2, 7),
    st.floats(-80, 50),
    st.floats(1, 30),
    st.floats(-180, 179),
    st.floats(1, 180),
    st.none() | MOMENTS,
)


@settings(max_examples=80, deadline=None)
@given(QUERIES, st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 3), st.floats(0, 400))
def test_no_row_that_the_service_would_choose_lies_outside_the_question(query, when, north, east, above, later):
    region = query.region
    time = query.start + (query.end - query.start) * when
    updated = max(time, query.updated_after or time) + timedelta(hours=later)
    latitude = region.min_latitude_deg + (region.max_latitude_deg - region.min_latitude_deg) * north
    longitude = region.min_longitude_deg + (region.max_longitude_deg - region.min_longitude_deg) * east
    longitude = longitude - 360 if longitude > 180 else longitude
    magnitude = min(10.0, query.min_magnitude + above)
    told = feature(1, mag=magnitude, time=math.floor(time.timestamp() * 1000), updated=math.ceil(updated.timestamp() * 1000))
    told["geometry"] = {"coordinates": [longitude, latitude, 10]}
    parsed = parse_geojson(written(collection(told)), datetime(2024, 12, 31, tzinfo=UTC))
    assert len(only_asked(parsed, query, "x").revisions) == 1


@settings(max_examples=80, deadline=None)
@given(QUERIES, MOMENTS, MOMENTS, st.floats(-2, 9), st.floats(-90, 90), st.floats(-180, 180))
def test_what_lies_outside_the_question_would_not_have_been_chosen(query, time, updated, magnitude, latitude, longitude):
    told = feature(1, mag=magnitude, time=int(time.timestamp() * 1000), updated=int(updated.timestamp() * 1000))
    told["geometry"] = {"coordinates": [longitude, latitude, 10]}
    found = only_asked(parse_geojson(written(collection(told)), READ_AT + timedelta(days=400)), query, "x")
    if len(found.revisions) == 0:
        assert not as_the_service_asks(query, time, updated, magnitude, latitude, longitude)
    deleted = only_asked(parse_geojson(written(collection(told | {"properties": {"status": "deleted"}})), READ_AT), query, "x")
    assert len(deleted.revisions) == 1


@settings(max_examples=60, deadline=None)
@given(st.lists(ANY_TEXT, min_size=1, max_size=8))
def test_every_csv_row_of_texts_becomes_rows_or_a_documented_error(fields):
    line = ",".join('"' + field.replace('"', '""') + '"' for field in fields)
    try:
        check(parse_csv(f"{HEADER}\n{line}\n".encode("utf-8", "surrogatepass"), READ_AT))
    except CatalogError as error:
        assert "\n" not in str(error)
