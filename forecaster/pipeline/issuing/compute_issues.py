"""Compute issues: for each requested day of a recipe, every model's forecast, from one reading of the catalogue. Nothing is stored.

Requests and results are plain values, so that other processes can do the work (`issue_batches`).
"""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from forecaster import logs
from forecaster.clock import Clock, forecast_mode
from forecaster.errors import NotScoreable
from forecaster.features.events import Events
from forecaster.features.windows import TargetDays, target_days
from forecaster.models.baselines import climatology
from forecaster.models.pretrained import Found, found_once
from forecaster.pipeline.as_of.as_known import STALE_AFTER, Known, labelled_days
from forecaster.pipeline.as_of.catalogue_history import CatalogueHistory
from forecaster.pipeline.daily.issue_rows import Window
from forecaster.pipeline.daily.issue_schedule import EARLY_AT_MOST, is_due
from forecaster.pipeline.issuing import published_rows
from forecaster.pipeline.issuing.contributing_events import LOOK_BACK_DAYS, drivers_of
from forecaster.pipeline.issuing.members import members_for
from forecaster.pipeline.rungs.issue_rungs import LadderBase, ladder_base, ladders_of
from forecaster.publishing_rule.blend import MAX_AGE_HOURS, Blend, lacking_of, problems_of, usual_rate_if_stale
from forecaster.publishing_rule.combination import KIND
from forecaster.publishing_rule.combined_model import CombinedModel
from forecaster.publishing_rule.publishing_rule import rule_named
from forecaster.recipe import Recipe
from forecaster.registry.model_kinds import KINDS
from forecaster.registry.reasons import Reason, ReasonKey, as_json, english
from forecaster.timewindow import DAY_US, TimeWindow, issue_time, next_local_day, to_us

log = logging.getLogger(__name__)

RECIPES_AT_ONCE = 32
EXPLAINED_FROM = 1.1  # times the usual rate; contributing events are computed only from there on, because they cost ten forecasts
NOT_OFFICIAL = Reason(ReasonKey.UNOFFICIAL)
Fits = dict[str, Mapping[str, Any]]  # rows of the table `model` by kind


@dataclass(frozen=True)
class Asked:
    """A requested day of one recipe: its window, mode, whether its forecast is on time, when it is due, and its as-of time."""

    recipe: Recipe
    day: date
    window: TimeWindow
    mode: str
    in_its_time: bool
    due: datetime
    as_of: datetime

    @classmethod
    def of(cls, recipe: Recipe, day: date, clock: Clock, now: datetime) -> "Asked":
        window, due = recipe.target_window(day), issue_time(day, recipe.zone, recipe.issue_local_time)
        mode = forecast_mode(clock, window)
        return cls(recipe, day, window, mode, _in_its_time(mode, day, recipe, now), due, min(now, due))

    @property
    def key(self) -> Window:
        """The key of the window in the store."""
        return self.recipe.id, self.recipe.target_hash, self.window.start


@dataclass(frozen=True)
class IssueRequest:
    """A requested day, what is published on it, and the newest fits, as the store knows them at its `as_of`."""

    asked: Asked
    blend: Blend
    fits: Fits


@dataclass(frozen=True)
class Doubts:
    """What is wrong with the run, which degrades each of its rows: problems (a failed pull, for instance), the machine's clock."""

    problems: tuple[Reason, ...] = ()
    wrong_clock: Reason | None = None


@dataclass(frozen=True)
class ComputedIssue:
    """The result of a request: a row a model, the published one last with its `rungs`; all without what the writer adds.

    silent: by kind, why an unpublished model has no forecast. not_scoreable, failed: why there are no rows, by the data or by a failure.
    """

    recipe_id: str
    rows: list[dict[str, Any]]
    silent: dict[str, Reason] = field(default_factory=dict)
    not_scoreable: str | None = None
    failed: str | None = None


Begun = tuple[ComputedIssue, LadderBase | None]
"""An issue whose rows have details as dicts and no rungs yet, and what its ladder follows from; None where it has no rows."""


def compute_issues(history: CatalogueHistory, models: Path, requests: Sequence[IssueRequest], doubts: Doubts) -> Iterator[ComputedIssue]:
    """Compute the requests, some at a time: recipe by recipe, then their ladders at once. models: the folder of model directories."""
    found: Found = {}
    for at in range(0, len(requests), RECIPES_AT_ONCE):
        yield from _finished([_begun(history, models, request, doubts, found) for request in requests[at : at + RECIPES_AT_ONCE]])


def _begun(history: CatalogueHistory, models: Path, request: IssueRequest, doubts: Doubts, found: Found) -> Begun:
    recipe, as_of = request.asked.recipe, request.asked.as_of
    far = any(KINDS[kind].sees_far for kind in request.fits if kind in KINDS)
    known = (history if far else history.near(recipe, to_us(as_of) - LOOK_BACK_DAYS * DAY_US)).at(as_of)
    try:
        with logs.about(recipe=recipe.id), found_once(found):
            return _issue(request, models, known, doubts)
    except NotScoreable as error:
        return ComputedIssue(recipe.id, [], not_scoreable=str(error)), None


def _finished(begun: Sequence[Begun]) -> Iterator[ComputedIssue]:
    ladders = iter(ladders_of([base for _, base in begun if base is not None]))
    for issue, base in begun:
        if base is None:
            yield issue
            continue
        rungs = next(ladders)
        rows = [{**row, "details": as_text(row["details"])} for row in issue.rows]
        rows[-1]["rungs"] = rungs
        yield replace(issue, rows=rows)


def _issue(request: IssueRequest, models: Path, known: Known, doubts: Doubts) -> Begun:
    """Begin one issue: one row a model (probability, reference and flags), and {kind: why it has no forecast}.

    The combination's row is published. Above the usual rate, except in a hindcast, it also holds the contributing events.
    """
    asked, recipe = request.asked, request.asked.recipe
    labelled = labelled_days(recipe, known)
    days = target_days(recipe, asked.day, 1).issued_at(known.as_of)
    reference = climatology.daily_probability(
        labelled.happened, labelled.days.target_starts_us, labelled.days.target_ends_us, np.array([to_us(known.as_of)])
    )
    age, stale = data_age(known.as_of, known.read_until)
    blend = usual_rate_if_stale(request.blend, age, known.read_until)
    issue = combine_members(recipe, models, request.fits, blend, known.inputs, days, reference, labelled.days.first_day)
    row = issue.rows[-1]
    if asked.mode != "hindcast" and row["details"]["weights"] and row["probability"] >= EXPLAINED_FROM * reference[0]:
        row["details"] |= drivers_of(issue.model, recipe, known, days, reference, row["probability"])
    reasons = [reason for reason in (*doubts.problems, doubts.wrong_clock, stale, *issue.problems) if reason]
    official = asked.in_its_time and age <= MAX_AGE_HOURS and doubts.wrong_clock is None
    reasons += [NOT_OFFICIAL] if asked.in_its_time and not official else []
    flags = {
        "official": official,
        "reference_probability": float(reference[0]),
        "degraded": bool(reasons),
        "degraded_reason": english(reasons),
        "degraded_reasons": as_json(reasons),
        "data_age_hours": age,
    }
    ladder = ladder_base(recipe, known, labelled, days, reference, row, issue.model.members)
    issued = [published_rows.rate_row(recipe, float(reference[0])), *issue.rows]
    rows = [{**one, "published": one["model_kind"] == KIND, **flags} for one in issued]
    return ComputedIssue(recipe.id, rows, issue.silent), ladder


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
    blend: Blend,
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
    forecasts, no_forecast = published_rows.ask_all(members.found, inputs, days, reference)
    no_forecast |= members.missing
    for name, reason in (no_forecast | members.replaced).items():
        log.error("%s: %s: %s", recipe.id, name, reason)
    with_forecast = [member for member in members.found if member.kind in forecasts]
    blend = published_rows.counting(blend, with_forecast)
    published = rule_named(blend.rule).combine(forecasts, blend.weights, reference)
    lacking = lacking_of(blend, forecasts, no_forecast | members.unusable)
    numbers = published_rows.counts_of(with_forecast, inputs, days, reference)[0]
    rows = [
        {
            "model_id": member.model_id,
            "model_kind": member.kind,
            "probability": float(forecasts[member.kind][0]),
            "details": numbers.get(member.kind, {}),
        }
        for member in with_forecast
    ]
    rows.append(
        {
            "model_id": published_rows.model_id_of(recipe, with_forecast, blend),
            "model_kind": KIND,
            "probability": float(published[0]),
            "details": published_rows.details_of(with_forecast, blend, forecasts, first_day),
        }
    )
    problems = problems_of(blend, lacking, members.replaced)
    quiet = {kind: reason for kind, reason in no_forecast.items() if kind not in lacking}
    return Combined(rows, published_rows.combined_model(with_forecast, blend, forecasts), problems, quiet)


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
