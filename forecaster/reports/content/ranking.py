"""Which places stand out, and the order of all places: by the ratio to the usual rate, and by large earthquakes nearby. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from forecaster.features.geometry import great_circle_km
from forecaster.registry.model_kinds import KINDS, kinds_where
from forecaster.reports.content.contract import ModelForecast, RecentEvent, RecipeForecast
from forecaster.reports.numbers_as_text import NOTABLE, known_probability, ratio_to_usual

LARGE_MAGNITUDE = 6.0
AFTERSHOCK_REACH_KM = 100.0
RATE = "climatology"


class Struck(NamedTuple):
    """A large recent earthquake at or near a place."""

    magnitude: float
    distance_km: float
    at: datetime


def struck_by(recipe: RecipeForecast, events: Sequence[RecentEvent]) -> Struck | None:
    """Return the largest recent earthquake that affects the place.

    It has M 6 or more and exceeds the threshold by at least one unit, within the circle or 100 km around it.
    """
    large = [event for event in events if event.magnitude >= max(LARGE_MAGNITUDE, recipe.threshold_mag + 1.0)]
    found = [
        Struck(event.magnitude, float(great_circle_km(recipe.lat, recipe.lng, event.latitude_deg, event.longitude_deg)), event.origin_time)
        for event in large
    ]
    near = [one for one in found if one.distance_km <= recipe.radius_km + AFTERSHOCK_REACH_KM]
    return max(near, key=lambda one: (one.magnitude, -one.distance_km)) if near else None


def unheard_event(recipe: RecipeForecast, events: Sequence[RecentEvent]) -> Struck | None:
    """Return the same earthquake where the published forecast is the usual rate, which does not account for it; else None."""
    return struck_by(recipe, events) if recipe.model_kind == RATE else None


def hearing_model(recipe: RecipeForecast) -> ModelForecast | None:
    """Return the first model by `Kind.event_rank` that accounts for single earthquakes and has a forecast, published or not."""
    with_forecast = {model.kind: model for model in recipe.models if known_probability(model.probability) is not None}
    hearing = sorted(kinds_where(lambda kind: kind.event_rank), key=lambda kind: KINDS[kind].event_rank)
    return next((with_forecast[kind] for kind in hearing if kind in with_forecast), None)


def in_order(recipes: Sequence[RecipeForecast], events: Sequence[RecentEvent] = ()) -> list[RecipeForecast]:
    """Return the recipes sorted by ratio, the highest first, unknown ratios last.

    Where the usual rate is published despite a large earthquake, the ratio of `hearing_model` is used, and at least the ratio from which a
    place stands out. Where no such model has a forecast, the place comes first.
    """

    def key(recipe: RecipeForecast) -> tuple[float, float, float, str]:
        ratio = ratio_to_usual(recipe.probability, recipe.reference_probability)
        probability = known_probability(recipe.probability)
        struck = unheard_event(recipe, events)
        if struck is not None:
            model = hearing_model(recipe)
            heard = ratio_to_usual(model.probability, recipe.reference_probability) if model else None
            ratio = float("inf") if heard is None else max(heard, NOTABLE)
        return (
            -1.0 if ratio is None else ratio,
            struck.magnitude if struck else 0.0,
            -1.0 if probability is None else probability,
            recipe.recipe_id,
        )

    return sorted(recipes, key=key, reverse=True)


def is_notable(row: dict[str, Any]) -> bool:
    """Return whether a row is above its usual rate, or struck by a large earthquake that its probability does not account for."""
    return row["unheard"] is not None or (row["ratio_value"] is not None and row["ratio_value"] >= NOTABLE)


def is_as_usual(row: dict[str, Any]) -> bool:
    """Return whether a row shares one line with similar rows: it has a probability, near or below its usual rate."""
    return row["ratio_value"] is not None and not is_notable(row)
