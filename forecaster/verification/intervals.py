"""Intervals of information gain by a block bootstrap in calendar time.

Days are dependent (sequences), and so are recipes (circles and thresholds overlap): whole 30-day blocks are drawn, the same ones for all
recipes. Künsch (1989), doi:10.1214/aos/1176347265.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

BLOCK_DAYS = 30
RESAMPLES = 2000


@dataclass(frozen=True)
class DailyGain:
    """One recipe's days: local_days datetime64[D] (n,); gain float (n,), log likelihood minus the reference's, nats; happened bool (n,)."""

    local_days: np.ndarray
    gain: np.ndarray
    happened: np.ndarray


@dataclass(frozen=True)
class Interval:
    """Information gain, nats per target day, with its bounds.

    NaN in all three where no target day came. `undefined_share`: resamples in which none came; they are left out of the bounds,
    which therefore speak under the condition that something happens. Take bounds with more than a few per cent of them as too narrow.
    """

    estimate: float
    low: float
    high: float
    target_days: int
    undefined_share: float


NOTHING = Interval(float("nan"), float("nan"), float("nan"), 0, 1.0)


def information_gain_intervals(
    recipes: Mapping[str, DailyGain], rng: np.random.Generator, resamples: int = RESAMPLES, level: float = 0.95
) -> tuple[dict[str, Interval], Interval]:
    """(interval by recipe, interval of all recipes pooled), from the same `resamples` draws of calendar blocks.

    Blocks are fixed spans of 30 days counted from 1970-01-01; as many are drawn, with replacement, as any recipe has days in. Pooled:
    sum of all gains / sum of all target days.
    """
    numbers = {name: _block_number(days.local_days) for name, days in recipes.items()}
    blocks = np.unique(np.concatenate([np.empty(0, np.int64), *numbers.values()]))
    if not len(blocks):
        return dict.fromkeys(recipes, NOTHING), NOTHING
    draws = rng.multinomial(len(blocks), np.full(len(blocks), 1 / len(blocks)), size=resamples).astype(np.float64)
    intervals: dict[str, Interval] = {}
    gains, targets = np.zeros(len(blocks)), np.zeros(len(blocks))
    for name, days in recipes.items():
        at = np.searchsorted(blocks, numbers[name])
        gain = np.bincount(at, weights=days.gain, minlength=len(blocks))
        target = np.bincount(at, weights=days.happened, minlength=len(blocks))
        intervals[name] = _interval(gain, target, draws, level)
        gains, targets = gains + gain, targets + target
    return intervals, _interval(gains, targets, draws, level)


def _block_number(local_days: np.ndarray) -> np.ndarray:
    return np.asarray(local_days, dtype="datetime64[D]").astype(np.int64) // BLOCK_DAYS


def _interval(gain: np.ndarray, target: np.ndarray, draws: np.ndarray, level: float) -> Interval:
    """From gains and target days by block (b,), and how often each block was drawn (resamples, b)."""
    if not target.sum():
        return NOTHING
    drawn_targets = draws @ target
    defined = drawn_targets > 0
    ratios = (draws @ gain)[defined] / drawn_targets[defined]
    low, high = np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(gain.sum() / target.sum()), float(low), float(high), int(target.sum()), float(1 - defined.mean()))
