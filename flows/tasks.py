"""The steps of the daily job as Prefect tasks: each calls one function of the pipeline, and is retried where that can help.

Tasks that write are called by a flow that holds the write lock.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import deployment

from flows.support import workers
from flows.support.error_text import words
from flows.support.write_lock import one_writer
from forecaster.console import progress
from forecaster.errors import CatalogMalformed, CatalogTruncated, CatalogUnreachable, NoConnection, StoreBusy, StoreUnreachable
from forecaster.pipeline import run_context, tidy
from forecaster.pipeline.alerting import raise_alerts
from forecaster.pipeline.daily import export_map_files, predict, publish_report, pull, verify
from forecaster.pipeline.issuing.compute_issues import ComputedIssue, Doubts, IssueRequest
from forecaster.pipeline.issuing.issue_batches import IssueBatch, batches_of, compute_batch
from forecaster.pipeline.messaging import deliver
from forecaster.pipeline.training import fit_recipe, train
from forecaster.pipeline.world_map import map_day, map_page, map_record
from forecaster.recipe import Recipe, choose
from forecaster.registry.reasons import Reason
from forecaster.settings import load_settings

HEALS = (CatalogUnreachable, CatalogTruncated, CatalogMalformed, StoreBusy, StoreUnreachable)


def heals(_task: Any, _run: Any, state: Any) -> bool:
    """Return whether a retry can help. It can for the network and the lock, not for bad input and our own bugs.

    At a terminal a missing network is reported at once; a scheduled run tries once more.
    """
    error = state.data if isinstance(state.data, BaseException) else getattr(state.data, "exception", None)
    if error is None:
        error = state.result(raise_on_failure=False)
    if isinstance(error, NoConnection) and not deployment.id:
        return False
    return isinstance(error, HEALS)


# Tasks that only read, or write once, are retried where that can help, after 10 to 20 seconds.
_AGAIN: dict[str, Any] = {
    "retry_delay_seconds": 10,
    "retry_jitter_factor": 1,
    "retry_condition_fn": heals,
    "cache_policy": NO_CACHE,
}
# For the part of a worker. Its time is limited by the minutes it is given: Prefect cannot end a task that computes in a thread.
ON_A_WORKER: dict[str, Any] = {**_AGAIN, "retries": 2, "persist_result": False}


@task(name="pull", retries=1, timeout_seconds=3600, **{**_AGAIN, "retry_delay_seconds": 30})
def pull_task(work: run_context.Job) -> pull.PullResult:
    with progress("reading USGS") as update:
        return pull.pull_catalog(work, run_context.catalogue_source(work), lambda done, total: update(done, total, ""))


@task(name="train", cache_policy=NO_CACHE)
def train_task(work: run_context.Job, options: fit_recipe.TrainOptions, recipe_ids: list[str]) -> train.TrainResult:
    chosen = choose({recipe.id: recipe for recipe in work.recipes}, recipe_ids)  # in this order: the minutes may not suffice for all
    with progress("training", len(chosen)) as update:
        return train.train_recipes(replace(work, recipes=chosen), options, on_progress=update)


@task(name="forecast", task_run_name="forecast {batch.text}", **ON_A_WORKER)
def forecast_task(batch: IssueBatch) -> list[ComputedIssue]:
    """Compute the forecasts of some recipes on a worker. The worker reads what its own settings name, and writes nothing."""
    settings = load_settings()
    return compute_batch(run_context.open_reader(settings), settings, batch)


def compute_anywhere(job: run_context.Job, requests: Sequence[IssueRequest], doubts: Doubts) -> Iterator[ComputedIssue]:
    """Compute the forecasts of a day in this process or, where there are many recipes, in batches on the workers of the settings.

    A batch that fails does not stop the others; its recipes are returned as failed. The caller holds the write lock.

    Raises:
        Exception: the error of the first batch that failed, where all did.
    """
    if not job.settings.forecasts_on_workers(len(requests)):
        yield from predict.compute_here(job, requests, doubts)
        return
    run_context.publish_copy(job)  # the copy that workers read
    batches = {batch.text: batch for batch in batches_of(job.store, job.settings.models, requests, doubts)}
    errors = []
    with workers.pool(job.settings) as run:
        for name, issues, error in run(forecast_task, {name: {"batch": batch} for name, batch in batches.items()}):
            if error is None:
                yield from issues
                continue
            errors.append(error)
            if len(errors) == len(batches):
                raise errors[0]
            failed = f"the forecasts of {name}: {words(error)}"
            yield from (ComputedIssue(one.asked.recipe.id, [], failed=failed) for one in batches[name].requests)


@task(name="predict", retries=1, timeout_seconds=3600, **_AGAIN)
def predict_task(
    work: run_context.Job, recipes: list[Recipe], target_day: date | None, problems: tuple[Reason, ...], *, reforecast: bool = False
) -> predict.PredictResult:
    with progress("forecasting", len(recipes)) as update:
        done = iter(range(1, len(recipes) + 1))
        return predict.predict(
            replace(work, recipes=recipes),
            predict.PredictOptions(target_day, problems=problems, reforecast=reforecast),
            lambda name: update(next(done), len(recipes), name),
            compute_anywhere,
        )


@task(name="verify", retries=1, timeout_seconds=3600, **_AGAIN)
def verify_task(work: run_context.Job) -> verify.VerifyResult:
    return verify.verify(work)


@task(name="world map", cache_policy=NO_CACHE, timeout_seconds=1800)
def world_map_task(work: run_context.Job, languages: tuple[str, ...] | None) -> map_day.EarthMade:
    made = map_day.make_earth(work)
    if made.issue is not None:
        map_page.write_pages(work, languages)
    return made


@task(name="record of world maps", cache_policy=NO_CACHE, timeout_seconds=1800)
def world_record_task(work: run_context.Job) -> int:
    return map_record.verify_maps(work)


@task(name="report", cache_policy=NO_CACHE, timeout_seconds=1800)
def report_task(work: run_context.Job, languages: tuple[str, ...] | None) -> publish_report.WrittenReport:
    return publish_report.write_report(work, languages)


@task(name="export", cache_policy=NO_CACHE, timeout_seconds=1800)
def export_task(work: run_context.Job) -> list[Path]:
    return export_map_files.export(work, work.settings.output)


@task(name="tidy", cache_policy=NO_CACHE, timeout_seconds=1800)
def tidy_task(work: run_context.Job) -> tidy.TidyResult:
    return tidy.tidy(work)


@task(name="alerts", retries=1, timeout_seconds=1800, **_AGAIN)
def alerts_task(work: run_context.Job, doubts: list[Reason] | None) -> raise_alerts.AlertsResult:
    return raise_alerts.raise_alerts(work, doubts)


@task(name="notify", cache_policy=NO_CACHE, timeout_seconds=1800)
def notify_task(work: run_context.Job, report: bool) -> deliver.NotifyResult:
    return deliver.notify(work, report=report, sent_at=datetime.now(UTC) if work.clock.simulated else None)


@task(name="publish", retries=2, **_AGAIN)
def publish_task(work: run_context.Job) -> None:
    """Put a fresh copy of the database where readers and workers find it."""
    with one_writer(work):
        run_context.publish_copy(work)
