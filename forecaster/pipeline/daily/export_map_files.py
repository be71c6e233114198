"""Write the map UI's JSON files from the store."""

import math
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecaster.features.events import Events
from forecaster.features.windows import promised_day
from forecaster.models.first_system.daily_grid import cell_edges, place_on_grid, window_tensor
from forecaster.pipeline.as_of.as_known import Known
from forecaster.pipeline.as_of.catalogue_history import load_known
from forecaster.pipeline.daily.build_report import report_data
from forecaster.pipeline.daily.publish_report import kept_data
from forecaster.pipeline.run_context import Job
from forecaster.recipe import Recipe
from forecaster.reports import map_files as documents
from forecaster.reports.content.contract import RecentEvent, RecipeForecast, ReportData
from forecaster.store import deliveries
from forecaster.store.forecasts import shown as stored
from forecaster.store.row_types import IssuedRow
from forecaster.timewindow import TimeWindow, days_of_windows_us, from_us, local_midnights_us, to_us

VALIDATIONS = 365


def export(job: Job, folder: Path) -> list[Path]:
    """Write predictions.json and, per recipe, summary.json, validations.json and the detail file of the last forecast.

    All documents are checked before any is written.
    Where this run has written a report, the forecasts are those of the report's document; otherwise they are the current ones.

    Raises:
        NotWritable: the folder cannot be written; files written earlier stay complete.
    """
    now = job.clock.now()
    data = _report_of(job)
    known = load_known(job.store, now)
    recipes = {recipe.id: recipe for recipe in job.recipes}
    made: dict[str, dict[str, Any]] = {}
    predictions = []
    with job.store.transaction() as connection:
        last = {row["recipe_id"]: row for row in stored.latest_published(connection, now, [recipe.target_hash for recipe in job.recipes])}
        models = stored.models_of_issues(connection, [row["forecast_id"] for row in last.values()])
        targets = {recipe.id: recipe.target_hash for recipe in job.recipes}
        history = stored.recent_published(connection, targets, dict.fromkeys(targets, now), VALIDATIONS)
    for forecast in data.recipes:
        recipe = recipes[forecast.recipe_id]
        summary = _summary(models[last[recipe.id]["forecast_id"]] if recipe.id in last else [])
        predictions.append((forecast, recipe.predict_range_days, summary))
        if summary is not None:
            made[f"{recipe.id}/summary.json"] = documents.summary_document(summary)
        made[f"{recipe.id}/validations.json"] = documents.validations_document(_validations(recipe, history[recipe.id]))
        if forecast.as_of is not None:
            name = documents.detail_name(TimeWindow(forecast.target_start, forecast.target_end), recipe.zone)
            made[f"{recipe.id}/{name}"] = _detail(recipe, forecast, known)
    made["predictions.json"] = documents.predictions_document(predictions)
    return documents.write_export(folder, made)


def _report_of(job: Job) -> ReportData:
    with job.store.transaction() as connection:
        row = deliveries.report_of_run(connection, job.run_id)
    if row is not None and row["document"] is not None:
        return kept_data(row)
    return report_data(job)


def _summary(models: Sequence[IssuedRow]) -> documents.Summary | None:
    """Return scores on the validation span, and learning curves where there are any, of one evaluated model.

    It is the evaluated model with the largest weight in what is published; at equal weights, the one with the largest information gain
    over the usual rate. None where no model has been evaluated.
    """
    evaluated = [(row, details) for row in models if "summary" in (details := row["model_details"] or {})]
    if not evaluated:
        return None
    weights: dict[str, float] = next(((row["details"] or {}).get("weights", {}) for row in models if row["published"]), {})

    def rank(candidate: tuple[IssuedRow, dict[str, Any]]) -> tuple[bool, float, float]:
        row, details = candidate
        gain = details["evaluation"]["information_gain"]
        return row["published"], weights.get(row["model_kind"], 0.0), -math.inf if gain is None else gain

    _, chosen = max(evaluated, key=rank)
    fields = dict(chosen["summary"])
    for name in ("train_start_date", "train_end_date", "test_start_date", "test_end_date"):
        fields[name] = date.fromisoformat(fields[name])
    return documents.Summary(**fields)


def _window_before(recipe: Recipe, target_start: datetime) -> TimeWindow:
    (start_us,) = _window_starts_us(recipe, np.array([to_us(target_start)]))
    return TimeWindow(from_us(start_us), target_start)


def _window_starts_us(recipe: Recipe, target_starts_us: np.ndarray) -> np.ndarray:
    """Return the start of the days that the models see before each target (at least one), int64 (n,)."""
    days = days_of_windows_us(target_starts_us, recipe.zone)
    first, last = days.min().item(), days.max().item()
    midnights_us = local_midnights_us(first - timedelta(days=recipe.window_days), (last - first).days + 1, recipe.zone)
    starts: np.ndarray = midnights_us[(days - days.min()).astype(np.int64)]
    return starts


def _validations(recipe: Recipe, frame: pd.DataFrame) -> list[documents.Validation]:
    if frame.empty:
        return []
    starts_us, ends_us = (frame[name].to_numpy(dtype="datetime64[us]").astype(np.int64) for name in ("target_start", "target_end"))
    moments = (_window_starts_us(recipe, starts_us), starts_us, ends_us)
    days = [days_of_windows_us(moments_us, recipe.zone).tolist() for moments_us in moments]
    facts = (frame[name].astype(object).where(frame[name].notna(), None).tolist() for name in ("happened", "max_magnitude"))
    return [
        documents.Validation(window_start, start, end, probability, None if happened is None else bool(happened), max_magnitude)
        for window_start, start, end, probability, happened, max_magnitude in zip(*days, frame["probability"].tolist(), *facts, strict=True)
    ]


def _detail(recipe: Recipe, forecast: RecipeForecast, known: Known) -> dict[str, Any]:
    """Return the inputs of the last forecast's model: its window of heatmaps, cut at the forecast's as-of, and the events in it."""
    assert forecast.as_of is not None
    days = promised_day(recipe, forecast.target_start, forecast.target_end, forecast.as_of)
    window = _window_before(recipe, forecast.target_start)
    seen = _between(known.inputs, window.start - timedelta(days=1), forecast.target_end)
    tensor = window_tensor(place_on_grid(seen, recipe), days)[0]
    latitudes_deg, longitudes_deg = cell_edges(recipe)
    shown = _between(known.inputs, window.start, forecast.target_end).visible(to_us(known.as_of))
    strong = shown.take(shown.magnitude >= recipe.threshold_mag)
    events = [
        RecentEvent(from_us(us), float(lat), float(lon), None if np.isnan(depth) else float(depth), float(magnitude))
        for us, lat, lon, depth, magnitude in zip(
            strong.origin_time_us, strong.latitude_deg, strong.longitude_deg, strong.depth_km, strong.magnitude, strict=True
        )
    ]
    return documents.detail_document(forecast, window, tensor, latitudes_deg, longitudes_deg, events)


def _between(events: Events, start: datetime, end: datetime) -> Events:
    first, last = np.searchsorted(events.origin_time_us, [to_us(start), to_us(end)])
    return events.take(slice(int(first), int(last)))
