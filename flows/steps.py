"""What flows share around their steps: opening the job, noting the run in the store, going on where one step fails."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from prefect.runtime import deployment

from flows import tasks
from flows.writer import ensure_writer_limit
from forecaster.clock import Clock
from forecaster.errors import BadInput, CatalogError, QuakecastError
from forecaster.pipeline import job
from forecaster.settings import load_settings

Result = TypeVar("Result")


def open_work(recipes: Sequence[str] | None, simulated_now: datetime | None = None) -> job.Job:
    """The job of these recipes (all, where none is named) on the machine's clock, or on one that stands still.

    Raises:
        BadInput: a recipe, a setting or the data folder, or a simulated clock in a deployment, or one that the store is ahead of; nothing
            is changed.
    """
    if simulated_now and deployment.id is not None:
        raise BadInput("simulated_now: a deployment keeps the record and replays nothing; replay in a home of its own (QUAKECAST_HOME)")
    clock = Clock.standing_at(simulated_now) if simulated_now else Clock(lambda: datetime.now(UTC), simulated=False)
    work = job.open_job(load_settings(), clock, recipes or ())
    ensure_writer_limit()
    return work


@contextmanager
def noted_run(work: job.Job, kind: str) -> Iterator[dict[str, Any]]:
    """Note in the store that a run of this kind begins and how it ends; yields what it did, for its steps to fill in (also
    "state", where it is another one than what "problems" tell).

    Runs of this kind that died without a word are marked as failed; one that lives beside this one is left alone. An error is noted,
    and raised on.
    """
    done: dict[str, Any] = {"run_id": work.run_id, "problems": []}
    with job.alive(work, kind):
        done["abandoned"] = job.start_run(work, kind)
        try:
            yield done
            done.setdefault("state", "partial" if done["problems"] else "success")
        except BaseException as error:
            job.finish_run(work, "failed", {**done, "problems": [*done["problems"], str(error)]})
            raise
        job.finish_run(work, done["state"], done)


def pull(work: job.Job, done: dict[str, Any]) -> str | None:
    """Pull; where that fails the run goes on with what is stored, and every forecast says so."""
    try:
        pulled = tasks.pull_task(work)
    except CatalogError as error:
        done["problems"].append(f"pull: {error}")
        return "USGS could not be read; the forecast is made from what was stored before"
    done["pulled"] = vars(pulled)
    return f"rows of the catalogue could not be believed: {pulled.quarantined}" if pulled.quarantined else None


def verify(work: job.Job, done: dict[str, Any]) -> None:
    """Settle what has ended; alone."""
    checked = alone("verify", lambda: tasks.verify_task(work), done)
    if checked is not None:
        done |= {"settled": len(checked.settled), "turned": len(checked.turned), "waiting": checked.waiting, "learnt": checked.learnt}


def raise_alerts(work: job.Job, done: dict[str, Any]) -> None:
    """Decide on alerts and corrections; alone. What is to be told lies in the outbox then."""
    raised = alone("alerts", lambda: tasks.alerts_task(work), done)
    if raised is not None:
        done["alerts"] = {name: value for name, value in vars(raised).items() if value}


def notify(work: job.Job, done: dict[str, Any], *, report: bool) -> None:
    """Send what is due, with the newest report or without it; alone. A message that could not be sent makes the run partial."""
    sent = alone("notify", lambda: tasks.notify_task(work, report), done)
    if sent is not None:
        done["problems"] += sent.failed
        done["sent"] = [f"{row['channel']}: {row['state']}" for row in sent.rows]


def alone(name: str, step: Callable[[], Result], done: dict[str, Any]) -> Result | None:
    """A step that may fail without stopping the others; its failure makes the run partial."""
    try:
        return step()
    except QuakecastError as error:
        done["problems"].append(f"{name}: {error}")
        return None
