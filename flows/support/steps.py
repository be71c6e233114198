"""Shared code around the steps of a flow: opening the job, recording the run in the store, continuing where one step fails."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from prefect import get_run_logger
from prefect.runtime import deployment

from flows import tasks
from flows.next_runs import name_next_runs
from flows.support.error_text import MAX_TEXT, fault, words
from flows.support.hooks import report_partial
from flows.support.lost_runs import report_lost_runs
from forecaster import logs
from forecaster.clock import Clock
from forecaster.errors import BadInput, CatalogError, QuakecastError
from forecaster.pipeline import run_context
from forecaster.pipeline.daily.predict import PredictResult
from forecaster.pipeline.daily.publish_report import WrittenReport
from forecaster.pipeline.messaging import operator
from forecaster.registry.reasons import Reason, ReasonKey, of_stored, other
from forecaster.settings import load_settings

Result = TypeVar("Result")

UNREAD = Reason(ReasonKey.UNREAD)


def open_work(recipes: Sequence[str] | None, simulated_now: datetime | None = None) -> run_context.Job:
    """Open the job of these recipes (all, where none is named) on the machine's clock, or on one that stands still.

    Raises:
        BadInput: a recipe, a setting or the data folder, or a simulated clock in a deployment, or one that the store is ahead of; nothing
            is changed.
    """
    if simulated_now and deployment.id is not None:
        raise BadInput("simulated_now: a deployment keeps the record and replays nothing; replay in a home of its own (QUAKECAST_HOME)")
    clock = Clock.standing_at(simulated_now) if simulated_now else Clock(lambda: datetime.now(UTC), simulated=False)
    settings = load_settings()
    if settings.log_format == "json":
        logs.write_json()
    return run_context.open_job(settings, clock, recipes or ())


@contextmanager
def noted_run(work: run_context.Job, kind: str) -> Iterator[dict[str, Any]]:
    """Record in the store that a run of this kind begins and how it ends. Yields its results as a dict, which the steps fill in (also
    "state", where it differs from the one that follows from "problems").

    Runs of this kind that ended without reporting are marked as failed; a run that is alive beside this one is left alone. An error is
    recorded and raised again; a run that has stored forecasts is partial even so. Steps that failed alone are reported to the operator at
    the end, in one message.
    """
    done: dict[str, Any] = {"run_id": work.run_id, "problems": []}
    with run_context.alive(work, kind):
        done["abandoned"] = run_context.start_run(work, kind)
        try:
            yield done
            alone("runs that never began", lambda: report_lost_runs(work.settings, datetime.now(UTC)), done)
            name_next_runs()
        except BaseException as error:
            failed = {**done, "problems": [*done["problems"], words(error)], "problem_reason": fault(error).stored()}
            failed["state"] = "partial" if done.get("forecasts") else "failed"
            _finish(work, failed)
            raise
        settle(done)
        _finish(work, done)
    report_to_operator(work, kind, done)


def _finish(work: run_context.Job, done: dict[str, Any]) -> None:
    """Record the end and publish. Where publishing fails, the record says so, if it can."""
    problems = len(done["problems"])
    alone("the note of the run's end", lambda: run_context.note_end(work, done["state"], done), done)
    alone("publishing", lambda: run_context.publish_copy(work), done)
    settle(done)
    if len(done["problems"]) > problems:
        alone("the note of the run's end", lambda: run_context.note_end(work, done["state"], done), done)


def settle(done: dict[str, Any]) -> None:
    """Set "state" from "problems": a success with a problem is partial."""
    if done.get("state", "success") == "success":
        done["state"] = "partial" if done["problems"] else "success"


def report_to_operator(work: run_context.Job, kind: str, done: dict[str, Any]) -> None:
    """Report the steps that failed to the operator, once. A replay sends nothing."""
    settle(done)
    if done.get("failed_steps") and not work.clock.simulated:
        report_partial(work.settings, kind, work.run_id, [of_stored(reason) for reason in done["failed_step_reasons"]])


def beat(work: run_context.Job, state: str) -> None:
    """Send the heartbeat. It follows the forecasts, so that a later failure is not mistaken for a missing day. A replay sends none."""
    if not work.clock.simulated:
        operator.send_heartbeat(work.settings, state)


def pull(work: run_context.Job, done: dict[str, Any]) -> tuple[Reason, ...]:
    """Pull, and return what is wrong with the catalogue afterwards. Where it fails the run continues with the stored catalogue, and every
    forecast records this."""
    try:
        pulled = tasks.pull_task(work)
    except CatalogError as error:
        done["problems"].append(f"pull: {error}")
        return (UNREAD,)
    except Exception as error:  # noqa: BLE001 - whatever it is, the day continues
        note_failure("pull", error, done)
        return (UNREAD,)
    done["pulled"] = pulled.document()
    problem = pulled.problem()
    done["problems"] += [f"pull: {problem}"] if problem else []
    return pulled.problems()


def note_failed_parts(predicted: PredictResult, done: dict[str, Any], about: str | None = None) -> None:
    """Record the parts of the forecasts that failed on a worker, each reason once."""
    for problem in dict.fromkeys(predicted.failed.values()):
        note_problem("predict", other(problem[:MAX_TEXT]), done, about=about)


def note_forecasts(predicted: PredictResult, done: dict[str, Any]) -> None:
    """Record how many forecasts were made, and what they lack."""
    done |= {"forecasts": len(predicted.forecast_ids), "not_scoreable": predicted.not_scoreable}
    done |= {"degraded": predicted.degraded, "silent": predicted.silent}
    if predicted.unusable:
        done["unusable"] = predicted.unusable
    if not predicted.forecast_ids:
        done["problems"].append(
            f"no forecast could be made: {'; '.join(sorted(set(predicted.not_scoreable.values()))) or 'there is no recipe'}"
        )
    done["problems"] += sorted(set(predicted.degraded.values()))
    done["problems"] += [f"{name}, {kind}: {why}" for name, kinds in predicted.silent.items() for kind, why in kinds.items()]


def verify(work: run_context.Job, done: dict[str, Any]) -> None:
    """Verify windows that have ended, as a step that may fail alone."""
    checked = alone("verify", lambda: tasks.verify_task(work), done)
    if checked is not None:
        for what, problem in checked.failed.items():
            note_problem("verify", other(problem[:MAX_TEXT]), done, about=what)
        verified, revised = len(checked.verified), len(checked.revised)
        done |= {"verified": verified, "revised": revised, "waiting": checked.waiting, "learnt": checked.learnt}
        done |= {"settled": verified, "turned": revised}  # the former names, for one release


def raise_alerts(work: run_context.Job, done: dict[str, Any]) -> None:
    """Raise alerts and corrections, as a step that may fail alone. Their messages are in the outbox afterwards."""
    doubts = [of_stored(doubt) for doubt in done["pulled"]["doubts"]] if "pulled" in done else None
    raised = alone("alerts", lambda: tasks.alerts_task(work, doubts), done)
    if raised is not None:
        done["alerts"] = {name: value for name, value in raised.document().items() if value}


def make_world_map(work: run_context.Job, languages: tuple[str, ...] | None, done: dict[str, Any]) -> None:
    """Make the day's world map, where the settings ask for one, as a step that may fail alone. Nothing of the day's forecasts waits for
    it."""
    if not work.settings.world_map:
        return
    alone("record of world maps", lambda: tasks.world_record_task(work), done)
    made = alone("world map", lambda: tasks.world_map_task(work, languages), done)
    if made is not None:
        done["world_map"] = {"day": str(made.day), "cells": made.cells, "kept": made.kept} | ({"none": made.reason} if made.reason else {})


def write_report(work: run_context.Job, languages: tuple[str, ...] | None, done: dict[str, Any]) -> WrittenReport | None:
    """Write the report's pages, as a step that may fail alone."""
    written = alone("report", lambda: tasks.report_task(work, languages), done)
    done["pages"] = [str(page) for page in written.pages] if written else []
    return written


def notify(work: run_context.Job, done: dict[str, Any], *, report: bool) -> None:
    """Send what is due, with the newest report or without it, as a step that may fail alone. A message that could not be sent makes the run
    partial."""
    sent = alone("notify", lambda: tasks.notify_task(work, report), done)
    if sent is not None:
        done["problems"] += sent.failed
        done["sent"] = [f"{row['channel']}: {row['state']}" for row in sent.rows]


def alone(name: str, step: Callable[[], Result], done: dict[str, Any]) -> Result | None:
    """Run a step that may fail, in whatever way, without stopping the others. Its failure makes the run partial and is reported."""
    try:
        return step()
    except Exception as error:  # noqa: BLE001 - our own bugs, too, leave completed steps done
        note_failure(name, error, done)
        return None


def note_failure(name: str, error: Exception, done: dict[str, Any], about: str | None = None) -> None:
    """Record in `done` that a step failed (`about`: for what). An unexpected error is written to the run's log in full."""
    if not isinstance(error, QuakecastError):
        get_run_logger().error("%s failed", name if about is None else f"{name}, {about}", exc_info=error)
    note_problem(name, fault(error), done, about)


def note_problem(name: str, why: Reason, done: dict[str, Any], about: str | None = None) -> None:
    """Record in `done` which step failed and why, as text and as a reason."""
    key, values = (ReasonKey.STEP, {"step": name}) if about is None else (ReasonKey.STEP_OF, {"step": name, "about": about})
    problem = Reason(key, values, (why,))
    done["problems"].append(str(problem))
    done.setdefault("failed_steps", []).append(str(problem))
    done.setdefault("failed_step_reasons", []).append(problem.stored())
