"""The models that forecast for a recipe: of each of its kinds the newest fit, else what needs no fit and comes with the package."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from forecaster.descriptions.model_kinds import Kind
from forecaster.errors import CorruptModel, ModelError
from forecaster.features.events import Events
from forecaster.features.windows import TargetDays
from forecaster.models import model_files
from forecaster.models.interface import FittedModel, MovedFromSet, OnSharedSet, TrainedInEpochs, bounded
from forecaster.models.kinds import able_kinds, generic_model, kind_named
from forecaster.models.pretrained import newest_before
from forecaster.pipeline.as_of.training_history import first_admissible_day
from forecaster.recipe import Recipe

RECENT = "recent_rate"
PACKAGED_FROM = date(2015, 1, 17)  # the first day that a set of the package may forecast


@dataclass(frozen=True)
class Member:
    """A model of one recipe, ready to forecast, and the first local day that it has not seen.

    level_only: on its validation days telling days apart gained nothing, the level was all; it is shown, and does not count.
    """

    model_id: str
    kind: str
    model: FittedModel
    unseen_from: date
    level_only: bool = False


@dataclass
class Members:
    """The members of a recipe for one day. missing: by kind, why one that should be there is not. replaced: by kind, why what needs no fit
    stands in for the newest fit. unusable: by kind that this installation cannot run, why."""

    found: list[Member]
    missing: dict[str, str]
    replaced: dict[str, str]
    unusable: dict[str, str]


def members_for(models: Path, recipe: Recipe, fits: Mapping[str, Mapping[str, Any]], day: date, first_day: date) -> Members:
    """The members that may forecast the local `day`, in the order of the recipe's kinds.

    Args:
        models: the folder of model directories.
        fits: rows of the table `model` by kind, the newest of each. first_day: of the record of target days.

    A fit that cannot be loaded, has seen too much, or has not learnt (its best state is its start) makes way for the generic model of its
    kind; where there is none, the kind is missing. A fit that is no more than a set, and no longer the one that serves, makes way, too.
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
                problem = str(error)
        _add_generic(result, recipe, kind, day, first_day, problem)
    return result


def _add_generic(result: Members, recipe: Recipe, kind: str, day: date, first_day: date, problem: str | None) -> None:
    try:
        member = generic_member(recipe, kind, day, first_day)
    except ModelError as error:
        result.missing[kind] = problem or str(error)
        return
    if member is None:
        if problem is not None:
            result.missing[kind] = problem
        elif _is_packaged(kind_named(kind)) and day >= PACKAGED_FROM:
            result.missing[kind] = f"no pre-trained {kind} for {day} is in this installation; install quakecast again"
        return
    result.found.append(member)
    if problem is not None:
        result.replaced[kind] = problem


def _is_packaged(kind: Kind) -> bool:
    """Whether the package holds sets of the kind itself, which forecast without a fit."""
    return kind.pretrained == kind.name and kind.generic is not None


def load_member(models: Path, recipe: Recipe, row: Mapping[str, Any]) -> Member:
    """The stored model of a row of the table `model`.

    Raises:
        CorruptModel: it is not there, or cannot be trusted.
    """
    if "directory" not in row:
        raise CorruptModel(f"{row['model_id']} is not in the table of models; choose another (quakecast models promote) or train again")
    return stored_member(model_files.load_model(models / row["directory"], recipe), recipe)


def stored_member(stored: model_files.StoredModel, recipe: Recipe) -> Member:
    """The member of a checked model directory.

    A kind whose skill no pooled days have shown counts only where its own validation days show that it tells days apart, by the whole
    interval. What the level alone gains makes nobody a member.
    """
    evaluation = (stored.record.get("scores") or {}).get("evaluation") or {}
    low = evaluation.get("discrimination_low")
    kind = kind_named(stored.model.kind)
    shown = kind.proven or not kind.member or (low is not None and low > 0)
    return replace(member_of(stored.model_id, stored.model, recipe), level_only=not shown)


def member_of(model_id: str, model: FittedModel, recipe: Recipe) -> Member:
    """The model with the first day that it may forecast, as `history.check_admissible` has it."""
    return Member(model_id, model.kind, model, first_admissible_day(model, recipe))


def generic_member(recipe: Recipe, kind: str, day: date, first_day: date) -> Member | None:
    """What forecasts `day` without a fit: ETAS with pooled parameters, the newest pre-trained set that has not seen it. None where the kind
    needs a fit, or nothing is old enough. `first_day`: of the record of target days.

    Raises:
        CorruptModel: a set of the package is not what its record says.
    """
    model = generic_model(kind, recipe, day, first_day)
    if model is None:
        return None
    member = member_of(f"{recipe.id}-{kind}-generic-{model.last_data_day:%Y%m%d}", model, recipe)
    return member if day >= member.unseen_from else None


def kinds_of(recipe: Recipe) -> tuple[str, ...]:
    """The kinds of a recipe's members: the recent rate, and what the recipe names but for kinds that know no earthquakes so small."""
    return (RECENT, *(kind for kind in able_kinds(recipe) if kind != RECENT))


def unusable_kinds(recipes: Iterable[Recipe]) -> dict[str, str]:
    """By kind of these recipes that this installation cannot run, why: no fault of a run, and the same in every one."""
    kinds = dict.fromkeys(kind for recipe in recipes for kind in kinds_of(recipe))
    return {kind: reason for kind in kinds if (reason := kind_named(kind).unusable()) is not None}


def members_named(
    models: Path, recipe: Recipe, ids: Mapping[str, str], rows: Iterable[Mapping[str, Any]], day: date, first_day: date
) -> list[Member]:
    """The members of these ids (by kind), stored (among `rows` of the table `model`) or generic ones; days as for `members_for`.

    Raises:
        ModelError: one of them is not there any more.
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
    """float64 (n,): what a member says of these days, held away from 0 and 1; NaN where the reference is NaN.

    Raises:
        CorruptModel: it gives something else than a probability.
    """
    said = bounded(member.model.probability(inputs, days, reference))
    wrong = np.isfinite(reference) & ~((said > 0) & (said < 1))
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise CorruptModel(no_probability(member.model_id, float(said[first]), days.local_days[first]))
    return said


def no_probability(model_id: str, said: float, day: np.datetime64) -> str:
    """What is told of a model that gives anything but a number between 0 and 1."""
    return f"{model_id} returned {said} for {day}: not a probability in (0, 1); train again"


def has_learnt(model: FittedModel) -> bool:
    """Whether training made the model better than its start was; models that are not trained in steps have."""
    training = model.training if isinstance(model, TrainedInEpochs) else None
    return training is None or training.get("best_epoch") != 0


def untrained(model: FittedModel) -> str | None:
    """What is said of a network that has not learnt; None of every other model."""
    training = model.training if isinstance(model, TrainedInEpochs) else None
    if training is None or has_learnt(model):
        return None
    epochs = training.get("epochs", 0)
    return f"untrained: its best state is its start, after {epochs} epochs; allow more time (quakecast train --max-minutes)"


def _another_serves(member: Member, day: date) -> bool:
    """Whether a fit holds nothing of its own but a pre-trained set, and another one serves the day: a newer one, or, after a roll-back,
    an older one."""
    sets = kind_named(member.kind).pretrained
    model = member.model
    if sets is None or (isinstance(model, MovedFromSet) and not model.as_the_worlds):
        return False
    found = newest_before(sets, day)
    held_until = model.pretrained.data_until if isinstance(model, OnSharedSet) else model.last_data_day
    return found is not None and found.data_until != held_until


def _unfit(member: Member, recipe: Recipe, day: date) -> str | None:
    if day < member.unseen_from:
        until = member.model.last_data_day
        return f"{member.model_id} has seen days up to {until} and may forecast from {member.unseen_from} on, not {day}"
    reason = untrained(member.model)
    return None if reason is None else f"{member.model_id} is {reason}"
