"""Scores of daily yes/no forecasts: arrays in, numbers out.

`observed` is bool (n,), probabilities are float (n,) in 0..1; anything else raises ValueError. A score that is undefined on its days (an
AUC of one class, a gain without a target day) is NaN.
"""

from dataclasses import dataclass

import numpy as np

SMALLEST_PROBABILITY = 1e-6


@dataclass(frozen=True)
class ThresholdScores:
    """Scores of a forecast converted to yes or no by a threshold. Precision, recall and F1 are 0 where they are undefined."""

    acc: float
    precision: float
    recall: float
    f1: float
    tp: int
    fp: int
    tn: int
    fn: int


def log_likelihood(observed: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """ln p on days with the target, ln(1 - p) on the others, in nats, (n,).

    Probabilities are kept within 1e-6 .. 1 - 1e-6 (one day in 2,700 years), so that one forecast of 0 or 1 costs 13.8 nats, not infinity.
    """
    observed, probability = _checked(observed, probability)
    kept = np.clip(probability, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    scores: np.ndarray = np.where(observed, np.log(kept), np.log1p(-kept))
    return scores


def log_score(observed: np.ndarray, probability: np.ndarray) -> float:
    """Mean negative log likelihood in nats a day (log loss); lower is better."""
    return float(-log_likelihood(observed, probability).mean())


def information_gain(observed: np.ndarray, probability: np.ndarray, reference: np.ndarray) -> float:
    """Nats per target day over the reference: sum of log-likelihood differences over all days / number of days with the target.

    Rhoades et al. (2011), doi:10.2478/s11600-011-0013-5, in binary form.
    """
    targets = np.count_nonzero(observed)
    difference = log_likelihood(observed, probability) - log_likelihood(observed, reference)
    return float(difference.sum() / targets) if targets else float("nan")


def brier(observed: np.ndarray, probability: np.ndarray) -> float:
    """Mean of (p - y)^2; lower is better. Brier (1950), doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2."""
    observed, probability = _checked(observed, probability)
    return float(np.mean((probability - observed) ** 2))


def brier_skill(observed: np.ndarray, probability: np.ndarray, reference: np.ndarray) -> float:
    """1 - Brier / Brier of the reference: 0 is as good as the reference, 1 is perfect; NaN where the reference is perfect."""
    base = brier(observed, reference)
    return 1 - brier(observed, probability) / base if base else float("nan")


def roc_auc(observed: np.ndarray, probability: np.ndarray) -> float:
    """Probability that a day with the target got a higher forecast than a day without it; ties count half. NaN where one class is empty.

    Mann and Whitney (1947), doi:10.1214/aoms/1177730491.
    """
    observed, probability = _checked(observed, probability)
    hits, rest = probability[observed], np.sort(probability[~observed])
    if not len(hits) or not len(rest):
        return float("nan")
    won = np.searchsorted(rest, hits, "left").sum() + np.searchsorted(rest, hits, "right").sum()
    return float(won / (2 * len(hits) * len(rest)))


def pr_auc(observed: np.ndarray, probability: np.ndarray) -> float:
    """Average precision: sum of precision x step of recall. NaN where one class is empty. A forecast without skill has the base rate."""
    from sklearn.metrics import average_precision_score

    observed, probability = _checked(observed, probability)
    return float(average_precision_score(observed, probability)) if observed.any() and not observed.all() else float("nan")


def calibration_ratio(observed: np.ndarray, probability: np.ndarray) -> float:
    """Expected / observed target days. Above 1 the forecasts are too high; NaN without a target day."""
    observed, probability = _checked(observed, probability)
    return float(probability.sum() / observed.sum()) if observed.any() else float("nan")


def threshold_scores(observed: np.ndarray, probability: np.ndarray, threshold: float = 0.5) -> ThresholdScores:
    """Counts and shares when p >= threshold is taken for a yes. They serve comparison with the first system, not evaluation."""
    observed, probability = _checked(observed, probability)
    predicted = probability >= threshold
    tp, fp = int((predicted & observed).sum()), int((predicted & ~observed).sum())
    fn, tn = int((~predicted & observed).sum()), int((~predicted & ~observed).sum())
    return ThresholdScores(
        acc=_share(tp + tn, len(observed)),
        precision=_share(tp, tp + fp),
        recall=_share(tp, tp + fn),
        f1=_share(2 * tp, 2 * tp + fp + fn),
        tp=tp,
        fp=fp,
        tn=tn,
        fn=fn,
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _checked(observed: np.ndarray, probability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    observed, probability = np.asarray(observed), np.asarray(probability, dtype=np.float64)
    if observed.dtype != np.bool_ or observed.ndim != 1 or observed.shape != probability.shape or not len(observed):
        raise ValueError(f"need bool (n,) and float (n,) with n > 0, got {observed.dtype} {observed.shape} and {probability.shape}")
    if not ((probability >= 0) & (probability <= 1)).all():
        raise ValueError(
            f"probabilities must lie in 0..1, got {np.nanmin(probability)} to {np.nanmax(probability)}, NaN counted as outside"
        )
    return observed, probability
