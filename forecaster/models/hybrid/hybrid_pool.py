"""Days of many circles, pooled: the training data of the hybrid's networks. Plain numpy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from forecaster.features.decayed_counts import decayed_counts
from forecaster.features.events import Events
from forecaster.features.labels import daily_labels
from forecaster.features.patches import CELLS, CHANNELS, STEPS
from forecaster.features.windows import target_days
from forecaster.models.baselines import climatology
from forecaster.models.hybrid.hybrid_inputs import Counted, count, pictures
from forecaster.models.pooled.gathered_days import GatheredDays
from forecaster.models.pooled.pooled import COUNTS
from forecaster.models.pooled.pooled_training import FIRST_LABEL, events_near, events_until, kept_share
from forecaster.recipe import Recipe


@dataclass(frozen=True)
class Thinning:
    """Which days of a circle are kept, from `first_day` on.

    Of target days at most about `targets_a_circle` are kept. Of days without the target, `active_share` is kept after recent activity (more
    than 3 weighted events, decaying within 10 days, in two radii), and `quiet_share` of the others.
    """

    first_day: date = date(1980, 1, 1)
    targets_a_circle: int = 600
    active_share: float = 0.2
    quiet_share: float = 0.04


@dataclass(frozen=True)
class Pool:
    """Days of many circles; arrays of shape (n,).

    weight: 1 / the probability with which the day was kept, so that weighted sums are unbiased estimates of sums over all days. circle: its
    number in `circles`. inputs: the data that the images are made from.
    """

    circles: Sequence[Recipe]
    inputs: Events
    observed: Counted
    happened: np.ndarray
    weight: np.ndarray
    local_days: np.ndarray
    cut_us: np.ndarray
    circle: np.ndarray

    def __len__(self) -> int:
        return len(self.happened)

    def take(self, selection: np.ndarray | slice) -> "Pool":
        """The days at these indices, or where this mask is true."""
        columns = (self.happened, self.weight, self.local_days, self.cut_us, self.circle)
        return Pool(self.circles, self.inputs, self.observed.take(selection), *(column[selection] for column in columns))

    def patches(self) -> np.ndarray:
        """float16 (n, ...): the images of these days, computed on demand, because those of a whole pool take a gigabyte."""
        made = np.empty((len(self), STEPS, CELLS, CELLS, len(CHANNELS)), dtype=np.float16)
        for number in np.unique(self.circle):
            rows, circle = np.flatnonzero(self.circle == number), self.circles[number]
            made[rows] = pictures(events_near(self.inputs, circle), circle, self.cut_us[rows], self.observed.reference[rows])
        return made


def build_pool(
    inputs: Events,
    catalogue: Events,
    circles: Sequence[Recipe],
    data_until: date,
    thinning: Thinning,
    rng: np.random.Generator,
    on_circle: Callable[[int], None] = lambda number: None,
) -> Pool:
    """Days first_day..data_until of `circles` (all in one time zone). No later data are used. `on_circle` is called after each circle."""
    days = target_days(circles[0], FIRST_LABEL, (data_until - FIRST_LABEL).days + 1)
    inputs, catalogue = events_until(inputs, data_until), events_until(catalogue, data_until)
    from_first = days.local_days >= np.datetime64(thinning.first_day)
    gathered = GatheredDays()
    for number, circle in enumerate(circles):
        near = events_near(inputs, circle)
        happened, _, _ = daily_labels(events_near(catalogue, circle), circle, days)
        counts = decayed_counts(near, circle, days, COUNTS)
        share = kept_share(counts, happened, thinning)
        kept = np.flatnonzero((rng.random(len(days)) < share) & from_first)
        reference = climatology.daily_probability(happened, days.target_starts_us, days.target_ends_us, days.cut_us[kept])
        seen = count(near, circle, days.take(kept), reference, counts[kept])
        weight = (1.0 / share[kept]).astype(np.float32)
        numbers = np.full(len(kept), number)
        gathered.add([*seen.columns, happened[kept], weight, days.local_days[kept], days.cut_us[kept], numbers])
        on_circle(number)
    *observed, happened, weight, local_days, cut_us, numbers = gathered.join()
    return Pool(circles, inputs, Counted(*observed), happened, weight, local_days, cut_us, numbers)
