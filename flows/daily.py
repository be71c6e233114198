"""The daily job as a Prefect flow: pull, train what is due, predict, verify, report, export, notify."""

from datetime import UTC, date, datetime
from typing import Literal

from prefect import flow, get_run_logger

from flows import tasks
from forecaster.clock import Clock
from forecaster.errors import CatalogError, QuakecastError
from forecaster.pipeline import job, train
from forecaster.settings import load_settings


@flow(name="daily", log_prints=False)
def daily(
    target_date: date | None = None,
    recipes: list[str] | None = None,
    train_mode: Literal["due", "never"] | list[str] = "due",
    max_minutes: float | None = None,
    max_epochs: int | None = None,
    total_minutes: float | None = None,
    simulated_now: datetime | None = None,
    languages: tuple[str, ...] = ("en", "ja"),
    send: bool = True,
) -> dict:
    """Run the whole job once for the next local day of every recipe (or `target_date`).

    train_mode: train the recipes that are due, none, or just these. max_minutes, max_epochs: limits of each recipe's training;
    total_minutes: of all of it. simulated_now: replay with a clock that stands still there; such forecasts are never official.
    Returns the run's state ('success', 'partial' or 'failed') and what each step did. Settings and secrets come from the environment.
    """
    log = get_run_logger()
    clock = Clock.standing_at(simulated_now) if simulated_now else Clock(lambda: datetime.now(UTC), simulated=False)
    work = job.open_job(load_settings(), clock, recipes or (), known_by=simulated_now)
    job.start_run(work, "daily")
    done: dict = {"run_id": work.run_id, "problems": []}
    try:
        problem = _pull(work, done)
        options = train.TrainOptions(max_minutes, max_epochs, total_minutes=total_minutes)
        _train(work, train_mode, options, done)
        said = tasks.predict_task(work, target_date, problem)
        done |= {"forecasts": len(said.forecast_ids), "not_scoreable": said.not_scoreable, "degraded": said.degraded, "silent": said.silent}
        done["problems"] += sorted(set(said.degraded.values()))
        done["problems"] += [f"{name}, {kind}: {why}" for name, kinds in said.silent.items() for kind, why in kinds.items()]
        checked = _alone("verify", lambda: tasks.verify_task(work), done)
        if checked is not None:
            done |= {"settled": len(checked.settled), "turned": len(checked.turned), "waiting": checked.waiting, "expired": checked.expired}
        written = _alone("report", lambda: tasks.report_task(work, languages), done)
        done["pages"] = [str(page) for page in written.pages] if written else []
        _alone("export", lambda: tasks.export_task(work), done)
        if send and written:
            sent = _alone("notify", lambda: tasks.notify_task(work), done)
            done["problems"] += sent.failed if sent else []
        done["state"] = "partial" if done["problems"] else "success"
    except BaseException as error:
        job.finish_run(work, "failed", {**done, "problems": [*done["problems"], str(error)]})
        raise
    job.finish_run(work, done["state"], done)
    log.info("daily run %s: %d forecasts, state %s", work.run_id, done["forecasts"], done["state"])
    return done


def _pull(work: job.Job, done: dict) -> str | None:
    """Pull; where that fails the run goes on with what is stored, and every forecast says so."""
    try:
        pulled = tasks.pull_task(work)
    except CatalogError as error:
        done["problems"].append(f"pull: {error}")
        return "USGS could not be read; the forecast is made from what was stored before"
    done["pulled"] = vars(pulled)
    return f"rows of the catalogue could not be believed: {pulled.quarantined}" if pulled.quarantined else None


def _train(work: job.Job, mode: str | list[str], options: train.TrainOptions, done: dict) -> None:
    due = [] if mode == "never" else mode if isinstance(mode, list) else train.due(work.store, work.recipes, work.clock)
    trained = _alone("train", lambda: tasks.train_task(work, options, list(due)), done) if due else None
    if trained is not None:
        done |= {"trained": {name: row["decision"] for name, row in trained.trained.items()}, "not_trained": trained.skipped}
        done["not_fitted"] = trained.failed


def _alone(name: str, step, done: dict):
    """A step that may fail without stopping the others; its failure makes the run partial."""
    try:
        return step()
    except QuakecastError as error:
        done["problems"].append(f"{name}: {error}")
        return None
