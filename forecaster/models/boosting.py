"""Gradient-boosted trees that correct a logit: XGBoost (Chen and Guestrin 2016, doi:10.1145/2939672.2939785), one thread, binary JSON.

The same input gives the same bytes on one machine. XGBoost is imported where it is used.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

THREADS = 1


def train_trees(
    features: np.ndarray,
    happened: np.ndarray,
    weight: np.ndarray,
    start: np.ndarray,
    *,
    rounds: int,
    seed: int,
    parameters: Mapping[str, Any],
) -> bytes:
    """`rounds` trees on `features` (n, columns) from the logits `start` (n,), as a file's content. `parameters` are XGBoost's, with
    `max_bin`; weight (n,): how many days each row stands for."""
    import xgboost

    fixed = {"objective": "binary:logistic", "tree_method": "hist", "base_score": 0.5, "nthread": THREADS, "seed": seed}
    matrix = xgboost.QuantileDMatrix(features, happened, weight=weight, base_margin=start, max_bin=parameters["max_bin"], nthread=THREADS)
    trees = xgboost.train(dict(parameters) | fixed, matrix, rounds)
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


def predict(trees: Any, features: np.ndarray, start: np.ndarray, *, as_logit: bool = False) -> np.ndarray:
    """float64 (n,): the probabilities, or logits, of `start` (logits) corrected by the trees."""
    import xgboost

    matrix = xgboost.DMatrix(features, base_margin=start, nthread=THREADS)
    return np.asarray(trees.predict(matrix, output_margin=as_logit), dtype=np.float64)
