"""What must be said beside a headline so that nobody takes a figure for more than it is."""

from collections.abc import Sequence
from typing import Any

from forecaster.features.geometry import great_circle_km
from forecaster.reports.contract import RecentEvent, RecipeForecast
from forecaster.reports.words import Phrase

LARGE_MAGNITUDE = 6.0
AFTERSHOCK_REACH_KM = 100.0
NAMED_PLACES = 5


def cautions(rows: Sequence[dict[str, Any]], notable: Sequence[dict[str, Any]]) -> list[Phrase]:
    """Said beside the headline: a ratio whose model has shown no skill, and usual rates that do not know of a large earthquake nearby.

    Args:
        rows: of the report's table; `notable` those above their usual rate, the highest first.
    """
    said = []
    if notable and notable[0]["model_kind"] != "climatology":
        evaluation = notable[0]["evaluation"]
        if evaluation is None or evaluation["verdict"].key != "verdict.better":
            said.append(Phrase("caution.unproven", {"name": notable[0]["name"]}))
    unheard = [row for row in rows if row["unheard"] is not None]
    if unheard:
        names = ", ".join(f"{row['name']} (M {row['unheard'][0]:.1f})" for row in unheard[:NAMED_PLACES])
        said.append(Phrase("caution.unheard", {"names": names, "more": "" if len(unheard) <= NAMED_PLACES else ", …"}))
    return said


def unheard_event(recipe: RecipeForecast, events: Sequence[RecentEvent]) -> tuple[float, float] | None:
    """(magnitude, distance in km) of the largest recent earthquake that matters here and that the published usual rate knows nothing of."""
    if recipe.model_kind != "climatology":
        return None
    large = [event for event in events if event.magnitude >= max(LARGE_MAGNITUDE, recipe.threshold_mag + 1.0)]
    distances_km = [float(great_circle_km(recipe.lat, recipe.lng, event.latitude_deg, event.longitude_deg)) for event in large]
    near = [
        (event.magnitude, distance_km)
        for event, distance_km in zip(large, distances_km, strict=True)
        if distance_km <= recipe.radius_km + AFTERSHOCK_REACH_KM
    ]
    return max(near, key=lambda found: (found[0], -found[1])) if near else None
