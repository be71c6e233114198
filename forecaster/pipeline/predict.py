"""Say what the next day may bring: every model's probability for every recipe, stored with how and when it was made."""

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from forecaster import settings as config
from forecaster.clock import Clock, forecast_mode
from forecaster.errors import CorruptModel, ModelError, NotScoreable
from forecaster.features.events import Events
from forecaster.features.windows import TargetDays, target_days
from forecaster.models import climatology, registry
from forecaster.pipeline import champion
from forecaster.pipeline.drivers import drivers_of
from forecaster.pipeline.history import check_admissible
from forecaster.pipeline.known import Known, labelled_days, load_known
from forecaster.recipe import Recipe
from forecaster.store import champions, ledger
from forecaster.store.database import Store
from forecaster.timewindow import TimeWindow, check_target_day, issue_time, next_local_day, to_us

log = logging.getLogger(__name__)

STALE_AFTER = timedelta(hours=24)
REFERENCE = champion.CLIMATOLOGY
DAILY = "daily"


@dataclass
class PredictResult:
    """The forecast ids of this issue, and by recipe why nothing could be said, what its forecast lacks, and which kinds of model that are
    not published are silent (kind: reason)."""

    forecast_ids: list[str] = field(default_factory=list)
    not_scoreable: dict[str, str] = field(default_factory=dict)
    degraded: dict[str, str] = field(default_factory=dict)
    silent: dict[str, dict[str, str]] = field(default_factory=dict)
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
    issue for the next local day is official (one made days ahead is a look ahead, no more) and stays: predicting again returns it, unless
    `reissue` asks for a new one, which supersedes it.
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
            made, silent = _issue(store, recipe, settings, known_at[as_of], days[recipe.id], problem, explain=mode != "hindcast")
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
            "official": _in_its_time(mode, days[recipe.id], recipe, now) and _official(store, recipe, window).empty,
            "recipe_hash": recipe.recipe_hash,
            "target_hash": recipe.target_hash,
            "code_version": config.code_version(),
            "run_id": run_id,
            "created_at": now,
            "method": DAILY,
            "in_sample": False,
        }
        if made[0]["degraded_reason"]:
            result.degraded[recipe.id] = made[0]["degraded_reason"]
        if silent:
            result.silent[recipe.id] = silent
        rows += [identified({**stamp, **row}) for row in made]
        if on_progress is not None:
            on_progress(recipe.id)
    result.forecast_ids += _write(store, rows, clock)
    return result


def _issue(
    store: Store, recipe: Recipe, settings: config.Settings, known: Known, day: date, problem: str | None, *, explain: bool
) -> tuple[list[dict], dict[str, str]]:
    """(one row a model: probability, reference and flags; {kind: why it says nothing}). The champion's row is published, where it can
    be made; else the climatology's is, flagged. With `explain` the champion's row also says which earthquakes drive it."""
    labelled = labelled_days(recipe, known)
    days = target_days(recipe, day, 1).issued_at(known.as_of)
    reference = climatology.daily_probability(
        labelled.happened, labelled.days.target_starts_us, labelled.days.target_ends_us, np.array([to_us(known.as_of)])
    )
    age, stale = data_age(known.as_of, known.read_until)
    reasons = [reason for reason in (problem, stale) if reason]
    with store.transaction() as connection:
        published, expired = champion.standing(connection, recipe, known.as_of)
        chosen = champions.newest_models(connection, recipe.id, recipe.recipe_hash, known.as_of)
        chosen = {kind: row for kind, row in chosen.items() if kind in recipe.models}
        if published.model_id is not None:
            chosen[published.kind] = champions.model_named(connection, published.model_id) or {"model_id": published.model_id}
    if expired is not None:
        reasons.append(f"{expired}; the usual rate is published instead")
    said = [reference_row(recipe, float(reference[0]))]
    silent: dict[str, str] = {}
    for kind, model in chosen.items():
        try:
            told = _said(recipe, settings, known, days, reference, model, explain=explain and kind == published.kind)
            said.append({"model_id": model["model_id"], "model_kind": kind, **told})
        except ModelError as error:
            log.error("%s", error)
            silent[kind] = str(error)
    if published.kind in silent:
        reasons.append(f"the model could not be loaded ({silent.pop(published.kind)}); the usual rate is published instead")
        published = champion.Champion(REFERENCE, None)
    flags = {
        "reference_probability": float(reference[0]),
        "degraded": bool(reasons),
        "degraded_reason": "; ".join(reasons) or None,
        "data_age_hours": age,
    }
    return [{**row, "published": row["model_kind"] == published.kind, **flags} for row in said], silent


def _said(
    recipe: Recipe, settings: config.Settings, known: Known, days: TargetDays, reference: np.ndarray, row: dict, *, explain: bool
) -> dict:
    """{probability, details} of one model for the one day.

    Raises:
        ModelError: it cannot be loaded, has seen too much, or gives no probability.
    """
    if "directory" not in row:
        raise CorruptModel(f"{row['model_id']} is not in the table of models; choose another (quakecast models promote) or train again")
    model = registry.load_model(settings.models / row["directory"], recipe).model
    check_admissible(model, recipe, days.local_days[0])
    probability = float(model.probability(known.inputs, days, reference)[0])
    if not 0 < probability < 1:
        raise CorruptModel(no_probability(row["model_id"], probability, days.local_days[0]))
    details = counts(model, known.inputs, days, reference)[0]
    if explain and (told := drivers_of(model, recipe, known, days, reference, probability)):
        details = json.dumps({**json.loads(details or "{}"), **told}, ensure_ascii=False)
    return {"probability": probability, "details": details}


def no_probability(model_id: str, said: float, day: np.datetime64) -> str:
    """What is told of a model that gives anything but a number between 0 and 1."""
    return f"{model_id} says {said} for {day}, which is no probability; train again"


def reference_row(recipe: Recipe, probability: float) -> dict:
    """What the climatology says: model_id, model_kind, probability, details."""
    return {"model_id": f"{recipe.id}-{REFERENCE}", "model_kind": REFERENCE, "probability": probability, "details": None}


def data_age(as_of: datetime, read_until: datetime | None) -> tuple[float, str | None]:
    """(hours since the catalogue was read, why that makes a forecast degraded or None); `read_until` is no later than `as_of`."""
    age = as_of - read_until if read_until else timedelta(days=9999)
    hours = age / timedelta(hours=1)
    return hours, f"the catalogue is {hours:.0f} hours old" if age > STALE_AFTER else None


def counts(model: Any, inputs: Events, days: TargetDays, reference: np.ndarray) -> list[str | None]:
    """For each day, the expected number of target earthquakes and its 95 % range as JSON, from a model that counts; None from others."""
    if not len(days) or not hasattr(model, "count_range"):
        return [None] * len(days)
    drawn = [np.random.default_rng(int(start) // 1_000_000) for start in days.target_starts_us]
    ranges = model.count_range(inputs, days, reference, drawn)
    expected = model.expected_count(inputs, days, reference)
    told = zip(expected.tolist(), ranges.tolist(), strict=True)
    return [json.dumps({"expected_count": count, "count_low": int(low), "count_high": int(high)}) for count, (low, high) in told]


def _in_its_time(mode: str, day: date, recipe: Recipe, now: datetime) -> bool:
    """Whether a forecast may be the official one: made before its day, for the next local day. One made days ahead is a look ahead."""
    return mode == "prospective" and day == next_local_day(now, recipe.zone)


def _official(store: Store, recipe: Recipe, window: TimeWindow) -> pd.DataFrame:
    """The rows of the official issue for this recipe and window, all its models; empty where there is none."""
    with store.transaction() as connection:
        stored = ledger.forecasts_for(connection, recipe.id, window.start)
    return stored[stored["official"] & (stored["target_hash"] == recipe.target_hash)]


def identified(row: dict) -> dict:
    """The row with its forecast_id, which follows from what makes it this forecast and no other."""
    times = f"{row['target_start']:%FT%TZ}|{row['issue_time'].isoformat()}"
    key = f"{row['recipe_id']}|{row['recipe_hash']}|{row['model_id']}|{times}|{row['mode']}"
    key += "" if row["method"] == DAILY else f"|{row['method']}"
    return {**row, "forecast_id": hashlib.sha256(key.encode()).hexdigest()[:24]}


def _write(store: Store, rows: list[dict], clock: Clock) -> list[str]:
    """Store the rows of one issue in one transaction; returns the ids of what stands.

    A row whose day has begun while it was made, or while it waited to be written, is late.

    The same issue again is left as it was first written, and what it published stays published; an official issue that another process
    wrote meanwhile stands instead of ours.
    """
    said: list[str] = []
    with store.transaction() as connection:
        fresh, written_at = [], clock.now()
        for row in (_as_written(row, written_at) for row in rows):
            stored = ledger.forecasts_for(connection, row["recipe_id"], row["target_start"])
            stored = stored[(stored["target_hash"] == row["target_hash"]) & (stored["method"] == DAILY)]
            official = stored.loc[stored["official"], "forecast_id"].tolist()
            if row["official"] and official:
                said += official
                continue
            said.append(row["forecast_id"])
            issue = stored[(stored["mode"] == row["mode"]) & (stored["issue_time"] == row["issue_time"])]
            first = issue.loc[issue["published"] & (issue["recipe_hash"] == row["recipe_hash"]), "forecast_id"].tolist()
            said += first
            if row["forecast_id"] not in set(stored["forecast_id"]):
                row["published"] = row["published"] and not first
                row["supersedes"] = _superseded(stored[stored["mode"] == row["mode"]], row)
                fresh.append({column: row.get(column) for column in ledger.FORECAST_COLUMNS})
        ledger.insert(connection, "forecast", fresh)
    return list(dict.fromkeys(said))


def _as_written(row: dict, written_at: datetime) -> dict:
    if row["mode"] != "prospective" or written_at < row["target_start"]:
        return row
    return identified({**row, "mode": "late", "official": False, "issue_time": written_at, "created_at": written_at})


def _superseded(earlier: pd.DataFrame, row: dict) -> str | None:
    """The forecast that `row` takes the place of: the last of its kind of model, else the last published one."""
    same = earlier[earlier["model_kind"] == row["model_kind"]]
    found = same if len(same) else earlier[earlier["published"]]
    return found["forecast_id"].iloc[-1] if len(found) else None


_AS_BEFORE = (("details", None), ("method", DAILY), ("in_sample", False))  # columns that older rows had not, as they stand there


def forecasts_sha256(rows: list[dict]) -> str:
    """SHA-256 (hex) of forecast rows as canonical JSON, in the order of their ids: what was said, and when, cannot be changed unseen."""
    canonical = [
        {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in sorted(row.items())
            if name != "run_id" and (name, value) not in _AS_BEFORE
        }
        for row in sorted(rows, key=lambda row: row["forecast_id"])
    ]
    return hashlib.sha256(json.dumps(canonical, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
