"""Laws of the ETAS model: how many earthquakes an earthquake triggers, when, and which share of them lies in a circle.

An earthquake of magnitude M at distance x from the centre of a circle of radius R triggers, t days later, earthquakes of at least the
threshold inside the circle at the rate

    K 10^(alpha (M - 6)) (t + c)^-p F(x, M)        (Ogata 1988, doi:10.1080/01621459.1988.10478560; 1998, doi:10.1023/A:1003403601725)

where F is the mass inside the circle of f(r) ~ (r^2 + D^2)^-q, D = d 10^(gamma (M - 6) / 2), about the epicentre. Depths are ignored.
"""

from dataclasses import asdict, dataclass
from functools import lru_cache

import numpy as np

REFERENCE_MAG = 6.0
LN10 = float(np.log(10.0))
NAMES = ("ln_background", "ln_long_term", "ln_k", "alpha", "ln_c", "p", "ln_d", "gamma", "ln_q1")
_STEP = 0.8
NODES = np.exp(np.arange(np.log(1e-7), np.log(1.5e3), _STEP))
_UNIT, _WEIGHT = np.polynomial.legendre.leggauss(16)


@dataclass(frozen=True)
class Parameters:
    """One parameter set.

    background: multiple of the ten-year rate that is not triggered. long_term: the same multiple of the mean rate of the training span.
    k: number of earthquakes of at least the threshold, anywhere, that an M 6 triggers per day where t + c is one day.
    alpha: powers of ten per magnitude. c: days. p: exponent of Omori-Utsu. d: km, for an M 6. gamma: powers of ten of D^2 per magnitude. q:
    > 1.
    """

    background: float
    long_term: float
    k: float
    alpha: float
    c: float
    p: float
    d: float
    gamma: float
    q: float

    def vector(self) -> np.ndarray:
        """float64 (9,), on the scales of NAMES: logarithms of parameters that must be positive."""
        logs = np.log([self.background, self.long_term, self.k, self.c, self.d, self.q - 1.0])
        return np.array([logs[0], logs[1], logs[2], self.alpha, logs[3], self.p, logs[4], self.gamma, logs[5]])

    def record(self) -> dict[str, float]:
        """JSON-able; `Parameters(**record)` is the same set."""
        return {name: float(value) for name, value in asdict(self).items()}


def parameters_of(vector: np.ndarray) -> Parameters:
    """The parameter set of a vector on the scales of NAMES."""
    b, m, k, alpha, c, p, d, gamma, q1 = (float(value) for value in vector)
    return Parameters(np.exp(b), np.exp(m), np.exp(k), alpha, np.exp(c), p, np.exp(d), gamma, 1.0 + np.exp(q1))


@lru_cache(maxsize=64)
def omori_weights(c: float, p: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(v, dv/dc, dv/dp), each (nodes,): (t + c)^-p = sum over k of v_k exp(-s_k t), s = NODES in 1/day.

    The integral of s^(p-1) exp(-s (t + c)) / Gamma(p) over s, by the trapezoidal rule in log s: relative error < 1e-3 for t + c from
    0.02 days to 50 years.
    """
    from scipy.special import digamma, gammaln  # slow to import, and most users of this module do not need it

    v = np.exp(np.log(_STEP) + p * np.log(NODES) - NODES * c - gammaln(p))
    found = v, -NODES * v, v * (np.log(NODES) - digamma(p))
    for each in found:
        each.flags.writeable = False
    return found


def omori_integral(start: np.ndarray | float, end: np.ndarray | float, c: float, p: float) -> np.ndarray:
    """Integral of (t + c)^-p from `start` to `end`, days; p = 1 is its limit, log((end + c) / (start + c))."""
    low, high = np.log(np.asarray(start) + c), np.log(np.asarray(end) + c)
    if abs(1.0 - p) < 1e-7:
        return np.asarray(high - low)
    return np.asarray((np.exp((1.0 - p) * high) - np.exp((1.0 - p) * low)) / (1.0 - p))


def kernel_width_km(magnitude: np.ndarray, d: float, gamma: float) -> np.ndarray:
    """D of each magnitude, km."""
    return np.asarray(d * 10.0 ** (0.5 * gamma * (np.asarray(magnitude) - REFERENCE_MAG)))


def circle_share(x: np.ndarray, width: np.ndarray, q: float, radius: float) -> np.ndarray:
    """F, (distances, widths): the mass of f inside a circle of `radius` km whose centre is x km from the epicentre.

    The integral is in the plane, over directions from the epicentre. For an epicentre inside the circle, F is the mean over all directions
    of the mass up to the rim. Outside, it is the mean of the mass between both rims. The quadrature is Gauss-Legendre, in the angle at
    which the square root of the rim's equation has no cusp.
    """
    squared = np.asarray(width, dtype=np.float64)[None, :, None] ** 2
    share = np.zeros((len(x), squared.shape[1]))
    for rim, weight in _rims(np.asarray(x, dtype=np.float64), radius):
        share -= np.einsum("xma,xa->xm", np.expm1((1.0 - q) * np.log1p(rim[:, None, :] ** 2 / squared)), weight)
    return share


def circle_share_slopes(x: np.ndarray, width: np.ndarray, q: float, radius: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(F, dF/d ln D, dF/dq), each (distances, widths); see `circle_share`."""
    squared = np.asarray(width, dtype=np.float64)[None, :, None] ** 2
    share, by_width, by_q = np.zeros((3, len(x), squared.shape[1]))
    for rim, weight in _rims(np.asarray(x, dtype=np.float64), radius):
        z = rim[:, None, :] ** 2 / squared
        log = np.log1p(z)
        power = np.exp((1.0 - q) * log)
        share += np.einsum("xma,xa->xm", 1.0 - power, weight)
        by_width += np.einsum("xma,xa->xm", 2.0 * (1.0 - q) * power * z / (1.0 + z), weight)
        by_q += np.einsum("xma,xa->xm", power * log, weight)
    return share, by_width, by_q


def _rims(x: np.ndarray, radius: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """Two pairs (distance to the rim, weight), each (distances, angles): inside the circle forward and backward, outside far and near.

    The weight of the near rim is negative. Outside, with sin(direction) = radius / x sin(angle), the weight includes d direction / d angle.
    """
    angle = 0.25 * np.pi * (_UNIT + 1.0)
    cos, sin, column, inside = np.cos(angle), np.sin(angle), x[:, None], (x <= radius)[:, None]
    half_chord = np.sqrt(np.maximum(radius**2 - np.minimum(column, radius) ** 2 * sin**2, 0.0))
    reach = np.sqrt(np.maximum(column**2 - radius**2 * sin**2, 1e-12))
    weight = 0.25 * _WEIGHT * np.where(inside, 1.0, radius * cos / reach)
    first = np.where(inside, half_chord + column * cos, reach + radius * cos)
    second = np.where(inside, half_chord - column * cos, reach - radius * cos)
    return [(first, weight), (second, np.where(inside, weight, -weight))]


def branching_ratio(
    parameters: Parameters, threshold_mag: float, lowest_mag: float, b: float, *, largest_mag: float = 9.0, years: float = 10.0
) -> float:
    """Mean number of direct offspring of at least `lowest_mag` within `years` of an earthquake of at least `lowest_mag`.

    Magnitudes follow Gutenberg-Richter with slope b (powers of ten), truncated at `largest_mag`.
    """
    magnitudes = np.linspace(lowest_mag, largest_mag, 2001)
    density = np.exp(-LN10 * b * (magnitudes - lowest_mag))
    offspring = parameters.k * 10.0 ** (b * (threshold_mag - lowest_mag) + parameters.alpha * (magnitudes - REFERENCE_MAG))
    mean = float(np.trapezoid(density * offspring, magnitudes) / np.trapezoid(density, magnitudes))
    return mean * float(omori_integral(0.0, years * 365.25, parameters.c, parameters.p))
