"""Outcomes and scores on toy catalogues: when a window is settled, how sure that is, and what a late review changes."""

import math
from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest

from forecaster.clock import Clock
from forecaster.pipeline.as_of.as_known import labelled_days
from forecaster.pipeline.as_of.catalogue_history import load_known
from forecaster.store import ledger
from tests.support import steps
from tests.support.changed_recipes import changed_recipe, without_models
from tests.support.steps import machine, predict, report_data, verify
from tests.support.toys import cover, dump, quake, table, write

ISSUED = datetime(2024, 1, 2, 12, tzinfo=UTC)
START, END = datetime(2024, 1, 2, 15, tzinfo=UTC), datetime(2024, 1, 3, 15, tzinfo=UTC)  # 2024-01-03 in Tokyo
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)


@pytest.fixture
def tokyo(recipes):
    """Without models of its own: of each issue there is a row of the usual rate, the recent rate and their combination."""
    return without_models(recipes["tokyo-m45"])


ROWS = 3


@pytest.fixture
def issued(store, tokyo, settings):
    """A store with one official forecast for 2024-01-03 (Tokyo)."""
    return steps.issued(store, tokyo, settings, ISSUED)


def read_and_verify(store, recipes, moment: datetime):
    """The catalogue is read to `moment`, then outcomes are settled."""
    cover(store, moment, source="usgs changes")
    return verify(store, recipes, machine(moment))


def score(store, forecast) -> pd.Series:
    return table(store, "score").set_index("forecast_id").loc[forecast["forecast_id"]]


def outcome(store) -> pd.Series:
    rows = table(store, "outcome")
    assert len(rows) == 1
    return rows.iloc[0]


@pytest.mark.parametrize(
    ("age", "status", "scored"),
    [
        (0 * DAY, "preliminary", 0),
        (DAY - TICK, "preliminary", 0),
        (DAY, "provisional", 1),
        (45 * DAY - TICK, "provisional", 1),
        (45 * DAY, "final", 1),
    ],
)
def test_an_outcome_matures_with_the_days_since_its_window(issued, tokyo, age, status, scored):
    write(issued, quake("us2", START), quake("us3", END - TICK, 5.5), quake("us4", END, 6.0), quake("us5", START - TICK, 6.0))
    result = read_and_verify(issued, [tokyo], END + age)
    row = outcome(issued)
    assert (row["status"], row["changed"]) == (status, False)
    assert result.scored == scored * ROWS == len(table(issued, "score"))
    if age >= DAY:
        assert (row["event_count"], row["max_magnitude"]) == (2, 5.5), "the window is half-open"


def test_a_window_that_has_not_ended_is_not_settled(issued, tokyo):
    result = read_and_verify(issued, [tokyo], END - TICK)
    assert (result.verified, result.waiting) == ([], 0)


def test_not_read_is_never_no_event(issued, tokyo):
    """Nothing was pulled since the issue: two months later the outcome is still not 'no'."""
    result = verify(issued, [tokyo], machine(END + 60 * DAY))
    assert result.verified == [] and result.waiting == 1 and table(issued, "outcome").empty
    cover(issued, END - TICK, read_at=END + 60 * DAY)
    assert verify(issued, [tokyo], machine(END + 60 * DAY)).waiting == 1, "a microsecond of the window is missing"


def test_a_gap_in_what_was_read_is_never_no_event(issued, tokyo):
    cover(issued, END + DAY, start=END - timedelta(hours=1))
    assert verify(issued, [tokyo], machine(END + DAY)).waiting == 1


def test_nothing_matures_without_reading_again(issued, tokyo):
    """Read an hour after the window, then no network for two months: late reviews are unknown, so the outcome is not final."""
    cover(issued, END + timedelta(hours=1))
    verify(issued, [tokyo], machine(END + 60 * DAY))
    assert outcome(issued)["status"] == "preliminary"
    write(issued, quake("us2", START, known=END + 20 * DAY))
    read_and_verify(issued, [tokyo], END + 61 * DAY)
    assert (outcome(issued)["status"], outcome(issued)["happened"]) == ("final", True)


def test_labels_of_training_do_not_mature_without_reading_again(store, tokyo):
    cover(store, ISSUED)
    days = labelled_days(tokyo, load_known(store, ISSUED + 60 * DAY)).days
    assert days.local_days[-1].item() == date(2023, 11, 17), "its window ended 45 days before the catalogue was read"


def test_a_late_review_turns_the_outcome_and_the_score(issued, tokyo):
    read_and_verify(issued, [tokyo], END + 2 * DAY)
    published = table(issued, "forecast").query("published").iloc[0]
    first, said = score(issued, published), published["probability"]
    assert not outcome(issued)["happened"]
    assert first["log_score"] == pytest.approx(math.log(1 - said)) and first["brier"] == pytest.approx(said**2)
    write(issued, quake("us2", START + DAY / 2, 4.5, known=END + 21 * DAY))
    result = read_and_verify(issued, [tokyo], END + 22 * DAY)
    row, second = outcome(issued), score(issued, published)
    assert [turned["recipe_id"] for turned in result.revised] == ["tokyo-m45"]
    assert (row["happened"], row["changed"], row["status"], row["max_magnitude"]) == (True, True, "provisional", 4.5)
    assert second["happened"] and second["log_score"] == pytest.approx(math.log(said)) and second["brier"] == pytest.approx((1 - said) ** 2)
    read_and_verify(issued, [tokyo], END + 45 * DAY)
    assert (outcome(issued)["status"], outcome(issued)["changed"]) == ("final", True)
    with issued.transaction() as connection:
        told = [ledger.changes_between(connection, END + (day - 1) * DAY, END + day * DAY)["revised_outcomes"] for day in (2, 22, 45)]
        assert told == [0, 1, 0]
        assert [row["happened"] for row in ledger.revised_between(connection, END + 21 * DAY, END + 22 * DAY)] == [True]
    assert outcome(issued)["revised_at"] == END + 22 * DAY, "told on the day of the review, not again when the outcome is final"
    assert table(issued, "score")["status"].tolist() == ["final"] * ROWS


def test_a_final_outcome_stays(issued, tokyo):
    read_and_verify(issued, [tokyo], END + 45 * DAY)
    write(issued, quake("us2", START, known=END + 50 * DAY))
    assert read_and_verify(issued, [tokyo], END + 51 * DAY).verified == []
    assert not outcome(issued)["happened"]


def test_a_revised_magnitude_of_the_same_event_is_told(issued, tokyo):
    write(issued, quake("us2", START, 5.0))
    read_and_verify(issued, [tokyo], END + 2 * DAY)
    write(issued, quake("us2", START, 5.4, known=END + 3 * DAY))
    read_and_verify(issued, [tokyo], END + 4 * DAY)
    assert (outcome(issued)["max_magnitude"], outcome(issued)["event_count"], outcome(issued)["changed"]) == (5.4, 1, False)


def test_a_deletion_and_a_revision_below_the_threshold_take_the_event_away(issued, tokyo):
    write(issued, quake("us2", START), quake("us3", START, 4.6))
    read_and_verify(issued, [tokyo], END + 2 * DAY)
    assert outcome(issued)["event_count"] == 2
    write(issued, quake("us2", START, known=END + 3 * DAY, status="deleted"), quake("us3", START, 4.4, known=END + 3 * DAY))
    read_and_verify(issued, [tokyo], END + 4 * DAY)
    row = outcome(issued)
    assert (row["happened"], row["event_count"], row["changed"]) == (False, 0, True) and pd.isna(row["max_magnitude"])


def test_another_target_is_not_settled_with_the_old_forecast(issued, tokyo, settings):
    """200 km away: inside the new circle of 300 km, outside the old one of 150 km."""
    write(issued, quake("us2", START, place=(37.5, 139.77)))
    wider = changed_recipe(tokyo, predict_radius_meters=300_000.0)
    result = read_and_verify(issued, [wider], END + 2 * DAY)
    assert (result.verified, result.waiting) == ([], 1) and table(issued, "score").empty
    predict(issued, [wider], settings, machine(END + 2 * DAY), target_day=date(2024, 1, 3))
    read_and_verify(issued, [wider], END + 3 * DAY)
    rows = table(issued, "outcome")
    assert rows["target_hash"].tolist() == [wider.target_hash] and rows["happened"].tolist() == [True]
    assert table(issued, "score")["mode"].tolist() == ["hindcast"] * ROWS


def test_other_hyperparameters_leave_the_target_as_it_is(issued, tokyo):
    slower = changed_recipe(tokyo, learning_rate=2e-4)
    assert slower.recipe_hash != tokyo.recipe_hash
    assert len(read_and_verify(issued, [slower], END + 2 * DAY).verified) == 1


def test_a_deleted_recipe_waits(issued):
    result = read_and_verify(issued, [], END + 2 * DAY)
    assert (result.waiting, result.scored) == (1, 0) and table(issued, "outcome").empty


@pytest.mark.parametrize("age", [timedelta(hours=1), 2 * DAY, 50 * DAY])
def test_verifying_twice_changes_nothing(issued, tokyo, age):
    write(issued, quake("us2", START))
    read_and_verify(issued, [tokyo], END + age)
    before = dump(issued)
    again = verify(issued, [tokyo], machine(END + age))
    assert (again.verified, again.revised, again.scored) == ([], [], 0)
    assert dump(issued) == before
    later = verify(issued, [tokyo], machine(END + age + timedelta(minutes=5)))
    assert later.verified == [] and dump(issued) == before, "the catalogue is the same, so the outcome is"


def test_every_mode_is_scored_under_its_own_name(issued, tokyo, settings):
    predict(issued, [tokyo], settings, Clock.standing_at(ISSUED))
    predict(issued, [tokyo], settings, machine(START + timedelta(hours=1)), target_day=date(2024, 1, 3), reissue=True)
    predict(issued, [tokyo], settings, machine(END + timedelta(hours=1)), target_day=date(2024, 1, 3))
    read_and_verify(issued, [tokyo], END + 2 * DAY)
    assert table(issued, "score")["mode"].value_counts().to_dict() == dict.fromkeys(("hindcast", "late", "prospective", "replay"), ROWS)


def test_the_report_of_another_target_shows_nothing_of_the_old_one(issued, tokyo, settings):
    """The circle was widened: the old circle's probability, record and history are not the new one's."""
    wider = changed_recipe(tokyo, predict_radius_meters=300_000.0)
    read_and_verify(issued, [tokyo], END + 2 * DAY)
    clock = machine(END + 2 * DAY)
    (old,) = report_data(issued, [tokyo], clock).recipes
    assert old.probability is not None and len(old.recent_outcomes) == 1 and old.track_record.verified_days == 1
    (new,) = report_data(issued, [wider], clock).recipes
    assert (new.probability, new.track_record, new.recent_outcomes) == (None, None, ())
    predict(issued, [wider], settings, clock)
    (new,) = report_data(issued, [wider], clock).recipes
    assert new.probability is not None and new.track_record is None and new.recent_outcomes == ()
