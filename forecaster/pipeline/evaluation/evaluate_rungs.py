"""The inputs of ladders (longer windows, larger magnitudes) for every day of an evaluation: ETAS, usual rate, magnitudes, observed counts.

There is one file per arm and recipe. The ETAS is the one without a fit, which may forecast every day from 2011 on, and every place. Each
year uses the magnitudes known when it began. Windows that reach beyond the days with a final outcome have no count.
"""

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd

from forecaster.errors import NotScoreable
from forecaster.features.events import Events
from forecaster.features.labels import target_events
from forecaster.features.windows import TargetDays
from forecaster.models.etas import etas
from forecaster.models.etas.etas_horizons import number_before, over_horizons
from forecaster.models.etas.etas_priors import POOLED_UNTIL
from forecaster.models.ladder.extend_forecast import LOOK_BACK_DAYS, horizons_of
from forecaster.models.ladder.magnitude_law import MagnitudeLaw, rung_magnitudes
from forecaster.models.ladder.running_sequence import observed_before
from forecaster.models.ladder.usual_horizons import usual_horizons
from forecaster.pipeline.evaluation.evaluate_plan import Arm
from forecaster.pipeline.evaluation.evaluate_results import ResultFolder, arrays_sha256, sha256_of
from forecaster.pipeline.evaluation.evaluate_world import World
from forecaster.pipeline.rungs.issue_rungs import law_of
from forecaster.recipe import Recipe
from forecaster.timewindow import local_midnights_us, to_us

FORMAT = 3  # of the stored rows; a new value invalidates what is stored
NO_COUNT = -1
LAW = ("threshold_mag", "complete_from", "share_complete", "shape", "rate", "events")


def evaluate_rungs(world: World, arm: Arm, folder: ResultFolder) -> bool:
    """Store the rows of one arm and recipe; False where they are stored already.

    Raises:
        NotScoreable: no usual rate for the longest windows, or no ETAS may forecast the first day.
    """
    days = world.history.take(world.chosen)
    key = sha256_of(
        {
            "format": FORMAT,
            "recipe": world.recipe.recipe_hash,
            "inputs": world.inputs_sha256(arm.inputs, int(days.days.cut_us[-1])),
            "days": arrays_sha256(days.days.cut_us, days.days.target_ends_us, days.happened, days.reference),
        }
    )
    return folder.rungs(arm.name, world.recipe.id, key, lambda: rung_frame(world, arm))


def rung_frame(world: World, arm: Arm) -> pd.DataFrame:
    """Return one row per day.

    Columns: arm, recipe_id, range_days (of the recipe's own window), local_day, reference; by horizon etas_hit_h, etas_number_h,
    usual_hit_h, usual_number_h; recent_observed and recent_expected, targets of the preceding days as known at issue; the magnitude law;
    count_h_k, the number of earthquakes of the k-th magnitude in the window, NO_COUNT where it is not final.
    """
    recipe, chosen = world.recipe, world.history.take(world.chosen)
    days = chosen.days
    horizons = horizons_of(recipe.predict_range_days)
    ends = _midnights_after(recipe, days, horizons)
    model = etas.generic_for(recipe, days.first_day, days.first_day)
    if model is None:
        raise NotScoreable(f"{recipe.id}: no ETAS may forecast {days.first_day}; begin after {POOLED_UNTIL}")
    inputs = world.inputs(arm.inputs).known_before(int(days.cut_us[-1]))
    alone = over_horizons(model, inputs, days, ends, chosen.reference)
    final = int(world.history.days.target_ends_us[-1])
    record = replace(world.history.days, target_ends_us=_midnights_after(recipe, world.history.days, (1,))[:, 0])
    counts = _counts(recipe, world.known.events, recipe.threshold_mag, record.target_starts_us, record.target_ends_us)
    usual = usual_horizons(counts, record, days.cut_us, horizons)
    columns: dict[str, object] = {
        "arm": arm.name,
        "recipe_id": recipe.id,
        "range_days": recipe.predict_range_days,
        "local_day": days.local_days.astype("datetime64[s]"),
        "reference": chosen.reference,
    }
    for j, horizon in enumerate(horizons):
        columns[f"etas_hit_{horizon}"], columns[f"etas_number_{horizon}"] = alone.hit[:, j], alone.number[:, j]
        columns[f"usual_hit_{horizon}"], columns[f"usual_number_{horizon}"] = usual.hit[:, j], usual.number[:, j]
        for k, magnitude in enumerate(rung_magnitudes(recipe.threshold_mag)):
            count = _counts(recipe, world.known.events, magnitude, days.target_starts_us, ends[:, j])
            columns[f"count_{horizon}_{k}"] = np.where(ends[:, j] <= final, count, NO_COUNT)
    columns["recent_observed"] = observed_before(recipe, inputs, days)
    columns["recent_expected"] = number_before(model, inputs, days, chosen.reference, LOOK_BACK_DAYS)
    years = days.local_days.astype("datetime64[Y]").astype(int) + 1970
    laws = {year: _law(world, int(year)) for year in np.unique(years)}
    for name in LAW:
        columns[name] = np.array([float(getattr(laws[year], name)) for year in years])
    return pd.DataFrame(columns)


def _midnights_after(recipe: Recipe, days: TargetDays, numbers: tuple[int, ...]) -> np.ndarray:
    """Return the local midnights at which windows of these numbers of days end, int64 (n, numbers); the days are consecutive."""
    midnights = local_midnights_us(days.first_day, len(days) + max(numbers) + 1, recipe.zone)
    return np.stack([midnights[number : number + len(days)] for number in numbers], axis=1)


def _counts(recipe: Recipe, events: Events, magnitude: float, starts_us: np.ndarray, ends_us: np.ndarray) -> np.ndarray:
    """Count the earthquakes of the circle of at least `magnitude` in each window, int64 (n,)."""
    times = target_events(events, recipe.model_copy(update={"threshold_mag": magnitude})).origin_time_us
    return np.searchsorted(times, ends_us) - np.searchsorted(times, starts_us)


def _law(world: World, year: int) -> MagnitudeLaw:
    """Fit the magnitude law as known when the year began."""
    begins = datetime.combine(date(year, 1, 1), datetime.min.time(), UTC)
    known = world.known
    return law_of(world.recipe, replace(known, as_of=begins, events=known.events.known_before(to_us(begins))))
