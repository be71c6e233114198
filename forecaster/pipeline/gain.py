"""Information gain of one recipe's forecasts over the reference, with its interval: the same for a track record and for a fit."""

from collections.abc import Iterable
from datetime import datetime

import numpy as np

from forecaster.recipe import Recipe
from forecaster.timewindow import local_day
from forecaster.verification.intervals import DailyGain, Interval, information_gain_intervals
from forecaster.verification.scores import log_likelihood

BOOTSTRAP_SEED = 20110311


def gain_over_reference(
    recipe: Recipe, target_starts: Iterable[datetime], happened: np.ndarray, said: np.ndarray, reference: np.ndarray
) -> Interval:
    """Nats per target day of `said` over `reference`; `happened` bool, all (n,), one for each target start (aware UTC)."""
    days = np.array([local_day(start, recipe.zone) for start in target_starts], dtype="datetime64[D]")
    daily = DailyGain(days, log_likelihood(happened, said) - log_likelihood(happened, reference), happened)
    return information_gain_intervals({recipe.id: daily}, np.random.default_rng(BOOTSTRAP_SEED))[1]
