"""What must be said beside a headline so that nobody takes a figure for more than it is."""

from collections.abc import Sequence
from typing import Any

from forecaster.features.geometry import great_circle_km
from forecaster.reports.combined import trust_phrases
from forecaster.reports.contract import PooledSkill, RecentEvent, RecipeForecast
from forecaster.reports.words import Phrase

LARGE_MAGNITUDE = 6.0
AFTERSHOCK_REACH_KM = 100.0
NAMED_PLACES = 5
HEADLINES = 3  # regions above their usual rate that the top of a report names


def cautions(rows: Sequence[dict[str, Any]], notable: Sequence[dict[str, Any]], skill: PooledSkill | None) -> list[Phrase]:
    """Said beside the headlines: how far their figures may be trusted, and usual rates that do not know of a large earthquake nearby.

    Args:
        rows: of the report's table; `notable` those above their usual rate, the highest first. skill: of the combination.
    """
    said = trust_phrases(notable[:HEADLINES], skill)
    unheard = [row for row in rows if row["unheard"] is not None]
    if unheard:
        names = tuple(f"{row['name']} (M {row['unheard'][0]:.1f})" for row in unheard[:NAMED_PLACES])
        more = (Phrase("list.more"),) if len(unheard) > NAMED_PLACES else ()
        said.append(Phrase("caution.unheard", {"names": (*names, *more)}))
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
