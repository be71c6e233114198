"""Sequences of earthquakes for ETAS: simulated ones as a catalogue, and a short one by hand."""

import numpy as np

from forecaster.features.events import Events
from forecaster.features.geometry import EARTH_RADIUS_KM, wrap_longitude
from forecaster.models.etas.etas_kernels import Parameters
from forecaster.models.etas.etas_simulation import Points
from forecaster.recipe import Recipe
from forecaster.timewindow import DAY_US

ONE = Parameters(0.5, 0.2, 0.4, 0.8, 0.02, 1.1, 15.0, 1.0, 1.6)


def to_events(points: Points, recipe: Recipe, zero_us: int) -> Events:
    """The points as a catalogue, by origin, known at once; depths 10 km."""
    distance, bearing = np.hypot(points.x_km, points.y_km) / EARTH_RADIUS_KM, np.arctan2(points.x_km, points.y_km)
    lat0, lon0 = np.radians(recipe.predict_center_lat), np.radians(recipe.predict_center_lng)
    sin_lat = np.sin(lat0) * np.cos(distance) + np.cos(lat0) * np.sin(distance) * np.cos(bearing)
    east = np.arctan2(np.sin(bearing) * np.sin(distance) * np.cos(lat0), np.cos(distance) - np.sin(lat0) * sin_lat)
    time_us = zero_us + np.round(points.time_days * DAY_US).astype(np.int64)
    order = np.argsort(time_us, kind="stable")
    lat, lon = np.degrees(np.arcsin(np.clip(sin_lat, -1.0, 1.0))), wrap_longitude(np.degrees(lon0 + east))
    return Events(time_us[order], time_us[order], lat[order], lon[order], np.full(len(points), 10.0), points.magnitude[order])


def sequence(recipe, cut_us, magnitudes, north_km):
    """Earthquakes an hour apart, the last an hour before the cut, `north_km` north of the centre."""
    times = cut_us - (np.arange(len(magnitudes))[::-1] + 1) * DAY_US // 24
    lat = np.full(len(times), recipe.predict_center_lat + north_km / 111.195)
    lon = np.full(len(times), recipe.predict_center_lng)
    return Events(times, times, lat, lon, np.full(len(times), 10.0), np.array(magnitudes))
