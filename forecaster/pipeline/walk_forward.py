"""Walk-forward: the fits of a block of days on nothing but what was known before it, and whom they publish."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from forecaster.errors import NotScoreable, NotTrainable
from forecaster.pipeline import champion
from forecaster.pipeline.backfill_plan import BackfillOptions, BlockFit, Chunk, ServedModel
from forecaster.pipeline.fit_region import PackedModel, TrainOptions, fit_region
from forecaster.pipeline.known_days import known_at
from forecaster.recipe import Recipe
from forecaster.store import hindcasts
from forecaster.store.database import Connection, Store
from forecaster.timewindow import issue_time


@dataclass(frozen=True)
class FreshFit:
    """A block's fits that are not stored yet: what they decided, their models as they travel, and the figures."""

    block: BlockFit
    packed: dict[str, PackedModel]
    numbers: dict[str, Any]
    failed: dict[str, str]
    seconds: float


def fits_stored(connection: Connection, chunk: Chunk, options: BackfillOptions) -> tuple[BlockFit | None, BlockFit | None]:
    """(the block before, this block's own fits); the latter None where there are none or they are to be made anew."""
    key = (connection, chunk.recipe_id, chunk.recipe_hash, options.retrain_every_days, chunk.block_first_day)
    own = None if options.overwrite else hindcasts.fit_of_block(*key)
    before = hindcasts.fit_before_block(*key)
    return _block(before), _block(own)


def fit_block(
    source: Store, recipe: Recipe, chunk: Chunk, before: BlockFit | None, options: BackfillOptions, tell: Callable[[str], None]
) -> FreshFit:
    """Fit the kinds of the recipe as of the block's first issue, against the champion of the block before; reads only.

    A block that cannot be fitted (too few target days, for instance) goes on with the champion before it, or the climatology.
    """
    as_of = issue_time(chunk.block_first_day, recipe.zone, recipe.issue_local_time)
    incumbent = champion.Champion(champion.CLIMATOLOGY, None) if before is None else champion.Champion(before.kind, before.model_id)
    minutes = recipe.max_minutes if options.max_minutes is None else options.max_minutes
    started = time.monotonic()
    try:
        known = known_at(source, as_of)
        fit = fit_region(source, recipe, as_of, TrainOptions(minutes), minutes, tell, incumbent=incumbent, known=known)
    except (NotTrainable, NotScoreable) as error:
        packed, numbers, failed = {}, {}, {str(kind): str(error) for kind in recipe.models}
        decided, reason = incumbent.kind, str(error)
    else:
        packed, numbers, failed = fit.models, fit.decision.numbers, fit.failed
        decided, reason = fit.decision.kind, fit.decision.reason
    fresh = {kind: _served(one.row) for kind, one in packed.items()}
    kind, model, reason = _appointed(decided, reason, fresh, before, as_of)
    models = fresh if model is None else {**fresh, kind: model}
    block = BlockFit(chunk.block_first_day, as_of, kind, None if model is None else model.model_id, reason, models)
    return FreshFit(block, packed, numbers, failed, time.monotonic() - started)


def fit_row(fit: FreshFit, recipe: Recipe, options: BackfillOptions, code_version: str, now: datetime) -> dict[str, Any]:
    """The fits as a row of the table `walk_forward_fit`."""
    block = fit.block
    return {
        "recipe_id": recipe.id,
        "recipe_hash": recipe.recipe_hash,
        "retrain_every_days": options.retrain_every_days,
        "first_day": block.first_day,
        "as_of": block.as_of,
        "kind": block.kind,
        "model_id": block.model_id,
        "reason": block.reason,
        "numbers": fit.numbers,
        "models": {kind: _short(model) | _details(fit, kind) for kind, model in block.models.items()},
        "failed": fit.failed,
        "seconds": fit.seconds,
        "code_version": code_version,
        "created_at": now,
    }


def _appointed(
    decided: str, reason: str, fresh: dict[str, ServedModel], before: BlockFit | None, as_of: datetime
) -> tuple[str, ServedModel | None, str]:
    """(kind, model, reason) of what the block publishes: the fresh fit of the decided kind, the one before where this block has none of it
    and its data are not too old, else the climatology."""
    if decided == champion.CLIMATOLOGY:
        return decided, None, reason
    if decided in fresh:
        return decided, fresh[decided], reason
    old = None if before is None else before.models.get(decided)
    if old is not None and as_of - old.data_as_of <= champion.EXPIRES_AFTER:
        return decided, old, reason
    limit = champion.EXPIRES_AFTER.days
    return (
        champion.CLIMATOLOGY,
        None,
        f"{decided} has no fit whose data are less than {limit} days old; the usual rate is published: {reason}",
    )


def _details(fit: FreshFit, kind: str) -> dict[str, Any]:
    return {"details": fit.packed[kind].row["details"]} if kind in fit.packed else {}


def _short(model: ServedModel) -> dict[str, Any]:
    return {"model_id": model.model_id, "directory": model.directory, "data_as_of": model.data_as_of}


def _served(row: dict[str, Any]) -> ServedModel:
    return ServedModel(row["model_id"], row["kind"], row["directory"], row["data_as_of"])


def _block(row: dict[str, Any] | None) -> BlockFit | None:
    """A row of `walk_forward_fit` as a chunk carries it."""
    if row is None:
        return None
    models = {
        kind: ServedModel(one["model_id"], kind, one["directory"], datetime.fromisoformat(one["data_as_of"]))
        for kind, one in row["models"].items()
    }
    first: date = row["first_day"].date() if isinstance(row["first_day"], datetime) else row["first_day"]
    model_id = row["model_id"] if isinstance(row["model_id"], str) else None
    return BlockFit(first, row["as_of"].to_pydatetime(), row["kind"], model_id, row["reason"], models)
