"""The published forecast: a weighted sum of the members' departures from the usual rate.

    logit P = logit r + sum_k w_k (logit p_k - logit r),    w_k >= 0

r is the usual rate, p_k the probability of member k. There is no intercept: with one, stacked ensembles of OEF-Italy lost skill (Herrmann &
Marzocchi 2023, doi:10.1785/0220230005). With weights that sum to 1 this is the logarithmic opinion pool (Genest & Zidek 1986,
doi:10.1214/ss/1177013825). The prior of the weights is a normal density truncated at 0; verified days update it by Laplace's approximation.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from forecaster.models.interface import bounded, logit, sigmoid
from forecaster.registry.model_kinds import kinds_where

KIND = "published"
RATE = "climatology"
MEMBERS = kinds_where(lambda kind: kind.member)
ALIKE = kinds_where(lambda kind: kind.alike)
NEGLIGIBLE = 1e-3  # a weight below it counts as 0
SPREAD_OF_OTHERS = 0.05  # of the weight of a member without learning days: held near 0 until a track record supports it


@dataclass(frozen=True)
class Belief:
    """The normal density of the weights of `MEMBERS`: mean (k,), not negative, and precision (k, k), the inverse of the covariance."""

    mean: np.ndarray
    precision: np.ndarray

    @property
    def weights(self) -> dict[str, float]:
        """The weights by member. Members with a negligible weight are left out."""
        return {name: float(value) for name, value in zip(MEMBERS, self.mean, strict=True) if value >= NEGLIGIBLE}

    def about(self, own_sd: float) -> "Belief":
        """The prior for one recipe's own weights, before its track record is used: centred on this density, with standard deviation
        `own_sd` in each weight.
        """
        return Belief(self.mean, np.eye(len(self.mean)) / own_sd**2)

    def record(self) -> dict[str, Any]:
        """JSON-able; `belief_of` reads it."""
        return {"members": list(MEMBERS), "mean": self.mean.tolist(), "precision": self.precision.tolist()}


@dataclass(frozen=True)
class Days:
    """Verified days to learn from: departures (n, k), as `departures` returns them; reference, happened (n,)."""

    departures: np.ndarray
    reference: np.ndarray
    happened: np.ndarray

    def __len__(self) -> int:
        return len(self.happened)


def certain(weights: Mapping[str, float]) -> Belief:
    """The density about exactly these weights, for rules that choose weights rather than learn a density."""
    return Belief(np.array([weights.get(name, 0.0) for name in MEMBERS]), np.eye(len(MEMBERS)) / SPREAD_OF_OTHERS**2)


def belief_of(record: Mapping[str, Any]) -> Belief:
    """The density that `Belief.record` returned in this version or an earlier one. Members that the earlier version did not know are held
    near 0.

    Raises:
        ValueError: unknown members, or numbers that are not a valid density.
    """
    mean, precision = np.array(record["mean"], dtype=np.float64), np.array(record["precision"], dtype=np.float64)
    named = tuple(record["members"])
    k = len(named)
    if not set(named) <= set(MEMBERS) or len(set(named)) != k or mean.shape != (k,) or precision.shape != (k, k):
        raise ValueError(f"weights of {', '.join(named)}, this version combines {', '.join(MEMBERS)}")
    if not (np.isfinite(mean).all() and np.isfinite(precision).all() and (mean >= 0).all() and (np.linalg.eigvalsh(precision) > 0).all()):
        raise ValueError("weights must be finite and not negative, their precision positive")
    at = [MEMBERS.index(name) for name in named]
    whole = Belief(np.zeros(len(MEMBERS)), np.eye(len(MEMBERS)) / SPREAD_OF_OTHERS**2)
    whole.mean[at], whole.precision[np.ix_(at, at)] = mean, precision
    return whole


def departures(probabilities: Mapping[str, np.ndarray], reference: np.ndarray) -> np.ndarray:
    """float64 (n, k): logit p - logit r of each of MEMBERS. 0 where a member is not in `probabilities`, or its probability is NaN."""
    usual = logit(reference)
    nothing = np.full(len(usual), np.nan)
    columns = [logit(probabilities.get(name, nothing)) - usual for name in MEMBERS]
    matrix: np.ndarray = np.nan_to_num(np.column_stack(columns), nan=0.0)
    return matrix


def shared_out(weights: Mapping[str, float], there: Container[str]) -> dict[str, float]:
    """The weights that `combine` uses where only these kinds issue a forecast.

    The forecasts of ETAS, the trees, the hybrid, the regional network and the network of cells are much alike. The weights of those that
    are missing go to those that are present; a single one counts for 1 at most. The weights of other kinds are not passed on.
    """
    present = {kind: weight for kind, weight in weights.items() if kind in there}
    alike = [kind for kind in present if kind in ALIKE]
    whole, left = (sum(weights[kind] for kind in kinds if kind in ALIKE) for kinds in (weights, alike))
    if left > 0 and whole > left:
        goal = min(whole, 1.0) if len(alike) == 1 else whole
        present |= {kind: present[kind] * goal / left for kind in alike}
    return present


def combine(probabilities: Mapping[str, np.ndarray], weights: Mapping[str, float], reference: np.ndarray) -> np.ndarray:
    """float64 (n,): the combination of the forecast `probabilities`, (n,) each, kept within `interface.bounded`. NaN where the reference is
    NaN.

    Where a member is missing or NaN, the others are weighted as in `shared_out`. Without any member the result is the reference.
    """
    usual = logit(reference)
    names = [name for name in weights if name in probabilities]
    beyond = np.column_stack([logit(probabilities[name]) - usual for name in names]) if names else np.empty((len(usual), 0))
    there = np.isfinite(beyond)
    score = np.zeros(len(usual))
    for pattern in np.unique(there, axis=0):
        days = (there == pattern).all(axis=1)
        counted = shared_out(weights, {name for name, has_forecast in zip(names, pattern, strict=True) if has_forecast})
        for column in np.flatnonzero(pattern):
            score[days] += counted[names[column]] * beyond[days, column]
    return bounded(sigmoid(usual + score))


def learn(belief: Belief, days: Days, share: float) -> Belief:
    """The density updated with these days. Each day counts for `share` of an independent one, because days cluster and circles overlap.

    The mean maximises log prior + share x log likelihood over weights >= 0. The maximum is unique, because both terms are concave.
    """
    if not len(days):
        return belief
    offset = logit(days.reference)
    sign = np.where(days.happened, -1.0, 1.0)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        score = sign * (offset + days.departures @ weights)
        away = weights - belief.mean
        pull = belief.precision @ away
        slope = share * ((sign * sigmoid(score)) @ days.departures)
        return float(share * np.logaddexp(0.0, score).sum() + 0.5 * away @ pull), slope + pull

    from scipy.optimize import minimize  # slow to import, and a forecast does not need it

    best = minimize(loss, belief.mean, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(belief.mean))
    p = sigmoid(offset + days.departures @ best.x)
    curvature = (days.departures * (p * (1 - p))[:, None]).T @ days.departures
    return Belief(best.x, belief.precision + share * curvature)


def stack(parts: Sequence[Days]) -> Days:
    """All of these days in one `Days`."""
    if not parts:
        return Days(np.empty((0, len(MEMBERS))), np.empty(0), np.empty(0, dtype=bool))
    return Days(*(np.concatenate(column) for column in zip(*((p.departures, p.reference, p.happened) for p in parts), strict=True)))
