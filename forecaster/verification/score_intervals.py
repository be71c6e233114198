"""Block-bootstrap intervals of the scores of `scores`: Brier skill, calibration ratio, ROC AUC.

local_days: datetime64[D] (n,); happened: bool (n,); probabilities: float (n,) in 0..1; anything else raises ValueError. Days of several
recipes are pooled by concatenation, and all that share a `BlockDraws` are drawn jointly.
"""

import numpy as np

from forecaster.verification.intervals import UNDEFINED, BlockDraws, Bounds, bounds, ratio_bounds
from forecaster.verification.scores import log_likelihood


def brier_skill_bounds(
    draws: BlockDraws,
    local_days: np.ndarray,
    happened: np.ndarray,
    probability: np.ndarray,
    reference: np.ndarray,
    level: float = 0.95,
) -> Bounds:
    """1 - Brier score / Brier score of the reference."""
    log_likelihood(happened, probability), log_likelihood(happened, reference)
    said, base = (np.asarray(probability) - happened) ** 2, (np.asarray(reference) - happened) ** 2
    return ratio_bounds(draws, local_days, base - said, base, level)


def calibration_ratio_bounds(
    draws: BlockDraws, local_days: np.ndarray, happened: np.ndarray, probability: np.ndarray, level: float = 0.95
) -> Bounds:
    """Target days expected / target days that came."""
    log_likelihood(happened, probability)
    return ratio_bounds(draws, local_days, probability, happened, level)


def auc_bounds(
    draws: BlockDraws,
    local_days: np.ndarray,
    happened: np.ndarray,
    probability: np.ndarray,
    groups: np.ndarray | None = None,
    level: float = 0.95,
) -> Bounds:
    """Chance that a target day was given more than another day, ties half.

    groups: int or str (n,), the recipe of each day: then only days of the same recipe are compared, and a pool's AUC does not rise because
    its recipes have different base rates. Exact for every resample: the pairs won are counted once for each pair of blocks.
    """
    log_likelihood(happened, probability)
    happened, probability = np.asarray(happened), np.asarray(probability, dtype=np.float64)
    block, count = draws.place(local_days), len(draws.blocks)
    groups = np.zeros(len(happened), dtype=np.int64) if groups is None else groups
    won, pairs = np.zeros((count, count)), np.zeros((count, count))
    for group in np.unique(groups):
        mine = groups == group
        hits, hit_blocks = probability[mine & happened], block[mine & happened]
        pairs += np.outer(np.bincount(hit_blocks, minlength=count), np.bincount(block[mine & ~happened], minlength=count))
        for other in np.unique(block[mine & ~happened]):
            rest = np.sort(probability[mine & ~happened & (block == other)])
            wins = (np.searchsorted(rest, hits, "left") + np.searchsorted(rest, hits, "right")) / 2
            won[:, other] += np.bincount(hit_blocks, weights=wins, minlength=count)
    if not pairs.sum():
        return UNDEFINED
    drawn_won, drawn_pairs = (((draws.times @ matrix) * draws.times).sum(axis=1) for matrix in (won, pairs))
    defined = drawn_pairs > 0
    return bounds(won.sum() / pairs.sum(), drawn_won[defined] / drawn_pairs[defined], float(1 - defined.mean()), level)
