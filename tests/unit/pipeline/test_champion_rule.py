"""The rule that decides what is published, on made-up days: who wins, who stays, and when there is too little to tell."""

import numpy as np
import pytest

from forecaster.pipeline.champion import CLIMATOLOGY, compare, fails, is_above_zero
from forecaster.verification.intervals import NOTHING, Interval

DAYS = 1200
RATE = 0.25


@pytest.fixture(scope="module")
def world():
    """(local days, outcomes): a quarter of the days, drawn day by day."""
    rng = np.random.default_rng(4)
    return np.datetime64("2001-01-01") + np.arange(DAYS), rng.random(DAYS) < RATE


def knowing(happened, share):
    """Odds of the true outcome raised by `share` of what a forecaster of 0.9 and 0.1 would have; 0 is the rate itself."""
    lean = share * (np.log(9) + np.log(RATE / (1 - RATE)))
    logits = np.log(RATE / (1 - RATE)) + np.where(happened, lean + 0.5 * share, -lean - 0.5 * share)
    return 1 / (1 + np.exp(-logits))


def decide(recipes, world, incumbent, said, eligible=None):
    days, happened = world
    eligible = set(said) if eligible is None else eligible
    return compare(recipes["athens"], incumbent, days, happened, np.full(DAYS, RATE), said, eligible)


def test_the_best_of_those_above_zero_wins(recipes, world):
    said = {"etas": knowing(world[1], 0.3), "hybrid": knowing(world[1], 0.6), "pooled": np.full(DAYS, RATE)}
    decision = decide(recipes, world, CLIMATOLOGY, said)
    assert decision.kind == "hybrid" and decision.reason.startswith("hybrid is published: +")
    gains = decision.numbers["gains"]
    assert gains["hybrid"]["information_gain"] > gains["etas"]["information_gain"] > 0 == gains["pooled"]["information_gain"]
    assert decision.numbers["over"] == CLIMATOLOGY and set(decision.said) == set(said)


def test_a_challenger_is_measured_against_the_champion_not_against_the_climatology(recipes, world):
    """etas beats the climatology as clearly as before, but not hybrid, which is published."""
    said = {"etas": knowing(world[1], 0.3), "hybrid": knowing(world[1], 0.6)}
    decision = decide(recipes, world, "hybrid", said)
    assert decision.kind == "hybrid" and decision.reason.startswith("hybrid stays published: climatology has -")
    assert decision.numbers["gains"]["etas"]["high"] < 0
    assert decide(recipes, world, "etas", said).kind == "hybrid"


def test_a_champion_below_the_climatology_gives_way_to_it(recipes, world):
    wrong = knowing(~world[1], 0.3)
    decision = decide(recipes, world, "etas", {"etas": wrong})
    assert decision.kind == CLIMATOLOGY and decision.reason.startswith("climatology is published: +")


def test_who_may_not_stand_is_measured_but_not_chosen(recipes, world):
    said = {"etas": knowing(world[1], 0.3), "hybrid": knowing(world[1], 0.6)}
    decision = decide(recipes, world, CLIMATOLOGY, said, eligible={"etas"})
    assert decision.kind == "etas" and "hybrid" in decision.numbers["gains"]


def test_a_champion_that_could_not_be_judged_stays(recipes, world):
    decision = decide(recipes, world, "hybrid", {"etas": knowing(world[1], 0.3)})
    assert (decision.kind, decision.numbers) == ("hybrid", {}) and "could not be judged" in decision.reason


def test_a_gain_by_chance_is_not_enough(recipes, world):
    """A forecast that leans a little, by a coin: no interval above zero."""
    lean = np.where(np.random.default_rng(1).random(DAYS) < 0.5, 0.27, 0.23)
    decision = decide(recipes, world, CLIMATOLOGY, {"etas": lean})
    assert decision.kind == CLIMATOLOGY and decision.reason.startswith("climatology stays published: etas has ")


def test_nothing_to_compare(recipes, world):
    assert decide(recipes, world, CLIMATOLOGY, {}).reason == "climatology stays published: nothing else could be judged"


def test_two_target_days_are_too_few_whatever_the_gain(recipes, world):
    """Of 40 blocks two hold a target day: a resample misses both with (38/40)^40 = 13 %, more than 5 %."""
    days, _ = world
    happened = np.isin(np.arange(DAYS), (100, 700))
    said = {"etas": np.where(happened, 0.9, 0.0001)}
    decision = compare(recipes["athens"], CLIMATOLOGY, days, happened, np.full(DAYS, 0.01), said, {"etas"})
    gain = decision.numbers["gains"]["etas"]
    assert gain["low"] > 1 and gain["undefined_share"] == pytest.approx(0.95**40, abs=0.03)
    assert decision.kind == CLIMATOLOGY


@pytest.mark.parametrize(
    ("low", "high", "undefined", "above", "below"),
    [(0.01, 0.1, 0.0, True, False), (0.01, 0.1, 0.051, False, False), (-0.1, 0.1, 0.0, False, False), (-0.2, -0.1, 0.05, False, True)],
)
def test_what_an_interval_shows(low, high, undefined, above, below):
    gain = Interval((low + high) / 2, low, high, 10, undefined)
    assert (is_above_zero(gain), fails(gain)) == (above, below)
    assert not is_above_zero(NOTHING) and not fails(NOTHING) and not fails(None)
