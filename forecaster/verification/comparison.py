"""Tests of one model against another on target days. Rhoades et al. (2011), doi:10.2478/s11600-011-0013-5.

`observed` is bool (n,); probabilities are float (n,) in 0..1, kept within 1e-6 .. 1 - 1e-6; anything else raises ValueError. Days of
several recipes may be pooled by concatenation. Both tests assume that target days are independent of each other. In sequences and between
overlapping circles they are not. There the p-values are too small, and the block bootstrap (`intervals`) decides.

In binary form a probability p corresponds to the expected count -ln(1 - p). The log likelihood of a day is then logit(p) [on a target day]
minus that count, so that, exactly,

    sum of log-likelihood differences = sum over target days of (logit p - logit q) - (N_p - N_q),

where N is the sum of the expected counts of all days. These are the terms and the rate correction of Rhoades et al., and the information
gain of `scores.information_gain`.
"""

from dataclasses import dataclass

import numpy as np

from forecaster.verification.scores import log_likelihood


@dataclass(frozen=True)
class PairedTTest:
    """Information gain in nats per target day with its Student interval. The null hypothesis is a gain of 0; p_value is two-sided.

    With fewer than two target days everything except `target_days` is NaN. Where the gain is the same on every target day, t_statistic is
    infinite; where that gain is 0, it is NaN and p_value is 1.
    """

    information_gain: float
    low: float
    high: float
    t_statistic: float
    p_value: float
    target_days: int


@dataclass(frozen=True)
class SignedRankTest:
    """Wilcoxon's W test: is the median gain of a target day, minus the rate correction, 0? p_value is two-sided.

    median_gain: nats, the median of the target days' logit differences minus the rate correction; its sign shows which model is better.
    statistic: the smaller of the two rank sums. target_days: those ranked; days on which the difference is exactly 0 are left out.
    NaN where no day is left.
    """

    median_gain: float
    statistic: float
    p_value: float
    target_days: int


def paired_t_test(observed: np.ndarray, probability: np.ndarray, reference: np.ndarray, level: float = 0.95) -> PairedTTest:
    """T test of `probability` against `reference`: equations 17 and 18 of Rhoades et al. (2011), in binary form. level: of the interval."""
    from scipy.stats import t

    differences, correction = gain_terms(observed, probability, reference)
    count = len(differences)
    if count < 2:
        nan = float("nan")
        return PairedTTest(nan, nan, nan, nan, nan, count)
    gain = float(differences.mean() - correction)
    error = float(differences.std(ddof=1) / np.sqrt(count))
    reach = error * float(t.ppf((1 + level) / 2, count - 1))
    if error > 0:
        statistic = gain / error
        p_value = float(2 * t.sf(abs(statistic), count - 1))
    else:
        statistic, p_value = (float(np.copysign(np.inf, gain)), 0.0) if gain else (float("nan"), 1.0)
    return PairedTTest(gain, gain - reach, gain + reach, statistic, p_value, count)


def signed_rank_test(observed: np.ndarray, probability: np.ndarray, reference: np.ndarray) -> SignedRankTest:
    """W test of `probability` against `reference`, Rhoades et al. (2011).

    p is exact up to 50 target days without ties, else of the normal approximation, with ties corrected and without continuity correction.
    """
    from scipy.stats import wilcoxon

    differences, correction = gain_terms(observed, probability, reference)
    gains = differences - correction
    ranked = gains[gains != 0]
    if not len(ranked):
        return SignedRankTest(float("nan"), float("nan"), float("nan"), 0)
    result = wilcoxon(ranked)
    return SignedRankTest(float(np.median(gains)), float(result.statistic), float(result.pvalue), len(ranked))


def gain_terms(observed: np.ndarray, probability: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, float]:
    """(logit differences of the target days in nats, (target days,); rate correction (N_p - N_q) / target days, NaN without one)."""
    observed = np.asarray(observed)
    no_target = log_likelihood(np.zeros_like(observed), probability), log_likelihood(np.zeros_like(observed), reference)
    target = log_likelihood(np.ones_like(observed), probability), log_likelihood(np.ones_like(observed), reference)
    differences = ((target[0] - no_target[0]) - (target[1] - no_target[1]))[observed]
    return differences, float((no_target[1] - no_target[0]).sum() / len(differences)) if len(differences) else float("nan")
