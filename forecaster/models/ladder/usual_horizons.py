"""The usual rate of windows of several lengths: the share with a target, and the mean number of targets, over the trailing ten years."""

import numpy as np

from forecaster.features.windows import TargetDays
from forecaster.models.baselines import climatology
from forecaster.models.baselines.climatology import FINAL_AFTER_DAYS, PRIOR_DAYS, TRAILING_YEARS, YEAR_DAYS
from forecaster.models.etas.etas_horizons import Horizons
from forecaster.timewindow import DAY_US


def usual_horizons(counts: np.ndarray, days: TargetDays, issue_us: np.ndarray, horizons: tuple[int, ...]) -> Horizons:
    """The usual rates at each issue time (m,), int64: (m, horizons).

    Args:
        counts: int64 (n,), targets of each of the consecutive single `days` of the record.

    -log P(none) of a window is that of `climatology.daily_probability` on the windows of that length. The number of targets a day is the
    mean of ten years, shrunk towards that of all years with the weight of one year. -log P(none) is at most the expected number, because
    numbers are never less variable than chance makes them.

    Raises:
        NotScoreable: fewer than a year of final outcomes of the longest windows at one of the issue times.
    """
    issue = np.asarray(issue_us, dtype=np.int64)
    total = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    hit, number = np.empty((2, len(issue), len(horizons)))
    mean = _mean_count(total, days, issue)
    for j, horizon in enumerate(horizons):
        first = max(len(counts) - horizon + 1, 0)
        happened = total[horizon : horizon + first] - total[:first] > 0
        ends = days.target_ends_us[horizon - 1 :]
        hit[:, j] = -np.log1p(-climatology.daily_probability(happened, days.target_starts_us[:first], ends, issue))
        number[:, j] = horizon * mean
    return Horizons(np.maximum.accumulate(np.minimum(hit, number), axis=1), number)


def _mean_count(total: np.ndarray, days: TargetDays, issue: np.ndarray) -> np.ndarray:
    """(m,): mean number of targets a day."""
    final = np.searchsorted(days.target_ends_us + FINAL_AFTER_DAYS * DAY_US, issue, side="right")
    oldest = np.searchsorted(days.target_starts_us, issue - round(TRAILING_YEARS * YEAR_DAYS * DAY_US), side="left")
    oldest = np.minimum(oldest, final)
    long_term = (total[final] + 0.5) / (final + 1.0)
    rate: np.ndarray = (total[final] - total[oldest] + PRIOR_DAYS * long_term) / (final - oldest + PRIOR_DAYS)
    return rate
