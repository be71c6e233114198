"""The plan of an evaluation: what is evaluated, and with which fits.

An experiment (arm) defines the inputs of the forecasts and of the model's fit:

    A  inputs of the final catalogue, one fit on days to 2014-12-31
    B  inputs as they were known at each issue, the same fit
    C  as B; references (best rate, persistence, ETAS) refitted each year on days to the end of the year before, less 45 days for
       their outcomes to be final; other models keep their weights
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from forecaster.catalog.coverage import covered_span
from forecaster.errors import BadInput, NotScoreable
from forecaster.models.baselines import climatology
from forecaster.models.data_splits import purge_days
from forecaster.models.fit_and_load import FittableKind
from forecaster.pipeline.as_of.as_known import Known
from forecaster.recipe import Recipe
from forecaster.timewindow import DAY_US, to_us

FINAL_DAYS = timedelta(days=climatology.FINAL_AFTER_DAYS)


@dataclass(frozen=True)
class Arm:
    """One experiment.

    inputs, fit_inputs: "final" or "known", the inputs of forecasts and of fits. fit_until: the last day of the single fit. refit:
    references are refitted for each year, on the forecast's inputs; without a `fit_until`, all models are.
    """

    name: str
    inputs: str
    fit_inputs: str
    fit_until: date | None
    refit: bool = False


ARMS = {
    "A": Arm("A", "final", "final", date(2014, 12, 31)),
    "B": Arm("B", "known", "final", date(2014, 12, 31)),
    "C": Arm("C", "known", "final", date(2014, 12, 31), refit=True),
}


@dataclass(frozen=True)
class EvaluateOptions:
    """The options. Days first_day..last_day, both included; `max_minutes` and `seed` apply to every fit."""

    arms: tuple[Arm, ...]
    models: tuple[str, ...]
    first_day: date
    last_day: date
    max_minutes: float | None = 5.0
    seed: int = 20110311


@dataclass(frozen=True)
class FitPlan:
    """One fit of a plan: its inputs, its last day, and the years it is for."""

    inputs: str
    until: date
    years: tuple[int, ...]


def plan_fits(arm: Arm, kind: FittableKind, years: Sequence[int]) -> list[FitPlan]:
    """Return the fits with which this kind of model forecasts these years: one for all, or one a year."""
    if arm.refit and (kind.reference or arm.fit_until is None):
        inputs = arm.inputs if arm.fit_until is not None else arm.fit_inputs
        return [FitPlan(inputs, date(year - 1, 12, 31) - FINAL_DAYS, (year,)) for year in years]
    if arm.fit_until is None:
        raise BadInput(f"arm {arm.name} names no fit: give --fit-until or --refit yearly")
    return [FitPlan(arm.fit_inputs, arm.fit_until, tuple(years))]


def check_plan(known: Known, recipes: Sequence[Recipe], options: EvaluateOptions) -> None:
    """Check before any computation that the days are in order, far enough from the fits, and covered by the catalogue.

    Raises:
        BadInput: gives the days, the limit and what to choose instead.
    """
    if options.first_day > options.last_day:
        raise BadInput(f"--from {options.first_day} lies after --to {options.last_day}; exchange them")
    if known.coverage.empty:
        raise BadInput("the database holds no catalogue; run `quakecast pull` first")
    purge = max(purge_days(recipe) for recipe in recipes)
    for arm in options.arms:
        if arm.fit_until is not None and options.first_day <= arm.fit_until + timedelta(days=purge):
            begin = arm.fit_until + timedelta(days=purge + 1)
            raise BadInput(
                f"--from {options.first_day} lies within {purge} days of purge after the fit of arm {arm.name}, {arm.fit_until}, or "
                f"before it; evaluate from {begin} on, or fit on earlier days (--fit-until)"
            )
    first, last = (int(np.datetime64(day, "D").astype(np.int64)) * DAY_US for day in (options.first_day, options.last_day))
    for recipe in recipes:
        try:
            span = covered_span(recipe, known.coverage)
        except NotScoreable:
            continue
        if first < to_us(span.start) or last + DAY_US > to_us(min(span.end, known.as_of)):
            raise BadInput(
                f"--from {options.first_day} --to {options.last_day} reach outside the catalogue, read for {recipe.id} from "
                f"{span.start:%Y-%m-%d} to {min(span.end, known.as_of):%Y-%m-%d} (not included); choose days inside, or pull"
            )
