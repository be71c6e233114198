"""Windows of 3, 7 and 30 days for every kind of member.

Mutations that these tests catch: the usual rate of the window taken for that of a day, the first day's end left at the window's, later
days that do not follow the model's first.
"""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from forecaster.features.windows import target_days
from forecaster.models.etas import etas
from forecaster.models.fit_and_load import generic_model, kind_named
from forecaster.models.interface import History
from forecaster.models.several_days import over_window, single_days_of
from forecaster.recipe import Recipe
from tests.support.changed_recipes import changed_recipe
from tests.support.etas_catalogue import sequence

DAY, FIRST = date(2024, 1, 3), date(1973, 1, 17)
MEMBERS = ("recent_rate", "etas", "pooled", "hybrid", "regional", "cells")


def of_range(recipe: Recipe, days: int) -> Recipe:
    return changed_recipe(recipe, predict_range_days=days)


@pytest.fixture(scope="module")
def tokyo(recipes):
    return recipes["tokyo-m45"]


def shaken(recipe):
    days = target_days(recipe, DAY, 1)
    return days, sequence(recipe, int(days.cut_us[0]), [5.0, 7.2, 5.5, 5.1], 20.0)


@pytest.mark.parametrize("reach", [3, 7, 30])
def test_etas_carried_on_by_its_own_shape_is_etas(tokyo, reach):
    """A model that says of the first day what ETAS says must say of the window what ETAS says."""
    recipe = of_range(tokyo, reach)
    days, events = shaken(recipe)
    usual = np.array([0.4])

    def one_day(single, first, reference):
        assert single.predict_range_days == 1 and (first.target_ends_us - first.target_starts_us == 86_400_000_000).all()
        assert -np.log1p(-reference) * reach == pytest.approx(-np.log1p(-usual))
        return etas.generic(single).probability(events, first, reference)

    whole = over_window(recipe, events, days, usual, one_day)
    assert whole == pytest.approx(etas.generic(recipe).probability(events, days, usual), rel=1e-9)
    twice = over_window(recipe, events, days, usual, lambda *asked: -np.expm1(2 * np.log1p(-one_day(*asked))))
    assert np.log1p(-twice) == pytest.approx(2 * np.log1p(-whole), rel=1e-9)


@pytest.mark.parametrize("kind", MEMBERS[1:])
def test_every_member_forecasts_3_7_and_30_days(tokyo, kind):
    """Never less than a shorter window at the same daily rate, and more than usual where the ground has just shaken."""
    said = []
    for reach in (1, 3, 7, 30):
        recipe = of_range(tokyo, reach)
        days, events = shaken(recipe)
        model = generic_model(kind, recipe, DAY, FIRST)
        usual = -np.expm1(reach * np.log1p(-np.array([0.01])))
        (probability,) = model.probability(events, days, usual)
        said.append(probability)
        assert usual[0] < probability < 1
        assert np.isnan(model.probability(events, days, np.array([np.nan]))).all()
    assert said == sorted(said) and said[1] < 3 * said[0]


def test_what_is_fitted_on_single_days_gets_their_outcomes(tokyo):
    """Targets on the fifth of each month: a seven-day window holds one on seven days, the single day on one."""
    recipe = of_range(tokyo, 7)
    days = target_days(recipe, date(2020, 1, 1), 800)
    times = np.array([start for start, day in zip(days.target_starts_us, days.local_days, strict=True) if str(day).endswith("-05")]) + 1
    events = sequence(recipe, 0, [5.0] * len(times), 0.0)
    events = type(events)(times, times, events.latitude_deg, events.longitude_deg, events.depth_km, events.magnitude)
    history = History(recipe, events, events, days, np.zeros(800, dtype=bool), np.full(800, 0.3))
    single = single_days_of(history)
    assert single.recipe.predict_range_days == 1
    assert {str(day)[-2:] for day in single.days.local_days[single.happened]} == {"05"} and single.happened.sum() == len(times)
    assert np.nanmax(single.reference) < 0.1
    assert single_days_of(single) is single


def test_fits_that_hold_nothing_of_their_own_take_any_window(tokyo):
    recipe = of_range(tokyo, 7)
    days = target_days(recipe, date(2014, 1, 1), 400)
    events = sequence(recipe, int(days.cut_us[0]), [5.0], 0.0)
    history = History(recipe, events, events, days, np.zeros(400, dtype=bool), np.full(400, 0.3))
    for kind in ("pooled", "hybrid", "cells"):
        assert kind_named(kind).fit(history).recipe.predict_range_days == 7


def test_a_date_may_be_asked_again_at_another_cut(tokyo):
    """What drives a forecast is asked so: one date, each time with another earthquake unknown at the cut."""
    recipe = of_range(tokyo, 7)
    days, events = shaken(recipe)
    usual = np.array([0.07])
    model = generic_model("pooled", recipe, DAY, FIRST)
    again = replace(days.take(np.zeros(3, dtype=int)), cut_us=days.cut_us[0] + np.arange(3))
    assert model.probability(events, again, np.repeat(usual, 3)) == pytest.approx(np.repeat(model.probability(events, days, usual), 3))
