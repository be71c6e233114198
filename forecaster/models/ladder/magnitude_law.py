"""The share of a place's earthquakes above each magnitude: the Gutenberg-Richter law with the uncertainty of its slope.

The world's magnitudes do not follow one slope. In the catalogue b is 1.2 below M 5.5, where magnitudes are mostly mb, and 0.95 above (from
half unit to half unit, M 4.5 to 7: 1.15, 1.17, 1.03, 0.98, 0.93 in 2009-2014, 1.28, 1.13, 1.03, 0.90, 1.06 in 2015-2017). Below M 5 it has
grown from decade to decade, as the catalogue became more complete. So only the last RECORD_YEARS are used: on 2015-2017, at the places of
the recipes and 80 others, five years were better than ten, and ten than all. Let u(M) be the integral of the world's b ln 10 from the
completeness magnitude Mc to M. The world's u are exponential of rate 1, and those of a place of some rate theta. With a Gamma prior about
1, theta is Gamma again (Aki 1965, Bull. Earthq. Res. Inst. 43, 237, is its mode without a prior and with one b):

    shape = PRIOR_EVENTS + n,    rate = PRIOR_EVENTS + sum of u(M) + half a bin

with the half-bin correction of Utsu (1966), J. Fac. Sci. Hokkaido Univ. 7, 2, 309. This is partial pooling: a place with few earthquakes
keeps the world's slopes, one with thousands has its own. No magnitude is beyond LARGEST_MAG.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv

from forecaster.models.etas.etas_kernels import LN10
from forecaster.models.etas.etas_simulation import LARGEST_MAG

BEND_MAG = 5.5
WORLD_B = (1.2, 0.95)  # below BEND_MAG, and from it on
PRIOR_EVENTS = 200.0
RECORD_YEARS = 5
BIN = 0.1
NODES = 9
STEPS = (0.0, 0.5, 1.0, 1.5, 2.0)
HIGHEST_RUNG = 8.0


@dataclass(frozen=True)
class MagnitudeLaw:
    """The magnitude law of one circle.

    share_complete: of the catalogued earthquakes of at least `threshold_mag`, the share of at least `complete_from`. `complete_from` is the
    threshold itself where the catalogue is complete.
    shape, rate: of theta's Gamma density. events: the number of earthquakes that the law was estimated from.
    largest_seen: the largest magnitude in the record of the circle, None where there is none.
    """

    threshold_mag: float
    complete_from: float
    share_complete: float
    shape: float
    rate: float
    events: int
    largest_seen: float | None

    @property
    def b_value(self) -> float:
        """Mean of b at the lower end of the magnitudes."""
        return self.shape / self.rate * _world_b(self.complete_from)

    @property
    def b_sigma(self) -> float:
        """Standard deviation of b at the lower end of the magnitudes."""
        return self.b_value / float(np.sqrt(self.shape))

    def shares(self, magnitudes: np.ndarray) -> np.ndarray:
        """float64 (NODES, len(magnitudes)): of the earthquakes of at least the threshold, the share of at least each magnitude, at equally
        probable values of theta.

        Magnitudes must not lie below the threshold (ValueError: a bug in quakecast).
        """
        if len(magnitudes) and magnitudes.min() < self.threshold_mag - 1e-9:
            raise ValueError(f"a share below the threshold M {self.threshold_mag} was asked for: {magnitudes.min()}")
        theta = gammaincinv(self.shape, (np.arange(NODES) + 0.5) / NODES)[:, None] / self.rate
        above, span = world_steps(self.complete_from, magnitudes), float(world_steps(self.complete_from, np.array([LARGEST_MAG]))[0])
        reach = np.exp(-theta * span) if span > 0 else np.zeros_like(theta)
        larger = np.maximum(np.exp(-theta * above) - reach, 0.0) / (1.0 - reach)
        width = self.complete_from - self.threshold_mag
        way = np.minimum((magnitudes - self.threshold_mag) / width, 1.0) if width > 0 else np.ones(len(magnitudes))
        return np.where(magnitudes <= self.threshold_mag + 1e-9, 1.0, self.share_complete**way * larger)


@dataclass(frozen=True)
class DailyLaws:
    """The magnitude laws of one circle on several days."""

    laws: tuple[MagnitudeLaw, ...]

    @property
    def threshold_mag(self) -> float:
        return self.laws[0].threshold_mag

    def shares(self, magnitudes: np.ndarray) -> np.ndarray:
        """float64 (n, 1, NODES, len(magnitudes)): `MagnitudeLaw.shares` of each day."""
        return np.stack([law.shares(magnitudes) for law in self.laws])[:, None]


def rung_magnitudes(threshold_mag: float) -> tuple[float, ...]:
    """The magnitudes of a ladder: from the threshold up in steps of half a unit, to HIGHEST_RUNG; the threshold alone where it is above
    HIGHEST_RUNG.
    """
    steps = [round(threshold_mag + step, 2) for step in STEPS]
    return tuple(magnitude for place, magnitude in enumerate(steps) if place == 0 or magnitude <= HIGHEST_RUNG + 1e-9)


def world_steps(lowest: float, magnitudes: np.ndarray) -> np.ndarray:
    """u of each magnitude, 0 up to `lowest`."""

    def height(magnitude: np.ndarray) -> np.ndarray:
        return np.asarray(LN10 * (WORLD_B[0] * np.minimum(magnitude, BEND_MAG) + WORLD_B[1] * np.maximum(magnitude - BEND_MAG, 0.0)))

    return np.asarray(np.maximum(height(np.asarray(magnitudes, dtype=np.float64)) - height(np.array(lowest)), 0.0))


def _world_b(magnitude: float) -> float:
    return WORLD_B[0] if magnitude < BEND_MAG else WORLD_B[1]


def magnitude_law(
    magnitude: np.ndarray, threshold_mag: float, complete_from: float | None = None, largest_seen: float | None = None
) -> MagnitudeLaw:
    """The law estimated from the magnitudes (n,) of a circle's catalogue of the last RECORD_YEARS, possibly none. `largest_seen` is that of
    its whole record.

    complete_from: None where the catalogue is complete from the threshold on. Below it the catalogue's own share is used, by a straight
    line in its logarithm, because earthquakes missing from the catalogue are missing from the outcomes, too.
    """
    knee = max(threshold_mag, complete_from or threshold_mag)
    at_least = magnitude[magnitude >= threshold_mag - 1e-9]
    binned = np.floor(np.round(magnitude / BIN, 6) + 0.5) * BIN
    complete = binned[binned >= knee - 1e-6]
    share = (len(complete) + 0.5) / (len(at_least) + 0.5) if knee > threshold_mag else 1.0
    half = LN10 * _world_b(knee) * BIN / 2
    return MagnitudeLaw(
        threshold_mag,
        knee,
        share,
        PRIOR_EVENTS + len(complete),
        PRIOR_EVENTS + float(np.sum(world_steps(knee, complete) + half)),
        len(complete),
        largest_seen,
    )
