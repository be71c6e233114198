"""The ladder of one issue: the published forecast, the usual rate and ETAS alone for longer windows and larger magnitudes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from forecaster.errors import NotScoreable
from forecaster.features.events import Events
from forecaster.features.windows import TargetDays
from forecaster.models.etas import etas
from forecaster.models.etas.etas import EtasModel
from forecaster.models.etas.etas_horizons import Horizons, over_horizons
from forecaster.models.interface import FittedModel
from forecaster.models.ladder.extend_forecast import climb, corner_horizons, corner_of, horizons_of, ladder_chances, ladder_of
from forecaster.models.ladder.magnitude_law import RECORD_YEARS, DailyLaws, MagnitudeLaw, magnitude_law
from forecaster.models.ladder.running_sequence import productivity
from forecaster.models.ladder.usual_horizons import usual_horizons
from forecaster.pipeline.as_of.as_known import Known, LabelledDays, labelled_days
from forecaster.pipeline.as_of.recipe_check import circle_record, missing_below
from forecaster.pipeline.issuing.published_rows import numbers_of
from forecaster.recipe import Recipe
from forecaster.registry.reasons import of_error
from forecaster.store.row_types import NewRung
from forecaster.store.rung_rows import VERSION
from forecaster.timewindow import from_us, local_midnight, to_us

RATE, ETAS = "climatology", "etas"


@dataclass(frozen=True)
class Shape:
    """ETAS for the windows of each issue, and the productivity of the running sequence (n,): what a published forecast is extended by."""

    alone: Horizons
    productivity: np.ndarray

    def take(self, chosen: np.ndarray) -> "Shape":
        """Return the shape of the days of a mask."""
        return Shape(Horizons(self.alone.hit[chosen], self.alone.number[chosen]), self.productivity[chosen])

    @classmethod
    def joined(cls, shapes: Sequence["Shape"]) -> "Shape":
        """Return these shapes, one after the other."""
        return cls(Horizons.joined([shape.alone for shape in shapes]), np.concatenate([shape.productivity for shape in shapes]))


@dataclass(frozen=True)
class LadderBase:
    """What the ladder of one published `row` (probability, and details as a dict) follows from, without the catalogue.

    days: the one day, and the windows that begin with it, ends_us int64 (1, horizons). reference: (1,). shape: None where the usual rate
    alone is published. usual, law: None where there is no ladder, because of `problem`.
    """

    recipe: Recipe
    row: dict[str, Any]
    ends_us: np.ndarray
    reference: np.ndarray
    shape: Shape | None
    usual: Horizons | None
    law: MagnitudeLaw | None
    problem: NotScoreable | None = None

    @property
    def kind(self) -> tuple[int, float, bool]:
        """What ladders must have in common to be computed at once."""
        return self.recipe.predict_range_days, self.recipe.threshold_mag, self.shape is None


def published_rungs(
    recipe: Recipe,
    known: Known,
    labelled: LabelledDays,
    days: TargetDays,
    reference: np.ndarray,
    row: dict[str, Any],
    members: Mapping[str, FittedModel],
) -> list[NewRung]:
    """Compute the rungs of the published `row` of the one day in `days`, as `ladders_of`."""
    return ladders_of([ladder_base(recipe, known, labelled, days, reference, row, members)])[0]


def ladder_base(
    recipe: Recipe,
    known: Known,
    labelled: LabelledDays,
    days: TargetDays,
    reference: np.ndarray,
    row: dict[str, Any],
    members: Mapping[str, FittedModel],
) -> LadderBase:
    """Compute what the ladder of the published `row` follows from. labelled: the record of the recipe's own windows."""
    horizons = horizons_of(recipe.predict_range_days)
    ends_us = window_ends(recipe, days, horizons)
    model = etas_of(recipe, members.values(), days.first_day) if row["details"]["weights"] else None
    shape = None if model is None else shape_of(model, known.inputs, days, ends_us, reference)
    try:
        usual = _usual(recipe, known, labelled, days, horizons)
        return LadderBase(recipe, row, ends_us, reference, shape, usual, law_of(recipe, known))
    except NotScoreable as error:
        return LadderBase(recipe, row, ends_us, reference, shape, None, None, error)


def ladders_of(bases: Sequence[LadderBase]) -> list[list[NewRung]]:
    """Compute the rungs of published rows: rows of the table `rung`, without the forecast's id; the shortest window comes first.

    The rows' details also get the expected number and its range, those of the ladder's corner, unless the usual rate alone is published.
    Where no ladder is possible the list is empty, and the details give the reason as no_ladder (English text) and no_ladder_reason (as
    stored). Ladders of one kind are computed at once: a single one is as many calls of numpy, on arrays of a few numbers.
    """
    found: list[list[NewRung]] = [[] for _ in bases]
    by_kind: dict[tuple[int, float, bool], list[int]] = {}
    for place, base in enumerate(bases):
        by_kind.setdefault(base.kind, []).append(place)
    for (range_days, _, alone), places in by_kind.items():
        if not alone:
            _add_corners(range_days, [bases[place] for place in places])
        laid = [place for place in places if bases[place].problem is None]
        for place, rungs in zip(laid, _laid(range_days, [bases[place] for place in laid]), strict=True):
            found[place] = rungs
    for base in bases:
        if base.problem is not None:
            base.row["details"] |= no_ladder(base.problem)
    return found


def _add_corners(range_days: int, bases: Sequence[LadderBase]) -> None:
    published, reference = _published(bases), np.concatenate([base.reference for base in bases])
    shape = Shape.joined([base.shape for base in bases if base.shape is not None])
    numbers = corner_numbers(range_days, published, shape, horizons_of(range_days), reference)
    for base, told in zip(bases, numbers, strict=True):
        base.row["details"] |= told


def _laid(range_days: int, bases: Sequence[LadderBase]) -> list[list[NewRung]]:
    if not bases:
        return []
    shapes = [base.shape for base in bases if base.shape is not None]
    usual, laws = [base.usual for base in bases if base.usual is not None], [base.law for base in bases if base.law is not None]
    return ladder_rows(
        range_days,
        np.concatenate([base.ends_us for base in bases]),
        np.concatenate([base.reference for base in bases]),
        _published(bases),
        Shape.joined(shapes) if shapes else None,
        Horizons.joined(usual),
        laws,
    )


def _published(bases: Sequence[LadderBase]) -> np.ndarray:
    return np.array([base.row["probability"] for base in bases])


def no_ladder(error: NotScoreable) -> dict[str, Any]:
    """Return what the details of a forecast without a ladder say."""
    return {"no_ladder": str(error), "no_ladder_reason": of_error(error).stored()}


def ladder_rows(
    range_days: int,
    ends_us: np.ndarray,
    reference: np.ndarray,
    published: np.ndarray,
    shape: Shape | None,
    usual: Horizons,
    laws: Sequence[MagnitudeLaw],
) -> list[list[NewRung]]:
    """Return the rungs of each forecast, without the forecast's id; the shortest window comes first.

    range_days: of the forecasts' own windows. ends_us: (n, horizons), of the windows. reference, published: (n,), the usual rate of the own
    windows, and what is published. shape: None where the usual rate alone gives longer windows. usual: of the windows. laws: one a
    forecast, all for one threshold.
    """
    horizons, law = horizons_of(range_days), DailyLaws(tuple(laws))
    if shape is None:
        counts = climb(published, usual, range_days, law)
    else:
        counts = climb(published, shape.alone, range_days, law, shape.productivity, reference)
    own = ladder_of(counts, law, range_days, published)
    usual_counts = climb(reference, usual, range_days, law)
    by_rate, usual_number = ladder_chances(usual_counts, range_days, reference), usual_counts.expected()
    by_etas = None if shape is None else climb(None, shape.alone, range_days, law).probability()
    return [
        [
            {
                "horizon_days": horizon,
                "magnitude": magnitude,
                "window_end": from_us(int(ends_us[n, i])),
                "probability": float(own.probability[n, i, j]),
                "reference_probability": float(by_rate[n, i, j]),
                "etas_probability": None if by_etas is None else float(by_etas[n, i, j]),
                "expected_count": float(own.expected[n, i, j]),
                "count_low": int(own.low[n, i, j]),
                "count_high": int(own.high[n, i, j]),
                "usual_count": float(usual_number[n, i, j]),
                "basis": RATE if shape is None else ETAS,
                "b_value": one.b_value,
                "b_sigma": one.b_sigma,
                "version": VERSION,
                "beyond_record": one.largest_seen is None or magnitude > one.largest_seen + 1e-9,
            }
            for i, horizon in enumerate(horizons)
            for j, magnitude in enumerate(own.magnitudes)
        ]
        for n, one in enumerate(laws)
    ]


def law_of(recipe: Recipe, known: Known) -> MagnitudeLaw:
    """Fit the magnitude law of the recipe's circle to the earthquakes of the last RECORD_YEARS that are known at `known.as_of`."""
    here, cut, end = circle_record(recipe, known)
    return law_of_circle(recipe, here, known.as_of, cut, end)


def law_of_circle(recipe: Recipe, here: Events, as_of: datetime, cut: float | None, end: datetime) -> MagnitudeLaw:
    """Fit the law to the events in the circle, as known at `as_of`. cut: the magnitude read there; end: of what was read by then."""
    targets = here.magnitude >= recipe.threshold_mag
    magnitude = here.magnitude[targets]
    recent = here.origin_time_us[targets] >= to_us(as_of - timedelta(days=365.25 * RECORD_YEARS))
    missing = missing_below(recipe.threshold_mag, here, cut, end)
    return magnitude_law(magnitude[recent], recipe.threshold_mag, missing, float(magnitude.max()) if len(magnitude) else None)


def etas_of(recipe: Recipe, members: Iterable[FittedModel], day: date) -> EtasModel | None:
    """Return the ETAS among the members, else the one without a fit; None where that has seen the day."""
    found = next((model for model in members if isinstance(model, EtasModel)), None)
    return found if found is not None else etas.generic_for(recipe, day, day)


def shape_of(model: EtasModel, inputs: Events, days: TargetDays, ends_us: np.ndarray, reference: np.ndarray) -> Shape:
    """Compute the shape of the windows from the start of each day to `ends_us` (n, horizons); `inputs` are cut at each day's issue."""
    return Shape(over_horizons(model, inputs, days, ends_us, reference), productivity(model, inputs, days, reference))


def corner_numbers(
    range_days: int, published: np.ndarray, shape: Shape, horizons: tuple[int, ...], reference: np.ndarray
) -> list[dict[str, Any]]:
    """Return the expected number and range of each published probability (n,), for its details. horizons: those of `shape`."""
    at = [horizons.index(horizon) for horizon in corner_horizons(range_days)]
    base = Horizons(shape.alone.hit[:, at], shape.alone.number[:, at])
    columns = corner_of(published, base, range_days, shape.productivity, reference)
    return [numbers_of(*numbers) for numbers in zip(*(values.tolist() for values in columns), strict=True)]


def window_ends(recipe: Recipe, days: TargetDays, horizons: tuple[int, ...]) -> np.ndarray:
    """Return the ends of windows of these numbers of local days from the start of each day, int64 (n, horizons)."""
    starts = [day.item() for day in days.local_days]
    return np.array([[to_us(local_midnight(day + timedelta(days=h), recipe.zone)) for h in horizons] for day in starts], dtype=np.int64)


def _usual(recipe: Recipe, known: Known, labelled: LabelledDays, days: TargetDays, horizons: tuple[int, ...]) -> Horizons:
    if recipe.predict_range_days != 1:
        labelled = labelled_days(recipe.model_copy(update={"predict_range_days": 1}), known)
    return usual_horizons(labelled.event_count, labelled.days, days.cut_us, horizons)
