"""The hybrid: the mean of two logits, learned from hundreds of circles: a ConvLSTM's on top of an intensity, and that of trees.

    logit P = (1 - s_t) trunk + s_t trees + s_n (mean residual of the networks)        (trunk, trees: logits)

The trunk is an intensity linear in decayed counts, on top of the climatology's own rate (`pooled_intensity`): an ETAS model whose
kernel is a table. Networks correct it; a network's last layer started at zero: untrained, it adds nothing. Trees (XGBoost,
doi:10.1145/2939672.2939785) start from the climatology and never saw the trunk, so that the two err in different places. The shares
were chosen on 2011-2017. TensorFlow and XGBoost are imported at the first forecast.
"""

import json
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from forecaster.errors import CorruptModel, NotTrainable
from forecaster.features.events import Events
from forecaster.features.windows import TargetDays
from forecaster.models.base import History, logit, sigmoid
from forecaster.models.hybrid_inputs import SIDE_COLUMNS, observe
from forecaster.models.hybrid_trees import load_trees, tree_logits
from forecaster.models.pooled import COUNTS
from forecaster.models.pooled_intensity import Intensity
from forecaster.models.pretrained import Pretrained, first_day_after, newest_before, of_data_until
from forecaster.recipe import Recipe

KIND = "hybrid"
TRUNK_FILE = "trunk.json"
TREES_FILE = "trees.ubj"
TREES_SHARE = 0.5
NETWORKS_SHARE = 0.5


@dataclass(frozen=True)
class HybridModel:
    """The hybrid for one recipe."""

    recipe: Recipe
    pretrained: Pretrained
    kind: str = KIND

    @property
    def last_data_day(self) -> date:
        """The last UTC day of which anything entered the training."""
        return self.pretrained.data_until

    def probability(self, inputs: Events, days: TargetDays, reference: np.ndarray) -> np.ndarray:
        """float64 (n,): probability of the target on each day, from what was known at its cut; NaN where the reference is NaN."""
        found = np.full(len(days), np.nan)
        known = np.isfinite(reference)
        if not known.any():
            return found
        trunk, trees, networks = _content(self.pretrained.folder, self.pretrained.sha256)
        seen = observe(inputs, self.recipe, days.take(known), reference[known])
        start = trunk.probability(seen.counts, seen.reference)
        side = seen.side(start)
        residual = np.mean([network.residual(seen.patches, side) for network in networks], axis=0)
        found[known] = blend(logit(start), tree_logits(trees, seen), residual)
        return found

    def save(self, folder: Path) -> dict[str, Any]:
        """The record that `load` needs; the weights stay in the package, nothing is written."""
        return {
            "kind": self.kind,
            "data_until": self.pretrained.data_until.isoformat(),
            "sha256": self.pretrained.sha256,
        }


def blend(start: np.ndarray, corrected: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """float64 (n,): probability from the logits of the trunk and of the trees and the networks' residual."""
    return sigmoid((1.0 - TREES_SHARE) * start + TREES_SHARE * corrected + NETWORKS_SHARE * residual)


def fit(history: History, *, seed: int | None = None, max_minutes: float | None = None) -> HybridModel:
    """The newest artefact that has seen nothing after the last day of `history`. Nothing is drawn and nothing takes long: `seed` and
    `max_minutes` play no part: there is no fine-tuning by region.

    Raises:
        NotTrainable: every artefact has seen later days, or the targets are windows of several days, which the pool has none of.
    """
    recipe, last_day = history.recipe, history.days.local_days[-1].item()
    if recipe.predict_range_days != 1:
        raise NotTrainable(f"{recipe.id}: predict_range_days = {recipe.predict_range_days}, the hybrid forecasts single days; use etas")
    pretrained = newest_before(KIND, first_day_after(last_day))
    if pretrained is None:
        raise NotTrainable(
            f"{recipe.id}: no pre-trained hybrid ends by {last_day}; fit on a later history, or train one "
            "(deployments/data/pretrain_hybrid.py)"
        )
    return HybridModel(recipe, pretrained)


def load(folder: Path, record: dict[str, Any], recipe: Recipe) -> HybridModel:
    """The model of a record that `save` gave.

    Raises:
        CorruptModel: the record is none of ours, or its artefacts are not in this installation.
    """
    try:
        until, sha256 = date.fromisoformat(record["data_until"]), record["sha256"]
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptModel(f"{folder}: no record of a hybrid model ({error!r}); train again") from error
    pretrained = of_data_until(KIND, until)
    if pretrained.sha256 != sha256:
        raise CorruptModel(f"{folder}: made from other weights than the {KIND}-{until} of this installation; train again")
    return HybridModel(recipe, pretrained)


@lru_cache(maxsize=2)
def _content(folder: Path, sha256: str) -> tuple[Intensity, Any, tuple[Any, ...]]:
    """Trunk, trees and networks of an artefact whose files were checked, ready to forecast; another `sha256` is another entry."""
    from forecaster.models.hybrid_network import Predictor, read_network

    try:
        numbers = json.loads((folder / TRUNK_FILE).read_text(encoding="utf-8"))
        trunk = Intensity(float(numbers["background"]), np.array(numbers["coefficients"], dtype=np.float64))
        trees = load_trees((folder / TREES_FILE).read_bytes())
        networks = [read_network(path) for path in sorted(folder.glob("network-*.keras"))]
        told = {network.input_shape[1][-1] for network in networks}
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise CorruptModel(f"{folder} holds no hybrid of ours ({' '.join(str(error).split())[:200]}); install quakecast again") from error
    if numbers.get("columns") != list(COUNTS.names) or told != {len(SIDE_COLUMNS)}:
        raise CorruptModel(f"{folder}: its inputs are not those of this version ({len(SIDE_COLUMNS)} numbers); install quakecast again")
    return trunk, trees, tuple(Predictor(network) for network in networks)
