"""Prior correction: from probabilities learnt on resampled data back to those of the original data.

A network may be trained on days of which a share was dropped, or weighted. It then forecasts p' where p is meant. If dropping depends on
the outcome alone, Bayes' rule gives p exactly (Elkan 2001, IJCAI, theorem 2; Dal Pozzolo et al. 2015, doi:10.1109/SSCI.2015.33):

    p / (1 - p) = b p' / (1 - p'),   b = (share of negatives kept x their weight) / (share of positives kept x their weight)

The shares are counted from the classes before and after resampling, never read from a resampler's arguments.
"""

from dataclasses import dataclass

import numpy as np

from forecaster.models.interface import sigmoid


@dataclass(frozen=True)
class PriorCorrection:
    """odds = `odds_factor` x raw odds. `exact` is False after a resampler that selects or creates days by their content (SMOTE, NearMiss,
    ...). The factor then corrects the class counts only; the calibration must correct the rest.
    """

    odds_factor: float
    exact: bool

    def probability(self, raw_logit: np.ndarray) -> np.ndarray:
        """float64 (n,): corrected probabilities of raw logits."""
        return sigmoid(np.asarray(raw_logit, dtype=np.float64) + np.log(self.odds_factor))


def count_classes(labels: np.ndarray) -> tuple[int, int]:
    """(negatives, positives) of a bool array."""
    positives = int(np.count_nonzero(labels))
    return len(labels) - positives, positives


def prior_correction(
    before: tuple[int, int], after: tuple[int, int], *, weights: tuple[float, float] = (1.0, 1.0), exact: bool = True
) -> PriorCorrection:
    """The correction for a training set with classes `after` (negatives, positives) made from `before`, with loss `weights` of the two
    classes.

    A stream of balanced batches is equivalent to a weighting: pass `balanced_weights(after)`. All counts must be positive (ValueError).
    """
    if min(*before, *after) <= 0 or min(weights) <= 0:
        raise ValueError(f"both classes must be present before {before} and after {after}, with positive weights {weights}")
    kept_negative, kept_positive = after[0] / before[0], after[1] / before[1]
    return PriorCorrection(kept_negative * weights[0] / (kept_positive * weights[1]), exact)


def balanced_weights(counts: tuple[int, int]) -> tuple[float, float]:
    """Weights of (negatives, positives) that give both classes the same total, with mean 1 over all days: n / (2 n_class)."""
    total = counts[0] + counts[1]
    return total / (2 * counts[0]), total / (2 * counts[1])
