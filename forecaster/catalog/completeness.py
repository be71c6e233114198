"""How small an earthquake can be and still be in the catalogue: completeness magnitude and b-value of a set of magnitudes."""

import math
from dataclasses import dataclass

import numpy as np

BIN = 0.1
CORRECTION = 0.2
FEWEST_EVENTS = 50


@dataclass(frozen=True)
class Completeness:
    """completeness magnitude Mc; `at_most`: the catalogue is cut too high to tell, Mc is that cut or less; n: events it was told from."""

    mc: float
    at_most: bool
    n: int

    def __str__(self) -> str:
        return f"{'<= ' if self.at_most else ''}{self.mc:.1f}"


@dataclass(frozen=True)
class BValue:
    """Slope of the Gutenberg-Richter law with its standard error, from the n events at and above Mc."""

    b_value: float
    sigma: float
    n: int


def estimate_completeness(magnitude: np.ndarray, cut: float) -> Completeness | None:
    """Mc by maximum curvature + 0.2, from magnitudes (n,) that the catalogue covers from `cut` on; None with fewer than 50 events.

    Magnitudes are counted in bins of 0.1 centred on whole tenths. Where the fullest bin is the lowest covered one, the maximum may lie
    below the cut: Mc is then "at most the cut", never cut + 0.2. Of two equal bins the smaller magnitude counts.
    Wiemer and Wyss (2000), doi:10.1785/0119990114; the correction: Woessner and Wiemer (2005), doi:10.1785/0120040007.
    """
    tenths = _tenths(magnitude)
    lowest = round(cut / BIN)
    tenths = tenths[tenths >= lowest]
    if len(tenths) < FEWEST_EVENTS:
        return None
    fullest = int(np.bincount(tenths - lowest).argmax())
    if fullest == 0:
        return Completeness(round(lowest * BIN, 1), True, len(tenths))
    return Completeness(round((lowest + fullest) * BIN + CORRECTION, 1), False, len(tenths))


def estimate_b_value(magnitude: np.ndarray, mc: float) -> BValue | None:
    """b = log10(e) / (mean M - (Mc - 0.05)) of the events in bins from Mc on, and its standard error; None with fewer than 50 events.

    Aki (1965), Bull. Earthq. Res. Inst. 43, 237; half a bin's correction: Utsu (1966), J. Fac. Sci. Hokkaido Univ. 7, 2, 309;
    sigma = ln(10) b^2 sqrt(sum (M - mean)^2 / (n (n - 1))): Shi and Bolt (1982), doi:10.1785/BSSA0720051677.
    """
    tenths = _tenths(magnitude)
    binned = tenths[tenths >= round(mc / BIN)] * BIN
    n = len(binned)
    if n < FEWEST_EVENTS or binned.max() == binned.min():
        return None
    b_value = math.log10(math.e) / float(binned.mean() - (mc - BIN / 2))
    sigma = math.log(10) * b_value**2 * math.sqrt(float(binned.var()) / (n - 1))
    return BValue(b_value, sigma, n)


def _tenths(magnitude: np.ndarray) -> np.ndarray:
    """int64: the bin of each magnitude that is not missing; halves go up, as 4.45 to 4.5."""
    known = np.asarray(magnitude, dtype=np.float64)
    known = known[~np.isnan(known)]
    return np.floor(np.round(known / BIN, 6) + 0.5).astype(np.int64)
