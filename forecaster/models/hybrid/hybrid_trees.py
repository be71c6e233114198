"""The hybrid's trees. They start from the climatology's logit, without the trunk, so that their errors differ from those of the
networks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from forecaster.models.gradient_boosting import predict, train_trees
from forecaster.models.hybrid.hybrid_inputs import Counted
from forecaster.models.interface import logit
from forecaster.models.tree_file import Trees


@dataclass(frozen=True)
class TreeSettings:
    """rounds: trees. parameters: XGBoost's."""

    rounds: int = 250
    parameters: Mapping[str, Any] = field(
        default_factory=lambda: {
            "eta": 0.06,
            "max_depth": 4,
            "min_child_weight": 30,
            "subsample": 0.7,
            "colsample_bytree": 0.3,
            "reg_lambda": 10,
            "max_bin": 256,
        }
    )


def fit_trees(observed: Counted, happened: np.ndarray, weight: np.ndarray, seed: int, settings: TreeSettings) -> bytes:
    """Trees that start from the reference's logit, as a file's content."""
    start = logit(observed.reference)
    return train_trees(observed.table(), happened, weight, start, rounds=settings.rounds, seed=seed, parameters=settings.parameters)


def tree_logits(trees: Trees, observed: Counted) -> np.ndarray:
    """float64 (n,): the reference's logit, corrected by the trees."""
    return predict(trees, observed.table(), logit(observed.reference), as_logit=True)
