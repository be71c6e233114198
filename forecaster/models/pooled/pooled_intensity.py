"""The trunk of the pooled model: an intensity that is linear in the decayed counts, the same for every circle on Earth.

    P = 1 - exp(-mu),    mu = b x lambda + sum over k of c_k S_k,    b and all c_k >= 0

lambda = -log(1 - reference) is the rate of the circle's own ten years, S_k the decayed counts. It is an ETAS model (Ogata 1988,
doi:10.1080/01621459.1988.10478560) whose kernel of time, distance and magnitude is a table instead of a formula. Because distances are in
radii and magnitudes are relative to the threshold, one table serves all targets. The likelihood of the yes/no outcomes of days is maximised
over the pool.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from forecaster.errors import NotTrainable
from forecaster.models.interface import TINY

ITERATIONS = 150
ROWS_AT_ONCE = 32_768
COLUMNS_AT_ONCE = 16
SPARSITY = 1e-5
LEAST_BACKGROUND = 0.01
START_BACKGROUND = 0.7
START_SHARE = 1e-4


@dataclass(frozen=True)
class Intensity:
    """background: b. coefficients: c, float64 (counts,), positive target days a day per unit of each decayed count."""

    background: float
    coefficients: np.ndarray

    def probability(self, counts: np.ndarray, reference: np.ndarray) -> np.ndarray:
        """float64 (n,): probability of the target on days with these `counts` (n, counts) and reference probabilities (n,); NaN
        stays NaN.
        """
        sums = np.empty(len(counts))
        for rows in row_parts(len(counts)):
            sums[rows] = counts[rows].astype(np.float64) @ self.coefficients
        mu = self.background * rate_of(reference) + sums
        probability: np.ndarray = -np.expm1(-np.maximum(mu, TINY))
        return probability

    def to_json(self, columns: Sequence[str]) -> bytes:
        """A file's content, which names the `columns` of the counts; `read_intensity` reads it."""
        numbers = {"background": self.background, "columns": list(columns), "coefficients": self.coefficients.tolist()}
        return (json.dumps(numbers, indent=1) + "\n").encode()


def read_intensity(content: bytes, columns: Sequence[str]) -> Intensity:
    """The intensity of a file's content.

    Raises:
        ValueError: the content is not a valid intensity, or has columns other than `columns`.
    """
    try:
        numbers = json.loads(content)
        intensity = Intensity(float(numbers["background"]), np.array(numbers["coefficients"], dtype=np.float64))
        named = list(numbers["columns"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"no intensity: {error!r}") from error
    if named != list(columns) or intensity.coefficients.shape != (len(columns),):
        raise ValueError(f"its counts are not the {len(columns)} of this version")
    return intensity


def rate_of(probability: np.ndarray) -> np.ndarray:
    """-log(1 - p), with p kept within [1e-7, 1 - 1e-7]: the rate of a Poisson process with at least one event with probability p."""
    return -np.log1p(-np.clip(np.asarray(probability, dtype=np.float64), TINY, 1.0 - TINY))


def row_parts(count: int) -> Iterator[slice]:
    """The rows of an array of `count` days, some at a time: as float64, features of a whole pool would take half a gigabyte."""
    return (slice(at, at + ROWS_AT_ONCE) for at in range(0, count, ROWS_AT_ONCE))


def fit_intensity(counts: np.ndarray, reference: np.ndarray, happened: np.ndarray, weight: np.ndarray) -> Intensity:
    """The intensity of greatest penalised, weighted likelihood on days (n,) with `counts` (n, counts).

    The penalty is 1e-5 x the sum of the scaled coefficients a day. It keeps coefficients at 0 that no data support.

    Raises:
        NotTrainable: no day with the target, or none without it.
    """
    if not 0 < happened.sum() < len(happened):
        raise NotTrainable(f"the pool has {int(happened.sum())} target days among {len(happened)}; both kinds are needed")
    rate = rate_of(reference)
    scale = np.maximum(_deviations(counts), TINY)
    scaled = np.empty(counts.shape, dtype=np.float32)
    for rows in row_parts(len(counts)):
        scaled[rows] = counts[rows] / scale
    share = weight / weight.sum(dtype=np.float64)
    of_target, of_quiet = share * happened, share * ~happened

    def loss_and_gradient(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        mu = np.maximum(parameters[0] * rate + scaled @ parameters[1:].astype(np.float32), TINY)
        quiet = np.exp(-mu)
        loss = -(of_target @ np.log1p(-quiet)) + of_quiet @ mu + SPARSITY * parameters[1:].sum()
        slope = of_quiet - of_target * quiet / (1.0 - quiet)
        pull = (slope.astype(np.float32) @ scaled).astype(np.float64)
        return float(loss), np.concatenate([[slope @ rate], pull + SPARSITY])

    columns = counts.shape[1]
    start = np.concatenate([[START_BACKGROUND], np.full(columns, START_SHARE)])
    bounds = [(LEAST_BACKGROUND, None)] + [(0.0, None)] * columns
    from scipy.optimize import minimize  # takes a quarter of a second to import; a forecast does not need it

    best = minimize(loss_and_gradient, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": ITERATIONS})
    return Intensity(float(best.x[0]), best.x[1:] / scale)


def _deviations(counts: np.ndarray) -> np.ndarray:
    """float64 (columns,): the standard deviation of each column of `counts` (n, columns), a few columns at a time."""
    columns = range(0, counts.shape[1], COLUMNS_AT_ONCE)
    return np.concatenate([counts[:, at : at + COLUMNS_AT_ONCE].std(axis=0, dtype=np.float64) for at in columns])
