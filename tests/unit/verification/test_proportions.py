"""The interval of a share of dependent days: known cases, and coverage where the truth is known.

Sources: Clopper-Pearson limits of 8 of 10 (0.4439, 0.9748) and 0 of 5 (upper 0.5218 = 1 - 0.025^(1/5)) are textbook values.
"""

import numpy as np
import pytest

from forecaster.verification.proportions import share_of_days

START = np.datetime64("1970-01-01")  # the first day of a block


def spread(count: int) -> np.ndarray:
    """`count` days, each in a block of its own."""
    return START + 30 * np.arange(count)


def test_days_in_blocks_of_their_own_are_independent():
    """8 of 10 single days: variance 10/9 x 0.16/10, so 9 effective days (t quantiles are the same): just wider than exact 8 of 10."""
    found = share_of_days(spread(10), np.arange(10) < 8)
    assert (found.hits, found.days, found.blocks, found.share) == (8, 10, 10, 0.8)
    assert found.effective_days == pytest.approx(9.0)
    assert 0.40 < found.low < 0.4439 and 0.9748 < found.high < 0.985


def test_days_of_one_sequence_count_as_few():
    """Five sequences of 20 days, four all false and one all true: as four of five, however many days they have."""
    days = np.concatenate([START + 30 * block + np.arange(20) for block in range(5)])
    hit = np.repeat([True, True, True, True, False], 20)
    found = share_of_days(days, hit)
    assert found.share == 0.8 and found.effective_days < 4.5
    assert found.low < 0.25 and found.high > 0.99


def test_where_every_day_went_the_same_way_each_block_counts_once():
    days = np.concatenate([START + 30 * block + np.arange(20) for block in range(5)])
    none = share_of_days(days, np.zeros(100, bool))
    assert (none.share, none.low) == (0.0, 0.0) and none.high == pytest.approx(0.5218, abs=1e-4)
    every = share_of_days(days, np.ones(100, bool))
    assert (every.share, every.high) == (1.0, 1.0) and every.low == pytest.approx(1 - 0.5218, abs=1e-4)


def test_one_sequence_says_nothing_and_no_day_less():
    found = share_of_days(START + np.arange(12), np.ones(12, bool))
    assert (found.blocks, found.low, found.high) == (1, 0.0, 1.0)
    nothing = share_of_days(np.empty(0, "datetime64[D]"), np.empty(0, bool))
    assert nothing.days == 0 and np.isnan([nothing.share, nothing.low, nothing.high]).all()


@pytest.mark.parametrize("hit", [np.zeros(3), np.zeros(2, bool)])
def test_arrays_that_do_not_fit(hit):
    with pytest.raises(ValueError, match="need days"):
        share_of_days(spread(3), hit)


def test_the_interval_covers_the_truth_where_days_hang_together():
    """Sequences of 1 to 12 alert days; within one the target comes with a chance drawn once for the whole of it, 0.2 on average.

    An interval that took the days as independent would miss the 0.8 in more than one case of ten (that is checked, too); this one
    must cover it in at least 94 of 100.
    """
    rng = np.random.default_rng(7)
    covered = naive = 0
    for _ in range(400):
        days, false = [], []
        for block in range(40):
            length = int(rng.integers(1, 13))
            chance = rng.beta(0.4, 1.6)
            days.append(START + 30 * block + np.arange(length))
            false.append(rng.random(length) >= chance)
        found = share_of_days(np.concatenate(days), np.concatenate(false))
        covered += found.low <= 0.8 <= found.high
        error = 1.96 * np.sqrt(found.share * (1 - found.share) / found.days)
        naive += abs(found.share - 0.8) <= error
    assert covered >= 0.94 * 400 and naive < 0.9 * 400
