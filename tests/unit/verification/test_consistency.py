"""N and L tests: exact distributions, pycsep's numbers, and how often a true forecast passes."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom, poisson_binom

from forecaster.verification.consistency import likelihood_test, number_test, target_day_distribution

RARE = json.loads((Path(__file__).parents[2] / "golden" / "pycsep.json").read_text(encoding="utf-8"))["rare"]


def rare() -> tuple[np.ndarray, np.ndarray]:
    happened = np.zeros(len(RARE["probability"]), dtype=bool)
    happened[RARE["target_days"]] = True
    return happened, np.array(RARE["probability"])


@pytest.mark.parametrize("days", [1, 2, 3, 7, 64, 301])
def test_distribution_as_scipy(days: int) -> None:
    probability = np.random.default_rng(days).beta(1, 5, days)
    assert target_day_distribution(probability) == pytest.approx(poisson_binom(probability).pmf(np.arange(days + 1)), abs=1e-14)


def test_equal_days_are_binomial() -> None:
    """20,000 days of 2 %; the binomial of scipy."""
    chances = target_day_distribution(np.full(20_000, 0.02))
    assert chances[300:500] == pytest.approx(binom(20_000, 0.02).pmf(np.arange(300, 500)), abs=1e-12)


def test_number_by_hand() -> None:
    """Days of 1/2 and 1/4: none 3/8, one 1/2, both 1/8. One came: P(N >= 1) = 5/8, P(N <= 1) = 7/8."""
    test = number_test(np.array([True, False]), np.array([0.5, 0.25]))
    assert (test.observed, test.expected) == (1, 0.75)
    assert (test.delta1, test.delta2) == (pytest.approx(5 / 8), pytest.approx(7 / 8))
    assert (test.low, test.high) == (0, 2)


def test_rare_days_as_pycsep() -> None:
    """Source: tests/golden/make_pycsep.py. pycsep's are Poisson numbers of events: on days of .8 % it expects .6 % more (.07 of 12) and its
    distributions are .4 % wider; one target day more or less would be .11. gamma: 20,000 simulations there and 5,000 here, 4 standard
    errors = .03."""
    happened, probability = rare()
    number, likelihood = number_test(happened, probability), likelihood_test(happened, probability, np.random.default_rng(2), 5000)
    scores = RARE["scores"]
    assert (number.delta1, number.delta2) == pytest.approx((scores["delta1"], scores["delta2"]), abs=0.012)
    assert likelihood.observed == pytest.approx(scores["joint_log_likelihood"])
    assert likelihood.gamma == pytest.approx(scores["gamma"], abs=0.03)


def test_expected_likelihood_is_the_mean_of_what_is_drawn() -> None:
    """Entropy by hand: -(ln 2 + 1/4 ln 4 + 3/4 ln(4/3)); and only three records of two days exist in the bounds."""
    test = likelihood_test(np.array([True, False]), np.array([0.5, 0.25]), np.random.default_rng(0))
    assert test.expected == pytest.approx(-(math.log(2) + math.log(4) / 4 + 0.75 * math.log(4 / 3)))
    assert (test.low, test.high) == (pytest.approx(math.log(1 / 8)), pytest.approx(math.log(3 / 8)))
    assert test.gamma == 1.0, "no record is likelier than what came"


def test_a_true_forecast_passes_19_times_in_20() -> None:
    """200 records; N passes at least 95 % of the time (its numbers are whole), L 95 %: both within 4 standard errors of 1.5 %."""
    rng = np.random.default_rng(9)
    probability = rng.beta(1, 5, 400)
    number, likelihood = [], []
    for _ in range(200):
        happened = rng.random(400) < probability
        test = number_test(happened, probability)
        number.append(min(test.delta1, test.delta2) > 0.025)
        assert number[-1] == (test.low <= test.observed <= test.high)
        likelihood.append(likelihood_test(happened, probability, rng, 100).gamma >= 0.05)
    assert 0.89 <= np.mean(number) <= 1 and 0.89 <= np.mean(likelihood) <= 1


def test_a_wrong_forecast_is_rejected_on_the_right_side() -> None:
    rng = np.random.default_rng(10)
    truth = rng.beta(1, 5, 2000)
    happened = rng.random(2000) < truth
    low, high = number_test(happened, truth / 2), number_test(happened, np.minimum(2 * truth, 1))
    assert low.delta1 < 0.001 < 0.999 < low.delta2 and high.delta2 < 0.001 < 0.999 < high.delta1
    assert likelihood_test(happened, truth / 2, rng, 500).gamma == 0
    assert likelihood_test(happened, truth, rng, 500).gamma > 0.05


def test_same_generator_same_answer() -> None:
    happened, probability = rare()
    answers = [likelihood_test(happened, probability, np.random.default_rng(seed), 300) for seed in (1, 1, 2)]
    assert answers[0] == answers[1] != answers[2]
