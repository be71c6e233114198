"""The productivity of the sequence that is running: what was observed of the last days, against what ETAS expected of them."""

import numpy as np

from forecaster.features.events import Events
from forecaster.features.labels import target_events
from forecaster.features.windows import TargetDays
from forecaster.models.etas.etas import EtasModel
from forecaster.models.etas.etas_horizons import number_before
from forecaster.models.etas.etas_seen import days_before
from forecaster.models.ladder.extend_forecast import LOOK_BACK_DAYS, productivity_of
from forecaster.recipe import Recipe


def productivity(model: EtasModel, inputs: Events, days: TargetDays, reference: np.ndarray) -> np.ndarray:
    """float64 (n,): the productivity at each day's issue, from targets that were known by then.

    reference: (n,), the usual rate of the days' own windows, for the background of ETAS.
    """
    return productivity_of(observed_before(model.recipe, inputs, days), number_before(model, inputs, days, reference, LOOK_BACK_DAYS))


def observed_before(recipe: Recipe, inputs: Events, days: TargetDays) -> np.ndarray:
    """float64 (n,): targets of the LOOK_BACK_DAYS local days before each of `days` that were known at its issue."""
    past, place = days_before(recipe, days, LOOK_BACK_DAYS)
    since = past.target_starts_us[place - LOOK_BACK_DAYS]
    targets = target_events(inputs, recipe)
    time, known, until = targets.origin_time_us, targets.known_at_us, targets.known_until_us
    found = np.empty(len(days))
    for j, (start, cut) in enumerate(zip(since.tolist(), days.cut_us.tolist(), strict=True)):
        first, last = np.searchsorted(time, [start, min(cut, int(days.target_starts_us[j]))])
        span = slice(int(first), int(last))
        found[j] = np.count_nonzero((known[span] <= cut) & (cut < until[span]))
    return found
