"""The hybrid's trees: XGBoost from the climatology's logit, without the trunk, so that they err in other places than the networks do.

XGBoost is imported where it is used.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from forecaster.models.base import logit
from forecaster.models.hybrid_inputs import Observed

THREADS = 1


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


def train_trees(observed: Observed, happened: np.ndarray, weight: np.ndarray, seed: int, settings: TreeSettings) -> bytes:
    """Trees that start from the reference's logit, as a file's content; the same input gives the same bytes on one machine."""
    import xgboost

    fixed = {"objective": "binary:logistic", "tree_method": "hist", "base_score": 0.5, "nthread": THREADS, "seed": seed}
    matrix = xgboost.QuantileDMatrix(
        observed.table(),
        happened,
        weight=weight,
        base_margin=logit(observed.reference),
        max_bin=settings.parameters["max_bin"],
        nthread=THREADS,
    )
    trees = xgboost.train(dict(settings.parameters) | fixed, matrix, settings.rounds)
    return bytes(trees.save_raw("ubj"))


def load_trees(content: bytes) -> Any:
    """The trees (an XGBoost `Booster`) of a file's content.

    Raises:
        ValueError: it is none.
    """
    import xgboost

    trees = xgboost.Booster()
    try:
        trees.load_model(bytearray(content))
    except xgboost.core.XGBoostError as error:
        raise ValueError(f"no trees: {' '.join(str(error).split())[:150]}") from error
    trees.set_param({"nthread": THREADS})
    return trees


def tree_logits(trees: Any, observed: Observed) -> np.ndarray:
    """float64 (n,): the reference's logit, corrected by the trees."""
    import xgboost

    matrix = xgboost.DMatrix(observed.table(), base_margin=logit(observed.reference), nthread=THREADS)
    return np.asarray(trees.predict(matrix, output_margin=True), dtype=np.float64)
