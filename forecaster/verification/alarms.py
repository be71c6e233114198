"""Verification of a rule's alerts on past days: the false alarm ratio, the frequency of alerts, and the share of target days covered.

Days are dependent. Shares therefore have the interval of `proportions`, and the rate that of the block bootstrap of `intervals`.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np

from forecaster.verification.intervals import UNDEFINED, Bounds, draw_blocks, ratio_bounds
from forecaster.verification.proportions import Share, share_of_days

DAYS_A_YEAR = 365.25
MIN_DAYS = 10
MIN_BLOCKS = 5


@dataclass(frozen=True)
class AlarmRates:
    """Figures of one rule on `days` evaluated days from `first_day` to `last_day` (None where there is none).

    Attributes:
        target_days: days with the target, with or without an alert.
        false_alarms: the share without the target, of the days on which an alert was active.
        hits: the share on which an alert was active, of the days with the target.
        alerts: how often an alert was raised. alerts_in_vain: alerts with no target on any of their days.
        alerts_a_year: alerts / evaluated days x 365.25, with its bounds; where none was raised, those of a Poisson count of 0.
    """

    first_day: date | None
    last_day: date | None
    days: int
    target_days: int
    false_alarms: Share
    hits: Share
    alerts: int
    alerts_in_vain: int
    alerts_a_year: Bounds

    @property
    def known(self) -> bool:
        """Whether there are enough alert days to report a share of false alarms: MIN_DAYS in MIN_BLOCKS blocks of 30 days."""
        return self.false_alarms.days >= MIN_DAYS and self.false_alarms.blocks >= MIN_BLOCKS


def alarm_rates(
    local_days: np.ndarray, raised: np.ndarray, active: np.ndarray, observed: np.ndarray, rng: np.random.Generator
) -> AlarmRates:
    """The figures of evaluated days.

    Days are datetime64[D] (n,), ascending; the others bool (n,) each. A day that is `raised` must also be in `active` (the alert is
    active). ValueError otherwise.
    """
    for name, values in (("raised", raised), ("active", active), ("observed", observed)):
        if values.dtype != np.bool_ or values.shape != local_days.shape:
            raise ValueError(f"{name} must be bool {local_days.shape}, got {values.dtype} {values.shape}")
    if np.any(np.diff(local_days.astype(np.int64)) <= 0) or np.any(raised & ~active):
        raise ValueError("days must ascend, and an alert is active on the day that it is raised for")
    false_alarms = share_of_days(local_days[active], ~observed[active])
    hits = share_of_days(local_days[observed], active[observed])
    if not len(local_days):
        return AlarmRates(None, None, 0, 0, false_alarms, hits, 0, 0, UNDEFINED)
    episode = np.cumsum(raised)
    met = np.unique(episode[active & observed & (episode > 0)])
    count = int(raised.sum())
    years = np.full(len(local_days), 1 / DAYS_A_YEAR)
    if count:
        yearly = ratio_bounds(draw_blocks([local_days], rng), local_days, raised.astype(np.float64), years)
    else:
        yearly = Bounds(0.0, 0.0, float(-np.log(0.025) / years.sum()), 0.0)
    return AlarmRates(
        first_day=local_days[0].item(),
        last_day=local_days[-1].item(),
        days=len(local_days),
        target_days=int(observed.sum()),
        false_alarms=false_alarms,
        hits=hits,
        alerts=count,
        alerts_in_vain=count - len(met),
        alerts_a_year=yearly,
    )
