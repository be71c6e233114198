"""What a clock makes of a forecast: only the machine's can make it prospective."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from forecaster.clock import Clock, forecast_mode
from forecaster.timewindow import TimeWindow

WINDOW = TimeWindow(datetime(2024, 1, 2, 15, tzinfo=UTC), datetime(2024, 1, 3, 15, tzinfo=UTC))
TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("moment", "mode"),
    [
        (WINDOW.start - timedelta(days=7), "prospective"),
        (WINDOW.start - TICK, "prospective"),
        (WINDOW.start, "late"),
        (WINDOW.end - TICK, "late"),
        (WINDOW.end, "hindcast"),
    ],
)
def test_the_machines_clock_tells_the_mode_and_a_simulated_one_is_always_a_replay(moment, mode):
    assert forecast_mode(Clock(lambda: moment, simulated=False), WINDOW) == mode
    assert forecast_mode(Clock(lambda: moment, simulated=True), WINDOW) == "replay"
    assert forecast_mode(Clock.standing_at(moment), WINDOW) == "replay"


def test_the_mode_is_read_when_it_is_asked_for():
    moments = iter([WINDOW.start - TICK, WINDOW.start])
    clock = Clock(lambda: next(moments), simulated=False)
    assert [forecast_mode(clock, WINDOW), forecast_mode(clock, WINDOW)] == ["prospective", "late"]


@pytest.mark.parametrize("moment", [datetime(2024, 1, 2), datetime(2024, 1, 2, tzinfo=ZoneInfo("Asia/Tokyo"))])  # noqa: DTZ001
def test_a_naive_or_local_time_is_our_own_bug(moment):
    with pytest.raises(ValueError, match="aware UTC"):
        Clock.standing_at(moment).now()
    with pytest.raises(ValueError, match="aware UTC"):
        Clock(lambda: moment, simulated=False).now()
