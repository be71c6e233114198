"""The places of the world map farthest above their usual rate, for a report and for the map's own page. Pure."""

from typing import Any

from forecaster.places import place_name
from forecaster.reports.content.contract import WorldExtract, WorldPlace
from forecaster.reports.dates_as_text import Writer
from forecaster.reports.numbers_as_text import Phrase, level_of, plain, probability_pair, ratio_text


def place_line(place: WorldPlace, writer: Writer) -> dict[str, Any]:
    """Return the names for a template.

    They are: name (of the place, or its coordinates), where, probability and usual (in the same notation), ratio and level.
    """
    chance, usual = probability_pair(place.probability, place.usual)
    ratio = place.probability / place.usual
    return {
        "name": plain(writer.place(place.name) or place_name(place.lat, place.lng)),
        "place_is_english": bool(place.name) and writer.place(place.name) == place.name,
        "where": place_name(place.lat, place.lng),
        "probability": chance,
        "usual": usual,
        "ratio": ratio_text(ratio),
        "level": level_of(ratio),
    }


def world_part(world: WorldExtract | None, writer: Writer) -> dict[str, Any] | None:
    """Return a report's part on the world map; None where it has none."""
    if world is None or not world.places:
        return None
    first = place_line(world.places[0], writer)
    return {
        "summary": Phrase("world.first", {"place": first["name"], "ratio": first["ratio"], "probability": first["probability"]}),
        "day": writer(world.day),
        "magnitude": f"{world.magnitude:g}",
        "radius": f"{world.radius_km:g}",
        "cells": world.cells,
        "places": [place_line(place, writer) for place in world.places],
    }
