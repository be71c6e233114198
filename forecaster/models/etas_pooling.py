"""One parameter set for circles around the world: the maximum of the sum of their daily likelihoods."""

from collections.abc import Sequence
from datetime import date

import numpy as np

from forecaster.features.circles import world_circles
from forecaster.features.events import Events
from forecaster.features.labels import daily_labels
from forecaster.features.windows import target_days
from forecaster.models import climatology
from forecaster.models.base import History
from forecaster.models.etas_detection import B_VALUE
from forecaster.models.etas_intensity import PARENT_MAG, select_parents
from forecaster.models.etas_kernels import LN10
from forecaster.models.etas_likelihood import DailyLikelihood, Maximum, maximise
from forecaster.models.etas_priors import PUBLISHED, PUBLISHED_SD, Prior
from forecaster.timewindow import DAY_US

WIDER = 3.0


def world_histories(catalogue: Events, first_day: date, last_day: date, count: int, rng: np.random.Generator) -> list[History]:
    """Histories of `count` circles from `first_day` to `last_day` (UTC), of the final catalogue cut off after `last_day`."""
    histories = []
    until_us = int(np.datetime64(last_day, "us").astype(np.int64)) + DAY_US
    events = catalogue.take(catalogue.origin_time_us < until_us).known_at_once()
    for recipe in world_circles(events, count, rng):
        days = target_days(recipe, first_day, (last_day - first_day).days + 1)
        happened = daily_labels(events, recipe, days)[0]
        reference = climatology.daily_references(happened, days)
        histories.append(History(recipe, events, events, days, happened, reference).take(np.isfinite(reference)))
    return histories


def pooled_maximum(histories: Sequence[History], *, start: np.ndarray = PUBLISHED, max_evaluations: int = 250) -> Maximum:
    """The common set, K for M >= 4.5 and scaled to each threshold by Gutenberg-Richter; priors are PUBLISHED with WIDER spreads."""
    likelihoods = [DailyLikelihood(one, select_parents(one.inputs, one.recipe)) for one in histories]
    shifts = np.zeros((len(likelihoods), len(start)))
    shifts[:, 2] = [-LN10 * B_VALUE * (one.recipe.threshold_mag - PARENT_MAG) for one in histories]

    def together(vector: np.ndarray) -> tuple[float, np.ndarray]:
        parts = [likelihood(vector + shift) for likelihood, shift in zip(likelihoods, shifts, strict=True)]
        return sum(loss for loss, _ in parts), np.sum([gradient for _, gradient in parts], axis=0)

    return maximise(together, Prior(PUBLISHED, WIDER * PUBLISHED_SD), start, errors=True, max_evaluations=max_evaluations)
