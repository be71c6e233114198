"""Which share of a place's earthquakes is larger: the Gutenberg-Richter law with the doubt about its slope.

Given beta = b ln 10, magnitudes above the completeness magnitude Mc are exponential, so with a Gamma prior beta is Gamma again (Aki 1965,
Bull. Earthq. Res. Inst. 43, 237, is its mode without a prior):

    shape = PRIOR_EVENTS + n,    rate = PRIOR_EVENTS / (b_world ln 10) + sum of (M - Mc + 0.05)

with half a bin's correction of Utsu (1966), J. Fac. Sci. Hokkaido Univ. 7, 2, 309. So a place with few earthquakes keeps the world's slope,
one with thousands has its own: partial pooling. Larger earthquakes are rarer than exponential up to LARGEST_MAG, and none is beyond it.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv

from forecaster.models.etas.etas_kernels import LN10
from forecaster.models.etas.etas_simulation import LARGEST_MAG

WORLD_B = 1.0
PRIOR_EVENTS = 100.0
BIN = 0.1
NODES = 9
STEPS = (0.0, 0.5, 1.0, 1.5, 2.0)
HIGHEST_RUNG = 8.0


@dataclass(frozen=True)
class MagnitudeLaw:
    """The law of one circle. share_complete: of the earthquakes of at least `threshold_mag` in the catalogue, those of at least
    `complete_from`, which is the threshold itself where the catalogue is complete. shape, rate: of beta's Gamma density. events: how many
    it was told from. largest_seen: the largest magnitude in the record of the circle, None where there is none."""

    threshold_mag: float
    complete_from: float
    share_complete: float
    shape: float
    rate: float
    events: int
    largest_seen: float | None

    @property
    def b_value(self) -> float:
        """Mean of b."""
        return self.shape / self.rate / LN10

    @property
    def b_sigma(self) -> float:
        """Standard deviation of b."""
        return float(np.sqrt(self.shape)) / self.rate / LN10

    def shares(self, magnitudes: np.ndarray) -> np.ndarray:
        """float64 (NODES, len(magnitudes)): share of the earthquakes of at least the threshold that are of at least each magnitude, at
        equally probable values of beta. Magnitudes must not lie below the threshold (ValueError: our own bug)."""
        if len(magnitudes) and magnitudes.min() < self.threshold_mag - 1e-9:
            raise ValueError(f"a share below the threshold M {self.threshold_mag} was asked for: {magnitudes.min()}")
        beta = gammaincinv(self.shape, (np.arange(NODES) + 0.5) / NODES)[:, None] / self.rate
        above = np.maximum(magnitudes - self.complete_from, 0.0)
        span = max(LARGEST_MAG - self.complete_from, 0.0)
        reach = np.exp(-beta * span) if span > 0 else np.zeros_like(beta)
        larger = np.maximum(np.exp(-beta * above) - reach, 0.0) / (1.0 - reach)
        width = self.complete_from - self.threshold_mag
        way = np.minimum((magnitudes - self.threshold_mag) / width, 1.0) if width > 0 else np.ones(len(magnitudes))
        return np.where(magnitudes <= self.threshold_mag + 1e-9, 1.0, self.share_complete**way * larger)


def rung_magnitudes(threshold_mag: float) -> tuple[float, ...]:
    """The magnitudes of a ladder: the threshold, and half a unit more each, up to HIGHEST_RUNG; the threshold alone where it is above."""
    steps = [round(threshold_mag + step, 2) for step in STEPS]
    return tuple(magnitude for place, magnitude in enumerate(steps) if place == 0 or magnitude <= HIGHEST_RUNG + 1e-9)


def magnitude_law(magnitude: np.ndarray, threshold_mag: float, complete_from: float | None = None) -> MagnitudeLaw:
    """The law from the magnitudes (n,) of a circle's catalogue, possibly none.

    complete_from: None where the catalogue is complete from the threshold on. Below it, the catalogue's own share counts, by a straight
    line in its logarithm: what is missing there is in no outcome either.
    """
    knee = max(threshold_mag, complete_from or threshold_mag)
    at_least = magnitude[magnitude >= threshold_mag - 1e-9]
    binned = np.floor(np.round(magnitude / BIN, 6) + 0.5) * BIN
    complete = binned[binned >= knee - 1e-6]
    share = (len(complete) + 0.5) / (len(at_least) + 0.5) if knee > threshold_mag else 1.0
    return MagnitudeLaw(
        threshold_mag,
        knee,
        share,
        PRIOR_EVENTS + len(complete),
        PRIOR_EVENTS / (WORLD_B * LN10) + float(np.sum(complete - knee + BIN / 2)),
        len(complete),
        float(at_least.max()) if len(at_least) else None,
    )
