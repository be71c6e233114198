"""Distances and circles. Sources: one degree of the mean sphere is 2 pi 6371.0088 / 360 = 111.19508 km; other cases are worked by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecaster.features.events import Events
from forecaster.features.geometry import KM_PER_DEGREE, circle_box, great_circle_km, in_circle, wrap_longitude

latitudes = st.floats(-90, 90)
longitudes = st.floats(-180, 180)


@pytest.mark.parametrize(
    ("lat0", "lon0", "lat", "lon", "degrees"),
    [
        (0.0, 0.0, 1.0, 0.0, 1.0),
        (0.0, 10.0, 0.0, 11.0, 1.0),
        (60.0, 0.0, 60.0, 180.0, 60.0),  # over the pole, not along the parallel
        (0.0, 179.5, 0.0, -179.5, 1.0),  # across the date line
        (90.0, 0.0, -90.0, 77.0, 180.0),
        (-20.0, -174.5, -20.0, 185.5, 0.0),  # the same meridian, written twice
    ],
)
def test_distance_in_degrees_of_arc(lat0: float, lon0: float, lat: float, lon: float, degrees: float) -> None:
    """Swapping latitude and longitude, or forgetting cos(lat), fails the third row: 60 N by 180 degrees is 60 degrees of arc."""
    assert great_circle_km(lat0, lon0, lat, lon) == pytest.approx(degrees * 111.19508, abs=1e-3)


@settings(deadline=None)
@given(latitudes, longitudes, latitudes, longitudes)
def test_distance_is_that_of_the_chord(lat0: float, lon0: float, lat: float, lon: float) -> None:
    """An independent formula: the angle between two unit vectors, by half the chord."""

    def unit(la: float, lo: float) -> np.ndarray:
        la, lo = np.radians(la), np.radians(lo)
        return np.array([np.cos(la) * np.cos(lo), np.cos(la) * np.sin(lo), np.sin(la)])

    half_chord = np.linalg.norm(unit(lat0, lon0) - unit(lat, lon)) / 2
    assert great_circle_km(lat0, lon0, lat, lon) == pytest.approx(2 * 6371.0088 * np.arcsin(min(half_chord, 1.0)), abs=1e-3)


def test_circle_includes_its_rim_and_crosses_the_date_line(recipe) -> None:
    """Radius 3 degrees about 0 N 179 W. A circle cut at the date line, or lat/lon swapped, fails."""
    rim = recipe("tonga", predict_center_lat=0.0, predict_center_lng=-179.0, predict_radius_meters=3 * KM_PER_DEGREE * 1000 + 0.001)
    lat = np.array([0.0, 0.0, 0.0, 3.0, 3.001, -3.0])
    lon = np.array([178.0, 177.999, -176.0, -179.0, -179.0, 181.0])
    assert in_circle(rim, lat, lon).tolist() == [True, False, True, True, False, True]


@pytest.mark.parametrize(("lat", "lon"), [(35.0, 139.0), (0.0, 179.9), (-89.5, 20.0), (64.0, -180.0)])
@pytest.mark.parametrize("reach_km", [0.001, 150.0, 2200.0, 20_100.0])
def test_events_within_reach_of_a_place_are_those_by_their_distance(lat: float, lon: float, reach_km: float) -> None:
    """2,000 drawn events, and some on the rim itself, give or take a metre."""
    rng = np.random.default_rng(1)
    north = (
        lat + (reach_km + np.array([-0.001, 0.001])) / KM_PER_DEGREE if abs(lat) + reach_km / KM_PER_DEGREE < 90 else np.array([lat, lat])
    )
    latitude = np.concatenate([np.degrees(np.arcsin(rng.uniform(-1, 1, 2000))), north, [lat]])
    longitude = np.concatenate([rng.uniform(-180, 180, 2000), [lon, lon, lon]])
    times = np.arange(len(latitude))
    events = Events(times, times, latitude, longitude, np.full(len(times), 10.0), np.full(len(times), 5.0))
    expected = np.flatnonzero(great_circle_km(lat, lon, latitude, longitude) <= reach_km)
    assert sorted(events.within(lat, lon, reach_km).tolist()) == expected.tolist() and len(expected) > 0


@pytest.mark.parametrize("few", [0, 10_000])
def test_events_near_a_place_have_their_distances_whether_these_are_kept_or_not(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutation that was seen to fail: the distances of the last place, whatever the place."""
    monkeypatch.setattr("forecaster.features.events.FEW", few)
    rng = np.random.default_rng(1)
    times = np.arange(3000)
    latitude, longitude = rng.uniform(30, 50, 3000), rng.uniform(-180, 180, 3000)
    events = Events(times, times, latitude, longitude, np.full(3000, 10.0), rng.uniform(4, 6, 3000))
    for lat, lon in ((40.0, 179.0), (35.0, 139.0), (40.0, 179.0)):
        away = great_circle_km(lat, lon, latitude, longitude)
        for reach_km, magnitude in ((800.0, 5.0), (800.0, -np.inf), (30_000.0, 5.9)):
            rows, found = events.near(lat, lon, reach_km, magnitude)
            assert rows.tolist() == np.flatnonzero((away <= reach_km) & (events.magnitude >= magnitude)).tolist() and len(rows) > 0
            assert found.tolist() == away[rows].tolist()
    assert events.take(np.full(3000, True)) is events


def test_wrap_longitude() -> None:
    assert wrap_longitude(np.array([0.0, 180.0, -180.0, 190.0, -190.0, 359.0, 720.0])).tolist() == [0, -180, -180, -170, 170, -1, 0]


@pytest.mark.parametrize(
    ("lat", "lon", "radius_km", "box"),
    [
        (0.0, 10.0, KM_PER_DEGREE, (-1.0, 1.0, 9.0, 11.0)),
        (0.0, -179.5, KM_PER_DEGREE, (-1.0, 1.0, -180.0, 180.0)),
        (89.5, 20.0, KM_PER_DEGREE, (88.5, 90.0, -180.0, 180.0)),
    ],
)
def test_box_by_hand(recipe, lat: float, lon: float, radius_km: float, box: tuple[float, ...]) -> None:
    chosen = recipe("tokyo", predict_center_lat=lat, predict_center_lng=lon, predict_radius_meters=radius_km * 1000)
    assert circle_box(chosen) == pytest.approx(box, abs=1e-6)


@settings(deadline=None)
@given(st.floats(-89, 89), longitudes, st.floats(1, 2000), st.floats(0, 2 * np.pi))
def test_box_holds_the_circle(recipe, lat: float, lon: float, radius_km: float, bearing: float) -> None:
    """Points on the rim lie in the box. A half width of r / cos(lat) instead of asin(sin r / cos lat) is too small and fails."""
    chosen = recipe("tokyo", predict_center_lat=lat, predict_center_lng=lon, predict_radius_meters=radius_km * 1000)
    reach, la, lo = radius_km / 6371.0088, np.radians(lat), np.radians(lon)
    rim_lat = np.arcsin(np.clip(np.sin(la) * np.cos(reach) + np.cos(la) * np.sin(reach) * np.cos(bearing), -1, 1))
    rim_lon = lo + np.arctan2(np.sin(bearing) * np.sin(reach) * np.cos(la), np.cos(reach) - np.sin(la) * np.sin(rim_lat))
    min_lat, max_lat, min_lon, max_lon = circle_box(chosen)
    assert min_lat - 1e-6 <= np.degrees(rim_lat) <= max_lat + 1e-6
    assert min_lon - 1e-4 <= wrap_longitude(np.degrees(rim_lon)) <= max_lon + 1e-4
