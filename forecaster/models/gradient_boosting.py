"""Gradient-boosted trees that correct a logit: XGBoost (Chen and Guestrin 2016, doi:10.1145/2939672.2939785), one thread, binary JSON.

The same input gives the same bytes on one machine. XGBoost is imported to train; `tree_file` forecasts with what it wrote.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from forecaster.models.interface import sigmoid
from forecaster.models.tree_file import Trees, read_trees

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
    """`rounds` trees trained on `features` (n, columns) from the logits `start` (n,), as a file's content.

    `parameters` are XGBoost's, with `max_bin`. weight (n,): how many days each row stands for. The features are released before the
    training, so their memory is freed unless the caller still holds them.
    """
    import xgboost

    fixed = {"objective": "binary:logistic", "tree_method": "hist", "base_score": 0.5, "nthread": THREADS, "seed": seed}
    matrix = xgboost.QuantileDMatrix(features, happened, weight=weight, base_margin=start, max_bin=parameters["max_bin"], nthread=THREADS)
    del features  # half a gigabyte for a pool; the matrix already holds their quantiles
    trees = xgboost.train(dict(parameters) | fixed, matrix, rounds)
    return bytes(trees.save_raw("ubj"))


def load_trees(content: bytes) -> Trees:
    """The trees in a file's content.

    Raises:
        ValueError: the content is not a file of trees.
    """
    return read_trees(content)


def predict(trees: Trees, features: np.ndarray, start: np.ndarray, *, as_logit: bool = False) -> np.ndarray:
    """float64 (n,): the probabilities, or logits, of `start` (logits) corrected by the trees."""
    logits = trees.logits(features, start)
    return logits if as_logit else sigmoid(logits)
