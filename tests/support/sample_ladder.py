"""A ladder for the sample's forecasts, on made-up numbers: aftershocks that fade on top of a usual rate, ten times fewer a magnitude."""

import math
from datetime import datetime, timedelta

import numpy as np

from forecaster.models.ladder.count_law import HIGH, LOW, coherent_counts
from forecaster.models.ladder.extend_forecast import horizons_of
from forecaster.models.ladder.magnitude_law import rung_magnitudes
from forecaster.reports.content.contract import Ladder, PooledRung, Rung, RungRecord

LARGEST_SEEN = 2.6  # above the threshold
CLUSTER = 1.2


def sample_ladder(
    probability: float, usual: float, threshold: float, target_start: datetime, numbers: tuple[float, int, int], range_days: int = 1
) -> Ladder:
    """What `probability` and `numbers` (expected, low, high) say in the own window of `range_days`, and the usual rate of it; some windows
    of each length have ended."""
    horizons, magnitudes = horizons_of(range_days), rung_magnitudes(threshold)
    anchor = horizons.index(range_days)
    days = np.array(horizons, dtype=np.float64)
    steady = -math.log1p(-usual) * days / range_days
    fading = max(-math.log1p(-probability) + math.log1p(-usual), 0.0) * np.log1p(days) / math.log1p(range_days)
    shares = 10.0 ** -(np.array(magnitudes) - threshold)[None, :]
    own, by_rate = (coherent_counts(hit[None, :], np.full((1, len(days)), CLUSTER), anchor, shares) for hit in (steady + fading, steady))
    chances, expected, low, high = own.probability()[0], own.expected()[0], own.quantile(LOW)[0], own.quantile(HIGH)[0]
    rates, rate_counts = by_rate.probability()[0], by_rate.expected()[0]
    chances[anchor, 0], rates[anchor, 0] = probability, usual
    expected[anchor, 0], low[anchor, 0], high[anchor, 0] = numbers
    high[: anchor + 1] = np.minimum(high[: anchor + 1], numbers[2])
    rungs = tuple(
        Rung(
            horizon,
            magnitude,
            target_start + timedelta(days=horizon),
            float(chances[i, j]),
            float(rates[i, j]),
            float(expected[i, j]),
            int(low[i, j]),
            int(high[i, j]),
            float(rate_counts[i, j]),
            magnitude > threshold + LARGEST_SEEN,
            _record(12 - i, min(i + 2, 12 - i) if j == 0 else 0, float(chances[i, j]), float(rates[i, j])),
        )
        for i, horizon in enumerate(horizons)
        for j, magnitude in enumerate(magnitudes)
    )
    return Ladder(rungs, "etas", 1.0, 0.1)


def _record(settled: int, hits: int, probability: float, usual: float) -> RungRecord:
    """As if each earlier window had had the same figures; no interval, since the cases are few."""
    gain = hits * math.log(probability / usual) + (settled - hits) * (math.log1p(-probability) - math.log1p(-usual))
    expected, by_rate = round(settled * probability, 4), round(settled * usual, 4)
    return RungRecord(settled, hits, expected, by_rate, settled - 1, hits, round(gain / hits, 4) if hits else None)


POOLED = tuple(
    PooledRung("replay", horizon, step, RungRecord(300, hits, hits * 1.1, hits * 0.9, 290, hits // horizon, 0.12, *bounds))
    for horizon, hits, bounds in ((1, 40, (0.02, 0.21)), (7, 90, (-0.01, 0.3)), (30, 120, ()))
    for step in (0.0, 0.5, 1.0)
)
