"""Distances on the sphere and the target circle of a recipe. Angles are in degrees, distances in km."""

import math

import numpy as np

from forecaster.recipe import Recipe

EARTH_RADIUS_KM = 6371.0088
KM_PER_DEGREE = math.radians(EARTH_RADIUS_KM)
MARGIN_DEG = 1e-6  # far more than the error of a distance


def great_circle_km(lat0: float, lon0: float, lat: np.ndarray | float, lon: np.ndarray | float) -> np.ndarray:
    """Great-circle distance from (lat0, lon0) to every (lat, lon), by the haversine formula on the mean Earth radius.

    hav(d/R) = hav(lat - lat0) + cos(lat0) cos(lat) hav(lon - lon0). The formula is exact across the date line and near zero. Reference:
    Sinnott, R. W. (1984), Virtues of the haversine, Sky and Telescope 68, 159.
    """
    lat0_rad, lat_rad = math.radians(lat0), np.radians(lat)
    half_lat = (lat_rad - lat0_rad) / 2
    half_lon = np.radians(np.asarray(lon) - lon0) / 2
    haversine = np.sin(half_lat) ** 2 + math.cos(lat0_rad) * np.cos(lat_rad) * np.sin(half_lon) ** 2
    distance_km: np.ndarray = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.minimum(haversine, 1.0)))
    return distance_km


def unit_vectors(latitude_deg: np.ndarray, longitude_deg: np.ndarray) -> np.ndarray:
    """float64 (n, 3): the places on the unit sphere. On it neither the date line nor a pole is special."""
    latitude, longitude = np.radians(latitude_deg), np.radians(longitude_deg)
    return np.column_stack([np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)])


def bearing_rad(lat0: np.ndarray | float, lon0: np.ndarray | float, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Bearing from (lat0, lon0), or from each of them, to every (lat, lon), in radians clockwise from north.

    Together with the distance it is an azimuthal equidistant projection about that point.
    """
    start, end = np.radians(lat0), np.radians(lat)
    east = np.radians(wrap_longitude(lon - lon0))
    bearing: np.ndarray = np.arctan2(np.sin(east) * np.cos(end), np.cos(start) * np.sin(end) - np.sin(start) * np.cos(end) * np.cos(east))
    return bearing


def in_circle(recipe: Recipe, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Bool (n,): which epicentres lie in the target circle, its rim included."""
    inside = in_band(recipe.predict_center_lat, recipe.radius_km, lat)
    band = np.flatnonzero(inside)
    inside[band] = great_circle_km(recipe.predict_center_lat, recipe.predict_center_lng, lat[band], lon[band]) <= recipe.radius_km
    return inside


def in_band(lat0: float, reach_km: float, lat: np.ndarray) -> np.ndarray:
    """Bool (n,): which latitudes may lie within `reach_km` of a place at `lat0`. All others lie farther away."""
    return np.abs(lat - lat0) <= reach_km / KM_PER_DEGREE + MARGIN_DEG


def wrap_longitude(degrees: np.ndarray | float) -> np.ndarray:
    """A longitude, or a difference of two, wrapped to [-180, 180)."""
    return np.mod(np.asarray(degrees, dtype=np.float64) + 180.0, 360.0) - 180.0


def circle_box(recipe: Recipe) -> tuple[float, float, float, float]:
    """(min_lat, max_lat, min_lon, max_lon) that contain the whole target circle.

    Where the circle contains a pole or crosses the date line, longitudes are -180 to 180: the box is never too small.
    """
    min_lat, max_lat, min_lon, max_lon = box_about(recipe.predict_center_lat, recipe.predict_center_lng, recipe.radius_km)
    if min_lon < -180 or max_lon > 180:
        return min_lat, max_lat, -180.0, 180.0
    return min_lat, max_lat, min_lon, max_lon


def box_about(lat: float, lon: float, radius_km: float) -> tuple[float, float, float, float]:
    """(min_lat, max_lat, min_lon, max_lon) that contain the circle of `radius_km`.

    Longitudes are continuous across the date line: they may lie below -180 or above 180. They are -180 to 180 where the circle contains a
    pole. The half width is asin(sin(r) / cos(lat)), the longitude at which a meridian touches the circle.
    """
    reach = radius_km / EARTH_RADIUS_KM
    min_lat, max_lat = lat - math.degrees(reach), lat + math.degrees(reach)
    if min_lat <= -90 or max_lat >= 90:
        return max(min_lat, -90.0), min(max_lat, 90.0), -180.0, 180.0
    half = math.degrees(math.asin(math.sin(reach) / math.cos(math.radians(lat))))
    return min_lat, max_lat, lon - half, lon + half


def boxes_about(lat: np.ndarray, lon: np.ndarray, radius_km: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(min_lat, max_lat, min_lon, max_lon), each (n,), of many circles: like `circle_box`, and so never too small."""
    reach = radius_km / EARTH_RADIUS_KM
    south, north = lat - math.degrees(reach), lat + math.degrees(reach)
    sine = np.sin(reach) / np.maximum(np.cos(np.radians(lat)), 1e-12)
    half = np.degrees(np.arcsin(np.minimum(sine, 1.0)))
    whole = (south <= -90) | (north >= 90) | (lon - half < -180) | (lon + half > 180)
    return np.maximum(south, -90.0), np.minimum(north, 90.0), np.where(whole, -180.0, lon - half), np.where(whole, 180.0, lon + half)
