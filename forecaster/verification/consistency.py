"""Consistency of observed target days with the forecasts: N and L tests of Zechar et al. (2010), doi:10.1785/0120090192, in binary form.

`observed` is bool (n,); probabilities are float (n,) in 0..1; anything else raises ValueError. Given the forecast, each day is an
independent Bernoulli trial with its own probability. Days of one recipe may depend on each other through what was known at issue.
Overlapping circles or windows have further dependence: the true distribution of a pool of them is wider than the one used here.
"""

from dataclasses import dataclass

import numpy as np

from forecaster.verification.scores import SMALLEST_PROBABILITY, log_likelihood

SIMULATIONS = 2000


@dataclass(frozen=True)
class NumberTest:
    """Number of target days: observed, expected, and the bounds of the forecast's distribution (at least `level` of it lies within).

    delta1 = P(N >= observed): a small value means that the forecast was too low. delta2 = P(N <= observed): a small value means that it was
    too high. The test is passed at 5 % if both are above .025.
    """

    observed: int
    expected: float
    low: int
    high: int
    delta1: float
    delta2: float


@dataclass(frozen=True)
class LikelihoodTest:
    """Joint log likelihood in nats: observed, expected, and the bounds of the forecast's own distribution.

    gamma: share of simulated records that are as likely as the observed one, or less. The test is one-sided: below .05 the forecast is
    rejected at 5 %.
    """

    observed: float
    expected: float
    low: float
    high: float
    gamma: float


def number_test(observed: np.ndarray, probability: np.ndarray, level: float = 0.95) -> NumberTest:
    """Binary N test from the exact distribution of the number of target days."""
    log_likelihood(observed, probability)
    chances = target_day_distribution(probability)
    observed_days = int(np.count_nonzero(observed))
    below = np.cumsum(chances)
    low, high = np.searchsorted(below, [(1 - level) / 2, (1 + level) / 2])
    delta1 = min(1.0, float(chances[observed_days:].sum()))
    return NumberTest(observed_days, float(np.sum(probability)), int(low), int(high), delta1, min(1.0, float(below[observed_days])))


def likelihood_test(
    observed: np.ndarray, probability: np.ndarray, rng: np.random.Generator, simulations: int = SIMULATIONS, level: float = 0.95
) -> LikelihoodTest:
    """Binary L test: gamma and the bounds from `simulations` records drawn from the forecast; the expected value is exact.

    Probabilities are kept within 1e-6 .. 1 - 1e-6, including those from which records are drawn.
    """
    observed_likelihood = float(log_likelihood(observed, probability).sum())
    kept = np.clip(np.asarray(probability, dtype=np.float64), SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    all_quiet, odds = np.log1p(-kept).sum(), np.log(kept) - np.log1p(-kept)
    drawn = np.array([all_quiet + odds[rng.random(len(kept)) < kept].sum() for _ in range(simulations)])
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    gamma = float(np.mean(drawn <= observed_likelihood + 1e-9))
    return LikelihoodTest(observed_likelihood, float(all_quiet + kept @ odds), float(low), float(high), gamma)


def target_day_distribution(probability: np.ndarray) -> np.ndarray:
    """(n + 1,): chance of 0 .. n target days, the Poisson-binomial distribution, to about 1e-15 absolute.

    The generating polynomials (1 - p + p z) of the days are multiplied in pairs: n (log n)^2 steps, where scipy.stats.poisson_binom
    takes n^2.
    """
    from scipy.signal import fftconvolve

    probability = np.asarray(probability, dtype=np.float64)
    days = np.stack([1 - probability, probability], axis=1)
    while len(days) > 1:
        if len(days) % 2:
            days = np.concatenate([days, np.eye(1, days.shape[1])])
        days = fftconvolve(days[0::2], days[1::2], axes=1)
    clipped: np.ndarray = np.clip(days[0, : len(probability) + 1], 0, 1)
    return clipped
