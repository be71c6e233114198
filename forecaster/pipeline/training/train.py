"""Fit every kind of model of each recipe twice: once for evaluation on held-out days, once to serve as a member of what is published."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from forecaster.clock import Clock
from forecaster.errors import ModelError, NotScoreable
from forecaster.pipeline.as_of.as_known import Known
from forecaster.pipeline.as_of.catalogue_history import load_known
from forecaster.pipeline.run_context import Job
from forecaster.pipeline.training.due import data_until, due_reasons
from forecaster.pipeline.training.fit_recipe import MIN_MINUTES, Teller, TrainOptions, evaluation_words, fit_region, store_region
from forecaster.recipe import Recipe
from forecaster.store.database import Store

log = logging.getLogger(__name__)

Progress = Callable[[int, int | None, str], None]


@dataclass
class TrainResult:
    """The result by recipe: `judged` (the evaluation in words) and `models` (rows of the table) by kind; or why there is none.

    failed: by recipe and kind, why a kind is missing while others are there. out_of_time: those of the skipped recipes for which the
    minutes of the run were not enough.
    """

    trained: dict[str, dict[str, Any]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    failed: dict[str, dict[str, str]] = field(default_factory=dict)
    out_of_time: list[str] = field(default_factory=list)

    def problem(self) -> str | None:
        """The due recipes that were not trained for lack of time, in words; None where there were none."""
        if not self.out_of_time:
            return None
        count = len(self.out_of_time)
        return (
            f"{count} recipe{'s are' if count > 1 else ' is'} not trained, since the minutes of this run were used up: "
            f"{', '.join(self.out_of_time)}; run it again, or allow more minutes"
        )


def due(store: Store, recipes: list[Recipe], clock: Clock) -> list[str]:
    """Return the ids of the due recipes, in the order of `due_reasons`."""
    return list(due_reasons(store, recipes, clock))


def train_recipes(job: Job, options: TrainOptions, on_progress: Progress | None = None) -> TrainResult:
    """Train the job's recipes one after the other; one that cannot be trained does not stop the others, nor a kind the other kinds.

    Each model is stored with its evaluation. A failed fit leaves the old model in place. A recipe is not begun where fewer of the minutes
    of the run are left than the longest one before it took: a fit that has begun cannot be cut at any moment.
    """
    recipes, known = job.recipes, load_known(job.store, data_until(job.store, job.clock))
    started = time.monotonic()
    result, longest = TrainResult(), MIN_MINUTES
    for done, recipe in enumerate(recipes):
        begun = time.monotonic()
        used = (begun - started) / 60
        if options.total_minutes is not None and options.total_minutes - used < longest:
            result.skipped[recipe.id] = f"not trained: the {options.total_minutes:g} minutes of this run were used up; train it by itself"
            result.out_of_time.append(recipe.id)
            continue
        minutes = _minutes(recipe, options, used)
        try:
            made, failed = train_recipe(job, known, recipe, options, minutes, _teller(on_progress, done, len(recipes), recipe.id))
        except (NotScoreable, ModelError) as error:
            result.skipped[recipe.id] = str(error)
        else:
            result.trained[recipe.id] = made
            if failed:
                result.failed[recipe.id] = failed
            longest = max(longest, (time.monotonic() - begun) / 60)
        if on_progress is not None:
            on_progress(done + 1, len(recipes), recipe.id)
    return result


def train_recipe(
    job: Job, known: Known, recipe: Recipe, options: TrainOptions, minutes: float | None, tell: Teller
) -> tuple[dict[str, Any], dict[str, str]]:
    """Fit, evaluate and store for one recipe; return ({judged, models}, {kind: why it failed}); see `fit_region`."""
    fit = fit_region(job.store, recipe, known.as_of, options, minutes, tell, known=known)
    if options.evaluate_only:
        return {"judged": evaluation_words(fit.evaluated), "models": fit.evaluated}, fit.failed
    return store_region(job.store, job.settings, recipe, fit), fit.failed


def _minutes(recipe: Recipe, options: TrainOptions, used: float) -> float | None:
    """Return the minutes for one recipe; None where only `max_epochs` limits the training."""
    own = options.max_minutes if options.max_minutes is not None else recipe.max_minutes
    if options.max_epochs is not None and options.max_minutes is None:
        return None
    return own if options.total_minutes is None else min(own, options.total_minutes - used)


def _teller(on_progress: Progress | None, done: int, total: int, recipe_id: str) -> Teller:
    def tell(what: str) -> None:
        log.info("%s, %s", recipe_id, what)
        if on_progress is not None:
            on_progress(done, total, f"{recipe_id}, {what}")

    return tell
