"""Both likelihoods of the ETAS model with their gradients, and the search for their maximum.

*Daily*: each day is yes or no with P = 1 - exp(-N), N the expected number of direct targets. This is exact for the first event if it is not
triggered by another in the same window. *Point process*: log-intensities at the targets in the circle minus the integral of the intensity
over the circle and the span, given all surrounding earthquakes (Ogata 1998, doi:10.1023/A:1003403601725).
"""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from forecaster.features.labels import target_events
from forecaster.features.windows import pairs_between
from forecaster.models.etas.etas_detection import detected_share, shaded_moments
from forecaster.models.etas.etas_intensity import MAG_NODES, Parents, Stream, daily_stream, make_stream
from forecaster.models.etas.etas_kernels import (
    LN10,
    NAMES,
    NODES,
    REFERENCE_MAG,
    circle_share_slopes,
    kernel_width_km,
    omori_integral,
    omori_weights,
    parameters_of,
)
from forecaster.models.etas.etas_priors import Prior
from forecaster.models.interface import History
from forecaster.timewindow import DAY_US

Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]
_LOWER = np.array([-6.0, -6.0, -9.0, 0.1, -7.5, 0.6, 0.0, 0.0, -2.0])
_UPPER = np.array([0.7, 0.7, 2.0, 2.5, 0.7, 2.0, 5.0, 2.0, 2.0])


@dataclass(frozen=True)
class Weights:
    """Weights of parents, and the way to carry a gradient with respect to them back to the parameters."""

    parents: Parents
    vector: np.ndarray

    def evaluate(self) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
        """(weights (n,), function from a gradient (n,) to one (9,))."""
        parameters = parameters_of(self.vector)
        widths = kernel_width_km(MAG_NODES, parameters.d, parameters.gamma)
        share, by_width, by_q = circle_share_slopes(self.parents.distance_nodes, widths, parameters.q, self.parents.recipe.radius_km)
        productivity = self.parents.productivity(parameters)
        weights = productivity * (self.parents.interpolation @ share.ravel())

        def back(gradient: np.ndarray) -> np.ndarray:
            out = np.zeros(len(NAMES))
            by_log = gradient * weights
            out[2] = by_log.sum()
            out[3] = LN10 * (by_log @ (self.parents.events.magnitude - REFERENCE_MAG))
            table = (self.parents.interpolation.T @ (gradient * productivity)).reshape(share.shape)
            per_magnitude = (table * by_width).sum(axis=0)
            out[6] = per_magnitude.sum()
            out[7] = 0.5 * LN10 * (per_magnitude @ (MAG_NODES - REFERENCE_MAG))
            out[8] = (parameters.q - 1.0) * float((table * by_q).sum())
            return out

        return weights, back


class DailyLikelihood:
    """Sum over days of log P of the observed outcome. `history` must have a reference on every day; reads: as in `daily_stream`."""

    def __init__(self, history: History, parents: Parents, reads: tuple[np.ndarray, np.ndarray] | None = None) -> None:
        self.parents = parents
        self.days = history.days
        self.happened = history.happened
        self.rate = -np.log1p(-history.reference)
        self.long_term = float(self.rate.mean())
        self.stream = daily_stream(parents, history.days, reads)
        self.share = detected_share(parents, history.days)

    def scaled(self, factor: float) -> "DailyLikelihood":
        """The same with all counts multiplied by `factor`."""
        other = copy(self)
        other.share = self.share * factor
        return other

    def counts(self, vector: np.ndarray, long_term: float) -> np.ndarray:
        """float64 (n,): N of each day, with this long-term rate per window."""
        mu: np.ndarray = self._forward(vector, long_term)[0]
        return mu

    def _forward(self, vector: np.ndarray, long_term: float) -> tuple[Any, ...]:
        weights, back = Weights(self.parents, vector).evaluate()
        v, by_c, by_p = omori_weights(float(np.exp(vector[4])), vector[5])
        states = self.stream.states(weights)
        background = np.exp(vector[0]) * self.rate
        slow = np.full_like(self.rate, np.exp(vector[1]) * long_term)
        return self.share * (background + slow + v @ states), states, back, v, by_c, by_p, background, slow

    def __call__(self, vector: np.ndarray) -> tuple[float, np.ndarray]:
        """(-log-likelihood, gradient (9,))."""
        count, states, back, v, by_c, by_p, background, slow = self._forward(vector, self.long_term)
        count = np.maximum(count, 1e-12)
        loss = float(np.where(self.happened, -np.log(-np.expm1(-count)), count).sum())
        by_count = np.where(self.happened, -1.0 / np.expm1(np.minimum(count, 700.0)), 1.0) * self.share
        gradient = back(self.stream.back(v, by_count))
        gradient[0] += by_count @ background
        gradient[1] += by_count @ slow
        per_node = states @ by_count
        gradient[4] = np.exp(vector[4]) * (by_c @ per_node)
        gradient[5] = by_p @ per_node
        return loss, gradient


class PointLikelihood:
    """Log-likelihood of the targets in the circle over the days of `history`, which must be consecutive."""

    def __init__(self, history: History, parents: Parents) -> None:
        self.parents = parents
        days = history.days
        rate = -np.log1p(-history.reference) / ((days.target_ends_us - days.target_starts_us) / DAY_US)
        self.long_term = float(-np.log1p(-history.reference).mean())
        slow = self.long_term * rate / -np.log1p(-history.reference)
        edges = np.concatenate([days.target_starts_us, days.target_starts_us[-1:] + DAY_US])
        self.begin_us, self.end_us = int(edges[0]), int(edges[-1])
        lengths = np.diff(edges) / DAY_US
        self.total_rate, self.total_slow = float(rate @ lengths), float(slow @ lengths)
        targets = target_events(history.catalogue, history.recipe).origin_time_us
        targets = targets[(targets >= self.begin_us) & (targets < self.end_us)]
        shaded, width_days, missed = shaded_moments(parents, self.begin_us, self.end_us)
        points = np.concatenate([targets, shaded])
        self.logged = np.arange(len(points)) < len(targets)
        self.integrated = np.concatenate([np.zeros(len(targets)), width_days * missed])
        day = np.clip(np.searchsorted(edges, points, side="right") - 1, 0, len(rate) - 1)
        self.rate, self.slow = rate[day], slow[day]
        self.stream = self._stream(points)
        self.near_point, self.near_parent = pairs_between(parents.events.origin_time_us, self._slot_us(points) - DAY_US, points)
        self.lag = (points[self.near_point] - parents.events.origin_time_us[self.near_parent]) / DAY_US
        self.opened = np.maximum(self.begin_us - parents.events.origin_time_us, 0) / DAY_US
        self.closed = np.maximum(self.end_us - parents.events.origin_time_us, 0) / DAY_US

    def _slot_us(self, points: np.ndarray) -> np.ndarray:
        return self.begin_us + (points - self.begin_us) // DAY_US * DAY_US

    def _stream(self, points: np.ndarray) -> Stream:
        origin = self.parents.events.origin_time_us
        read_slot = (points - self.begin_us) // DAY_US
        slots = int((self.end_us - self.begin_us) // DAY_US) + 2
        slot = np.maximum(-((self.begin_us - origin) // DAY_US) + 1, 0)
        parent = np.flatnonzero(slot < slots)
        read = np.exp(-np.outer(NODES, (points - self._slot_us(points)) / DAY_US))
        return make_stream(self.parents, self.begin_us, slots, (parent, slot[parent], np.ones(len(parent))), read_slot, read)

    def __call__(self, vector: np.ndarray) -> tuple[float, np.ndarray]:
        """(-log-likelihood, gradient (9,))."""
        weights, back = Weights(self.parents, vector).evaluate()
        c, p = float(np.exp(vector[4])), float(vector[5])
        v, by_c, by_p = omori_weights(c, p)
        states = self.stream.states(weights)
        near = weights[self.near_parent] * (self.lag + c) ** -p
        a, m = np.exp(vector[0]), np.exp(vector[1])
        count = len(self.rate)
        rate = a * self.rate + m * self.slow + v @ states + np.bincount(self.near_point, near, count)
        whole = omori_integral(self.opened, self.closed, c, p)
        by_rate = np.where(self.logged, -1.0 / rate, -self.integrated)
        loss = float(a * self.total_rate + m * self.total_slow + weights @ whole - np.log(rate[self.logged]).sum() - self.integrated @ rate)
        by_near = by_rate[self.near_point] * near
        by_weight = self.stream.back(v, by_rate) + whole
        by_weight += np.bincount(self.near_parent, by_rate[self.near_point] * (self.lag + c) ** -p, len(weights))
        gradient = back(by_weight)
        gradient[0] = a * (self.total_rate + by_rate @ self.rate)
        gradient[1] = m * (self.total_slow + by_rate @ self.slow)
        per_node = states @ by_rate
        whole_by_c = (self.closed + c) ** -p - (self.opened + c) ** -p
        whole_by_p = (omori_integral(self.opened, self.closed, c, p + 1e-5) - omori_integral(self.opened, self.closed, c, p - 1e-5)) / 2e-5
        gradient[4] = c * (by_c @ per_node - p * (by_near @ (1.0 / (self.lag + c))) + weights @ whole_by_c)
        gradient[5] = by_p @ per_node - by_near @ np.log(self.lag + c) + weights @ whole_by_p
        return loss, gradient


@dataclass(frozen=True)
class Maximum:
    """vector, standard_errors: (9,), on the scales of NAMES. Errors are NaN where the curvature is not positive."""

    vector: np.ndarray
    standard_errors: np.ndarray
    converged: bool
    evaluations: int


def maximise(likelihood: Objective, prior: Prior, start: np.ndarray, *, errors: bool = False, max_evaluations: int = 150) -> Maximum:
    """The posterior mode by L-BFGS-B from `start`; standard errors from the Hessian of log-likelihood + log prior there."""

    def objective(vector: np.ndarray) -> tuple[float, np.ndarray]:
        loss, gradient = likelihood(vector)
        penalty, slope = prior.penalty(vector)
        return loss + penalty, gradient + slope

    from scipy.optimize import minimize  # takes a quarter of a second to import; a forecast does not need it

    found = minimize(
        lambda z: _scaled(objective, prior, z),
        (np.clip(start, _LOWER, _UPPER) - prior.mean) / prior.sd,
        jac=True,
        method="L-BFGS-B",
        bounds=list(zip((_LOWER - prior.mean) / prior.sd, (_UPPER - prior.mean) / prior.sd, strict=True)),
        options={"maxfun": max_evaluations, "ftol": 1e-9, "gtol": 1e-3},
    )
    vector = prior.mean + prior.sd * found.x
    deviations = _standard_errors(objective, vector) if errors else np.full(len(vector), np.nan)
    return Maximum(vector, deviations, bool(found.success), int(found.nfev))


def _scaled(objective: Objective, prior: Prior, z: np.ndarray) -> tuple[float, np.ndarray]:
    value, gradient = objective(prior.mean + prior.sd * z)
    return value, gradient * prior.sd


def _standard_errors(objective: Objective, vector: np.ndarray, step: float = 1e-3) -> np.ndarray:
    """Square roots of the diagonal of the inverse Hessian, central differences of the gradient."""
    size = len(vector)
    hessian = np.empty((size, size))
    for i in range(size):
        move = np.zeros(size)
        move[i] = step
        hessian[i] = (objective(vector + move)[1] - objective(vector - move)[1]) / (2.0 * step)
    try:
        variance = np.diag(np.linalg.inv(0.5 * (hessian + hessian.T)))
    except np.linalg.LinAlgError:
        return np.full(size, np.nan)
    return np.sqrt(np.where(variance > 0, variance, np.nan))
