"""Fit the ConvLSTM of each recipe: once to be judged on days it never saw, once to serve; then decide what is published."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecaster.clock import Clock
from forecaster.errors import NotScoreable, NotTrainable
from forecaster.models import climatology
from forecaster.models.base import Dataset, dataset_from_events
from forecaster.models.spans import evaluation_spans
from forecaster.pipeline.gain import gain_over_reference
from forecaster.pipeline.known import Known, labelled_days, load_known
from forecaster.recipe import Recipe
from forecaster.settings import Settings, code_version
from forecaster.store import catalogue, ledger
from forecaster.store.database import Store
from forecaster.timewindow import from_us, local_day
from forecaster.verification import scores
from forecaster.verification.intervals import Interval

if TYPE_CHECKING:
    from forecaster.models.convlstm_training import Epoch, Fitted

log = logging.getLogger(__name__)

RETRAIN_AFTER = timedelta(days=7)
EVALUATION_SHARE = 0.5  # of a recipe's minutes; the served fit has the rest
FEWEST_MINUTES = 0.1
MOST_UNDEFINED = 0.05  # share of resamples without a target day, above which an interval rests on too few events to publish by

Progress = Callable[[int, int | None, str], None]


@dataclass(frozen=True)
class TrainOptions:
    """Limits of a training run. `max_minutes` and `max_epochs` are per recipe, `total_minutes` for all of them together."""

    max_minutes: float | None = None
    max_epochs: int | None = None
    evaluate_only: bool = False
    tensorboard: Path | None = None
    total_minutes: float | None = None


@dataclass
class TrainResult:
    """Per recipe what came of it: the model and the decision, or why there is none."""

    trained: dict[str, dict] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


def due(store: Store, recipes: list[Recipe], clock: Clock) -> list[str]:
    """Ids of the recipes without a model of their present recipe, or with one older than a week; those meant to be relied on first."""
    until = data_until(store, clock)
    with store.transaction() as connection:
        models = {recipe.id: ledger.serving_model(connection, recipe.id, recipe.recipe_hash, until) for recipe in recipes}
    wanted = [recipe for recipe in recipes if (model := models[recipe.id]) is None or until - model["data_as_of"] >= RETRAIN_AFTER]
    return [recipe.id for recipe in sorted(wanted, key=lambda recipe: recipe.comparison_only is not None)]


def data_until(store: Store, clock: Clock) -> datetime:
    """What a model trained now may claim to know: the clock's time, or where the last reading ended if that is earlier."""
    with store.transaction() as connection:
        coverage = catalogue.read_coverage(connection)
    return clock.now() if coverage.empty else min(clock.now(), coverage["span_end"].max().to_pydatetime())


def train_recipes(
    store: Store, recipes: list[Recipe], settings: Settings, clock: Clock, options: TrainOptions, on_progress: Progress | None = None
) -> TrainResult:
    """Train these recipes one after the other; one that cannot be trained does not stop the others.

    Each model is stored with its evaluation and the decision whether it is published. A failed fit leaves the old model in place.
    """
    known = load_known(store, data_until(store, clock))
    started = time.monotonic()
    result = TrainResult()
    for done, recipe in enumerate(recipes):
        minutes = _minutes(recipe, options, (time.monotonic() - started) / 60)
        if minutes is not None and minutes < FEWEST_MINUTES:
            result.skipped[recipe.id] = f"not trained: the {options.total_minutes:g} minutes of this run were used up; train it by itself"
            continue
        tell = _teller(on_progress, done, len(recipes), recipe.id)
        try:
            result.trained[recipe.id] = train_recipe(store, recipe, settings, known, options, minutes, tell)
        except (NotScoreable, NotTrainable) as error:
            result.skipped[recipe.id] = str(error)
        if on_progress is not None:
            on_progress(done + 1, len(recipes), recipe.id)
    return result


def train_recipe(
    store: Store,
    recipe: Recipe,
    settings: Settings,
    known: Known,
    options: TrainOptions,
    minutes: float | None,
    tell: Callable[[str, "Epoch"], None],
) -> dict:
    """Fit, judge, store and decide for one recipe; returns the row of table `model` (or the evaluation alone, with `evaluate_only`).

    Raises:
        NotScoreable: the catalogue has not been read for this recipe.
        NotTrainable: too few target days.
    """
    from forecaster.models import convlstm_training, registry

    dataset = training_set(recipe, known)
    logs = options.tensorboard / recipe.id if options.tensorboard else None
    share = None if minutes is None else minutes * (1.0 if options.evaluate_only else EVALUATION_SHARE)
    judged = convlstm_training.fit_evaluation(
        dataset,
        max_minutes=share,
        max_epochs=options.max_epochs,
        on_epoch=lambda epoch: tell("evaluation", epoch),
        tensorboard_dir=logs / "evaluation" if logs else None,
    )
    evaluation = evaluate(judged, recipe)
    if options.evaluate_only:
        return {"evaluation": evaluation, "losses": judged.losses, "epochs": judged.epochs, "decision": _words(evaluation)}
    cut = judged.reason in ("budget", "max_epochs")
    served = convlstm_training.fit_served(
        dataset,
        max_minutes=None if share is None or minutes is None else minutes - share,
        max_epochs=judged.epochs if cut else options.max_epochs,
        on_epoch=lambda epoch: tell("served", epoch),
        tensorboard_dir=logs / "served" if logs else None,
    )
    gain = _gain(served.predictions, "validation", recipe, probability="corrected")
    champion = bool(gain.undefined_share <= MOST_UNDEFINED and np.isfinite(gain.low) and gain.low > 0)
    decision = _decision(champion, gain)
    details = {
        "evaluation": evaluation,
        "summary": _summary(judged, dataset),
        "losses": {"before": served.loss_before, "after": served.loss_after, "reference": served.losses["validation"]["reference"]},
        "epochs": served.epochs,
        "reason": served.reason,
        "evaluation_epochs": judged.epochs,
        "evaluation_reason": judged.reason,
        "validation_gain": _numbers(gain),
    }
    model = registry.save_model(
        settings.models,
        recipe,
        served,
        data_as_of=known.as_of,
        local_days=dataset.days.local_days,
        code_version=code_version(),
        scores=details,
    )
    row = {
        "model_id": model.model_id,
        "recipe_id": recipe.id,
        "kind": registry.KIND,
        "recipe_hash": recipe.recipe_hash,
        "directory": model.directory.relative_to(settings.models).as_posix(),
        "data_as_of": known.as_of,
        "champion": champion,
        "decision": decision,
        "details": model.record["scores"],
        "created_at": known.as_of,
        "code_version": code_version(),
    }
    with store.transaction() as connection:
        ledger.add_model(connection, row)
    return row


def training_set(recipe: Recipe, known: Known) -> Dataset:
    """All target days whose outcome was final at `known.as_of`, with the reference that each could have had at its own issue time.

    Raises:
        NotScoreable: the catalogue has not been read for this recipe, or for less than the year that a reference needs.
        NotTrainable: what is fitted could not be judged: a span has no target day with a reference.
    """
    labelled = labelled_days(recipe, known)
    days = labelled.days
    reference = np.full(len(days), np.nan)
    first = np.searchsorted(days.cut_us, climatology.earliest_issue_us(days.target_ends_us))
    reference[first:] = climatology.daily_probability(
        labelled.happened, days.target_starts_us, days.target_ends_us, days.cut_us[int(first) :]
    )
    dataset = dataset_from_events(recipe, known.inputs, days, labelled.happened, reference)
    spans = evaluation_spans(dataset.happened, recipe)
    for name, span in (("validation", spans.validation), ("test", spans.test)):
        if span is None or not (dataset.happened & np.isfinite(reference))[span.slice].any():
            raise NotTrainable(
                f"{recipe.id}: no target day of the {name} span has a usual rate to be judged against, which needs a year of settled days "
                f"before it; {len(days)} settled days are too few, read an earlier start of the catalogue"
            )
    return dataset


def evaluate(fitted: "Fitted", recipe: Recipe) -> dict:
    """Skill on the test span, against climatology, on the days that have a reference."""
    rows = _span(fitted.predictions, "test")
    happened, said, reference = _columns(rows)
    gain = _gain(fitted.predictions, "test", recipe)
    return {
        **_numbers(gain),
        "auc": _finite(scores.roc_auc(happened, said)),
        "auc_reference": _finite(scores.roc_auc(happened, reference)),
        "brier_skill": _finite(scores.brier_skill(happened, said, reference)),
        "calibration_ratio": _finite(scores.calibration_ratio(happened, said)),
        "test_days": len(rows),
        "target_days": int(happened.sum()),
        "base_rate": float(happened.mean()),
        "test_first_day": local_day(from_us(rows["target_start_us"].iloc[0]), recipe.zone).isoformat(),
        "test_last_day": local_day(from_us(rows["target_start_us"].iloc[-1]), recipe.zone).isoformat(),
    }


def _minutes(recipe: Recipe, options: TrainOptions, used: float) -> float | None:
    """Minutes for one recipe; None where `max_epochs` alone is to decide."""
    own = options.max_minutes if options.max_minutes is not None else recipe.max_minutes
    if options.max_epochs is not None and options.max_minutes is None:
        return None
    return own if options.total_minutes is None else min(own, options.total_minutes - used)


def _span(predictions: pd.DataFrame, name: str) -> pd.DataFrame:
    return predictions[(predictions["span"] == name) & predictions["reference"].notna()]


def _columns(rows: pd.DataFrame, probability: str = "probability") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return rows["happened"].to_numpy(dtype=bool), rows[probability].to_numpy(), rows["reference"].to_numpy()


def _gain(predictions: pd.DataFrame, name: str, recipe: Recipe, probability: str = "probability") -> Interval:
    """Information gain over climatology on a span. The calibration is fitted on a later span than validation: judge that by "corrected"."""
    rows = _span(predictions, name)
    happened, said, reference = _columns(rows, probability)
    return gain_over_reference(recipe, map(from_us, rows["target_start_us"]), happened, said, reference)


def _numbers(gain: Interval) -> dict:
    return {"information_gain": _finite(gain.estimate), "low": _finite(gain.low), "high": _finite(gain.high)}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _decision(champion: bool, gain: Interval) -> str:
    measured = f"{gain.estimate:+.3f} nats per target day over climatology (95 % {gain.low:+.3f} to {gain.high:+.3f}, validation span)"
    return f"ConvLSTM published: {measured}" if champion else f"climatology stays published: the ConvLSTM has {measured}"


def _words(evaluation: dict) -> str:
    if evaluation["information_gain"] is None:
        return "test span without a target day"
    gain, low, high = (evaluation[name] for name in ("information_gain", "low", "high"))
    auc = evaluation["auc"]
    return f"test span: {gain:+.3f} nats per target day over climatology (95 % {low:+.3f} to {high:+.3f}), AUC {auc:.3f}"


def _summary(fitted: "Fitted", dataset: Dataset) -> dict:
    """Fields of the first system's summary.json, from the evaluation fit."""
    rows = fitted.predictions[fitted.predictions["span"] == "test"]
    counted = scores.threshold_scores(rows["happened"].to_numpy(dtype=bool), rows["probability"].to_numpy())
    spans = fitted.spans.dated(dataset.days.local_days)
    later = [epoch for epoch in fitted.history if epoch.epoch > 0]
    return {
        **{name: getattr(counted, name) for name in ("acc", "f1", "precision", "recall", "tp", "fn", "fp", "tn")},
        "auc": _finite(scores.roc_auc(rows["happened"].to_numpy(dtype=bool), rows["probability"].to_numpy())),
        "train_acc": [epoch.train_accuracy for epoch in later],
        "train_val_acc": [epoch.validation_accuracy for epoch in later],
        "loss": [epoch.train_loss for epoch in later],
        "val_loss": [epoch.validation_loss for epoch in later],
        "train_start_date": spans["train"]["first_day"],
        "train_end_date": spans["train"]["last_day"],
        "test_start_date": spans["test"]["first_day"],
        "test_end_date": spans["test"]["last_day"],
    }


def _teller(on_progress: Progress | None, done: int, total: int, recipe_id: str) -> Callable[[str, "Epoch"], None]:
    def tell(fit: str, epoch: "Epoch") -> None:
        text = f"{recipe_id}, {fit} fit, epoch {epoch.epoch}: validation loss {epoch.validation_loss:.4f}"
        log.info("%s", text)
        if on_progress is not None:
            on_progress(done, total, text)

    return tell
