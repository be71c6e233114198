"""The completeness magnitude and the b-value of a set of magnitudes: how small an earthquake can be and still be in the catalogue.

Mc is estimated in two ways, since each fails in its own way. Maximum curvature finds the fullest bin and misses a slow loss above it.
Stability of b detects the slow loss, but mistakes a kink of the true distribution for one. The higher estimate is used.
"""

import math
from dataclasses import dataclass

import numpy as np

BIN = 0.1
CORRECTION = 0.2
MIN_EVENTS = 50
STABLE_BINS = 5  # half a magnitude unit


@dataclass(frozen=True)
class Completeness:
    """completeness magnitude Mc; `at_most`: the catalogue is cut too high to determine Mc, which is the cut or less; n: events used."""

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
    """Estimate Mc by maximum curvature + 0.2, from magnitudes (n,) that the catalogue covers from `cut` on; None with fewer than 50 events.

    Magnitudes are counted in bins of 0.1 centred on whole tenths. Where the fullest bin is the lowest covered one, the maximum may lie
    below the cut: Mc is then "at most the cut", never cut + 0.2. Of two equal bins the smaller magnitude counts.
    Wiemer and Wyss (2000), doi:10.1785/0119990114; the correction: Woessner and Wiemer (2005), doi:10.1785/0120040007.
    """
    tenths = _tenths(magnitude)
    lowest = round(cut / BIN)
    tenths = tenths[tenths >= lowest]
    if len(tenths) < MIN_EVENTS:
        return None
    fullest = int(np.bincount(tenths - lowest).argmax())
    if fullest == 0:
        return Completeness(round(lowest * BIN, 1), True, len(tenths))
    return Completeness(round((lowest + fullest) * BIN + CORRECTION, 1), False, len(tenths))


def estimate_stable_completeness(magnitude: np.ndarray, cut: float) -> Completeness | None:
    """Estimate Mc by stability of b, from magnitudes (n,) that the catalogue covers from `cut` on; None where no cutoff with 50 events is
    stable.

    Mc is the lowest cutoff whose b differs from the mean b of the five cutoffs from it on (half a magnitude unit) by no more than its own
    standard error. Where that is the cut, the catalogue does not show how far below it is complete: Mc is at most the cut. Cao and Gao
    (2002), doi:10.1029/2001GL013775; with the standard error as bound: Woessner and Wiemer (2005), doi:10.1785/0120040007.
    """
    tenths = _tenths(magnitude)
    lowest = round(cut / BIN)
    tenths = tenths[tenths >= lowest]
    if len(tenths) < MIN_EVENTS:
        return None
    cutoffs = range(lowest, int(tenths.max()) + 1)
    slopes: list[BValue | None] = []  # as far as they are needed
    for rank in range(len(cutoffs)):
        slopes += [_slope(tenths, start) for start in cutoffs[len(slopes) : rank + STABLE_BINS]]
        own, ahead = slopes[rank], [slope.b_value for slope in slopes[rank : rank + STABLE_BINS] if slope is not None]
        if own is None or len(ahead) < STABLE_BINS:
            return None
        if abs(sum(ahead) / STABLE_BINS - own.b_value) <= own.sigma:
            return Completeness(round((lowest + rank) * BIN, 1), rank == 0, len(tenths))
    return None


def higher(one: Completeness | None, other: Completeness | None) -> Completeness | None:
    """Return the more cautious of two estimates; None only where both are."""
    known = [found for found in (one, other) if found is not None]
    return max(known, key=lambda found: (found.mc, not found.at_most)) if known else None


def estimate_b_value(magnitude: np.ndarray, mc: float) -> BValue | None:
    """Estimate b = log10(e) / (mean M - (Mc - 0.05)) of the events in bins from Mc on, and its standard error; None with fewer than 50
    events.

    Aki (1965), Bull. Earthq. Res. Inst. 43, 237; half a bin's correction: Utsu (1966), J. Fac. Sci. Hokkaido Univ. 7, 2, 309;
    sigma = ln(10) b^2 sqrt(sum (M - mean)^2 / (n (n - 1))): Shi and Bolt (1982), doi:10.1785/BSSA0720051677.
    """
    return _slope(_tenths(magnitude), round(mc / BIN))


def estimate_b_positive(magnitude: np.ndarray, mc: float) -> BValue | None:
    """Estimate b from the positive differences between magnitudes (n,) in order of origin time, from Mc on; None with fewer than 50 of
    them.

    An event larger than the one before it is not hidden by it, so events lost after large shocks do not bias b. With differences of at
    least one bin, beta = acoth((mean difference - 0.1 + delta) / delta) / delta, delta = 0.05, b = beta / ln(10): van der Elst (2021),
    doi:10.1029/2020JB021027, eq. 6. Under the Gutenberg-Richter law, differences have the distribution of magnitudes, and sigma is that of
    Shi and Bolt (1982) as for `estimate_b_value`. It agrees with the scatter of simulated catalogues, though neighbouring differences share
    an event.
    """
    tenths = _tenths(magnitude)
    differences = np.diff(tenths[tenths >= round(mc / BIN)])
    positive = differences[differences > 0] * BIN
    n = len(positive)
    if n < MIN_EVENTS or positive.max() == positive.min():
        return None
    half = BIN / 2
    b_value = math.atanh(half / float(positive.mean() - BIN + half)) / half / math.log(10)
    return BValue(b_value, _shi_bolt(b_value, positive), n)


def _slope(tenths: np.ndarray, lowest: int) -> BValue | None:
    binned = tenths[tenths >= lowest] * BIN
    n = len(binned)
    if n < MIN_EVENTS or binned.max() == binned.min():
        return None
    b_value = math.log10(math.e) / float(binned.mean() - (lowest * BIN - BIN / 2))
    return BValue(b_value, _shi_bolt(b_value, binned), n)


def _shi_bolt(b_value: float, values: np.ndarray) -> float:
    return math.log(10) * b_value**2 * math.sqrt(float(values.var()) / (len(values) - 1))


def _tenths(magnitude: np.ndarray) -> np.ndarray:
    """Return int64: the bin of each magnitude that is not missing. Halves are rounded up, as 4.45 to 4.5."""
    known = np.asarray(magnitude, dtype=np.float64)
    known = known[~np.isnan(known)]
    return np.floor(np.round(known / BIN, 6) + 0.5).astype(np.int64)
