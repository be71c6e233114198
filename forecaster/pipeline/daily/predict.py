"""Forecast the next day: every model's probability for every recipe, stored with how and when it was computed."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from forecaster import logs
from forecaster.clock import Clock, forecast_mode
from forecaster.descriptions.model_kinds import KINDS
from forecaster.descriptions.reasons import Reason, ReasonKey, as_json, english
from forecaster.errors import NotScoreable
from forecaster.features.events import Events
from forecaster.features.windows import TargetDays, target_days
from forecaster.installed import code_version
from forecaster.models.baselines import climatology
from forecaster.models.combination.combination import KIND, CombinedModel, combine
from forecaster.pipeline import timelines
from forecaster.pipeline.as_of.as_known import STALE_AFTER, Known, labelled_days
from forecaster.pipeline.as_of.catalogue_history import read_history
from forecaster.pipeline.daily import publishing
from forecaster.pipeline.daily.clock_check import clock_problem
from forecaster.pipeline.daily.contributing_events import drivers_of
from forecaster.pipeline.daily.issue_rows import DAILY, Window, identified, last_issue, standing_of, stored_for, write_issue
from forecaster.pipeline.daily.issue_schedule import EARLY_AT_MOST, is_due
from forecaster.pipeline.daily.members import members_for, unusable_kinds
from forecaster.pipeline.run_context import Job
from forecaster.pipeline.rungs.issue_rungs import published_rungs
from forecaster.recipe import Recipe
from forecaster.settings import Settings
from forecaster.store import fits as stored_fits
from forecaster.store.database import Connection
from forecaster.store.row_types import StoredForecast
from forecaster.timewindow import TimeWindow, check_target_day, issue_time, next_local_day, to_us

log = logging.getLogger(__name__)

EXPLAINED_FROM = 1.1  # times the usual rate; contributing events are computed only from there on, because they cost ten forecasts
NOT_OFFICIAL = Reason(ReasonKey.UNOFFICIAL)


@dataclass
class PredictResult:
    """The result of an issue.

    Holds its forecast ids, and by recipe: why there is no forecast, what its forecast lacks, and which unpublished kinds of model have no
    forecast (kind: reason). unusable: by kind that this installation cannot run, why. kept: by recipe whose day had a forecast already, the
    time that it was issued; `forecast_ids` holds its last issue.
    """

    forecast_ids: list[str] = field(default_factory=list)
    not_scoreable: dict[str, str] = field(default_factory=dict)
    degraded: dict[str, str] = field(default_factory=dict)
    silent: dict[str, dict[str, str]] = field(default_factory=dict)
    targets: dict[str, date] = field(default_factory=dict)
    unusable: dict[str, str] = field(default_factory=dict)
    kept: dict[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True)
class PredictOptions:
    """What to forecast.

    target_day: by default each recipe's next local day. reissue: forecast again days that have an active forecast already.
    problems: mark every row as degraded (for instance after a failed pull).
    """

    target_day: date | None = None
    reissue: bool = False
    problems: tuple[Reason, ...] = ()


NEXT_DAY = PredictOptions()


def predict(job: Job, options: PredictOptions = NEXT_DAY, on_progress: Callable[[str], None] | None = None) -> PredictResult:
    """Forecast a day with every model of every recipe of the job, and store it.

    Inputs are what was known at the issue time, and never later than the recipe's issue lead before the target. A first prospective
    issue for the next local day is official (not one made days ahead, nor one from a catalogue that has not been read for a week or by a
    clock that is minutes off) and stays, also for who predicts when its day has begun, as does a first late one: predicting again
    returns it, unless a reissue is asked for, which supersedes it and is returned from then on. The first one is scored.

    Raises:
        BadDate: the day lies before the data or too far ahead; nothing is stored.
        BadInput: the store is the home of a replay, and the clock is the machine's.
    """
    store, recipes, clock = job.store, job.recipes, job.clock
    now, wrong_clock = clock.now(), None
    if not clock.simulated:
        timelines.check(store, clock)
        with store.transaction() as connection:
            wrong_clock = clock_problem(connection, now)
    days = {recipe.id: options.target_day or next_local_day(now, recipe.zone) for recipe in recipes}
    for recipe in recipes:
        check_target_day(days[recipe.id], recipe.zone, now)
    result = PredictResult(targets=days, unusable={kind: str(why) for kind, why in unusable_kinds(recipes).items()})
    every = [_Asked.of(recipe, days[recipe.id], clock, now) for recipe in recipes]
    with store.transaction() as connection:
        stored = {} if options.reissue else stored_for(connection, [asked.key for asked in every])
        wanted = [asked for asked in every if not standing_of(stored.get(asked.key, ()), asked.mode)]
        decided = _decisions(connection, wanted)
    fresh = {asked.key for asked in wanted}
    for key in (asked.key for asked in every if asked.key not in fresh):
        _note_kept(key[0], last_issue(stored[key]), result)
    history = read_history(store)
    rows: list[dict[str, Any]] = []
    for asked, (standing, fits) in zip(wanted, decided, strict=True):
        recipe = asked.recipe
        far = any(KINDS[kind].sees_far for kind in fits if kind in KINDS)
        known = (history if far else history.near(recipe)).at(asked.as_of)
        try:
            with logs.about(recipe=recipe.id):
                made, silent = _issue(asked, job.settings, known, standing, fits, options.problems, wrong_clock)
        except NotScoreable as error:
            result.not_scoreable[recipe.id] = str(error)
            continue
        stamp = {
            "recipe_id": recipe.id,
            "target_start": asked.window.start,
            "target_end": asked.window.end,
            "issue_time": asked.due if asked.mode == "hindcast" else now,
            "as_of": asked.as_of,
            "mode": asked.mode,
            "recipe_hash": recipe.recipe_hash,
            "target_hash": recipe.target_hash,
            "code_version": code_version(),
            "run_id": job.run_id,
            "created_at": now,
            "method": DAILY,
            "in_sample": False,
        }
        if made[0]["degraded_reason"]:
            result.degraded[recipe.id] = made[0]["degraded_reason"]
        if silent:
            result.silent[recipe.id] = {kind: str(why) for kind, why in silent.items()}
        rows += [identified({**stamp, **row}) for row in made]
        if on_progress is not None:
            on_progress(recipe.id)
    result.forecast_ids += write_issue(store, rows, clock, options.reissue)
    return result


@dataclass(frozen=True)
class _Asked:
    """A requested day of one recipe: its window, mode, whether its forecast is on time, when it is due, and its as-of time."""

    recipe: Recipe
    day: date
    window: TimeWindow
    mode: str
    in_its_time: bool
    due: datetime
    as_of: datetime

    @classmethod
    def of(cls, recipe: Recipe, day: date, clock: Clock, now: datetime) -> "_Asked":
        window, due = recipe.target_window(day), issue_time(day, recipe.zone, recipe.issue_local_time)
        mode = forecast_mode(clock, window)
        return cls(recipe, day, window, mode, _in_its_time(mode, day, recipe, now), due, min(now, due))

    @property
    def key(self) -> Window:
        """The key of the window in the store."""
        return self.recipe.id, self.recipe.target_hash, self.window.start


Fits = dict[str, Mapping[str, Any]]  # rows of the table `model` by kind


def _decisions(connection: Connection, wanted: Sequence[_Asked]) -> list[tuple[publishing.Standing, Fits]]:
    """Return for each of these days what is published, and the newest fits, as the store knows them at its `as_of`."""
    standings = publishing.standings(connection, [(asked.recipe, asked.as_of, asked.day) for asked in wanted])
    fits: dict[str, Fits] = {}
    for as_of in {asked.as_of for asked in wanted}:
        hashes = {asked.recipe.id: asked.recipe.recipe_hash for asked in wanted if asked.as_of == as_of}
        fits |= {recipe_id: {**kinds} for recipe_id, kinds in stored_fits.newest_models_of_all(connection, hashes, as_of).items()}
    for asked, standing in zip(wanted, standings, strict=True):
        if standing.model_id is not None:
            (kind,) = standing.weights
            fits[asked.recipe.id][kind] = stored_fits.model_named(connection, standing.model_id) or {"model_id": standing.model_id}
    return [(standing, fits[asked.recipe.id]) for asked, standing in zip(wanted, standings, strict=True)]


def _note_kept(recipe_id: str, kept: Sequence[StoredForecast], result: PredictResult) -> None:
    result.forecast_ids += [row["forecast_id"] for row in kept]
    result.kept[recipe_id] = kept[0]["issue_time"]
    if any(row["degraded"] for row in kept):
        result.degraded[recipe_id] = str(kept[0]["degraded_reason"])


def _issue(
    asked: _Asked,
    settings: Settings,
    known: Known,
    standing: publishing.Standing,
    fits: Fits,
    problems: Sequence[Reason],
    wrong_clock: Reason | None,
) -> tuple[list[dict[str, Any]], dict[str, Reason]]:
    """Compute one issue: one row a model (probability, reference and flags), and {kind: why it has no forecast}.

    The combination's row is published. Above the usual rate, except in a hindcast, it also holds the contributing events.

    problems, wrong_clock: what is wrong with the run (a failed pull, the machine's clock).
    """
    recipe = asked.recipe
    labelled = labelled_days(recipe, known)
    days = target_days(recipe, asked.day, 1).issued_at(known.as_of)
    reference = climatology.daily_probability(
        labelled.happened, labelled.days.target_starts_us, labelled.days.target_ends_us, np.array([to_us(known.as_of)])
    )
    age, stale = data_age(known.as_of, known.read_until)
    standing = publishing.unless_too_old(standing, age, known.read_until)
    issue = combine_members(recipe, settings.models, fits, standing, known.inputs, days, reference, labelled.days.first_day)
    row = issue.rows[-1]
    if asked.mode != "hindcast" and row["details"]["weights"] and row["probability"] >= EXPLAINED_FROM * reference[0]:
        row["details"] |= drivers_of(issue.model, recipe, known, days, reference, row["probability"])
    reasons = [reason for reason in (*problems, wrong_clock, stale, *issue.problems) if reason]
    official = asked.in_its_time and age <= publishing.MAX_AGE_HOURS and wrong_clock is None
    reasons += [NOT_OFFICIAL] if asked.in_its_time and not official else []
    flags = {
        "official": official,
        "reference_probability": float(reference[0]),
        "degraded": bool(reasons),
        "degraded_reason": english(reasons),
        "degraded_reasons": as_json(reasons),
        "data_age_hours": age,
    }
    rungs = published_rungs(recipe, known, labelled, days, reference, row, issue.model.members)
    said = [publishing.rate_row(recipe, float(reference[0])), *issue.rows]
    rows = [{**one, "details": as_text(one["details"]), "published": one["model_kind"] == KIND, **flags} for one in said]
    rows[-1]["rungs"] = rungs
    return rows, issue.silent


@dataclass(frozen=True)
class Combined:
    """One day of one recipe.

    Holds a row per member (model_id, model_kind, probability, details as a dict) with the combination's row last, the model of the
    combination, what it lacks, and by kind why a model without weight has no forecast.
    """

    rows: list[dict[str, Any]]
    model: CombinedModel
    problems: list[Reason]
    silent: dict[str, Reason]


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
    """Compute the members' probabilities of the one day in `days`, and their combination.

    Args:
        models: the folder of model directories.
        fits: rows of the table `model` by kind.
        reference: (1,), the usual rate.
        first_day: the first day of the record of target days.
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
    numbers = publishing.counts_of(spoken, inputs, days, reference)[0]
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
            "model_kind": KIND,
            "probability": float(published[0]),
            "details": publishing.details_of(spoken, standing, said, first_day),
        }
    )
    problems = publishing.problems_of(standing, lacking, members.replaced)
    quiet = {kind: reason for kind, reason in silent.items() if kind not in lacking}
    return Combined(rows, publishing.combined_model(spoken, standing, said), problems, quiet)


def as_text(details: Mapping[str, Any] | None) -> str | None:
    """Return details as the table `forecast` stores them: JSON, None where there are none."""
    return json.dumps(details, ensure_ascii=False) if details else None


def data_age(as_of: datetime, read_until: datetime | None) -> tuple[float, Reason | None]:
    """Return the hours since the catalogue was read, and why that degrades a forecast or None; `read_until` is no later than `as_of`."""
    age = as_of - read_until if read_until else timedelta(days=9999)
    hours = age / timedelta(hours=1)
    return hours, Reason(ReasonKey.OLD, {"age_hours": round(hours, 2)}) if age > STALE_AFTER else None


def _in_its_time(mode: str, day: date, recipe: Recipe, now: datetime) -> bool:
    """Whether a forecast may be official: made before its day, for the next local day, or when its own day is due.

    A forecast made days ahead is an advance forecast.
    """
    if mode != "prospective":
        return False
    return day == next_local_day(now, recipe.zone) or is_due(recipe, day, now + EARLY_AT_MOST)
