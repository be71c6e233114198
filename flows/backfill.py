"""Backfill as a Prefect flow: forecast past days in the order of their dates, on as many workers as the settings allow.

Each step is stored before the next begins, so a run that is killed is resumed by requesting the same again. Official forecasts are
unchanged.
"""

import logging
import time
from typing import Annotated, Any, Literal

from prefect import flow, get_run_logger, task
from pydantic import Field

from flows.parameters import Day
from flows.support import artifacts, steps, workers
from flows.support.error_text import words
from flows.support.final_state import ended
from flows.support.hooks import report_failure
from flows.support.names import dated_name
from flows.support.task_kinds import ON_A_WORKER
from flows.support.write_lock import one_writer
from flows.tasks import publish_task
from forecaster.pipeline.backfilling import backfill as past
from forecaster.pipeline.run_context import Job, open_reader, publish_copy
from forecaster.recipe import Recipe
from forecaster.settings import load_settings

log = logging.getLogger(__name__)

STORE_EVERY_SECONDS = 10.0  # completed parts wait no longer than this to be stored


@task(name="forecast", task_run_name="forecast {recipe.id}", **ON_A_WORKER)
def forecast_task(recipe: Recipe, chunk: past.Chunk, options: past.BackfillOptions) -> past.ChunkRows:
    """Forecast some days of one region on a worker. The worker reads what its own settings name, and writes nothing."""
    settings = load_settings()
    return past.forecast_chunk(open_reader(settings), settings, recipe, chunk, options)


@flow(
    name="backfill",
    flow_run_name=dated_name,
    description=__doc__,
    timeout_seconds=7 * 24 * 3600,
    on_failure=[report_failure],
    on_crashed=[report_failure],
)
def backfill(
    from_date: Day,
    to_date: Day,
    recipes: Annotated[list[str], Field(min_length=1)] | None = None,
    mode: Literal["walk-forward", "current-model"] = "walk-forward",
    retrain_every: Annotated[int, Field(ge=1, le=3660)] = 30,
    overwrite: bool = False,
    max_minutes: Annotated[float, Field(gt=0, le=1440)] | None = None,
    ladder: bool = True,
) -> Any:
    """Forecast the days from `from_date` to `to_date`. Existing forecasts are left alone, so the same request again makes only what is
    missing.

    Args:
        from_date: First day to forecast, in each recipe's own time zone.
        to_date: Last day, included; it must have ended.
        recipes: Recipes by id, for example ["tokyo-m45"]. Empty: all of them.
        mode: walk-forward: each day by a model that was trained only on what was known before. current-model: by today's models; days
            that a model has seen are marked in-sample and never scored.
        retrain_every: Days between two trainings of a walk-forward. Days that an earlier walk-forward made stay, unless overwritten.
        overwrite: Make anew what an earlier backfill of this mode made. Official forecasts are never changed.
        max_minutes: Training time of one region at each training, in minutes. Empty: what its recipe says.
        ladder: Longer windows and larger magnitudes of each day, too. Days that are there already get none, unless overwritten.
    """
    work = steps.open_work(recipes)
    options = past.BackfillOptions(from_date, to_date, mode, retrain_every, overwrite, max_minutes, ladder)
    plan = past.plan_backfill(work.store, work.settings, work.recipes, options, work.clock)
    get_run_logger().info("%s", plan.text)
    if not plan.steps:
        idle = {"run_id": work.run_id, "state": "success", "problems": [], "forecasts": 0, "there": plan.there}
        return ended(idle, plan.text)
    result = past.BackfillResult(there=plan.there, left_out=dict(plan.left_out))
    with past.only_backfill(work.settings, work.clock.now()), steps.noted_run(work, "backfill") as done:
        _make(work, plan, options, result)
        done |= {"days": result.days, "forecasts": result.rows, "trainings": result.fits, "there": result.there}
        done |= {"left_out": result.left_out, "state": result.state}
        done["problems"] += [f"{name}: {reason}" for name, reason in result.failed.items()]
        done["problems"] += [f"{name}, {kind}: {why}" for name, kinds in result.silent.items() for kind, why in kinds.items()]
        with one_writer(work):
            steps.verify(work, done)
        steps.alone("artifacts", lambda: artifacts.show_skill(work), done)
    return ended(done, f"{from_date} to {to_date}, {mode}: {result.text}")


def _make(work: Job, plan: past.BackfillPlan, options: past.BackfillOptions, result: past.BackfillResult) -> None:
    """Make every step of the plan, one after the other. A region that fails is left out of the later steps."""
    recipes = {recipe.id: recipe for recipe in work.recipes}
    show = artifacts.show_progress("backfill", "Backfill, steps")
    publish_task(work)  # the copy that workers read
    with workers.pool(work.settings) as run:
        for count, step in enumerate(plan.steps, start=1):
            chunks = {chunk.recipe_id: chunk for chunk in step if chunk.recipe_id not in result.failed}
            calls = {name: {"recipe": recipes[name], "chunk": chunk, "options": options} for name, chunk in chunks.items()}
            waiting: list[tuple[Recipe, past.ChunkRows]] = []
            stored_at = time.monotonic()
            for name, rows, error in run(forecast_task, calls):
                if error is not None:
                    result.failed[name] = words(error)
                    continue
                waiting.append((recipes[name], rows))
                if time.monotonic() - stored_at > STORE_EVERY_SECONDS:
                    _store(work, waiting, options, result)
                    stored_at = time.monotonic()
            _store(work, waiting, options, result, publish=True)  # a walk-forward's next step builds on this one
            show(count, len(plan.steps), f"to {max(chunk.days[-1] for chunk in step)}")


def _store(
    work: Job,
    waiting: list[tuple[Recipe, past.ChunkRows]],
    options: past.BackfillOptions,
    result: past.BackfillResult,
    *,
    publish: bool = False,
) -> None:
    """Store the collected parts, a transaction a region. A region that cannot be stored does not stop the others."""
    with one_writer(work):
        for recipe, rows in waiting:
            try:
                past.note(result, rows, past.store_chunk(work, recipe, rows, options))
            except Exception as error:
                log.exception("%s cannot be stored", recipe.id)
                result.failed[recipe.id] = words(error)
        waiting.clear()
        if publish:
            publish_copy(work)
