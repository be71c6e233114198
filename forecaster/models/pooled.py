"""Pooled trees: one model for every circle on Earth, learned from hundreds of them (`pooled_training`).

The trunk is an intensity linear in decayed counts (`pooled_intensity`); gradient-boosted trees (XGBoost, Chen and Guestrin 2016,
doi:10.1145/2939672.2939785) start from its logit and add what it misses. Both come with the package, pre-trained; for a recipe nothing
is trained or calibrated: on 2011-2017 a calibration by region lost. XGBoost is imported at the first forecast.
"""

import json
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from forecaster.errors import CorruptModel, NotTrainable
from forecaster.features.decayed_counts import CountSettings, decayed_counts
from forecaster.features.events import Events
from forecaster.features.windows import TargetDays
from forecaster.models.base import History, logit
from forecaster.models.pooled_intensity import Intensity, rate_of
from forecaster.models.pretrained import Pretrained, first_day_after, newest_before, of_data_until
from forecaster.recipe import Recipe

KIND = "pooled"
TREES_FILE = "trees.ubj"
INTENSITY_FILE = "intensity.json"
COUNTS = CountSettings(ring_edges=(1.0, 2.0, 4.0), exponents=(0.0, 0.5, 1.0), taus_days=(0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0))
TREE_TAUS_DAYS = (1.0, 10.0, 30.0, 100.0)
HALF_COUNT = 0.5


@dataclass(frozen=True)
class PooledModel:
    """The pooled trees for one recipe."""

    recipe: Recipe
    pretrained: Pretrained
    kind: str = KIND

    @property
    def last_data_day(self) -> date:
        """The last UTC day of which anything entered the training."""
        return self.pretrained.data_until

    def probability(self, inputs: Events, days: TargetDays, reference: np.ndarray) -> np.ndarray:
        """float64 (n,): probability of the target on each day, from what was known at its cut; NaN where the reference is NaN."""
        return pooled_probability(self.pretrained, inputs, self.recipe, days, reference)

    def save(self, folder: Path) -> dict[str, Any]:
        """The record that `load` needs; the trees stay in the package, nothing is written."""
        return {"kind": self.kind, "data_until": self.last_data_day.isoformat(), "sha256": self.pretrained.sha256}


def fit(history: History, *, seed: int | None = None, max_minutes: float | None = None) -> PooledModel:
    """The newest artefact that has seen nothing after the last day of `history`. Nothing is drawn and nothing takes long: `seed` and
    `max_minutes` play no part.

    Raises:
        NotTrainable: every artefact has seen later days, or the targets are windows of several days, which the pool has none of.
    """
    last_day = history.days.local_days[-1].item()
    if history.recipe.predict_range_days != 1:
        raise NotTrainable(
            f"{history.recipe.id}: predict_range_days = {history.recipe.predict_range_days}: the pooled model knows single days; use etas"
        )
    pretrained = newest_before(KIND, first_day_after(last_day))
    if pretrained is None:
        raise NotTrainable(
            f"{history.recipe.id}: no pre-trained pooled model ends by {last_day}; fit on a later history, or train one "
            "(deployments/data/pretrain_pooled.py)"
        )
    return PooledModel(history.recipe, pretrained)


def load(folder: Path, record: dict[str, Any], recipe: Recipe) -> PooledModel:
    """The model of a record that `save` gave.

    Raises:
        CorruptModel: the record is none of ours, or its artefact is not in this installation.
    """
    try:
        until, sha256 = date.fromisoformat(record["data_until"]), record["sha256"]
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptModel(f"{folder}: no record of a pooled model ({error!r}); train again") from error
    pretrained = of_data_until(KIND, until)
    if pretrained.sha256 != sha256:
        raise CorruptModel(f"{folder}: made from other trees than the {KIND}-{until} of this installation; train again")
    return PooledModel(recipe, pretrained)


def pooled_probability(pretrained: Pretrained, inputs: Events, recipe: Recipe, days: TargetDays, reference: np.ndarray) -> np.ndarray:
    """float64 (n,): what the artefact says of these days, uncalibrated; NaN where the reference is NaN.

    Raises:
        CorruptModel: its files are no model of ours.
    """
    intensity, trees = _content(pretrained.folder, pretrained.sha256)
    counts = decayed_counts(inputs, recipe, days, COUNTS)
    found = np.full(len(days), np.nan)
    known = np.isfinite(reference)
    if known.any():
        found[known] = boosted(trees, intensity, counts[known], reference[known])
    return found


def boosted(trees: Any, intensity: Intensity, counts: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """float64 (n,): the probability of the intensity, corrected by the trees (an XGBoost `Booster`)."""
    import xgboost

    trunk = intensity.probability(counts, reference)
    matrix = xgboost.DMatrix(tree_features(counts, reference, trunk), base_margin=logit(trunk), nthread=1)
    return np.asarray(trees.predict(matrix), dtype=np.float64)


def tree_features(counts: np.ndarray, reference: np.ndarray, trunk: np.ndarray) -> np.ndarray:
    """float32 (n, 37), what the trees see of days with `counts` (n, 72), the reference's and the trunk's probabilities (n,).

    For the time constants of 1, 10, 30 and 100 days: log((S + 1/2) / (lambda tau + 1/2)), each sum against what the usual rate of targets
    alone would give; then how much the trunk's logit lies above the reference's. No place, no absolute rate: nothing to know a circle by.
    """
    rate = rate_of(reference)
    shape = (len(counts), len(COUNTS.taus_days), -1)
    kept = [COUNTS.taus_days.index(tau) for tau in TREE_TAUS_DAYS]
    sums = counts.reshape(shape)[:, kept].astype(np.float64)
    usual = rate[:, None, None] * np.array(TREE_TAUS_DAYS)[None, :, None]
    ratios = np.log((sums + HALF_COUNT) / (usual + HALF_COUNT)).reshape(len(counts), -1)
    return np.column_stack([ratios, logit(trunk) - logit(reference)]).astype(np.float32)


@lru_cache(maxsize=4)
def _content(folder: Path, sha256: str) -> tuple[Intensity, Any]:
    """Intensity and trees of an artefact whose files were checked; `sha256` makes another training another entry."""
    import xgboost

    try:
        numbers = json.loads((folder / INTENSITY_FILE).read_text(encoding="utf-8"))
        intensity = Intensity(float(numbers["background"]), np.array(numbers["coefficients"], dtype=np.float64))
        trees = xgboost.Booster()
        trees.load_model(bytearray((folder / TREES_FILE).read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, xgboost.core.XGBoostError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CorruptModel(f"{folder} holds no pooled trees ({reason}); install quakecast again") from error
    if intensity.coefficients.shape != (len(COUNTS.names),) or numbers.get("columns") != list(COUNTS.names):
        raise CorruptModel(f"{folder}: its counts are not those of this version ({len(COUNTS.names)}); install quakecast again")
    trees.set_param({"nthread": 1})
    return intensity, trees
