"""Circles around the world as targets. Some train the pooled models; others, which hardly overlap, are used to evaluate models.

Each is an ordinary recipe, made in code: days in UTC, issued at 23:30 of the day before, one day ahead.
"""

from collections.abc import Sequence

import numpy as np

from forecaster.errors import NotTrainable
from forecaster.features.events import Events
from forecaster.features.geometry import KM_PER_DEGREE, great_circle_km
from forecaster.features.overlap import overlaps_with
from forecaster.places import recipe_at
from forecaster.recipe import Recipe

RADII_KM = (150.0, 400.0)
THRESHOLDS = (4.5, 5.0)
SHARE_OF_LOWER_THRESHOLD = 0.75
TARGETS_A_YEAR = (2.0, 150.0)
YEAR_US = 365.25 * 86_400_000_000
CELL_DEGREES = 2.0
TRIES_A_CIRCLE = 40
MAX_OVERLAP = 0.1


def circle_recipe(
    number: int, latitude_deg: float, longitude_deg: float, radius_km: float, threshold_mag: float, prefix: str = "circle"
) -> Recipe:
    """The target "M >= threshold within the circle on a UTC day" as a recipe. Fields that only the ConvLSTM reads are irrelevant here."""
    return recipe_at(latitude_deg, longitude_deg, radius_km, threshold_mag, "UTC", f"{prefix}-{number:04d}", f"Circle {number}")


def world_circles(events: Events, count: int, rng: np.random.Generator) -> list[Recipe]:
    """`count` circles about epicentres drawn from `events`, the catalogue up to the end of the training data.

    An epicentre is drawn with a weight of 1 / sqrt(events in its cell of 2 by 2 degrees), so that the busiest arcs do not dominate. Radii
    are log-uniform over 150-400 km. Three in four circles have threshold 4.5, the others 5.0. A circle is kept if it has 2 to 150 target
    events a year: with fewer a model learns nothing, with more every day is a target day.

    Raises:
        NotTrainable: there are still fewer circles after 40 draws per circle.
    """
    strong = events.take(events.magnitude >= THRESHOLDS[0])
    years = (strong.origin_time_us[-1] - strong.origin_time_us[0]) / YEAR_US if len(strong) > 1 else 0.0
    circles, by_latitude = list[Recipe](), _by_latitude(strong)
    for draw in _draws(strong, count * TRIES_A_CIRCLE, rng) if years > 0 else ():
        latitude, longitude = round(float(strong.latitude_deg[draw]), 2), round(float(strong.longitude_deg[draw]), 2)
        radius_km = round(float(np.exp(rng.uniform(*np.log(RADII_KM)))), 1)
        threshold = THRESHOLDS[0] if rng.random() < SHARE_OF_LOWER_THRESHOLD else THRESHOLDS[1]
        a_year = _count_within(by_latitude, latitude, longitude, radius_km, threshold) / years
        if TARGETS_A_YEAR[0] <= a_year <= TARGETS_A_YEAR[1]:
            circles.append(circle_recipe(len(circles), latitude, longitude, radius_km, threshold))
        if len(circles) == count:
            return circles
    raise NotTrainable(
        f"only {len(circles)} of {count} circles with {TARGETS_A_YEAR[0]:g} to {TARGETS_A_YEAR[1]:g} target events a year were found "
        f"among {len(strong)} events of M {THRESHOLDS[0]:g} and more; ask for fewer, or load more of the catalogue"
    )


def spread_circles(
    events: Events,
    count: int,
    rng: np.random.Generator,
    avoid: Sequence[Recipe] = (),
    most_overlap: float = MAX_OVERLAP,
    prefix: str = "circle",
) -> list[Recipe]:
    """Up to `count` circles that hardly overlap: none shares more than `most_overlap` of the smaller one's area with another or `avoid`.

    Epicentres, radii, thresholds and the wanted number of targets are those of `world_circles`. Every epicentre of `events` is tried once,
    in an order drawn with the same weights. When the epicentres are exhausted there are fewer circles than `count`: check the length. The
    first k circles of a seed are the same for every `count`.
    """
    strong = events.take(events.magnitude >= THRESHOLDS[0])
    years = (strong.origin_time_us.max() - strong.origin_time_us.min()) / YEAR_US if len(strong) > 1 else 0.0
    if not years > 0:
        return []
    order = np.argsort(rng.exponential(size=len(strong)) / _weights(strong), kind="stable")  # drawn by weight, without replacement
    shortest, longest = np.log(RADII_KM)
    radii = np.round(np.exp(rng.uniform(shortest, longest, len(strong))), 1)
    thresholds = np.where(rng.random(len(strong)) < SHARE_OF_LOWER_THRESHOLD, *THRESHOLDS)
    latitude, longitude = np.round(strong.latitude_deg[order], 2), np.round(strong.longitude_deg[order], 2)
    by_latitude = _by_latitude(strong)
    free, taken = np.arange(len(strong)), list[Recipe]()
    for other in avoid:
        free = free[overlaps_with(other, latitude[free], longitude[free], radii[free]) <= most_overlap]
    while len(free) and len(taken) < count:
        place, free = free[0], free[1:]
        where = float(latitude[place]), float(longitude[place]), float(radii[place]), float(thresholds[place])
        if TARGETS_A_YEAR[0] <= _count_within(by_latitude, *where) / years <= TARGETS_A_YEAR[1]:
            taken.append(circle_recipe(len(taken), *where, prefix))
            free = free[overlaps_with(taken[-1], latitude[free], longitude[free], radii[free]) <= most_overlap]
    return taken


def _by_latitude(events: Events) -> np.ndarray:
    """float64 (3, n): latitude, longitude and magnitude, ascending by latitude."""
    return np.stack([events.latitude_deg, events.longitude_deg, events.magnitude])[:, np.argsort(events.latitude_deg, kind="stable")]


def _count_within(events: np.ndarray, latitude_deg: float, longitude_deg: float, radius_km: float, threshold_mag: float) -> int:
    """Number of events of at least this magnitude in a circle.

    events (3, n): as `_by_latitude` returns them, so that only the circle's band of latitudes is searched.
    """
    reach = radius_km / KM_PER_DEGREE + 0.01
    latitude, longitude, magnitude = events[:, slice(*np.searchsorted(events[0], [latitude_deg - reach, latitude_deg + reach]))]
    inside = great_circle_km(latitude_deg, longitude_deg, latitude, longitude) <= radius_km
    return int(np.count_nonzero(inside & (magnitude >= threshold_mag)))


def _draws(events: Events, count: int, rng: np.random.Generator) -> np.ndarray:
    """int64 (count,): indices of events, drawn with their weights."""
    weight = _weights(events)
    return rng.choice(len(events), size=count, p=weight / weight.sum())


def _weights(events: Events) -> np.ndarray:
    """(n,): 1 / sqrt(events in the cell of 2 by 2 degrees)."""
    row = np.floor((events.latitude_deg + 90.0) / CELL_DEGREES)
    column = np.floor((events.longitude_deg + 180.0) / CELL_DEGREES)
    _, cell, in_cell = np.unique(row * 1000 + column, return_inverse=True, return_counts=True)
    return 1.0 / np.sqrt(in_cell[cell])
