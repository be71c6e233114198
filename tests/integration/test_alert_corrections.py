"""What follows when a revision changes what an alert had said: told once, in the same channels and thread, and only when it is so."""

import json
import shutil
from datetime import date, timedelta

import numpy as np
import pytest

from forecaster.features.events import Events
from forecaster.features.windows import target_days
from forecaster.pipeline.daily.verify import _scores
from forecaster.pipeline.issuing import published_rows
from forecaster.pipeline.issuing.members import Member, generic_member
from forecaster.publishing_rule.blend import Blend
from forecaster.publishing_rule.combination import combine
from forecaster.settings import load_settings
from forecaster.store import ledger
from tests.support import alert_world as world
from tests.support import toy_models
from tests.support.tiny import CENTRE, NEXT_CELL
from tests.support.toys import dump, quake, table, write

DAY = date(2024, 1, 10)
ON, OFF = 0.08, 0.02
HOUR = timedelta(hours=1)


@pytest.fixture
def settings(settings):
    return load_settings(home=settings.home, **world.TWO_CHANNELS)


@pytest.fixture
def athens(store):
    return world.judged(store, {**world.RULE, "channels": ["webhook"]})


def corrections(store) -> list[dict]:
    return table(store, "alert_correction").sort_values("corrected_at").to_dict("records")


def said_of(store, correction: dict) -> dict:
    row = table(store, "message").set_index("subject_id").loc[correction["correction_id"]]
    return {**row, "text": " ".join(json.loads(row["lines"])), "facts": json.loads(row["facts"])}


@pytest.fixture
def alerted(store, athens, raise_at):
    """An alert stands for DAY; its id and the moment after its window."""
    world.say(store, athens, DAY, ON)
    (alert_id,) = raise_at(athens, world.issued(athens, DAY)).raised
    return alert_id, athens.target_window(DAY).end + 2 * HOUR


def test_an_outcome_that_turns_round_is_told_once_each_time(store, athens, raise_at, alerted):
    """None at first, one after a revision, none again after another: two corrections, both in the alert's thread and channel."""
    alert_id, now = alerted
    world.settle(store, athens, DAY, False, now)
    assert not raise_at(athens, now).corrected, "a first outcome corrects nothing"
    world.settle(store, athens, DAY, True, now + HOUR)
    (first,) = raise_at(athens, now + HOUR).corrected
    before = dump(store)
    assert not raise_at(athens, now + 2 * HOUR).corrected and dump(store) == before
    world.settle(store, athens, DAY, False, now + 3 * HOUR, "final")
    (second,) = raise_at(athens, now + 3 * HOUR).corrected
    rows = corrections(store)
    assert [row["correction_id"] for row in rows] == [first, second] and [row["happened"] for row in rows] == [True, False]
    for row, title in zip(rows, ("with such an earthquake", "without such an earthquake"), strict=True):
        message = said_of(store, row)
        assert (message["kind"], message["thread_id"]) == ("correction", alert_id)
        assert message["title"] == f"Athens: Wed 10 Jan 2024 counts as a day {title} now"
        assert "the forecast was 8.0 %, 8.0 times the usual 1 %" in message["text"]
    sent = table(store, "delivery")
    assert set(sent.loc[sent["subject_kind"] != "operations", "channel"]) == {"webhook"}


def test_a_preliminary_outcome_is_not_a_word_to_go_back_on(store, athens, raise_at, alerted):
    _, now = alerted
    world.settle(store, athens, DAY, False, now, "preliminary")
    raise_at(athens, now)
    world.settle(store, athens, DAY, True, now + HOUR, "provisional")
    assert not raise_at(athens, now + HOUR).corrected and table(store, "alert_correction").empty


def test_days_without_an_alert_are_not_corrected(store, athens, raise_at, alerted):
    _, now = alerted
    world.say(store, athens, DAY + timedelta(days=1), OFF)
    for happened, later in ((False, 0), (True, 1)):
        world.settle(store, athens, DAY + timedelta(days=1), happened, now + (26 + later) * HOUR)
        raise_at(athens, now + (26 + later) * HOUR)
    assert table(store, "alert_correction").empty


@pytest.fixture
def followed(store, settings, raise_at):
    """A real model directory whose model says 0.98 on the day after an M >= 5.5 and 0.02 on others, and an alert that it raised.

    The world: M5.8 and M3.0 known before the issue. Returns the recipe, alert id and a moment inside the window.
    """
    recipe = world.athens()
    with pytest.MonkeyPatch.context() as patch:
        toy_models.put_in_place(patch)
        model = toy_models.Toy("etas", 0.98, 0.02, date(2023, 12, 1))
        kept = toy_models.save(settings.models, recipe, model, data_as_of=world.issued(recipe, date(2023, 12, 31)))
        world.judge(store, recipe, model_id=kept.model_id, directory=str(kept.directory.relative_to(settings.models)))
        shock = world.issued(recipe, DAY) - 5 * HOUR
        write(store, quake("big", shock, 5.8, place=NEXT_CELL), quake("small", shock, 4.6, place=CENTRE))
        world.say(store, recipe, DAY, 0.98, model_id=kept.model_id)
        (alert_id,) = raise_at(recipe, world.issued(recipe, DAY)).raised
        yield recipe, alert_id, recipe.target_window(DAY).start + 6 * HOUR, shock


def revise(store, event_id: str, shock, at, magnitude: float, *, place=NEXT_CELL, **more) -> None:
    write(store, quake(event_id, shock, magnitude, place=place, known=at, **more))


@pytest.mark.parametrize("deleted", [True, False])
def test_an_alert_whose_earthquake_is_deleted_or_made_small_is_withdrawn(store, raise_at, followed, deleted):
    recipe, alert_id, now, shock = followed
    assert not raise_at(recipe, now).withdrawn
    revise(store, "big", shock, now + HOUR, 4.9, **({"status": "deleted"} if deleted else {}))
    result = raise_at(recipe, now + 2 * HOUR)
    assert result.withdrawn == [alert_id] and not result.raised
    before = dump(store)
    again = raise_at(recipe, now + 3 * HOUR)
    assert not (again.withdrawn or again.raised or again.messages) and dump(store) == before
    (row,) = corrections(store)
    assert (row["kind"], row["reason"], row["probability"]) == ("forecast", "revised", pytest.approx(0.02))
    message = said_of(store, row)
    assert (message["kind"], message["thread_id"], message["title"]) == (
        "correction",
        alert_id,
        "Athens: the alert for Wed 10 Jan 2024 is withdrawn",
    )
    assert "revised or deleted since" in message["text"] and "2.0 %, 2.0 times the usual 1 %" in message["text"]
    assert "no all-clear" in message["text"]
    told = "is deleted." if deleted else "is M 4.9 now."
    assert f"The M 5.8 of 9 Jan 2024, 16:31 UTC, 400 km from the centre, {told}" in message["text"]
    assert [event["magnitude"] for event in message["facts"]["revised_events"]] == [5.8]
    forecast = table(store, "forecast").iloc[0]
    assert (forecast["probability"], forecast["official"]) == (0.98, True), "what was said stays as it was said"


def test_what_became_known_later_or_changes_little_withdraws_nothing(store, raise_at, followed):
    """An M5.8 made M5.6, another event's revision, and a new event: the model would still say 98 %."""
    recipe, _, now, shock = followed
    revise(store, "big", shock, now, 5.6)
    revise(store, "small", shock, now, 4.4, place=CENTRE)
    write(store, quake("new", now - HOUR, 6.0, place=NEXT_CELL, known=now))
    result = raise_at(recipe, now + HOUR)
    assert not result.withdrawn and not result.messages


def test_an_event_that_turns_out_to_be_another_is_not_a_deleted_one(store, raise_at, followed):
    """Two networks' ids are joined: the event lives on under the other id."""
    recipe, _, now, shock = followed
    write(store, quake("other", shock + timedelta(seconds=2), 5.7, place=NEXT_CELL, known=now))
    write(store, quake("other", shock, 5.7, place=NEXT_CELL, known=now + HOUR, ids=["other", "big"]))
    assert not raise_at(recipe, now + 2 * HOUR).withdrawn


def test_a_model_that_does_not_repeat_its_figure_is_not_asked_again(store, raise_at, followed, caplog):
    """The stored probability is not what the model says: nothing can be concluded from what it says now."""
    recipe, _, now, shock = followed
    with store.transaction() as connection:
        connection.execute("UPDATE forecast SET probability = 0.5")
    revise(store, "big", shock, now, 4.9)
    assert not raise_at(recipe, now + HOUR).withdrawn
    assert "cannot be looked at again: 0.5 was said, the model says 0.98" in caplog.text


def test_a_model_that_is_gone_is_not_asked_again(store, raise_at, followed, caplog):
    recipe, _, now, shock = followed
    with store.transaction() as connection:
        connection.execute("UPDATE model SET directory = 'athens/nowhere'")
    revise(store, "big", shock, now, 4.9)
    assert not raise_at(recipe, now + HOUR).withdrawn and "cannot be looked at again" in caplog.text


@pytest.fixture(params=[{"etas": 0.6, "recent_rate": 0.2}, {"etas": 0.5, "hybrid": 0.5}], ids=["all spoke", "the hybrid was silent"])
def combined(request, store, settings, raise_at, monkeypatch):
    """The same world, and an alert that a combination raised, of which the details of its forecast tell the members and weights.

    Its record of 60 days, 15 with the target, is far above the usual rate. What it says without the M5.8 is given, too.
    """
    recipe, first, usual = world.athens(), date(2021, 1, 5), np.array([world.USUAL])
    toy_models.put_in_place(monkeypatch)
    line = [(0.3 if number % 4 == 0 else 0.005, number % 4 == 0) for number in range(60)]
    official = {"mode": "prospective", "official": True, "method": "daily", "model_kind": "published", "model_id": "athens-published-0"}
    world.walked(store, recipe, DAY - timedelta(days=110), line, **official)
    with store.transaction() as connection:
        ledger.write_scores(connection, _scores(ledger.forecasts_to_score(connection), world.issued(recipe, DAY)))
    toy = toy_models.Toy("etas", 0.98, 0.02, date(2023, 12, 1))
    kept = toy_models.save(settings.models, recipe, toy, data_as_of=world.issued(recipe, date(2023, 12, 31)))
    world.judge(store, recipe, model_id=kept.model_id, directory=str(kept.directory.relative_to(settings.models)))
    recent = generic_member(recipe, "recent_rate", DAY, first)
    members = [recent, Member(kept.model_id, "etas", toy, date(2023, 12, 20))]
    shock = world.issued(recipe, DAY) - 5 * HOUR
    write(store, quake("big", shock, 5.8, place=NEXT_CELL))
    nothing = Events(*(np.empty(0, dtype) for dtype in (np.int64, np.int64, float, float, float, float, np.int64)))
    usually = recent.model.probability(nothing, target_days(recipe, DAY, 1), usual)
    said = [combine({"recent_rate": usually, "etas": np.array([p])}, request.param, usual)[0] for p in (0.98, 0.02)]
    blend = Blend("combination", request.param, "a test", "mean")
    details = published_rows.details_of(members, blend, {"etas", "recent_rate"}, first)
    kind = {"model_kind": "published", "model_id": published_rows.model_id_of(recipe, members, blend), "details": json.dumps(details)}
    world.say(store, recipe, DAY, said[0], **kind)
    (alert_id,) = raise_at(recipe, world.issued(recipe, DAY)).raised
    return recipe, alert_id, recipe.target_window(DAY).start + 6 * HOUR, shock, said[1]


def test_the_members_of_a_combination_are_asked_again_with_its_weights(store, raise_at, combined):
    recipe, alert_id, now, shock, without = combined
    revise(store, "big", shock, now, 5.6)
    assert not raise_at(recipe, now + HOUR).withdrawn
    revise(store, "big", shock, now + HOUR, 4.9)
    assert raise_at(recipe, now + 2 * HOUR).withdrawn == [alert_id]
    (row,) = corrections(store)
    assert (row["kind"], row["reason"], row["probability"]) == ("forecast", "revised", pytest.approx(without, rel=1e-3))


def test_a_combination_of_which_a_member_is_gone_is_not_asked_again(store, raise_at, combined, settings, caplog):
    recipe, _, now, shock, _ = combined
    shutil.rmtree(settings.models / recipe.id)
    revise(store, "big", shock, now, 4.9)
    assert not raise_at(recipe, now + HOUR).withdrawn and "cannot be looked at again" in caplog.text


def test_after_the_window_nothing_is_withdrawn(store, raise_at, followed):
    recipe, _, now, shock = followed
    revise(store, "big", shock, now, 4.9)
    assert not raise_at(recipe, recipe.target_window(DAY).end + HOUR).withdrawn


def test_a_forecast_that_is_issued_anew_below_the_rule_withdraws_its_alert(store, athens, raise_at):
    world.say(store, athens, DAY, ON)
    now = world.issued(athens, DAY)
    (alert_id,) = raise_at(athens, now).raised
    world.say(store, athens, DAY, OFF, issue_time=now + timedelta(minutes=10), official=False)
    result = raise_at(athens, now + timedelta(minutes=11))
    assert result.withdrawn == [alert_id] and corrections(store)[0]["reason"] == "reissued"
    assert "issued anew" in said_of(store, corrections(store)[0])["text"]


def test_a_withdrawn_alert_starts_no_cooldown(store, raise_at):
    athens = world.athens({**world.RULE, "cooldown_days": 30})
    world.judge(store, athens)
    world.say(store, athens, DAY, ON)
    now = world.issued(athens, DAY)
    raise_at(athens, now)
    world.say(store, athens, DAY, OFF, issue_time=now + timedelta(minutes=10), official=False)
    assert raise_at(athens, now + timedelta(minutes=11)).withdrawn
    world.say(store, athens, DAY + timedelta(days=1), ON)
    assert len(raise_at(athens, world.issued(athens, DAY + timedelta(days=1))).raised) == 1
