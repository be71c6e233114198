"""The data that a recipe's models are fitted on, and the days they are evaluated on."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from forecaster.errors import NotTrainable
from forecaster.models.baselines import climatology
from forecaster.models.data_splits import purge_days
from forecaster.models.interface import FittedModel, History
from forecaster.pipeline.as_of.as_known import Known, labelled_days
from forecaster.recipe import Recipe

MAX_VALIDATION_DAYS = 4 * 366


def history_of(recipe: Recipe, known: Known) -> History:
    """Return all target days whose outcome was final at `known.as_of`, each with the reference available at its own issue time.

    Inputs are the event versions as known at each issue, so that delays affect training days as they affect real mornings.

    Raises:
        NotScoreable: the catalogue has not been read for this recipe, or for less than the year that a reference needs.
    """
    labelled = labelled_days(recipe, known)
    days = labelled.days
    reference = climatology.daily_references(labelled.happened, days)
    return History(recipe, known.inputs, known.events, days, labelled.happened, reference)


def split_for_validation(history: History) -> tuple[History, History]:
    """Split into the data for the evaluation fit and the validation days: the last `test_ratio` of the days, four years at most.

    A purge lies between the two. The first part holds no event, version or outcome that became known after the issue of its last day.

    Raises:
        NotTrainable: no day is left to fit on, or no target day with a reference for the evaluation.
    """
    recipe, count = history.recipe, len(history.days)
    held_out = min(round(count * recipe.test_ratio), MAX_VALIDATION_DAYS)
    fitted = count - held_out - purge_days(recipe)
    if fitted < 1 or held_out < 1:
        raise NotTrainable(
            f"{recipe.id}: {count} settled days are too few for a span to fit on, a purge of {purge_days(recipe)} days and one to judge by"
        )
    validation = history.take(slice(count - held_out, count))
    if not validation.happened.any():
        target = f"M >= {recipe.threshold_mag} within {recipe.radius_km:.0f} km"
        raise NotTrainable(
            f"{recipe.id}: the target ({target}) came on none of the {held_out} validation days and {int(history.happened.sum())} of all "
            f"{count}: there is nothing to judge a model by; lower the threshold or widen the circle"
        )
    if not (validation.happened & np.isfinite(validation.reference)).any():
        raise NotTrainable(
            f"{recipe.id}: no target day of the {held_out} validation days has a usual rate to be judged against, which needs a year of "
            f"settled days before it; {count} settled days are too few, read an earlier start of the catalogue"
        )
    return _cut(history.take(slice(0, fitted))), validation


def _cut(history: History) -> History:
    inputs = history.inputs.known_before(int(history.days.cut_us[-1]))
    before_end = history.catalogue.origin_time_us < history.days.target_ends_us[-1]
    return replace(history, inputs=inputs, catalogue=history.catalogue.take(before_end))


def check_admissible(model: FittedModel, recipe: Recipe, first_day: np.datetime64) -> None:
    """Reject a model that has seen too much to forecast `first_day`: its data must end more than a purge before it.

    Raises:
        NotTrainable: names the model, its last day and the first one that it may forecast.
    """
    begin = first_admissible_day(model, recipe)
    if first_day.astype("datetime64[D]").item() < begin:
        raise NotTrainable(
            f"{model.kind} of {recipe.id} has seen days up to {model.last_data_day} and may forecast from {begin} on, not {first_day}"
        )


def first_admissible_day(model: FittedModel, recipe: Recipe) -> date:
    """Return the first local day that a model may forecast: more than a purge after the last day of its data."""
    return model.last_data_day + timedelta(days=purge_days(recipe) + 1)
