"""Windows of several days for models that forecast single days. The forecast of the first day is extended by the shape of ETAS.

    -log P(none in the window) = h + (H - H1) h / H1

h is the model's forecast of the first day, as -log(1 - P). H and H1 are the forecasts of ETAS without a fit for the window and for its
first day. The ladder extends the published forecast in the same way (`ladder.extend_forecast`, CARRY). The usual rate of a single day is
derived from the usual rate of the window as if days were independent. Where target days cluster it is somewhat too low, for the model and
for ETAS alike.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from forecaster.features.events import Events
from forecaster.features.labels import daily_labels
from forecaster.features.windows import TargetDays
from forecaster.models.baselines import climatology
from forecaster.models.etas import etas
from forecaster.models.etas.etas_horizons import over_horizons
from forecaster.models.interface import History
from forecaster.models.ladder.extend_forecast import CARRY
from forecaster.recipe import Recipe
from forecaster.timewindow import local_midnights_us

OneDay = Callable[[Recipe, TargetDays, np.ndarray], np.ndarray]


def over_window(recipe: Recipe, inputs: Events, days: TargetDays, reference: np.ndarray, one_day: OneDay) -> np.ndarray:
    """float64 (n,): probability of the target in the windows of the recipe; NaN where the reference is NaN.

    one_day: returns the probability of single days, given a recipe of single days, the days, and their reference.
    """
    if recipe.predict_range_days == 1 or not len(days):
        return one_day(recipe, days, reference)
    single = recipe.model_copy(update={"predict_range_days": 1})
    first = replace(days, target_ends_us=_next_midnights(recipe, days))
    usual = -np.expm1(np.log1p(-np.asarray(reference, dtype=np.float64)) / recipe.predict_range_days)
    rate = -np.log1p(-one_day(single, first, usual))
    ends = np.stack([first.target_ends_us, days.target_ends_us], axis=1)
    found = np.full(len(days), np.nan)
    known = np.isfinite(rate)
    if known.any():
        shape = _shape(single, inputs, first.take(known), ends[known], usual[known])
        later = (shape[:, 1] - shape[:, 0]) * (rate[known] / shape[:, 0]) ** CARRY
        found[known] = -np.expm1(-(rate[known] + later))
    return found


def _shape(recipe: Recipe, inputs: Events, days: TargetDays, ends_us: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """float64 (n, 2): -log P(none) of ETAS in the first day and in the window. If a date occurs with more than one cutoff, days are
    computed one by one.
    """
    model = etas.generic(recipe)
    if (np.diff(days.target_starts_us) > 0).all():
        return over_horizons(model, inputs, days, ends_us, reference).hit
    each = [np.array([place]) for place in range(len(days))]
    return np.concatenate([over_horizons(model, inputs, days.take(one), ends_us[one], reference[one]).hit for one in each])


def single_days_of(history: History) -> History:
    """The same history as single days, on which a model of single days is fitted. It ends with the first day of the last window."""
    if history.recipe.predict_range_days == 1:
        return history
    recipe = history.recipe.model_copy(update={"predict_range_days": 1})
    days = replace(history.days, target_ends_us=_next_midnights(history.recipe, history.days))
    happened = daily_labels(history.catalogue, recipe, days)[0]
    return replace(history, recipe=recipe, days=days, happened=happened, reference=climatology.daily_references(happened, days))


def _next_midnights(recipe: Recipe, days: TargetDays) -> np.ndarray:
    """int64 (n,): the start of the local day after each."""
    number = days.local_days.astype("datetime64[D]").astype(np.int64)
    first, last = int(number.min()), int(number.max())
    midnights = local_midnights_us(np.datetime64(first, "D").item(), last - first + 2, recipe.zone)
    return np.asarray(midnights[number - first + 1])
