"""Pooled trees: one model for every circle on Earth, learnt from hundreds of them (`pooled_training`).

The trunk is an intensity that is linear in decayed counts (`pooled_intensity`). Gradient-boosted trees (XGBoost, Chen and Guestrin 2016,
doi:10.1145/2939672.2939785) start from its logit and add a correction. The trunk counts shallow and deep events apart, the trees together:
on 2011-2017 the trees were worse with columns for each depth. Both come with the package, pre-trained. Nothing is trained or calibrated for
a recipe: on 2011-2017 a calibration by region made forecasts worse. XGBoost itself is needed only to train.
"""

import threading
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from forecaster.errors import CorruptModel
from forecaster.features.decayed_counts import CountSettings, counts_of_circles, decayed_counts
from forecaster.features.events import Events
from forecaster.features.many_circles import Circles
from forecaster.features.patches import DEEP_KM
from forecaster.features.windows import TargetDays
from forecaster.models.gradient_boosting import load_trees, predict
from forecaster.models.interface import History, logit
from forecaster.models.pooled.pooled_intensity import Intensity, rate_of, read_intensity, row_parts
from forecaster.models.pretrained import ModelOnSet, Pretrained, newest_before, newest_for, of_identity
from forecaster.models.several_days import over_window
from forecaster.models.tree_file import Trees
from forecaster.recipe import Recipe

KIND = "pooled"
TREES_FILE = "trees.ubj"
INTENSITY_FILE = "intensity.json"
COUNTS = CountSettings(
    ring_edges=(1.0, 2.0, 4.0),
    exponents=(0.0, 0.5, 1.0),
    taus_days=(0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0),
    deep_km=DEEP_KM,
)
TREE_TAUS_DAYS = (1.0, 10.0, 30.0, 100.0)
_TREE_TAUS = [COUNTS.taus_days.index(tau) for tau in TREE_TAUS_DAYS]
COLUMNS_A_TAU = len(COUNTS.ring_edges) * len(COUNTS.exponents)
TREE_COLUMNS = len(TREE_TAUS_DAYS) * COLUMNS_A_TAU + 1
HALF_COUNT = 0.5


@dataclass(frozen=True)
class PooledModel(ModelOnSet):
    """The pooled trees as the model of one recipe."""

    kind: str = KIND
    by_cut: ClassVar[bool] = True

    def probability(self, inputs: Events, days: TargetDays, reference: np.ndarray) -> np.ndarray:
        """float64 (n,): probability of the target on each day, from what was known at its cutoff; NaN where the reference is NaN."""

        def one_day(recipe: Recipe, single: TargetDays, usual: np.ndarray) -> np.ndarray:
            return pooled_probability(self.pretrained, inputs, recipe, single, usual)

        return over_window(self.recipe, inputs, days, reference, one_day)

    def probability_of_circles(self, circles: Circles) -> np.ndarray:
        """float64 (n,): the same for many circles."""
        intensity, trees = _content(self.pretrained.folder, self.pretrained.sha256)
        return boosted(trees, intensity, circles.once("counts", lambda: counts_of_circles(circles, COUNTS)), circles.reference)


def fit(history: History, *, seed: int | None = None, max_minutes: float | None = None) -> PooledModel:
    """The newest artefact that was trained on no data after the last day of `history`.

    The choice is deterministic and fast; `seed` and `max_minutes` are ignored. Raises as `pretrained.newest_for`.
    """
    return PooledModel(history.recipe, newest_for(KIND, history))


def generic_for(recipe: Recipe, day: date, first_day: date) -> PooledModel | None:
    """The newest artefact that may forecast the local `day`, for a recipe without a fit. None where there is none. Raises as
    `pretrained.newest_before`.
    """
    found = newest_before(KIND, day)
    return None if found is None else PooledModel(recipe, found)


def load(folder: Path, record: dict[str, Any], recipe: Recipe) -> PooledModel:
    """The model of a record that `save` returned. Raises as `pretrained.of_identity`."""
    return PooledModel(recipe, of_identity(KIND, folder, record))


def pooled_probability(pretrained: Pretrained, inputs: Events, recipe: Recipe, days: TargetDays, reference: np.ndarray) -> np.ndarray:
    """float64 (n,): the artefact's forecast of these days, uncalibrated; NaN where the reference is NaN.

    Raises:
        CorruptModel: its files are not a valid model of this kind.
    """
    intensity, trees = _content(pretrained.folder, pretrained.sha256)
    counts = counts_at(inputs, recipe, days)
    found = np.full(len(days), np.nan)
    known = np.isfinite(reference)
    if known.any():
        found[known] = boosted(trees, intensity, counts[known], reference[known])
    return found


class _LastCounts(threading.local):
    """The last counts of this thread, cached: the hybrid and the pooled trees are asked about the same days one after the other."""

    last: tuple[Events, Recipe, np.ndarray, np.ndarray] | None = None

    def of(self, inputs: Events, recipe: Recipe, days: TargetDays) -> np.ndarray:
        """The counts of these days, computed once as long as the same inputs and recipe and equal cutoffs are passed."""
        if self.last is None or self.last[0] is not inputs or self.last[1] is not recipe or not np.array_equal(self.last[2], days.cut_us):
            self.last = (inputs, recipe, days.cut_us, decayed_counts(inputs, recipe, days, COUNTS))
        return self.last[3]


_counts = _LastCounts()


def counts_at(inputs: Events, recipe: Recipe, days: TargetDays) -> np.ndarray:
    """float32 (n, 144): the decayed counts of these days, columns COUNTS.names. The array is not to be changed."""
    return _counts.of(inputs, recipe, days)


def boosted(trees: Trees, intensity: Intensity, counts: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """float64 (n,): the probability of the intensity, corrected by the trees."""
    trunk = intensity.probability(counts, reference)
    return predict(trees, tree_features(counts, reference, trunk), logit(trunk))


def tree_features(counts: np.ndarray, reference: np.ndarray, trunk: np.ndarray) -> np.ndarray:
    """float32 (n, 37), the trees' features of days with `counts` (n, 144), and the probabilities (n,) of reference and trunk.

    For the time constants of 1, 10, 30 and 100 days: log((S + 1/2) / (lambda tau + 1/2)), each sum over all depths relative to what the
    usual rate of targets alone would give. Then the trunk's logit minus the reference's. There is no place and no absolute rate, so that no
    circle can be recognised.
    """
    rate, excess = rate_of(reference), logit(trunk) - logit(reference)
    whole = np.empty((len(counts), TREE_COLUMNS), dtype=np.float32)
    for rows in row_parts(len(counts)):
        sums = COUNTS.of_all_depths(counts[rows]).reshape(-1, len(COUNTS.taus_days), COLUMNS_A_TAU)[:, _TREE_TAUS].astype(np.float64)
        usual = rate[rows, None, None] * np.array(TREE_TAUS_DAYS)[None, :, None]
        ratios = np.log((sums + HALF_COUNT) / (usual + HALF_COUNT)).reshape(len(sums), -1)
        whole[rows] = np.column_stack([ratios, excess[rows]])
    return whole


@lru_cache(maxsize=4)
def _content(folder: Path, sha256: str) -> tuple[Intensity, Trees]:
    """Intensity and trees of an artefact whose files were checked. `sha256` is part of the key, so that another training is cached
    separately.
    """
    try:
        intensity = read_intensity((folder / INTENSITY_FILE).read_bytes(), COUNTS.names)
        trees = load_trees((folder / TREES_FILE).read_bytes())
    except (OSError, ValueError) as error:
        raise CorruptModel(f"{folder} holds no pooled trees ({' '.join(str(error).split())[:200]}); install quakecast again") from error
    return intensity, trees
