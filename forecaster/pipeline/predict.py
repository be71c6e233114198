"""Say what the next day may bring: every model's probability for every recipe, stored with how and when it was made."""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecaster import logs
from forecaster import settings as config
from forecaster.clock import Clock, forecast_mode
from forecaster.errors import NotScoreable
from forecaster.features.events import Events
from forecaster.features.windows import TargetDays, target_days
from forecaster.models.base import Forecaster
from forecaster.models.baselines import climatology
from forecaster.models.combination.combination import combine
from forecaster.pipeline import publishing, timelines
from forecaster.pipeline.agenda import EARLY_AT_MOST, is_due
from forecaster.pipeline.clock_check import clock_problem
from forecaster.pipeline.drivers import drivers_of
from forecaster.pipeline.known import Known, labelled_days, load_known
from forecaster.pipeline.members import members_for, unusable_kinds
from forecaster.quantities import age_text
from forecaster.recipe import Recipe
from forecaster.store import fits as stored_fits
from forecaster.store import ledger
from forecaster.store.database import Connection, Store
from forecaster.timewindow import check_target_day, issue_time, next_local_day, to_us

log = logging.getLogger(__name__)

STALE_AFTER = timedelta(hours=24)
EXPLAINED_FROM = 1.1  # times the usual rate: what drives a forecast is worked out from there on; it costs ten forecasts
DAILY = "daily"
NOT_OFFICIAL = "so this is no official forecast"


@dataclass
class PredictResult:
    """The forecast ids of this issue, and by recipe why nothing could be said, what its forecast lacks, and which kinds of model that are
    not published are silent (kind: reason). unusable: by kind that this installation cannot run, why. kept: by recipe whose day had its
    forecast already, when that was issued; `forecast_ids` has its last issue."""

    forecast_ids: list[str] = field(default_factory=list)
    not_scoreable: dict[str, str] = field(default_factory=dict)
    degraded: dict[str, str] = field(default_factory=dict)
    silent: dict[str, dict[str, str]] = field(default_factory=dict)
    targets: dict[str, date] = field(default_factory=dict)
    unusable: dict[str, str] = field(default_factory=dict)
    kept: dict[str, datetime] = field(default_factory=dict)


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
    issue for the next local day is official (not one made days ahead, nor one from a catalogue that has not been read for a week or by a
    clock that is minutes off) and stays, also for who predicts when its day has begun, as does a first late one: predicting again
    returns it, unless `reissue` asks for a new one, which supersedes it and is returned from then on. The first one is scored.
    `problem` marks every row as degraded (a pull that failed, for instance).

    Raises:
        BadDate: the day lies before the data or too far ahead; nothing is stored.
        BadInput: the store is the home of a replay, and the clock is the machine's.
    """
    now = clock.now()
    wrong_clock = None
    if not clock.simulated:
        timelines.check(store, clock)
        with store.transaction() as connection:
            wrong_clock = clock_problem(connection, now)
    days = {recipe.id: target_day or next_local_day(now, recipe.zone) for recipe in recipes}
    for recipe in recipes:
        check_target_day(days[recipe.id], recipe.zone, now)
    result = PredictResult(targets=days, unusable=unusable_kinds(recipes))
    known_at: dict[datetime, Known] = {}
    rows: list[dict] = []
    for recipe in recipes:
        window = recipe.target_window(days[recipe.id])
        mode = forecast_mode(clock, window)
        if not reissue:
            with store.transaction() as connection:
                stored = _stored(connection, recipe.id, recipe.target_hash, window.start)
            if len(_standing(stored, mode)):
                kept = _last_issue(stored)
                result.forecast_ids += kept["forecast_id"].tolist()
                result.kept[recipe.id] = kept["issue_time"].iloc[0].to_pydatetime()
                if kept["degraded"].any():
                    result.degraded[recipe.id] = str(kept["degraded_reason"].iloc[0])
                continue
        due = issue_time(days[recipe.id], recipe.zone, recipe.issue_local_time)
        as_of = min(now, due)
        if as_of not in known_at:
            known_at[as_of] = load_known(store, as_of)
        asked = _Asked(days[recipe.id], mode, _in_its_time(mode, days[recipe.id], recipe, now), problem, wrong_clock)
        try:
            with logs.about(recipe=recipe.id):
                made, silent = _issue(store, recipe, settings, known_at[as_of], asked)
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
    result.forecast_ids += _write(store, rows, clock, reissue)
    return result


@dataclass(frozen=True)
class _Asked:
    """A day of one recipe: its mode, whether its forecast comes in its time, and what is wrong with the run (a pull that failed, the
    machine's clock), in words."""

    day: date
    mode: str
    in_its_time: bool
    problem: str | None
    wrong_clock: str | None


def _issue(store: Store, recipe: Recipe, settings: config.Settings, known: Known, asked: _Asked) -> tuple[list[dict], dict[str, str]]:
    """(one row a model: probability, reference and flags; {kind: why it says nothing}). The combination's row is published. Above the usual
    rate, and but for a hindcast, it also says which earthquakes drive it."""
    day = asked.day
    labelled = labelled_days(recipe, known)
    days = target_days(recipe, day, 1).issued_at(known.as_of)
    reference = climatology.daily_probability(
        labelled.happened, labelled.days.target_starts_us, labelled.days.target_ends_us, np.array([to_us(known.as_of)])
    )
    age, stale = data_age(known.as_of, known.read_until)
    with store.transaction() as connection:
        standing = publishing.unless_too_old(publishing.standing(connection, recipe, known.as_of, day), age, known.read_until)
        fits = stored_fits.newest_models(connection, recipe.id, recipe.recipe_hash, known.as_of)
        if standing.model_id is not None:
            (kind,) = standing.weights
            fits[kind] = stored_fits.model_named(connection, standing.model_id) or {"model_id": standing.model_id}
    issue = combine_members(recipe, settings.models, fits, standing, known.inputs, days, reference, labelled.days.first_day)
    row = issue.rows[-1]
    if asked.mode != "hindcast" and row["details"]["weights"] and row["probability"] >= EXPLAINED_FROM * reference[0]:
        row["details"] |= drivers_of(issue.model, recipe, known, days, reference, row["probability"])
    reasons = [reason for reason in (asked.problem, asked.wrong_clock, stale, *issue.problems) if reason]
    official = asked.in_its_time and age <= publishing.MAX_AGE_HOURS and asked.wrong_clock is None
    reasons += [NOT_OFFICIAL] if asked.in_its_time and not official else []
    flags = {
        "official": official,
        "reference_probability": float(reference[0]),
        "degraded": bool(reasons),
        "degraded_reason": "; ".join(reasons) or None,
        "data_age_hours": age,
    }
    said = [publishing.rate_row(recipe, float(reference[0])), *issue.rows]
    rows = [{**one, "details": as_text(one["details"]), "published": one["model_kind"] == publishing.KIND, **flags} for one in said]
    return rows, issue.silent


@dataclass(frozen=True)
class Combined:
    """One day of one recipe: a row a member (model_id, model_kind, probability, details as a dict) and the combination's last, the model
    behind it, what is lacking of it (in words), and by kind why a model that does not count says nothing."""

    rows: list[dict[str, Any]]
    model: Forecaster
    problems: list[str]
    silent: dict[str, str]


def combine_members(
    recipe: Recipe,
    models: Path,
    fits: Mapping[str, Mapping[str, Any]],
    standing: publishing.Standing,
    inputs: Events,
    days: TargetDays,
    reference: np.ndarray,
    first_day: date,
) -> Combined:
    """What the members say of the one day in `days`, and the combination of it.

    Args:
        models: the folder of model directories. fits: rows of the table `model` by kind. reference: (1,), the usual rate.
        first_day: of the record of target days.
    """
    members = members_for(models, recipe, fits, days.local_days[0].astype("datetime64[D]").item(), first_day)
    said, silent = publishing.ask_all(members.found, inputs, days, reference)
    silent |= members.missing
    for name, reason in (silent | members.replaced).items():
        log.error("%s: %s: %s", recipe.id, name, reason)
    spoken = [member for member in members.found if member.kind in said]
    standing = publishing.counting(standing, spoken)
    published = combine(said, standing.weights, reference)
    lacking = publishing.lacking_of(standing, said, silent | members.unusable)
    numbers = publishing.counts_of(spoken, inputs, days, reference, published)[0]
    rows = [
        {
            "model_id": member.model_id,
            "model_kind": member.kind,
            "probability": float(said[member.kind][0]),
            "details": numbers.get(member.kind, {}),
        }
        for member in spoken
    ]
    rows.append(
        {
            "model_id": publishing.model_id_of(recipe, spoken, standing),
            "model_kind": publishing.KIND,
            "probability": float(published[0]),
            "details": publishing.details_of(spoken, standing, said, first_day) | numbers.get(publishing.KIND, {}),
        }
    )
    problems = publishing.problems_of(standing, lacking, members.replaced)
    quiet = {kind: reason for kind, reason in silent.items() if kind not in lacking}
    return Combined(rows, publishing.combined_model(spoken, standing, said), problems, quiet)


def as_text(details: Mapping[str, Any] | None) -> str | None:
    """Details as the table `forecast` keeps them: JSON, None where there are none."""
    return json.dumps(details, ensure_ascii=False) if details else None


def data_age(as_of: datetime, read_until: datetime | None) -> tuple[float, str | None]:
    """(hours since the catalogue was read, why that makes a forecast degraded or None); `read_until` is no later than `as_of`."""
    age = as_of - read_until if read_until else timedelta(days=9999)
    hours = age / timedelta(hours=1)
    return hours, f"the catalogue is {age_text(age)} old" if age > STALE_AFTER else None


def _in_its_time(mode: str, day: date, recipe: Recipe, now: datetime) -> bool:
    """Whether a forecast may be the official one: made before its day, for the next local day, or when its own is due. One made days ahead
    is a look ahead."""
    if mode != "prospective":
        return False
    return day == next_local_day(now, recipe.zone) or is_due(recipe, day, now + EARLY_AT_MOST)


def _stored(connection: Connection, recipe_id: str, target_hash: str, start: datetime) -> pd.DataFrame:
    """Every daily forecast that is stored for this target and window, all models."""
    stored = ledger.forecasts_for(connection, recipe_id, start)
    return stored[(stored["target_hash"] == target_hash) & (stored["method"] == DAILY)]


def _standing(stored: pd.DataFrame, mode: str) -> pd.DataFrame:
    """The rows of the issue that stands for a window, so that another of this mode adds nothing: the official one, or, for a day that has
    begun (all of whose inputs end before), the first late one. Empty where a new one is to be made."""
    if mode not in ("prospective", "late"):
        return stored.head(0)
    official = stored[stored["official"]]
    late = stored[(stored["mode"] == "late") & (mode == "late")]
    return official if len(official) or late.empty else late[late["issue_time"] == late["issue_time"].min()]


def _last_issue(stored: pd.DataFrame) -> pd.DataFrame:
    """The rows of the newest issue that is published for a window, in its time or late."""
    told = stored[stored["mode"].isin(("prospective", "late"))]
    return told[told["issue_time"] == told.loc[told["published"], "issue_time"].max()]


def identified(row: dict) -> dict:
    """The row with its forecast_id, which follows from what makes it this forecast and no other."""
    times = f"{row['target_start']:%FT%TZ}|{row['issue_time'].isoformat()}"
    key = f"{row['recipe_id']}|{row['recipe_hash']}|{row['model_id']}|{times}|{row['mode']}"
    key += "" if row["method"] == DAILY else f"|{row['method']}"
    return {**row, "forecast_id": hashlib.sha256(key.encode()).hexdigest()[:24]}


def _write(store: Store, rows: list[dict], clock: Clock, reissue: bool) -> list[str]:
    """Store the rows of one issue in one transaction; returns the ids of what stands.

    A row whose day has begun while it was made, or while it waited to be written, is late. What is official and what is published is
    decided here, where no other process can write: an issue that another one wrote meanwhile stands instead of ours (but for a
    `reissue`), and the same issue again is left as it was first written, with what it published.
    """
    said: list[str] = []
    with store.transaction() as connection:
        fresh, written_at = [], clock.now()
        for row in (_as_written(row, written_at) for row in rows):
            stored = _stored(connection, row["recipe_id"], row["target_hash"], row["target_start"])
            standing = stored.head(0) if reissue else _standing(stored, row["mode"])
            if len(standing):
                said += standing["forecast_id"].tolist()
                continue
            said.append(row["forecast_id"])
            issue = stored[(stored["mode"] == row["mode"]) & (stored["issue_time"] == row["issue_time"])]
            first = issue.loc[issue["published"] & (issue["recipe_hash"] == row["recipe_hash"]), "forecast_id"].tolist()
            said += first
            if row["forecast_id"] not in set(stored["forecast_id"]):
                row["official"] = row["official"] and not stored["official"].any()
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
