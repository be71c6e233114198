"""Verify forecasts: derive outcomes from the catalogue as it is known now, and score the forecasts against them."""

import logging
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from forecaster.catalog.coverage import covered_span, last_read
from forecaster.errors import NotScoreable, QuakecastError, unforeseen
from forecaster.features.labels import promised_labels
from forecaster.pipeline.as_of.as_known import Known, status_of
from forecaster.pipeline.as_of.catalogue_history import load_known
from forecaster.pipeline.run_context import Job
from forecaster.pipeline.rungs.rung_record import block_days
from forecaster.pipeline.rungs.verify_rungs import verified_outcomes
from forecaster.pipeline.training.weekly_weights import relearn
from forecaster.recipe import Recipe
from forecaster.store import ledger, rung_rows
from forecaster.store.forecasts import ladder_sums
from forecaster.store.row_types import NewOutcome, OutcomeRevisionRow, OutcomeRow, OutcomeStatus, ScoreRow, Target, rows_as
from forecaster.timewindow import to_us
from forecaster.verification import scores

log = logging.getLogger(__name__)

Key = tuple[str, str, datetime]  # recipe_id, target_hash, target_start


@dataclass
class VerifyResult:
    """The result of a verification.

    Holds the outcomes written by this run (`rungs`: the number written for ladders), those that were revised, how many windows had to wait,
    failures by recipe (or "weights"), and by scope (a recipe, or the world) the data behind newly learnt combination weights, where there
    are any.
    """

    verified: list[OutcomeRow] = field(default_factory=list)
    revised: list[OutcomeRow] = field(default_factory=list)
    waiting: int = 0
    scored: int = 0
    rungs: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    learnt: dict[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return the result as a JSON object, for one release also under the former names `settled` and `turned`."""
        return vars(self) | {"settled": self.verified, "turned": self.revised}


def verify(job: Job) -> VerifyResult:
    """Fill in the outcome of every ended window of the job's recipes that was forecast, and score the forecasts.

    An outcome is preliminary for a day, provisional until 45 days after the window, then final; it is made anew until then, because late
    reviews change it. Ages are counted to the last reading of the catalogue: without a pull nothing matures. No outcome is made where the
    catalogue has not been read to the window's end. Running it again changes nothing. Once a week the weights of the combination are
    learnt anew from what is final (`relearn`).
    """
    store, recipes, now = job.store, job.recipes, job.clock.now()
    known = load_known(store, now)
    by_target = {(recipe.id, recipe.target_hash): recipe for recipe in recipes}
    result = VerifyResult()
    with store.transaction() as connection:
        targets = ledger.unverified_targets(connection, now)
        stored = {_key(row): row for row in ledger.outcomes_of(connection, targets)}
        rungs = rung_rows.unsettled(connection, now)
    verified_rungs = verified_outcomes(by_target, rungs, known, lambda recipe_id, error: _note_failure(result.failed, recipe_id, error))
    known = _since(known, targets)
    outcomes = _outcomes_of(by_target, targets, known, result.failed)
    revisions: list[OutcomeRevisionRow] = []
    for target in rows_as(Target, targets):
        new = outcomes.get(_key(target))
        if new is None:
            result.waiting += 1
            continue
        before = stored.get(_key(target))
        revised = before is not None and before["happened"] != new["happened"]
        row: OutcomeRow = {
            **new,
            "changed": revised or (before is not None and before["changed"]),
            "revised_at": now if revised else None if before is None else before["revised_at"],
        }
        if before is not None and revised:
            result.revised.append(row)
            revisions.append(_revision(before, row))
        if before is None or revised or _reported(before) != _reported(row):
            result.verified.append(row)
    with store.transaction() as connection:
        ledger.insert(connection, "outcome", result.verified, replace=True)
        ledger.insert(connection, "outcome_revision", revisions, replace=True)
        rung_rows.settle(connection, verified_rungs)
        result.rungs = len(verified_rungs)
        rows = _scores(ledger.forecasts_to_score(connection), now)
        ledger.write_scores(connection, rows)
        result.scored = len(rows)
    if not job.clock.simulated:
        with store.transaction() as connection:
            ladder_sums.close(connection, block_days, now)
        try:
            with store.transaction() as connection:
                result.learnt = relearn(connection, recipes, now)
        except Exception as error:  # noqa: BLE001 - the old weights stay in use
            _note_failure(result.failed, "weights", error)
    return result


def _note_failure(failed: dict[str, str], what: str, error: Exception) -> None:
    """Record a failure. Our own errors are reported in full; the text of others may hold a secret, so only their type is."""
    log.error("%s: verification failed", what, exc_info=error)
    failed[what] = str(error) if isinstance(error, QuakecastError) else unforeseen(error)


def _key(row: Target) -> Key:
    return row["recipe_id"], row["target_hash"], row["target_start"]


def _reported(row: OutcomeRow) -> tuple[OutcomeStatus, int, float | None]:
    """Return the reported parts of an outcome besides whether the event was observed; a change in them rewrites the outcome."""
    return row["status"], row["event_count"], row["max_magnitude"]


def _revision(before: OutcomeRow, row: OutcomeRow) -> OutcomeRevisionRow:
    """Return the record of a revised outcome: as known at `as_of_before`, the opposite was observed."""
    return {
        "recipe_id": row["recipe_id"],
        "target_start": row["target_start"],
        "target_hash": row["target_hash"],
        "happened": row["happened"],
        "status": row["status"],
        "as_of": row["as_of"],
        "status_before": before["status"],
        "as_of_before": before["as_of"],
    }


def _since(known: Known, targets: pd.DataFrame) -> Known:
    """Return the catalogue without the events before the first of these windows."""
    if targets.empty:
        return known
    first = np.searchsorted(known.events.origin_time_us, to_us(targets["target_start"].min().to_pydatetime()))
    return replace(known, events=known.events.take(slice(int(first), None)))


def _outcomes_of(
    recipes: dict[tuple[str, str], Recipe], targets: pd.DataFrame, known: Known, failed: dict[str, str]
) -> dict[Key, NewOutcome]:
    """Return the observed outcome of each window by key, as known now.

    Windows that the catalogue does not cover are absent. So are those of a recipe that fails, which is recorded in `failed`.
    """
    found: dict[Key, NewOutcome] = {}
    for key, windows in targets.groupby(["recipe_id", "target_hash"], sort=False):
        if (recipe := recipes.get((str(key[0]), str(key[1])))) is None:
            continue
        try:
            found |= {_key(row): row for row in _outcomes(recipe, windows, known)}
        except Exception as error:  # noqa: BLE001 - the other recipes are still verified
            _note_failure(failed, recipe.id, error)
    return found


def _outcomes(recipe: Recipe, windows: pd.DataFrame, known: Known) -> list[NewOutcome]:
    """Return the outcome rows of one recipe's windows, all at once. Windows are as forecast, not as the zone's rules of today give them."""
    try:
        span = covered_span(recipe, known.coverage)
    except NotScoreable:
        return []
    inside = windows[(windows["target_start"] >= span.start) & (windows["target_end"] <= span.end)]
    if inside.empty:
        return []
    happened, max_magnitude, count = promised_labels(known.events, recipe, inside)
    read = min(known.as_of, last_read(recipe, known.coverage))
    ages = [read - end.to_pydatetime() for end in inside["target_end"]]
    return [
        {
            "recipe_id": recipe.id,
            "target_start": start,
            "target_end": end,
            "target_hash": recipe.target_hash,
            "happened": bool(happened[j]),
            "event_count": int(count[j]),
            "max_magnitude": float(max_magnitude[j]) if count[j] else None,
            "status": status_of(age),
            "as_of": known.as_of,
        }
        for j, (start, end, age) in enumerate(zip(inside["target_start"], inside["target_end"], ages, strict=True))
    ]


def _scores(due: pd.DataFrame, now: datetime) -> list[ScoreRow]:
    """Return one row of table `score` for each of these forecasts with outcomes."""
    if due.empty:
        return []
    happened = due["happened"].to_numpy(dtype=bool)
    probability, reference = due["probability"].to_numpy(), due["reference_probability"].to_numpy()
    kept = due[["forecast_id", "recipe_id", "target_start", "mode", "happened", "status"]]
    made = kept.assign(
        log_score=scores.log_likelihood(happened, probability),
        reference_log_score=scores.log_likelihood(happened, reference),
        brier=(probability - happened) ** 2,
        scored_at=now,
    )
    return rows_as(ScoreRow, made)
