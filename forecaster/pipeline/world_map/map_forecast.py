"""Forecast the circles about all cells with seismicity with the published combination: the next day and the next week.

The day's probability is that of `anywhere.forecast_at` for the same circle, on a UTC day. The week's is extrapolated from the day's. With H
the -log P(no target) of ETAS without a fit, whose windows may be of any length,

    -log(1 - P(week)) = -log(1 - P(day)) H(week) / H(day),

so the week is never less likely than its first day, and decays within it as aftershocks do. The usual rates of both are counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import numpy as np

from forecaster.errors import CorruptModel, ModelError, NotScoreable
from forecaster.features.circles import circle_recipe
from forecaster.features.many_circles import Circles, positive_days
from forecaster.features.windows import target_days
from forecaster.models.baselines import climatology
from forecaster.models.etas.etas import EtasModel
from forecaster.models.hybrid.regional import KIND as REGIONAL
from forecaster.models.interface import ForecastsCircles, bounded
from forecaster.pipeline.as_of.as_known import Known, LabelledDays, in_reach, labelled_days
from forecaster.pipeline.issuing.compute_issues import data_age
from forecaster.pipeline.issuing.members import Member, asked, generic_member, kinds_of, no_probability, unusable_kinds
from forecaster.pipeline.world_map.map_coverage import complete_cells, covered_by, patterns_of
from forecaster.pipeline.world_map.map_grid import Grid, seismic_cells, whole_grid
from forecaster.pipeline.world_map.map_series import EarthSeries
from forecaster.publishing_rule.blend import Blend, shipped, usual_rate_if_stale
from forecaster.publishing_rule.publishing_rule import rule_named
from forecaster.publishing_rule.weights import usable_weights
from forecaster.recipe import Recipe
from forecaster.registry.reasons import Reason, ReasonKey, iso, of_error
from forecaster.timewindow import DAY_US, to_us

MAGNITUDES = (4.5, 5.0)
WEEK_DAYS = 7


@dataclass(frozen=True)
class EarthForecast:
    """One issue.

    grid: the cells with seismicity. For each row, arrays (rows,): index, of its cell in `grid`; magnitude; horizon_days; probability,
    usual, and that of ETAS alone, NaN where it is no member. left_out: what has no row and why. problems: what degrades the forecast.
    weights: by kind, as applied.
    """

    grid: Grid
    as_of: datetime
    target_day: date
    index: np.ndarray
    magnitude: np.ndarray
    horizon_days: np.ndarray
    probability: np.ndarray
    usual: np.ndarray
    etas: np.ndarray
    left_out: tuple[Reason, ...]
    problems: tuple[Reason, ...]
    weights: Mapping[str, float]


def forecast_earth(known: Known, target_day: date, as_of: datetime, resolution: int, series: EarthSeries | None = None) -> EarthForecast:
    """Forecast `target_day`, a UTC day, and the week that begins with it, from what is `known` at `as_of`.

    series: of which the day is one; the forecast is the same without it, and takes longer.

    Raises:
        BadInput: an unknown resolution. NotScoreable: no cell has seismicity, or the catalogue covers none.
    """
    grid = seismic_cells(whole_grid(resolution), known.events)
    if not len(grid):
        raise _no_map(as_of, [Reason(ReasonKey.NO_SEISMIC_CELL, {"radius_km": grid.radius_km})])
    age, stale = data_age(as_of, known.read_until)
    blend = usual_rate_if_stale(shipped(*usable_weights(target_day)), age, known.read_until)
    told = [reason for reason in (blend.problem, stale) if reason is not None]
    left_out: list[Reason] = []
    parts: list[tuple[np.ndarray, ...]] = []
    covered = covered_by(grid, known.coverage)
    for magnitude, complete in complete_cells(grid, known, covered, MAGNITUDES).items():
        if not complete.all():
            left_out.append(_left_out(ReasonKey.CELLS_INCOMPLETE, magnitude, int(np.count_nonzero(~complete))))
        for here, record in _groups(grid, known, covered, magnitude, complete, left_out):
            for horizon, *figures in _forecast(grid.take(here), record, known, magnitude, target_day, blend, told, series):
                size = len(here)
                parts.append((here, np.full(size, magnitude), np.full(size, horizon), *figures))
    if not parts:
        raise _no_map(as_of, left_out)
    index, magnitudes, horizons, probability, usual, alone = (np.concatenate(column) for column in zip(*parts, strict=True))
    return EarthForecast(
        grid,
        as_of,
        target_day,
        index,
        magnitudes,
        horizons,
        probability,
        usual,
        alone,
        tuple(left_out),
        tuple(reason for place, reason in enumerate(told) if reason not in told[:place]),
        dict(blend.weights),
    )


def _left_out(key: ReasonKey, magnitude: float, cells: int, *because: Reason) -> Reason:
    return Reason(key, {"magnitude": magnitude, "cells": cells}, because)


def _no_map(as_of: datetime, because: Sequence[Reason]) -> NotScoreable:
    return NotScoreable(Reason(ReasonKey.NO_WORLD_MAP, {"at": iso(as_of)}, tuple(because)))


def _groups(
    grid: Grid, known: Known, covered: np.ndarray, magnitude: float, complete: np.ndarray, left_out: list[Reason]
) -> list[tuple[np.ndarray, LabelledDays]]:
    """Return groups of complete cells that share a record of target days: indices, and the record of one of them."""
    groups: dict[tuple[date, int], tuple[list[np.ndarray], LabelledDays]] = {}
    for pattern, cells in patterns_of(covered & (known.coverage["min_magnitude"].to_numpy() <= magnitude)):
        cells = cells[complete[cells]]
        if not len(cells):
            continue
        if not pattern.any():
            left_out.append(_left_out(ReasonKey.CELLS_UNREAD, magnitude, len(cells)))
            continue
        try:
            record = labelled_days(_recipe(grid, int(cells[0]), magnitude), known)
        except NotScoreable as error:
            left_out.append(_left_out(ReasonKey.CELLS_SHORT, magnitude, len(cells), of_error(error)))
            continue
        groups.setdefault((record.days.first_day, len(record.days)), ([], record))[0].append(cells)
    return [(np.sort(np.concatenate(cells)), record) for cells, record in groups.values()]


def _forecast(
    grid: Grid,
    record: LabelledDays,
    known: Known,
    magnitude: float,
    target_day: date,
    blend: Blend,
    told: list[Reason],
    series: EarthSeries | None,
) -> list[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
    """Return (horizon in days, probability, usual, that of ETAS alone) of cells with the same `record` of days.

    What is missing is added to `told`.
    """
    recipe = _recipe(grid, 0, magnitude)
    days = target_days(recipe, target_day, 1).issued_at(known.as_of)
    strong = known.events.take(known.events.magnitude >= magnitude)
    happened = positive_days(grid.latitude_deg, grid.longitude_deg, grid.radius_km, strong, record.days.first_day)
    issue_us = to_us(known.as_of)
    usual_day = climatology.rate_of_circles(happened, record.days, issue_us)
    weeks = labelled_days(recipe.model_copy(update={"predict_range_days": WEEK_DAYS}), known).days
    usual_week = climatology.rate_of_circles(happened, weeks, issue_us, WEEK_DAYS)
    nothing = np.full(len(grid), np.nan)
    if not blend.weights:
        return [(1, usual_day, usual_day, nothing), (WEEK_DAYS, usual_week, usual_week, nothing)]
    circles = Circles(
        grid.latitude_deg,
        grid.longitude_deg,
        grid.radius_km,
        magnitude,
        known.inputs.visible(int(days.cut_us[0])),
        days,
        usual_day,
        record.days.first_day,
        longer=(replace(days, target_ends_us=days.target_starts_us + WEEK_DAYS * DAY_US),),
        split=None if series is None else series.split(grid, int(days.cut_us[0])),
    )
    forecasts, lacking, etas = ask_members(circles, recipe, known, blend)
    told += [Reason(ReasonKey.WITHOUT, {"kind": kind}, (why,)) for kind, why in lacking.items()]
    day = rule_named(blend.rule).combine(forecasts, blend.weights, usual_day)
    alone = [nothing, nothing] if etas is None else [bounded(-np.expm1(-rate)) for rate in etas.rates_of_circles(circles)]
    week = carried_on(day, usual_week, circles, etas)
    return [(1, day, usual_day, alone[0]), (WEEK_DAYS, week, usual_week, alone[1])]


def carried_on(day: np.ndarray, usual_week: np.ndarray, circles: Circles, etas: EtasModel | None) -> np.ndarray:
    """Extrapolate a day's probability to the week beginning with it, float64 (n,); without ETAS, by the excess over the usual rate."""
    if etas is None:
        at_least: np.ndarray = np.maximum(day, usual_week)
        return at_least
    first, week = etas.rates_of_circles(circles)
    return bounded(-np.expm1(np.log1p(-day) * week / first))


def ask_members(
    circles: Circles, recipe: Recipe, known: Known, blend: Blend
) -> tuple[dict[str, np.ndarray], dict[str, Reason], EtasModel | None]:
    """Return, by kind with weight, its probabilities for the circles; by kind why another has no forecast; ETAS where it is among them.

    Members are those of a recipe without a fit; `recipe` is that of one of the circles.
    """
    day = circles.days.first_day
    forecasts: dict[str, np.ndarray] = {}
    lacking = {kind: reason for kind, reason in unusable_kinds([recipe]).items() if kind in blend.weights}
    etas: EtasModel | None = None
    for kind in kinds_of(recipe):
        if kind not in blend.weights or kind in lacking:
            continue
        try:
            member = generic_member(recipe, kind, day, circles.first_day)
            if member is not None:
                forecasts[kind] = _ask(member, circles, known)
        except ModelError as error:
            lacking[kind] = of_error(error)
            continue
        if member is not None and isinstance(member.model, EtasModel):
            etas = member.model
    return forecasts, lacking, etas


def _ask(member: Member, circles: Circles, known: Known) -> np.ndarray:
    """Return the forecast of a member's kind for each circle, float64 (n,); all at once where the kind can.

    Raises:
        CorruptModel: a value is not a probability.
    """
    if isinstance(member.model, ForecastsCircles):
        forecasts = bounded(member.model.probability_of_circles(circles))
        wrong = np.flatnonzero(~((forecasts > 0) & (forecasts < 1)))
        if len(wrong):
            raise CorruptModel(no_probability(member.model_id, float(forecasts[wrong[0]]), circles.days.local_days[0]))
        return forecasts
    return one_by_one(member.kind, circles, known)


def one_by_one(kind: str, circles: Circles, known: Known) -> np.ndarray:
    """Return the same for a kind that handles one recipe at a time, float64 (n,); NaN where it has no model for a circle."""
    found = np.full(len(circles), np.nan)
    inputs = known.inputs
    for number in range(len(circles)):
        recipe = circle_recipe(
            number, float(circles.latitude_deg[number]), float(circles.longitude_deg[number]), circles.radius_km, circles.threshold_mag
        )
        member = generic_member(recipe, kind, circles.days.first_day, circles.first_day)
        if member is None:
            continue
        away = inputs.distance_km(recipe.predict_center_lat, recipe.predict_center_lng)
        near = inputs.take(in_reach(recipe, away, inputs.magnitude))
        found[number] = asked(member, near, circles.days, circles.reference[number : number + 1])[0]
    return found


def _recipe(grid: Grid, number: int, magnitude: float) -> Recipe:
    """Return the target of one cell, without its regional hybrid, which without a fit is the same as the general hybrid."""
    recipe = circle_recipe(number, float(grid.latitude_deg[number]), float(grid.longitude_deg[number]), grid.radius_km, magnitude, "cell")
    return recipe.model_copy(update={"models": tuple(kind for kind in recipe.models if kind != REGIONAL)})
