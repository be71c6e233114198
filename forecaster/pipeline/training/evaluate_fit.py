"""Evaluate a fit on held-out days: the figures that are stored with a model and shown in reports."""

from datetime import date
from typing import Any

import numpy as np

from forecaster.errors import NotTrainable
from forecaster.features.events import Events
from forecaster.models.interface import FittedModel, HasLearningCurves, History, bounded
from forecaster.pipeline.training.information_gain import gain_numbers, gain_over, levelled
from forecaster.verification import scores


def judge(model: FittedModel, inputs: Events, validation: History, fitted_from: date) -> dict[str, Any]:
    """Return {evaluation, summary} of the validation days that have a reference.

    The gain over the usual rate is split in two. `level_gain` is the gain from expecting as many target days alone. `discrimination` (with
    its 95 % interval) is what telling days apart adds.

    fitted_from: the first day that the model was fitted on.

    Raises:
        NotTrainable: the model returns something other than a probability on one of those days.
    """
    usable = np.isfinite(validation.reference)
    forecast = bounded(model.probability(inputs, validation.days, validation.reference))
    wrong = usable & ~((forecast > 0) & (forecast < 1))
    if wrong.any():
        day, value = validation.days.local_days[wrong][0], forecast[wrong][0]
        raise NotTrainable(f"{validation.recipe.id}: {model.kind} returned {value} for {day} of validation: not a probability in (0, 1)")
    evaluated = validation.take(usable)
    happened, reference, days = evaluated.happened, evaluated.reference, evaluated.days.local_days
    kept = forecast[usable]
    gain = gain_over(validation.recipe, days, happened, kept, reference)
    level = levelled(reference, kept)
    discrimination = gain_over(validation.recipe, days, happened, kept, level)
    evaluation = {
        **gain_numbers(gain),
        "level_gain": _finite(gain_over(validation.recipe, days, happened, level, reference).estimate),
        "discrimination": _finite(discrimination.estimate),
        "discrimination_low": _finite(discrimination.low),
        "discrimination_high": _finite(discrimination.high),
        "auc": _finite(scores.roc_auc(happened, kept)),
        "auc_reference": _finite(scores.roc_auc(happened, reference)),
        "brier_skill": _finite(scores.brier_skill(happened, kept, reference)),
        "calibration_ratio": _finite(scores.calibration_ratio(happened, kept)),
        "log_loss": scores.log_score(happened, kept),
        "reference_log_loss": scores.log_score(happened, reference),
        "test_days": len(days),
        "base_rate": float(happened.mean()),
        "test_first_day": str(days[0]),
        "test_last_day": str(days[-1]),
    }
    return {
        "evaluation": evaluation,
        "summary": _summary(model, happened, kept, evaluation) | {"train_start_date": fitted_from.isoformat()},
    }


def _summary(model: FittedModel, happened: np.ndarray, probability: np.ndarray, evaluation: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of the first system's summary.json, with learning curves where the model has them."""
    counted = scores.threshold_scores(happened, probability)
    curves = model.learning_curves() if isinstance(model, HasLearningCurves) else {}
    return {
        **{name: getattr(counted, name) for name in ("acc", "f1", "precision", "recall", "tp", "fn", "fp", "tn")},
        "auc": evaluation["auc"],
        **{name: list(curves.get(name, [])) for name in ("train_acc", "train_val_acc", "loss", "val_loss")},
        "train_end_date": model.last_data_day.isoformat(),
        "test_start_date": evaluation["test_first_day"],
        "test_end_date": evaluation["test_last_day"],
    }


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
