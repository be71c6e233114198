"""Target days as they were known: toys by hand. Mutations that were seen to fail are in the docstrings."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from forecaster.features.events import NEVER, Events
from forecaster.features.rates_as_known import TAUS_DAYS, days_with_targets, target_day_rates
from forecaster.features.windows import target_days
from forecaster.timewindow import DAY_US

CENTRE = (35.0, 140.0)
HOUR_US = DAY_US // 24


@pytest.fixture
def circle(recipe):
    return recipe("tokyo-m45", predict_center_lat=CENTRE[0], predict_center_lng=CENTRE[1])


def versions(*rows: tuple[int, int, int, float]) -> Events:
    """Versions at the centre from (origin, known at, known until, magnitude)."""
    origin, known, until = (np.array(column, dtype=np.int64) for column in list(zip(*rows, strict=True))[:3])
    ones = np.ones(len(rows))
    return Events(origin, known, CENTRE[0] * ones, CENTRE[1] * ones, 10.0 * ones, np.array([row[3] for row in rows]), until)


def test_many_events_make_one_day(circle) -> None:
    """Three on day 100, known after 1, 3 and 2 hours, one on day 101: two days, the first known from the earliest on. A M 4.4 is none."""
    day = 100 * DAY_US
    times = [day + hour * HOUR_US for hour in (5, 6, 7)]
    found = days_with_targets(
        versions(
            (times[0], times[0] + 3 * HOUR_US, NEVER, 5.0),
            (times[1], times[1] + HOUR_US, NEVER, 5.0),
            (times[2], times[2] + 2 * HOUR_US, NEVER, 5.0),
            (day + DAY_US, day + DAY_US, NEVER, 4.5),
            (day + 3 * DAY_US, day + 3 * DAY_US, NEVER, 4.4),
        ),
        circle,
    )
    assert found.origin_time_us.tolist() == [day, day + DAY_US]
    assert found.known_at_us.tolist() == [times[1] + HOUR_US, day + DAY_US + 1]
    assert found.known_until_us.tolist() == [NEVER, NEVER]


def test_a_day_is_known_while_any_version_says_so(circle) -> None:
    """Version one for hours 1 to 3, two from 3 to 5, three from 9 on: a target day for hours 1 to 5, and again from 9."""
    day = 100 * DAY_US
    hours = ((1, 3), (3, 5), (9, None))
    rows = [(day, day + a * HOUR_US, NEVER if b is None else day + b * HOUR_US, 5.0) for a, b in hours]
    found = days_with_targets(versions(*rows), circle)
    assert ((found.known_at_us - day) // HOUR_US).tolist() == [1, 9]
    assert found.known_until_us.tolist() == [day + 5 * HOUR_US, NEVER]


def test_no_target_no_day(circle) -> None:
    assert len(days_with_targets(versions((0, 0, NEVER, 4.0)), circle)) == 0
    quiet = target_day_rates(versions((0, 0, NEVER, 4.0)), circle, target_days(circle, date(2000, 1, 1), 3))
    assert quiet.shape == (3, len(TAUS_DAYS)) and np.isfinite(quiet).all()


def test_a_target_every_day_is_a_rate_of_one(circle) -> None:
    """From 1973 to 2000 one a day: every rate is 1, within the half day that a day's start lies before its middle (2 % of 30 days)."""
    start, cut = 3 * 365 * DAY_US, target_days(circle, date(2000, 1, 1), 1)
    daily = np.arange(start + DAY_US // 2, cut.cut_us[0], DAY_US)
    rates = np.exp(target_day_rates(versions(*[(time, time, NEVER, 5.0) for time in daily]), circle, cut))
    assert rates[0] == pytest.approx(np.ones(len(TAUS_DAYS)), rel=0.03)


def test_the_future_changes_no_rate(circle) -> None:
    """What is seen, known or withdrawn after a day's cut plays no part in it; dropping `known_at` from the spans fails."""
    rng = np.random.default_rng(2)
    days = target_days(circle, date(1980, 1, 1), 60)
    origin = np.sort(days.cut_us[0] - 100 * DAY_US + rng.integers(0, 160 * DAY_US, 300))
    known = origin + rng.integers(0, 10 * DAY_US, 300)
    until = np.where(rng.random(300) < 0.5, known + rng.integers(0, 20 * DAY_US, 300), NEVER)
    catalogue = replace(versions(*[(time, time, NEVER, 5.0) for time in origin]), known_at_us=known, known_until_us=until)
    whole = target_day_rates(catalogue, circle, days)
    for day in range(0, 60, 7):
        seen = catalogue.visible(days.cut_us[day]).known_at_once()
        assert target_day_rates(seen, circle, days.take(slice(day, day + 1)))[0] == pytest.approx(whole[day], abs=1e-4), day
