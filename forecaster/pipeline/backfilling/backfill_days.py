"""Forecast many past days of one recipe at once; the rows are those that the daily run would have made for each day."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from forecaster.errors import CorruptModel, ModelError, NotScoreable
from forecaster.features.windows import TargetDays, target_days
from forecaster.models import model_files
from forecaster.models.interface import CountsTargets
from forecaster.models.ladder.extend_forecast import corner_horizons, horizons_of
from forecaster.pipeline.as_of.as_known_by_day import KnownThrough, record_begins, references_as_known
from forecaster.pipeline.backfilling.backfill_types import ServedModel
from forecaster.pipeline.issuing import published_rows
from forecaster.pipeline.issuing.compute_issues import data_age
from forecaster.pipeline.issuing.members import Member, asked, generic_member, kinds_of, stored_member, untrained
from forecaster.pipeline.rungs.issue_rungs import corner_numbers, etas_of, no_ladder, shape_of, window_ends
from forecaster.pipeline.rungs.rungs_of_days import rungs_of_days
from forecaster.publishing_rule.blend import Blend, lacking_of, problems_of
from forecaster.publishing_rule.combination import KIND
from forecaster.publishing_rule.publishing_rule import rule_named
from forecaster.recipe import Recipe
from forecaster.registry.reasons import Reason, ReasonKey, as_json, english, iso, of_error
from forecaster.timewindow import from_us

MODELS_KEPT = 64


@dataclass(frozen=True)
class MemberForecasts:
    """The forecasts of one model for the days; (n,), NaN where it has no row. in_sample: whether it has seen the day."""

    member: Member
    probability: np.ndarray
    in_sample: np.ndarray


def days_of(recipe: Recipe, days: Sequence[date]) -> TargetDays:
    """Return these local days, cut at the recipe's own issue times; `days` must be rising."""
    whole = target_days(recipe, days[0], (days[-1] - days[0]).days + 1)
    return whole.take(np.isin(whole.local_days, np.array(days, dtype="datetime64[D]")))


def load_members(
    models: Path, recipe: Recipe, served: Sequence[ServedModel], first: date, record_from: date
) -> tuple[list[Member], dict[str, Reason]]:
    """Return the members of a chunk whose first day is `first`, and {kind: why one has no forecast}.

    The members are its fitted models and, for kinds of the recipe without one, models that need no fit.
    record_from: the first day of the record of target days.

    Raises:
        CorruptModel: a directory is not on this machine. A model that is there but cannot be loaded is listed as having no forecast.
    """
    members: list[Member] = []
    no_forecast: dict[str, Reason] = {}
    for one in served:
        directory = models / one.directory
        if not directory.is_dir():
            raise CorruptModel(
                f"{one.model_id} is not in {models} on this machine; share QUAKECAST_HOME/models with it or copy the folder there, then "
                "run the backfill again; nothing of these days was stored"
            )
        try:
            member = _loaded(directory, recipe.model_dump_json())
        except ModelError as error:
            no_forecast[one.kind] = of_error(error)
            continue
        if (why := untrained(member.model, one.model_id)) is None:
            members.append(member)
        else:
            no_forecast[one.kind] = why
    return with_generic(members, recipe, first, record_from, no_forecast), no_forecast


def spans_of_members(
    models: Path, recipe: Recipe, served: Sequence[ServedModel], days: Sequence[date], record_from: date
) -> list[Sequence[date]]:
    """Split rising days where a generic model of the recipe gives way to another. Raises as `load_members`."""

    def ids(day: date) -> list[str]:
        return [member.model_id for member in load_members(models, recipe, served, day, record_from)[0]]

    if len(days) == 1 or ids(days[0]) == ids(days[-1]):  # sets follow one another, none returns
        return [days]
    middle = len(days) // 2
    return [span for half in (days[:middle], days[middle:]) for span in spans_of_members(models, recipe, served, half, record_from)]


def with_generic(members: Sequence[Member], recipe: Recipe, first: date, record_from: date, no_forecast: dict[str, Reason]) -> list[Member]:
    """Add generic models for kinds of the recipe without a member, where one may forecast from the day `first` on; in the recipe's order.

    A kind with a generic model is removed from `no_forecast`.
    """
    kinds = kinds_of(recipe)
    found = {member.kind: member for member in members}
    for kind in kinds:
        if kind not in found and (generic := generic_member(recipe, kind, first, record_from)) is not None:
            found[kind] = generic
            no_forecast.pop(kind, None)
    order = [*kinds, *(kind for kind in found if kind not in kinds)]
    return [found[kind] for kind in order if kind in found]


@lru_cache(maxsize=MODELS_KEPT)
def _loaded(directory: Path, recipe_json: str) -> Member:
    """Return the cached member of a directory; the name of a directory is a hash of its content."""
    recipe = Recipe.model_validate_json(recipe_json)
    return stored_member(model_files.load_model(directory, recipe), recipe)


def forecast_days(
    recipe: Recipe,
    known: KnownThrough,
    days: TargetDays,
    members: Sequence[Member],
    blends: Sequence[Blend],
    no_forecast: dict[str, Reason],
    *,
    allow_in_sample: bool,
    ladder: bool,
) -> list[dict[str, Any]]:
    """Return rows of the table `forecast` for each day: climatology, each model, published combination, except for what the writer adds.

    blends: for each day, what is published on it. no_forecast: by kind, why a model has no forecast; reasons found here are added.
    allow_in_sample: models also forecast days they have seen, marked as such. ladder: published rows also hold their `rungs`.

    Raises:
        NotScoreable: there is no usual rate on one of the days.
    """
    reference = references_as_known(recipe, known, days.cut_us)
    record_from = record_begins(recipe, known.coverage)
    parts = _of_one_length(days, reference)
    forecasts = [_forecasts_of(known, days, parts, member, no_forecast, allow_in_sample=allow_in_sample) for member in members]
    published = np.empty(len(days))
    counted: list[Blend] = []
    for blend, group in groupby(range(len(days)), key=lambda j: blends[j]):
        place = np.array(list(group))
        applied = published_rows.counting(blend, members)
        counted += [applied] * len(place)
        part = {one.member.kind: one.probability[place] for one in forecasts}
        published[place] = rule_named(applied.rule).combine(part, applied.weights, reference[place])
    with_forecast = [[one for one in forecasts if np.isfinite(one.probability[j])] for j in range(len(days))]
    numbers = _member_numbers(known, days, reference, forecasts)
    combined: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for j, blend in enumerate(counted):
        as_of = from_us(int(days.cut_us[j]))
        age, stale = data_age(as_of, known.read_until(as_of))
        there = {one.member.kind for one in with_forecast[j]}
        problems = problems_of(blend, lacking_of(blend, there, no_forecast), {})
        reasons = [stale, *problems] if stale else problems
        issue = {
            "recipe_id": recipe.id,
            "target_start": from_us(int(days.target_starts_us[j])),
            "target_end": from_us(int(days.target_ends_us[j])),
            "issue_time": as_of,
            "as_of": as_of,
            "official": False,
            "reference_probability": float(reference[j]),
            "recipe_hash": recipe.recipe_hash,
            "target_hash": recipe.target_hash,
            "data_age_hours": age,
        }
        made = [published_rows.rate_row(recipe, float(reference[j])) | _flags(reasons, None)]
        made += [_row(one, j, numbers[j].get(one.member.kind, {}), reasons) for one in with_forecast[j]]
        details = published_rows.details_of([one.member for one in with_forecast[j]], blend, there, record_from)
        made.append(_combined(recipe, with_forecast[j], j, float(published[j]), blend, details, reasons))
        rows += [{**issue, **row, "published": row["model_kind"] == KIND} for row in made]
        combined.append(rows[-1])
    _extend(recipe, known, days, reference, combined, with_forecast, ladder=ladder)
    for row in combined:
        row["details"] = json.dumps(row["details"])
    return rows


def _row(forecasts: MemberForecasts, j: int, numbers: dict[str, Any], reasons: list[Reason]) -> dict[str, Any]:
    one = forecasts.member
    row = {"model_id": one.model_id, "model_kind": one.kind, "probability": float(forecasts.probability[j])}
    return row | {"details": json.dumps(numbers) if numbers else None} | _flags(reasons, _seen([forecasts], j))


def _combined(
    recipe: Recipe,
    with_forecast: Sequence[MemberForecasts],
    j: int,
    probability: float,
    blend: Blend,
    details: dict[str, Any],
    reasons: list[Reason],
) -> dict[str, Any]:
    members = [one.member for one in with_forecast]
    row = {
        "model_id": published_rows.model_id_of(recipe, members, blend),
        "model_kind": KIND,
        "probability": probability,
        "details": details,
    }
    return row | _flags(reasons, _seen([one for one in with_forecast if one.member.kind in blend.weights], j))


def _seen(forecasts: Sequence[MemberForecasts], j: int) -> Reason | None:
    """Explain why a row is in-sample; None where none of its models has seen the day."""
    members_with_it = [one.member for one in forecasts if one.in_sample[j]]
    who = (Reason(ReasonKey.HAS_SEEN, {"model_id": member.model_id, "first_day": iso(member.unseen_from)}) for member in members_with_it)
    return Reason(ReasonKey.SEEN, because=tuple(who)) if members_with_it else None


def _flags(reasons: list[Reason], seen: Reason | None) -> dict[str, Any]:
    every = [*reasons, *([seen] if seen else [])]
    flags = {"degraded": bool(every), "degraded_reason": english(every), "degraded_reasons": as_json(every)}
    return flags | {"in_sample": seen is not None}


def _member_numbers(
    known: KnownThrough, days: TargetDays, reference: np.ndarray, forecasts: Sequence[MemberForecasts]
) -> list[dict[str, dict[str, Any]]]:
    """Return for each day, by kind, the expected numbers (`published_rows.counts_of`); {} where the model that counts has no forecast."""
    found: list[dict[str, dict[str, Any]]] = [{} for _ in range(len(days))]
    counting = next((one for one in forecasts if isinstance(one.member.model, CountsTargets)), None)
    if counting is not None:
        good = np.isfinite(counting.probability)
        counts = published_rows.counts_of([counting.member], known.inputs, days.take(good), reference[good])
        for place, numbers in zip(np.flatnonzero(good).tolist(), counts, strict=True):
            found[place] = numbers
    return found


def _extend(
    recipe: Recipe,
    known: KnownThrough,
    days: TargetDays,
    reference: np.ndarray,
    rows: Sequence[dict[str, Any]],
    with_forecast: Sequence[Sequence[MemberForecasts]],
    *,
    ladder: bool,
) -> None:
    """Add to each day's published row (details as a dict) the expected numbers and, with `ladder`, the rungs, as the daily run does.

    Numbers are left out where the usual rate alone is published, or no ETAS may forecast the day.
    """
    horizons = (horizons_of if ladder else corner_horizons)(recipe.predict_range_days)
    models = [
        etas_of(recipe, (one.member.model for one in of_day), day.item()) if row["details"]["weights"] else None
        for row, of_day, day in zip(rows, with_forecast, days.local_days, strict=True)
    ]
    kinds = [None if model is None else (model.likelihood, model.last_data_day) for model in models]
    published = np.array([row["probability"] for row in rows])
    for kind in set(kinds):
        places = [place for place, one in enumerate(kinds) if one == kind]
        model, some, values = models[places[0]], days.take(np.array(places)), (reference[places], published[places])
        shape = None if model is None else shape_of(model, known.inputs, some, window_ends(recipe, some, horizons), values[0])
        if shape is not None:
            for place, numbers in zip(
                places, corner_numbers(recipe.predict_range_days, values[1], shape, horizons, values[0]), strict=True
            ):
                rows[place]["details"] |= numbers
        for place, made in zip(places, rungs_of_days(recipe, known, some, *values, shape) if ladder else [], strict=False):
            if isinstance(made, NotScoreable):
                rows[place]["details"] |= no_ladder(made)
            else:
                rows[place]["rungs"] = made


def _of_one_length(days: TargetDays, reference: np.ndarray) -> list[tuple[np.ndarray, TargetDays, np.ndarray]]:
    """Return (indices, days, reference) of days of equal length, since some models take one length for all days they are asked for."""
    lengths_us = days.target_ends_us - days.target_starts_us
    places = [np.flatnonzero(lengths_us == length_us) for length_us in np.unique(lengths_us)]
    return [(place, days.take(place), reference[place]) for place in places]


def _forecasts_of(
    known: KnownThrough,
    days: TargetDays,
    parts: Sequence[tuple[np.ndarray, TargetDays, np.ndarray]],
    member: Member,
    no_forecast: dict[str, Reason],
    *,
    allow_in_sample: bool,
) -> MemberForecasts:
    """Ask a member for all days that it may forecast. Members are passed the same objects, as some share what they compute from them."""
    probability = np.full(len(days), np.nan)
    in_sample = days.local_days < np.datetime64(member.unseen_from)
    wanted = np.ones(len(days), dtype=bool) if allow_in_sample else ~in_sample
    if not wanted.all():
        no_forecast[member.kind] = Reason(ReasonKey.HAS_SEEN_SOME, {"model_id": member.model_id, "first_day": iso(member.unseen_from)})
    try:
        for place, part, usual in parts:
            kept = wanted[place]
            if kept.all():
                probability[place] = asked(member, known.inputs, part, usual)
            elif kept.any():
                probability[place[kept]] = asked(member, known.inputs, part.take(kept), usual[kept])
    except ModelError as error:
        no_forecast[member.kind] = of_error(error)
        probability[:] = np.nan
    return MemberForecasts(member, probability, in_sample)
