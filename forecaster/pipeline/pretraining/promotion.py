"""Decide whether a newly trained set is promoted: it must not be worse than the present one, on days that neither has seen.

Equal is enough, since fresher data decide a tie. "Not worse" is shown by the 95 % interval of the difference. A set is refused where the
interval lies below zero or reaches below -MARGIN, so that few or unusual days do not let a set pass.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecaster.pipeline.training.information_gain import gain_numbers, gain_words, pooled_gain
from forecaster.verification.intervals import DailyGain, Interval
from forecaster.verification.scores import log_likelihood

MARGIN = 0.01  # nats per target day: a tenth of the combination's gain over the usual rate
MIN_TARGET_DAYS = 100
MAX_UNDEFINED = 0.05


@dataclass(frozen=True)
class Verdict:
    """Whether the set is promoted, why in words, and the figures: gain over the other set, and over the usual rate."""

    takes_over: bool
    reason: str
    numbers: dict[str, Any]


def compare(evaluated: pd.DataFrame, other: str, new: str = "new", old: str = "old") -> Verdict:
    """Compare the set behind column `new` with the one behind `old`, named `other`; rows as `fit_set.KindFit.judged`.

    Circles are pooled: sum of all gains over sum of all target days, intervals by 30-day blocks drawn for all circles together.
    """
    difference = gain_between(evaluated, new, old)
    gain = gain_between(evaluated, new, "reference")
    first, last = evaluated["local_day"].min(), evaluated["local_day"].max()
    where = f"on {evaluated['recipe_id'].nunique()} circles, {first:%Y-%m-%d} to {last:%Y-%m-%d}"
    numbers: dict[str, Any] = {
        "compared_with": other,
        "difference": gain_numbers(difference),
        "gain": gain_numbers(gain),
        "circles": int(evaluated["recipe_id"].nunique()),
        "first_day": f"{first:%Y-%m-%d}",
        "last_day": f"{last:%Y-%m-%d}",
    }
    if difference.target_days < MIN_TARGET_DAYS or difference.undefined_share > MAX_UNDEFINED:
        text = f"{difference.target_days} target days {where} are too few to compare it with {other}"
        return Verdict(False, f"not shown to be as good: {text}", numbers)
    words = f"{gain_words(difference)} against {other} {where}"
    if difference.high < 0:
        return Verdict(False, f"worse: {words}", numbers)
    if difference.low <= -MARGIN:
        return Verdict(False, f"not shown to be as good: {words}; the low end must lie above {-MARGIN:+g}", numbers)
    better = "better" if difference.low > 0 else "not worse"
    return Verdict(True, f"{better}: {words}", numbers)


def gain_between(evaluated: pd.DataFrame, column: str, other: str) -> Interval:
    """Return the information gain of the probabilities of `column` over those of `other`, all circles pooled."""
    happened = evaluated["happened"].to_numpy(dtype=bool)
    gain = log_likelihood(happened, evaluated[column].to_numpy()) - log_likelihood(happened, evaluated[other].to_numpy())
    local_days = evaluated["local_day"].to_numpy().astype("datetime64[D]")
    return pooled_gain([DailyGain(local_days, gain, happened)])


def gain_text(numbers: Mapping[str, Any] | None) -> str:
    """Format the figures of `gain_numbers`; "not measured" where there are none."""
    if not numbers or numbers.get("information_gain") is None:
        return "not measured"
    return f"{numbers['information_gain']:+.3f} (95 % {numbers['low']:+.3f} to {numbers['high']:+.3f})"


def pooled(before: tuple[float, float, float, int] | None, new: Interval) -> tuple[float, float, float, int] | None:
    """Combine the gains of two spans that do not overlap: (estimate, low, high, target days).

    Sums of gains and of target days add; the half-widths of the intervals add as those of independent sums do.
    """
    if not np.isfinite(new.estimate) or not new.target_days:
        return before
    if before is None:
        return new.estimate, new.low, new.high, new.target_days
    whole = before[3] + new.target_days
    share, fresh = before[3] / whole, new.target_days / whole
    estimate = share * before[0] + fresh * new.estimate
    low = float(np.hypot(share * (before[0] - before[1]), fresh * (new.estimate - new.low)))
    high = float(np.hypot(share * (before[2] - before[0]), fresh * (new.high - new.estimate)))
    return estimate, estimate - low, estimate + high, whole
