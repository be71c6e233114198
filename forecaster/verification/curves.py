"""Curves of a forecast for plots: ROC, precision and recall, Molchan.

`observed` is bool (n,) and must hold both outcomes (ValueError otherwise: one class alone has no curve). Probabilities are float (n,) in
0..1. Days with equal probabilities are added to a curve together.
"""

import math
from dataclasses import dataclass

import numpy as np

from forecaster.verification.scores import log_likelihood


@dataclass(frozen=True)
class Curve:
    """Points (k,) in drawing order."""

    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class Molchan:
    """Molchan diagram: x is the fraction of space-time under alarm, y the fraction of target days missed, from (0, 1) to (1, 0).

    area_skill: 1 - the area below the curve; 1 is perfect, .5 is the skill of the reference. error: its standard deviation under the
    reference, sqrt(1 / (12 target days)).
    """

    curve: Curve
    area_skill: float
    error: float


def roc_curve(observed: np.ndarray, probability: np.ndarray) -> Curve:
    """x: share of the other days alarmed, y: share of the target days alarmed, from (0, 0) to (1, 1)."""
    from sklearn import metrics

    _require_both(observed, probability)
    false_alarms, hits, _ = metrics.roc_curve(observed, probability)
    return Curve(false_alarms, hits)


def precision_recall_curve(observed: np.ndarray, probability: np.ndarray) -> Curve:
    """x: recall, y: precision, from (0, 1) to (1, base rate); by chance precision is the base rate."""
    from sklearn import metrics

    _require_both(observed, probability)
    precision, recall, _ = metrics.precision_recall_curve(observed, probability)
    return Curve(recall[::-1], precision[::-1])


def molchan_diagram(observed: np.ndarray, probability: np.ndarray, reference: np.ndarray | None = None) -> Molchan:
    """Molchan diagram of Zechar and Jordan (2008), doi:10.1111/j.1365-246X.2008.03676.x.

    Alarms are raised first on the days with the highest ratio probability / reference. The cost of an alarm is the reference's probability:
    the alarmed fraction is the sum of the alarmed days' reference / the sum of all. Without a reference every day has the same cost, and
    alarms are raised in the order of probability.
    """
    _require_both(observed, probability)
    observed, probability = np.asarray(observed), np.asarray(probability, dtype=np.float64)
    cost = np.ones(len(observed)) if reference is None else np.asarray(reference, dtype=np.float64)
    if reference is not None:
        log_likelihood(observed, cost)
        if not (cost > 0).all():
            raise ValueError("the reference of a Molchan diagram must be above 0 on every day")
    _, at = np.unique(-probability / cost, return_inverse=True)
    alarmed = np.concatenate([[0.0], np.cumsum(np.bincount(at, weights=cost))])
    caught = np.concatenate([[0.0], np.cumsum(np.bincount(at, weights=observed))])
    x, missed = alarmed / alarmed[-1], 1 - caught / caught[-1]
    return Molchan(Curve(x, missed), 1 - float(np.trapezoid(missed, x)), math.sqrt(1 / (12 * np.count_nonzero(observed))))


def thin(curve: Curve, most: int = 200) -> Curve:
    """At most `most` points of a curve, its ends included, evenly spaced along it.

    Every point that is left out lies within length / (most - 1) of one that is kept: .01 for a curve of length 2 and 200 points.
    """
    if len(curve.x) <= most:
        return curve
    length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(curve.x), np.diff(curve.y)))])
    wanted = np.linspace(0, length[-1], most)
    kept = np.unique(np.concatenate([[0], np.searchsorted(length, wanted[1:-1]), [len(length) - 1]]))
    return Curve(curve.x[kept], curve.y[kept])


def _require_both(observed: np.ndarray, probability: np.ndarray) -> None:
    log_likelihood(observed, probability)
    if np.all(observed) or not np.any(observed):
        raise ValueError(f"a curve needs both outcomes, got {np.count_nonzero(observed)} target days of {len(observed)}")
