"""Pre-training as a Prefect flow: world sets are retrained where due, evaluated, and promoted where they are not worse."""

from datetime import datetime
from typing import Any

from prefect import flow, get_run_logger, task

from flows.support import artifacts, steps, workers
from flows.support.final_state import ended
from flows.support.hooks import report_failure
from flows.support.names import dated_name
from flows.support.task_kinds import ON_A_WORKER
from flows.support.write_lock import one_writer
from flows.tasks import publish_task
from forecaster.pipeline.as_of.as_known_by_day import known_at
from forecaster.pipeline.pretraining import fit_set, roll_back
from forecaster.pipeline.pretraining import pretrain as step
from forecaster.pipeline.pretraining.artefacts import Artefact
from forecaster.pipeline.run_context import Job, open_reader
from forecaster.settings import load_settings


@task(name="train", task_run_name="train {kind}", **ON_A_WORKER)
def train_task(
    kind: str, as_of: datetime, size: fit_set.Size, opponent: Artefact | None, opponent_name: str, code_version: str
) -> fit_set.KindFit:
    """Train one kind on a worker. The worker reads what its own settings name, and writes nothing."""
    tell = get_run_logger().info
    return fit_set.fit_kind(open_reader(load_settings()), kind, as_of, size, opponent, opponent_name, code_version, tell)


@flow(
    name="pretrain",
    flow_run_name=dated_name,
    description=__doc__,
    timeout_seconds=12 * 3600,
    on_failure=[report_failure],
    on_crashed=[report_failure],
)
def pretrain(force: bool = False) -> Any:
    """Retrain the world sets where due: a month of days was verified, many events occurred, the track record drifts, or a kind has changed.

    The track record is checked first: sets that are clearly worse than the package's are replaced by these. A kind that fails leaves its
    set unchanged; the run is then partial.

    Args:
        force: Train also what is not due.
    """
    log, work, size = get_run_logger(), steps.open_work(None), fit_set.Size()
    plan = step.plan_pretraining(work, size)
    log.info("%s", plan.text)
    with steps.noted_run(work, "pretrain") as done:
        result = step.PretrainResult(plan.reasons)
        result.rolled_back = _rolled_back(work, plan, done)
        if plan.span is None:
            result.failed["world"] = plan.text
        elif plan.reasons or force:
            publish_task(work)
            _train(work, plan, size, result)
        done |= {"reasons": plan.reasons, "decided": result.decided, "rolled_back": result.rolled_back}
        done["problems"] += [f"{kind}: {why}" for kind, why in result.failed.items()]
    return ended(done, "; ".join(result.decided) or plan.text)


def _rolled_back(work: Job, plan: step.Plan, done: dict[str, Any]) -> dict[str, str]:
    known = known_at(work.store, plan.as_of)
    with one_writer(work):
        return steps.alone("the look at the record", lambda: roll_back.roll_back(work, known), done) or {}


def _train(work: Job, plan: step.Plan, size: fit_set.Size, result: step.PretrainResult) -> None:
    show = artifacts.show_progress("pre-training", "Pre-training")
    judged: step.Judged = {}
    calls = step.arguments(work, plan, size)
    with workers.pool(work.settings) as run:
        for count, (kind, fit, error) in enumerate(run(train_task, calls), start=1):
            if error is None:
                with one_writer(work):
                    step.store_kind(work, fit, judged, result)
            else:
                step.note_failure(result, kind, error)
            show(count, len(calls), kind)
    with one_writer(work):
        step.learn_weights(work, plan, judged, result)
