"""Say what the next day may bring: every model's probability for every recipe, stored with how and when it was made."""

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd

from forecaster import settings as config
from forecaster.clock import Clock, forecast_mode
from forecaster.errors import CorruptModel, NotScoreable
from forecaster.features.daily_grid import place_on_grid
from forecaster.features.windows import target_days
from forecaster.models import climatology, registry
from forecaster.models.spans import purge_days
from forecaster.pipeline.known import Known, labelled_days, load_known
from forecaster.recipe import Recipe
from forecaster.store import ledger
from forecaster.store.database import Store
from forecaster.timewindow import TimeWindow, check_target_day, issue_time, next_local_day, to_us

log = logging.getLogger(__name__)

STALE_AFTER = timedelta(hours=24)
REFERENCE = "climatology"


@dataclass
class PredictResult:
    """The forecast ids of this issue, and the recipes for which nothing could be said, with the reason."""

    forecast_ids: list[str] = field(default_factory=list)
    not_scoreable: dict[str, str] = field(default_factory=dict)
    degraded: dict[str, str] = field(default_factory=dict)
    targets: dict[str, date] = field(default_factory=dict)


def predict(
    store: Store,
    recipes: list[Recipe],
    settings: config.Settings,
    clock: Clock,
    *,
    target_day: date | None = None,
    run_id: str | None = None,
    reissue: bool = False,
    problem: str | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> PredictResult:
    """Forecast `target_day` (by default each recipe's next local day) with every model of every recipe, and store it.

    Inputs are what was known at the issue time, and never later than the recipe's issue lead before the target. A first prospective
    issue is official and stays: predicting again returns it, unless `reissue` asks for a new one, which supersedes it.
    `problem` marks every row as degraded (a pull that failed, for instance).

    Raises:
        BadDate: the day lies before the data or too far ahead; nothing is stored.
    """
    now = clock.now()
    days = {recipe.id: target_day or next_local_day(now, recipe.zone) for recipe in recipes}
    for recipe in recipes:
        check_target_day(days[recipe.id], recipe.zone, now)
    result = PredictResult(targets=days)
    known_at: dict[datetime, Known] = {}
    rows: list[dict] = []
    for recipe in recipes:
        window = recipe.target_window(days[recipe.id])
        mode = forecast_mode(clock, window)
        if mode == "prospective" and not reissue:
            kept = _official(store, recipe, window)
            if len(kept):
                result.forecast_ids += kept["forecast_id"].tolist()
                if kept["degraded"].any():
                    result.degraded[recipe.id] = str(kept["degraded_reason"].iloc[0])
                continue
        due = issue_time(days[recipe.id], recipe.zone, recipe.issue_local_time)
        as_of = min(now, due)
        if as_of not in known_at:
            known_at[as_of] = load_known(store, as_of)
        try:
            made = _issue(store, recipe, settings, known_at[as_of], days[recipe.id], problem)
        except NotScoreable as error:
            result.not_scoreable[recipe.id] = str(error)
            continue
        stamp = {
            "recipe_id": recipe.id,
            "target_start": window.start,
            "target_end": window.end,
            "issue_time": due if mode == "hindcast" else now,
            "as_of": as_of,
            "mode": mode,
            "official": mode == "prospective" and _official(store, recipe, window).empty,
            "recipe_hash": recipe.recipe_hash,
            "target_hash": recipe.target_hash,
            "code_version": config.code_version(),
            "run_id": run_id,
            "created_at": now,
        }
        if made[0]["degraded_reason"]:
            result.degraded[recipe.id] = made[0]["degraded_reason"]
        rows += [_identified({**stamp, **row}) for row in made]
        if on_progress is not None:
            on_progress(recipe.id)
    result.forecast_ids += _write(store, rows)
    return result


def _issue(store: Store, recipe: Recipe, settings: config.Settings, known: Known, day: date, problem: str | None) -> list[dict]:
    """One row a model: probability, reference and flags. The last model that is fit to be published is."""
    labelled = labelled_days(recipe, known)
    days = target_days(recipe, day, 1).issued_at(known.as_of)
    reference = float(
        climatology.daily_probability(
            labelled.happened, labelled.days.target_starts_us, labelled.days.target_ends_us, np.array([to_us(known.as_of)])
        )[0]
    )
    read_until = known.read_until
    age = known.as_of - read_until if read_until else timedelta(days=9999)
    reasons = [problem] if problem else []
    if age > STALE_AFTER:
        reasons.append(f"the catalogue is {age / timedelta(hours=1):.0f} hours old")
    said = [{"model_id": f"{recipe.id}-{REFERENCE}", "model_kind": REFERENCE, "probability": reference, "published": True}]
    with store.transaction() as connection:
        model = ledger.serving_model(connection, recipe.id, recipe.recipe_hash, known.as_of)
    if model is not None:
        try:
            fitted = registry.load_model(settings.models / model["directory"])
            registry.check_recipe(fitted, recipe)
            if day <= fitted.last_data_day + timedelta(days=purge_days(recipe)):
                raise CorruptModel(f"{model['model_id']} has seen days up to {fitted.last_data_day}, too close to {day}; train again")
            probability = float(fitted.forecast(place_on_grid(known.inputs, recipe), days).probability[0])
            champion = bool(model["champion"])
            said[0]["published"] = not champion
            said.append({"model_id": model["model_id"], "model_kind": model["kind"], "probability": probability, "published": champion})
        except CorruptModel as error:
            log.error("%s", error)
            reasons.append(f"the model could not be loaded ({error}); the usual rate is published instead")
    flags = {
        "reference_probability": reference,
        "degraded": bool(reasons),
        "degraded_reason": "; ".join(reasons) or None,
        "data_age_hours": age / timedelta(hours=1),
    }
    return [{**row, **flags} for row in said]


def _official(store: Store, recipe: Recipe, window: TimeWindow) -> pd.DataFrame:
    """The rows of the official issue for this recipe and window, all its models; empty where there is none."""
    with store.transaction() as connection:
        stored = ledger.forecasts_for(connection, recipe.id, window.start)
    return stored[stored["official"] & (stored["target_hash"] == recipe.target_hash)]


def _identified(row: dict) -> dict:
    times = f"{row['target_start']:%FT%TZ}|{row['issue_time'].isoformat()}"
    key = f"{row['recipe_id']}|{row['recipe_hash']}|{row['model_id']}|{times}|{row['mode']}"
    return {**row, "forecast_id": hashlib.sha256(key.encode()).hexdigest()[:24]}


def _write(store: Store, rows: list[dict]) -> list[str]:
    """Store the rows of one issue in one transaction; returns the ids of what stands.

    The same issue again is left as it was first written; an official issue that another process wrote meanwhile stands instead of ours.
    """
    said: list[str] = []
    with store.transaction() as connection:
        fresh = []
        for row in rows:
            stored = ledger.forecasts_for(connection, row["recipe_id"], row["target_start"])
            stored = stored[stored["target_hash"] == row["target_hash"]]
            official = stored.loc[stored["official"], "forecast_id"].tolist()
            if row["official"] and official:
                said += official
                continue
            said.append(row["forecast_id"])
            if row["forecast_id"] not in set(stored["forecast_id"]):
                row["supersedes"] = _superseded(stored[stored["mode"] == row["mode"]], row)
                fresh.append({column: row.get(column) for column in ledger.FORECAST_COLUMNS})
        ledger.insert(connection, "forecast", fresh)
    return list(dict.fromkeys(said))


def _superseded(earlier: pd.DataFrame, row: dict) -> str | None:
    """The forecast that `row` takes the place of: the last of its kind of model, else the last published one."""
    same = earlier[earlier["model_kind"] == row["model_kind"]]
    found = same if len(same) else earlier[earlier["published"]]
    return found["forecast_id"].iloc[-1] if len(found) else None


def forecasts_sha256(rows: list[dict]) -> str:
    """SHA-256 (hex) of forecast rows as canonical JSON, in the order of their ids: what was said, and when, cannot be changed unseen."""
    canonical = [
        {name: value.isoformat() if isinstance(value, datetime) else value for name, value in sorted(row.items()) if name != "run_id"}
        for row in sorted(rows, key=lambda row: row["forecast_id"])
    ]
    return hashlib.sha256(json.dumps(canonical, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
