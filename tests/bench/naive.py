"""The same work as somebody would first write it: plain loops, the obvious call. Each stage checks that both ways agree."""

import csv
import io
import math
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from forecaster.features.events import Events
from forecaster.features.windows import TargetDays
from forecaster.recipe import Recipe


def events_in_circle(events: Events, recipe: Recipe) -> int:
    """How many events make a target, by a loop over all of them."""
    lat0, lon0 = math.radians(recipe.predict_center_lat), math.radians(recipe.predict_center_lng)
    found = 0
    for lat, lon, magnitude in zip(events.latitude_deg.tolist(), events.longitude_deg.tolist(), events.magnitude.tolist(), strict=True):
        if magnitude < recipe.threshold_mag:
            continue
        phi, lam = math.radians(lat), math.radians(lon)
        half = math.sin((phi - lat0) / 2) ** 2 + math.cos(lat0) * math.cos(phi) * math.sin((lam - lon0) / 2) ** 2
        if 2 * 6371.0088 * math.asin(math.sqrt(min(half, 1.0))) <= recipe.radius_km:
            found += 1
    return found


def csv_rows(body: str) -> list[tuple[datetime, float, float, float]]:
    """(time, latitude, longitude, magnitude) of each row, by the csv module."""
    return [
        (datetime.fromisoformat(row["time"]), float(row["latitude"]), float(row["longitude"]), float(row["mag"]))
        for row in csv.DictReader(io.StringIO(body))
    ]


def midnights(zone: ZoneInfo, first: date, count: int) -> list[int]:
    """Microseconds since the epoch of local midnights, one by one."""
    found = []
    for number in range(count):
        local = datetime.combine(first + timedelta(days=number), time(0), tzinfo=zone)
        found.append(int(local.astimezone(UTC).timestamp()) * 1_000_000)
    return found


def window_counts(events: Events, lat_edges: np.ndarray, lon_edges: np.ndarray, days: TargetDays) -> np.ndarray:
    """(n, window_days, lats, lons): how many events lie in each cell and day of each window, by a loop over windows, days and events."""
    out = np.zeros((len(days), days.window_days, len(lat_edges) - 1, len(lon_edges) - 1))
    ends = days.day_ends_us
    for j in range(len(days)):
        for k in range(days.window_days):
            first, last = np.searchsorted(events.origin_time_us, [days.day_starts_us[j, k], ends[j, k]])
            for i in range(int(first), int(last)):
                if not events.known_at_us[i] <= days.cut_us[j] < events.known_until_us[i]:
                    continue
                row = int(np.searchsorted(lat_edges, events.latitude_deg[i], side="right")) - 1
                column = int(np.searchsorted(lon_edges, events.longitude_deg[i], side="right")) - 1
                if 0 <= row < out.shape[2] and 0 <= column < out.shape[3]:
                    out[j, k, row, column] += 1
    return out
