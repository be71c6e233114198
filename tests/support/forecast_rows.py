"""Rows of the tables `forecast` and `rung` for tests of what is made of them."""

from datetime import datetime, timedelta
from typing import Any

from forecaster.recipe import Recipe
from forecaster.timewindow import TimeWindow


def forecast_row(recipe: Recipe, window: TimeWindow, issued: datetime, **changes: object) -> dict[str, Any]:
    """A published, official forecast of 10 % where 10 % is usual, written when it was issued; `changes` are of its columns."""
    row = {
        "forecast_id": f"{recipe.id}-{window.start:%F}",
        "recipe_id": recipe.id,
        "target_start": window.start,
        "target_end": window.end,
        "model_id": "m",
        "model_kind": "climatology",
        "issue_time": issued,
        "as_of": issued,
        "mode": "prospective",
        "official": True,
        "published": True,
        "supersedes": None,
        "probability": 0.1,
        "reference_probability": 0.1,
        "recipe_hash": recipe.recipe_hash,
        "target_hash": recipe.target_hash,
        "code_version": "0",
        "degraded": False,
        "degraded_reason": None,
        "data_age_hours": 1.0,
        "run_id": None,
        "created_at": issued,
        "details": None,
        "method": "daily",
        "in_sample": False,
    }
    return row | changes


def rung_row(forecast: dict[str, Any], horizon_days: int, magnitude: float, **changes: object) -> dict[str, Any]:
    """A rung of this forecast, of 10 % where 10 % is usual; `changes` are of its columns."""
    row = {
        "forecast_id": forecast["forecast_id"],
        "horizon_days": horizon_days,
        "magnitude": magnitude,
        "window_end": forecast["target_start"] + timedelta(days=horizon_days),
        "probability": 0.1,
        "reference_probability": 0.1,
        "etas_probability": None,
        "expected_count": 0.1,
        "count_low": 0,
        "count_high": 1,
        "usual_count": 0.1,
        "basis": "etas",
        "b_value": 1.0,
        "b_sigma": 0.1,
        "beyond_record": False,
        "version": 1,
    }
    return row | changes
