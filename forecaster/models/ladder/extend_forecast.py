"""From one published probability to a whole ladder: horizons by the shape of ETAS, magnitudes by Gutenberg-Richter.

The corner of the ladder is the published probability, exactly. Each further span of days adds what ETAS adds to -log P(none), multiplied by
the ratio published / ETAS in the corner to the power CARRY, and by the productivity of the running sequence. Where only the usual rate is
published, the usual rates of longer windows replace ETAS.

Numbers follow one rule for all rungs, the corner included: given at least one earthquake, they are those of a process whose rate is
multiplied by the productivity (`count_law`), and whose clusters are larger where a sequence runs: x grows with the excess of the first
day's rate over the usual rate, up to RUNNING_CLUSTER. The published probability alone says too little of them: on the days of 2011-2014
and 2015-2017 on which it was 63 to 86 %, 4.8 and 3.7 earthquakes were observed, and the clusters of ETAS give 1.5. In no rung do they
contradict the probability: the number is at least -log P(none).

A probability near 1 carries little information on the number of earthquakes. Beyond SATURATED only the forecast of ETAS, or SATURATED where
ETAS is below, is carried on to further days.

The productivity is the mean of a Gamma-Poisson posterior (as in Page et al. 2016, doi:10.1785/0120160073, for the aftershocks of one main
shock), from PRIOR_COUNT earthquakes as expected, and the observed and expected ones of the last LOOK_BACK_DAYS. It fades: it applies in
full to days up to the third, as its square root up to the seventh, and not at all later. Carried on to a month, it gave half as many again
as were observed. Clusters are WIDER than those of ETAS. The constants were chosen once for all recipes, on 2015-2017, by the log scores of
3, 7 and 30 days at the places of the recipes and 80 others, from: CARRY 0, 0.5, 1, 1.5; LOOK_BACK_DAYS 3, 7, 14, 30; PRIOR_COUNT 3, 10, 30,
60, none. WIDER 1, 1.5, 2, 3 and the fading were chosen by the log score of the number. RUNNING_CLUSTER 0, 2, 3, 4, 6 and RUNNING_EXCESS
0.2, 0.4, 0.8, 1.6 were chosen by that of 2011-2014, with ETAS as published: the smallest clusters within .005 of the best. 2015-2017
were a check, whose figures stood beside them: by the log score they would have chosen 4, by the mean number 3.
"""

from dataclasses import dataclass

import numpy as np

from forecaster.models.etas.etas_horizons import Horizons
from forecaster.models.etas.etas_seen import DAYS_BEFORE
from forecaster.models.interface import TINY
from forecaster.models.ladder.count_law import HIGH, LOW, Counts, cluster_of, coherent_counts
from forecaster.models.ladder.magnitude_law import DailyLaws, MagnitudeLaw, rung_magnitudes

HORIZONS = (1, 3, 7, 30)
CARRY = 1.0
WIDER = 1.5
SATURATED = 3.0  # of -log P(none), a probability of 95 %
RUNNING_CLUSTER, RUNNING_EXCESS = 3.0, 0.8
LOOK_BACK_DAYS = DAYS_BEFORE  # as many as ETAS looks at with the day itself
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
    published: np.ndarray | None,
    base: Horizons,
    range_days: int,
    law: MagnitudeLaw | DailyLaws,
    productivity: np.ndarray | None = None,
    reference: np.ndarray | None = None,
) -> Counts:
    """The numbers behind the ladder.

    Args:
        published: (n,), probability of the recipe's own window of `range_days`; None for the ladder of `base` itself.
        base: gives the shape over `horizons_of(range_days)`.
        productivity: (n,), as from `running_sequence.productivity`.
        reference: (n,), the usual rate of the recipe's own window, above which a sequence runs; None where none does.
    """
    shares = law.shares(np.array(rung_magnitudes(law.threshold_mag)))
    return _counts(published, base, horizons_of(range_days), range_days, shares, productivity, reference)


def corner_of(
    published: np.ndarray, base: Horizons, range_days: int, productivity: np.ndarray, reference: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(expected number, low, high) of the corner, (n,) each: those of the ladder, from the windows of `corner_horizons` alone."""
    horizons = corner_horizons(range_days)
    counts = _counts(published, base, horizons, range_days, np.ones((1, 1)), productivity, reference)
    return counts.expected()[:, -1, 0], counts.quantile(LOW)[:, -1, 0], counts.quantile(HIGH)[:, -1, 0]


def corner_horizons(range_days: int) -> tuple[int, ...]:
    """The windows on which the numbers of a recipe's own window depend: the first day, and its own."""
    return tuple(sorted({1, range_days}))


def _counts(
    published: np.ndarray | None,
    base: Horizons,
    horizons: tuple[int, ...],
    range_days: int,
    shares: np.ndarray,
    productivity: np.ndarray | None,
    reference: np.ndarray | None,
) -> Counts:
    anchor = horizons.index(range_days)
    cluster = cluster_of(base.number / base.hit) * WIDER
    if published is None:
        return coherent_counts(base.hit, cluster, anchor, shares)
    hit, rate = _anchored(published, base.hit, horizons, anchor, productivity)
    if reference is None:
        return coherent_counts(hit, cluster, anchor, shares, rate)
    excess = np.maximum(rate[:, 0] + np.log1p(-reference) / range_days, 0.0)
    return coherent_counts(hit, cluster, anchor, shares, rate, RUNNING_CLUSTER * -np.expm1(-excess / RUNNING_EXCESS))


def _anchored(
    published: np.ndarray, base: np.ndarray, horizons: tuple[int, ...], anchor: int, productivity: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """(n, horizons) each: -log P(none), which at the horizon `anchor` is that of `published`, and the rate of clusters."""
    own = base[:, anchor]
    said = -np.log1p(-published)
    said = np.where(published > 1.0 - _SURE, np.maximum(said, own), said)
    ratio = np.minimum(said, np.maximum(own, SATURATED)) / own
    powers = np.array([next((power for until, power in FADES if horizon <= until), 0.0) for horizon in horizons])
    running = (np.ones(len(said)) if productivity is None else productivity)[:, None] ** powers
    added = np.diff(base[:, anchor:], axis=1) * ratio[:, None] ** CARRY * running[:, anchor + 1 :]
    hit, rate = (
        np.concatenate([base[:, :anchor] * (first / own)[:, None], first[:, None], first[:, None] + np.cumsum(added, axis=1)], axis=1)
        for first in (said, np.maximum(said, own * ratio * running[:, anchor]))
    )
    return np.maximum.accumulate(hit, axis=1), np.maximum(np.maximum.accumulate(rate, axis=1), hit)


def ladder_chances(counts: Counts, range_days: int, published: np.ndarray) -> np.ndarray:
    """float64 (n, horizons, magnitudes): probability of at least one. The corner is exactly `published` (n,)."""
    anchor = horizons_of(range_days).index(range_days)
    probability = counts.probability()
    probability[:, anchor, 0] = published
    probability[:, anchor:, 0] = np.maximum.accumulate(probability[:, anchor:, 0], axis=1)
    probability[:, : anchor + 1, 0] = np.minimum.accumulate(probability[:, anchor::-1, 0], axis=1)[:, ::-1]
    return np.clip(np.minimum.accumulate(probability, axis=2), TINY, 1.0 - TINY)


def ladder_of(counts: Counts, law: MagnitudeLaw | DailyLaws, range_days: int, published: np.ndarray) -> Ladder:
    """The ladder of these numbers, with `published` (n,) in its corner."""
    return Ladder(
        horizons_of(range_days),
        rung_magnitudes(law.threshold_mag),
        ladder_chances(counts, range_days, published),
        counts.expected(),
        counts.quantile(LOW),
        counts.quantile(HIGH),
    )
