"""Retrain the world's sets from this installation's own catalogue, evaluate them, and promote those that are not worse.

    plan -> fit_kind of each kind (reads only, anywhere) -> take_over of each (the one writer) -> learn_weights

`pretrain` does all of it in this process; a flow sends the kinds to its workers. A kind that fails keeps its present set, and the others
continue. A set is not used before the row of its decision is stored, and that row is written last.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pandas as pd

from forecaster.errors import CorruptModel, NotTrainable, QuakecastError, unforeseen
from forecaster.installed import code_version
from forecaster.models import pretrained
from forecaster.models.pretrained import Pretrained
from forecaster.pipeline.as_of.as_known_by_day import known_at
from forecaster.pipeline.pretraining import world_weights
from forecaster.pipeline.pretraining.artefacts import Artefact, packed
from forecaster.pipeline.pretraining.fit_set import SEED, KindFit, Size, Span, fit_kind, span_of
from forecaster.pipeline.pretraining.pretraining_due import due_reasons
from forecaster.pipeline.pretraining.promotion import Verdict, compare
from forecaster.pipeline.pretraining.trained_sets import (
    KINDS_TRAINED,
    decision_row,
    latest,
    name_of,
    next_day,
    place,
    serving,
    twin_of,
    use,
)
from forecaster.pipeline.run_context import Job
from forecaster.pipeline.training.due import data_until
from forecaster.publishing_rule.weights import SET, WorldWeights, usable_weights, weights_of
from forecaster.store import world_set_rows as stored
from forecaster.store.typed_rows.model_types import SetDecision

log = logging.getLogger(__name__)

FIRST, LAST = "hybrid", "pooled"  # they need the most memory: with two workers they do not overlap
Progress = Callable[[int, int | None, str], None]
Judged = dict[str, pd.DataFrame]  # by kind: rows of `KindFit.judged`; column "said": forecasts of the set that serves from now on


@dataclass(frozen=True)
class Plan:
    """The plan of a pre-training at `as_of`. reasons: why it is due, in words; empty where it is not. problem: why it is impossible."""

    as_of: datetime
    span: Span | None
    reasons: list[str]
    problem: str | None = None

    @property
    def text(self) -> str:
        """A summary for people."""
        if self.span is None:
            return f"the sets of the world cannot be trained: {self.problem}"
        what = f"data to {self.span.until}, judged on {self.span.first_judged} to {self.span.until}"
        why = "; ".join(self.reasons) if self.reasons else "not due"
        return f"{why} ({what})"


@dataclass
class PretrainResult:
    """The result of a pre-training.

    decided: by set, the decision and its reason. failed: by kind, why there is no new set. rolled_back: by set, why it is retired.
    """

    reasons: list[str] = field(default_factory=list)
    decided: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    rolled_back: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """success, or partial: a kind failed, and its present set is kept."""
        return "partial" if self.failed else "success"


def plan_pretraining(job: Job, size: Size) -> Plan:
    """Plan a pre-training: whether the sets are due, and the days that are available. Reads only."""
    now = job.clock.now()
    as_of = data_until(job.store, job.clock)
    known = known_at(job.store, as_of)
    try:
        span = span_of(known, size)
    except NotTrainable as error:
        return Plan(as_of, None, [], str(error))
    with job.store.transaction() as connection:
        rows = stored.decisions(connection, now)
        reasons = due_reasons(connection, rows, known, span.until, job.recipes, now)
    return Plan(as_of, span, reasons)


def pretrain(
    job: Job, plan: Plan, size: Size, result: PretrainResult, workers: int = 1, on_progress: Progress | None = None
) -> PretrainResult:
    """Train all kinds, `workers` of them at once in threads, and store the results; adds them to `result`.

    Raises:
        NotTrainable: the catalogue is too young or has a gap; nothing is changed.
    """
    if plan.span is None:
        raise NotTrainable(plan.problem or "the sets of the world cannot be trained")
    done: Judged = {}

    def tell(what: str) -> None:
        log.info("%s", what)
        if on_progress is not None:
            on_progress(len(done) + len(result.failed), len(KINDS_TRAINED) + 1, what)

    with ThreadPoolExecutor(workers, thread_name_prefix="pretrain") as pool:
        calls = arguments(job, plan, size)
        futures = {pool.submit(fit_kind, job.store, **call, tell=tell): kind for kind, call in calls.items()}
        for future in as_completed(futures):
            kind = futures[future]
            try:
                fit = future.result()
            except Exception as error:  # noqa: BLE001 - this kind's set is kept; the others continue
                note_failure(result, kind, error)
            else:
                store_kind(job, fit, done, result)
    tell("combination: the weights")
    learn_weights(job, plan, done, result)
    return result


def arguments(job: Job, plan: Plan, size: Size) -> dict[str, dict[str, Any]]:
    """Return, by kind and in starting order, the arguments of `fit_kind` besides the store.

    They are plain values that can be sent to another process.
    """
    assert plan.span is not None
    with job.store.transaction() as connection:
        rows = stored.decisions(connection)
    calls = {}
    for kind in sorted(KINDS_TRAINED, key=lambda kind: (kind == LAST) - (kind == FIRST)):
        opponent = opponent_of(job, kind, rows, plan.span.first_judged)
        calls[kind] = {
            "kind": kind,
            "as_of": plan.as_of,
            "size": size,
            "opponent": None if opponent is None else packed(opponent),
            "opponent_name": name_of(kind, opponent),
            "code_version": code_version(),
        }
    return calls


def opponent_of(job: Job, kind: str, rows: Sequence[SetDecision], first: date) -> Pretrained | None:
    """Return the set that a new set's twin is compared with from the day `first` on; it must not have seen these days.

    That is the serving set, else its own twin, else the newest one of the package. None: the package's parameters of ETAS, or nothing.
    """
    now = job.clock.now()
    found = serving(kind, now)
    if found is None or found.first_day <= first:
        return found
    row = latest([row for row in rows if row["decision"] == "serves"], kind, found.folder.name)
    twin = None if row is None else twin_of(job.settings, row)
    if twin is not None and twin.first_day <= first:
        return twin
    return pretrained.newest_before(kind, first, pretrained.packaged())


def store_kind(job: Job, fit: KindFit, done: Judged, result: PretrainResult) -> None:
    """Decide on a trained kind and store it: files first, the row last.

    Adds the decision to `result`, and to `done` the forecasts of the evaluation days from the set that serves from now on. If anything
    fails (for instance a full disk), the present set is kept, and `result` records it.
    """
    try:
        verdict = compare(fit.judged, fit.compared_with)
        twin = {"data_until": fit.twin.data_until.isoformat(), "sha256": fit.twin.sha256}
        result.decided |= _decide(job, fit.made, fit.twin, verdict, {"twin": twin})
        done[fit.kind] = fit.judged.assign(said=fit.judged["new" if verdict.takes_over else "old"])
    except Exception as error:  # noqa: BLE001 - this kind's set is kept; the others continue
        note_failure(result, fit.kind, error)


def learn_weights(job: Job, plan: Plan, done: Mapping[str, pd.DataFrame], result: PretrainResult) -> None:
    """Learn the weights further, evaluate and store them. If a member is missing or anything fails, the present weights are kept.

    This is the last step: the new decisions take effect in this process from here on.
    """
    try:
        if lacking := [kind for kind in KINDS_TRAINED if kind not in done]:
            raise NotTrainable(f"the weights need the days of all members, {', '.join(lacking)} failed; the weights that serve stay")
        assert plan.span is not None
        rows = world_weights.member_forecasts({kind: done[kind] for kind in KINDS_TRAINED})
        base, problem = usable_weights(next_day(job.clock.now()))
        if problem is not None:
            raise CorruptModel(problem)
        verdict = world_weights.judge(_unseen(plan.span.first_judged), rows)
        made = world_weights.learn_on(base, rows, plan.span.until, SEED, code_version())
        result.decided |= _decide(job, made, None, verdict, {"days": _fresh(base, rows)})
    except Exception as error:  # noqa: BLE001 - the present weights are kept
        note_failure(result, SET, error)
    use(job.store, job.settings)


def note_failure(result: PretrainResult, kind: str, error: Exception) -> None:
    """Record that there is no new set of this kind; an unexpected error is logged in full."""
    if not isinstance(error, QuakecastError):
        log.error("%s failed", kind, exc_info=error)
    result.failed[kind] = str(error) if isinstance(error, QuakecastError) else unforeseen(error)


def _unseen(first: date) -> WorldWeights:
    """Return the newest weights, of this installation or the package, that have seen none of the days from `first` on."""
    return weights_of(pretrained.newest_before(SET, first))


def _fresh(base: WorldWeights, rows: pd.DataFrame) -> int:
    return len(rows) if base.data_until is None else int((rows["local_day"] > pd.Timestamp(base.data_until)).sum())


def _decide(job: Job, made: Artefact, twin: Artefact | None, verdict: Verdict, more: dict[str, Any]) -> dict[str, str]:
    """Return {set: the decision and its reason}. more: figures for the row besides the verdict's."""
    now = job.clock.now()
    before = serving(made.kind, now)
    if before is not None and before.data_until >= made.data_until:
        text = f"{before.folder.name} knows as much; nothing is changed"
        return {made.name: f"not stored: {text}"}
    directory = place(job.settings, made, twin) if verdict.takes_over else made.name
    row = decision_row(
        made.kind,
        made.data_until,
        "serves" if verdict.takes_over else "refused",
        "rule",
        now,
        instead_of=name_of(made.kind, before),
        directory=directory,
        sha256=made.sha256,
        reason=verdict.reason,
        numbers=verdict.numbers | more,
        code_version=code_version(),
    )
    with job.store.transaction() as connection:
        stored.add_decision(connection, row)
    return {made.name: f"{'serves from tomorrow (UTC) on' if verdict.takes_over else 'refused'}, {verdict.reason}"}
