"""The inputs of the hybrid's networks for a day, computed by one function for training and serving. Plain numpy.

They are the decayed counts of the pooled trees, over all depths, each relative to what the usual rate alone would give; the trunk's logit
minus the reference's; days since the last large shocks; rates of target days on several time scales relative to the reference; and the
images of `features.patches`. The place is not an input. The trunk counts shallow and deep events apart.
"""

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np

from forecaster.features.decayed_counts import counts_of_circles
from forecaster.features.events import Events
from forecaster.features.many_circles import Circles
from forecaster.features.patches import STEP_EDGES_DAYS, circle_patches, patches_of_circles, place
from forecaster.features.rates_as_known import TAUS_DAYS, rates_of_circles, target_day_rates
from forecaster.features.windows import TargetDays
from forecaster.models.interface import logit
from forecaster.models.pooled.pooled import COUNTS, counts_at
from forecaster.models.pooled.pooled_intensity import rate_of, row_parts
from forecaster.recipe import Recipe
from forecaster.timewindow import DAY_US

HALF_COUNT = 0.5
LARGE_SHOCKS = ((6.0, 2.0), (7.0, 3.0))
MAX_DAYS = 20_000.0
CUTS_AT_ONCE = 256
SIDE_COLUMNS = (
    *replace(COUNTS, deep_km=None).names,
    "excess",
    *(f"since_m{magnitude:g}" for magnitude, _ in LARGE_SHOCKS),
    *(f"target_days_tau{tau:g}" for tau in TAUS_DAYS),
)
_TAUS = np.repeat(COUNTS.taus_days, len(COUNTS.ring_edges) * len(COUNTS.exponents))


@dataclass(frozen=True)
class Counted:
    """The numeric features of days, as observed at their cutoffs; arrays of shape (n, ...).

    counts: float32, columns COUNTS.names.
    since: float32, log(days + 0.1) since the last M >= 6 within two radii and M >= 7 within three.
    rates: float32, columns TAUS_DAYS, log rates of target days. reference: float64, the climatology's probability.
    """

    counts: np.ndarray
    since: np.ndarray
    rates: np.ndarray
    reference: np.ndarray

    def __len__(self) -> int:
        return len(self.reference)

    @property
    def columns(self) -> tuple[np.ndarray, ...]:
        """All arrays, in the order of the fields."""
        return tuple(getattr(self, each.name) for each in fields(self))

    def take(self, selection: np.ndarray | slice) -> Self:
        """The days at these indices, or where this mask is true."""
        return type(self)(*(column[selection] for column in self.columns))

    def side(self, trunk: np.ndarray) -> np.ndarray:
        """float32 (n, SIDE_COLUMNS), the networks' inputs besides images. `trunk` (n,): the trunk's probabilities."""
        whole = np.empty((len(self), len(SIDE_COLUMNS)), dtype=np.float32)
        for rows in row_parts(len(self)):
            whole[rows] = self.take(rows)._side(trunk[rows])
        return whole

    def table(self) -> np.ndarray:
        """float32 (n, columns), the trees' features: counts and rates, both relative to the reference and absolute, and the reference's
        logit.
        """
        width = self.take(slice(0, 0))._table().shape[1]
        whole = np.empty((len(self), width), dtype=np.float32)
        for rows in row_parts(len(self)):
            whole[rows] = self.take(rows)._table()
        return whole

    def _side(self, trunk: np.ndarray) -> np.ndarray:
        _, counts, rates = self._relative()
        excess = logit(trunk) - logit(self.reference)
        return np.column_stack([counts, excess, self.since, rates])

    def _table(self) -> np.ndarray:
        sums, counts, rates = self._relative()
        return np.column_stack([counts, self.since, rates, sums, self.rates, logit(self.reference)])

    def _relative(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(counts over all depths, absolute; the same relative to the reference; rates relative to it)."""
        rate = rate_of(self.reference)[:, None]
        sums = COUNTS.of_all_depths(self.counts)
        return sums, np.log((sums + HALF_COUNT) / (rate * _TAUS + HALF_COUNT)), self.rates - np.log(self.reference)[:, None]


@dataclass(frozen=True)
class Observed(Counted):
    """The numeric features and the images: patches, float16 (n, ...)."""

    patches: np.ndarray


def observe(inputs: Events, recipe: Recipe, days: TargetDays, reference: np.ndarray) -> Observed:
    """The features of these days at their cutoffs. `reference` (n,) must be finite."""
    numbers = count(inputs, recipe, days, reference, counts_at(inputs, recipe, days))
    patches = pictures(inputs, recipe, days.cut_us, reference)
    return Observed(numbers.counts, numbers.since, numbers.rates, numbers.reference, patches)


def observe_circles(circles: Circles) -> Observed:
    """The features of many circles on their one day. Their `reference` must be finite."""
    since = np.column_stack([np.log(_days_since_of_circles(circles, *shock) + 0.1) for shock in LARGE_SHOCKS])
    return Observed(
        circles.once("counts", lambda: counts_of_circles(circles, COUNTS)),
        since.astype(np.float32),
        rates_of_circles(circles),
        circles.reference,
        patches_of_circles(circles, rate_of(circles.reference)),
    )


def count(inputs: Events, recipe: Recipe, days: TargetDays, reference: np.ndarray, counts: np.ndarray) -> Counted:
    """The numeric features of these days; `counts` are their decayed counts."""
    since = np.column_stack([np.log(_days_since(inputs, recipe, days.cut_us, *shock) + 0.1) for shock in LARGE_SHOCKS])
    rates = target_day_rates(inputs, recipe, days)
    return Counted(counts, since.astype(np.float32), rates, np.asarray(reference, dtype=np.float64))


def pictures(inputs: Events, recipe: Recipe, cut_us: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """float16 (n, ...): the images of the days with these cutoffs and this usual probability, both (n,)."""
    oldest_us = int(cut_us.min()) - (STEP_EDGES_DAYS[0] + 1) * DAY_US if len(cut_us) else 0
    recent = inputs.take(slice(int(np.searchsorted(inputs.origin_time_us, oldest_us)), None))
    return circle_patches(place(recent, recipe), cut_us, rate_of(reference))


def _days_since(inputs: Events, recipe: Recipe, cut_us: np.ndarray, magnitude: float, radii: float) -> np.ndarray:
    """float64 (n,): days from the last such visible event's origin to each cutoff, at most 20,000."""
    rows, _ = inputs.near(recipe.predict_center_lat, recipe.predict_center_lng, radii * recipe.radius_km, magnitude)
    large = inputs.take(rows)
    latest = np.full(len(cut_us), -np.inf)
    for at in range(0, len(cut_us), CUTS_AT_ONCE):
        cuts = cut_us[at : at + CUTS_AT_ONCE, None]
        seen = (cuts > large.origin_time_us) & (cuts >= large.known_at_us) & (cuts < large.known_until_us)
        latest[at : at + CUTS_AT_ONCE] = np.where(seen, large.origin_time_us, -np.inf).max(axis=1, initial=-np.inf)
    elapsed: np.ndarray = np.minimum((cut_us - latest) / DAY_US, MAX_DAYS)
    return elapsed


def _days_since_of_circles(circles: Circles, magnitude: float, radii: float) -> np.ndarray:
    """float64 (circles,): `_days_since` at the circles' common cutoff."""
    large = circles.inputs.take(circles.inputs.magnitude >= magnitude)
    latest = np.full(len(circles), -np.inf)
    for near in circles.near(large, radii * circles.radius_km):
        np.maximum.at(latest, near.circle, large.origin_time_us[near.event])
    elapsed: np.ndarray = np.minimum((circles.cut_us - latest) / DAY_US, MAX_DAYS)
    return elapsed
