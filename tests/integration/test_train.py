"""Training in a world of 3 x 3 cells (tests/support/tiny.py): what is written, what is published, and what stays as it was."""

import json
import shutil
from datetime import UTC, date, datetime, timedelta

import pytest

from forecaster.clock import Clock
from forecaster.errors import NotWritable
from forecaster.pipeline.known import load_known
from forecaster.pipeline.predict import predict
from forecaster.pipeline.train import TrainOptions, due, train_recipes, training_set
from forecaster.recipe import Recipe, load_recipes
from forecaster.settings import load_settings
from forecaster.store.database import Store, open_store
from tests.support import tiny
from tests.support.toys import cover, dump, quake, table, write

NOW = datetime(2024, 1, 2, 12, tzinfo=UTC)
CLOCK = Clock.standing_at(NOW)
DAY = date(2024, 1, 3)
LAST_LABEL = date(2023, 11, 17)  # ends 2023-11-17 22:00 UTC, the last local day of Athens 45 days before NOW
ONE_EPOCH = TrainOptions(max_epochs=1)


def tiny_recipe(folder, **changes):
    tiny.write_tiny_recipe(folder)
    return changed(load_recipes(folder)[tiny.RECIPE_ID], **changes)


def changed(recipe, **changes):
    return Recipe.model_validate(recipe.model_dump() | changes)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    """Two stores, with a sign before each target and without."""
    folder = tmp_path_factory.mktemp("worlds")
    for name in ("sign", "chance"):
        tiny.fill(open_store(folder / f"{name}.duckdb"), NOW, sign=name == "sign")
    return folder


@pytest.fixture(scope="module")
def trained(worlds, tmp_path_factory):
    """A home trained on the world with a sign, as long as the recipe says; never written to afterwards."""
    settings = load_settings(home=tmp_path_factory.mktemp("trained"))
    shutil.copyfile(worlds / "sign.duckdb", settings.database)
    recipe = tiny_recipe(settings.home / "recipes")
    result = train_recipes(Store(settings.database), [recipe], settings, CLOCK, TrainOptions(max_minutes=5))
    assert list(result.trained) == [recipe.id] and not result.skipped
    return settings, recipe, result.trained[recipe.id]


@pytest.fixture
def home(trained, settings):
    """A copy of the trained home: (store, settings, recipe, row)."""
    shutil.copytree(trained[0].home, settings.home)
    return Store(settings.database), settings, trained[1], trained[2]


@pytest.fixture
def fresh(worlds, settings):
    """A home without a model, in the world with a sign: (store, settings, recipe)."""
    settings.home.mkdir()
    shutil.copyfile(worlds / "sign.duckdb", settings.database)
    return Store(settings.database), settings, tiny_recipe(settings.home / "recipes")


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_directory_and_the_row_say_the_same(home):
    store, settings, recipe, row = home
    record = json.loads((settings.models / row["directory"] / "model.json").read_text())
    stored = table(store, "model").iloc[0]
    assert len(table(store, "model")) == 1
    assert (stored["model_id"], stored["recipe_hash"]) == (record["model_id"], recipe.recipe_hash)
    assert stored["directory"] == f"{recipe.id}/{record['model_id']}"
    assert stored["data_as_of"] == NOW == datetime.fromisoformat(record["data_as_of"])
    assert json.loads(stored["details"]) == record["scores"] == row["details"]
    assert record["scores"]["epochs"] == record["epochs"] > 0


def test_a_sign_that_never_fails_is_published_and_forecast_with(home):
    """A forecaster that knows gains all that climatology lacks: its log loss a day over the share of target days, about 0.61 / 0.3."""
    store, settings, recipe, row = home
    losses = row["details"]["losses"]
    assert row["champion"] and row["decision"].startswith("ConvLSTM published: +")
    assert losses["after"] < 0.05 < losses["reference"]
    assert row["details"]["validation_gain"]["low"] > 1.5
    evaluation = row["details"]["evaluation"]
    assert evaluation["auc"] > 0.99 and evaluation["low"] > 1.5
    assert evaluation["test_last_day"] == LAST_LABEL.isoformat()
    write(store, quake("now", NOW - timedelta(hours=2), 5.5, place=tiny.NEXT_CELL))
    predict(store, [recipe], settings, CLOCK, target_day=DAY)
    said = table(store, "forecast").set_index("model_kind")
    assert said.loc["convlstm", "published"] and not said.loc["climatology", "published"]
    assert said.loc["convlstm", "probability"] > 0.95 > 0.5 > said.loc["climatology", "probability"]
    assert not said["degraded"].any()


def test_without_a_sign_climatology_stays_published(worlds, settings):
    settings.home.mkdir()
    shutil.copyfile(worlds / "chance.duckdb", settings.database)
    store, recipe = Store(settings.database), tiny_recipe(settings.home / "recipes")
    row = train_recipes(store, [recipe], settings, CLOCK, TrainOptions(max_minutes=5)).trained[recipe.id]
    assert not row["champion"] and row["decision"].startswith("climatology stays published: the ConvLSTM has ")
    predict(store, [recipe], settings, CLOCK, target_day=DAY)
    said = table(store, "forecast").set_index("model_kind")
    assert said.loc["climatology", "published"] and not said.loc["convlstm", "published"]
    assert said.loc["climatology", "degraded_reason"] is None


def test_no_day_of_any_span_is_later_than_45_days_before_as_of(home):
    _, settings, recipe, row = home
    record = json.loads((settings.models / row["directory"] / "model.json").read_text())
    last = [date.fromisoformat(span["last_day"]) for span in record["spans"].values()]
    assert max(last) == LAST_LABEL
    ends = recipe.target_window(LAST_LABEL).end
    assert ends <= NOW - timedelta(days=45) < ends + timedelta(days=1)
    assert row["details"]["summary"]["test_end_date"] == LAST_LABEL.isoformat()


def test_what_became_known_after_as_of_changes_no_day_of_the_training_set(worlds, settings, tmp_path):
    """Neither new events nor a later reading of the catalogue move what was to be learnt at NOW."""
    settings.home.mkdir()
    shutil.copyfile(worlds / "sign.duckdb", settings.database)
    store, recipe = Store(settings.database), tiny_recipe(tmp_path)
    before = training_set(recipe, load_known(store, NOW))
    later = NOW + timedelta(hours=1)
    write(store, quake("late", datetime(2023, 10, 10, 9, tzinfo=UTC), 6.0, place=tiny.CENTRE, known=later))
    cover(store, later, start=NOW)
    after = training_set(recipe, load_known(store, NOW))
    assert after.days.local_days.tolist() == before.days.local_days.tolist()
    assert after.happened.tolist() == before.happened.tolist()
    assert len(after.grid.origin_time_us) == len(before.grid.origin_time_us)


def test_an_evaluation_alone_leaves_the_served_model_as_it_is(home):
    store, settings, recipe, _ = home
    rows, models = dump(store), files(settings.models)
    result = train_recipes(store, [recipe], settings, CLOCK, TrainOptions(max_epochs=1, evaluate_only=True))
    assert result.trained[recipe.id]["decision"].startswith("test span: ")
    assert result.trained[recipe.id]["epochs"] == 1
    assert dump(store) == rows and files(settings.models) == models


def test_a_budget_ends_training_and_its_epochs_repeat_the_forecast(fresh, tmp_path):
    """Time is cut in the middle of the training; with the recorded number of epochs instead of the time the forecast comes back."""
    store, settings, _ = fresh
    recipe = tiny_recipe(tmp_path / "long", epochs=10_000, patience=1000)
    row = train_recipes(store, [recipe], settings, CLOCK, TrainOptions(max_minutes=0.12)).trained[recipe.id]
    assert "budget" in (row["details"]["reason"], row["details"]["evaluation_reason"])
    predict(store, [recipe], settings, CLOCK, target_day=DAY)
    again = load_settings(home=tmp_path / "again")
    shutil.copytree(settings.home, again.home)
    shutil.rmtree(again.models)
    with Store(again.database).transaction() as connection:
        connection.execute("DELETE FROM model")
        connection.execute("DELETE FROM forecast")
    options = TrainOptions(max_epochs=row["details"]["epochs"])
    assert train_recipes(Store(again.database), [recipe], again, CLOCK, options).trained[recipe.id]["model_id"] == row["model_id"]
    predict(Store(again.database), [recipe], again, CLOCK, target_day=DAY)
    assert len(table(store, "forecast")) == 2
    assert table(Store(again.database), "forecast").equals(table(store, "forecast"))


def test_when_the_minutes_of_the_run_are_used_up_the_others_are_told_so(fresh):
    store, settings, recipe = fresh
    others = [recipe, changed(recipe, id="athens-again")]
    result = train_recipes(store, others, settings, CLOCK, TrainOptions(max_epochs=1, max_minutes=5, total_minutes=0.11))
    assert list(result.trained) == [recipe.id]
    assert result.skipped == {"athens-again": "not trained: the 0.11 minutes of this run were used up; train it by itself"}
    assert len(table(store, "model")) == 1


def test_one_that_cannot_be_trained_does_not_stop_the_others(fresh):
    """Nothing has been read at M3; at M9 nothing has ever happened."""
    store, settings, recipe = fresh
    unread = changed(recipe, id="unread", threshold_mag=3.0)
    never = changed(recipe, id="never", threshold_mag=9.0)
    result = train_recipes(store, [unread, never, recipe], settings, CLOCK, ONE_EPOCH)
    assert list(result.trained) == [recipe.id]
    assert "not scoreable: catalogue starts at M 4.5" in result.skipped["unread"]
    assert "every span needs days with and without the target" in result.skipped["never"]


@pytest.mark.parametrize(
    ("days", "reason"),
    [
        (300, "no reference rate: the catalogue covers 251 target days, at least 365 are needed"),
        (440, "no target day of the validation span has a usual rate to be judged against"),
    ],
)
def test_a_catalogue_too_short_for_a_usual_rate_trains_nothing_and_says_so(store, settings, days, reason):
    """The usual rate of a day needs 365 days that were settled, 45 days after their end, when it was issued."""
    tiny.fill(store, NOW, sign=True, start=(NOW - timedelta(days=days)).replace(hour=0))
    recipe = tiny_recipe(settings.home / "recipes")
    result = train_recipes(store, [recipe], settings, CLOCK, ONE_EPOCH)
    assert not result.trained and reason in result.skipped[recipe.id] and "\n" not in result.skipped[recipe.id]


def test_a_failed_fit_leaves_the_old_model_in_place(home):
    store, settings, recipe, row = home
    folder = settings.models / recipe.id
    folder.rename(settings.home / "kept")
    folder.write_text("in the way")
    with pytest.raises(NotWritable, match="cannot write the model"):
        train_recipes(store, [recipe], settings, Clock.standing_at(NOW + timedelta(days=1)), ONE_EPOCH)
    folder.unlink()
    (settings.home / "kept").rename(folder)
    assert table(store, "model")["model_id"].tolist() == [row["model_id"]]
    predict(store, [recipe], settings, CLOCK, target_day=DAY)
    assert row["model_id"] in set(table(store, "forecast")["model_id"])


def test_a_model_trained_later_is_not_used_for_an_earlier_day(home):
    """A model of 4 January must not make the hindcast of the 3rd; before the first model there is none at all.

    What a model claims to know ends where the last reading did, so the later days are read first.
    """
    store, settings, recipe, row = home
    later = NOW + timedelta(days=2)
    cover(store, later, start=NOW)
    newer = train_recipes(store, [recipe], settings, Clock.standing_at(later), ONE_EPOCH).trained[recipe.id]
    assert newer["model_id"] != row["model_id"]
    machine = Clock(lambda: later, simulated=False)
    for day, expected in [(date(2024, 1, 2), set()), (DAY, {row["model_id"]}), (date(2024, 1, 5), {newer["model_id"]})]:
        said = set(predict(store, [recipe], settings, machine, target_day=day).forecast_ids)
        rows = table(store, "forecast")
        used = rows[rows["forecast_id"].isin(said) & (rows["model_kind"] == "convlstm")]
        assert set(used["model_id"]) == expected, day


def test_due_are_the_untrained_the_changed_and_those_a_week_old(home):
    store, _, recipe, _ = home
    assert due(store, [recipe], CLOCK) == []
    week = timedelta(days=7)
    assert due(store, [recipe], Clock.standing_at(NOW + week)) == [], "nothing has been read since: there is nothing to learn"
    cover(store, NOW + week, start=NOW)
    assert due(store, [recipe], Clock.standing_at(NOW + week - timedelta(microseconds=1))) == []
    assert due(store, [recipe], Clock.standing_at(NOW + week)) == [recipe.id]
    assert due(store, [changed(recipe, dropout=0.2)], CLOCK) == [recipe.id]
    compared = changed(recipe, id="compared", comparison_only="kept for comparison")
    fresh = changed(recipe, id="fresh")
    assert due(store, [compared, recipe, fresh], CLOCK) == ["fresh", "compared"]
