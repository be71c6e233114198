"""Retraining as a Prefect flow: fit every region that is due on as many workers as the settings allow, and store each as soon as it is
done."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from prefect import flow, get_run_logger, task
from pydantic import Field

from flows.support import artifacts, steps, workers
from flows.support.error_text import words
from flows.support.final_state import ended
from flows.support.hooks import report_failure
from flows.support.names import dated_name
from flows.support.task_kinds import ON_A_WORKER
from flows.support.write_lock import one_writer
from flows.tasks import publish_task
from forecaster.errors import NotScoreable, NotTrainable, RecipeChanged
from forecaster.pipeline.recipes_in_use import recipes_in_use
from forecaster.pipeline.run_context import Job, open_reader
from forecaster.pipeline.training import due, fit_recipe
from forecaster.quantities import counted
from forecaster.recipe import Recipe
from forecaster.settings import load_settings


@task(name="fit", task_run_name="fit {recipe.id}", **ON_A_WORKER)
def fit_task(recipe: Recipe, as_of: datetime, minutes: float) -> fit_recipe.RegionFit:
    """Fit one region on a worker. The worker reads what its own settings name, and writes nothing."""
    tell = get_run_logger().info
    return fit_recipe.fit_region(open_reader(load_settings()), recipe, as_of, fit_recipe.TrainOptions(), minutes, tell)


@flow(
    name="retrain",
    flow_run_name=dated_name,
    description=__doc__,
    timeout_seconds=48 * 3600,
    on_failure=[report_failure],
    on_crashed=[report_failure],
)
def retrain(
    recipes: Annotated[list[str], Field(min_length=1)] | None = None,
    force: bool = False,
    max_minutes: Annotated[float, Field(gt=0, le=1440)] | None = None,
) -> Any:
    """Retrain the regions that are due: the newest model is a week old, the recipe has changed, many events occurred, or the calibration
    has drifted.

    A region that fails does not stop the others; the run is then partial. A run that is killed has stored the regions that were done, and
    the next run does the rest.

    Args:
        recipes: Recipes by id, for example ["tokyo-m45"]. Empty: all of them.
        force: Train also what is not due.
        max_minutes: Training time of one region, in minutes. Empty: what its recipe says.
    """
    log = get_run_logger()
    work = steps.open_work(recipes)
    reasons = due.due_reasons(work.store, work.recipes, work.clock)
    chosen = {recipe.id: recipe for recipe in work.recipes if recipe.models}
    ordered = [chosen[name] for name in reasons] + [recipe for name, recipe in chosen.items() if force and name not in reasons]
    if not ordered:
        return ended({"run_id": work.run_id, "state": "success", "problems": [], "trained": {}}, "no region is due")
    for recipe in ordered:
        log.info("%s: %s", recipe.id, "; ".join(reasons.get(recipe.id, ["asked for"])))
    with steps.noted_run(work, "retrain") as done:
        done |= {"reasons": reasons, "trained": {}, "not_trained": {}, "not_fitted": {}}
        publish_task(work)
        _train(work, ordered, max_minutes, done)
    return ended(done, f"{len(done['trained'])} of {counted(len(ordered), 'place')} trained")


def _train(work: Job, recipes: Sequence[Recipe], max_minutes: float | None, done: dict[str, Any]) -> None:
    show = artifacts.show_progress("retraining", "Retraining")
    as_of = due.data_until(work.store, work.clock)
    calls = {recipe.id: {"recipe": recipe, "as_of": as_of, "minutes": max_minutes or recipe.max_minutes} for recipe in recipes}
    with workers.pool(work.settings) as run:
        for count, (name, fit, error) in enumerate(run(fit_task, calls), start=1):
            try:
                if error is not None:
                    raise error
                _store(work, name, fit, done)
            except (NotScoreable, NotTrainable) as reason:
                done["not_trained"][name] = str(reason)
            except Exception as problem:  # noqa: BLE001 - reported as this region's failure; the others go on
                done["not_trained"][name] = words(problem)
                done["problems"].append(f"{name}: {words(problem)}")
            show(count, len(calls), name)


def _store(work: Job, name: str, fit: fit_recipe.RegionFit, done: dict[str, Any]) -> None:
    """Store one fit.

    Raises:
        RecipeChanged: the recipe was removed or changed since the fit began; nothing of the fit is stored.
    """
    recipe = recipes_in_use(work.settings).get(name)
    if recipe is None:
        raise RecipeChanged(f"{name}: the recipe was deleted while it was trained; nothing of that fit is stored")
    with one_writer(work):
        stored = fit_recipe.store_region(work.store, work.settings, recipe, fit)
    done["trained"][name] = stored["judged"]
    if fit.failed:
        done["not_fitted"][name] = fit.failed
