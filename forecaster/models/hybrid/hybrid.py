"""The hybrid, learnt from hundreds of circles: the mean of two logits, that of a ConvLSTM on top of an intensity, and that of trees.

    logit P = (1 - s_t) trunk + s_t trees + s_n (mean residual of the networks)        (trunk, trees: logits)

The trunk is an intensity that is linear in decayed counts, on top of the climatology's own rate (`pooled_intensity`): an ETAS model whose
kernel is a table. Networks correct it. A network's last layer starts at zero, so an untrained network adds nothing. Trees (XGBoost,
doi:10.1145/2939672.2939785) start from the climatology and are trained without the trunk, so that the errors of the two differ. The shares
were chosen on 2011-2017. XGBoost and TensorFlow are needed only to train.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from forecaster.errors import CorruptModel
from forecaster.features.events import Events
from forecaster.features.many_circles import Circles
from forecaster.features.windows import TargetDays
from forecaster.models.gradient_boosting import load_trees
from forecaster.models.hybrid.hybrid_inference import Network, read_network
from forecaster.models.hybrid.hybrid_inputs import SIDE_COLUMNS, Observed, observe, observe_circles
from forecaster.models.hybrid.hybrid_trees import tree_logits
from forecaster.models.interface import History, logit, sigmoid
from forecaster.models.pooled.pooled import COUNTS
from forecaster.models.pooled.pooled_intensity import Intensity, read_intensity
from forecaster.models.pretrained import ModelOnSet, Pretrained, newest_before, newest_for, of_identity
from forecaster.models.several_days import over_window
from forecaster.models.tree_file import Trees
from forecaster.recipe import Recipe

KIND = "hybrid"
TRUNK_FILE = "trunk.json"
TREES_FILE = "trees.ubj"
TREES_SHARE = 0.5
NETWORKS_SHARE = 0.5


@dataclass(frozen=True)
class HybridModel(ModelOnSet):
    """The hybrid as the model of one recipe."""

    kind: str = KIND
    by_cut: ClassVar[bool] = True

    def probability(self, inputs: Events, days: TargetDays, reference: np.ndarray) -> np.ndarray:
        """float64 (n,): probability of the target on each day, from what was known at its cutoff; NaN where the reference is NaN."""
        return window_probability(self.pretrained, None, self.recipe, inputs, days, reference)

    def probability_of_circles(self, circles: Circles) -> np.ndarray:
        """float64 (n,): the same for many circles."""
        return _said(content_of(self.pretrained), observe_circles(circles))


def window_probability(
    pretrained: Pretrained, networks: Sequence[Network] | None, recipe: Recipe, inputs: Events, days: TargetDays, reference: np.ndarray
) -> np.ndarray:
    """float64 (n,): `probability_with` for windows as long as the recipe's."""

    def one_day(single: Recipe, first: TargetDays, usual: np.ndarray) -> np.ndarray:
        return probability_with(pretrained, networks, single, inputs, first, usual)

    return over_window(recipe, inputs, days, reference, one_day)


def probability_with(
    pretrained: Pretrained, networks: Sequence[Network] | None, recipe: Recipe, inputs: Events, days: TargetDays, reference: np.ndarray
) -> np.ndarray:
    """float64 (n,): forecast of an artefact's trunk and trees with these networks, or with its own; NaN where the reference is NaN.

    Raises:
        CorruptModel: its files are not a valid hybrid.
    """
    found = np.full(len(days), np.nan)
    known = np.isfinite(reference)
    if not known.any():
        return found
    trunk, trees, own = content_of(pretrained)
    seen = _observed.of(inputs, recipe, days, reference, known)
    if networks:
        found[known] = _said((trunk, trees, networks), seen)
    else:
        found[known] = _observed.once(pretrained.sha256, lambda: _said((trunk, trees, own), seen))
    return found


class _LastObserved(threading.local):
    """The last input features of this thread, cached: the hybrid and the regional network forecast the same days one after the other, and
    mostly say the same."""

    last: tuple[Events, Recipe, TargetDays, np.ndarray, Observed] | None = None
    cached: tuple[str, np.ndarray] | None = None

    def of(self, inputs: Events, recipe: Recipe, days: TargetDays, reference: np.ndarray, known: np.ndarray) -> Observed:
        """The features of the days of `known`, computed once as long as the same objects are passed. The objects are never changed."""
        if self.last is None or any(one is not other for one, other in zip(self.last, (inputs, recipe, days, reference), strict=False)):
            self.last = (inputs, recipe, days, reference, observe(inputs, recipe, days.take(known), reference[known]))
            self.cached = None
        return self.last[4]

    def once(self, sha256: str, make: Callable[[], np.ndarray]) -> np.ndarray:
        """What the artefact of this hash forecasts from the last features, computed once."""
        if self.cached is None or self.cached[0] != sha256:
            self.cached = (sha256, make())
        return self.cached[1]


_observed = _LastObserved()


def _said(content: tuple[Intensity, Trees, Sequence[Network]], seen: Observed) -> np.ndarray:
    """float64 (n,): forecast of trunk, trees and networks from these features."""
    trunk, trees, networks = content
    start = trunk.probability(seen.counts, seen.reference)
    side = seen.side(start)
    residual = np.mean([network.residual(seen.patches, side) for network in networks], axis=0)
    return blend(logit(start), tree_logits(trees, seen), residual)


def content_of(pretrained: Pretrained) -> tuple[Intensity, Trees, tuple[Network, ...]]:
    """Trunk, trees and networks of an artefact, cached for the next call.

    Raises:
        CorruptModel: its files are not a valid hybrid.
    """
    return _content(pretrained.folder, pretrained.sha256)


def blend(start: np.ndarray, corrected: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """float64 (n,): probability from the logits of the trunk and of the trees and the networks' residual."""
    return sigmoid((1.0 - TREES_SHARE) * start + TREES_SHARE * corrected + NETWORKS_SHARE * residual)


def fit(history: History, *, seed: int | None = None, max_minutes: float | None = None) -> HybridModel:
    """The newest artefact that was trained on no data after the last day of `history`.

    The choice is deterministic and fast; `seed` and `max_minutes` are ignored. There is no fine-tuning by region. Raises as
    `pretrained.newest_for`.
    """
    return HybridModel(history.recipe, newest_for(KIND, history))


def generic_for(recipe: Recipe, day: date, first_day: date) -> HybridModel | None:
    """The newest artefact that may forecast the local `day`, for a recipe without a fit. None where there is none. Raises as
    `pretrained.newest_before`.
    """
    found = newest_before(KIND, day)
    return None if found is None else HybridModel(recipe, found)


def load(folder: Path, record: dict[str, Any], recipe: Recipe) -> HybridModel:
    """The model of a record that `save` returned. Raises as `pretrained.of_identity`."""
    return HybridModel(recipe, of_identity(KIND, folder, record))


@lru_cache(maxsize=2)
def _content(folder: Path, sha256: str) -> tuple[Intensity, Trees, tuple[Network, ...]]:
    """Trunk, trees and networks of an artefact whose files were checked, ready to forecast. `sha256` is part of the cache key."""
    try:
        trunk = read_intensity((folder / TRUNK_FILE).read_bytes(), COUNTS.names)
        trees = load_trees((folder / TREES_FILE).read_bytes())
        networks = [read_network(path) for path in sorted(folder.glob("network-*.keras"))]
        told = {network.columns for network in networks}
    except (ValueError, OSError) as error:
        raise CorruptModel(f"{folder} holds no hybrid of ours ({' '.join(str(error).split())[:200]}); install quakecast again") from error
    if told != {len(SIDE_COLUMNS)}:
        raise CorruptModel(f"{folder}: its inputs are not those of this version ({len(SIDE_COLUMNS)} numbers); install quakecast again")
    return trunk, trees, tuple(networks)
