"""The daily job as a Prefect flow: pull, train what is due, predict, verify, report, export, notify.

On a schedule (`issue="due"`) a run makes every forecast whose issue time has passed and that does not exist yet, oldest day first. So a
schedule of any time zone, a late run and a run after a downtime all do the same. A run that finds nothing to do reports that.
"""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from prefect import flow, get_run_logger
from prefect.runtime import flow_run
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from flows import tasks
from flows.parameters import Day
from flows.support import artifacts, steps
from flows.support.final_state import NO_FORECAST, ended
from flows.support.hooks import report_failure
from flows.support.names import dated_name
from flows.support.old_runs import delete_old_runs
from flows.support.overdue_runs import cancel_overtaken
from flows.support.retraining import request_retraining
from flows.support.write_lock import one_writer
from forecaster.pipeline import run_context
from forecaster.pipeline.daily.issue_schedule import Issue, missing_issues, moment_of_alarm
from forecaster.pipeline.daily.predict import PredictResult
from forecaster.pipeline.training import fit_recipe, train
from forecaster.quantities import counted
from forecaster.registry.reasons import Reason
from forecaster.timewindow import require_utc


@flow(
    name="daily",
    flow_run_name=dated_name,
    description=__doc__,
    timeout_seconds=6 * 3600,
    on_failure=[report_failure],
    on_crashed=[report_failure],
    log_prints=False,
)
def daily(
    target_date: Day | None = None,
    recipes: Annotated[list[str], Field(min_length=1)] | None = None,
    issue: Literal["next", "due"] = "next",
    train_mode: Literal["due", "never"] | list[str] = "due",
    max_minutes: Annotated[float, Field(gt=0, le=1440)] | None = None,
    max_epochs: Annotated[int, Field(ge=0)] | None = None,
    total_minutes: Annotated[float, Field(gt=0, le=1440)] | None = None,
    simulated_now: SkipJsonSchema[datetime | None] = None,
    languages: Annotated[tuple[str, ...], Field(min_length=1)] | None = None,
    send: Literal["everything", "alerts", "nothing"] | None = None,
) -> Any:
    """Run the whole job once; settings and secrets come from the environment.

    Args:
        target_date: Day to forecast, of every recipe in its own time zone. Empty: as `issue` says.
        recipes: Recipes by id, for example ["tokyo-m45"]. Empty: all of them.
        issue: next: the next local day of every recipe, now. due: all that is due by its issue time and not made yet, oldest day first.
        train_mode: Before forecasting, train the recipes that are due, none (never), or just the listed ones.
        max_minutes: Training time of one recipe, in minutes.
        max_epochs: Epochs of each ConvLSTM.
        total_minutes: Training time of all recipes together, in minutes.
        simulated_now: Replay with a clock that stands still there, for example 2024-01-02T12:00:00Z, in a home that holds nothing later;
            such forecasts are never official. No deployment offers it or takes it.
        languages: Languages of the report's pages, for example ["en", "ja"]. Empty: all there are.
        send: everything: the report and all that is due. alerts: all but the report, which on a schedule the flow `send` sends in the
            morning. Empty: everything, or nothing in a replay.

    Returns:
        The run's state ('success' or 'partial'; a failure raises) and what each step did.
    """
    begun = datetime.now(UTC)
    send = send or ("nothing" if simulated_now else "everything")
    work = steps.open_work(recipes, require_utc(simulated_now, "simulated_now") if simulated_now else None)
    agenda = _agenda(work, target_date, issue)
    if agenda is not None and not agenda:
        idle = {"run_id": work.run_id, "problems": [], "forecasts": 0, "pages": []}
        steps.beat(work, "success")
        steps.alone("overtaken runs", lambda: cancel_overtaken(begun), idle)
        steps.report_to_operator(work, "daily", idle)
        return ended(idle, "nothing is due: every forecast whose issue time has come is made")
    with steps.noted_run(work, "daily") as done:
        with one_writer(work):
            problems = steps.pull(work, done)
        _train(work, train_mode, fit_recipe.TrainOptions(max_minutes, max_epochs, total_minutes=total_minutes), done)
        with one_writer(work):
            forecast_ids = _predict(work, agenda, target_date, problems, done)
            steps.beat(work, "success" if forecast_ids else NO_FORECAST)
            steps.verify(work, done)
            steps.raise_alerts(work, done)
            steps.make_world_map(work, languages, done)
            written = steps.write_report(work, languages, done)
            steps.alone("export", lambda: tasks.export_task(work), done)
            steps.alone("tidy", lambda: tasks.tidy_task(work), done)
        if send != "nothing":  # after the write lock is released: a mail server may take long to answer
            steps.notify(work, done, report=send == "everything" and written is not None)
        # not before: where this run dies, the next in the queue does its work
        steps.alone("overtaken runs", lambda: cancel_overtaken(begun), done)
        steps.alone("artifacts", lambda: _show(work, forecast_ids, done["pages"]), done)
        steps.alone("old runs", lambda: delete_old_runs(work.settings, begun), done)
        if issue == "due" and not work.clock.simulated:
            done["retraining"] = steps.alone("asking for a retraining", lambda: request_retraining(work), done) or []
    get_run_logger().info("daily run %s: %d forecasts, state %s", work.run_id, done["forecasts"], done["state"])
    return ended(done, counted(done["forecasts"], "forecast"), name=None if forecast_ids else NO_FORECAST)


def _agenda(work: run_context.Job, target_date: date | None, issue: str) -> list[Issue] | None:
    """Return the days to make, oldest first. None: one day, the requested one or each recipe's next."""
    if target_date is not None or issue == "next":
        return None
    now = work.clock.now()
    moment = now if work.clock.simulated else moment_of_alarm(now, flow_run.scheduled_start_time)
    return missing_issues(work.store, work.recipes, moment, replay=work.clock.simulated)


def _train(work: run_context.Job, mode: str | list[str], options: fit_recipe.TrainOptions, done: dict[str, Any]) -> None:
    def found() -> list[str]:
        return [] if mode == "never" else mode if isinstance(mode, list) else list(train.due(work.store, work.recipes, work.clock))

    due = steps.alone("what is due for training", found, done)
    trained = steps.alone("train", lambda: tasks.train_task(work, options, due), done) if due else None
    if trained is not None:
        done |= {"trained": {name: row["judged"] for name, row in trained.trained.items()}, "not_trained": trained.skipped}
        done |= {"not_fitted": trained.failed, "out_of_time": trained.out_of_time}
        done["problems"] += [f"training: {problem}"] if (problem := trained.problem()) else []


def _predict(
    work: run_context.Job, agenda: list[Issue] | None, day: date | None, problems: tuple[Reason, ...], done: dict[str, Any]
) -> list[str]:
    """Make the forecasts, one day after the other, and return their ids. A day that fails does not stop the next one.

    Raises:
        Exception: the error of the first day, where no day could be made.
    """
    total, errors = PredictResult(), []
    for target_day, recipes in [(day, work.recipes)] if agenda is None else [(item.day, item.recipes) for item in agenda]:
        about = None if target_day is None else str(target_day)
        try:
            part = tasks.predict_task(work, list(recipes), target_day, problems)
        except Exception as error:  # noqa: BLE001 - reported as this day's failure
            steps.note_failure("predict", error, done, about=about)
            errors.append(error)
            continue
        total.forecast_ids += part.forecast_ids
        total.not_scoreable |= part.not_scoreable
        total.degraded |= part.degraded
        total.silent |= part.silent
        total.unusable |= part.unusable
        steps.note_failed_parts(part, done, about=about)
    if errors and not total.forecast_ids:
        raise errors[0]
    if agenda is not None:
        done["days"] = {str(item.day): [recipe.id for recipe in item.recipes] for item in agenda}
    steps.note_forecasts(total, done)
    return total.forecast_ids


def _show(work: run_context.Job, forecast_ids: list[str], pages: list[str]) -> None:
    artifacts.show_forecasts(work, forecast_ids)
    artifacts.show_skill(work)
    if pages:
        artifacts.show_report(work, Path(pages[0]))
