"""Reliability: whether events forecast with 3 % are observed in 3 % of cases. CORP reliability, its decomposition, calibration error, slope
and intercept.

`observed` is bool (n,); probabilities are float (n,) in 0..1; anything else raises ValueError. CORP: Dimitriadis, Gneiting and Jordan
(2021), doi:10.1073/pnas.2016191118. The recalibrated probability is the isotonic regression (pool adjacent violators) of the outcomes.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from forecaster.verification.scores import SMALLEST_PROBABILITY, log_likelihood, log_score
from forecaster.verification.scores import brier as brier_score

RESAMPLES = 500
NEWTON_STEPS = 50


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram; arrays of shape (k,), one entry for each forecast value, ascending.

    probability: the forecast value. days: how often it was forecast (int). recalibrated: CORP's probability of the outcome, non-decreasing.
    low, high: the consistency band, in which `recalibrated` would lie if the forecasts were calibrated and days independent.
    """

    probability: np.ndarray
    days: np.ndarray
    recalibrated: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class Decomposition:
    """score = miscalibration - discrimination + uncertainty; a mean over days, lower is better.

    miscalibration (MCB >= 0): the score that recalibration would save.
    discrimination (DSC >= 0): the score that the recalibrated forecast saves over the base rate.
    uncertainty (UNC): the score of the base rate.
    MCB and DSC are fitted on these days, so they are never negative.
    """

    score: float
    miscalibration: float
    discrimination: float
    uncertainty: float


@dataclass(frozen=True)
class CalibrationLine:
    """logit P(observed) = intercept + slope x logit(probability), by maximum likelihood, with standard errors.

    Slope 1 and intercept 0 are calibrated; a slope below 1 is overconfident, above 1 underconfident. NaN where the days do not determine a
    line (one outcome only, one probability only, outcomes separated perfectly).
    """

    slope: float
    slope_error: float
    intercept: float
    intercept_error: float


NO_LINE = CalibrationLine(float("nan"), float("nan"), float("nan"), float("nan"))


def corp_reliability(
    observed: np.ndarray, probability: np.ndarray, rng: np.random.Generator, resamples: int = RESAMPLES, level: float = 0.9
) -> Reliability:
    """CORP's reliability curve with its consistency band at `level`.

    For the band the forecasts are kept, outcomes are drawn from them `resamples` times, and each draw is recalibrated.
    """
    values, days, target_days = _by_value(observed, probability)
    drawn = _isotonic_rows(rng.binomial(days, values, size=(resamples, len(days))) / days, days)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return Reliability(values, days, _isotonic(target_days / days, days), low, high)


def recalibrate(observed: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """(n,): the isotonic regression of these outcomes on these probabilities, day by day, fitted on the same days."""
    values, days, target_days = _by_value(observed, probability)
    return _isotonic(target_days / days, days)[np.searchsorted(values, np.asarray(probability, dtype=np.float64))]


def decompose(observed: np.ndarray, probability: np.ndarray, score: Literal["brier", "log"] = "brier") -> Decomposition:
    """CORP's decomposition of the Brier score or of the log score (nats a day)."""
    measure = brier_score if score == "brier" else log_score
    score_of_forecasts = measure(observed, probability)
    recalibrated = measure(observed, recalibrate(observed, probability))
    base = measure(observed, np.full(len(observed), np.mean(observed)))
    return Decomposition(score_of_forecasts, score_of_forecasts - recalibrated, base - recalibrated, base)


def expected_calibration_error(observed: np.ndarray, probability: np.ndarray, bins: int = 10) -> float:
    """Mean of |observed share of days - mean probability| over `bins` quantile bins, weighted by their days. Equal values share a bin.

    It is never negative, so even a calibrated forecast has a positive value. Compare models on the same days only.
    """
    log_likelihood(observed, probability)
    probability = np.asarray(probability, dtype=np.float64)
    edges = np.unique(np.quantile(probability, np.arange(1, bins) / bins))
    at = np.searchsorted(edges, probability)
    gaps = np.bincount(at, weights=probability - observed, minlength=bins)
    return float(np.abs(gaps).sum() / len(probability))


def calibration_line(observed: np.ndarray, probability: np.ndarray, groups: np.ndarray | None = None) -> CalibrationLine:
    """Slope and intercept on the logit scale, Cox (1958), doi:10.1093/biomet/45.3-4.562; probabilities kept within 1e-6 .. 1 - 1e-6.

    groups: int (n,), the group of each day (for example a 30-day block over all recipes). Standard errors are then valid for dependent days
    within a group (Liang and Zeger 1986, doi:10.1093/biomet/73.1.13). Without groups, days are assumed independent.
    """
    log_likelihood(observed, probability)
    kept = np.clip(np.asarray(probability, dtype=np.float64), SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    rows = np.stack([np.ones(len(kept)), np.log(kept) - np.log1p(-kept)], axis=1)
    observed = np.asarray(observed)
    if np.ptp(rows[:, 1]) == 0 or observed.all() or not observed.any():
        return NO_LINE
    rate = observed.mean()
    line = np.array([np.log(rate / (1 - rate)), 0.0])
    for _ in range(NEWTON_STEPS):
        fitted = 0.5 * (1 + np.tanh(0.5 * (rows @ line)))
        information = (rows.T * (fitted * (1 - fitted))) @ rows
        if not np.linalg.cond(information) < 1e12:
            return NO_LINE
        residuals = rows * (observed - fitted)[:, None]
        step = np.linalg.solve(information, residuals.sum(axis=0))
        line = line + step
        if np.abs(step).max() < 1e-9:
            break
    else:
        return NO_LINE
    covariance = np.linalg.inv(information)
    if groups is not None:
        _, members = np.unique(groups, return_inverse=True)
        sums = np.stack([np.bincount(members, weights=column) for column in residuals.T], axis=1)
        covariance = covariance @ (sums.T @ sums) @ covariance
    errors = np.sqrt(np.diag(covariance))
    return CalibrationLine(float(line[1]), float(errors[1]), float(line[0]), float(errors[0]))


def _by_value(observed: np.ndarray, probability: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(the forecast values, ascending; days with each; target days with each), all (k,)."""
    log_likelihood(observed, probability)
    values, at, days = np.unique(np.asarray(probability, dtype=np.float64), return_inverse=True, return_counts=True)
    return values, days, np.bincount(at, weights=observed, minlength=len(values))


def _isotonic(shares: np.ndarray, days: np.ndarray) -> np.ndarray:
    from scipy.optimize import isotonic_regression

    fitted: np.ndarray = isotonic_regression(shares, weights=days).x
    return fitted


def _isotonic_rows(shares: np.ndarray, days: np.ndarray) -> np.ndarray:
    """The isotonic regression of each row of shares, (r, k), by one call: every row is lifted above the one before, so that none pools with
    another."""
    lifts = 2.0 * np.arange(len(shares))[:, None]
    fitted = _isotonic((shares + lifts).ravel(), np.tile(days, len(shares)))
    rows: np.ndarray = fitted.reshape(shares.shape) - lifts
    return rows
