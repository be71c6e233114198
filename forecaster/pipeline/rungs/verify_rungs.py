"""Outcomes of a ladder's rungs, from the catalogue as it is known now."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from forecaster.catalog.coverage import covered_span, last_read
from forecaster.errors import NotScoreable
from forecaster.features.labels import promised_labels
from forecaster.pipeline.as_of.as_known import Known, status_of
from forecaster.recipe import Recipe
from forecaster.store.row_types import RungOutcomeRow, rows_as


def verified_outcomes(
    recipes: Mapping[tuple[str, str], Recipe], rungs: pd.DataFrame, known: Known, on_failure: Callable[[str, Exception], object]
) -> list[RungOutcomeRow]:
    """Return rows of the table `rung_outcome` that are new or differ from what is stored.

    Args:
        recipes: by recipe id and target hash. rungs: as `rung_rows.unsettled` gives them.

    Rungs of a target that no recipe has any more have to wait, as do windows to whose end the catalogue has not been read. A recipe that
    fails is handed to `on_failure`, and the others are verified.
    """
    found: list[RungOutcomeRow] = []
    for key, part in rungs.groupby(["recipe_id", "target_hash"], sort=True):
        recipe = recipes.get((str(key[0]), str(key[1])))
        if recipe is None:
            continue
        try:
            found += _outcomes(recipe, part, known)
        except Exception as error:  # noqa: BLE001 - the rungs of the others are verified
            on_failure(recipe.id, error)
    return found


def _outcomes(recipe: Recipe, rungs: pd.DataFrame, known: Known) -> list[RungOutcomeRow]:
    try:
        span = covered_span(recipe, known.coverage)
    except NotScoreable:
        return []
    inside = rungs[(rungs["target_start"] >= span.start) & (rungs["target_end"] <= span.end)].reset_index(drop=True)
    read = min(known.as_of, last_read(recipe, known.coverage))
    count = np.zeros(len(inside), dtype=np.int64)
    for magnitude in np.unique(inside["magnitude"]):
        these = (inside["magnitude"] == magnitude).to_numpy()
        larger = recipe.model_copy(update={"threshold_mag": float(magnitude)})
        count[these] = promised_labels(known.events, larger, inside[these])[2]
    status = [status_of(read - end.to_pydatetime()) for end in inside["target_end"]]
    changed = (inside["status"].to_numpy() != np.array(status, dtype=object)) | (inside["event_count"].to_numpy() != count)
    rows = inside.assign(event_count=count, happened=count > 0, status=status, as_of=known.as_of)[changed]
    return rows_as(RungOutcomeRow, rows.rename(columns={"target_end": "window_end"}))
