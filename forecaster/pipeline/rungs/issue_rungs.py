"""The ladder of one issue: the published forecast, the usual rate and ETAS alone for longer windows and larger magnitudes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from forecaster.errors import NotScoreable
from forecaster.features.geometry import in_circle
from forecaster.features.labels import target_events
from forecaster.features.windows import TargetDays, target_days
from forecaster.models.etas import etas
from forecaster.models.etas.etas import EtasModel
from forecaster.models.etas.etas_horizons import Horizons, over_horizons
from forecaster.models.interface import FittedModel
from forecaster.models.ladder.climb import LOOK_BACK_DAYS, climb, horizons_of, ladder_of, productivity_of, with_corner
from forecaster.models.ladder.magnitude_law import RECORD_YEARS, MagnitudeLaw, magnitude_law
from forecaster.models.ladder.usual_horizons import usual_horizons
from forecaster.pipeline.as_of.as_known import Known, LabelledDays, labelled_days
from forecaster.pipeline.as_of.recipe_check import circle_completeness
from forecaster.recipe import Recipe
from forecaster.store.row_types import NewRung
from forecaster.timewindow import from_us, local_midnight, to_us

RATE, ETAS = "climatology", "etas"
VERSION = 1  # of the rules for making ladders; raised where an older program would misread a newer row


@dataclass(frozen=True)
class Said:
    """The published forecast of one recipe and day, and its members. numbers: the expected number, low and high of the corner."""

    probability: float
    members: Mapping[str, FittedModel]
    by_rate: bool
    numbers: tuple[float, int, int] | None


def published_rungs(
    recipe: Recipe,
    known: Known,
    labelled: LabelledDays,
    days: TargetDays,
    reference: np.ndarray,
    row: dict[str, Any],
    members: Mapping[str, FittedModel],
) -> list[NewRung]:
    """Compute the rungs of the published `row` (probability, and details as a dict) of the one day in `days`.

    Where no ladder is possible the list is empty, and the details give the reason as no_ladder.
    """
    details = row["details"]
    numbers = tuple(details.get(name) for name in ("expected_count", "count_low", "count_high"))
    said = Said(row["probability"], members, not details["weights"], None if None in numbers else numbers)
    try:
        return rungs_of(recipe, known, labelled, days, reference, said)
    except NotScoreable as error:
        details["no_ladder"] = str(error)
        return []


def rungs_of(recipe: Recipe, known: Known, labelled: LabelledDays, days: TargetDays, reference: np.ndarray, said: Said) -> list[NewRung]:
    """Return rows of the table `rung`, without the forecast's id, for the one day in `days`; the shortest window comes first.

    Args:
        labelled: the record of the recipe's own windows. reference: (1,), the usual rate of the day's own window.

    Raises:
        NotScoreable: the record is too short for the usual rate of the longest window.
    """
    day = days.first_day
    horizons = horizons_of(recipe.predict_range_days)
    ends = np.array([[to_us(local_midnight(day + timedelta(days=h), recipe.zone)) for h in horizons]], dtype=np.int64)
    law = law_of(recipe, known)
    usual = _usual(recipe, known, labelled, days, horizons)
    model = None if said.by_rate else etas_of(recipe, said.members, day)
    alone = None if model is None else over_horizons(model, known.inputs.visible(int(days.cut_us[0])), days, ends, reference)
    probability, range_days = np.array([said.probability]), recipe.predict_range_days
    recent = None if model is None else _productivity(model, known, days, reference)
    counts = climb(probability, usual if alone is None else alone, range_days, law, recent)
    own = with_corner(ladder_of(counts, law, range_days, probability), range_days, [said.numbers])
    by_rate = ladder_of(climb(reference, usual, range_days, law), law, range_days, reference)
    by_etas = None if alone is None else climb(None, alone, range_days, law).probability()
    return [
        {
            "horizon_days": horizon,
            "magnitude": magnitude,
            "window_end": from_us(int(ends[0, i])),
            "probability": float(own.probability[0, i, j]),
            "reference_probability": float(by_rate.probability[0, i, j]),
            "etas_probability": None if by_etas is None else float(by_etas[0, i, j]),
            "expected_count": float(own.expected[0, i, j]),
            "count_low": int(own.low[0, i, j]),
            "count_high": int(own.high[0, i, j]),
            "usual_count": float(by_rate.expected[0, i, j]),
            "basis": RATE if alone is None else ETAS,
            "b_value": law.b_value,
            "b_sigma": law.b_sigma,
            "version": VERSION,
            "beyond_record": law.largest_seen is None or magnitude > law.largest_seen + 1e-9,
        }
        for i, horizon in enumerate(horizons)
        for j, magnitude in enumerate(own.magnitudes)
    ]


def law_of(recipe: Recipe, known: Known) -> MagnitudeLaw:
    """Fit the magnitude law of the recipe's circle to the earthquakes of the last RECORD_YEARS that are known at `known.as_of`."""
    events = known.events
    here = (events.magnitude >= recipe.threshold_mag) & in_circle(recipe, events.latitude_deg, events.longitude_deg)
    magnitude = events.magnitude[here]
    recent = events.origin_time_us[here] >= to_us(known.as_of - timedelta(days=365.25 * RECORD_YEARS))
    missing = circle_completeness(recipe, known).missing_below(recipe.threshold_mag)
    return magnitude_law(magnitude[recent], recipe.threshold_mag, missing, float(magnitude.max()) if len(magnitude) else None)


def etas_of(recipe: Recipe, members: Mapping[str, FittedModel], day: date) -> EtasModel | None:
    """Return the ETAS among the members, else the one without a fit; None where that has seen the day."""
    found = next((model for model in members.values() if isinstance(model, EtasModel)), None)
    return found if found is not None else etas.generic_for(recipe, day, day)


def _productivity(model: EtasModel, known: Known, days: TargetDays, reference: np.ndarray) -> np.ndarray:
    """Return the productivity (1,), from the events of the days before the issue as known then, and the number expected for each day."""
    recipe = model.recipe.model_copy(update={"predict_range_days": 1})
    seen = known.inputs.visible(int(days.cut_us[0]))
    past = target_days(recipe, days.first_day - timedelta(days=LOOK_BACK_DAYS), LOOK_BACK_DAYS)
    usual = -np.expm1(np.log1p(-reference) / model.recipe.predict_range_days)
    expected = model.expected_count(seen.known_at_once(), past, np.repeat(usual, LOOK_BACK_DAYS)).sum()
    times = target_events(seen, recipe).origin_time_us
    came = np.count_nonzero((times >= past.target_starts_us[0]) & (times < days.target_starts_us[0]))
    return productivity_of(np.array([float(came)]), np.array([expected]))


def _usual(recipe: Recipe, known: Known, labelled: LabelledDays, days: TargetDays, horizons: tuple[int, ...]) -> Horizons:
    if recipe.predict_range_days != 1:
        labelled = labelled_days(recipe.model_copy(update={"predict_range_days": 1}), known)
    return usual_horizons(labelled.event_count, labelled.days, days.cut_us, horizons)
