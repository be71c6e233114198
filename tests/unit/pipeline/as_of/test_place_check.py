"""Where a circle is said to lie, and what is warned of.

Mutations that were seen to fail: the two coordinates not swapped; zones at sea compared to the hour; whole days counted as apart.
"""

import pandas as pd
import pytest

from forecaster import zones
from forecaster.pipeline.as_of.place_check import place_warnings, where_it_lies
from forecaster.recipe import Recipe

NAMES = pd.DataFrame(
    [(41.95, 12.53, "4 km NE of Rome, Italy"), (42.8, 13.1, "5 km NW of Norcia, Italy"), (41.9, 12.5, None)],
    columns=["latitude_deg", "longitude_deg", "place"],
)


def at(latitude: float, longitude: float, **more) -> Recipe:
    fields = {"id": "a", "display_name": "A", "predict_radius_meters": 200_000, "threshold_mag": 4.5}
    return Recipe.model_validate(fields | {"predict_center_lat": latitude, "predict_center_lng": longitude} | more)


@pytest.mark.parametrize(
    ("latitude", "longitude", "text"),
    [
        (41.9, 12.5, "41.90° N, 12.50° E, 200 km: Italy (Europe/Rome), near '4 km NE of Rome, Italy'"),
        (-30.0, -178.0, "30.00° S, 178.00° W, 200 km: at sea (Etc/GMT+12)"),
        (37.5, 137.2, "37.50° N, 137.20° E, 200 km: Japan (Asia/Tokyo)"),
    ],
)
def test_where_it_lies(latitude, longitude, text) -> None:
    assert where_it_lies(at(latitude, longitude), NAMES) == text


def test_without_any_named_earthquake() -> None:
    assert where_it_lies(at(41.9, 12.5), NAMES.head(0)).endswith("Italy (Europe/Rome)")


def test_the_bundled_recipes_lie_where_they_should(recipes) -> None:
    """Kermadec keeps the day of Auckland, a whole day from its nominal zone at sea: the same midnight."""
    assert {name: told for name, recipe in recipes.items() if (told := place_warnings(recipe))} == {}


@pytest.mark.parametrize(
    ("latitude", "longitude", "more", "said"),
    [
        (41.9, 12.5, {"time_zone": "Asia/Tokyo"}, "time_zone Asia/Tokyo is not that of the place (Europe/Rome, 8 hours apart)"),
        (41.9, 12.5, {"time_zone": "UTC"}, "time_zone UTC is not that of the place (Europe/Rome, 2 hours apart)"),
        (28.6, 77.2, {"time_zone": "Asia/Karachi"}, "(Asia/Kolkata, 0.5 hours apart)"),
        (
            12.5,
            41.9,
            {"time_zone": "Europe/Rome"},
            "may be swapped: the centre lies in Africa/Addis_Ababa; the other way round it would lie in Italy",
        ),
        (12.5, 45.0, {}, "may be swapped: the centre lies at sea; the other way round"),
    ],
)
def test_what_does_not_fit_is_warned_of(latitude, longitude, more, said) -> None:
    (warning,) = place_warnings(at(latitude, longitude, **more))
    assert said in warning


@pytest.mark.parametrize(
    ("latitude", "longitude", "more"),
    [
        (41.9, 12.5, {}),
        (41.9, 12.5, {"time_zone": "Europe/Vienna"}),  # the same clock
        (20.0, 65.0, {"time_zone": "Asia/Karachi"}),  # at sea with its coast's time; the other way round lies Sweden
        (38.3, 146.4, {"time_zone": "Asia/Tokyo"}),  # an hour from the nominal zone
        (-12.05, -77.04, {}),
        (90.0, 0.0, {}),
    ],
)
def test_what_fits_is_not(latitude, longitude, more) -> None:
    assert place_warnings(at(latitude, longitude, **more)) == []


def test_countries_and_distances_of_zones() -> None:
    assert [zones.country_of(zone) for zone in ("Europe/Rome", "Asia/Tokyo", "Etc/GMT-9", "UTC")] == ["Italy", "Japan", None, None]
    assert zones.hours_apart("Europe/Rome", "UTC") == 2.0  # in summer
    assert zones.hours_apart("Pacific/Auckland", "Etc/GMT+12") == 1.0  # +13 in January, -12: a day and an hour
