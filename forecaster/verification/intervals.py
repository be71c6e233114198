"""Intervals of scores by a block bootstrap in calendar time.

Days are dependent (sequences), and so are recipes (circles and thresholds overlap). Therefore whole blocks of days are drawn, 30 days long
by default. All recipes, models and scores that share a `BlockDraws` use the same draws. Künsch (1989), doi:10.1214/aos/1176347265.

The bootstrap does not see dependence longer than a block, and few blocks carry little information. Compare several block lengths. Treat an
interval from a handful of blocks as rough and probably too narrow.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

BLOCK_DAYS = 30
RESAMPLES = 2000


@dataclass(frozen=True)
class DailyGain:
    """One recipe's days: local_days datetime64[D] (n,); gain float (n,), log likelihood minus the reference's, nats; observed bool (n,)."""

    local_days: np.ndarray
    gain: np.ndarray
    observed: np.ndarray


@dataclass(frozen=True)
class Interval:
    """Information gain, nats per target day, with its bounds.

    All three are NaN without a target day. `undefined_share`: the share of resamples without a target day. These are left out of the
    bounds, so the bounds are conditional on at least one target day. If they are more than a few per cent, regard the bounds as too narrow.
    """

    estimate: float
    low: float
    high: float
    target_days: int
    undefined_share: float


NOTHING = Interval(float("nan"), float("nan"), float("nan"), 0, 1.0)


@dataclass(frozen=True)
class Bounds:
    """A score with its bounds; NaN where it is not defined. `undefined_share`: as in `Interval`."""

    estimate: float
    low: float
    high: float
    undefined_share: float


UNDEFINED = Bounds(float("nan"), float("nan"), float("nan"), 1.0)


@dataclass(frozen=True)
class BlockDraws:
    """Draws of calendar blocks.

    blocks: int64 (b,), ascending, spans of `block_days` days counted from 1970-01-01. times (resamples, b): how often each block was drawn;
    every resample has as many draws as there are blocks.
    """

    blocks: np.ndarray
    times: np.ndarray
    block_days: int = BLOCK_DAYS

    def place(self, local_days: np.ndarray) -> np.ndarray:
        """int64 (n,): the column of each day's block; ValueError for a day outside of all blocks."""
        number = block_number(local_days, self.block_days)
        if not np.isin(number, self.blocks).all():
            raise ValueError("a day lies in none of the blocks that were drawn: draw them from all days that are to be scored")
        return np.searchsorted(self.blocks, number)

    def sums(self, local_days: np.ndarray, values: np.ndarray) -> tuple[float, np.ndarray]:
        """(sum of the daily values (n,), its resamples (resamples,))."""
        by_block = np.bincount(self.place(local_days), weights=values, minlength=len(self.blocks))
        return float(by_block.sum()), self.times @ by_block


def block_number(local_days: np.ndarray, block_days: int = BLOCK_DAYS) -> np.ndarray:
    """int64 (n,): number of the block of each local day, used as `groups` of dependent days."""
    return np.asarray(local_days, dtype="datetime64[D]").astype(np.int64) // block_days


def draw_blocks(
    local_days: Iterable[np.ndarray], rng: np.random.Generator | int, resamples: int = RESAMPLES, block_days: int = BLOCK_DAYS
) -> BlockDraws:
    """Draws, with replacement, of the blocks that contain any of these days (arrays of datetime64[D], one per recipe).

    rng: a generator, or a seed. With a seed the same number of blocks always gets the same draws, which are then made only once.
    """
    blocks = np.unique(np.concatenate([np.empty(0, np.int64), *(block_number(days, block_days) for days in local_days)]))
    if not len(blocks):
        return BlockDraws(blocks, np.zeros((resamples, 0)), block_days)
    times = drawn_times(len(blocks), rng, resamples) if isinstance(rng, int) else _times(rng, len(blocks), resamples)
    return BlockDraws(blocks, times, block_days)


def _times(rng: np.random.Generator, count: int, resamples: int) -> np.ndarray:
    return rng.multinomial(count, np.full(count, 1 / count), size=resamples).astype(np.float64)


@lru_cache(maxsize=8)
def drawn_times(count: int, seed: int, resamples: int = RESAMPLES) -> np.ndarray:
    """(resamples, count): how often each of `count` blocks is drawn in each resample; read-only, made once a process."""
    times = _times(np.random.default_rng(seed), count, resamples)
    times.flags.writeable = False
    return times


def sums_by_day(local_days: np.ndarray, *values: np.ndarray) -> tuple[np.ndarray, ...]:
    """(the distinct days, datetime64[D] (d,); the sum of each of the `values`, (n,), on them, (d,))."""
    days, at = np.unique(np.asarray(local_days, dtype="datetime64[D]").astype(np.int64), return_inverse=True)
    return days.astype("datetime64[D]"), *(np.bincount(at, weights=value, minlength=len(days)) for value in values)


def ratio_bounds(draws: BlockDraws, local_days: np.ndarray, numerator: np.ndarray, denominator: np.ndarray, level: float = 0.95) -> Bounds:
    """Bounds of sum of numerator / sum of denominator, both by day, (n,); denominators must not be negative.

    Days of several recipes are pooled by concatenation. Numerator and denominator use the same draws.
    """
    above, above_drawn = draws.sums(local_days, numerator)
    below, below_drawn = draws.sums(local_days, denominator)
    return _ratio(above, below, above_drawn, below_drawn, level)


def block_ratio_bounds(times: np.ndarray, numerators: np.ndarray, denominators: np.ndarray, level: float = 0.95) -> list[Bounds]:
    """Bounds of many ratios whose parts were summed by block, (n, b), from the same draws: `drawn_times`, (resamples, b)."""
    above, below = numerators @ times.T, denominators @ times.T
    return [_ratio(*parts, level) for parts in zip(numerators.sum(axis=1), denominators.sum(axis=1), above, below, strict=True)]


def _ratio(above: float, below: float, above_drawn: np.ndarray, below_drawn: np.ndarray, level: float) -> Bounds:
    if not below > 0:
        return UNDEFINED
    defined = below_drawn > 0
    return bounds(above / below, above_drawn[defined] / below_drawn[defined], float(1 - defined.mean()), level)


def bounds(estimate: float, drawn: np.ndarray, undefined_share: float = 0.0, level: float = 0.95) -> Bounds:
    """Quantiles of resampled scores (resamples,) at both sides of `level`."""
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Bounds(float(estimate), float(low), float(high), undefined_share)


def linear_spread(days: DailyGain, block_days: int) -> float:
    """Standard error of one recipe's information gain, nats per target day. Infinite where no target day was observed.

    The ratio is linearised over blocks of days. Cochran (1977), Sampling Techniques, eq. 6.13, without the correction for a finite
    population.
    """
    targets = float(np.count_nonzero(days.observed))
    if not targets:
        return float("inf")
    number = np.asarray(days.local_days, dtype="datetime64[D]").astype(np.int64) // block_days
    _, block = np.unique(number, return_inverse=True)
    excess = np.bincount(block, weights=days.gain - days.gain.sum() / targets * days.observed)
    count = len(excess)
    return float(np.sqrt(np.sum(excess**2) * count / max(count - 1, 1)) / targets)


def gain_intervals(recipes: Mapping[str, DailyGain], draws: BlockDraws, level: float = 0.95) -> tuple[dict[str, Interval], Interval]:
    """(interval by recipe, interval of all recipes pooled), from the same draws."""
    intervals = {name: gain_interval([days], draws, level) for name, days in recipes.items()}
    return intervals, gain_interval(recipes.values(), draws, level)


def gain_interval(recipes: Iterable[DailyGain], draws: BlockDraws, level: float = 0.95) -> Interval:
    """Information gain of these recipes pooled: the sum of all gains / the sum of all target days. Several models or pools may share the
    draws."""
    recipes = list(recipes)
    targets = int(sum(np.count_nonzero(days.observed) for days in recipes))
    if not targets:
        return NOTHING
    local_days, gain, observed = (np.concatenate([getattr(days, name) for days in recipes]) for name in ("local_days", "gain", "observed"))
    found = ratio_bounds(draws, local_days, gain, observed, level)
    return Interval(found.estimate, found.low, found.high, targets, found.undefined_share)
