"""The steps of the daily job as Prefect tasks: each calls one function of the pipeline, and is retried where that can help.

Tasks that write are called by a flow that holds the write lock.
"""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from prefect.cache_policies import NO_CACHE

from flows.forecasts_on_workers import compute_anywhere
from flows.support.task_kinds import AGAIN, step
from flows.support.write_lock import one_writer
from forecaster.console import progress
from forecaster.pipeline import run_context, tidy
from forecaster.pipeline.alerting import raise_alerts
from forecaster.pipeline.daily import export_map_files, predict, publish_report, pull, verify
from forecaster.pipeline.messaging import deliver
from forecaster.pipeline.training import fit_recipe, train
from forecaster.pipeline.world_map import map_day, map_page, map_record
from forecaster.recipe import Recipe, choose
from forecaster.registry.reasons import Reason


@step(name="pull", retries=1, timeout_seconds=3600, **{**AGAIN, "retry_delay_seconds": 30})
def pull_task(work: run_context.Job) -> pull.PullResult:
    with progress("reading USGS") as update:
        return pull.pull_catalog(work, run_context.catalogue_source(work), lambda done, total: update(done, total, ""))


@step(name="train", cache_policy=NO_CACHE)
def train_task(work: run_context.Job, options: fit_recipe.TrainOptions, recipe_ids: list[str]) -> train.TrainResult:
    chosen = choose({recipe.id: recipe for recipe in work.recipes}, recipe_ids)  # in this order: the minutes may not suffice for all
    with progress("training", len(chosen)) as update:
        return train.train_recipes(replace(work, recipes=chosen), options, on_progress=update)


def _named_by_day(parameters: dict[str, Any]) -> str:
    return f"predict {parameters['target_day'] or 'the next day'}"


@step(name="predict", task_run_name=_named_by_day, retries=1, timeout_seconds=3600, **AGAIN)
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


@step(name="verify", retries=1, timeout_seconds=3600, **AGAIN)
def verify_task(work: run_context.Job) -> verify.VerifyResult:
    return verify.verify(work)


@step(name="world map", cache_policy=NO_CACHE, timeout_seconds=1800)
def world_map_task(work: run_context.Job, languages: tuple[str, ...] | None) -> map_day.EarthMade:
    made = map_day.make_earth(work)
    if made.issue is not None:
        map_page.write_pages(work, languages)
    return made


@step(name="record of world maps", cache_policy=NO_CACHE, timeout_seconds=1800)
def world_record_task(work: run_context.Job) -> int:
    return map_record.verify_maps(work)


@step(name="report", cache_policy=NO_CACHE, timeout_seconds=1800)
def report_task(work: run_context.Job, languages: tuple[str, ...] | None) -> publish_report.WrittenReport:
    return publish_report.write_report(work, languages)


@step(name="export", cache_policy=NO_CACHE, timeout_seconds=1800)
def export_task(work: run_context.Job) -> list[Path]:
    return export_map_files.export(work, work.settings.output)


@step(name="tidy", cache_policy=NO_CACHE, timeout_seconds=1800)
def tidy_task(work: run_context.Job) -> tidy.TidyResult:
    return tidy.tidy(work)


@step(name="alerts", retries=1, timeout_seconds=1800, **AGAIN)
def alerts_task(work: run_context.Job, doubts: list[Reason] | None) -> raise_alerts.AlertsResult:
    return raise_alerts.raise_alerts(work, doubts)


@step(name="notify", cache_policy=NO_CACHE, timeout_seconds=1800)
def notify_task(work: run_context.Job, report: bool) -> deliver.NotifyResult:
    return deliver.notify(work, report=report, sent_at=datetime.now(UTC) if work.clock.simulated else None)


@step(name="publish", retries=2, **AGAIN)
def publish_task(work: run_context.Job) -> None:
    """Put a fresh copy of the database where readers and workers find it."""
    with one_writer(work):
        run_context.publish_copy(work)
