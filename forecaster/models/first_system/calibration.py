"""Calibration of probabilities on a span that nothing else is fitted on: two parameters, regularised by priors.

    logit P = centre + shift + slope x (logit p - centre),   slope >= 0

This is Platt scaling (Platt 1999) about `centre`, the span's mean logit, with priors slope ~ Normal(1, 0.5) and shift ~ Normal(0, 1). The
fit is the maximum of the posterior. With hundreds of target days the data decide; with a handful the result stays close to the identity. A
slope of 0 means that the forecasts had no discrimination on this span: every day then gets the span's rate. The order of days is never
reversed.
"""

from dataclasses import dataclass

import numpy as np

from forecaster.models.interface import logit, sigmoid

SLOPE_SD = 0.5
SHIFT_SD = 1.0
MIN_TARGET_DAYS = 3


@dataclass(frozen=True)
class Calibration:
    """A monotone map of probabilities. `fitted` is False where it is the identity because it could not be fitted; `reason` tells why."""

    slope: float = 1.0
    shift: float = 0.0
    centre: float = 0.0
    fitted: bool = False
    reason: str = ""
    days: int = 0
    target_days: int = 0

    def apply(self, probability: np.ndarray) -> np.ndarray:
        """float64 (n,): calibrated probabilities."""
        if not self.fitted:
            return np.asarray(probability, dtype=np.float64)
        return sigmoid(self.centre + self.shift + self.slope * (logit(probability) - self.centre))


def fit_calibration(probability: np.ndarray, happened: np.ndarray, weight: np.ndarray | None = None) -> Calibration:
    """The calibration of `probability` (n,) on outcomes `happened` (bool (n,)), fitted on these days alone.

    weight: (n,), how many days each stands for, equal by default. The weights are scaled so that together they count as n days.

    The result is the identity where there are fewer than 3 target days or quiet days, or where the search does not converge.
    """
    happened = np.asarray(happened, dtype=bool)
    target_days = int(happened.sum())
    days = len(happened)
    if min(target_days, days - target_days) < MIN_TARGET_DAYS:
        return Calibration(reason=f"only {target_days} target days among {days} days", days=days, target_days=target_days)
    logits = logit(probability)
    share = np.ones(days) if weight is None else weight / weight.mean()
    centre = float(np.average(logits, weights=share))
    away = logits - centre
    sign = np.where(happened, -1.0, 1.0)

    def loss_and_gradient(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        slope, shift = parameters
        score = sign * (centre + shift + slope * away)
        pull = share * sign * sigmoid(score)
        loss = share @ np.logaddexp(0.0, score) + 0.5 * ((slope - 1.0) / SLOPE_SD) ** 2 + 0.5 * (shift / SHIFT_SD) ** 2
        gradient = np.array([pull @ away + (slope - 1.0) / SLOPE_SD**2, pull.sum() + shift / SHIFT_SD**2])
        return float(loss), gradient

    from scipy.optimize import minimize  # slow to import, and a forecast does not need it

    best = minimize(loss_and_gradient, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(0.0, None), (None, None)])
    if not (best.success and np.isfinite(best.x).all()):
        return Calibration(reason=f"the maximum was not found: {best.message}", days=days, target_days=target_days)
    return Calibration(float(best.x[0]), float(best.x[1]), centre, fitted=True, days=days, target_days=target_days)
