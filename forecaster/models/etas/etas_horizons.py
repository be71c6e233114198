"""ETAS forecasts for windows of several lengths with the same start, and its expectation for the days just past."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from forecaster.features.events import Events
from forecaster.features.windows import TargetDays
from forecaster.models.etas.etas import EtasModel
from forecaster.models.etas.etas_branching import solve, triggered_sums
from forecaster.models.etas.etas_detection import detected_share
from forecaster.models.etas.etas_seen import DAYS_BEFORE, Seen, days_before, seen_on
from forecaster.timewindow import DAY_US


@dataclass(frozen=True)
class Horizons:
    """float64 (n, horizons): -log P(no target), and the expected number of targets over all generations, in the windows that begin with
    each day. Neither decreases from a window to a longer one.
    """

    hit: np.ndarray
    number: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence["Horizons"]) -> "Horizons":
        """The days of these parts, one after the other."""
        return cls(np.concatenate([part.hit for part in parts]), np.concatenate([part.number for part in parts]))


def over_horizons(model: EtasModel, inputs: Events, days: TargetDays, ends_us: np.ndarray, reference: np.ndarray) -> Horizons:
    """The model's forecast of the windows from each day's start to `ends_us` (n, horizons), ascending.

    reference: (n,), the climatology's probability of the days' own windows, as for `EtasModel.probability`; NaN gives NaN.
    """
    if not len(days):
        return Horizons(np.empty(ends_us.shape), np.empty(ends_us.shape))
    triggered, steady = _parts(model, seen_on(inputs, model.recipe, days), days, ends_us)
    hit, number = np.maximum.accumulate(triggered + steady * _background(model, days, reference)[:, None], axis=2)
    return Horizons(hit, np.maximum(number, hit))


def number_before(model: EtasModel, inputs: Events, days: TargetDays, reference: np.ndarray, count: int) -> np.ndarray:
    """float64 (n,): the number of targets that the model expected for the `count` local days before each of `days` together, each of them
    by what was known at its own issue time, and all by the reference of the day (n,).
    """
    here = seen_on(inputs, model.recipe, days) if len(days) == 1 and count == DAYS_BEFORE else None
    if here is not None and here.before is not None:
        (past, stream), place = here.before, np.array([count])
        seen = Seen(here.parents, np.arange(count), stream)
    else:
        past, place = days_before(model.recipe, days, count)
        seen = seen_on(inputs, model.recipe, past)
    triggered, steady = (part[1, :, 0] for part in _parts(model, seen, past, past.target_ends_us[:, None]))
    background = _background(model, days, reference)
    back = [place - lag for lag in range(1, count + 1)]
    total: np.ndarray = np.sum([triggered[at] + steady[at] * background for at in back], axis=0)
    return total


def _background(model: EtasModel, days: TargetDays, reference: np.ndarray) -> np.ndarray:
    """(n,): background targets in a microsecond."""
    density: np.ndarray = model.background(reference) / (days.target_ends_us - days.target_starts_us).astype(np.float64)
    return density


def _parts(model: EtasModel, seen: Seen, days: TargetDays, ends_us: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(2, n, horizons) each, of -log P(no target) and of the number: what is triggered, and the factor of the background."""
    triggered, steady = np.empty((2, 2, *ends_us.shape))
    parents, order = seen.parents, seen.order
    for j in range(ends_us.shape[1]):
        windows = replace(days, target_ends_us=ends_us[:, j])
        length = ends_us[:, j] - days.target_starts_us
        rings = solve(model.parameters, model.recipe.threshold_mag, model.recipe.radius_km, float(round(np.median(length) / DAY_US)))
        stream = seen.stream.over(windows.take(order))
        share = detected_share(parents, windows)
        means = ((rings.hit, rings.background_hit), (rings.number, rings.background_number))
        for row, (mean, slow) in enumerate(means):
            sums = np.empty(len(days))
            sums[order] = triggered_sums(parents, stream, model.parameters, rings, mean)
            triggered[row, :, j] = share * sums
            steady[row, :, j] = share * length * float(slow @ rings.area_ratio) * rings.per_target
    return triggered, steady
