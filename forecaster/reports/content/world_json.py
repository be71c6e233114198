"""The JSON form of the world map's first places, in the webhook."""

from typing import Any

from forecaster.reports.content.contract import WorldExtract
from forecaster.reports.numbers_as_text import known_probability, ratio_to_usual


def world_json(world: WorldExtract | None) -> dict[str, Any] | None:
    """Return day (of UTC), magnitude, radius_km, cells and `places`, the highest ratio first; None where no map was made."""
    if world is None:
        return None
    places = [
        {
            "name": place.name,
            "lat": place.lat,
            "lng": place.lng,
            "probability": known_probability(place.probability),
            "usual_probability": known_probability(place.usual),
            "ratio_to_usual": ratio_to_usual(place.probability, place.usual),
        }
        for place in world.places
    ]
    return {
        "day": world.day.isoformat(),
        "magnitude": world.magnitude,
        "radius_km": world.radius_km,
        "cells": world.cells,
        "places": places,
    }
