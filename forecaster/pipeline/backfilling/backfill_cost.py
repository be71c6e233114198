"""Estimate the cost of a backfill from the duration of earlier fits or, where there were none, from reference measurements."""

from collections.abc import Mapping, Sequence
from datetime import date

from forecaster.pipeline.backfilling.backfill_types import Chunk
from forecaster.recipe import Recipe
from forecaster.registry.model_kinds import KINDS

SECONDS_A_RECIPE_DAY = 0.002  # in addition to the models' time, as measured for `model_kinds`
SECONDS_A_LADDER = 0.002
SECONDS_TO_READ = 10.0


def estimated_minutes(
    recipes: Sequence[Recipe],
    steps: Sequence[Sequence[Chunk]],
    fits_of: Mapping[str, Sequence[date]],
    measured: Mapping[str, float],
    max_minutes: float | None,
    ladder: bool,
) -> float:
    """Return the minutes of all fits and forecasts, run one after the other.

    fits_of: by recipe, the blocks to be fitted. measured: by recipe, seconds of a block's fits. max_minutes: the limit of a block's fits.
    """
    if not steps:
        return 0.0
    by_id = {recipe.id: recipe for recipe in recipes}
    seconds = SECONDS_TO_READ
    for recipe_id, blocks in fits_of.items():
        recipe = by_id[recipe_id]
        usual = sum(KINDS[kind].seconds_a_fit for kind in recipe.models)
        limit = 60 * (recipe.max_minutes if max_minutes is None else max_minutes)
        seconds += len(blocks) * measured.get(recipe_id, min(usual, limit))
    for chunk in (chunk for step in steps for chunk in step):
        kinds = {model.kind for model in chunk.served} or (set(by_id[chunk.recipe_id].models) if chunk.recipe_id in fits_of else set())
        seconds += len(chunk.days) * (
            SECONDS_A_RECIPE_DAY + SECONDS_A_LADDER * ladder + sum(KINDS[kind].seconds_a_day for kind in kinds if kind in KINDS)
        )
    return seconds / 60
