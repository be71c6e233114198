"""Training in a small world (tests/support/tiny.py) with toy models: what is fitted on what, what serves, what stays as it was."""

import json
import shutil
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from forecaster.clock import Clock
from forecaster.errors import NotWritable
from forecaster.models.data_splits import purge_days
from forecaster.pipeline.as_of.catalogue_history import load_known
from forecaster.pipeline.as_of.training_history import history_of, split_for_validation
from forecaster.pipeline.issuing import members
from forecaster.pipeline.training import train
from forecaster.pipeline.training.train import TrainOptions, due
from forecaster.recipe import load_recipes
from forecaster.settings import load_settings
from forecaster.store.database import Store, open_store
from tests.support import tiny, toy_models
from tests.support.changed_recipes import changed_recipe
from tests.support.folders import content_of
from tests.support.steps import machine, predict, train_recipes
from tests.support.toys import cover, dump, own_copy, quake, table, write

NOW = datetime(2024, 1, 2, 12, tzinfo=UTC)
CLOCK = Clock.standing_at(NOW)
DAY = date(2024, 1, 3)
LAST_LABEL = date(2023, 11, 17)  # ends 2023-11-17 22:00 UTC, the last local day of Athens 45 days before NOW
QUICK = TrainOptions(max_minutes=5)
TOYS = ("etas", "pooled")


pytestmark = pytest.mark.usefixtures("toy_kinds")


def tiny_recipe(folder, **changes):
    tiny.write_tiny_recipe(folder)
    return changed_recipe(load_recipes(folder)[tiny.RECIPE_ID], **({"models": TOYS} | changes))


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    """Two stores, with a sign before each target and without."""
    folder = tmp_path_factory.mktemp("worlds")
    for name in ("sign", "chance"):
        tiny.fill(open_store(folder / f"{name}.duckdb"), NOW, sign=name == "sign")
    return folder


@pytest.fixture
def world(worlds, settings, request):
    """A home without a model: (store, settings, recipe); in the world with a sign unless the test asks for "chance"."""
    return own_copy(worlds / f"{getattr(request, 'param', 'sign')}.duckdb", settings), settings, tiny_recipe(settings.home / "recipes")


@pytest.fixture
def home(world):
    """The same after training: (store, settings, recipe, what came of it)."""
    store, settings, recipe = world
    result = train_recipes(store, [recipe], settings, CLOCK, QUICK)
    assert list(result.trained) == [recipe.id] and not result.skipped and not result.failed
    return store, settings, recipe, result.trained[recipe.id]


def test_directories_and_rows_say_the_same(home):
    store, settings, recipe, made = home
    stored = table(store, "model").set_index("kind")
    assert sorted(stored.index) == sorted(TOYS) == sorted(made["models"])
    for kind, row in made["models"].items():
        record = json.loads((settings.models / row["directory"] / "model.json").read_text())
        assert record["kind"] == kind and record["last_data_day"] == LAST_LABEL.isoformat()
        assert (stored.loc[kind, "model_id"], stored.loc[kind, "recipe_hash"]) == (record["model_id"], recipe.recipe_hash)
        assert stored.loc[kind, "directory"] == f"{recipe.id}/{record['model_id']}"
        assert stored.loc[kind, "data_as_of"] == NOW == datetime.fromisoformat(record["data_as_of"])
        assert json.loads(stored.loc[kind, "details"]) == record["scores"] == row["details"]


def test_a_sign_that_never_fails_is_judged_and_forecast_with(home):
    """0.98 and 0.02 against a rate of 0.3: (ln .98 - .3 ln .3 - .7 ln .7) / .3 = 1.97 nats per target day.

    Of the unlearnt weights (a half each) etas has that of the hybrid, too, which is none of the recipe: 0.98 is published.
    98 % is a -log P(none) of 3.9, 3.6 above the usual rate, so x is 0.1 of ETAS and 3.0 of the sequence: 3.9 * 3.1 / ln 4.1 = 8.6 are
    expected. P(none) is below 2.5 %, so the range begins at 1.
    """
    store, settings, recipe, made = home
    evaluation = made["models"]["etas"]["details"]["evaluation"]
    assert evaluation["information_gain"] == pytest.approx(1.97, abs=0.1) and evaluation["low"] > 1.5
    assert evaluation["auc"] == 1 and evaluation["test_last_day"] == LAST_LABEL.isoformat()
    assert evaluation["log_loss"] == pytest.approx(-np.log(0.98)) and evaluation["reference_log_loss"] == pytest.approx(0.61, abs=0.03)
    assert f"etas: {evaluation['information_gain']:+.3f} nats per target day over the usual rate" in made["judged"]
    assert made["models"]["etas"]["decision"] in made["judged"] and table(store, "publication").empty
    write(store, quake("now", NOW - timedelta(hours=2), 5.5, place=tiny.NEXT_CELL))
    predict(store, [recipe], settings, CLOCK, target_day=DAY)
    said = table(store, "forecast").set_index("model_kind")
    assert sorted(said.index) == ["climatology", "etas", "pooled", "published", "recent_rate"]
    assert said.index[said["published"]].tolist() == ["published"]
    assert said.loc["etas", "probability"] == 0.98 and said.loc["climatology", "probability"] < 0.5
    assert said.loc["published", "probability"] == pytest.approx(0.98, rel=1e-12)
    assert json.loads(said.loc["etas", "details"]) == {"expected_count": 0.5, "count_low": 0, "count_high": 3}
    details = json.loads(said.loc["published", "details"])
    (driver,) = details.pop("drivers")  # the sign: without it the toy says 0.02, and so it does without the last 30 days
    assert (driver["event_id"], driver["magnitude"], driver["without"]) == ("now", 5.5, pytest.approx(0.02))
    assert details.pop("without_recent") == pytest.approx(0.02) and details.pop("expected_count") == pytest.approx(8.6, abs=0.1)
    assert (details.pop("count_low"), details.pop("count_high")) == (1, 23)
    etas = made["models"]["etas"]["model_id"]
    assert details == {
        "how": "combination",
        "weights": {"etas": 1.0},
        "members": {"etas": etas},
        "source": "mean",
        "weights_from": {"kind": "mean"},
        "record_from": "2021-01-05",
    }
    assert said["details"].isna()["pooled"]
    assert not said["degraded"].any()


@pytest.mark.parametrize("world", ["chance"], indirect=True)
def test_a_fit_below_the_usual_rate_is_told_and_stays_a_member(home):
    """What counts is told by the weights, which one evaluation does not move; the record does (test_relearn.py)."""
    store, settings, recipe, made = home
    evaluation = made["models"]["etas"]["details"]["evaluation"]
    assert evaluation["high"] < 0 and "etas: -" in made["judged"] and made["models"]["etas"]["decision"].startswith("-")
    predict(store, [recipe], settings, CLOCK, target_day=DAY)
    said = table(store, "forecast").set_index("model_kind")
    assert said.index[said["published"]].tolist() == ["published"] and said["degraded_reason"].isna().all()
    assert said.loc["published", "probability"] == pytest.approx(said.loc["etas", "probability"])


def test_the_evaluation_fit_sees_nothing_of_the_validation_span(world):
    """Its last day lies a purge before the first judged one; no event, version or end of a version is later than that day's issue."""
    store, settings, recipe = world
    toy_models.fitted_on.clear()
    train_recipes(store, [recipe], settings, CLOCK, QUICK)
    judged, served = toy_models.fitted_on[:2]
    _, validation = split_for_validation(history_of(recipe, load_known(store, NOW)))
    first = validation.days.local_days[0]
    assert first - judged.days.local_days[-1] == purge_days(recipe) + 1
    issued, ended = judged.days.cut_us[-1], judged.days.target_ends_us[-1]
    assert judged.inputs.origin_time_us.max() < issued and judged.inputs.known_at_us.max() <= issued
    assert set(judged.inputs.known_until_us[judged.inputs.known_until_us > issued].tolist()) <= {np.iinfo(np.int64).max}
    assert judged.catalogue.origin_time_us.max() < ended
    assert served.days.local_days[-1].item() == LAST_LABEL == validation.days.local_days[-1].item()
    assert len(validation.days) == round(recipe.test_ratio * len(served.days))
    ends = recipe.target_window(LAST_LABEL).end
    assert ends <= NOW - timedelta(days=45) < ends + timedelta(days=1)


def test_what_became_known_after_as_of_changes_no_day_to_learn_from(world):
    """Neither new events nor a later reading of the catalogue move what was to be learnt at NOW."""
    store, _, recipe = world
    before = history_of(recipe, load_known(store, NOW))
    later = NOW + timedelta(hours=1)
    write(store, quake("late", datetime(2023, 10, 10, 9, tzinfo=UTC), 6.0, place=tiny.CENTRE, known=later))
    cover(store, later, start=NOW)
    after = history_of(recipe, load_known(store, NOW))
    assert after.days.local_days.tolist() == before.days.local_days.tolist()
    assert after.happened.tolist() == before.happened.tolist()
    assert len(after.inputs) == len(before.inputs)


def test_an_evaluation_alone_leaves_the_served_models_as_they_are(home):
    store, settings, recipe, _ = home
    rows, models = dump(store), content_of(settings.models)
    made = train_recipes(store, [recipe], settings, CLOCK, TrainOptions(max_minutes=5, evaluate_only=True)).trained[recipe.id]
    assert made["judged"].startswith("etas: +") and made["models"]["pooled"]["evaluation"]["test_days"] > 200
    assert dump(store) == rows and content_of(settings.models) == models


def test_a_kind_that_fails_does_not_stop_the_others(world):
    store, settings, recipe = world
    recipe = changed_recipe(recipe, models=("hybrid", "etas"))
    result = train_recipes(store, [recipe], settings, CLOCK, QUICK)
    assert result.failed == {recipe.id: {"hybrid": f"not fitted: {recipe.id}: the hybrid is not in the mood"}}
    assert list(result.trained[recipe.id]["models"]) == ["etas"]
    alone = train_recipes(store, [changed_recipe(recipe, models=("hybrid",))], settings, CLOCK, QUICK)
    assert alone.skipped == {recipe.id: f"hybrid: not fitted: {recipe.id}: the hybrid is not in the mood"} and not alone.trained


def test_a_fresh_fit_is_the_member_from_then_on(home):
    """A week later each kind is fitted on a week more: the next forecast is the new fits', of the same weights."""
    store, settings, recipe, made = home
    later = NOW + timedelta(days=7)
    cover(store, later, start=NOW)
    again = train_recipes(store, [recipe], settings, Clock.standing_at(later), QUICK).trained[recipe.id]
    found = []
    for moment in (NOW, later):
        ids = predict(store, [recipe], settings, Clock.standing_at(moment)).forecast_ids
        rows = table(store, "forecast")
        (row,) = rows[rows["forecast_id"].isin(ids) & rows["published"]].to_dict("records")
        found.append(json.loads(row["details"])["members"]["etas"])
    assert found == [each["models"]["etas"]["model_id"] for each in (made, again)] and found[0] != found[1]


def test_the_same_training_again_changes_nothing(home):
    store, settings, recipe, made = home
    before, models = dump(store), content_of(settings.models)
    assert train_recipes(store, [recipe], settings, CLOCK, QUICK).trained[recipe.id] == made
    assert dump(store) == before and content_of(settings.models) == models


def test_when_the_minutes_of_the_run_are_used_up_the_others_are_told_so(world):
    store, settings, recipe = world
    others = [recipe, changed_recipe(recipe, id="athens-again")]
    result = train_recipes(store, others, settings, CLOCK, TrainOptions(max_minutes=5, total_minutes=0.1001))
    assert list(result.trained) == [recipe.id]
    assert result.skipped == {"athens-again": "not trained: the 0.1001 minutes of this run were used up; train it by itself"}
    assert result.out_of_time == ["athens-again"]
    told = "1 recipe is not trained, since the minutes of this run were used up: athens-again; run it again, or allow more minutes"
    assert result.problem() == told


def test_a_recipe_is_not_begun_with_fewer_minutes_left_than_the_longest_before_it_took(world, monkeypatch):
    """Each takes four of the ten minutes: two are trained, and 2 minutes stay unused. A limit of minutes is one."""
    store, settings, recipe = world
    now = [0.0]

    def four_minutes(*_):
        now[0] += 240
        return {"judged": "", "models": {}}, {}

    monkeypatch.setattr(train.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(train, "train_recipe", four_minutes)
    three = [changed_recipe(recipe, id=name) for name in ("b", "a", "c", "d")]
    result = train_recipes(store, three, settings, CLOCK, TrainOptions(total_minutes=10))
    assert list(result.trained) == ["b", "a"] and result.out_of_time == ["c", "d"]


def test_one_that_cannot_be_trained_does_not_stop_the_others(world):
    """Nothing has been read at M3; at M9 nothing has ever happened."""
    store, settings, recipe = world
    unread = changed_recipe(recipe, id="unread", threshold_mag=3.0)
    never = changed_recipe(recipe, id="never", threshold_mag=9.0)
    result = train_recipes(store, [unread, never, recipe], settings, CLOCK, QUICK)
    assert list(result.trained) == [recipe.id]
    assert "not scoreable: catalogue starts at M 4.5" in result.skipped["unread"]
    assert "the target (M >= 9.0 within 300 km) came on none of the 262 validation days and 0 of all 1047" in result.skipped["never"]


@pytest.mark.parametrize(
    ("days", "reason"),
    [
        (300, "no reference rate: the catalogue covers 251 target days, at least 365 are needed"),
        (440, "no target day of the 98 validation days has a usual rate to be judged against"),
    ],
)
def test_a_catalogue_too_short_for_a_usual_rate_trains_nothing_and_says_so(store, settings, days, reason):
    """The usual rate of a day needs 365 days that were settled, 45 days after their end, when it was issued."""
    tiny.fill(store, NOW, sign=True, start=(NOW - timedelta(days=days)).replace(hour=0))
    recipe = tiny_recipe(settings.home / "recipes")
    result = train_recipes(store, [recipe], settings, CLOCK, QUICK)
    assert not result.trained and reason in result.skipped[recipe.id] and "\n" not in result.skipped[recipe.id]


def test_a_failed_write_leaves_the_old_models_in_place(home):
    store, settings, recipe, made = home
    folder = settings.models / recipe.id
    folder.rename(settings.home / "kept")
    folder.write_text("in the way")
    before = dump(store)
    cover(store, NOW + timedelta(days=1), start=NOW)
    with pytest.raises(NotWritable, match="cannot write a model of kind etas"):
        train_recipes(store, [recipe], settings, Clock.standing_at(NOW + timedelta(days=1)), QUICK)
    folder.unlink()
    (settings.home / "kept").rename(folder)
    assert dump(store)["model"] == before["model"]
    predict(store, [recipe], settings, CLOCK, target_day=DAY)
    assert made["models"]["etas"]["model_id"] in set(table(store, "forecast")["model_id"])


def test_a_model_trained_later_is_not_used_for_an_earlier_day(home):
    """A model of 4 January must not make the hindcast of the 3rd; before the first model the usual rate alone is left.

    What a model claims to know ends where the last reading did, so the later days are read first.
    """
    store, settings, recipe, made = home
    later = NOW + timedelta(days=2)
    cover(store, later, start=NOW)
    newer = train_recipes(store, [recipe], settings, Clock.standing_at(later), QUICK).trained[recipe.id]
    old, new = (each["models"]["etas"]["model_id"] for each in (made, newer))
    clock = machine(later)
    for day, expected in [(date(2024, 1, 2), None), (DAY, old), (date(2024, 1, 5), new)]:
        said = set(predict(store, [recipe], settings, clock, target_day=day).forecast_ids)
        rows = table(store, "forecast")
        (used,) = rows[rows["forecast_id"].isin(said) & rows["published"]].to_dict("records")
        assert json.loads(used["details"])["members"].get("etas") == expected, day
        assert (used["probability"] == pytest.approx(used["reference_probability"], rel=1e-12)) == (expected is None)


def test_due_are_the_untrained_the_changed_and_those_a_week_old(home):
    store, _, recipe, _ = home
    assert due(store, [recipe], CLOCK) == []
    week = timedelta(days=7)
    assert due(store, [recipe], Clock.standing_at(NOW + week)) == [], "nothing has been read since: there is nothing to learn"
    cover(store, NOW + week, start=NOW)
    assert due(store, [recipe], Clock.standing_at(NOW + week - timedelta(microseconds=1))) == []
    assert due(store, [recipe], Clock.standing_at(NOW + week)) == [recipe.id]
    assert due(store, [changed_recipe(recipe, dropout=0.2)], CLOCK) == [recipe.id]
    assert due(store, [changed_recipe(recipe, models=("etas",))], CLOCK) == [], "fewer kinds change no fit"
    assert due(store, [changed_recipe(recipe, models=("etas", "hybrid"))], CLOCK) == [], "a kind that fails is tried again in a week"
    assert due(store, [changed_recipe(recipe, id="none", models=())], CLOCK) == []
    compared = changed_recipe(recipe, id="compared", comparison_only="kept for comparison")
    fresh = changed_recipe(recipe, id="fresh")
    assert due(store, [compared, recipe, fresh], CLOCK) == ["fresh", "compared"]
    assert due(store, [recipe, fresh], Clock.standing_at(NOW + week)) == ["fresh", recipe.id], "who has waited longest comes first"


@pytest.mark.slow
def test_a_budget_ends_the_networks_training_and_its_epochs_repeat_the_forecast(world, tmp_path, monkeypatch):
    """Time is cut in the middle of the training; with the recorded number of epochs instead of the time the forecast comes back.

    On a busy machine the network may have learnt nothing by then; here it speaks all the same."""
    monkeypatch.setattr(members, "has_learnt", lambda model: True)
    store, settings, _ = world
    recipe = tiny_recipe(tmp_path / "long", epochs=10_000, patience=1000, models=("convlstm",))
    row = train_recipes(store, [recipe], settings, CLOCK, TrainOptions(max_minutes=0.12)).trained[recipe.id]["models"]["convlstm"]
    training = json.loads((settings.models / row["directory"] / "model.json").read_text())["record"]["training"]
    assert training["reason"] in ("budget", "max_epochs")
    predict(store, [recipe], settings, CLOCK, target_day=DAY)
    again = load_settings(home=tmp_path / "again")
    shutil.copytree(settings.home, again.home)
    shutil.rmtree(again.models)
    with Store(again.database).transaction() as connection:
        for name in ("model", "forecast"):
            connection.execute(f"DELETE FROM {name}")
    options = TrainOptions(max_epochs=training["epochs"])
    repeated = train_recipes(Store(again.database), [recipe], again, CLOCK, options).trained[recipe.id]["models"]["convlstm"]
    assert repeated["model_id"] == row["model_id"]
    predict(Store(again.database), [recipe], again, CLOCK, target_day=DAY)
    kept = [table(each, "forecast") for each in (store, Store(again.database))]
    assert sorted(kept[0]["model_kind"]) == ["climatology", "convlstm", "published", "recent_rate"] and kept[0].equals(kept[1])
