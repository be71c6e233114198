"""Information gain of one recipe's forecasts over others, with its interval; used for track records and for fits."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from forecaster.models.interface import logit, sigmoid
from forecaster.recipe import Recipe
from forecaster.verification.intervals import DailyGain, Interval, draw_blocks, gain_interval
from forecaster.verification.scores import log_likelihood

BOOTSTRAP_SEED = 20110311


def gain_over(recipe: Recipe, local_days: np.ndarray, happened: np.ndarray, probability: np.ndarray, other: np.ndarray) -> Interval:
    """Return the gain (nats per target day) of `probability` over `other`; local_days datetime64[D], happened bool; (n,)."""
    daily = DailyGain(local_days, log_likelihood(happened, probability) - log_likelihood(happened, other), happened)
    return pooled_gain([daily])


def pooled_gain(daily: Sequence[DailyGain]) -> Interval:
    """Return the gain of these days together, of one recipe or of several, with its interval from draws that every record shares."""
    return gain_interval(daily, draw_blocks((days.local_days for days in daily), BOOTSTRAP_SEED))


def levelled(reference: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Return the reference, float64 (n,), with its logit shifted so that it expects as many target days as `probability`.

    The result has the level of `probability` without its discrimination.
    """
    offset, wanted = logit(reference), float(np.mean(probability))
    from scipy.optimize import brentq  # a slow import; a forecast need not wait for it

    shift = brentq(lambda value: float(sigmoid(offset + value).mean()) - wanted, -30.0, 30.0)
    return sigmoid(offset + shift)


def gain_numbers(gain: Interval) -> dict[str, Any]:
    """Return the figures for records: information_gain, low, high (None where unknown), target_days, undefined_share."""
    bounds = {"information_gain": gain.estimate, "low": gain.low, "high": gain.high}
    kept = {name: float(value) if np.isfinite(value) else None for name, value in bounds.items()}
    return {**kept, "target_days": gain.target_days, "undefined_share": gain.undefined_share}


def gain_words(gain: Interval) -> str:
    """Format the gain: "+0.052 nats per target day (95 % +0.010 to +0.094)"."""
    if not np.isfinite(gain.estimate):
        return "no figure: no target day"
    return f"{gain.estimate:+.3f} nats per target day (95 % {gain.low:+.3f} to {gain.high:+.3f})"
