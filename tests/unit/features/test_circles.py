"""Circles around the world as targets."""

from datetime import date

import numpy as np
import pytest

from forecaster.errors import NotTrainable
from forecaster.features.circles import MAX_OVERLAP, TARGETS_A_YEAR, circle_recipe, spread_circles, world_circles
from forecaster.features.events import Events
from forecaster.features.labels import target_events
from forecaster.features.overlap import overlap_matrix
from forecaster.features.windows import target_days
from forecaster.timewindow import DAY_US

YEARS = 20


@pytest.fixture(scope="module")
def catalogue() -> Events:
    """Twenty years: 4000 events at one place, 100 at each of forty others, and 5 in the middle of nowhere."""
    rng = np.random.default_rng(7)
    places = [(0.0, 0.0, 4000), *((60.0 * rng.random() - 30, 8.0 * n - 160, 100) for n in range(40)), (-60.0, 170.0, 5)]
    latitude, longitude = (np.concatenate([rng.normal(place[axis], 0.2, place[2]) for place in places]) for axis in (0, 1))
    count = len(latitude)
    origin = np.sort(rng.integers(0, round(YEARS * 365.25 * DAY_US), count))
    order = rng.permutation(count)
    return Events(origin, origin, latitude[order], longitude[order], np.full(count, 10.0), 4.5 + rng.exponential(0.4, count))


def test_a_circle_is_a_recipe_of_utc_days(catalogue) -> None:
    circle = circle_recipe(3, -20.0, 179.9, 250.0, 5.0)
    days = target_days(circle, date(2000, 3, 1), 2)
    assert (circle.id, circle.radius_km, circle.threshold_mag) == ("circle-0003", 250.0, 5.0)
    assert days.target_starts_us[0] == 11017 * DAY_US  # 1 March 2000 is 11017 days after 1 January 1970
    assert (days.target_starts_us - days.cut_us == 30 * 60_000_000).all()


def test_circles_see_a_sensible_number_of_targets(catalogue) -> None:
    """At most 150 a year, so not about the place with 200; at least 2 a year, so not about the one with a quarter of one."""
    circles = world_circles(catalogue, 60, np.random.default_rng(1))
    rates = [len(target_events(catalogue, circle)) / YEARS for circle in circles]
    assert len({circle.id for circle in circles}) == 60
    assert min(rates) >= TARGETS_A_YEAR[0] * 0.99 and max(rates) <= TARGETS_A_YEAR[1] * 1.01
    assert {circle.threshold_mag for circle in circles} <= {4.5, 5.0}
    assert all(150 <= circle.radius_km <= 400 for circle in circles)


def test_busy_places_do_not_take_all(catalogue) -> None:
    """Half of the events lie at one place; by 1 / sqrt(events in a cell) it gets well below half of the draws (about an eighth: some
    2000^.5 against forty times 100^.5, spread over up to four cells), and the forty others nearly all of the rest."""
    fewer = catalogue.take(
        (np.abs(catalogue.latitude_deg) > 2) | (np.abs(catalogue.longitude_deg) > 2) | (np.arange(len(catalogue)) % 2 == 0)
    )
    circles = world_circles(fewer, 200, np.random.default_rng(1))
    busy = sum(abs(circle.predict_center_lat) < 2 and abs(circle.predict_center_lng) < 2 for circle in circles)
    assert 10 < busy < 60


def test_same_seed_same_circles(catalogue) -> None:
    once, again = (world_circles(catalogue, 20, np.random.default_rng(5)) for _ in range(2))
    assert once == again != world_circles(catalogue, 20, np.random.default_rng(6))


def test_too_few_events_for_circles(catalogue) -> None:
    with pytest.raises(NotTrainable, match="only 0 of 5 circles"):
        world_circles(catalogue.take(catalogue.magnitude > 99), 5, np.random.default_rng(1))


def test_spread_circles_hardly_overlap_each_other_or_recipes(catalogue) -> None:
    """The forty places lie 8 degrees of longitude, some 890 km, apart; a circle about one of them keeps every other off it."""
    avoid = [circle_recipe(0, 0.0, 0.0, 300.0, 4.5)]
    circles = spread_circles(catalogue, 100, np.random.default_rng(3), avoid, prefix="circle-3")
    assert 20 <= len(circles) < 60, "where places give out there are fewer than were asked for"
    overlap = overlap_matrix([*avoid, *circles])
    assert overlap[~np.eye(len(overlap), dtype=bool)].max() <= MAX_OVERLAP < 0.15
    rates = [len(target_events(catalogue, circle)) / YEARS for circle in circles]
    assert min(rates) >= TARGETS_A_YEAR[0] * 0.99 and max(rates) <= TARGETS_A_YEAR[1] * 1.01
    assert circles[0].id == "circle-3-0000" and len({circle.id for circle in circles}) == len(circles)


def test_fewer_circles_are_the_first_of_more(catalogue) -> None:
    few, more, other = (spread_circles(catalogue, count, np.random.default_rng(seed)) for count, seed in ((5, 3), (15, 3), (5, 4)))
    assert few == more[:5] != other
    assert spread_circles(catalogue.take(catalogue.magnitude > 99), 5, np.random.default_rng(1)) == []
