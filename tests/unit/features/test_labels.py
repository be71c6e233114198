"""Outcomes of target days."""

from datetime import date

import duckdb
import numpy as np
import pandas as pd
import pytest

from forecaster.features.events import events_from_frame
from forecaster.features.labels import daily_labels
from forecaster.features.windows import target_days

TOKYO = (35.680934, 139.767551)

# Days with the target, 2018-01-01 to 2024-12-30 in UTC days: forecaster-independent figures measured when the project was designed.
TARGET_DAYS = {
    "tokyo-m45": 258,
    "niigata-m45": 25,
    "iwaki-m45": 346,
    "sapporo-m45": 393,
    "sendai-m45": 248,
    "nagoya-m45": 97,
    "nankai-m45": 124,
    "fukuoka-m45": 119,
}
TARGET_DAYS_ABROAD = 2265
ABROAD = [
    "santiago",
    "wellington",
    "jakarta",
    "los-angeles",
    "istanbul",
    "lima",
    "acapulco",
    "tonga",
    "taipei",
    "anchorage",
    "athens",
    "kermadec",
    "manila",
]


def test_day_edges_are_local_and_half_open(recipe, events) -> None:
    """Midnight in Tokyo is 15:00 UTC. An event at the start belongs to the day, one at its end to the next day."""
    catalogue = events(
        ("2024-01-01T14:59:59.999999+00:00", *TOKYO, 10, 5.0),
        ("2024-01-02T15:00:00+00:00", *TOKYO, 10, 4.0),
        ("2024-01-02T15:00:01+00:00", *TOKYO, 10, 6.1),
    )
    happened, largest, count = daily_labels(catalogue, recipe("tokyo"), target_days(recipe("tokyo"), date(2024, 1, 1), 3))
    assert happened.tolist() == [True, False, True]
    assert largest.tolist()[::2] == [5.0, 6.1] and np.isnan(largest[1])
    assert count.tolist() == [1, 0, 2]


def test_threshold_and_circle(recipe, events) -> None:
    """M 4.0 counts at threshold 4.0 and M 3.9 does not; 1.3 degrees north (145 km) is inside 150 km, 1.4 (156 km) is not.
    A point with latitude and longitude swapped (35.68 E) is nowhere near, and fails if the code swaps them, too."""
    lat, lon = TOKYO
    rows = [(lat, lon, 4.0), (lat, lon, 3.9), (lat + 1.3, lon, 5.0), (lat + 1.4, lon, 5.0), (lon - 90, lat, 7.0)]
    days = target_days(recipe("tokyo"), date(2024, 1, 1), 1)
    found = [
        daily_labels(events(("2024-01-01T12:00+09:00", la, lo, 10, magnitude)), recipe("tokyo"), days)[0][0] for la, lo, magnitude in rows
    ]
    assert found == [True, False, True, False, False]


def test_overlapping_windows_of_three_days(recipe, events) -> None:
    """One event on 3 January is in the windows that start on 1, 2 and 3 January."""
    three = recipe("tokyo", predict_range_days=3)
    catalogue = events(("2024-01-03T12:00+09:00", *TOKYO, 10, 5.0))
    happened, _, count = daily_labels(catalogue, three, target_days(three, date(2023, 12, 31), 5))
    assert happened.tolist() == [False, True, True, True, False] and count.sum() == 3


def test_no_events_at_all(recipe, events) -> None:
    happened, largest, count = daily_labels(events(), recipe("tokyo"), target_days(recipe("tokyo"), date(2024, 1, 1), 2))
    assert not happened.any() and np.isnan(largest).all() and count.tolist() == [0, 0]


@pytest.fixture(scope="module")
def real_events(shared_data):
    path = str(shared_data / "comcat_m35_1973_2024.parquet")
    frame = duckdb.sql(f"""
        select origin_time, origin_time as known_at, latitude as latitude_deg, longitude as longitude_deg, depth_km, magnitude
        from '{path}' where origin_time >= '2018-01-01'
    """).df()
    return events_from_frame(frame.assign(**{name: pd.to_datetime(frame[name], utc=True) for name in ("origin_time", "known_at")}))


def test_target_days_of_the_design(recipe, real_events) -> None:
    """Every circle has exactly as many target days as an independent program counted in the same catalogue."""

    def count(recipe_id: str) -> int:
        utc = recipe(recipe_id, time_zone="UTC")
        return int(daily_labels(real_events, utc, target_days(utc, date(2018, 1, 1), 2556))[0].sum())

    assert {recipe_id: count(recipe_id) for recipe_id in TARGET_DAYS} == TARGET_DAYS
    assert sum(map(count, ABROAD)) == TARGET_DAYS_ABROAD
