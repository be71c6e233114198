"""Walk-forward: fit the models of a block of days only on what was known before it, and learn the weights of its combination."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from forecaster.errors import NotScoreable, NotTrainable
from forecaster.features.labels import promised_labels
from forecaster.pipeline.as_of.as_known import Known, labelled_days
from forecaster.pipeline.as_of.as_known_by_day import known_at
from forecaster.pipeline.backfilling.backfill_plan import BackfillOptions
from forecaster.pipeline.backfilling.backfill_types import BlockFit, Chunk, ServedModel
from forecaster.pipeline.training.fit_recipe import PackedModel, TrainOptions, fit_region
from forecaster.publishing_rule.blend import Blend, How, shipped
from forecaster.publishing_rule.combination import KIND
from forecaster.publishing_rule.publishing_rule import noted, rule_named, rule_stored, verified_days_of
from forecaster.publishing_rule.weights import usable_weights
from forecaster.recipe import Recipe
from forecaster.registry.weights_origin import WeightsFrom
from forecaster.store import hindcasts
from forecaster.store.database import Connection, Store
from forecaster.store.typed_rows.model_types import ModelRow, WalkForwardFit
from forecaster.timewindow import FIRST_DAY, days_of_windows, issue_time


@dataclass(frozen=True)
class FreshFit:
    """A block's fits, not stored yet: weights, models in transportable form, and figures."""

    block: BlockFit
    packed: dict[str, PackedModel]
    numbers: dict[str, Any]
    failed: dict[str, str]
    seconds: float


def fits_stored(connection: Connection, recipe: Recipe, chunk: Chunk, options: BackfillOptions) -> tuple[BlockFit | None, BlockFit | None]:
    """Return the fits of the previous block and of this one; the latter None where there are none or they are to be made again. Fits with
    the weights of another publishing rule are."""
    key = (connection, chunk.recipe_id, chunk.recipe_hash, options.retrain_every_days, chunk.block_first_day)
    own = None if options.overwrite else hindcasts.fit_of_block(*key)
    before = hindcasts.fit_before_block(*key)
    found = _block(own)
    return _block(before), found if found is None or found.blend.rule == recipe.publishing_rule else None


def fit_block(
    source: Store, recipe: Recipe, chunk: Chunk, before: BlockFit | None, options: BackfillOptions, tell: Callable[[str], None]
) -> FreshFit:
    """Fit the recipe's kinds as of the block's first issue, and learn its weights from verified days of earlier blocks. Reads only.

    A kind that cannot be fitted (too few target days, for instance) uses the previous block's fit, or a model that needs no fit.
    """
    as_of = issue_time(chunk.block_first_day, recipe.zone, recipe.issue_local_time)
    minutes = recipe.max_minutes if options.max_minutes is None else options.max_minutes
    started = time.monotonic()
    known = None
    try:
        known = known_at(source, as_of)
        fit = fit_region(source, recipe, as_of, TrainOptions(minutes), minutes, tell, known=known)
    except (NotTrainable, NotScoreable) as error:
        packed, failed = {}, {str(kind): str(error) for kind in recipe.models}
    else:
        packed, failed = fit.models, fit.failed
    fresh = {kind: _served(one.row) for kind, one in packed.items()}
    models = {**({} if before is None else before.models), **fresh}
    blend, numbers = _block_weights(source, recipe, chunk.block_first_day, known, as_of)
    block = BlockFit(chunk.block_first_day, as_of, blend, models)
    return FreshFit(block, packed, numbers, failed, time.monotonic() - started)


def fit_row(fit: FreshFit, recipe: Recipe, options: BackfillOptions, code_version: str, now: datetime) -> WalkForwardFit:
    """Return the fits as a row of the table `walk_forward_fit`."""
    block = fit.block
    return {
        "recipe_id": recipe.id,
        "recipe_hash": recipe.recipe_hash,
        "retrain_every_days": options.retrain_every_days,
        "first_day": block.first_day,
        "as_of": block.as_of,
        "kind": KIND,
        "model_id": None,
        "reason": block.blend.reason,
        "numbers": {**fit.numbers, **_numbers(block.blend)},
        "models": {kind: _short(model) | _details(fit, kind) for kind, model in block.models.items()},
        "failed": fit.failed,
        "seconds": fit.seconds,
        "code_version": code_version,
        "created_at": now,
    }


def _block_weights(source: Store, recipe: Recipe, first: date, known: Known | None, as_of: datetime) -> tuple[Blend, dict[str, Any]]:
    """Return a block's weights and figures: the package's weights, moved by the recipe's own walk-forward days verified by then."""
    base, fault = usable_weights(first)
    since = FIRST_DAY if base.data_until is None else base.data_until + timedelta(days=1)
    with source.transaction() as connection:
        rows = hindcasts.walk_forward_forecasts(connection, recipe.id, recipe.recipe_hash, recipe.target_window(since).start, as_of)
    if rows.empty or known is None:
        return shipped(base, fault, recipe.publishing_rule), {}
    labelled = labelled_days(recipe, known)
    local_days = days_of_windows(rows["target_start"], recipe.zone)
    verified = np.isin(local_days, labelled.days.local_days)
    rows, local_days = rows[verified], local_days[verified]
    rows = rows.assign(happened=promised_labels(known.events, recipe, rows)[0])
    own = rule_named(recipe.publishing_rule).learn_own(base, base.belief, verified_days_of(rows, local_days))
    reason = f"learnt from {own.days} walk-forward days of its own, on top of {base.name}"
    how: How = "rate" if own.rate_only else "combination"
    start = shipped(base, fault, recipe.publishing_rule)
    return replace(start, how=how, weights=own.weights, reason=reason), own.numbers()


def _numbers(blend: Blend) -> dict[str, Any]:
    origin = {} if blend.origin is None else {"weights_from": blend.origin.stored()}
    return {"how": blend.how, "weights": dict(blend.weights), "source": blend.source, **origin, **noted(blend.rule)}


def _details(fit: FreshFit, kind: str) -> dict[str, Any]:
    return {"details": fit.packed[kind].row["details"]} if kind in fit.packed else {}


def _short(model: ServedModel) -> dict[str, Any]:
    return {"model_id": model.model_id, "directory": model.directory, "data_as_of": model.data_as_of}


def _served(row: ModelRow) -> ServedModel:
    return ServedModel(row["model_id"], row["kind"], row["directory"], row["data_as_of"])


def _block(row: WalkForwardFit | None) -> BlockFit | None:
    """Convert a row of `walk_forward_fit` to the form that a chunk carries."""
    if row is None:
        return None
    models = {
        kind: ServedModel(one["model_id"], kind, one["directory"], datetime.fromisoformat(one["data_as_of"]))
        for kind, one in row["models"].items()
    }
    numbers = row["numbers"]
    origin = WeightsFrom.of_stored(numbers["weights_from"]) if "weights_from" in numbers else None
    how, weights, source = numbers.get("how", "rate"), numbers.get("weights", {}), numbers.get("source", "champion")
    blend = Blend(how, weights, row["reason"], source, origin=origin, rule=rule_stored(numbers))
    return BlockFit(row["first_day"], row["as_of"], blend, models)
