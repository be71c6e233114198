"""When forecasts are due. Days and hours in the tests are worked by hand from the zones' rules."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from forecaster.pipeline.daily.issue_schedule import (
    CATCH_UP_DAYS,
    Alarm,
    due_day,
    issue_alarms,
    missing_issues,
    moment_of_alarm,
    next_issue_time,
)
from forecaster.recipe import Recipe
from forecaster.store import ledger
from forecaster.timewindow import issue_time
from tests.support.forecast_rows import forecast_row

TOKYO_2330 = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)  # 23:30 in Japan, nine hours ahead


def forecast(recipe, day, mode="prospective", number=0):
    """A row of the table `forecast`, issued half an hour before its day."""
    window = recipe.target_window(day)
    issued = window.start - timedelta(minutes=30)
    name = f"{recipe.id}{day}{mode}{number}"
    return forecast_row(recipe, window, issued, forecast_id=name, mode=mode, official=mode == "prospective")


def put(store, *rows):
    with store.transaction() as connection:
        ledger.insert(connection, "forecast", list(rows))


def days_of(issues, recipe):
    return [issue.day for issue in issues if recipe in issue.recipes]


def test_one_alarm_for_every_zone_and_issue_time(recipes):
    early = recipes["athens"].model_copy(update={"issue_local_time": time(6, 5)})
    alarms = issue_alarms([recipes["tokyo-m45"], recipes["sendai"], early, recipes["istanbul"]])
    assert alarms == [
        Alarm("Asia/Tokyo", time(23, 30), ("tokyo-m45", "sendai")),
        Alarm("Europe/Athens", time(6, 5), ("athens",)),
        Alarm("Europe/Istanbul", time(23, 30), ("istanbul",)),
    ]
    assert [(alarm.slug, alarm.cron) for alarm in alarms[:2]] == [("asia-tokyo-2330", "30 23 * * *"), ("europe-athens-0605", "5 6 * * *")]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (TOKYO_2330 - timedelta(seconds=1), date(2024, 1, 2)),
        (TOKYO_2330, date(2024, 1, 3)),
        (datetime(2024, 1, 2, 15, 0, tzinfo=UTC), date(2024, 1, 3)),  # midnight in Japan: still the 3rd's forecast
        (datetime(2024, 1, 3, 14, 29, tzinfo=UTC), date(2024, 1, 3)),
    ],
)
def test_a_day_is_due_from_its_issue_time_on(recipes, now, expected):
    assert due_day(recipes["tokyo-m45"], now) == expected


@pytest.mark.parametrize(
    ("begun_s", "expected_s"),
    [(-61, -61), (-60, 0), (-0.4, 0), (0, 0), (0.5, 0.5), (90_000, 90_000)],  # a run that waited for a day works for the present
)
def test_a_run_that_begins_a_little_before_its_alarm_works_for_the_alarm(begun_s, expected_s):
    moment = moment_of_alarm(TOKYO_2330 + timedelta(seconds=begun_s), TOKYO_2330)
    assert moment == TOKYO_2330 + timedelta(seconds=expected_s)


def test_the_next_issue_is_the_first_alarm_after_now(recipes):
    assert next_issue_time(recipes["tokyo-m45"], TOKYO_2330 - timedelta(seconds=1)) == TOKYO_2330
    assert next_issue_time(recipes["tokyo-m45"], TOKYO_2330) == TOKYO_2330 + timedelta(days=1)


def test_every_alarm_comes_before_its_day_begins_also_over_a_clock_change(recipes):
    """Two years of days in every zone: the issue time lies 30 minutes before local midnight on the wall, and never more than two hours."""
    for recipe in recipes.values():
        for number in range(730):
            day = date(2023, 1, 1) + timedelta(days=number)
            lead = recipe.target_window(day).start - issue_time(day, recipe.zone, recipe.issue_local_time)
            assert timedelta(minutes=30) <= lead <= timedelta(minutes=90), (recipe.id, day)
    santiago = recipes["santiago"]  # 2023-04-01 24:00 the clocks went back to 23:00: 23:30 came twice, the first counts
    lead = santiago.target_window(date(2023, 4, 2)).start - issue_time(date(2023, 4, 2), santiago.zone, time(23, 30))
    assert lead == timedelta(minutes=90)


def test_a_first_run_makes_the_due_day_alone(store, recipes):
    issues = missing_issues(store, [recipes["tokyo-m45"], recipes["los-angeles"]], TOKYO_2330)
    assert [(issue.day, [recipe.id for recipe in issue.recipes]) for issue in issues] == [
        (date(2024, 1, 2), ["los-angeles"]),  # 06:30 of the 2nd in California: the 2nd was due the evening before
        (date(2024, 1, 3), ["tokyo-m45"]),
    ]


def test_missed_days_come_in_order_and_no_more_than_a_week(store, recipes):
    tokyo = recipes["tokyo-m45"]
    put(store, forecast(tokyo, date(2023, 12, 30)), forecast(tokyo, date(2024, 1, 1)))
    assert days_of(missing_issues(store, [tokyo], TOKYO_2330), tokyo) == [date(2023, 12, 31), date(2024, 1, 2), date(2024, 1, 3)]
    later = TOKYO_2330 + timedelta(days=60)
    caught_up = days_of(missing_issues(store, [tokyo], later), tokyo)
    assert len(caught_up) == CATCH_UP_DAYS + 1 and caught_up[-1] == due_day(tokyo, later) and caught_up == sorted(caught_up)


def test_what_is_made_is_not_made_again_and_replays_count_for_replays_alone(store, recipes):
    tokyo = recipes["tokyo-m45"]
    put(store, forecast(tokyo, date(2024, 1, 3), "replay"))
    assert days_of(missing_issues(store, [tokyo], TOKYO_2330), tokyo) == [date(2024, 1, 3)]
    assert missing_issues(store, [tokyo], TOKYO_2330, replay=True) == []
    put(store, forecast(tokyo, date(2024, 1, 3), "late"))
    assert missing_issues(store, [tokyo], TOKYO_2330) == []


def test_a_look_ahead_takes_no_day_away(store, recipes):
    """Made by hand two days before: no official forecast, so neither the day's own nor the days before it may be left out for it."""
    tokyo, ahead = recipes["tokyo-m45"], {"official": False, "issue_time": TOKYO_2330 - timedelta(days=2)}
    put(store, forecast(tokyo, date(2024, 1, 3)) | ahead, forecast(tokyo, date(2024, 1, 4)) | ahead)
    assert days_of(missing_issues(store, [tokyo], TOKYO_2330), tokyo) == [date(2024, 1, 3)]
    put(store, forecast(tokyo, date(2024, 1, 3), number=1))
    assert missing_issues(store, [tokyo], TOKYO_2330) == []
    assert days_of(missing_issues(store, [tokyo], TOKYO_2330 + timedelta(days=1)), tokyo) == [date(2024, 1, 4)]


def test_backfilled_days_do_not_begin_a_recipe_s_life(store, recipes):
    """Hindcasts of last week, then the first run: it must not catch up the gaps between them."""
    tokyo = recipes["tokyo-m45"]
    put(store, forecast(tokyo, date(2023, 12, 28), "hindcast"))
    assert days_of(missing_issues(store, [tokyo], TOKYO_2330), tokyo) == [date(2024, 1, 3)]


def test_a_changed_target_is_another_one(store, recipes):
    tokyo = recipes["tokyo-m45"]
    put(store, forecast(tokyo, date(2024, 1, 3)))
    wider = Recipe.model_validate({**tokyo.model_dump(), "predict_radius_meters": 200_000.0})
    assert days_of(missing_issues(store, [wider], TOKYO_2330), wider) == [date(2024, 1, 3)]
