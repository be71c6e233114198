"""ETAS forecasts for windows of several lengths with the same start, and its expectation for the days just past."""

from dataclasses import dataclass, replace

import numpy as np

from forecaster.features.events import Events
from forecaster.features.windows import TargetDays
from forecaster.models.etas.etas import EtasModel, parents_on
from forecaster.models.etas.etas_branching import solve, triggered_sums
from forecaster.models.etas.etas_detection import detected_share
from forecaster.models.etas.etas_intensity import daily_stream
from forecaster.timewindow import DAY_US


@dataclass(frozen=True)
class Horizons:
    """float64 (n, horizons): -log P(no target), and the expected number of targets over all generations, in the windows that begin with
    each day. Neither decreases from a window to a longer one.
    """

    hit: np.ndarray
    number: np.ndarray


def over_horizons(model: EtasModel, inputs: Events, days: TargetDays, ends_us: np.ndarray, reference: np.ndarray) -> Horizons:
    """The model's forecast of the windows from each day's start to `ends_us` (n, horizons), ascending.

    reference: (n,), the climatology's probability of the days' own windows, as for `EtasModel.probability`; NaN gives NaN.
    """
    order = np.argsort(days.target_starts_us, kind="stable")
    parents = parents_on(inputs, model.recipe, replace(days, target_ends_us=ends_us[:, -1]))
    own_length = (days.target_ends_us - days.target_starts_us).astype(np.float64)
    background = model.background(reference) / own_length
    found = np.empty((2, *ends_us.shape))
    for j in range(ends_us.shape[1]):
        windows = replace(days, target_ends_us=ends_us[:, j])
        length = ends_us[:, j] - days.target_starts_us
        rings = solve(model.parameters, model.recipe.threshold_mag, model.recipe.radius_km, float(round(np.median(length) / DAY_US)))
        stream = daily_stream(parents, windows.take(order))
        share = detected_share(parents, windows)
        means = ((rings.hit, rings.background_hit), (rings.number, rings.background_number))
        for row, (mean, steady) in enumerate(means):
            triggered = np.empty(len(days))
            triggered[order] = triggered_sums(parents, stream, model.parameters, rings, mean)
            slow = background * length * float(steady @ rings.area_ratio) * rings.per_target
            found[row, :, j] = share * (triggered + slow)
    hit, number = np.maximum.accumulate(found, axis=2)
    return Horizons(hit, np.maximum(number, hit))
