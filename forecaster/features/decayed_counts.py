"""Decayed counts: the seismicity about a target, near and far, recent and long past, in a few dozen numbers a day.

    S(day) = sum over the visible events of one ring from the target's threshold on:  10^(a (M - threshold)) exp(-(cut - origin) / tau)

There is one sum for every ring about the centre (in units of the target's radius), magnitude exponent a (0 counts events, 1 weights them by
about their number of aftershocks) and time constant tau. Optionally deep events are counted apart from shallow ones, as they have fewer
aftershocks. Sums of exponentials approximate the Omori-Utsu decay (Utsu 1961; Ogata 1988, doi:10.1080/01621459.1988.10478560). Each is
carried from one issue to the next by a single product, so the cost is events + days. Because distances are in radii and magnitudes are
relative to the threshold, targets of all sizes have comparable features.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from forecaster.features.events import Events
from forecaster.features.many_circles import Circles, Past
from forecaster.features.windows import TargetDays
from forecaster.recipe import Recipe
from forecaster.timewindow import DAY_US

SMALLEST_SUM = 1e-6


@dataclass(frozen=True)
class CountSettings:
    """The settings of the decayed counts.

    ring_edges: outer edges in radii of the target circle, ascending; the first ring starts at the centre, an edge belongs to its inner
    ring.
    exponents: of the weight 10^(a (M - threshold)). taus_days: time constants.
    deep_km: the depth from which events are counted apart, None to count all together. An event without a depth counts as shallow.
    """

    ring_edges: tuple[float, ...] = (1.0, 2.0, 4.0)
    exponents: tuple[float, ...] = (0.0, 0.5, 1.0)
    taus_days: tuple[float, ...] = (0.3, 2.0, 10.0, 50.0, 300.0, 2000.0)
    deep_km: float | None = None

    @cached_property
    def zones(self) -> tuple[str, ...]:
        """The zones in which events are counted, ring by ring: `ring2`, or `ring2_shallow` and `ring2_deep`."""
        layers = ("",) if self.deep_km is None else ("_shallow", "_deep")
        return tuple(f"ring{ring:g}{layer}" for ring in self.ring_edges for layer in layers)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, ordered by time constant, then zone, then exponent; for example `tau10_ring2_a0.5`."""
        return tuple(f"tau{tau:g}_{zone}_a{exponent:g}" for tau in self.taus_days for zone in self.zones for exponent in self.exponents)

    def of_all_depths(self, counts: np.ndarray) -> np.ndarray:
        """(n, taus x rings x exponents): `counts` (n, names) with shallow and deep events added up."""
        rings, exponents = len(self.taus_days) * len(self.ring_edges), len(self.exponents)
        layers = len(self.zones) // len(self.ring_edges)
        summed: np.ndarray = counts.reshape(len(counts), rings, layers, exponents).sum(axis=2).reshape(len(counts), rings * exponents)
        return summed


DEFAULT_SETTINGS = CountSettings()


def decayed_counts(inputs: Events, recipe: Recipe, days: TargetDays, settings: CountSettings = DEFAULT_SETTINGS) -> np.ndarray:
    """float32 (n, taus x zones x exponents), in the order of `settings.names`: the sums at each day's input cutoff.

    A version of an event counts at a cutoff if its origin lies before it and known_at <= cut < known_until. Sums below 1e-6 are set to 0,
    so that the rounding error of an event that was withdrawn leaves no trace. The days may be in any order.
    """
    order = np.argsort(days.cut_us, kind="stable")
    sums = _changes(inputs, recipe, days.cut_us[order], settings)
    steps_days = np.diff(days.cut_us[order]) / DAY_US
    kept = np.exp(-steps_days[:, None] / np.array(settings.taus_days))[:, :, None, None]
    for day in range(1, len(days)):
        sums[day] += kept[day - 1] * sums[day - 1]
    sums[sums < SMALLEST_SUM] = 0.0
    unsorted = np.empty((len(days), len(settings.names)), dtype=np.float32)
    unsorted[order] = sums.reshape(unsorted.shape)
    return unsorted


def counts_of_circles(circles: Circles, settings: CountSettings = DEFAULT_SETTINGS) -> np.ndarray:
    """float32 (circles, taus x zones x exponents): `decayed_counts` of many circles at their common cutoff, as one product of matrices."""
    split, threshold = circles.split, circles.threshold_mag
    found = _sums_of(circles, circles.inputs if split is None else split.recent, threshold, circles.cut_us, settings)
    if split is not None:
        past = split.past
        older = past.once(("counts", threshold, settings), lambda: _sums_of(past, past.events, threshold, past.moment_us, settings))
        decay = np.exp(-(circles.cut_us - past.moment_us) / DAY_US / np.array(settings.taus_days))
        found += older[split.rows] * decay[:, None]
    found[found < SMALLEST_SUM] = 0.0
    return found.transpose(0, 2, 1, 3).reshape(len(circles), -1).astype(np.float32)


def _sums_of(places: Circles | Past, inputs: Events, threshold_mag: float, moment_us: int, settings: CountSettings) -> np.ndarray:
    """float64 (circles, zones, taus, exponents): the decayed sums of these events at a moment."""
    from scipy.sparse import csr_array

    events = inputs.take(inputs.magnitude >= threshold_mag)
    age_days = (moment_us - events.origin_time_us) / DAY_US
    above = events.magnitude - threshold_mag
    decayed = np.exp(-age_days[:, None] / np.array(settings.taus_days))
    weighed = 10.0 ** (np.array(settings.exponents) * above[:, None])
    taus, zones, exponents = len(settings.taus_days), len(settings.zones), len(settings.exponents)
    weight = (decayed[:, :, None] * weighed[:, None, :]).reshape(len(events), taus * exponents)
    found = np.zeros((len(places), zones, taus, exponents))
    for near in places.near(events, settings.ring_edges[-1] * places.radius_km):
        zone = np.searchsorted(settings.ring_edges, near.distance_km / places.radius_km, side="left")
        if settings.deep_km is not None:
            zone = 2 * zone + (events.depth_km[near.event] >= settings.deep_km)
        if not len(near.circle):
            continue
        first, last = int(near.circle.min()), int(near.circle.max()) + 1
        row = (near.circle - first) * zones + zone
        shape = ((last - first) * zones, len(events))
        sums = csr_array((np.ones(len(row)), (row, near.event)), shape=shape) @ weight
        found[first:last] = sums.reshape(last - first, zones, taus, exponents)
    return found


def _changes(inputs: Events, recipe: Recipe, cuts_us: np.ndarray, settings: CountSettings) -> np.ndarray:
    """float64 (n, taus, zones, exponents): what enters the sums at each of the ascending cutoffs, minus what leaves them."""
    reach_km = settings.ring_edges[-1] * recipe.radius_km
    rows, away = inputs.near(recipe.predict_center_lat, recipe.predict_center_lng, reach_km, recipe.threshold_mag)
    events, zone = inputs.take(rows), np.searchsorted(settings.ring_edges[:-1], away / recipe.radius_km, side="left")
    if settings.deep_km is not None:
        zone = 2 * zone + (events.depth_km >= settings.deep_km)
    entry = np.maximum(np.searchsorted(cuts_us, events.known_at_us, "left"), np.searchsorted(cuts_us, events.origin_time_us, "right"))
    leave = np.searchsorted(cuts_us, events.known_until_us, "left")
    enters = np.flatnonzero(entry < np.minimum(leave, len(cuts_us)))
    leaves = enters[leave[enters] < len(cuts_us)]
    event = np.concatenate([enters, leaves])
    day = np.concatenate([entry[enters], leave[leaves]])
    sign = np.repeat([1.0, -1.0], [len(enters), len(leaves)])
    age_days = (cuts_us[day] - events.origin_time_us[event]) / DAY_US
    above = events.magnitude[event] - recipe.threshold_mag
    zones = len(settings.zones)
    into, weights = day * zones + zone[event], [sign * 10.0 ** (exponent * above) for exponent in settings.exponents]
    if len(cuts_us) == 1:
        return _sums_at_once(into, age_days, np.array(weights), settings)[None]
    changes = np.empty((len(cuts_us), len(settings.taus_days), zones, len(settings.exponents)))
    for row, tau in enumerate(settings.taus_days):
        decay = np.exp(-age_days / tau)
        for column, weight in enumerate(weights):
            line = np.bincount(into, weights=weight * decay, minlength=len(cuts_us) * zones)
            changes[:, row, :, column] = line.reshape(len(cuts_us), zones)
    return changes


def _sums_at_once(zone: np.ndarray, age_days: np.ndarray, weights: np.ndarray, settings: CountSettings) -> np.ndarray:
    """float64 (taus, zones, exponents): the sums of events (n,) with these `weights` (exponents, n), as products of matrices."""
    by_zone = np.argsort(zone, kind="stable")
    decays = np.exp(-age_days[by_zone] / np.array(settings.taus_days)[:, None])
    ends = np.searchsorted(zone[by_zone], np.arange(len(settings.zones) + 1))
    parts = [decays[:, first:last] @ weights[:, by_zone[first:last]].T for first, last in pairwise(ends.tolist())]
    return np.stack(parts, axis=1)
