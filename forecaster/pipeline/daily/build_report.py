"""Gather the content of a report from the store. This module only reads; `reports` renders the pages."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd

from forecaster.catalog.coverage import covered_span
from forecaster.errors import NotScoreable
from forecaster.installed import code_version
from forecaster.pipeline.as_of.as_known import Known
from forecaster.pipeline.as_of.catalogue_history import load_known
from forecaster.pipeline.as_of.recipe_check import missing_below_threshold
from forecaster.pipeline.daily import forecast_record
from forecaster.pipeline.daily.issue_rows import forecasts_sha256
from forecaster.pipeline.daily.issue_schedule import next_issue_time
from forecaster.pipeline.daily.nearby import DAYS, largest_near, stored_drivers
from forecaster.pipeline.run_context import Job
from forecaster.pipeline.rungs.report_ladder import report_ladder
from forecaster.pipeline.rungs.rung_record import block_days, pooled_rungs, recipe_records
from forecaster.pipeline.world_map.map_page import world_extract
from forecaster.publishing_rule.combination import KIND, RATE
from forecaster.publishing_rule.weights import usable_weights
from forecaster.recipe import Recipe
from forecaster.registry.reasons import Reason, ReasonKey, of_error, of_json
from forecaster.registry.weights_origin import WeightsFrom
from forecaster.reports.content.contract import (
    DayOutcome,
    Evaluation,
    Mode,
    ModelForecast,
    PooledRung,
    PooledSkill,
    RecentEvent,
    RecipeForecast,
    Reforecast,
    ReportData,
    ResolvedOutcome,
    RevisedOutcome,
    RungRecord,
)
from forecaster.store import ledger, rung_rows
from forecaster.store.database import Connection
from forecaster.store.forecasts import ladder_sums
from forecaster.store.forecasts import shown as stored
from forecaster.store.row_types import ForecastRow, IssuedRow, PublishedDay, RungRow, VerifiedRow, rows_as
from forecaster.timewindow import day_of_window, days_of_windows, next_local_day

EVENTS_DAYS = 7
EVENTS_MIN_MAGNITUDE = 4.5
HISTORY_DAYS = 90
OPEN_DAYS = 3  # the window of the forecast, the current one, and one more where time zones differ


def report_data(job: Job) -> ReportData:
    """What is to be told now: the last published forecast of every recipe, what became of earlier ones, and the state of the data.

    The report's id follows from the forecasts: told again, it is the same report, and is not sent twice.
    """
    store, recipes, clock, now = job.store, job.recipes, job.clock, job.clock.now()
    known = load_known(store, now)
    with store.transaction() as connection:
        last = {row["recipe_id"]: row for row in stored.latest_published(connection, now, [recipe.target_hash for recipe in recipes])}
        empty_mode: Mode = "replay" if clock.simulated else "prospective"
        scored = forecast_record.scored_days(connection, recipes)
        history = _history(connection, recipes, last, known)
        rows = [_recipe_forecast(recipe, last.get(recipe.id), known, empty_mode, scored[recipe.id], history) for recipe in recipes]
        changes = ledger.changes_between(connection, now - timedelta(days=1), now)
        checks = _checks(connection, {recipe.id: recipe for recipe in recipes})
        revised = _revised_outcomes(connection, {recipe.target_hash: recipe for recipe in recipes}, now)
        forecast_ids = [row["forecast_id"] for row in last.values() if row["recipe_id"] in {recipe.id for recipe in recipes}]
        sha256 = forecasts_sha256(ledger.forecasts_of_issue(connection, forecast_ids).to_dict("records"))
    read_until = known.read_until
    flags = sorted({row.degraded_reason for row in rows if row.degraded_reason})
    return ReportData(
        report_id=sha256[:24] if forecast_ids else hashlib.sha256(f"nothing|{now:%Y-%m-%d}".encode()).hexdigest()[:24],
        generated_at=now,
        recipes=tuple(rows),
        events=_recent_events(known),
        events_days=EVENTS_DAYS,
        events_min_magnitude=EVENTS_MIN_MAGNITUDE,
        checks=checks,
        data_age_hours=(now - read_until) / timedelta(hours=1) if read_until else None,
        last_pull_at=None if changes["last_pull_at"] is None else _utc(changes["last_pull_at"]),
        quarantined=changes["quarantined"],
        revisions_since_yesterday=changes["revised_events"],
        outcomes_changed=changes["revised_outcomes"],
        revised=revised,
        pooled_skill=_pooled_skill(now),
        pooled_records=forecast_record.pooled_records({recipe.id: scored[recipe.id] for recipe in recipes if not recipe.comparison_only}),
        pooled_rungs=history.pooled_rungs,
        degraded=tuple(flags),
        forecasts_sha256=sha256,
        code_version=code_version(),
        next_issue_at=min((next_issue_time(recipe, now) for recipe in recipes), default=None),
        world=world_extract(store, now),
    )


@dataclass(frozen=True)
class _History:
    """What the report shows besides the last forecasts.

    models: by forecast id, every model of its issue. ended, open: by recipe id, the recent windows that ended before now, and those up to
    the forecast's own. rungs: by forecast id, its ladder. rung_records: by recipe id and mode, the track record of the rungs;
    pooled_rungs: that of all recipes that are not for comparison only. recent: the part of `Known.frame` in which `largest_near` looks.
    reforecasts: by recipe id.
    """

    models: Mapping[str, list[IssuedRow]]
    ended: Mapping[str, tuple[DayOutcome, ...]]
    open: Mapping[str, tuple[DayOutcome, ...]]
    rungs: Mapping[str, list[RungRow]]
    rung_records: Mapping[tuple[str, str], Mapping[tuple[int, float], RungRecord]]
    pooled_rungs: tuple[PooledRung, ...]
    recent: pd.DataFrame
    reforecasts: Mapping[str, Reforecast]


def _history(connection: Connection, recipes: Sequence[Recipe], last: Mapping[str, ForecastRow], known: Known) -> _History:
    now, frame = known.as_of, known.frame
    shown = {recipe.id: recipe.target_hash for recipe in recipes if recipe.id in last}
    forecast_ids = [last[recipe_id]["forecast_id"] for recipe_id in shown]
    sums = ladder_sums.record_sums(connection, shown, block_days)
    return _History(
        stored.models_of_issues(connection, forecast_ids),
        _outcomes(recipes, stored.recent_published(connection, shown, dict.fromkeys(shown, now), HISTORY_DAYS)),
        _outcomes(recipes, stored.recent_published(connection, shown, {key: _utc(last[key]["target_end"]) for key in shown}, OPEN_DAYS)),
        rung_rows.ladders(connection, forecast_ids),
        recipe_records(sums),
        pooled_rungs(sums, {recipe.id: recipe.threshold_mag for recipe in recipes if not recipe.comparison_only}, forecast_record.MODES),
        frame[frame["origin_time"] >= now - timedelta(days=DAYS)],
        {
            row["recipe_id"]: _reforecast(row)
            for row in stored.live_reforecasts(connection, now, [recipe.target_hash for recipe in recipes])
        },
    )


def _recipe_forecast(
    recipe: Recipe, row: ForecastRow | None, known: Known, empty_mode: Mode, scored: dict[Mode, pd.DataFrame], history: _History
) -> RecipeForecast:
    """Build the recipe's row of the report.

    empty_mode: the mode of a recipe that has no forecast. scored: its verified days, by mode.
    """
    kept = tuple(forecast_record.record_of(mode, {recipe.id: days}) for mode, days in scored.items())
    place: dict[str, Any] = {
        "recipe_id": recipe.id,
        "display_name": recipe.display_name.model_dump(),
        "group": None if recipe.group is None else recipe.group.model_dump(),
        "lat": recipe.predict_center_lat,
        "lng": recipe.predict_center_lng,
        "radius_km": recipe.radius_km,
        "threshold_mag": recipe.threshold_mag,
        "time_zone": recipe.time_zone,
        "comparison_only": recipe.comparison_only,
        "incomplete_below": missing_below_threshold(recipe, known),
        "reforecast": history.reforecasts.get(recipe.id),
    }
    if row is None:
        window = recipe.target_window(next_local_day(known.as_of, recipe.zone))
        return RecipeForecast(
            **place,
            target_start=window.start,
            target_end=window.end,
            probability=None,
            reference_probability=None,
            mode=empty_mode,
            not_scoreable_reason=str(why := _why_not(recipe, known)),
            not_scoreable=why,
            drivers=largest_near(history.recent, recipe, known.as_of),
        )
    ended = history.ended[recipe.id]
    details = json.loads(row["details"]) if row["details"] else {}
    ladder, no_ladder = report_ladder(history.rungs[row["forecast_id"]], details, history.rung_records.get((recipe.id, row["mode"]), {}))
    return RecipeForecast(
        **place,
        target_start=_utc(row["target_start"]),
        target_end=_utc(row["target_end"]),
        probability=row["probability"],
        reference_probability=row["reference_probability"],
        mode=row["mode"],
        issue_time=_utc(row["issue_time"]),
        as_of=_utc(row["as_of"]),
        model_kind=_shown_kind(row, details),
        model_id=row["model_id"],
        official=row["official"],
        degraded_reason=row["degraded_reason"],
        degraded_reasons=of_json(row["degraded_reasons"]),
        track_record=forecast_record.of_mode(kept, row["mode"]),
        records=kept,
        drivers=stored_drivers(details) if "drivers" in details else largest_near(history.recent, recipe, known.as_of),
        without_recent=details.get("without_recent"),
        models=tuple(_model_forecast(model) for model in history.models[row["forecast_id"]]),
        weights=details.get("weights", {}),
        weights_source=details.get("source"),
        weights_from=WeightsFrom.of_stored(details["weights_from"]) if "weights_from" in details else None,
        recent_outcomes=ended,
        ladder=ladder,
        no_ladder=None if no_ladder is None else str(no_ladder),
        no_ladder_reason=no_ladder if isinstance(no_ladder, Reason) else None,
        open_outcomes=tuple(outcome for outcome in history.open[recipe.id] if not ended or outcome.day > ended[-1].day),
    )


def _reforecast(row: ForecastRow) -> Reforecast:
    times = (_utc(row["target_start"]), _utc(row["target_end"]), _utc(row["issue_time"]))
    return Reforecast(*times, row["probability"], row["reference_probability"])


def _pooled_skill(now: datetime) -> PooledSkill | None:
    found = usable_weights(now.date())[0].pooled_gain
    return None if found is None else PooledSkill(*found)


def _shown_kind(row: ForecastRow, details: dict[str, Any]) -> str:
    """Return the kind shown to readers for a published row: the usual rate where the combination has no other weight."""
    return RATE if row["model_kind"] == KIND and not details.get("weights") else row["model_kind"]


def _model_forecast(row: IssuedRow) -> ModelForecast:
    evaluation = (row["model_details"] or {}).get("evaluation")
    return ModelForecast(
        kind=row["model_kind"],
        probability=row["probability"],
        published=row["published"],
        model_id=row["model_id"],
        evaluation=_evaluation(evaluation) if evaluation else None,
        **{name: value for name, value in (row["details"] or {}).items() if name in ModelForecast.__dataclass_fields__},
    )


def _evaluation(found: dict[str, Any]) -> Evaluation:
    kept = {name: value for name, value in found.items() if name in Evaluation.__dataclass_fields__}
    for name in ("test_first_day", "test_last_day"):
        if isinstance(kept.get(name), str):
            kept[name] = date.fromisoformat(kept[name])
    return Evaluation(**kept)


def _why_not(recipe: Recipe, known: Known) -> Reason:
    try:
        covered_span(recipe, known.coverage)
    except NotScoreable as error:
        return of_error(error)
    return Reason(ReasonKey.NOT_MADE)


def _outcomes(recipes: Sequence[Recipe], frames: Mapping[str, pd.DataFrame]) -> dict[str, tuple[DayOutcome, ...]]:
    """Return by recipe id the forecasts of `shown.recent_published` with their outcomes. The rows of all recipes are read at once."""
    rows = iter(rows_as(PublishedDay, pd.concat(frames.values(), ignore_index=True)) if frames else [])
    found = {}
    for recipe in recipes:
        if recipe.id in frames:
            own = [next(rows) for _ in range(len(frames[recipe.id]))]
            days = days_of_windows([row["target_start"] for row in own], recipe.zone).tolist()
            found[recipe.id] = tuple(_published_outcome(row, day) for row, day in zip(own, days, strict=True))
    return found


def _published_outcome(row: PublishedDay, day: date) -> DayOutcome:
    return DayOutcome(
        day=day,
        probability=row["probability"],
        observed=row["happened"],
        status=row["status"] or "pending",
        reference_probability=row["reference_probability"],
        max_magnitude=row["max_magnitude"],
        mode=row["mode"],
        afterwards=row["mode"] == "hindcast" or row["method"] != "daily",
    )


def _verified_outcome(row: VerifiedRow, recipe: Recipe) -> DayOutcome:
    return DayOutcome(
        day=day_of_window(_utc(row["target_start"]), recipe.zone),
        probability=row["probability"],
        observed=row["happened"],
        status=row["status"] or "pending",
        reference_probability=row["reference_probability"],
        max_magnitude=row["max_magnitude"],
    )


def _revised_outcomes(connection: Connection, recipes: dict[str, Recipe], now: datetime) -> tuple[RevisedOutcome, ...]:
    """Return the outcomes of these recipes (by target hash) that were revised during the last day."""
    rows = [row for row in ledger.revised_between(connection, now - timedelta(days=1), now) if row["target_hash"] in recipes]
    return tuple(
        RevisedOutcome(
            row["recipe_id"],
            day_of_window(_utc(row["target_start"]), recipes[row["target_hash"]].zone),
            row["happened"],
            row["max_magnitude"],
        )
        for row in rows
    )


def _checks(connection: Connection, recipes: dict[str, Recipe]) -> tuple[ResolvedOutcome, ...]:
    rows = ledger.last_verified(connection)
    return tuple(
        ResolvedOutcome(row["recipe_id"], _verified_outcome(row, recipes[row["recipe_id"]])) for row in rows if row["recipe_id"] in recipes
    )


def _recent_events(known: Known) -> tuple[RecentEvent, ...]:
    frame = known.frame
    since = known.as_of - timedelta(days=EVENTS_DAYS)
    recent = frame[(frame["origin_time"] >= since) & (frame["magnitude"] >= EVENTS_MIN_MAGNITUDE)]
    return tuple(
        RecentEvent(
            origin_time=_utc(row["origin_time"]),
            latitude_deg=row["latitude_deg"],
            longitude_deg=row["longitude_deg"],
            depth_km=None if pd.isna(row["depth_km"]) else row["depth_km"],
            magnitude=row["magnitude"],
            place=row["place"] if isinstance(row["place"], str) else None,
        )
        for row in recent.to_dict("records")
    )


def _utc(value: datetime) -> datetime:
    """Convert a stored time to an aware UTC datetime."""
    return pd.Timestamp(value).to_pydatetime()
