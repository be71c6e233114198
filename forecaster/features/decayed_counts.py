"""Decayed counts: what has happened about a target, near and far, lately and long ago, in a few dozen numbers a day.

    S(day) = sum over the visible events of one ring from the target's threshold on:  10^(a (M - threshold)) exp(-(cut - origin) / tau)

for every ring about the centre (in units of the target's radius), magnitude exponent a (0 counts events, 1 weighs them by about their
number of aftershocks) and time constant tau. Sums of exponentials stand in for the Omori-Utsu decay (Utsu 1961; Ogata 1988,
doi:10.1080/01621459.1988.10478560), and each goes from one issue to the next by a single product, so the cost is events + days.
With distances in radii and magnitudes above the threshold, targets of all sizes are described alike.
"""

from dataclasses import dataclass

import numpy as np

from forecaster.features.events import Events
from forecaster.features.geometry import great_circle_km
from forecaster.features.windows import TargetDays
from forecaster.recipe import Recipe
from forecaster.timewindow import DAY_US

SMALLEST_SUM = 1e-6


@dataclass(frozen=True)
class CountSettings:
    """ring_edges: outer edges in radii of the target circle, rising; the first ring starts at the centre, rims belong to the inner ring.
    exponents: of the weight 10^(a (M - threshold)). taus_days: time constants."""

    ring_edges: tuple[float, ...] = (1.0, 2.0, 4.0)
    exponents: tuple[float, ...] = (0.0, 0.5, 1.0)
    taus_days: tuple[float, ...] = (0.3, 2.0, 10.0, 50.0, 300.0, 2000.0)

    @property
    def names(self) -> tuple[str, ...]:
        """What each column is, in order: time constant, then ring, then exponent; for example `tau10_ring2_a0.5`."""
        return tuple(
            f"tau{tau:g}_ring{ring:g}_a{exponent:g}" for tau in self.taus_days for ring in self.ring_edges for exponent in self.exponents
        )


DEFAULT_SETTINGS = CountSettings()


def decayed_counts(inputs: Events, recipe: Recipe, days: TargetDays, settings: CountSettings = DEFAULT_SETTINGS) -> np.ndarray:
    """float32 (n, taus x rings x exponents), in the order of `settings.names`: the sums at each day's cut.

    A version of an event counts at a cut if its origin lies before it and known_at <= cut < known_until. Sums below 1e-6 are 0: what is
    left of an event that was taken out again is no trace of it. The days may stand in any order.
    """
    shape = (len(settings.taus_days), len(settings.ring_edges), len(settings.exponents))
    order = np.argsort(days.cut_us, kind="stable")
    sums = _changes(inputs, recipe, days.cut_us[order], settings)
    steps_days = np.diff(days.cut_us[order]) / DAY_US
    kept = np.exp(-steps_days[:, None] / np.array(settings.taus_days))[:, :, None, None]
    for day in range(1, len(days)):
        sums[day] += kept[day - 1] * sums[day - 1]
    sums[sums < SMALLEST_SUM] = 0.0
    unsorted = np.empty((len(days), np.prod(shape, dtype=int)), dtype=np.float32)
    unsorted[order] = sums.reshape(unsorted.shape)
    return unsorted


def _changes(inputs: Events, recipe: Recipe, cuts_us: np.ndarray, settings: CountSettings) -> np.ndarray:
    """float64 (n, taus, rings, exponents): what enters the sums at each of the rising cuts, less what leaves them."""
    strong = inputs.take(inputs.magnitude >= recipe.threshold_mag)
    radii = great_circle_km(recipe.predict_center_lat, recipe.predict_center_lng, strong.latitude_deg, strong.longitude_deg)
    radii = radii / recipe.radius_km
    near = radii <= settings.ring_edges[-1]
    events, ring = strong.take(near), np.searchsorted(settings.ring_edges, radii[near], side="left")
    entry = np.maximum(np.searchsorted(cuts_us, events.known_at_us, "left"), np.searchsorted(cuts_us, events.origin_time_us, "right"))
    leave = np.searchsorted(cuts_us, events.known_until_us, "left")
    enters = np.flatnonzero(entry < np.minimum(leave, len(cuts_us)))
    leaves = enters[leave[enters] < len(cuts_us)]
    event = np.concatenate([enters, leaves])
    day = np.concatenate([entry[enters], leave[leaves]])
    sign = np.repeat([1.0, -1.0], [len(enters), len(leaves)])
    age_days = (cuts_us[day] - events.origin_time_us[event]) / DAY_US
    above = events.magnitude[event] - recipe.threshold_mag
    rings = len(settings.ring_edges)
    changes = np.empty((len(cuts_us), len(settings.taus_days), rings, len(settings.exponents)))
    for column, exponent in enumerate(settings.exponents):
        weight = sign * 10.0 ** (exponent * above)
        for row, tau in enumerate(settings.taus_days):
            line = np.bincount(day * rings + ring[event], weights=weight * np.exp(-age_days / tau), minlength=len(cuts_us) * rings)
            changes[:, row, :, column] = line.reshape(len(cuts_us), rings)
    return changes
