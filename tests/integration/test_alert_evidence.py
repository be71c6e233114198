"""On what an alert rests: the model's skill that it needs, and the false alarms that it states, from what was known out of sample."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from forecaster.pipeline.daily.verify import _scores
from forecaster.store import alert_rows as stored
from forecaster.store import ledger
from tests.support import alert_world as world
from tests.support.toys import table

DAY = date(2024, 1, 10)
ON = 0.08  # of a usual 1 %: above the rule's 5 % and 3 times


@pytest.fixture
def athens(store):
    return world.judged(store)


def text_of(store) -> str:
    """What the one message says."""
    (lines,) = table(store, "message")["lines"]
    return " ".join(json.loads(lines))


@pytest.mark.parametrize(
    ("evaluation", "said"),
    [
        ({"low": -0.01}, "(95 % -0.010 to +0.200): its low end must lie above +0 (min_gain)"),
        ({"undefined_share": 0.2}, "min_gain"),
        ({"information_gain": None}, "never been judged"),
    ],
)
def test_an_unproven_model_raises_nothing_until_it_is_proven(store, raise_at, evaluation, said):
    athens = world.athens()
    world.judge(store, athens, **evaluation)
    world.say(store, athens, DAY, ON)
    now = world.issued(athens, DAY)
    result = raise_at(athens, now)
    assert not result.raised and said in result.suppressed["athens/raised"] and not result.messages
    world.judge(store, athens)
    assert len(raise_at(athens, now + timedelta(hours=1)).raised) == 1


def test_the_official_record_speaks_before_the_evaluation(store, raise_at, athens):
    """40 official days, 20 with the target, said 2 % where usual is 40 %: a record far below the usual rate bars the rule."""
    line = [(0.02, bool(number % 2)) for number in range(40)]
    world.walked(store, athens, DAY - timedelta(days=60), line, usual=0.4, mode="prospective", official=True, method="daily")
    score(store)
    world.say(store, athens, DAY, ON)
    result = raise_at(athens, world.issued(athens, DAY))
    assert not result.raised and "-" in result.suppressed["athens/raised"].split("is ")[1][:3]


def score(store) -> None:
    """Score every official forecast with an outcome, as verify does."""
    with store.transaction() as connection:
        ledger.write_scores(connection, _scores(ledger.forecasts_to_score(connection), datetime(2024, 1, 9, tzinfo=UTC)))


def test_the_stated_false_alarms_are_those_of_what_was_known(store, athens, raise_at):
    """50 alerts of one day, each in a block of its own, 10 with the target: false on 40 of 50. Then the same store with a future.

    Days of 2024-01-10 on, outcomes that were learnt later, days that the model had seen, replays, hindcasts by today's models and what
    other kinds of model said would all change the figure; none may.
    """
    line = []
    for block in range(50):
        line += [(ON, block % 5 == 0)] + [(0.005, False)] * 29
    first = DAY - timedelta(days=1500 + 60)
    world.walked(store, athens, first, line)
    world.say(store, athens, DAY, ON)
    now = world.issued(athens, DAY)
    with store.transaction() as connection:
        plain = stored.out_of_sample(connection, athens.id, athens.target_hash, now, "etas")
    world.walked(store, athens, DAY + timedelta(days=1), [(ON, True)] * 40)
    world.walked(store, athens, first - timedelta(days=100), [(ON, True)] * 90, method="current-model", in_sample=True)
    world.walked(store, athens, first - timedelta(days=200), [(ON, True)] * 90, method="current-model")
    world.walked(store, athens, first - timedelta(days=300), [(ON, True)] * 90, mode="replay", method="daily")
    with store.transaction() as connection:
        connection.execute("UPDATE forecast SET published = false WHERE method = 'walk-forward' AND target_start < $now", {"now": now})
    other = {"model_kind": "pooled", "model_id": "athens-pooled-20240101-4567cdef"}
    world.walked(store, athens, first, [(0.9, None)] * 1500, **other)
    world.settle(store, athens, DAY - timedelta(days=61), True, now + timedelta(minutes=1), "final")
    with store.transaction() as connection:
        assert stored.out_of_sample(connection, athens.id, athens.target_hash, now, "etas")["target_start"].equals(plain["target_start"])
        published = stored.out_of_sample(connection, athens.id, athens.target_hash, now, None)
    assert set(published["probability"].tail(10)) == {0.9}, "what was published then is another model's"
    (alert_id,) = raise_at(athens, now).raised
    expected = json.loads(table(store, "alert").set_index("alert_id").loc[alert_id, "expected"])
    assert (expected["alert_days"], expected["false_alarm_days"], expected["alerts"]) == (50, 40, 50)
    share = expected["false_alarm_share"]
    assert share["estimate"] == 0.8 and 0.6 < share["low"] < 0.7 and 0.89 < share["high"] < 0.95
    assert expected["days"] == 1499, "the outcome that was learnt a minute later is not settled yet"
    text = text_of(store)
    assert "of 50 past days on which it was active, 40 passed without such an earthquake (80 %, 95 % range" in text


def test_few_cases_are_said_to_be_few(store, athens, raise_at):
    world.walked(store, athens, DAY - timedelta(days=160), [(ON, False)] * 8 + [(0.005, False)] * 100)
    world.say(store, athens, DAY, ON)
    raise_at(athens, world.issued(athens, DAY))
    text = text_of(store)
    assert "is not known: it was active on only 8 past days, in 1 separate spans" in text and "%, 95 %" not in text.split("Sent by")[0]
