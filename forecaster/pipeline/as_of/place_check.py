"""Describe where a recipe's circle lies, and check whether its time zone and coordinates agree."""

import pandas as pd

from forecaster import zones
from forecaster.features.geometry import great_circle_km
from forecaster.places import place_name
from forecaster.recipe import Recipe

NEAR_KM = 100.0  # a name from farther away does not describe the place
AT_SEA_HOURS = 3.0  # zones at sea are nominal; a place at sea may use its coast's time


def where_it_lies(recipe: Recipe, frame: pd.DataFrame) -> str:
    """Describe the place: `41.90° N, 12.50° E, 200 km: Italy (Europe/Rome), near "4 km NE of Rome, Italy"`.

    frame: earthquakes with the catalogue's place names, as `Known.frame`; the nearest one gives the name of the centre.
    """
    place = f"{place_name(recipe.predict_center_lat, recipe.predict_center_lng)}, {recipe.radius_km:g} km"
    zone = zones.zone_at(recipe.predict_center_lat, recipe.predict_center_lng)
    land = "at sea" if zone.startswith(zones.AT_SEA) else zones.country_of(zone)
    near = _nearest_name(recipe, frame)
    return f"{place}: {f'{land} ({zone})' if land else zone}{f', near {near!r}' if near else ''}"


def place_warnings(recipe: Recipe) -> list[str]:
    """Return warnings for a zone that is not the place's, or a latitude and a longitude that look swapped."""
    latitude, longitude = recipe.predict_center_lat, recipe.predict_center_lng
    there = zones.zone_at(latitude, longitude)
    at_sea = there.startswith(zones.AT_SEA)
    apart = zones.hours_apart(recipe.time_zone, there)
    fits = apart <= AT_SEA_HOURS if at_sea else apart == 0
    if swapped := _swapped(recipe, at_sea, fits):
        return [swapped]
    if fits:
        return []
    return [f"time_zone {recipe.time_zone} is not that of the place ({there}, {apart:g} hours apart); leave time_zone out to have that one"]


def _swapped(recipe: Recipe, at_sea: bool, fits: bool) -> str | None:
    """Return a warning where swapped coordinates fit better: that place is in the recipe's zone, or on land and this one at sea."""
    latitude, longitude = recipe.predict_center_lat, recipe.predict_center_lng
    if abs(longitude) > 90:
        return None
    other = zones.zone_at(longitude, latitude)
    on_land = not other.startswith((zones.AT_SEA, "Antarctica/"))
    better = on_land and (recipe.time_zone.startswith(zones.AT_SEA) if fits else zones.hours_apart(recipe.time_zone, other) == 0)
    if not better:
        return None
    lies = "at sea" if at_sea else f"in {zones.zone_at(latitude, longitude)}"
    return (
        f"predict_center_lat = {latitude:g} and predict_center_lng = {longitude:g} may be swapped: the centre lies {lies}; "
        f"the other way round it would lie in {zones.country_of(other) or other} ({other})"
    )


def _nearest_name(recipe: Recipe, frame: pd.DataFrame) -> str | None:
    named = frame[frame["place"].notna()]
    if named.empty:
        return None
    away = great_circle_km(
        recipe.predict_center_lat, recipe.predict_center_lng, named["latitude_deg"].to_numpy(), named["longitude_deg"].to_numpy()
    )
    nearest = int(away.argmin())
    return str(named["place"].iloc[nearest]) if away[nearest] <= NEAR_KM else None
