"""Find the earthquakes that contribute most to a forecast: recompute the probability of the same day without each of them."""

import logging
from dataclasses import replace
from datetime import UTC
from typing import Any, Literal

import numpy as np

from forecaster.features.events import NEVER, Events
from forecaster.features.windows import TargetDays
from forecaster.models.interface import AnswersByCut, Forecaster, LeavesEventsOut, bounded
from forecaster.pipeline.as_of.as_known import Known, in_reach
from forecaster.publishing_rule.combined_model import CombinedModel
from forecaster.recipe import Recipe
from forecaster.timewindow import DAY_US, from_us

log = logging.getLogger(__name__)

CANDIDATES = 10
NAMED = 5
LEAST_CHANGE = 0.01  # of the probability; a smaller change is not reported
LOOK_BACK_DAYS = 730
RECENT_DAYS = 30
NEAR_KM = 500.0
SAME = 1e-6
SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")


def drivers_of(
    model: Forecaster, recipe: Recipe, known: Known, days: TargetDays, reference: np.ndarray, probability: float
) -> dict[str, Any]:
    """Find the earthquakes of the last two years that contribute to the model's `probability` of the one day in `days`; JSON-able.

    Returns:
        drivers: up to NAMED earthquakes, largest contribution first: event_id, origin_time, magnitude, latitude_deg, longitude_deg,
            depth_km, distance_km (from the centre), place, and `without`: the probability when this one is removed from the inputs. Only
            those that raise the probability by a hundredth of it or more.
        without_recent: the probability without any earthquake of the last RECENT_DAYS days.
        Empty where the inputs near the circle do not reproduce the probability (this is logged).
    """
    seen = _near(known, recipe, int(days.cut_us[0]))
    age_days = (int(days.cut_us[0]) - seen.origin_time_us) / DAY_US
    distance_km = seen.distance_km(recipe.predict_center_lat, recipe.predict_center_lng)

    candidates = _candidates(seen, age_days, distance_km, recipe)
    recent = age_days <= RECENT_DAYS
    gone = np.zeros((len(candidates) + 2, len(seen)), dtype=bool)  # nothing, each candidate, what is recent
    gone[1 + np.arange(len(candidates)), candidates] = True
    gone[-1] = recent
    whole, *without, without_recent = without_each(model, seen, days, reference, gone).tolist()
    if not abs(whole - probability) <= SAME * probability:
        log.warning("%s: what drives the forecast cannot be told: %g from the inputs near by, %g from all", recipe.id, whole, probability)
        return {}
    drivers = []
    for index, left in zip(candidates, without, strict=True):
        if whole - left >= LEAST_CHANGE * whole:
            drivers.append({**_facts(seen, int(index), known), "distance_km": float(distance_km[index]), "without": left})
    drivers.sort(key=lambda driver: (driver["without"], driver["event_id"]))
    return {"drivers": drivers[:NAMED], "without_recent": without_recent if recent.any() else whole}


def without_each(model: Forecaster, seen: Events, days: TargetDays, reference: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """Compute the probability of the one day in `days` without the events of each row of `gone` (bool (k, n)); returns float64 (k,).

    Members of a combination that can leave events out are called once, and so are those that answer by cut: each row gets its own cut, a
    microsecond after the previous one, at which only its events are unknown. Other members are called row by row.
    """
    if not isinstance(model, CombinedModel):
        return _one_by_one(model, seen, days, reference, gone)
    events, cuts = _at_cuts_of_their_own(seen, int(days.cut_us[0]), gone)
    many, references = replace(days.take(np.zeros(len(gone), dtype=np.int64)), cut_us=cuts), np.repeat(reference, len(gone))

    def ask(member: Forecaster) -> np.ndarray:
        if isinstance(member, LeavesEventsOut):
            return member.probability_without(seen, days, reference, gone)
        if isinstance(member, AnswersByCut):
            return member.probability(events, many, references)
        return _one_by_one(member, seen, days, reference, gone)

    return model.combined({kind: bounded(ask(member)) for kind, member in model.used.items()}, references)


def _one_by_one(model: Forecaster, seen: Events, days: TargetDays, reference: np.ndarray, gone: np.ndarray) -> np.ndarray:
    return np.array([float(model.probability(seen.take(~row), days, reference)[0]) for row in gone])


def _at_cuts_of_their_own(seen: Events, cut_us: int, gone: np.ndarray) -> tuple[Events, np.ndarray]:
    """Return the events in spans such that those in a row of `gone` are unknown at its cut, and the rows' cuts, int64 (k,)."""
    ever_gone = gone.any(axis=0)
    always, some = np.flatnonzero(~ever_gone), np.flatnonzero(ever_gone)
    kept = np.pad(~gone[:, some].T, ((0, 0), (1, 1)))
    of, begin = np.nonzero(kept[:, 1:-1] & ~kept[:, :-2])
    end = np.nonzero(kept[:, 1:-1] & ~kept[:, 2:])[1] + 1
    index = np.concatenate([always, some[of]])
    order = np.argsort(index, kind="stable")  # `seen` is sorted by origin
    known_at_us = np.concatenate([seen.known_at_us[always], np.where(begin == 0, seen.known_at_us[some[of]], cut_us + begin)])
    known_until_us = np.concatenate([np.full(len(always), NEVER), np.where(end == len(gone), NEVER, cut_us + end)])
    spans = replace(seen.take(index[order]), known_at_us=known_at_us[order], known_until_us=known_until_us[order])
    return spans, cut_us + np.arange(len(gone))


def _near(known: Known, recipe: Recipe, cut_us: int) -> Events:
    """Return the event versions visible at the cut that a model of this circle can use."""
    seen = known.inputs.visible(cut_us)
    return seen.take(in_reach(recipe, seen.distance_km(recipe.predict_center_lat, recipe.predict_center_lng), seen.magnitude))


def _row_of(seen: Events, index: int, latest: Events) -> int:
    """Return the row of `latest` that holds this exact version of an earthquake, or -1."""
    time_us, version = seen.origin_time_us[index], _version(seen, index)
    first, end = (int(np.searchsorted(latest.origin_time_us, time_us, side=side)) for side in SIDES)
    return next((row for row in range(first, end) if _version(latest, row) == version), -1)


def _version(events: Events, index: int) -> tuple[float, float, float]:
    return float(events.latitude_deg[index]), float(events.longitude_deg[index]), float(events.magnitude[index])


def _candidates(seen: Events, age_days: np.ndarray, distance_km: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Return the indices of the earthquakes likely to matter most, by a rule of thumb.

    The rule uses Utsu's productivity, Omori's decay, and the distance beyond the rim of the circle.
    """
    beyond = np.maximum(distance_km - recipe.radius_km, 0.0)
    weight = 10.0 ** (seen.magnitude - recipe.threshold_mag) / (np.maximum(age_days, 0.0) + 0.1) / (1.0 + (beyond / 50.0) ** 2)
    weight[(age_days > LOOK_BACK_DAYS) | (beyond > NEAR_KM)] = 0.0
    first = np.argsort(-weight, kind="stable")[:CANDIDATES]
    chosen: np.ndarray = first[weight[first] > 0.0]
    return chosen


def _facts(seen: Events, index: int, known: Known) -> dict[str, Any]:
    row = _row_of(seen, index, known.events)
    event_id, place = known.name(row) if row >= 0 else ("", None)
    depth_km = float(seen.depth_km[index])
    return {
        "event_id": event_id,
        "origin_time": f"{from_us(int(seen.origin_time_us[index])).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "magnitude": float(seen.magnitude[index]),
        "latitude_deg": float(seen.latitude_deg[index]),
        "longitude_deg": float(seen.longitude_deg[index]),
        "depth_km": depth_km if np.isfinite(depth_km) else None,
        "place": place if isinstance(place, str) else None,
    }
