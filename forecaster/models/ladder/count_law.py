"""Numbers of earthquakes in windows of several lengths and for several magnitudes, consistent with each other everywhere.

Earthquakes cluster, so their number N in a window is negative binomial (Kagan 2010, arXiv:0909.2372): a Poisson number of clusters with
mean -log P(none), of logarithmic sizes. With

    P(N = 0) = exp(-hit),    E(N) = number,    number / hit = x / log(1 + x),    size r = hit / log(1 + x)

N is negative binomial of mean r x. The number of those above some magnitude, a share q of all, is assumed to be negative binomial of mean q
r x with clusters of the same sizes, so with q r in place of r. On days up to 2017 larger earthquakes were as clustered as all, and were
observed less often on a day than independent thinning implies (M threshold + 1: expected 1.17 times the observed, against 1.21 by the day,
and 1.15 against 1.34 by the month).

A published probability P may belong to more earthquakes than such a process has with it: a sequence that runs has more of them, or none.
So the process takes place with the probability w = P / (1 - exp(-rate)), where its rate of clusters is -log(1 - P) or more, and nothing
happens otherwise: the negative binomial is inflated with zeros, and

    P(N >= 1) = P,    E(N) = w r x >= -log(1 - P).

More clusters and larger ones increase a number in the sense of stochastic order, and so does a larger P. A ladder is consistent if
-log(1 - P), the rate and x do not decrease from one window to a longer one.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import betainc

from forecaster.models.interface import TINY

LOW, HIGH = 0.025, 0.975
_LEAST_CLUSTER, _MAX_CLUSTER = 1e-6, 1e3
MAX_COUNT = 10_000_000
_LOG_CLUSTERS = np.linspace(np.log(_LEAST_CLUSTER), np.log(_MAX_CLUSTER), 512)
_RATIOS = np.exp(_LOG_CLUSTERS) / np.log1p(np.exp(_LOG_CLUSTERS))
_LOG_EXCESSES = np.log(_RATIOS - 1.0)
_NEWTON_STEPS = 3  # from so dense a table two are enough


@dataclass(frozen=True)
class Counts:
    """Zero-inflated negative binomial distributions of n forecasts.

    size, cluster, weight: (n, horizons), r, x and w above. shares: (nodes, magnitudes), q of each magnitude at equally probable slopes, or
    (n, 1, nodes, magnitudes).
    """

    size: np.ndarray
    cluster: np.ndarray
    weight: np.ndarray
    shares: np.ndarray

    def probability(self) -> np.ndarray:
        """float64 (n, horizons, magnitudes): probability of at least one."""
        rate = self.size * np.log1p(self.cluster)
        some = -np.expm1(-rate[..., None, None] * self.shares).mean(axis=-2)
        probability: np.ndarray = np.clip(self.weight[..., None] * some, TINY, 1.0 - TINY)
        return probability

    def expected(self) -> np.ndarray:
        """float64 (n, horizons, magnitudes): expected number."""
        expected: np.ndarray = (self.weight * self.size * self.cluster)[..., None] * self.shares.mean(axis=-2)
        return expected

    def at_most(self, count: np.ndarray) -> np.ndarray:
        """float64 (n, horizons, magnitudes): probability of at most `count`, of the same shape; 0 below 0."""
        size = self.size[..., None, None] * self.shares
        k = np.maximum(count, 0.0)[..., None, :]
        share = betainc(size, k + 1.0, 1.0 / (1.0 + self.cluster[..., None, None])).mean(axis=-2)
        return np.where(count < 0, 0.0, 1.0 - self.weight[..., None] * (1.0 - share))

    def quantile(self, level: float) -> np.ndarray:
        """int64 (n, horizons, magnitudes): the smallest count that is not exceeded with probability `level`, at most MAX_COUNT."""
        shares = np.broadcast_to(self.shares, (*self.size.shape, *self.shares.shape[-2:]))
        size = np.moveaxis(self.size[..., None, None] * shares, -1, -2)
        shape = size.shape[:-1]
        size = size.reshape(-1, size.shape[-1])
        x, weight = (np.broadcast_to(values[..., None], shape).reshape(-1) for values in (self.cluster, self.weight))

        def enough(count: np.ndarray, at: np.ndarray) -> np.ndarray:
            """Whether the probability of at most `count`, at the places `at`, is `level` or more."""
            share = betainc(size[at], count[:, None] + 1.0, 1.0 / (1.0 + x[at][:, None])).mean(axis=-1)
            return np.asarray(1.0 - weight[at] * (1.0 - share) >= level)

        low, high = np.full(len(size), -1.0), np.zeros(len(size))
        short = np.arange(len(size))
        while len(short := short[~enough(high[short], short) & (high[short] < MAX_COUNT)]):
            low[short], high[short] = high[short], 2.0 * high[short] + 1.0
        while len(wide := np.flatnonzero(high - low > 1.0)):
            middle = np.floor(0.5 * (low[wide] + high[wide]))
            reached = enough(middle, wide)
            low[wide], high[wide] = np.where(reached, low[wide], middle), np.where(reached, middle, high[wide])
        return np.minimum(high, MAX_COUNT).astype(np.int64).reshape(shape)


def cluster_of(ratio: np.ndarray) -> np.ndarray:
    """x of x / log(1 + x) = ratio (number over hit, 1 or more), by Newton's method in log x; x is kept within its limits."""
    goal = np.clip(ratio, _RATIOS[0], _RATIOS[-1])
    log_x = np.interp(np.log(goal - 1.0), _LOG_EXCESSES, _LOG_CLUSTERS)
    for _ in range(_NEWTON_STEPS):
        x = np.exp(log_x)
        rate = np.log1p(x)
        log_x = log_x - (x / rate - goal) / (x / rate - x * x / ((1.0 + x) * rate**2))
    cluster: np.ndarray = np.exp(np.clip(log_x, _LOG_CLUSTERS[0], _LOG_CLUSTERS[-1]))
    return cluster


def coherent_counts(
    hit: np.ndarray,
    cluster: np.ndarray,
    anchor: int,
    shares: np.ndarray,
    rate: np.ndarray | None = None,
    running: np.ndarray | None = None,
) -> Counts:
    """The counts whose -log P(none) is `hit` (n, horizons), from processes of `rate` (n, horizons), at least `hit`; None for `hit` itself.
    Neither may decrease from a window to a longer one (ValueError: a bug in quakecast).

    cluster: (n, horizons), x. It is kept unchanged at the horizon `anchor`, and adjusted at others where it would decrease with the
    horizon. running: (n,), added to x at every horizon.
    """
    rate = hit if rate is None else rate
    if np.any(np.diff(hit, axis=1) < 0) or np.any(np.diff(rate, axis=1) < 0) or not np.all((hit > 0) & (rate >= hit)):
        raise ValueError("hits must be positive, no higher than the rates, and neither may fall with the horizon")
    x = np.clip(cluster, _LEAST_CLUSTER, _MAX_CLUSTER)
    x[:, anchor:] = np.maximum.accumulate(x[:, anchor:], axis=1)
    x[:, : anchor + 1] = np.minimum.accumulate(x[:, anchor::-1], axis=1)[:, ::-1]
    if running is not None:
        x = x + running[:, None]
    return Counts(rate / np.log1p(x), x, np.expm1(-hit) / np.expm1(-rate), shares)
