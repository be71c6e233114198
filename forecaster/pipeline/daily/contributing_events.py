"""Which earthquakes drive a forecast: what the model would say of the same day if one of them had not been."""

import logging
from datetime import UTC
from typing import Any, Literal

import numpy as np

from forecaster.features.events import Events
from forecaster.features.geometry import KM_PER_DEGREE, great_circle_km
from forecaster.features.windows import TargetDays
from forecaster.models.interface import Forecaster
from forecaster.pipeline.as_of.as_known import Known, reach_km
from forecaster.recipe import Recipe
from forecaster.timewindow import DAY_US, from_us

log = logging.getLogger(__name__)

CANDIDATES = 10
NAMED = 5
LEAST_CHANGE = 0.01  # of the probability, for an earthquake to be named
LOOK_BACK_DAYS = 730
RECENT_DAYS = 30
NEAR_KM = 500.0
SAME = 1e-6
SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")


def drivers_of(
    model: Forecaster, recipe: Recipe, known: Known, days: TargetDays, reference: np.ndarray, probability: float
) -> dict[str, Any]:
    """What of the last two years' earthquakes the model's `probability` of the one day in `days` rests on; JSON-able.

    Returns:
        drivers: up to NAMED earthquakes, the most telling first: event_id, origin_time, magnitude, latitude_deg, longitude_deg, depth_km,
            distance_km (from the centre), place, and `without`: what the model says where this one is taken out of its inputs. Only those
            that raise the probability by a hundredth of it or more.
        without_recent: what it says without any earthquake of the last RECENT_DAYS days.
        Empty where the inputs near the circle do not give the same probability (which is logged).
    """
    seen = _near(known, recipe, int(days.cut_us[0]))
    said = float(model.probability(seen, days, reference)[0])
    if not abs(said - probability) <= SAME * probability:
        log.warning("%s: what drives the forecast cannot be told: %g from the inputs near by, %g from all", recipe.id, said, probability)
        return {}
    age_days = (int(days.cut_us[0]) - seen.origin_time_us) / DAY_US
    distance_km = great_circle_km(recipe.predict_center_lat, recipe.predict_center_lng, seen.latitude_deg, seen.longitude_deg)

    def without(gone: np.ndarray) -> float:
        return float(model.probability(seen.take(~gone), days, reference)[0])

    told = []
    for index in _candidates(seen, age_days, distance_km, recipe):
        gone = np.zeros(len(seen), dtype=bool)
        gone[index] = True
        left = without(gone)
        if said - left >= LEAST_CHANGE * said:
            told.append({**_facts(seen, int(index), known), "distance_km": float(distance_km[index]), "without": left})
    told.sort(key=lambda driver: (driver["without"], driver["event_id"]))
    recent = age_days <= RECENT_DAYS
    return {"drivers": told[:NAMED], "without_recent": without(recent) if recent.any() else said}


def _near(known: Known, recipe: Recipe, cut_us: int) -> Events:
    """The versions visible at the cut that a model of this circle can see."""
    reach = reach_km(recipe)
    seen = known.inputs.visible(cut_us)
    seen = seen.take(np.abs(seen.latitude_deg - recipe.predict_center_lat) <= reach / KM_PER_DEGREE)
    away = great_circle_km(recipe.predict_center_lat, recipe.predict_center_lng, seen.latitude_deg, seen.longitude_deg)
    return seen.take(away <= reach)


def _row_of(seen: Events, index: int, latest: Events) -> int:
    """The row of `latest` that is this very version of an earthquake; -1 where none is."""
    time_us, version = seen.origin_time_us[index], _version(seen, index)
    first, end = (int(np.searchsorted(latest.origin_time_us, time_us, side=side)) for side in SIDES)
    return next((row for row in range(first, end) if _version(latest, row) == version), -1)


def _version(events: Events, index: int) -> tuple[float, float, float]:
    return float(events.latitude_deg[index]), float(events.longitude_deg[index]), float(events.magnitude[index])


def _candidates(seen: Events, age_days: np.ndarray, distance_km: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Indices of the earthquakes that may matter most by rule of thumb: Utsu's productivity, Omori's decay, distance beyond the rim."""
    beyond = np.maximum(distance_km - recipe.radius_km, 0.0)
    weight = 10.0 ** (seen.magnitude - recipe.threshold_mag) / (np.maximum(age_days, 0.0) + 0.1) / (1.0 + (beyond / 50.0) ** 2)
    weight[(age_days > LOOK_BACK_DAYS) | (beyond > NEAR_KM)] = 0.0
    first = np.argsort(-weight, kind="stable")[:CANDIDATES]
    chosen: np.ndarray = first[weight[first] > 0.0]
    return chosen


def _facts(seen: Events, index: int, known: Known) -> dict[str, Any]:
    row = _row_of(seen, index, known.events)
    place = known.frame["place"].iloc[row] if row >= 0 else None
    depth_km = float(seen.depth_km[index])
    return {
        "event_id": str(known.frame["event_id"].iloc[row]) if row >= 0 else "",
        "origin_time": f"{from_us(int(seen.origin_time_us[index])).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "magnitude": float(seen.magnitude[index]),
        "latitude_deg": float(seen.latitude_deg[index]),
        "longitude_deg": float(seen.longitude_deg[index]),
        "depth_km": depth_km if np.isfinite(depth_km) else None,
        "place": place if isinstance(place, str) else None,
    }
