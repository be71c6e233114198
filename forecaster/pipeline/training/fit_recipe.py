"""Train one recipe in two halves: a fit, which only reads and may run anywhere, and its storage by the one writing process."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from forecaster import logs
from forecaster.errors import BadInput, ModelError, NotInstalled, NotScoreable, NotTrainable, RecipeChanged
from forecaster.installed import code_version
from forecaster.models import model_files
from forecaster.models.fit_and_load import able_kinds, kind_named
from forecaster.models.interface import FittedModel, History, TellsItsTraining
from forecaster.pipeline.as_of.as_known import Known
from forecaster.pipeline.as_of.catalogue_history import load_known
from forecaster.pipeline.as_of.training_history import check_admissible, history_of, split_for_validation
from forecaster.pipeline.issuing.members import untrained
from forecaster.pipeline.training.due import verified_target_days
from forecaster.pipeline.training.evaluate_fit import judge
from forecaster.recipe import Recipe
from forecaster.settings import Settings
from forecaster.store import fits as stored_fits
from forecaster.store.database import Store
from forecaster.store.typed_rows.model_types import ModelRow

MIN_MINUTES = 0.1

Teller = Callable[[str], None]


@dataclass(frozen=True)
class TrainOptions:
    """Limits of a training run. `max_minutes` is per recipe, `total_minutes` for all recipes together.

    max_epochs: limit of each network; without `max_minutes` it replaces the recipe's time limit. tensorboard: of the first system's.
    """

    max_minutes: float | None = None
    max_epochs: int | None = None
    evaluate_only: bool = False
    tensorboard: Path | None = None
    total_minutes: float | None = None


@dataclass(frozen=True)
class PackedModel:
    """A fitted model in transportable form: its row of the table `model`, and its directory as {relative path: content}."""

    row: ModelRow
    files: dict[str, bytes]


@dataclass(frozen=True)
class RegionFit:
    """The results of a recipe's fits, not stored yet; plain values that can be sent to another process.

    models: by kind, the models to serve. failed: by kind, why one is missing. evaluated: by kind, the evaluation of its evaluation fit.
    """

    recipe_id: str
    recipe_hash: str
    as_of: datetime
    models: dict[str, PackedModel]
    failed: dict[str, str]
    evaluated: dict[str, dict[str, Any]]


@dataclass
class _Fits:
    """The results of a recipe's fits, by kind."""

    details: dict[str, dict[str, Any]] = field(default_factory=dict)
    served: dict[str, FittedModel] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def fit_region(
    source: Store,
    recipe: Recipe,
    as_of: datetime,
    options: TrainOptions,
    minutes: float | None,
    tell: Teller = lambda what: None,
    *,
    known: Known | None = None,
) -> RegionFit:
    """Fit every kind of the recipe on what was known at `as_of`, and evaluate each. Only temporary files are written.

    Args:
        source: the store to read from; it need not be the store that is written.
        minutes: for all fits together; None for no limit.
        tell: called with a line when a fit begins.
        known: the catalogue as known at `as_of`, where the caller has it already.

    Raises:
        NotScoreable: the catalogue has not been read for this recipe.
        NotTrainable: there are too few target days for an evaluation, or every kind failed.
    """
    known = load_known(source, as_of) if known is None else known
    history = history_of(recipe, known)
    fitting, validation = split_for_validation(history)
    with logs.about(recipe=recipe.id):
        fits = _fit_all(fitting, validation, history, options, minutes, tell)
    if recipe.models and not (fits.details or fits.served):
        raise NotTrainable("; ".join(f"{kind}: {reason}" for kind, reason in fits.failed.items()))
    packed = {kind: _packed(recipe, known, model, fits) for kind, model in fits.served.items()}
    return RegionFit(recipe.id, recipe.recipe_hash, as_of, packed, fits.failed, fits.details)


def store_region(store: Store, settings: Settings, recipe: Recipe, fit: RegionFit) -> dict[str, Any]:
    """Store the models of a fit; return {judged: their evaluation in words, models: rows by kind}.

    Directories are written first, then the rows in one transaction. If the process is killed in between, at most a directory without a row
    is left. Storing the same fit again changes nothing. The stored models are members of what the recipe publishes from then on.

    Raises:
        RecipeChanged: the recipe has changed since the fit; nothing is stored.
        CorruptModel: a model arrived incomplete.
        NotWritable: the models folder cannot be written.
    """
    if (fit.recipe_id, fit.recipe_hash) != (recipe.id, recipe.recipe_hash):
        raise RecipeChanged(
            f"{recipe.id}: the recipe changed while it was trained ({fit.recipe_id} {fit.recipe_hash[:12]} was fitted, it is now "
            f"{recipe.recipe_hash[:12]}); nothing of that fit is stored, it will be trained again"
        )
    rows = {kind: packed.row for kind, packed in fit.models.items()}
    for packed in fit.models.values():
        model_files.place_model(settings.models, packed.files)
    with store.transaction() as connection:
        for row in rows.values():
            stored_fits.add_model(connection, row)
    return {"judged": evaluation_words(fit.evaluated), "models": rows}


def evaluation_words(evaluated: Mapping[str, Mapping[str, Any]]) -> str:
    """Summarize in one line the evaluation of each kind on its validation days."""
    return "; ".join(f"{kind}: {_judged(details)}" for kind, details in evaluated.items()) or "nothing could be judged"


def _judged(details: Mapping[str, Any]) -> str:
    found = details.get("evaluation") or {}
    if found.get("information_gain") is None or found.get("low") is None:
        return "not judged"
    bounds = f"95 % {found['low']:+.3f} to {found['high']:+.3f}"
    parts = f"level {found['level_gain']:+.3f}, discrimination {found['discrimination']:+.3f}"
    return f"{found['information_gain']:+.3f} nats per target day over the usual rate ({bounds}; {parts})"


def _packed(recipe: Recipe, known: Known, fitted: FittedModel, fits: _Fits) -> PackedModel:
    """Pack a served fit with its row of the table `model`."""
    as_of = known.as_of
    details = {
        **fits.details.get(fitted.kind, {}),
        "known_target_days": verified_target_days(known.events, recipe, as_of),
        **({"told": fitted.told} if isinstance(fitted, TellsItsTraining) else {}),
    }
    record, files = model_files.pack_model(recipe, fitted, data_as_of=as_of, seed=recipe.seed, code_version=code_version(), scores=details)
    row: ModelRow = {
        "model_id": record["model_id"],
        "recipe_id": recipe.id,
        "kind": fitted.kind,
        "recipe_hash": recipe.recipe_hash,
        "directory": f"{recipe.id}/{record['model_id']}",
        "data_as_of": as_of,
        "decision": fits.failed.get(fitted.kind) or _judged(details),
        "details": record["scores"],
        "created_at": as_of,
        "code_version": code_version(),
    }
    return PackedModel(row, files)


def _fit_all(fitting: History, validation: History, history: History, options: TrainOptions, minutes: float | None, tell: Teller) -> _Fits:
    """Run both fits of every kind of the recipe, in its order; each gets a share of the remaining minutes."""
    recipe, fits = history.recipe, _Fits()
    kinds = able_kinds(recipe)
    for kind in kinds:
        with suppress(BadInput, NotInstalled):  # reported when the kind is fitted
            kind_named(kind).imported()  # import time of some seconds does not count as training
    deadline = None if minutes is None else time.monotonic() + 60 * minutes
    fit_count = 1 if options.evaluate_only else 2
    for done, kind in enumerate(kinds):
        if deadline is not None and time.monotonic() >= deadline:
            fits.failed[kind] = f"not fitted: the {minutes:g} minutes of {recipe.id} were used up; allow more (--max-minutes)"
            continue
        turns_left = fit_count * (len(kinds) - done)
        evaluated: FittedModel | None = None
        try:
            evaluated = _fit(kind, "evaluation", fitting, _share(deadline, turns_left), options, tell, options.max_epochs)
            _require_trained(evaluated)
            check_admissible(evaluated, recipe, validation.days.local_days[0])
            fits.details[kind] = judge(evaluated, history.inputs, validation, fitting.days.first_day)
        except (ModelError, NotScoreable, BadInput) as error:
            fits.failed[kind] = f"not judged: {error}"
        if options.evaluate_only:
            continue
        try:
            served = _fit(kind, "served", history, _share(deadline, turns_left - 1), options, tell, _epochs(options, evaluated))
            _require_trained(served)
            fits.served[kind] = served
        except (ModelError, NotScoreable, BadInput) as error:
            fits.failed[kind] = f"not fitted: {error}"
    return fits


def _fit(
    kind: str, name: str, history: History, minutes: float | None, options: TrainOptions, tell: Teller, max_epochs: int | None
) -> FittedModel:
    """Run one fit, the "evaluation" or the "served" one."""
    tell(f"{kind}, {name} fit")
    entry = kind_named(kind)
    if not entry.epochs:
        return entry.fit(history, max_minutes=minutes)
    fitter: Callable[..., FittedModel] = entry.imported().fit
    more = {}
    if entry.tensorboard and options.tensorboard:
        more["tensorboard_dir"] = options.tensorboard / history.recipe.id / name
    return fitter(
        history,
        max_minutes=minutes,
        max_epochs=max_epochs,
        on_epoch=lambda epoch: tell(f"{kind}, {name} fit, epoch {epoch.epoch}: validation loss {epoch.validation_loss:.4f}"),
        **more,
    )


def _require_trained(model: FittedModel) -> None:
    """Check that a network has learnt. An untrained one is neither evaluated nor stored, and the previous fit, if any, stays in use.

    Raises:
        NotTrainable: it has not learnt.
    """
    if (reason := untrained(model)) is not None:
        raise NotTrainable(reason)


def _epochs(options: TrainOptions, evaluated: Any) -> int | None:
    """Limit the epochs of a served network to those of the evaluated one, where a limit had stopped that one."""
    if evaluated is None or not kind_named(evaluated.kind).epochs:
        return options.max_epochs
    return evaluated.training["epochs"] if evaluated.training["reason"] in ("budget", "max_epochs") else options.max_epochs


def _share(deadline: float | None, turns_left: int) -> float | None:
    """Return the minutes for the next of `turns_left` fits; None where there is no limit.

    A fit gets about twice an equal part of the remaining time, since most fits take less than theirs. The last kind shares evenly between
    its two fits.
    """
    if deadline is None:
        return None
    part = 1 / turns_left if turns_left <= 2 else 2 / (turns_left + 1)
    return max((deadline - time.monotonic()) / 60 * part, MIN_MINUTES)
