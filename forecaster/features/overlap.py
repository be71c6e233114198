"""Overlap of circles, and the weight of each circle where they overlap.

Distances are in km. Circles are treated as flat discs, which is accurate to 0.5 % of the area up to 400 km.
"""

from collections.abc import Sequence

import numpy as np

from forecaster.features.geometry import EARTH_RADIUS_KM, great_circle_km
from forecaster.recipe import Recipe

POINTS = 1000
GOLDEN_ANGLE = np.pi * (3.0 - np.sqrt(5.0))


def overlap_share(distance_km: np.ndarray, radius_km: np.ndarray | float, other_km: np.ndarray | float) -> np.ndarray:
    """float64, 0..1: the area that two circles share / the area of the smaller one. The three arrays are broadcast together.

    The lens of two discs: Weisstein, Circle-Circle Intersection, https://mathworld.wolfram.com/Circle-CircleIntersection.html, eq. 14.
    """
    distance, one, two = np.broadcast_arrays(np.asarray(distance_km, np.float64), radius_km, other_km)
    small, large = np.minimum(one, two), np.maximum(one, two)
    safe = np.maximum(np.clip(distance, large - small, large + small), 1e-9)
    angle = np.arccos(np.clip((safe**2 + small**2 - large**2) / (2 * safe * small), -1, 1))
    far = np.arccos(np.clip((safe**2 + large**2 - small**2) / (2 * safe * large), -1, 1))
    product = (small + large - safe) * (safe + small - large) * (safe - small + large) * (safe + small + large)
    lens = small**2 * angle + large**2 * far - 0.5 * np.sqrt(np.maximum(product, 0.0))
    share = np.clip(lens / (np.pi * small**2), 0, 1)
    return np.select([distance >= large + small, distance <= large - small], [0.0, 1.0], share)  # exact here; rounding would not be


def overlaps_with(recipe: Recipe, latitude_deg: np.ndarray, longitude_deg: np.ndarray, radius_km: np.ndarray) -> np.ndarray:
    """(n,): `overlap_share` of a recipe's circle with circles of these centres and radii, (n,) each."""
    distance = great_circle_km(recipe.predict_center_lat, recipe.predict_center_lng, latitude_deg, longitude_deg)
    return overlap_share(distance, recipe.radius_km, radius_km)


def overlap_matrix(recipes: Sequence[Recipe]) -> np.ndarray:
    """float64 (n, n): `overlap_share` of every pair of circles, 1 on the diagonal."""
    latitude, longitude, radius = circle_arrays(recipes)
    return np.array([overlaps_with(recipe, latitude, longitude, radius) for recipe in recipes]).reshape(len(recipes), len(recipes))


def tile_weights(recipes: Sequence[Recipe]) -> np.ndarray:
    """float64 (n,), in 0..1: the mean, over a circle's area, of 1 / (number of these circles that contain the point). 1 where none
    overlaps.

    So every square kilometre counts once, however many circles contain it. The mean is taken at 1000 points of a sunflower pattern in each
    circle (Vogel 1979, doi:10.1016/0025-5564(79)90080-4).
    """
    latitude, longitude, radius = circle_arrays(recipes)
    weights = np.ones(len(recipes))
    for number, recipe in enumerate(recipes):
        near = np.flatnonzero(overlaps_with(recipe, latitude, longitude, radius) > 0)
        points = _points_within(recipe)
        held = sum(great_circle_km(latitude[one], longitude[one], *points) <= radius[one] for one in near)
        weights[number] = float(np.mean(1.0 / np.maximum(held, 1)))
    return weights


def circle_arrays(recipes: Sequence[Recipe]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(latitudes and longitudes of the centres in degrees, radii in km), (n,) each."""
    return (
        np.array([recipe.predict_center_lat for recipe in recipes], dtype=np.float64),
        np.array([recipe.predict_center_lng for recipe in recipes], dtype=np.float64),
        np.array([recipe.radius_km for recipe in recipes], dtype=np.float64),
    )


def _points_within(recipe: Recipe) -> tuple[np.ndarray, np.ndarray]:
    """(latitudes, longitudes) of POINTS places that are evenly spread over the circle."""
    order = np.arange(POINTS)
    reach = np.sqrt((order + 0.5) / POINTS) * recipe.radius_km / EARTH_RADIUS_KM
    bearing = order * GOLDEN_ANGLE
    lat0 = np.radians(recipe.predict_center_lat)
    latitude = np.arcsin(np.sin(lat0) * np.cos(reach) + np.cos(lat0) * np.sin(reach) * np.cos(bearing))
    turn = np.arctan2(np.sin(bearing) * np.sin(reach) * np.cos(lat0), np.cos(reach) - np.sin(lat0) * np.sin(latitude))
    return np.degrees(latitude), recipe.predict_center_lng + np.degrees(turn)
