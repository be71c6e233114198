"""One parameter set for circles around the world. It maximises the sum of their daily likelihoods."""

import json
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import numpy as np

from forecaster.errors import NotTrainable
from forecaster.features.circles import world_circles
from forecaster.features.events import Events
from forecaster.features.labels import daily_labels
from forecaster.features.windows import target_days
from forecaster.models.baselines import climatology
from forecaster.models.etas.etas_detection import B_VALUE
from forecaster.models.etas.etas_intensity import PARENT_MAG, daily_reads, select_parents
from forecaster.models.etas.etas_kernels import LN10, NAMES
from forecaster.models.etas.etas_likelihood import DailyLikelihood, Maximum, maximise
from forecaster.models.etas.etas_priors import PARAMETERS_FILE, POOLED, PUBLISHED, PUBLISHED_SD, Prior
from forecaster.models.interface import History
from forecaster.models.training_progress import Teller, on_places
from forecaster.timewindow import DAY_US

WIDER = 3.0
FIRST_DAY = date(1975, 1, 1)
CIRCLES, SEED = 100, 20101215
DECIMALS = 4


def pretrain_set(
    events: Events, until: date, circles: int | None, seed: int | None, tell: Teller
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """`fit_and_load.Pretrainer`."""
    drawn_with = SEED if seed is None else seed
    return pretrain(events, until, circles or CIRCLES, drawn_with, on_circle=on_places(tell, f"etas to {until}"))


def pretrain(
    catalogue: Events,
    data_until: date,
    circles: int = CIRCLES,
    seed: int = SEED,
    start: np.ndarray = POOLED,
    on_circle: Callable[[int], None] = lambda number: None,
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The common parameters of `circles` places on data to `data_until`, searched from `start` (9,).

    Returns (files, record) for `pretrained.write_pretrained`, whose record also needs the version of the code.

    Raises:
        NotTrainable: too few circles, or no maximum was found.
    """
    histories = world_histories(catalogue, FIRST_DAY, data_until, circles, np.random.default_rng(seed), on_circle)
    found = pooled_maximum(histories, start=start, errors=False)
    if not found.converged:
        raise NotTrainable(f"ETAS on {circles} circles to {data_until}: no maximum in {found.evaluations} evaluations; train again later")
    content = {name: round(float(value), DECIMALS) for name, value in zip(NAMES, found.vector, strict=True)}
    files = {PARAMETERS_FILE: (json.dumps(content, indent=1) + "\n").encode()}
    target_days = int(sum(one.happened.sum() for one in histories))
    settings = {"first_day": FIRST_DAY.isoformat(), "evaluations": found.evaluations}
    days = sum(len(one.days) for one in histories)
    return files, {"circles": circles, "seed": seed, "settings": settings, "days": days, "target_days": target_days}


def world_histories(
    catalogue: Events,
    first_day: date,
    last_day: date,
    count: int,
    rng: np.random.Generator,
    on_circle: Callable[[int], None] = lambda number: None,
) -> list[History]:
    """Histories of `count` circles from `first_day` to `last_day` (UTC), from the final catalogue truncated after `last_day`.

    `on_circle` is called after each circle. All circles are in UTC, and share one object of days.
    """
    histories: list[History] = []
    until_us = int(np.datetime64(last_day, "us").astype(np.int64)) + DAY_US
    events = catalogue.take(catalogue.origin_time_us < until_us).known_at_once()
    circles = world_circles(events, count, rng)
    days = target_days(circles[0], first_day, (last_day - first_day).days + 1)
    for number, recipe in enumerate(circles):
        happened = daily_labels(events, recipe, days)[0]
        reference = climatology.daily_references(happened, days)
        known = np.isfinite(reference)  # from the same day on everywhere
        kept = histories[0].days if histories else days.take(known)
        histories.append(History(recipe, events, events, kept, happened[known], reference[known]))
        on_circle(number)
    return histories


def pooled_maximum(
    histories: Sequence[History], *, start: np.ndarray = PUBLISHED, max_evaluations: int = 250, errors: bool = True
) -> Maximum:
    """The common parameter set, with K for M >= 4.5, scaled to each threshold by Gutenberg-Richter. Priors are PUBLISHED with WIDER
    spreads.

    errors: whether to compute standard errors, which takes 18 more evaluations.
    """
    days = histories[0].days
    reads = daily_reads(days)
    likelihoods = [DailyLikelihood(one, select_parents(one.inputs, one.recipe), reads if one.days is days else None) for one in histories]
    shifts = np.zeros((len(likelihoods), len(start)))
    shifts[:, 2] = [-LN10 * B_VALUE * (one.recipe.threshold_mag - PARENT_MAG) for one in histories]

    def together(vector: np.ndarray) -> tuple[float, np.ndarray]:
        parts = [likelihood(vector + shift) for likelihood, shift in zip(likelihoods, shifts, strict=True)]
        return sum(loss for loss, _ in parts), np.sum([gradient for _, gradient in parts], axis=0)

    return maximise(together, Prior(PUBLISHED, WIDER * PUBLISHED_SD), start, errors=errors, max_evaluations=max_evaluations)
