"""Verification of a pool of map cells as one forecast: the probability of each cell from that of its circle, and a test of the spatial
distribution of active cells.

Cells do not overlap, but the circles about their centres do, so a pool is evaluated by cells. An earthquake counts in the cell that
contains it. The form is binary: a cell is active or not, whatever the number of its earthquakes. This keeps aftershocks from counting as
independent.
"""

from dataclasses import dataclass

import numpy as np

from forecaster.features.geometry import EARTH_RADIUS_KM

SIMULATIONS = 1000


@dataclass(frozen=True)
class SpatialTest:
    """Log likelihood of the pattern of active cells, nats, given their number: observed, and the mean of the simulated ones.

    gamma: share of simulated patterns that are as likely as the observed one, or less. Below .05 the observed active cells are inconsistent
    with the forecast's spatial distribution. All NaN where no cell is active.
    """

    observed: float
    expected: float
    gamma: float


def cell_probability(circle_probability: np.ndarray, cell_km2: np.ndarray, radius_km: float) -> np.ndarray:
    """float64 (n,): the probability that a cell is active, from that of a circle of `radius_km` about its centre.

    The rate of the circle, -ln(1 - P), is assumed to be uniform over the circle; this smooths by a disc. cell_km2 (n,): areas on the
    sphere.
    """
    rate = -np.log1p(-np.asarray(circle_probability, dtype=np.float64))
    circle_km2 = 2.0 * np.pi * EARTH_RADIUS_KM**2 * (1.0 - np.cos(radius_km / EARTH_RADIUS_KM))
    share: np.ndarray = -np.expm1(-rate * np.asarray(cell_km2, dtype=np.float64) / circle_km2)
    return share


def spatial_test(active: np.ndarray, probability: np.ndarray, rng: np.random.Generator, simulations: int = SIMULATIONS) -> SpatialTest:
    """Binary S test: are the active cells where the forecast expects them, whatever their number?

    The rates -ln(1 - p) are scaled so that they sum to the observed number of active cells. The joint log likelihood of the observed
    pattern is compared with that of simulated patterns with the same number of distinct cells, drawn with chances in proportion to the
    rates. Zechar et al. (2010), doi:10.1785/0120090192; in binary form Bayona et al. (2022), doi:10.1093/gji/ggac018.

    Args:
        active: bool (n,).
        probability: float (n,), 0 < p < 1 (ValueError otherwise).
    """
    probability = np.asarray(probability, dtype=np.float64)
    if active.shape != probability.shape or not ((probability > 0) & (probability < 1)).all():
        raise ValueError("a spatial test needs a probability above 0 and below 1 for each cell")
    count = int(np.count_nonzero(active))
    if not count:
        return SpatialTest(float("nan"), float("nan"), float("nan"))
    rate = -np.log1p(-probability)
    scaled = rate * count / rate.sum()
    weight = np.log(np.expm1(scaled))  # change of the log likelihood when a cell is active instead of quiet
    quiet = -float(scaled.sum())
    observed = quiet + float(weight[active].sum())
    drawn = np.empty(simulations)
    for run in range(simulations):
        first = np.argpartition(rng.exponential(size=len(rate)) / rate, count - 1)[:count]
        drawn[run] = quiet + weight[first].sum()
    return SpatialTest(observed, float(drawn.mean()), float(np.mean(drawn <= observed + 1e-9)))
