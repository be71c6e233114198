"""Many circles at once say what each of them says alone: at the date line, at a pole, after a large shock, with revised events."""

from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache

import numpy as np
import pandas as pd
import pytest

from forecaster.catalog.coverage import STREAMS, coverage_rows
from forecaster.errors import BadInput
from forecaster.features.circles import circle_recipe
from forecaster.features.events import NEVER, Events
from forecaster.features.geometry import boxes_about, circle_box, great_circle_km
from forecaster.features.many_circles import Circles, Past, Split, near_pairs, positive_days
from forecaster.features.patches import patches_of_circles
from forecaster.features.windows import TargetDays, target_days
from forecaster.models.baselines import climatology
from forecaster.models.fit_and_load import generic_model
from forecaster.models.hybrid.hybrid_inputs import observe, observe_circles
from forecaster.models.interface import ForecastsCircles
from forecaster.pipeline.as_of.as_known import Known, labelled_days
from forecaster.pipeline.world_map import map_forecast
from forecaster.recipe import Recipe
from forecaster.timewindow import DAY_US, to_us

NOW = datetime(2023, 6, 30, 23, 30, tzinfo=UTC)
DAY = date(2023, 7, 1)
PLACES = ((38.0, 142.0), (0.5, 179.8), (-0.7, -179.6), (89.2, 10.0), (-33.0, -71.5))
RADIUS_KM = 150.0


@cache
def world() -> Known:
    """About each place some thousand earthquakes from M 4.5 on, the last ones close to the issue; every tenth has been revised."""
    rng = np.random.default_rng(3)
    first, last = to_us(datetime(2000, 1, 1, tzinfo=UTC)), to_us(NOW)
    rows = []
    for latitude, longitude in PLACES:
        times = np.concatenate([rng.integers(first, last, 900), last - rng.integers(1, 20 * DAY_US, 60)])
        magnitudes = np.minimum(4.5 + rng.exponential(0.43, len(times)), 8.0)
        north, east = rng.normal(0.0, 1.5, (2, len(times)))
        for time, magnitude, up, right in zip(times, magnitudes, north, east, strict=True):
            lat = min(latitude + up, 90.0)
            lon = (longitude + right / max(np.cos(np.radians(lat)), 0.05) + 180.0) % 360.0 - 180.0
            depth = float(rng.choice([10.0, 120.0, np.nan]))
            known = int(time + rng.integers(0, 3 * DAY_US))
            if rng.random() < 0.1:
                until = known + int(rng.integers(1, 30 * DAY_US))
                rows.append((time, known, lat, lon, depth, magnitude, until))
                rows.append((time, until, lat, lon, depth, max(magnitude - 0.4, 4.5), NEVER))
            else:
                rows.append((time, known, lat, lon, depth, magnitude, NEVER))
    rows.append((last - DAY_US // 24, last - DAY_US // 25, 38.1, 142.2, 20.0, 8.8, NEVER))  # hides what follows it until the day begins
    rows.sort()
    time, known_at, lat, lon, depth, magnitude, until = zip(*rows, strict=True)
    numbers = [np.array(column, dtype=np.float64) for column in (lat, lon, depth, magnitude)]
    inputs = Events(np.array(time, dtype=np.int64), np.array(known_at, dtype=np.int64), *numbers, np.array(until, dtype=np.int64))
    coverage = coverage_rows(STREAMS, datetime(2000, 1, 1, tzinfo=UTC), NOW, NOW, "usgs full read")
    return Known(NOW, replace(inputs.visible(to_us(NOW)), known_until_us=np.empty(0, dtype=np.int64)), inputs, pd.DataFrame, coverage)


def recipe_of(number: int, magnitude: float, days: int = 1) -> Recipe:
    return circle_recipe(number, *PLACES[number], RADIUS_KM, magnitude).model_copy(update={"predict_range_days": days})


def alone(number: int, magnitude: float, window_days: int = 1) -> tuple[Recipe, TargetDays, np.ndarray, date]:
    """(recipe, its day at the issue, its usual chance, the first day of its record)."""
    recipe = recipe_of(number, magnitude, window_days)
    labelled = labelled_days(recipe, world())
    record = labelled.days
    usual = climatology.daily_probability(labelled.happened, record.target_starts_us, record.target_ends_us, np.array([to_us(NOW)]))
    return recipe, target_days(recipe, DAY, 1).issued_at(NOW), usual, record.first_day


def together(magnitude: float) -> Circles:
    latitude, longitude = np.array(PLACES).T
    parts = [alone(number, magnitude) for number in range(len(PLACES))]
    days = parts[0][1]
    week = replace(days, target_ends_us=days.target_starts_us + 7 * DAY_US)
    usual = np.concatenate([part[2] for part in parts])
    return Circles(latitude, longitude, RADIUS_KM, magnitude, world().inputs.visible(to_us(NOW)), days, usual, parts[0][3], (week,))


@pytest.mark.parametrize("magnitude", [4.5, 5.0])
@pytest.mark.parametrize("kind", ["recent_rate", "etas", "pooled", "hybrid", "cells"])
def test_each_kind_says_of_many_circles_what_it_says_of_each(kind: str, magnitude: float) -> None:
    circles = together(magnitude)
    expected = []
    for number in range(len(PLACES)):
        recipe, days, usual, first_day = alone(number, magnitude)
        model = generic_model(kind, recipe, DAY, first_day)
        assert isinstance(model, ForecastsCircles)
        expected.append(model.probability(world().inputs, days, usual)[0])
    model = generic_model(kind, recipe_of(0, magnitude), DAY, circles.first_day)
    assert isinstance(model, ForecastsCircles)
    assert model.probability_of_circles(circles) == pytest.approx(np.array(expected), rel=1e-6)


def test_etas_says_of_a_week_what_it_says_of_a_recipe_of_seven_days() -> None:
    circles = together(5.0)
    found = []
    for number in range(len(PLACES)):
        recipe, days, usual, first_day = alone(number, 5.0)
        week = replace(days, target_ends_us=days.target_starts_us + 7 * DAY_US)
        longer = recipe.model_copy(update={"predict_range_days": 7})
        in_a_week = -np.expm1(7.0 * np.log1p(-usual))
        found.append(generic_model("etas", longer, DAY, first_day).probability(world().inputs, week, in_a_week)[0])
    rates = generic_model("etas", recipe_of(0, 5.0), DAY, circles.first_day).rates_of_circles(circles)
    assert -np.expm1(-rates[1]) == pytest.approx(np.array(found), rel=1e-6)
    assert (rates[1] > rates[0]).all()


@pytest.mark.parametrize("window_days", [1, 7])
def test_the_usual_rate_of_many_circles_is_that_of_each(window_days: int) -> None:
    latitude, longitude = np.array(PLACES).T
    strong = world().events.take(world().events.magnitude >= 5.0)
    _, _, usual, first_day = zip(*(alone(number, 5.0, window_days) for number in range(len(PLACES))), strict=True)
    happened = positive_days(latitude, longitude, RADIUS_KM, strong, first_day[0])
    record = labelled_days(recipe_of(0, 5.0, window_days), world()).days
    assert climatology.rate_of_circles(happened, record, to_us(NOW), window_days) == pytest.approx(np.concatenate(usual), rel=1e-12)


def test_pictures_and_numbers_are_those_of_each_circle() -> None:
    circles = together(4.5)
    seen = observe_circles(circles)
    for number in range(len(PLACES)):
        recipe, days, usual, _ = alone(number, 4.5)
        own = observe(world().inputs, recipe, days, usual)
        for one, many in zip(own.columns, seen.columns, strict=True):
            assert many[number].astype(np.float64) == pytest.approx(one[0].astype(np.float64), rel=1e-5, abs=1e-5)
    assert patches_of_circles(circles, np.full(len(circles), 0.1))[0].any()


def test_a_kind_that_knows_one_recipe_at_a_time_is_asked_circle_by_circle() -> None:
    circles = together(5.0)
    batched = generic_model("pooled", recipe_of(0, 5.0), DAY, circles.first_day).probability_of_circles(circles)
    assert map_forecast.one_by_one("pooled", circles, world()) == pytest.approx(batched, rel=1e-6)


def test_pairs_are_those_of_the_great_circle() -> None:
    latitude, longitude = np.array(PLACES).T
    events = world().events
    found = np.zeros((len(PLACES), len(events)))
    for near in near_pairs(latitude, longitude, events, 600.0):
        found[near.circle, near.event] = near.distance_km
    for number, (lat, lon) in enumerate(PLACES):
        distance = great_circle_km(lat, lon, events.latitude_deg, events.longitude_deg)
        assert found[number] == pytest.approx(np.where(distance <= 600.0, distance, 0.0), abs=1e-6)


def test_boxes_are_those_of_each_circle() -> None:
    latitude, longitude = np.array([*PLACES, (-89.9, 0.0), (60.0, 10.0)]).T
    expected = [circle_box(circle_recipe(0, lat, lon, RADIUS_KM, 5.0)) for lat, lon in zip(latitude, longitude, strict=True)]
    found = np.array(boxes_about(latitude, longitude, RADIUS_KM)).T
    assert found == pytest.approx(np.array(expected))


@pytest.mark.parametrize(("latitude", "longitude"), [(90.5, 0.0), (0.0, 180.5), (np.nan, 0.0)])
def test_a_centre_that_is_no_place_is_refused(latitude: float, longitude: float) -> None:
    circles = together(5.0)
    with pytest.raises(BadInput, match="is no place on Earth"):
        replace(circles, latitude_deg=np.array([latitude]), longitude_deg=np.array([longitude]), reference=np.array([0.1]))


@pytest.mark.parametrize("kind", ["etas", "pooled", "hybrid"])
def test_a_day_of_a_series_says_what_it_says_alone(kind: str) -> None:
    """The past is what was known and stayed as it is from 50 days before on; circles in another order, one of the series left out."""
    alone_day = together(5.0)
    inputs, moment = world().inputs, to_us(NOW) - 50 * DAY_US
    older = (inputs.origin_time_us < moment) & (inputs.known_at_us <= moment) & (inputs.known_until_us > to_us(NOW))
    order = np.array([3, 0, 4, 1, 2])
    latitude, longitude = (np.append(values, 10.0) for values in (alone_day.latitude_deg[order], alone_day.longitude_deg[order]))
    past = Past(latitude, longitude, RADIUS_KM, inputs.take(older), moment)
    assert 0 < older.sum() < len(inputs)
    later = inputs.take(~older).visible(to_us(NOW))
    series = replace(together(5.0), split=Split(past, np.argsort(order), later))
    model = generic_model(kind, recipe_of(0, 5.0), DAY, alone_day.first_day)
    assert isinstance(model, ForecastsCircles)
    said = model.probability_of_circles(series)
    assert said == pytest.approx(model.probability_of_circles(alone_day), rel=1e-6 if kind != "etas" else 1e-10)
    without = replace(together(5.0), inputs=later)
    assert np.abs(said / model.probability_of_circles(without) - 1).max() > 1e-3, "the past counts"
