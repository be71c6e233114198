"""Quiet days and sequences, by hand: circle, size, thirty days, and what was known when."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forecaster.features.events import NEVER, Events
from forecaster.features.geometry import in_circle
from forecaster.recipe import load_recipes
from forecaster.verification.sequences import in_sequence, outside_2011

RECIPE = load_recipes(Path(__file__).resolve().parents[3] / "recipes")["tokyo-m45"]
DAY = 86_400_000_000
ORIGIN = 17_000 * DAY
CUTS = ORIGIN + np.array([-DAY, 0, 1, DAY, 30 * DAY, 30 * DAY + 1])


def event(magnitude: float = 5.5, *, north_deg: float = 0.0, known_us: int = ORIGIN, until_us: int = NEVER) -> Events:
    place = RECIPE.predict_center_lat + north_deg, RECIPE.predict_center_lng
    numbers = [np.array([float(value)]) for value in (*place, 10.0, magnitude)]
    return Events(np.array([ORIGIN]), np.array([known_us]), *numbers, np.array([until_us]))


def test_thirty_days_after_an_origin() -> None:
    """Not before it, not at it (an event at the cut is no input), from the next moment to 30 days later, included."""
    assert in_sequence(RECIPE, event(), CUTS).tolist() == [False, False, True, True, True, False]
    assert in_sequence(RECIPE, event(), CUTS[::-1]).tolist() == [False, True, True, True, False, False]


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (event(5.4), False),
        (event(5.5, north_deg=1.3), True),
        (event(9.0, north_deg=1.4), False),
    ],
    ids=["half a class too small", "145 km north of the centre", "156 km north of it"],
)
def test_size_and_circle(other: Events, found: bool) -> None:
    """Threshold 4.5, so 5.5; the circle is 150 km, a degree of latitude 111.19 km."""
    assert in_sequence(RECIPE, other, CUTS).any() == found


def test_what_was_known_at_issue() -> None:
    """Known a day late and taken back on day 30: days 1 (at that moment) only, and all of them in hindsight."""
    late = event(known_us=ORIGIN + DAY, until_us=ORIGIN + 30 * DAY)
    assert in_sequence(RECIPE, late, CUTS).tolist() == [False, False, False, True, False, False]
    assert in_sequence(RECIPE, late.known_at_once(), CUTS).tolist() == [False, False, True, True, True, False]
    assert not in_sequence(RECIPE, replace(late, known_at_us=np.array([ORIGIN + 40 * DAY]), known_until_us=np.array([NEVER])), CUTS).any()


def test_as_one_event_after_the_other() -> None:
    """300 random versions against the definition, written out for each day."""
    rng = np.random.default_rng(1)
    origin = np.sort(rng.integers(0, 400 * DAY, 300))
    known = origin + rng.integers(0, 40 * DAY, 300)
    until = np.where(rng.random(300) < 0.5, NEVER, known + rng.integers(0, 20 * DAY, 300))
    lat, lng = (centre + rng.normal(0, 1, 300) for centre in (RECIPE.predict_center_lat, RECIPE.predict_center_lng))
    events = Events(origin, known, lat, lng, np.full(300, 10.0), rng.choice([5.0, 5.5, 6.0], 300), until)
    cuts = rng.integers(0, 450 * DAY, 200)
    expected = []
    for cut in cuts:
        seen = events.visible(cut)
        near = in_circle(RECIPE, seen.latitude_deg, seen.longitude_deg)
        expected.append(bool((near & (seen.magnitude >= 5.5) & (cut - seen.origin_time_us <= 30 * DAY)).any()))
    found = in_sequence(RECIPE, events, cuts)
    assert found.tolist() == expected and 0 < found.sum() < 200


def test_outside_2011() -> None:
    days = np.array(["2010-12-31", "2011-01-01", "2011-12-31", "2012-01-01"], dtype="datetime64[D]")
    assert outside_2011(days).tolist() == [True, False, False, True]
