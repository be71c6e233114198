"""Models that need no time to fit, in the places of real kinds: `etas` follows the sign of `tests.support.tiny`, `pooled` says one rate.

The weights of the combination are those that were never learnt, whatever the package holds: of etas and the hybrid a half each.
"""

import json
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from forecaster.errors import CorruptModel, NotTrainable
from forecaster.features.events import Events
from forecaster.features.windows import TargetDays, pairs_between
from forecaster.models import model_files
from forecaster.models.interface import FittedModel, History
from forecaster.publishing_rule import weights
from forecaster.recipe import Recipe
from forecaster.registry.model_kinds import KINDS
from forecaster.timewindow import DAY_US

SIGN = 5.5
FILE = "numbers.json"
fitted_on: list[History] = []


@dataclass(frozen=True)
class Toy:
    """Says `high` where an earthquake of M >= 5.5 was known of the 24 hours before the issue, else `low`."""

    kind: str
    high: float
    low: float
    last_data_day: date
    training: dict[str, Any] | None = None

    def probability(self, inputs: Events, days: TargetDays, reference: np.ndarray) -> np.ndarray:
        signs = inputs.take(inputs.magnitude >= SIGN)
        span, index = pairs_between(signs.origin_time_us, days.cut_us - DAY_US, days.cut_us)
        span = span[(signs.known_at_us[index] <= days.cut_us[span]) & (days.cut_us[span] < signs.known_until_us[index])]
        return np.where(np.bincount(span, minlength=len(days)) > 0, self.high, self.low)

    def save(self, folder: Path) -> dict[str, Any]:
        (folder / FILE).write_text(json.dumps([self.high, self.low]), encoding="utf-8")
        return {"kind": self.kind, "last_data_day": self.last_data_day.isoformat(), "training": self.training}

    def simulated(self, inputs: Events, days: TargetDays, reference: np.ndarray, rng: Any, runs: int) -> np.ndarray:
        return np.tile(np.arange(runs) % 4, (len(days), 1))

    def expected_count(self, inputs: Events, days: TargetDays, reference: np.ndarray) -> np.ndarray:
        return np.full(len(days), 0.5)


def fit_follower(history: History, *, seed: int | None = None, max_minutes: float | None = None) -> Toy:
    return _fit("etas", history, 0.98, 0.02)


def fit_rate(history: History, *, seed: int | None = None, max_minutes: float | None = None) -> Toy:
    rate = float(history.happened.mean())
    return _fit("pooled", history, rate, rate)


def fit_nothing(history: History, *, seed: int | None = None, max_minutes: float | None = None) -> Toy:
    raise NotTrainable(f"{history.recipe.id}: the hybrid is not in the mood")


def load(folder: Path, record: dict[str, Any], recipe: Recipe) -> Toy:
    try:
        high, low = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return Toy(record["kind"], high, low, date.fromisoformat(record["last_data_day"]), record["training"])
    except (KeyError, ValueError) as error:
        raise CorruptModel(f"{folder}: not a toy ({error})") from error


def generic_follower(recipe: Recipe, day: date, first_day: date) -> Toy:
    """What stands in for `etas` without a fit, where a test asks for it: of the same sign, less sure."""
    return Toy("etas", 0.9, 0.1, first_day)


def put_in_place(patch: pytest.MonkeyPatch, *, generic: bool = False) -> None:
    """Let `etas`, `pooled`, and `hybrid`, `regional` and `cells`, which never fit, be toys while the patch lasts; `generic`: etas needs
    no fit."""
    fitters = {"etas": "fit_follower", "pooled": "fit_rate"} | dict.fromkeys(("hybrid", "regional", "cells"), "fit_nothing")
    for name, fitter in fitters.items():
        stand_in = "generic_follower" if generic and name == "etas" else None
        toy = replace(KINDS[name], module="tests.support.toy_models", fitter=fitter, generic=stand_in, version=1, pretrained=None)
        patch.setitem(KINDS, name, replace(toy, reference=False, by_region=False))
    keep_weights_unlearnt(patch)


def keep_weights_unlearnt(patch: pytest.MonkeyPatch) -> None:
    """Let the package hold no weights as long as the patch lasts."""
    patch.setattr(weights, "newest_before", lambda *_: None)


def save(models: Path, recipe: Recipe, model: FittedModel, **options: Any) -> model_files.StoredModel:
    """Pack a model, put it in its place under `models`, and load it from there."""
    _, files = model_files.pack_model(recipe, model, **({"seed": 1, "code_version": "0"} | options))
    return model_files.load_model(model_files.place_model(models, files), recipe)


def _fit(kind: str, history: History, high: float, low: float) -> Toy:
    if not history.happened.any():
        raise NotTrainable(f"{history.recipe.id}: no target day among {len(history.days)} days")
    fitted_on.append(history)
    return Toy(kind, high, low, history.days.local_days[-1].astype("datetime64[D]").item())
