"""A share of dependent days, with its interval.

Alert days come in sequences, so n of them carry less information than n independent ones. The interval is that of Korn and Graubard (1998,
Survey Methodology 24, 193-201): the exact (Clopper-Pearson) interval of an effective number of days. The effective number is the number of
independent days whose share would vary as much as the share varies between 30-day blocks of the calendar, times (t_{n-1} / t_{k-1})^2 for
the k blocks from which the variance is estimated. Where every day had the same outcome, each block counts as one day.
"""

from dataclasses import dataclass

import numpy as np

from forecaster.verification.intervals import block_number


@dataclass(frozen=True)
class Share:
    """hits out of days, with the 95 % interval and the sample that it is based on. `share`, `low` and `high` are NaN where there is no day.

    days: int, all that were counted. blocks: the number of 30-day calendar blocks in which they lie. effective_days: float.
    """

    hits: int
    days: int
    blocks: int
    share: float
    low: float
    high: float
    effective_days: float


def share_of_days(local_days: np.ndarray, hit: np.ndarray, level: float = 0.95) -> Share:
    """Share of these days, datetime64[D] (n,) in any order, on which `hit`, bool (n,), is true.

    With only one block the interval is 0 to 1: one sequence is no evidence about the next. Raises ValueError for arrays of different
    shapes.
    """
    from scipy.stats import beta, t

    local_days, hit = np.asarray(local_days), np.asarray(hit)
    if hit.dtype != np.bool_ or hit.shape != local_days.shape or hit.ndim != 1:
        raise ValueError(f"need days (n,) and bool (n,), got {local_days.shape} and {hit.dtype} {hit.shape}")
    days, hits = len(hit), int(hit.sum())
    if not days:
        nan = float("nan")
        return Share(0, 0, 0, nan, nan, nan, 0.0)
    _, block = np.unique(block_number(local_days), return_inverse=True)
    blocks, share = int(block.max()) + 1, hits / days
    if blocks == 1:
        return Share(hits, days, 1, share, 0.0, 1.0, 1.0)
    residual = np.bincount(block, weights=hit - share)
    variance = blocks / (blocks - 1) * float((residual**2).sum()) / days**2
    effective = float(min(share * (1 - share) / variance, days)) if variance > 0 and 0 < share < 1 else float(blocks)
    if 0 < share < 1:
        quantile = (1 + level) / 2
        effective *= float((t.ppf(quantile, days - 1) / t.ppf(quantile, blocks - 1)) ** 2)
    counted, tail = share * effective, (1 - level) / 2
    low = 0.0 if hits == 0 else float(beta.ppf(tail, counted, effective - counted + 1))
    high = 1.0 if hits == days else float(beta.ppf(1 - tail, counted + 1, effective - counted))
    return Share(hits, days, blocks, share, low, high, effective)
