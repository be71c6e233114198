"""Automatic roll-back: a kind whose own sets do clearly worse than the package's in the track record returns to the package's.

A set that serves for a month has hardly a verified day of its own before the next one is promoted, so the record covers the sequence of
sets. On each verified day of the recipes since the first of them served, the set in use is compared with the package's newest, from what
was known at the issue. Both have seen none of these days. Where the 95 % interval lies below zero, the sequence is worse than no training
at all.
"""

import logging
from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd

from forecaster.errors import ModelError, NotScoreable
from forecaster.models import pretrained, service_periods
from forecaster.models.baselines.rates import Climatology
from forecaster.models.fit_and_load import model_of_set
from forecaster.models.interface import bounded
from forecaster.pipeline.as_of.as_known import Known
from forecaster.pipeline.as_of.training_history import history_of
from forecaster.pipeline.pretraining.promotion import MAX_UNDEFINED, gain_between
from forecaster.pipeline.pretraining.set_decisions import retire
from forecaster.pipeline.pretraining.trained_sets import KINDS_TRAINED, next_day
from forecaster.pipeline.run_context import Job
from forecaster.pipeline.training.information_gain import gain_numbers, gain_words
from forecaster.recipe import Recipe

log = logging.getLogger(__name__)

SPAN_DAYS = 365
MIN_TARGET_DAYS = 50


def roll_back(job: Job, known: Known) -> dict[str, str]:
    """Retire the sets of each kind whose record shows them to be worse; return, by set, why. Nothing else is changed."""
    decisions: dict[str, str] = {}
    for kind in KINDS_TRAINED:
        own = service_periods.on_day(kind, next_day(job.clock.now()))
        if not own:
            continue
        rows = record_of(kind, known, job.recipes)
        gain = gain_between(rows, "new", "old") if len(rows) else None
        if gain is None or gain.target_days < MIN_TARGET_DAYS or gain.undefined_share > MAX_UNDEFINED or not gain.high < 0:
            continue
        reason = f"the record has turned: {gain_words(gain)} against the package's on {rows['recipe_id'].nunique()} recipes since "
        reason += f"{rows['local_day'].min():%Y-%m-%d}"
        decisions |= retire(job, own, "record", reason, {"record": gain_numbers(gain)})
    return decisions


def record_of(kind: str, known: Known, recipes: Sequence[Recipe]) -> pd.DataFrame:
    """Return daily rows of all recipes except those for comparison: verified days of the last year on which an own set served.

    Columns: recipe_id, local_day, happened, reference, and the forecasts of the day's set ("new") and of the package's newest ("old").
    """
    mine = [period for period in service_periods.all_periods() if period.kind == kind]
    parts = [_record(kind, known, recipe, mine) for recipe in recipes if recipe.comparison_only is None and recipe.predict_range_days == 1]
    found = [part for part in parts if part is not None]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def _record(kind: str, known: Known, recipe: Recipe, mine: Sequence[service_periods.ServicePeriod]) -> pd.DataFrame | None:
    try:
        history = history_of(recipe, known)
    except NotScoreable:
        return None
    first = max(min(period.first_day for period in mine), known.as_of.date() - timedelta(days=SPAN_DAYS))
    local = history.days.local_days
    days = history.take((local >= np.datetime64(first)) & np.isfinite(history.reference))
    if not len(days.days):
        return None
    served = [_of_day(mine, day) for day in days.days.local_days.astype("datetime64[D]").tolist()]
    new, old = np.full(len(served), np.nan), np.full(len(served), np.nan)
    inputs = known.inputs.known_before(int(days.days.cut_us[-1]))
    try:
        for period in dict.fromkeys(period for period in served if period is not None):
            at = np.array([one == period for one in served])
            on = days.take(at)
            package = pretrained.newest_before(kind, period.first_day, pretrained.packaged())
            for columns, world in ((new, pretrained.of_period(period)), (old, package)):
                model = model_of_set(kind, recipe, world) or Climatology(date.min)
                columns[at] = bounded(model.probability(inputs, on.days, on.reference))
    except ModelError as error:  # a damaged set is reported elsewhere; its days are not part of the record
        log.warning("%s: no record of %s: %s", recipe.id, kind, error)
        return None
    head = {"recipe_id": recipe.id, "local_day": days.days.local_days.astype("datetime64[s]"), "happened": days.happened}
    frame = pd.DataFrame(head | {"reference": days.reference, "new": new, "old": old})
    both: pd.DataFrame = frame[np.isfinite(new) & np.isfinite(old)]
    return both


def _of_day(mine: Sequence[service_periods.ServicePeriod], day: date) -> service_periods.ServicePeriod | None:
    on = [period for period in mine if period.on(day)]
    return max(on, key=lambda period: period.data_until, default=None)
