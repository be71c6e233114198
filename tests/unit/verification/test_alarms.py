"""Rates of alerts: a toy worked by hand, and a simulated world whose rates are known."""

from datetime import date

import numpy as np
import pytest

from forecaster.verification.alarms import MIN_DAYS, alarm_rates

START = np.datetime64("1970-01-01")


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def test_by_hand():
    """Ten days. Raised on 2, stands 2 to 4, the target on 3 and 4; raised on 7, stands 7, no target; one more target on 9.

    Alert days 4, 2 of them without: 2/4. Target days 3, two with an alert. Two alerts, one in vain; 2 in 10 days are 73.05 a year.
    """
    stands = np.zeros(10, bool)
    stands[[2, 3, 4, 7]] = True
    raised, observed = np.zeros(10, bool), np.zeros(10, bool)
    raised[[2, 7]] = True
    observed[[3, 4, 9]] = True
    found = alarm_rates(START + np.arange(10), raised, stands, observed, rng())
    assert (found.days, found.target_days, found.alerts, found.alerts_in_vain) == (10, 3, 2, 1)
    assert (found.false_alarms.hits, found.false_alarms.days, found.hits.hits, found.hits.days) == (2, 4, 2, 3)
    assert found.alerts_a_year.estimate == pytest.approx(73.05)
    assert (found.first_day, found.last_day) == (date(1970, 1, 1), date(1970, 1, 10))
    assert not found.known


def test_many_days_of_few_sequences_are_too_few_cases():
    """Four sequences of 20 days are 80 alert days and still not known; a fifth makes them so. Nine days in nine blocks are too few."""
    for sequences, known in ((4, False), (5, True)):
        stands = np.zeros(30 * sequences, bool)
        for block in range(sequences):
            stands[30 * block : 30 * block + 20] = True
        raised = stands & ~np.r_[False, stands[:-1]]
        found = alarm_rates(START + np.arange(30 * sequences), raised, stands, np.zeros(30 * sequences, bool), rng())
        assert found.known == known and found.false_alarms.days == 20 * sequences
    single = np.zeros(30 * 9, bool)
    single[::30] = True
    assert alarm_rates(START + np.arange(270), single, single, ~single, rng()).false_alarms.days == MIN_DAYS - 1
    assert not alarm_rates(START + np.arange(270), single, single, ~single, rng()).known


def test_a_rule_that_never_spoke_is_not_known_to_be_silent():
    """No alert in 3653 days (10.0014 years): up to 3.689 / 10.0014 a year, the exact Poisson limit of a count of 0 (3.689 = -ln 0.025)."""
    none = np.zeros(3653, bool)
    found = alarm_rates(START + np.arange(3653), none, none, none, rng()).alerts_a_year
    assert (found.estimate, found.low) == (0.0, 0.0) and found.high == pytest.approx(0.36884, abs=1e-5)


def test_no_day_at_all():
    none = np.empty(0, bool)
    found = alarm_rates(np.empty(0, "datetime64[D]"), none, none, none, rng())
    assert (found.days, found.alerts, found.first_day, found.known) == (0, 0, None, False)
    assert np.isnan(found.alerts_a_year.estimate)


def test_what_does_not_fit():
    days, yes, no = START + np.arange(3), np.ones(3, bool), np.zeros(3, bool)
    for bad in ((days, yes, no, no), (days[::-1], no, no, no), (days, no, no, np.zeros(3)), (days, no[:2], no, no)):
        with pytest.raises(ValueError, match=r"bool|ascend"):
            alarm_rates(*bad, rng())


def test_a_known_world_is_recovered():
    """3650 days; 60 sequences of geometric length (mean 5 days) in which the target comes with 0.3 a day, elsewhere with 0.02.

    An alert that stands exactly on the sequences' days is false on 0.7 of its days, and is raised 60 times in 10 years: 6.004 a year.
    In 100 such worlds the interval of the share must cover the truth at least 93 times.
    """
    world = np.random.default_rng(3)
    covered = 0
    for _ in range(100):
        starts = np.sort(world.choice(np.arange(0, 3650 - 30, 31), 60, replace=False))
        stands = np.zeros(3650, bool)
        for start, length in zip(starts, world.geometric(0.2, 60), strict=True):
            stands[start : start + min(length, 30)] = True
        raised = stands & ~np.r_[False, stands[:-1]]
        observed = world.random(3650) < np.where(stands, 0.3, 0.02)
        found = alarm_rates(START + np.arange(3650), raised, stands, observed, world)
        covered += found.false_alarms.low <= 0.7 <= found.false_alarms.high
        assert found.alerts == 60 and found.alerts_a_year.estimate == pytest.approx(60 / 3650 * 365.25)
        assert found.alerts_a_year.low < found.alerts_a_year.estimate < found.alerts_a_year.high
    assert covered >= 93
