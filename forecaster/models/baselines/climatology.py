"""The climatology, which is the reference: the frequency of target days over the trailing ten years, shrunk towards the long-term rate.

Every forecast is stored with it, and every skill is measured against it.
"""

import numpy as np

from forecaster.errors import NotScoreable
from forecaster.features.many_circles import PositiveDays
from forecaster.features.windows import TargetDays
from forecaster.registry.reasons import Reason, ReasonKey, Value, iso
from forecaster.timewindow import DAY_US, from_us

TRAILING_YEARS = 10
YEAR_DAYS = 365.25
PRIOR_DAYS = 365.25
FINAL_AFTER_DAYS = 45
MIN_DAYS = 365


def daily_probability(
    happened: np.ndarray, target_starts_us: np.ndarray, target_ends_us: np.ndarray, issue_us: np.ndarray | int
) -> np.ndarray:
    """Probability, float64 (m,), of the target on a day forecast at each issue time (any time, also a future one).

    happened: bool (n,), with target_starts_us and target_ends_us int64 (n,): the outcomes of consecutive target days, all of them within
    coverage. issue_us: int64 (m,). An outcome is used only if it was final, 45 days after its window's end, at the issue time.

    Days are yes or no, so the posterior is Beta, not Gamma. With s target days among n in the ten years before the issue, S among all N,
    and one year's weight w = 365.25 on the long-term rate,

        q = (S + 1/2) / (N + 1),        P = (s + w q) / (n + w).

    This is the posterior mean of the Gamma-Poisson rate of *positive days* with prior Gamma(w q, w), read as a probability. It must not go
    through 1 - exp(-rate): positive days are not Poisson counts, and that would give 39 % for a region where half of the days are positive.
    At small rates both are the same. The halves in q (Jeffreys) keep P away from 0 and 1 where no target was ever observed. With windows of
    several days the outcomes overlap: their mean is the same, only the data's weight against the prior is overstated.

    Raises:
        NotScoreable: fewer than a year of final outcomes at one of the issue times.
    """
    issue = np.atleast_1d(np.asarray(issue_us, dtype=np.int64))
    final = np.searchsorted(_final_us(target_ends_us), issue, side="right")
    if len(issue) and final.min() < MIN_DAYS:
        worst = int(final.argmin())
        values: dict[str, Value] = {"at": iso(from_us(issue[worst])), "count": int(final[worst]), "least": MIN_DAYS}
        raise NotScoreable(Reason(ReasonKey.SHORT_AT, values))
    total = np.concatenate([[0], np.cumsum(happened, dtype=np.int64)])
    oldest = np.minimum(np.searchsorted(target_starts_us, issue - trailing_us(TRAILING_YEARS), side="left"), final)
    return shrunk_rate(total[final] - total[oldest], final - oldest, total[final], final)


def trailing_us(years: float) -> int:
    """The length of that many years in microseconds."""
    return round(years * YEAR_DAYS * DAY_US)


def shrunk_rate(hits: np.ndarray, days: np.ndarray | int, all_hits: np.ndarray, all_days: np.ndarray | int) -> np.ndarray:
    """P of `daily_probability`: `hits` target days among `days` trailing ones, `all_hits` among `all_days`; arrays that broadcast."""
    long_term = (all_hits + 0.5) / (all_days + 1.0)
    rate: np.ndarray = (hits + PRIOR_DAYS * long_term) / (days + PRIOR_DAYS)
    return rate


def rate_of_circles(happened: PositiveDays, days: TargetDays, issue_us: int, window_days: int = 1) -> np.ndarray:
    """float64 (circles,): `daily_probability` at one issue time for windows of `window_days` days in many circles.

    happened: days counted from the first of `days`; consecutive windows within coverage, the same for all circles.

    Raises:
        NotScoreable: as `daily_probability`.
    """
    daily_probability(np.zeros(len(days), dtype=bool), days.target_starts_us, days.target_ends_us, issue_us)
    final = int(np.searchsorted(_final_us(days.target_ends_us), issue_us, side="right"))
    oldest = min(int(np.searchsorted(days.target_starts_us, issue_us - trailing_us(TRAILING_YEARS), side="left")), final)
    hits, all_hits = happened.windows(oldest, final, window_days), happened.windows(0, final, window_days)
    return shrunk_rate(hits, final - oldest, all_hits, final)


def daily_references(happened: np.ndarray, days: TargetDays) -> np.ndarray:
    """float64 (n,): the `daily_probability` of each of these consecutive days at its own issue time. NaN where that was too early.

    Raises:
        NotScoreable: it was too early for every day.
    """
    reference = np.full(len(days), np.nan)
    first = int(np.searchsorted(days.cut_us, earliest_issue_us(days.target_ends_us)))
    reference[first:] = daily_probability(happened, days.target_starts_us, days.target_ends_us, days.cut_us[first:])
    return reference


def earliest_issue_us(target_ends_us: np.ndarray) -> int:
    """The first issue time, microseconds, at which the outcomes of these consecutive days are enough for a reference.

    Raises:
        NotScoreable: they never are.
    """
    if len(target_ends_us) < MIN_DAYS:
        raise NotScoreable(Reason(ReasonKey.SHORT_RECORD, {"count": len(target_ends_us), "least": MIN_DAYS}))
    return int(_final_us(target_ends_us)[MIN_DAYS - 1])


def _final_us(target_ends_us: np.ndarray) -> np.ndarray:
    return np.asarray(target_ends_us, dtype=np.int64) + FINAL_AFTER_DAYS * DAY_US
