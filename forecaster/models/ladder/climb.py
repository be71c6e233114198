"""From one published probability to a whole ladder: horizons by the shape of ETAS, magnitudes by Gutenberg-Richter.

The corner of the ladder is the published probability, exactly. Each further span of days adds what ETAS adds to -log P(none), multiplied by
the ratio published / ETAS in the corner to the power CARRY, and by the productivity of the running sequence. Where only the usual rate is
published, the usual rates of longer windows replace ETAS.

A probability near 1 carries little information on the number of earthquakes. Beyond SATURATED it counts as no more than the forecast of
ETAS does, or than SATURATED where ETAS is below.

The productivity is the mean of a Gamma-Poisson posterior (as in Page et al. 2016, doi:10.1785/0120160073, for the aftershocks of one main
shock), from PRIOR_COUNT earthquakes as expected, and the observed and expected ones of the last LOOK_BACK_DAYS. It fades: it applies in
full to days up to the third, as its square root up to the seventh, and not at all later. Carried on to a month, it gave half as many again
as were observed. Clusters are WIDER than those of ETAS. The constants were chosen once for all recipes, on 2015-2017, by the log scores of
3, 7 and 30 days at the places of the recipes and 80 others, from: CARRY 0, 0.5, 1, 1.5; LOOK_BACK_DAYS 3, 7, 14, 30; PRIOR_COUNT 3, 10, 30,
60, none. WIDER 1, 1.5, 2, 3 and the fading were chosen by the log score of the number.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from forecaster.models.combination.combination import SATURATED
from forecaster.models.etas.etas_horizons import Horizons
from forecaster.models.interface import TINY
from forecaster.models.ladder.count_law import HIGH, LOW, Counts, cluster_of, coherent_counts
from forecaster.models.ladder.magnitude_law import MagnitudeLaw, rung_magnitudes

HORIZONS = (1, 3, 7, 30)
CARRY = 1.0
WIDER = 1.5
LOOK_BACK_DAYS = 3
PRIOR_COUNT = 30.0
FADES = ((3, 1.0), (7, 0.5))  # horizon in days, and the power of the productivity up to it; 0 beyond
_SURE = 1e-6  # nearer to 1, a probability does not bound the number either


@dataclass(frozen=True)
class Ladder:
    """The ladder; arrays of shape (n, horizons, magnitudes). `low` and `high` bound the central 95 % of the number.

    horizons: days from the start of the target. A rung is never more likely than one of a smaller magnitude or a longer horizon.
    """

    horizons: tuple[int, ...]
    magnitudes: tuple[float, ...]
    probability: np.ndarray
    expected: np.ndarray
    low: np.ndarray
    high: np.ndarray


def horizons_of(range_days: int) -> tuple[int, ...]:
    """The horizons of a recipe's ladder: HORIZONS, and that of its own window."""
    return tuple(sorted({*HORIZONS, range_days}))


def productivity_of(observed: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """float64 (n,): productivity of the running sequence; 1 where `observed` targets of the last LOOK_BACK_DAYS are as many as
    `expected`.
    """
    return (PRIOR_COUNT + observed) / (PRIOR_COUNT + expected)


def climb(
    published: np.ndarray | None, base: Horizons, range_days: int, law: MagnitudeLaw, productivity: np.ndarray | None = None
) -> Counts:
    """The numbers behind the ladder.

    Args:
        published: (n,), probability of the recipe's own window of `range_days`; None for the ladder of `base` itself.
        base: gives the shape over `horizons_of(range_days)`.
        productivity: (n,), as from `productivity_of`, for later days.
    """
    anchor = horizons_of(range_days).index(range_days)
    cluster = cluster_of(base.number / base.hit)
    hit = base.hit if published is None else _anchored(published, base.hit, range_days, productivity)
    return coherent_counts(hit, cluster * WIDER, anchor, law.shares(np.array(rung_magnitudes(law.threshold_mag))))


def _anchored(published: np.ndarray, base: np.ndarray, range_days: int, productivity: np.ndarray | None) -> np.ndarray:
    """(n, horizons): the -log P(none) from which the numbers are derived. At its own horizon it is that of `published`, as far as it is not
    SATURATED.
    """
    horizons = horizons_of(range_days)
    anchor = horizons.index(range_days)
    said = -np.log1p(-published)
    said = np.where(published > 1.0 - _SURE, np.maximum(said, base[:, anchor]), said)
    said = np.minimum(said, np.maximum(base[:, anchor], SATURATED))
    ratio = said / base[:, anchor]
    hit = base * ratio[:, None]
    hit[:, anchor] = said
    powers = np.array([next((power for until, power in FADES if horizon <= until), 0.0) for horizon in horizons[anchor + 1 :]])
    sequence = np.ones(len(said)) if productivity is None else productivity
    later = np.diff(base[:, anchor:], axis=1) * ratio[:, None] ** CARRY * sequence[:, None] ** powers
    hit[:, anchor + 1 :] = said[:, None] + np.cumsum(later, axis=1)
    return np.maximum.accumulate(hit, axis=1)


def ladder_chances(counts: Counts, range_days: int, published: np.ndarray) -> np.ndarray:
    """float64 (n, horizons, magnitudes): probability of at least one. The corner is exactly `published` (n,)."""
    anchor = horizons_of(range_days).index(range_days)
    probability = counts.probability()
    probability[:, anchor, 0] = published
    probability[:, anchor:, 0] = np.maximum.accumulate(probability[:, anchor:, 0], axis=1)
    probability[:, : anchor + 1, 0] = np.minimum.accumulate(probability[:, anchor::-1, 0], axis=1)[:, ::-1]
    return np.clip(np.minimum.accumulate(probability, axis=2), TINY, 1.0 - TINY)


def ladder_of(counts: Counts, law: MagnitudeLaw, range_days: int, published: np.ndarray) -> Ladder:
    """The ladder of these numbers, with `published` (n,) in its corner."""
    return Ladder(
        horizons_of(range_days),
        rung_magnitudes(law.threshold_mag),
        ladder_chances(counts, range_days, published),
        counts.expected(),
        counts.quantile(LOW),
        counts.quantile(HIGH),
    )


def with_corner(ladder: Ladder, range_days: int, numbers: Sequence[tuple[float, int, int] | None]) -> Ladder:
    """The ladder with the published (expected number, low, high) in its corner, one for each day, None for none. Other rungs are adjusted
    where they contradict it.
    """
    anchor = ladder.horizons.index(range_days)
    arrays = [ladder.expected.copy(), ladder.low.copy(), ladder.high.copy()]
    for place, told in enumerate(numbers):
        if told is None:
            continue
        for values, value in zip(arrays, told, strict=True):
            day = values[place]
            day[: anchor + 1, :] = np.minimum(day[: anchor + 1, :], value)
            day[anchor:, 0] = np.maximum(day[anchor:, 0], value)
            day[anchor, 0] = value
    return Ladder(ladder.horizons, ladder.magnitudes, ladder.probability, *arrays)
