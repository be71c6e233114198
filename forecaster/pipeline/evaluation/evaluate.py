"""Evaluate models on past days, with rolling origin, for any span, recipes and models. Each (arm, recipe, year, model) is stored, so that a
run can be resumed.

Outcomes are always those of the final catalogue. A model is not used for a target if its data include the target day, later days, or days
within a purge before it. There is one exception: the delay curves that thin the inputs of the experiments (arms) B and C before 2022-05
were measured on 2022-2023.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from forecaster.errors import ModelError, NotScoreable, NotTrainable
from forecaster.models import service_periods
from forecaster.models.fit_and_load import FittableKind, kind_named
from forecaster.models.interface import FittedModel
from forecaster.pipeline.as_of.as_known import Known
from forecaster.pipeline.as_of.training_history import check_admissible
from forecaster.pipeline.evaluation.evaluate_plan import Arm, EvaluateOptions, FitPlan, check_plan, plan_fits
from forecaster.pipeline.evaluation.evaluate_results import Part, ResultFolder, arrays_sha256, events_sha256, sha256_of
from forecaster.pipeline.evaluation.evaluate_rungs import evaluate_rungs
from forecaster.pipeline.evaluation.evaluate_world import World
from forecaster.pipeline.issuing.members import untrained
from forecaster.recipe import Recipe

log = logging.getLogger(__name__)

FORMAT = 1  # of the stored rows; a new value invalidates every stored result
MODE = "hindcast"
RUNGS = "rungs"  # stands in for a model's name where the ladders of a recipe cannot be evaluated

Progress = Callable[[int, int | None, str], None]


@dataclass
class EvaluateResult:
    """The parts written by this run, the parts already stored, and failures: (arm, recipe, model) -> reason."""

    written: int = 0
    reused: int = 0
    failed: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def with_those_of(self, other: "EvaluateResult") -> "EvaluateResult":
        """Return the combined result of both runs."""
        return EvaluateResult(self.written + other.written, self.reused + other.reused, self.failed | other.failed)


def evaluate(
    known: Known, recipes: Sequence[Recipe], options: EvaluateOptions, folder: ResultFolder, on_progress: Progress | None = None
) -> EvaluateResult:
    """Compute what is missing of the evaluation, one recipe at a time. A recipe that fails is recorded; the others continue.

    Only the package's pre-trained sets are used: what an installation has trained must not change a figure.

    Raises:
        BadInput: the days are in the wrong order, too close to the fit, or outside what the catalogue covers; nothing is computed then.
        NotWritable: the folder cannot be written; what was stored before stays complete.
    """
    check_plan(known, recipes, options)
    kinds = [kind_named(name) for name in options.models]
    years = range(options.first_day.year, options.last_day.year + 1)
    total = len(recipes) * len(options.arms) * len(kinds) * len(years)
    result = EvaluateResult()
    for recipe in recipes:
        try:
            world: World | None = World(recipe, known, options)
            reason = ""
        except NotScoreable as error:
            world, reason = None, str(error)
        for arm in options.arms:
            for kind in kinds:
                if on_progress is not None:
                    on_progress(result.written + result.reused, total, f"{arm.name} {recipe.id} {kind.name}")
                if world is None:
                    key = sha256_of({"recipe": recipe.recipe_hash, "reason": reason})
                    _note_failure(folder, [Part(arm.name, recipe.id, year, kind.name, key) for year in years], reason, result)
                else:
                    with service_periods.packaged_only():
                        _evaluate_model(world, arm, kind, options, folder, result)
            if world is not None:
                _add_rungs(world, arm, folder, result)
    if on_progress is not None:
        on_progress(total, total, "")
    return result


def _add_rungs(world: World, arm: Arm, folder: ResultFolder, result: EvaluateResult) -> None:
    try:
        with service_periods.packaged_only():
            evaluate_rungs(world, arm, folder)
    except NotScoreable as error:
        result.failed[arm.name, world.recipe.id, RUNGS] = str(error)


def _evaluate_model(
    world: World, arm: Arm, kind: FittableKind, options: EvaluateOptions, folder: ResultFolder, result: EvaluateResult
) -> None:
    present = sorted(set(world.years[world.chosen].tolist()))
    for fit in plan_fits(arm, kind, present):
        keys = _fit_keys(world, kind, fit, options)
        parts = {year: _part(world, arm, kind, year, keys) for year in fit.years}
        missing = [year for year in fit.years if not folder.has(parts[year])]
        for year in set(fit.years) - set(missing):
            reason = folder.failure(parts[year])
            result.reused += 1
            if reason is not None:
                result.failed[arm.name, world.recipe.id, kind.name] = reason
        if not missing:
            continue
        served = world.chosen & np.isin(world.years, fit.years)
        try:
            model = _model(world, kind, fit, keys, options, folder)
            _require_trained(model)
            _require_admissible(model, world.recipe, world.history.days.local_days[served][0])
            probability = _probability(world, arm, model, served)
        except (NotTrainable, NotScoreable, ModelError) as error:
            _note_failure(folder, [parts[year] for year in missing], str(error), result)
            continue
        for year in missing:
            folder.write_rows(parts[year], _rows(world, arm, kind, served, probability, year))
            result.written += 1


def _require_trained(model: FittedModel) -> None:
    """Reject a network that has not learnt within its minutes: its figures would not be those of a trained network.

    Raises:
        ModelError: it is untrained.
    """
    if (reason := untrained(model)) is not None:
        raise ModelError(reason)


def _require_admissible(model: FittedModel, recipe: Recipe, first_day: np.datetime64) -> None:
    """Reject a model that has seen too much to forecast `first_day`.

    Raises:
        ModelError: names the model, its last day of data, the first day that it may forecast, and what to do.
    """
    try:
        check_admissible(model, recipe, first_day)
    except NotTrainable as error:
        raise ModelError(f"refused: {error}; begin later (--from), or fit on earlier days (--fit-until)") from None


def _fit_keys(world: World, kind: FittableKind, fit: FitPlan, options: EvaluateOptions) -> dict[str, Any]:
    """Return everything that determines a fit."""
    days = world.history.until(np.datetime64(fit.until))
    last_cut = int(days.days.cut_us[-1]) if len(days.days) else 0
    return {
        "format": FORMAT,
        "kind": kind.name,
        "code": kind.fingerprint(),
        "recipe": world.recipe.recipe_hash,
        "until": fit.until.isoformat(),
        "inputs": world.inputs_sha256(fit.inputs, last_cut),
        "catalogue": events_sha256(world.training_catalogue(days)),
        "days": arrays_sha256(days.days.cut_us, days.days.target_ends_us, days.happened, days.reference),
        "seed": options.seed,
        "max_minutes": options.max_minutes,
    }


def _part(world: World, arm: Arm, kind: FittableKind, year: int, keys: dict[str, Any]) -> Part:
    days = world.history.take(world.chosen & (world.years == year))
    key = {
        "fit": keys,
        "inputs": world.inputs_sha256(arm.inputs, int(days.days.cut_us[-1])),
        "days": arrays_sha256(days.days.local_days.astype(np.int64), days.happened, days.reference),
        "status": arrays_sha256(world.status[world.chosen & (world.years == year)] == "sequence"),
    }
    return Part(arm.name, world.recipe.id, year, kind.name, sha256_of(key))


def _model(
    world: World, kind: FittableKind, fit: FitPlan, keys: dict[str, Any], options: EvaluateOptions, folder: ResultFolder
) -> FittedModel:
    def make() -> tuple[FittedModel, dict[str, Any]]:
        history = world.training(fit.inputs, fit.until)
        started, cpu = time.perf_counter(), time.process_time()
        model = kind.fit(history, seed=options.seed, max_minutes=options.max_minutes)
        note = {
            "fit_until": fit.until.isoformat(),
            "inputs": fit.inputs,
            "days": len(history.days),
            "target_days": int(history.happened.sum()),
            "seconds": round(time.perf_counter() - started, 3),
            "cpu_seconds": round(time.process_time() - cpu, 3),
            "made_by": keys,
        }
        return model, note

    return folder.fit(f"{kind.name}_{world.recipe.id}_{fit.until}_{sha256_of(keys)[:16]}", kind, world.recipe, make)


def _probability(world: World, arm: Arm, model: FittedModel, served: np.ndarray) -> np.ndarray:
    """Return the checked probabilities of the served days, float64; a value outside (0, 1) is a bug of the model, not a failed fit."""
    days = world.history.take(served)
    inputs = world.inputs(arm.inputs).known_before(int(days.days.cut_us[-1]))
    probability = np.asarray(model.probability(inputs, days.days, days.reference), dtype=np.float64)
    if probability.shape != (len(days.days),) or not ((probability >= 0) & (probability <= 1)).all():
        raise ValueError(
            f"{model.kind} for {world.recipe.id} gave {probability.shape} values, some outside 0..1, for {len(days.days)} days"
        )
    return probability


def _rows(world: World, arm: Arm, kind: FittableKind, served: np.ndarray, probability: np.ndarray, year: int) -> pd.DataFrame:
    inside = world.years[served] == year
    days = world.history.take(served).take(inside)
    return pd.DataFrame(
        {
            "arm": arm.name,
            "recipe_id": world.recipe.id,
            "model": kind.name,
            "local_day": days.days.local_days.astype("datetime64[s]"),
            "target_start": pd.to_datetime(days.days.target_starts_us, unit="us", utc=True),
            "probability": probability[inside],
            "reference": days.reference,
            "happened": days.happened,
            "status": world.status[served][inside],
            "mode": MODE,
            "inputs": arm.inputs,
        }
    )


def _note_failure(folder: ResultFolder, parts: Sequence[Part], reason: str, result: EvaluateResult) -> None:
    for part in parts:
        if folder.has(part):
            result.reused += 1
        else:
            folder.write_failure(part, reason)
            result.written += 1
        result.failed[part.arm, part.recipe_id, part.model] = reason
    log.info("%s", reason)
