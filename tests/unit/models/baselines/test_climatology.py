"""The reference rate. Toys are worked by hand in the docstrings; calibration is checked on days drawn with a known probability."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecaster.errors import NotScoreable
from forecaster.models.baselines.climatology import daily_probability, earliest_issue_us
from forecaster.timewindow import DAY_US, to_us

FIRST = datetime(1980, 1, 1, tzinfo=UTC)


def series(count: int) -> tuple[np.ndarray, np.ndarray]:
    starts = to_us(FIRST) + np.arange(count, dtype=np.int64) * DAY_US
    return starts, starts + DAY_US


def at(day: int) -> int:
    """The start of day number `day` of the series."""
    return to_us(FIRST + timedelta(days=day))


def test_two_rates_by_hand() -> None:
    """20 years of 7305 days: 730 target days in the first 3652, none afterwards. Issue at day 7305 + 45, when all are final; ten years are
    3652.5 days, so the trailing labels start at or after day 3697.5, that is day 3698: n = 3607, s = 0.
    q = 730.5 / 7306 = 0.0999863; P = 365.25 q / (3607 + 365.25) = 0.00919378."""
    happened = np.zeros(7305, dtype=bool)
    happened[:3650:5] = True
    probability = daily_probability(happened, *series(7305), at(7305 + 45))
    assert probability == pytest.approx([365.25 * 730.5 / 7306 / (3607 + 365.25)], rel=1e-12)
    assert probability == pytest.approx([0.00919378], rel=1e-5)


def test_an_outcome_counts_from_the_45th_day_after_its_end() -> None:
    """400 quiet days, then one target day, number 400, that ends at day 401: final at day 446, not a microsecond before.
    Before: q = .5 / 401; after: s = S = 1, n = N = 401."""
    happened = np.zeros(401, dtype=bool)
    happened[400] = True
    before, after = daily_probability(happened, *series(401), np.array([at(446) - 1, at(446)]))
    assert before == pytest.approx((365.25 * 0.5 / 401) / (400 + 365.25))
    assert after == pytest.approx((1 + 365.25 * 1.5 / 402) / (401 + 365.25))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(411, 1990))
def test_outcomes_that_are_not_final_change_nothing(seed: int, day: int) -> None:
    """No look-ahead: everything that ends less than 45 days before the issue is flipped. Purging 44 days fails."""
    rng = np.random.default_rng(seed)
    happened, (starts, ends) = rng.random(2000) < 0.1, series(2000)
    other = np.where(ends + 45 * DAY_US <= at(day), happened, ~happened)
    assert daily_probability(happened, starts, ends, at(day)) == daily_probability(other, starts, ends, at(day))
    cut = daily_probability(happened[: day - 45], starts[: day - 45], ends[: day - 45], at(day))
    assert daily_probability(happened, starts, ends, at(day)) == cut


def test_many_issues_at_once_are_each_alone() -> None:
    happened, (starts, ends) = np.random.default_rng(1).random(6000) < 0.2, series(6000)
    issues = np.array([at(5999), at(450), at(3000), at(9000)])
    together = daily_probability(happened, starts, ends, issues)
    assert together.tolist() == [float(daily_probability(happened, starts, ends, issue)[0]) for issue in issues]


@pytest.mark.parametrize("truth", [0.002, 0.03, 0.2, 0.5])
def test_calibrated_at_every_rate(truth: float) -> None:
    """40 years of independent days. The mean forecast is the rate of the outcomes within 3 standard errors of both (the forecasts learn
    from 3,600 days and more). Sending it through 1 - exp(-rate) gives 0.39 instead of 0.5 and 0.18 instead of 0.2, and fails."""
    happened = np.random.default_rng(7).random(14_610) < truth
    starts, ends = series(14_610)
    later = starts >= at(3700)
    probability = daily_probability(happened, starts, ends, starts[later])
    error = np.sqrt(truth * (1 - truth) * (1 / later.sum() + 1 / 3600))
    assert probability.mean() == pytest.approx(happened[later].mean(), abs=3 * error)


def test_never_0_nor_1() -> None:
    starts, ends = series(6000)
    for happened in (np.zeros(6000, dtype=bool), np.ones(6000, dtype=bool)):
        probability = daily_probability(happened, starts, ends, np.array([at(415), at(6045)]))
        assert ((probability > 0) & (probability < 1)).all()


def test_long_after_the_last_outcome_it_is_the_long_term_rate() -> None:
    """All outcomes are older than ten years: P = q = (400 + .5) / (4000 + 1), by hand."""
    happened = np.arange(4000) % 10 == 0
    assert daily_probability(happened, *series(4000), at(4000 + 3700)) == pytest.approx([400.5 / 4001])


def test_less_than_a_year_is_no_reference() -> None:
    """Day 364 (the 365th) ends at day 365 and is final at day 410: there the reference starts, not a microsecond earlier."""
    happened, (starts, ends) = np.zeros(500, dtype=bool), series(500)
    assert earliest_issue_us(ends) == at(410)
    assert len(daily_probability(happened, starts, ends, np.array([at(410)]))) == 1
    with pytest.raises(NotScoreable, match=r"364 outcomes .* at least 365"):
        daily_probability(happened, starts, ends, np.array([at(450), at(410) - 1]))
    with pytest.raises(NotScoreable, match="300 target days, at least 365"):
        earliest_issue_us(ends[:300])
