"""Triggering inside the window itself: the probability of no target, and the expected number over all generations.

Let an earthquake occur in ring b about the centre, tau days before the window ends. Let m be its magnitude, w_m the Gutenberg-Richter
weights, and E_m(X) the integral over rings and lags of m's direct offspring times X. The probability h_b that it is a target or leads to
one is

    h_b(tau) = sum over m of w_m [1 if it is a target, else Q_b,m(tau)],    Q_b,m(tau) = 1 - exp(-E_m(h))

(the generating function of a branching process at zero; Ogata 1998 for the process). The expected number of targets among it and its
descendants is n_b(tau) = sum over m of w_m [(1 if a target) + E_m(n)]. The probability of no target is exp(-sum over rings of the integral
of the known rate times h). Without triggering in the window h is 1 inside and 0 outside, and the sum is the direct count. Kernels are
symmetric about the epicentre and the circle about its centre, so rings suffice.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from forecaster.models.etas.etas_detection import B_VALUE
from forecaster.models.etas.etas_intensity import DAILY_DECAY, FEW_SLOTS, PARENT_MAG, Parents, Stream
from forecaster.models.etas.etas_kernels import LN10, NODES, Parameters, circle_share, kernel_width_km, omori_integral, omori_weights
from forecaster.models.etas.etas_simulation import LARGEST_MAG, Law

INNER = (0.0, 0.85, 1.0)
OUTER_KM = (6.0, 30.0, 130.0)
_CELLS = 12
_BIN = 0.25
_ROUNDS = 4


@dataclass(frozen=True)
class Rings:
    """The rings about the centre, with means of h and n over the window.

    edges_km: (rings + 1,), the recipe's radius among them. inside: bool (rings,).
    hit, number: (nodes, rings), means over the window of h and n for an earthquake that occurs at the decaying rate exp(-s t).
    background_hit, background_number: (rings,), the same at a constant rate.
    All are for earthquakes of at least `lowest_mag`; `per_target` is their number per earthquake of at least the threshold.
    """

    edges_km: np.ndarray
    inside: np.ndarray
    hit: np.ndarray
    number: np.ndarray
    background_hit: np.ndarray
    background_number: np.ndarray
    per_target: float

    @property
    def area_ratio(self) -> np.ndarray:
        """(rings,): area of each ring / area of the circle."""
        areas: np.ndarray = np.diff(self.edges_km**2) / self.edges_km[len(INNER) - 1] ** 2
        return areas


@lru_cache(maxsize=64)
def solve(parameters: Parameters, threshold_mag: float, radius_km: float, window_days: float) -> Rings:
    """h and n of every ring, on a grid of times before the window's end."""
    law = Law(parameters, threshold_mag)
    edges = np.concatenate([radius_km * np.array(INNER), radius_km + np.array(OUTER_KM)])
    inside = np.arange(len(edges) - 1) < len(INNER) - 1
    magnitudes, weights = _magnitude_bins(law.lowest_mag, threshold_mag)
    target = magnitudes >= threshold_mag
    at = np.sqrt(0.5 * (edges[1:] ** 2 + edges[:-1] ** 2))
    widths = kernel_width_km(magnitudes, parameters.d, parameters.gamma)
    mass = np.stack([circle_share(at, widths, parameters.q, edge) if edge > 0 else np.zeros((len(at), len(widths))) for edge in edges])
    per_day = law.offspring(magnitudes, np.zeros(len(magnitudes)), 1.0) / omori_integral(0.0, 1.0, parameters.c, parameters.p)
    reach = np.diff(mass, axis=0).transpose(1, 2, 0) * per_day[:, None]
    step = window_days / _CELLS
    omori = omori_integral(step * np.arange(_CELLS), step * np.arange(1, _CELLS + 1), parameters.c, parameters.p)
    struck = inside[:, None] & target
    hit, number = np.zeros((2, _CELLS + 1, len(inside)))
    hit[0] = number[0] = struck @ weights
    for i in range(1, _CELLS + 1):
        hit[i], number[i] = hit[i - 1], number[i - 1]
        for _ in range(_ROUNDS):
            hit[i] = np.where(struck, 1.0, -np.expm1(-reach @ _convolved(omori, hit, i))) @ weights
            number[i] = (struck + reach @ _convolved(omori, number, i)) @ weights
    nodes = np.concatenate([NODES, [1e-12]])
    means = _window_means(nodes, step)
    per_target = 10.0 ** (B_VALUE * (threshold_mag - law.lowest_mag))
    hits, numbers = means @ _mid(hit), means @ _mid(number)
    return Rings(edges, inside, hits[:-1], numbers[:-1], hits[-1], numbers[-1], per_target)


def triggered_sums(parents: Parents, stream: Stream, parameters: Parameters, rings: Rings, mean: np.ndarray) -> np.ndarray:
    """(n,): integral over each window, sum over rings, of the known triggered rate times `mean` (nodes, rings): `hit` or `number`."""
    v = omori_weights(parameters.c, parameters.p)[0]
    if stream.slots <= FEW_SLOTS:
        by_slot = parents.entered(parameters, rings.edges_km, stream)
        states = (mean * by_slot[stream.read_slot]).sum(axis=2).T * stream.read
    else:
        states = stream.states(mean @ parents.ring_mass(parameters, rings.edges_km))
    rate: np.ndarray = v @ states * rings.per_target
    return rate


def sums_without(parents: Parents, stream: Stream, parameters: Parameters, rings: Rings, mean: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """(k,): the `triggered_sums` of the one window of `stream` without the parents of each row of `gone`, bool (k, parents)."""
    mass, v = parents.ring_mass(parameters, rings.edges_km), omori_weights(parameters.c, parameters.p)[0]
    each = np.empty(len(stream.entry_parent))
    for slot, here in stream.in_slots():
        weight = v * stream.read[:, 0] * DAILY_DECAY ** (stream.read_slot[0] - slot)
        each[here] = (((weight[:, None] * mean).T @ stream.entry[:, here]) * mass[:, stream.entry_parent[here]]).sum(axis=0)
    kept: np.ndarray = ~gone[:, stream.entry_parent] @ each * rings.per_target
    return kept


def _magnitude_bins(lowest: float, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """(middle magnitudes, weights that sum to 1) of bins with edges at the lowest, the threshold and PARENT_MAG."""
    corners = sorted({lowest, threshold, PARENT_MAG})
    corners.append(max(LARGEST_MAG, corners[-1] + _BIN))
    pieces = [np.linspace(a, b, max(2, round((b - a) / _BIN) + 1)) for a, b in pairwise(corners)]
    edges = np.unique(np.concatenate(pieces))
    weights = -np.diff(np.exp(-LN10 * B_VALUE * (edges - lowest)))
    return 0.5 * (edges[1:] + edges[:-1]), weights / weights.sum()


def _convolved(omori: np.ndarray, values: np.ndarray, i: int) -> np.ndarray:
    """(rings,): sum over lag cells, each with the mean of the values at its two ends."""
    back = values[i::-1]
    integral: np.ndarray = omori[:i] @ (0.5 * (back[:-1] + back[1:]))
    return integral


def _mid(values: np.ndarray) -> np.ndarray:
    """(cells, rings) in chronological order: means over the cells, starting with the one farthest from the window's end."""
    back = values[::-1]
    middle: np.ndarray = 0.5 * (back[:-1] + back[1:])
    return middle


def _window_means(nodes: np.ndarray, step: float) -> np.ndarray:
    """(nodes, cells): share of each cell in the integral of exp(-s t) over the window."""
    edges = -np.expm1(-np.outer(nodes, step * np.arange(_CELLS + 1)))
    return np.diff(edges, axis=1) / edges[:, -1:]
