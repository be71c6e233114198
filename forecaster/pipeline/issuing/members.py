"""The models that forecast for a recipe: for each of its kinds the newest fit, else a packaged model that needs no fit."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from forecaster.errors import CorruptModel, ModelError
from forecaster.features.events import Events
from forecaster.features.windows import TargetDays
from forecaster.models import model_files
from forecaster.models.fit_and_load import able_kinds, generic_model, kind_named
from forecaster.models.interface import FittedModel, MovedFromSet, OnSharedSet, TrainedInEpochs, bounded
from forecaster.models.pretrained import newest_before
from forecaster.pipeline.as_of.training_history import first_admissible_day
from forecaster.recipe import Recipe
from forecaster.registry.model_kinds import Kind
from forecaster.registry.reasons import Reason, ReasonKey, iso, of_error, other

RECENT = "recent_rate"
PACKAGED_FROM = date(2015, 1, 17)  # the first day that a packaged set may forecast


@dataclass(frozen=True)
class Member:
    """A model of one recipe, ready to forecast, and the first local day that it has not seen.

    level_only: on the validation days it gained nothing by telling days apart, only by its level; it is shown, and has no weight.
    """

    model_id: str
    kind: str
    model: FittedModel
    unseen_from: date
    level_only: bool = False


@dataclass
class Members:
    """The members of a recipe for one day.

    missing: by kind, why an expected member is absent. replaced: by kind, why a packaged model is used instead of the newest fit.
    unusable: by kind that this installation cannot run, why.
    """

    found: list[Member]
    missing: dict[str, Reason]
    replaced: dict[str, Reason]
    unusable: dict[str, Reason]


def members_for(models: Path, recipe: Recipe, fits: Mapping[str, Mapping[str, Any]], day: date, first_day: date) -> Members:
    """Return the members that may forecast the local `day`, in the order of the recipe's kinds.

    Args:
        models: the folder of model directories.
        fits: rows of the table `model` by kind, the newest of each.
        first_day: the first day of the record of target days.

    The generic model of a kind replaces a fit that cannot be loaded, has seen too much, or has not learnt (its best state is its start).
    Where there is no generic model, the kind is missing. A fit that only copies a pre-trained set is also replaced once another set serves.
    """
    unusable = unusable_kinds([recipe])
    result = Members([], {}, {}, unusable)
    for kind in kinds_of(recipe):
        if kind in unusable:
            continue
        problem = None
        if kind in fits:
            try:
                member = load_member(models, recipe, fits[kind])
                problem = _unfit(member, recipe, day)
                if problem is None and _another_serves(member, day):
                    _add_generic(result, recipe, kind, day, first_day, None)
                    continue
                if problem is None:
                    result.found.append(member)
                    continue
            except ModelError as error:
                problem = of_error(error)
        _add_generic(result, recipe, kind, day, first_day, problem)
    return result


def _add_generic(result: Members, recipe: Recipe, kind: str, day: date, first_day: date, problem: Reason | None) -> None:
    try:
        member = generic_member(recipe, kind, day, first_day)
    except ModelError as error:
        result.missing[kind] = problem or of_error(error)
        return
    if member is None:
        if problem is not None:
            result.missing[kind] = problem
        elif _is_packaged(kind_named(kind)) and day >= PACKAGED_FROM:
            result.missing[kind] = Reason(ReasonKey.NOT_PACKAGED, {"kind": kind, "day": iso(day)})
        return
    result.found.append(member)
    if problem is not None:
        result.replaced[kind] = problem


def _is_packaged(kind: Kind) -> bool:
    """Whether the package holds sets of this kind, which forecast without a fit."""
    return kind.pretrained == kind.name and kind.generic is not None


def load_member(models: Path, recipe: Recipe, row: Mapping[str, Any]) -> Member:
    """Load the stored model of a row of the table `model`.

    Raises:
        CorruptModel: the model is missing or fails its checks.
    """
    if "directory" not in row:
        raise CorruptModel(f"{row['model_id']} is not in the table of models; choose another (quakecast models promote) or train again")
    return stored_member(model_files.load_model(models / row["directory"], recipe), recipe)


def stored_member(stored: model_files.StoredModel, recipe: Recipe) -> Member:
    """Build the member of a checked model directory.

    For a kind whose skill has not been shown on pooled days, the member counts only if its own validation days show, by the whole
    interval, that it tells days apart. A gain in level alone does not give a member weight.
    """
    evaluation = (stored.record.get("scores") or {}).get("evaluation") or {}
    low = evaluation.get("discrimination_low")
    kind = kind_named(stored.model.kind)
    shown = kind.proven or not kind.member or (low is not None and low > 0)
    return replace(member_of(stored.model_id, stored.model, recipe), level_only=not shown)


def member_of(model_id: str, model: FittedModel, recipe: Recipe) -> Member:
    """Return the model as a member, with the first day that it may forecast under `history.check_admissible`."""
    return Member(model_id, model.kind, model, first_admissible_day(model, recipe))


def generic_member(recipe: Recipe, kind: str, day: date, first_day: date) -> Member | None:
    """Return the model that forecasts `day` without a fit: ETAS with pooled parameters, or the newest pre-trained set that has not seen it.

    `first_day`: the first day of the record of target days. None where the kind needs a fit, or no set is old enough.

    Raises:
        CorruptModel: a packaged set does not match its record.
    """
    model = generic_model(kind, recipe, day, first_day)
    if model is None:
        return None
    member = member_of(f"{recipe.id}-{kind}-generic-{model.last_data_day:%Y%m%d}", model, recipe)
    return member if day >= member.unseen_from else None


def kinds_of(recipe: Recipe) -> tuple[str, ...]:
    """Return the kinds of a recipe's members: the recent rate, and those it names except kinds unfit for such small magnitudes."""
    return (RECENT, *(kind for kind in able_kinds(recipe) if kind != RECENT))


def unusable_kinds(recipes: Iterable[Recipe]) -> dict[str, Reason]:
    """Return, by kind, why this installation cannot run it. This is no failure of a run: the reason is the same in every run."""
    kinds = dict.fromkeys(kind for recipe in recipes for kind in kinds_of(recipe))
    return {kind: other(text) for kind in kinds if (text := kind_named(kind).unusable()) is not None}


def members_named(
    models: Path, recipe: Recipe, ids: Mapping[str, str], rows: Iterable[Mapping[str, Any]], day: date, first_day: date
) -> list[Member]:
    """Load the members with these ids (by kind), stored (among `rows` of the table `model`) or generic; days as for `members_for`.

    Raises:
        ModelError: one of them no longer exists.
    """
    stored = {row["model_id"]: row for row in rows}
    found = []
    for kind, model_id in ids.items():
        member = load_member(models, recipe, stored[model_id]) if model_id in stored else generic_member(recipe, kind, day, first_day)
        if member is None or member.model_id != model_id:
            raise CorruptModel(f"{model_id} is not in this installation any more")
        found.append(member)
    return found


def asked(member: Member, inputs: Events, days: TargetDays, reference: np.ndarray) -> np.ndarray:
    """Return a member's probabilities for these days, float64 (n,), kept away from 0 and 1; NaN where the reference is NaN.

    Raises:
        CorruptModel: a value is not a probability.
    """
    forecast = bounded(member.model.probability(inputs, days, reference))
    wrong = np.isfinite(reference) & ~((forecast > 0) & (forecast < 1))
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise CorruptModel(no_probability(member.model_id, float(forecast[first]), days.local_days[first]))
    return forecast


def no_probability(model_id: str, value: float, day: np.datetime64) -> Reason:
    """Return the reason for a model that returns something other than a number between 0 and 1."""
    return Reason(ReasonKey.NO_PROBABILITY, {"model_id": model_id, "value": str(value), "day": str(day)})


def has_learnt(model: FittedModel) -> bool:
    """Whether training improved the model over its start; always true for models that are not trained in epochs."""
    training = model.training if isinstance(model, TrainedInEpochs) else None
    return training is None or training.get("best_epoch") != 0


def untrained(model: FittedModel, model_id: str | None = None) -> Reason | None:
    """Return the reason for a network that has not learnt, with its id where it has one; None for every other model."""
    training = model.training if isinstance(model, TrainedInEpochs) else None
    if training is None or has_learnt(model):
        return None
    epochs = {"epochs": training.get("epochs", 0)}
    return Reason(ReasonKey.UNTRAINED, epochs) if model_id is None else Reason(ReasonKey.UNTRAINED_MODEL, {"model_id": model_id, **epochs})


def _another_serves(member: Member, day: date) -> bool:
    """Whether a fit only copies a pre-trained set while another set serves the day: a newer one or, after a roll-back, an older one."""
    sets = kind_named(member.kind).pretrained
    model = member.model
    if sets is None or (isinstance(model, MovedFromSet) and not model.as_the_worlds):
        return False
    found = newest_before(sets, day)
    held_until = model.pretrained.data_until if isinstance(model, OnSharedSet) else model.last_data_day
    return found is not None and found.data_until != held_until


def _unfit(member: Member, recipe: Recipe, day: date) -> Reason | None:
    if day < member.unseen_from:
        days = {"until": iso(member.model.last_data_day), "first_day": iso(member.unseen_from), "day": iso(day)}
        return Reason(ReasonKey.HAS_SEEN_UNTIL, {"model_id": member.model_id, **days})
    return untrained(member.model, member.model_id)
