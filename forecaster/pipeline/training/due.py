"""Find the recipes due for training, and why: no model, a changed recipe, model age, growth of the data, calibration drift."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from forecaster.clock import Clock
from forecaster.features.events import Events
from forecaster.features.geometry import box_about
from forecaster.features.labels import target_events
from forecaster.pipeline.as_of.as_known import MATURITY
from forecaster.pipeline.training.information_gain import BOOTSTRAP_SEED
from forecaster.publishing_rule.combination import KIND
from forecaster.quantities import age_text
from forecaster.recipe import Recipe
from forecaster.registry.reasons import Reason, ReasonKey
from forecaster.store import current_state
from forecaster.store import fits as stored_fits
from forecaster.store.database import Connection, Store
from forecaster.store.fits import ScoredDays
from forecaster.store.typed_rows.model_types import ModelRow
from forecaster.store.versions.near_events import Box, StrongEvents, read_strong_events, read_strong_versions
from forecaster.timewindow import DAY_US, days_of_windows_us, to_us
from forecaster.verification.intervals import draw_blocks, ratio_bounds

RETRAIN_AFTER = timedelta(days=7)
GROWTH_SHARE = 0.10  # new target days relative to those that the newest model knew
MIN_NEW_DAYS = 5
DRIFT_SPAN = timedelta(days=180)
DRIFT_PAUSE = timedelta(days=2)  # a refit need not correct a drift
MIN_DRIFT_DAYS = 5  # target days observed or expected; fewer show no drift
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class _Newest:
    """When the newest model of the present recipe was fitted, and what it knew; None where there is no model or no such record."""

    data_as_of: datetime | None
    target_days: int | None
    other_hash: str | None


def due_reasons(store: Store, recipes: list[Recipe], clock: Clock, *, by_activity: bool = True) -> dict[str, list[str]]:
    """Return why each due recipe is due, in words and in training order.

    Recipes for comparison only come last. Among the others, the one that has waited longest comes first. Among equals, the one whose last
    week was most active relative to its last year comes first; `by_activity=False` saves the query for that. A kind that could not be
    fitted waits for the next week with the others.
    """
    until = data_until(store, clock)
    trained = [recipe for recipe in recipes if recipe.models]
    with store.transaction() as connection:
        newest = _newest(connection, trained, until)
        grown = _grown(connection, trained, newest, until)
        drifted = drifts(connection, [recipe for recipe in trained if _may_drift(newest[recipe.id], until)], until)
        reasons = {
            recipe.id: _reasons(recipe, newest[recipe.id], until, grown.get(recipe.id), drifted.get(recipe.id)) for recipe in trained
        }
        activity = _activity(connection, [recipe for recipe in trained if reasons[recipe.id]], until) if by_activity else {}
    trained.sort(
        key=lambda recipe: (
            recipe.comparison_only is not None,
            newest[recipe.id].data_as_of or NEVER,
            -activity.get(recipe.id, 0.0),
        )
    )
    return {recipe.id: reasons[recipe.id] for recipe in trained if reasons[recipe.id]}


def _grown(connection: Connection, recipes: Sequence[Recipe], newest: Mapping[str, _Newest], until: datetime) -> dict[str, int]:
    """Return, by recipe, the new target days since its newest model was fitted, where they are enough to make it due.

    Counting every version of the events gives at least as many days as counting the events as known at `until`, and takes less time. The
    events are read only for the recipes that would be due by that count.
    """

    def enough(asked: Sequence[Recipe], events: Events) -> dict[str, int]:
        new = {recipe.id: verified_target_days(events, recipe, until) - (newest[recipe.id].target_days or 0) for recipe in asked}
        return {name: days for name, days in new.items() if days >= max(MIN_NEW_DAYS, GROWTH_SHARE * (newest[name].target_days or 0))}

    counted = [recipe for recipe in recipes if newest[recipe.id].target_days is not None]
    if not counted:
        return {}
    likely = enough(counted, _as_events(read_strong_versions(connection, *_boxes(counted))))
    counted = [recipe for recipe in counted if recipe.id in likely]
    return enough(counted, _as_events(read_strong_events(connection, until, *_boxes(counted)))) if counted else {}


def _boxes(recipes: Sequence[Recipe]) -> tuple[list[Box], float]:
    """Return boxes that contain the circles of these recipes, and their lowest threshold."""
    boxes = [box_about(recipe.predict_center_lat, recipe.predict_center_lng, recipe.radius_km + 0.1) for recipe in recipes]
    return boxes, min(recipe.threshold_mag for recipe in recipes)


def _as_events(found: StrongEvents) -> Events:
    """Return them as known from their origin on, without their depth."""
    origin_us = found.origin_time_us
    return Events(origin_us, origin_us, found.latitude_deg, found.longitude_deg, np.full(len(origin_us), np.nan), found.magnitude)


def _activity(connection: Connection, recipes: Sequence[Recipe], until: datetime) -> dict[str, float]:
    """Return, by recipe, the target events of the last week over one plus the weekly mean of the last year."""
    if len(recipes) < 2:
        return {}
    year, week = until - timedelta(days=365), until - timedelta(days=7)
    events = _as_events(read_strong_events(connection, until, *_boxes(recipes), year))
    activity = {}
    for recipe in recipes:
        origins_us = target_events(events, recipe).origin_time_us
        activity[recipe.id] = float((origins_us >= to_us(week)).sum() / (1 + len(origins_us) / 52))
    return activity


def changed_recipes(store: Store, recipes: list[Recipe], clock: Clock) -> list[str]:
    """Return the ids of recipes without a model of their present content: new ones, and those changed since their last fit."""
    until = data_until(store, clock)
    with store.transaction() as connection:
        newest = _newest(connection, [recipe for recipe in recipes if recipe.models], until)
    return [recipe_id for recipe_id, found in newest.items() if found.data_as_of is None]


def data_until(store: Store, clock: Clock) -> datetime:
    """Return the data cut-off of a model trained now: the clock's time, or the end of the last reading if that is earlier."""
    with store.transaction() as connection:
        read_until = current_state.read_until(connection)
    return clock.now() if read_until is None else min(clock.now(), read_until)


def verified_target_days(events: Events, recipe: Recipe, as_of: datetime) -> int:
    """Count the days (UTC) with a target event whose outcome was final at `as_of`: the target days that a fit learns from.

    Later days are inputs of a forecast, but no fit learns from them yet.
    """
    days = target_events(events, recipe).origin_time_us // DAY_US
    return len(set(days[days < to_us(as_of - MATURITY) // DAY_US].tolist()))


def _newest(connection: Connection, recipes: Sequence[Recipe], until: datetime) -> dict[str, _Newest]:
    hashes = {recipe.id: recipe.recipe_hash for recipe in recipes}
    models = stored_fits.newest_models_of_all(connection, hashes, until)
    without = [recipe_id for recipe_id, kinds in models.items() if not kinds]
    others: dict[str, list[ModelRow]] = {recipe_id: [] for recipe_id in without}
    for row in stored_fits.models_of(connection, without) if without else ():
        if row["recipe_hash"] != hashes[row["recipe_id"]]:
            others[row["recipe_id"]].append(row)
    found = {}
    for recipe_id, kinds in models.items():
        last = max(kinds.values() if kinds else others[recipe_id], key=lambda row: row["data_as_of"], default=None)
        if last is None:
            found[recipe_id] = _Newest(None, None, None)
        elif not kinds:
            found[recipe_id] = _Newest(None, None, last["recipe_hash"])
        else:
            found[recipe_id] = _Newest(last["data_as_of"], last["details"].get("known_target_days"), None)
    return found


def _may_drift(newest: _Newest, until: datetime) -> bool:
    return newest.data_as_of is not None and until - newest.data_as_of >= DRIFT_PAUSE


def _reasons(recipe: Recipe, newest: _Newest, until: datetime, grown: int | None, drifted: Reason | None) -> list[str]:
    if newest.data_as_of is None:
        if newest.other_hash is None:
            return ["it has no model yet"]
        return [f"its recipe has changed since its newest model was fitted ({newest.other_hash[:12]}, now {recipe.recipe_hash[:12]})"]
    reasons = []
    age = until - newest.data_as_of
    if age >= RETRAIN_AFTER:
        reasons.append(f"its newest model is {age_text(age)} old, {RETRAIN_AFTER.days} days are the limit")
    if grown is not None:
        reasons.append(f"{grown} days with a target event were verified since its newest model was fitted, which knew {newest.target_days}")
    if drifted is not None:
        reasons.append(str(drifted))
    return reasons


def drifts(connection: Connection, recipes: Sequence[Recipe], until: datetime) -> dict[str, Reason]:
    """Return, by recipe, the bias of its official combinations where the 95 % interval of observed / expected excludes 1."""
    targets = {recipe.id: recipe.target_hash for recipe in recipes}
    rows = stored_fits.scored_of_kind(connection, targets, KIND, until - DRIFT_SPAN, until)
    found = {recipe.id: _drift([(recipe, rows[recipe.id])]) for recipe in recipes}
    return {recipe_id: drift for recipe_id, drift in found.items() if drift is not None}


def drift_together(connection: Connection, recipes: Sequence[Recipe], until: datetime) -> str | None:
    """Describe the joint bias of the official combinations of all recipes, except those for comparison.

    None where there is no bias by the criterion of `drifts`.
    """
    relied_on = [recipe for recipe in recipes if recipe.comparison_only is None]
    rows = stored_fits.scored_of_kind(connection, {recipe.id: recipe.target_hash for recipe in relied_on}, KIND, until - DRIFT_SPAN, until)
    drift = _drift([(recipe, rows[recipe.id]) for recipe in relied_on]) if relied_on else None
    return None if drift is None else f"all recipes together: {drift}"


def _drift(scored: Sequence[tuple[Recipe, ScoredDays]]) -> Reason | None:
    """Return the bias of these forecasts, or None."""
    probability = np.concatenate([rows.probability for _, rows in scored])
    observed = np.concatenate([rows.happened for _, rows in scored]).astype(float)
    if max(probability.sum(), observed.sum()) < MIN_DRIFT_DAYS:
        return None
    days = [days_of_windows_us(rows.target_start_us, recipe.zone) for recipe, rows in scored]
    ratio = ratio_bounds(draw_blocks(days, BOOTSTRAP_SEED), np.concatenate(days), observed, probability)
    if ratio.low <= 1 <= ratio.high:
        return None
    bounds = {"ratio": f"{ratio.estimate:.2f}", "low": f"{ratio.low:.2f}", "high": f"{ratio.high:.2f}"}
    days_of = {"expected_days": f"{probability.sum():.1f}", "observed_days": f"{observed.sum():.0f}"}
    return Reason(ReasonKey.DRIFT, {**days_of, **bounds, "days": DRIFT_SPAN.days})
