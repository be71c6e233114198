"""Alert rules on forecasts worked by hand: hysteresis, cooldown, lapses, quiet hours across changes of clocks."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from forecaster.alert_rules import Decision, ForecastFigures, RuleState, above_clearing, after, decide, held_until, reaches, walk
from forecaster.registry.recipe_fields import AlertRule, QuietHours
from forecaster.timewindow import target_window

TOKYO = ZoneInfo("Asia/Tokyo")
FIRST = date(2024, 1, 1)


def rule(**fields) -> AlertRule:
    return AlertRule.model_validate({"name": "raised", "probability": 0.05, "ratio": 3.0} | fields)


def days(*probabilities: float, usual: float = 0.01, zone: ZoneInfo = TOKYO, skip: frozenset[int] = frozenset()) -> list[ForecastFigures]:
    """One forecast a day from FIRST on; the days in `skip` have none."""
    windows = [target_window(FIRST + timedelta(days=k), zone) for k in range(len(probabilities))]
    return [ForecastFigures(w.start, w.end, p, usual) for k, (w, p) in enumerate(zip(windows, probabilities, strict=True)) if k not in skip]


def actions(rule: AlertRule, forecasts: list[ForecastFigures], zone: ZoneInfo = TOKYO) -> str:
    """The decisions as letters: q(uiet) r(aised) h(eld) c(leared) s(uppressed)."""
    return "".join(decision.action[0] for decision in walk(rule, zone, forecasts))


def test_both_bounds_must_be_reached():
    """5 % of a usual 2 % is 2.5 times: the ratio is missing; 4 % of 1 % is 4 times: the probability is. At the bounds it is raised."""
    assert actions(rule(), days(0.05, usual=0.02)) == "q"
    assert actions(rule(), days(0.04, usual=0.01)) == "q"
    assert actions(rule(probability=0.06), days(0.06, usual=0.02)) == "r"
    assert actions(rule(), days(0.0499999, 0.05, usual=0.01)) == "qr"


def test_between_the_bounds_an_alert_is_held_and_none_is_raised():
    """On 5 % and 3 times, off 3 % and 2 times, usual 1 %: 4 % is not enough to raise and enough to hold; 2.9 % ends it."""
    held = rule(probability_off=0.03, ratio_off=2.0)
    assert actions(held, days(0.04, 0.06, 0.04, 0.03, 0.029, 0.04, 0.07)) == "qrhhcqr"
    assert actions(rule(), days(0.04, 0.06, 0.04, 0.03, 0.029, 0.04, 0.07)) == "qrcqqqr"


def test_one_off_bound_is_enough_to_end_it():
    """Off 3 % and 2 times: 5 % of a usual 2.6 % is 1.9 times, though 5 % is still above 3 %."""
    held = rule(probability_off=0.03, ratio_off=2.0)
    first, second = target_window(FIRST, TOKYO), target_window(FIRST + timedelta(days=1), TOKYO)
    assert (
        actions(held, [ForecastFigures(first.start, first.end, 0.08, 0.026), ForecastFigures(second.start, second.end, 0.05, 0.026)])
        == "rc"
    )


def test_a_cooldown_counts_from_the_day_that_it_was_raised_for():
    """Raised for day 1, ended on day 2; with a cooldown of 4 days the crossings of days 3 and 4 are suppressed, that of day 5 is raised."""
    line = days(0.06, 0.01, 0.06, 0.06, 0.06, 0.06)
    assert actions(rule(cooldown_days=4), line) == "rcssrh"
    assert actions(rule(cooldown_days=3), line) == "rcsrhh"
    assert actions(rule(), line) == "rcrhhh"
    held = walk(rule(cooldown_days=4), TOKYO, line)[2]
    assert held.reason == "raised 2 days before, at most once in 4 days"


def test_a_cooldown_counts_local_days_also_when_clocks_change():
    """Berlin, 30 March to 1 April 2024: the 31st has 23 hours. Raised for the 30th, 2 days of cooldown: the 1st may be raised."""
    zone = ZoneInfo("Europe/Berlin")
    windows = [target_window(date(2024, 3, 30) + timedelta(days=k), zone) for k in range(3)]
    line = [ForecastFigures(w.start, w.end, p, 0.01) for w, p in zip(windows, (0.06, 0.01, 0.06), strict=True)]
    assert line[2].target_start - line[0].target_start == timedelta(hours=47)
    assert actions(rule(cooldown_days=2), line, zone) == "rcr"
    assert actions(rule(cooldown_days=3), line, zone) == "rcs"


def test_an_alert_lapses_where_a_forecast_is_missing():
    """Day 3 has no forecast: the alert of days 1 and 2 does not stand on day 4, which must reach the bounds itself."""
    held = rule(probability_off=0.03, ratio_off=2.0)
    decisions = walk(held, TOKYO, days(0.06, 0.04, 0.04, 0.04, 0.06, skip=frozenset({2})))
    assert [(d.action, d.expired) for d in decisions] == [("raised", False), ("held", False), ("quiet", True), ("raised", False)]
    assert walk(held, TOKYO, days(0.06, 0.06, 0.06, skip=frozenset({1})))[1] == Decision("raised", "reaches both bounds of the rule", True)


def test_a_rule_that_may_not_speak_raises_nothing_but_ends_what_stands():
    high, low = days(0.06, 0.01)
    assert decide(rule(), TOKYO, RuleState(), high, excluded="no skill") == Decision("suppressed", "no skill")
    state = after(RuleState(), high, decide(rule(), TOKYO, RuleState(), high))
    assert state == RuleState(high.target_start, high.target_start, high.target_end)
    assert decide(rule(), TOKYO, state, low, excluded="no skill").action == "cleared"


def test_windows_of_several_days_overlap_and_do_not_lapse():
    """A recipe of 3 days is issued daily: each window begins before the one before has ended."""
    windows = [target_window(FIRST + timedelta(days=k), TOKYO, 3) for k in range(3)]
    assert actions(rule(), [ForecastFigures(w.start, w.end, 0.06, 0.01) for w in windows]) == "rhh"


levels = st.floats(0.001, 0.999)


@given(
    on=levels,
    off_share=st.floats(0.1, 1.0),
    cooldown=st.integers(0, 6),
    line=st.lists(st.tuples(levels, st.floats(0.005, 0.2), st.booleans()), min_size=1, max_size=40),
)
def test_no_alert_without_a_crossing_and_none_beside_another(on, off_share, cooldown, line):
    """Whatever is forecast: it is raised only where both bounds are reached, at most once in the cooldown, held only while both off
    bounds are kept, and stands on no day on which they are not."""
    made = rule(probability=on, ratio=2.0, probability_off=on * off_share, ratio_off=2.0 * off_share, cooldown_days=cooldown)
    windows = [target_window(FIRST + timedelta(days=k), TOKYO) for k in range(len(line))]
    forecasts = [ForecastFigures(w.start, w.end, p, usual) for w, (p, usual, there) in zip(windows, line, strict=True) if there]
    decisions = walk(made, TOKYO, forecasts)
    raised = [k for k, decision in enumerate(decisions) if decision.action == "raised"]
    assert all(reaches(made, forecasts[k]) for k in raised)
    assert all(above_clearing(made, one) for one, decision in zip(forecasts, decisions, strict=True) if decision.is_active)
    assert not any(
        above_clearing(made, figures) for figures, decision in zip(forecasts, decisions, strict=True) if decision.action == "cleared"
    )
    gaps = [(forecasts[b].target_start - forecasts[a].target_start).days for a, b in pairwise(raised)]
    assert all(gap >= max(cooldown, 1) for gap in gaps)
    for k, decision in enumerate(decisions):
        if decision.action == "held":
            assert decisions[k - 1].is_active and forecasts[k - 1].target_end >= forecasts[k].target_start


def quiet(begins: str, ends: str) -> QuietHours:
    return QuietHours.model_validate({"from": begins, "until": ends})


@pytest.mark.parametrize(
    ("zone", "hours", "now", "until"),
    [
        ("Asia/Tokyo", ("22:00", "07:00"), "2024-01-02 14:30", "2024-01-02 22:00"),  # 23:30 local, until 07:00 of the next day
        ("Asia/Tokyo", ("22:00", "07:00"), "2024-01-02 21:59", "2024-01-02 22:00"),  # 06:59
        ("Asia/Tokyo", ("22:00", "07:00"), "2024-01-02 22:00", None),  # 07:00: over
        ("Asia/Tokyo", ("22:00", "07:00"), "2024-01-02 13:00", "2024-01-02 22:00"),  # 22:00: begun
        ("Asia/Tokyo", ("22:00", "07:00"), "2024-01-02 12:59", None),
        ("Asia/Tokyo", ("12:00", "14:00"), "2024-01-02 03:30", "2024-01-02 05:00"),  # not across midnight
        ("Asia/Tokyo", ("12:00", "14:00"), "2024-01-02 14:30", None),
        # Berlin's clocks go from 02:00 to 03:00 on 31 March 2024 at 01:00 UTC: 07:00 comes at 05:00 UTC and not at 06:00.
        ("Europe/Berlin", ("22:00", "07:00"), "2024-03-30 22:30", "2024-03-31 05:00"),
        ("Europe/Berlin", ("22:00", "02:30"), "2024-03-31 00:30", "2024-03-31 01:30"),  # 02:30 is left out: 03:30 on the new clock
        # They go back from 03:00 to 02:00 on 27 October 2024 at 01:00 UTC: 02:30 comes at 00:30 and at 01:30 UTC.
        ("Europe/Berlin", ("22:00", "07:00"), "2024-10-26 21:30", "2024-10-27 06:00"),
        ("Europe/Berlin", ("22:00", "02:30"), "2024-10-27 00:45", "2024-10-27 01:30"),  # between the two: still quiet
        ("Europe/Berlin", ("22:00", "02:30"), "2024-10-27 01:30", None),
        (
            "Europe/Berlin",
            ("02:30", "07:00"),
            "2024-10-27 01:10",
            "2024-10-27 06:00",
        ),  # the second 02:10: begun before
    ],
)
def test_quiet_hours_end_when_the_wall_clock_says_so(zone, hours, now, until):
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    wanted = None if until is None else datetime.fromisoformat(until).replace(tzinfo=UTC)
    assert held_until(quiet(*hours), ZoneInfo(zone), moment) == wanted


@given(
    minute=st.integers(0, 3 * 365 * 24 * 60),
    begins=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    ends=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    zone=st.sampled_from(["Asia/Tokyo", "Europe/Athens", "America/Santiago", "Pacific/Auckland", "Australia/Lord_Howe"]),
)
def test_what_is_held_back_is_held_for_less_than_26_hours_and_is_free_then(minute, begins, ends, zone):
    """At the end of quiet hours (of 20 hours at most) none hold any more: nothing is held back twice, nothing is lost."""
    length = timedelta(hours=ends.hour - begins.hour, minutes=ends.minute - begins.minute) % timedelta(days=1)
    assume(timedelta(minutes=1) <= length <= timedelta(hours=20))
    now = datetime(2023, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    hours = QuietHours.model_validate({"from": begins, "until": ends})
    until = held_until(hours, ZoneInfo(zone), now)
    if until is not None:
        assert timedelta(0) < until - now < timedelta(hours=26)
        assert held_until(hours, ZoneInfo(zone), until) is None


def test_without_quiet_hours_nothing_waits():
    assert held_until(None, TOKYO, datetime(2024, 1, 2, 15, tzinfo=UTC)) is None
