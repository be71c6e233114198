"""The same work as somebody would first write it: plain loops, the obvious call. Each stage checks that both ways agree."""

import csv
import io
import math
from bisect import bisect_right
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from forecaster.features.events import Events
from forecaster.features.windows import TargetDays
from forecaster.recipe import Recipe

EARTH_KM = 6371.0088


def events_in_circle(events: Events, recipe: Recipe) -> int:
    """How many events make a target, by a loop over all of them."""
    lat0, lon0 = math.radians(recipe.predict_center_lat), math.radians(recipe.predict_center_lng)
    found = 0
    for lat, lon, magnitude in zip(events.latitude_deg.tolist(), events.longitude_deg.tolist(), events.magnitude.tolist(), strict=True):
        if magnitude < recipe.threshold_mag:
            continue
        phi, lam = math.radians(lat), math.radians(lon)
        half = math.sin((phi - lat0) / 2) ** 2 + math.cos(lat0) * math.cos(phi) * math.sin((lam - lon0) / 2) ** 2
        if 2 * EARTH_KM * math.asin(math.sqrt(min(half, 1.0))) <= recipe.radius_km:
            found += 1
    return found


def events_in_circle_at_once(events: Events, recipe: Recipe) -> int:
    """The same by numpy: the distance of every event, at once."""
    lat0, lon0 = math.radians(recipe.predict_center_lat), math.radians(recipe.predict_center_lng)
    phi, lam = np.radians(events.latitude_deg), np.radians(events.longitude_deg)
    half = np.sin((phi - lat0) / 2) ** 2 + np.cos(lat0) * np.cos(phi) * np.sin((lam - lon0) / 2) ** 2
    distance_km = 2 * EARTH_KM * np.arcsin(np.sqrt(np.minimum(half, 1.0)))
    return int(((distance_km <= recipe.radius_km) & (events.magnitude >= recipe.threshold_mag)).sum())


def csv_rows(body: bytes) -> list[dict[str, Any]]:
    """The rows with the columns that a catalogue needs: times, numbers (NaN where there is none) and texts, none of them checked."""
    return [
        {
            "event_id": row["id"],
            "origin_time": datetime.fromisoformat(row["time"]),
            "latitude_deg": float(row["latitude"]),
            "longitude_deg": float(row["longitude"]),
            "depth_km": float(row["depth"] or "nan"),
            "magnitude": float(row["mag"] or "nan"),
            "magnitude_type": row["magType"],
            "event_type": row["type"],
            "status": row["status"],
            "net": row["net"],
            "place": row["place"],
            "updated_at": datetime.fromisoformat(row["updated"]),
        }
        for row in csv.DictReader(io.StringIO(body.decode()))
    ]


def midnights(zone: ZoneInfo, first: date, count: int) -> list[int]:
    """Microseconds since the epoch of local midnights, one by one."""
    return [int(datetime.combine(first + timedelta(days=n), time(0), tzinfo=zone).timestamp()) * 1_000_000 for n in range(count)]


def windows_as_known(events: Events, lat_edges: np.ndarray, lon_edges: np.ndarray, days: TargetDays) -> np.ndarray:
    """float64 (n, window_days, lats, lons, 3): magnitude of the summed energy, number and mean depth of what was known at each cut.

    By a loop over windows, days and events; their cells are found once. An event outside the edges counts nowhere.
    """
    rows, columns = len(lat_edges) - 1, len(lon_edges) - 1
    lats, lons = lat_edges.tolist(), lon_edges.tolist()
    cells = [
        (bisect_right(lats, lat) - 1, bisect_right(lons, lon) - 1)
        for lat, lon in zip(events.latitude_deg.tolist(), events.longitude_deg.tolist(), strict=True)
    ]
    known_at, known_until = events.known_at_us.tolist(), events.known_until_us.tolist()
    energy, depth = [10 ** (4.8 + 1.5 * m) for m in events.magnitude.tolist()], events.depth_km.tolist()
    sums = np.zeros((len(days), days.window_days, rows, columns, 4))
    firsts = np.searchsorted(events.origin_time_us, days.day_starts_us).tolist()
    lasts = np.searchsorted(events.origin_time_us, days.day_ends_us).tolist()
    for window, cut in enumerate(days.cut_us.tolist()):
        for day in range(days.window_days):
            for number in range(firsts[window][day], lasts[window][day]):
                row, column = cells[number]
                if not (known_at[number] <= cut < known_until[number] and 0 <= row < rows and 0 <= column < columns):
                    continue
                cell = sums[window, day, row, column]
                cell[0] += energy[number]
                cell[1] += 1
                if not math.isnan(depth[number]):
                    cell[2] += depth[number]
                    cell[3] += 1
    magnitude = np.clip((np.log10(np.maximum(sums[..., 0], 10**4.8)) - 4.8) / 1.5, 0, 10)
    return np.stack([magnitude, sums[..., 1], sums[..., 2] / np.maximum(sums[..., 3], 1)], axis=-1)


def windows_of_a_table(table: pd.DataFrame, recipe: Recipe, first: date, count: int) -> np.ndarray:
    """float64 (n, window_days, lats, lons, 3), in 0..1: the same channels for `count` target days from the local `first` on, in the first
    system's way. Rows of the table (index: local time; latitude, longitude, depth, mag) fill a map a day, one after the other; every window
    is a copy of its maps, and all are held. When a row became known is not asked.
    """
    shape = (recipe.lat_granularity, recipe.lng_granularity, 3)
    day, ending = first - timedelta(days=recipe.window_days), first + timedelta(days=count)
    maps = {day + timedelta(days=number): np.zeros(shape) for number in range((ending - day).days)}
    with_depth: dict[tuple[date, int, int], int] = {}
    for moment, row in table.iterrows():
        day = moment.date()
        if day not in maps:
            continue
        i = min(int((row["latitude"] + 90) // (180 / shape[0])), shape[0] - 1)
        j = min(int((row["longitude"] - recipe.predict_center_lng + 180) % 360 // (360 / shape[1])), shape[1] - 1)
        cell = maps[day][i, j]
        energy = 10 ** (4.8 + 1.5 * row["mag"]) + (10 ** (4.8 + 1.5 * cell[0]) if cell[1] else 0.0)
        cell[0] = (math.log10(energy) - 4.8) / 1.5
        cell[1] += 1
        if not math.isnan(row["depth"]):
            before = with_depth.get((day, i, j), 0)
            cell[2] = (cell[2] * before + row["depth"]) / (before + 1)
            with_depth[day, i, j] = before + 1
    held = list(maps.values())
    windows = np.array([np.array(held[number : number + recipe.window_days]) for number in range(count)])
    for channel, largest in enumerate((10.0, 100.0, 500.0)):
        windows[..., channel] = np.clip(windows[..., channel] / largest, 0, 1)
    return windows
