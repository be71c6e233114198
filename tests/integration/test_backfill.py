"""Backfills in a small world with toy models: the same rows as day by day, nothing twice, nothing of others touched, resumable."""

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from forecaster.clock import Clock
from forecaster.errors import BadDate, BadInput, CorruptModel, RecipeChanged, StoreBusy
from forecaster.pipeline.backfill import BackfillOptions, backfill, forecast_chunk, only_backfill, plan_backfill, store_chunk
from forecaster.pipeline.backfill_plan import block_of
from forecaster.pipeline.history import first_admissible_day
from forecaster.pipeline.job import Job, publish_copy
from forecaster.pipeline.known import load_known
from forecaster.pipeline.predict import predict
from forecaster.pipeline.train import TrainOptions, train_recipes
from forecaster.pipeline.verify import verify
from forecaster.recipe import Recipe, load_recipes
from forecaster.settings import load_settings
from forecaster.store import champions, ledger
from forecaster.store.database import Store, open_store
from forecaster.store.source import PublishedCopy
from tests.support import tiny, toy_models
from tests.support.toys import cover, dump, quake, table, write

TRAINED = datetime(2023, 11, 2, 12, tzinfo=UTC)
NOW = datetime(2024, 1, 28, 12, tzinfo=UTC)
FIRST, LAST = date(2023, 12, 1), date(2024, 1, 20)
DAYS = 51
TODAY = BackfillOptions(FIRST, LAST, "current-model")
WALK = BackfillOptions(FIRST, LAST, "walk-forward", retrain_every_days=20, max_minutes=5)
VOLATILE = ["run_id", "created_at"]
MADE = ("forecast", "walk_forward_fit")


@pytest.fixture(scope="module", autouse=True)
def toys():
    with pytest.MonkeyPatch.context() as patch:
        toy_models.put_in_place(patch)
        yield


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A home in the world with a sign, trained once on 2023-11-02; one event becomes known late, one is revised, one is withdrawn."""
    settings = load_settings(home=tmp_path_factory.mktemp("world"))
    store = open_store(settings.database)
    tiny.fill(store, NOW, sign=True)
    noon = datetime(2023, 9, 20, 12, tzinfo=UTC)
    late = quake("late", noon, 5.0, place=tiny.CENTRE, known=datetime(2023, 12, 20, tzinfo=UTC))
    before = quake("revised", noon + timedelta(days=1), 5.0, place=tiny.CENTRE, known=noon + timedelta(days=2))
    after = before | {"magnitude": 4.0, "known_at": datetime(2024, 1, 5, tzinfo=UTC), "updated_at": datetime(2024, 1, 5, tzinfo=UTC)}
    gone = quake("gone", noon + timedelta(days=2), 5.0, place=tiny.CENTRE, known=noon + timedelta(days=3))
    dead = gone | {"status": "deleted", "known_at": datetime(2024, 1, 8, tzinfo=UTC), "updated_at": datetime(2024, 1, 8, tzinfo=UTC)}
    write(store, late, before, gone)
    write(store, after | {"observed_at": after["known_at"]}, dead | {"observed_at": dead["known_at"]})
    tiny.write_tiny_recipe(settings.home / "recipes", models='["etas", "pooled"]')
    recipe = load_recipes(settings.home / "recipes")[tiny.RECIPE_ID]
    made = train_recipes(store, [recipe], settings, Clock.standing_at(TRAINED), TrainOptions(max_minutes=5)).trained[recipe.id]
    assert made["champion"] == "etas"
    return settings, recipe


def open_home(home_settings, recipes, moment=NOW, run_id="0123456789abcdef") -> Job:
    return Job(home_settings, Store(home_settings.database), list(recipes), Clock(lambda: moment, simulated=False), run_id)


@pytest.fixture
def job(world, settings):
    """A copy of that home, on a machine's clock that stands at NOW."""
    shutil.copytree(world[0].home, settings.home)
    return open_home(settings, [world[1]])


def made(store, *names):
    """The rows of a backfill without what tells one run from another."""
    return {
        name: table(store, name).drop(columns=[*VOLATILE, "seconds"], errors="ignore").sort_values(by=_key(name)).to_csv() for name in names
    }


def _key(name):
    return {"forecast": "forecast_id", "walk_forward_fit": ["recipe_id", "first_day"]}[name]


def test_all_days_at_once_say_what_each_day_alone_says(job, world):
    """The daily step, asked for each day as a hindcast, with the models of 2023-11-02, is the oracle; the late, the revised and the
    withdrawn event change the usual rate in the middle of the range, and days of clock change play no part."""
    result = backfill(job, TODAY)
    assert (result.state, result.days, result.fits) == ("success", DAYS, 0)
    rows = table(job.store, "forecast")
    assert set(rows["method"]) == {"current-model"} and set(rows["mode"]) == {"hindcast"} and not rows["official"].any()
    assert rows["run_id"].eq(job.run_id).all() and rows["created_at"].eq(NOW).all()
    for day in range(0, DAYS, 4):
        predict(job.store, job.recipes, job.settings, job.clock, target_day=FIRST + timedelta(days=day))
    everything = table(job.store, "forecast").sort_values(["target_start", "model_kind"])
    theirs = everything[everything["method"] == "daily"].reset_index(drop=True)
    ours = everything[(everything["method"] == "current-model") & everything["target_start"].isin(theirs["target_start"])].reset_index(
        drop=True
    )
    assert len(ours) == len(theirs) == 3 * 13
    same = [name for name in ours.columns if name not in {*VOLATILE, "forecast_id", "method", "probability", "reference_probability"}]
    assert ours[same].to_csv() == theirs[same].to_csv()
    for name in ("probability", "reference_probability"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-12, atol=0)
    assert ours["reference_probability"].nunique() > 10, "the usual rate rolls, so the comparison can fail"
    assert len(set(ours["forecast_id"]) & set(theirs["forecast_id"])) == 0


def test_an_event_known_only_later_changes_no_day_before(job):
    backfill(job, TODAY)
    before = table(job.store, "forecast").set_index("forecast_id")["probability"]
    moment = datetime(2024, 1, 10, 6, tzinfo=UTC)
    days = [datetime(2023, 11, 1, 12, tzinfo=UTC) + timedelta(days=day) for day in range(15)]
    write(job.store, *(quake(f"new{day}", time, 6.0, place=tiny.CENTRE, known=moment) for day, time in enumerate(days)))
    backfill(job, replace(TODAY, overwrite=True))
    rows = table(job.store, "forecast").set_index("forecast_id")
    past_days = rows["issue_time"] < moment
    assert past_days.any() and (rows.loc[past_days, "probability"] == before[past_days[past_days].index]).all()
    assert (rows.loc[~past_days, "reference_probability"].to_numpy() != before.reindex(rows.index[~past_days]).to_numpy()).any()


@pytest.mark.parametrize("options", [TODAY, WALK], ids=["current-model", "walk-forward"])
def test_a_second_run_does_nothing_and_says_so(job, options):
    first = backfill(job, options)
    stored = dump(job.store)
    plan = plan_backfill(job.store, job.settings, job.recipes, options, job.clock)
    again = backfill(job, options)
    assert first.days == DAYS and (again.days, again.rows, again.fits, again.there, again.state) == (0, 0, 0, DAYS, "success")
    assert (
        (plan.missing, plan.there, plan.fits, plan.steps) == (0, DAYS, 0, [])
        and "nothing to do" in plan.text
        and "nothing to do" in again.text
    )
    assert dump(job.store) == stored


@pytest.mark.parametrize("options", [TODAY, WALK], ids=["current-model", "walk-forward"])
def test_in_two_parts_as_in_one(job, options, world, tmp_path):
    other = load_settings(home=tmp_path / "other")
    shutil.copytree(world[0].home, other.home)
    backfill(job, options)
    parts = open_home(other, [world[1]])
    backfill(parts, replace(options, last_day=date(2023, 12, 13)))
    assert backfill(parts, options).there == 13
    assert made(parts.store, *MADE) == made(job.store, *MADE)


def test_what_was_said_in_its_time_is_never_changed(job):
    """An official, a late and a daily hindcast row of days in the range stay as they are, also with overwrite."""
    day = date(2023, 12, 5)
    start = job.recipes[0].target_window(day).start
    for moment, target in ((start - timedelta(hours=3), day), (start + timedelta(hours=1), day), (NOW, date(2023, 12, 7))):
        predict(job.store, job.recipes, job.settings, Clock(lambda moment=moment: moment, simulated=False), target_day=target)
    before = table(job.store, "forecast")
    assert set(before["mode"]) == {"prospective", "late", "hindcast"} and before["official"].any()
    for options in (TODAY, WALK, replace(TODAY, overwrite=True), replace(WALK, overwrite=True)):
        backfill(job, options)
        rows = table(job.store, "forecast")
        assert rows[rows["method"] == "daily"].to_csv(index=False) == before.to_csv(index=False)
    assert rows["method"].value_counts().to_dict() == {"current-model": 3 * DAYS, "walk-forward": 3 * DAYS, "daily": len(before)}


def test_overwrite_makes_the_same_mode_anew_with_its_scores(job):
    backfill(job, TODAY)
    backfill(job, WALK)
    verify(job.store, job.recipes, job.clock)
    before = table(job.store, "forecast").set_index("forecast_id")
    scored = set(table(job.store, "score")["forecast_id"])
    later = open_home(job.settings, job.recipes, NOW + timedelta(hours=1), "f" * 16)
    last = date(2023, 12, 10)
    result = backfill(later, replace(TODAY, last_day=last, overwrite=True))
    assert (result.days, result.rows) == (10, 30)
    after = table(job.store, "forecast").set_index("forecast_id")
    assert set(after.index) == set(before.index)
    anew = after["run_id"] == "f" * 16
    assert anew.sum() == 30 and set(after.loc[anew, "method"]) == {"current-model"}
    left = set(table(job.store, "score")["forecast_id"])
    assert left == scored - set(after.index[anew]), "a score of a row that is no longer there would be a score of nothing"
    verify(job.store, job.recipes, later.clock)
    assert set(table(job.store, "score")["forecast_id"]) == scored


def test_days_that_a_model_has_seen_are_marked_and_never_scored(job):
    """Trained on 2023-11-02, the models' data end 45 days earlier: days before early October are in-sample."""
    options = replace(TODAY, first_day=date(2023, 9, 20), last_day=date(2023, 10, 30))
    backfill(job, options)
    rows = table(job.store, "forecast")
    toy = toy_models.Toy("etas", 0.9, 0.1, date(2023, 9, 17))
    begin = first_admissible_day(toy, job.recipes[0])
    days = rows["issue_time"].dt.date + timedelta(days=1)
    assert (rows["in_sample"] == ((days < begin) & (rows["model_kind"] != "climatology"))).all()
    assert 0 < rows["in_sample"].sum() < (rows["model_kind"] != "climatology").sum(), "both kinds are there"
    seen = rows[rows["in_sample"]]
    assert seen["degraded"].all() and seen["degraded_reason"].str.contains("has seen this day").all()
    assert not rows[~rows["in_sample"]]["degraded"].any()
    verify(job.store, job.recipes, job.clock)
    scored = table(job.store, "score")["forecast_id"]
    assert set(scored) == set(rows.loc[~rows["in_sample"], "forecast_id"])
    recipe = job.recipes[0]
    with job.store.transaction() as connection:
        track = ledger.scored(connection, recipe.id, recipe.target_hash, "hindcast")
        recent = ledger.recent_published(connection, recipe.id, recipe.target_hash, NOW, 365)
        kept = champions.scored_of_kind(connection, recipe.id, recipe.target_hash, "etas", NOW - timedelta(days=365), NOW)
        latest = ledger.latest_published(connection, NOW, [recipe.target_hash])
    out_of_sample = rows[rows["published"] & ~rows["in_sample"]]
    assert len(track) == len(recent) == len(out_of_sample) and kept.empty and latest.empty


def test_of_a_day_forecast_in_several_ways_the_walk_forward_row_is_in_the_record(job):
    backfill(job, TODAY)
    backfill(job, WALK)
    predict(job.store, job.recipes, job.settings, job.clock, target_day=FIRST)
    verify(job.store, job.recipes, job.clock)
    recipe = job.recipes[0]
    with job.store.transaction() as connection:
        track = ledger.scored(connection, recipe.id, recipe.target_hash, "hindcast")
    rows = table(job.store, "forecast")
    walked = rows[rows["published"] & (rows["method"] == "walk-forward")].sort_values("target_start")
    assert track["probability"].tolist() == walked["probability"].tolist()


def test_walk_forward_fits_know_nothing_of_their_block_and_leave_the_live_models_alone(job):
    live = {name: dump(job.store)[name] for name in ("model", "champion")}
    toy_models.fitted_on.clear()
    result = backfill(job, WALK)
    assert (result.state, result.days, result.fits) == ("success", DAYS, 4), "blocks of 20 days that hold the 51"
    assert {name: dump(job.store)[name] for name in live} == live
    fits = table(job.store, "walk_forward_fit").sort_values("first_day")
    recipe = job.recipes[0]
    assert [day.date() for day in fits["first_day"]] == [block_of(FIRST, 20) + timedelta(days=20 * k) for k in range(4)]
    assert fits["kind"].tolist() == ["etas"] * 4, "the sign is followed from the first block on"
    for history in toy_models.fitted_on:
        cuts = [recipe.target_window(day.date()).start for day in fits["first_day"]]
        latest = max(history.inputs.known_at_us.max(), history.days.target_ends_us.max())
        assert any(latest < cut.timestamp() * 1e6 for cut in cuts)
    assert len(toy_models.fitted_on) == 4 * 2 * 2, "each block fits each kind to be judged and to serve"
    rows = table(job.store, "forecast")
    for block, group in rows[rows["model_kind"] == "etas"].groupby("model_id"):
        (fit,) = fits[fits["model_id"] == block].to_dict("records")
        assert (group["issue_time"] >= fit["as_of"]).all() and group["published"].all()
        assert fit["as_of"] - timedelta(days=45) < group["issue_time"].min()
    assert not rows["in_sample"].any()


def test_a_block_fit_is_the_training_of_that_moment(job):
    """What `train` would have made at the block's first issue, with the climatology in office, is the oracle of the first block."""
    backfill(job, replace(WALK, last_day=FIRST))
    (fit,) = table(job.store, "walk_forward_fit").to_dict("records")
    with job.store.transaction() as connection:
        connection.execute("DELETE FROM champion")
    trained = train_recipes(job.store, job.recipes, job.settings, Clock.standing_at(fit["as_of"]), TrainOptions(max_minutes=5))
    trained = trained.trained[job.recipes[0].id]
    assert (fit["kind"], fit["reason"]) == (trained["champion"], trained["decision"])
    assert fit["model_id"] == trained["models"]["etas"]["model_id"]


def test_a_block_without_a_fit_of_the_champion_goes_on_with_the_one_before(job, monkeypatch):
    backfill(job, replace(WALK, last_day=date(2023, 12, 13)))
    first = table(job.store, "walk_forward_fit").sort_values("first_day").iloc[-1]
    monkeypatch.setattr(toy_models, "fit_follower", toy_models.fit_nothing)
    result = backfill(job, replace(WALK, last_day=LAST))
    fits = table(job.store, "walk_forward_fit").sort_values("first_day")
    rows = table(job.store, "forecast")
    later = rows[rows["published"] & (rows["issue_time"] >= fits.iloc[-1]["as_of"])]
    assert set(later["model_id"]) == {first["model_id"]} and set(fits["kind"]) == {"etas"}
    assert result.state == "partial" and "not in the mood" in result.silent[job.recipes[0].id]["etas"]


def test_a_recipe_that_fails_does_not_stop_the_others(job):
    recipe = job.recipes[0]
    other = Recipe.model_validate(recipe.model_dump() | {"id": "other"})
    both = open_home(job.settings, [other, recipe])
    train_recipes(job.store, [other], job.settings, Clock.standing_at(TRAINED), TrainOptions(max_minutes=5))
    shutil.rmtree(job.settings.models / "other")
    result = backfill(both, TODAY)
    assert result.state == "partial" and list(result.failed) == ["other"] and result.days == DAYS
    line = result.failed["other"]
    assert "\n" not in line and "other-" in line and str(job.settings.models) in line and "QUAKECAST_HOME/models" in line
    assert set(table(job.store, "forecast")["recipe_id"]) == {recipe.id}


def test_a_worker_without_the_models_says_so_and_nothing_is_stored(job, tmp_path):
    (chunk, *_), *_ = plan_backfill(job.store, job.settings, job.recipes, TODAY, job.clock).steps
    before = dump(job.store)
    with pytest.raises(
        CorruptModel, match=r"athens-etas-20231102-\w+ is not in .*bare.models on this machine; share QUAKECAST_HOME/models"
    ):
        forecast_chunk(job.store, load_settings(home=tmp_path / "bare"), job.recipes[0], chunk, TODAY)
    assert dump(job.store) == before


def test_a_chunk_is_forecast_from_the_published_copy_and_stored_once(job):
    recipe = job.recipes[0]
    for options in (TODAY, WALK):
        publish_copy(job)
        (chunk,) = plan_backfill(job.store, job.settings, job.recipes, options, job.clock).steps[0]
        done = forecast_chunk(PublishedCopy(job.settings.published), job.settings, recipe, chunk, options)
        assert store_chunk(job, recipe, done, options) == 3 * len(chunk.days)
        stored = dump(job.store)
        assert store_chunk(job, recipe, done, options) == 0
        assert dump(job.store) == stored
    changed = Recipe.model_validate(recipe.model_dump() | {"learning_rate": 0.02})
    with pytest.raises(RecipeChanged, match="the recipe changed while the backfill ran"):
        store_chunk(job, changed, done, WALK)
    assert dump(job.store) == stored


def test_two_at_once_is_one_line(job):
    with (
        only_backfill(job.settings, NOW),
        pytest.raises(StoreBusy, match=r"^a backfill is running already, as process \d+ on .* since 2024-01-28 12:00:00Z;"),
    ):
        backfill(job, TODAY)
    assert table(job.store, "forecast").empty
    assert backfill(job, TODAY).days == DAYS


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"first_day": LAST, "last_day": FIRST}, BadDate, "reversed: it begins on 2024-01-20 and ends on 2023-12-01"),
        ({"last_day": date(2024, 1, 28)}, BadDate, "2024-01-28 has not ended for athens"),
        ({"first_day": date(1972, 1, 1)}, BadDate, "1972-01-01 lies before the data, which begin on 1973-01-01"),
        ({"first_day": date(2020, 1, 1), "last_day": date(2020, 2, 1)}, BadDate, "nothing can be forecast from 2020-01-01 to 2020-02-01: athens"),
        ({"mode": "best"}, BadInput, "'best' is none of walk-forward, current-model"),
        ({"retrain_every_days": 0}, BadInput, "every 0 days"),
        ({"max_minutes": 0.0}, BadInput, "max_minutes is 0"),
    ],
)  # fmt: skip
def test_a_bad_range_or_option_is_one_line(job, changes, error, message):
    before = dump(job.store)
    with pytest.raises(error, match=message) as caught:
        backfill(job, replace(TODAY, **changes))
    assert "\n" not in str(caught.value) and dump(job.store) == before


def test_a_catalogue_that_ends_before_the_range_is_no_base_for_a_hindcast(job):
    late = open_home(job.settings, job.recipes, datetime(2024, 4, 1, tzinfo=UTC))
    with pytest.raises(BadInput, match="has been read to 2024-01-28 12:00Z only, the days to 2024-03-01 were issued by"):
        backfill(late, replace(TODAY, last_day=date(2024, 3, 1)))


def test_nothing_trained_is_one_line_for_current_model(job):
    with job.store.transaction() as connection:
        connection.execute("DELETE FROM model; DELETE FROM champion")
    with pytest.raises(BadInput, match="none of these recipes has a model; train them first"):
        backfill(job, TODAY)


def test_days_before_a_usual_rate_are_left_out_and_named(job):
    plan = plan_backfill(job.store, job.settings, job.recipes, replace(WALK, first_day=date(2021, 6, 1)), job.clock)
    assert "no usual rate before 2022-" in plan.left_out["athens"] and plan.left_out["athens"] in plan.text
    first = plan.steps[0][0].days[0]
    assert f"{first}" in plan.left_out["athens"]
    known = load_known(job.store, NOW)
    assert not known.coverage.empty
    assert backfill(job, replace(WALK, first_day=first, last_day=first)).days == 1


def test_under_a_simulated_clock_the_rows_are_replays(job):
    replayed = replace(job, clock=Clock.standing_at(NOW))
    backfill(replayed, replace(TODAY, last_day=FIRST))
    assert set(table(job.store, "forecast")["mode"]) == {"replay"}
    assert backfill(job, replace(TODAY, last_day=FIRST)).days == 1, "a replay stands for no hindcast"


def test_what_a_step_needs_can_be_sent_to_another_process(job):
    import pickle

    for options in (TODAY, WALK):
        (chunk,) = plan_backfill(job.store, job.settings, job.recipes, options, job.clock).steps[0]
        done = forecast_chunk(job.store, job.settings, job.recipes[0], chunk, options)
        assert pickle.loads(pickle.dumps((options, chunk, done.rows))) == (options, chunk, done.rows)
        assert pickle.loads(pickle.dumps(done)).chunk == chunk


def test_settling_a_backfill_keeps_the_page_to_the_day(job):
    """The report's list of what was settled is the daily run's, not a backfill's hundred days."""
    cover(job.store, NOW)
    backfill(job, TODAY)
    assert len(verify(job.store, job.recipes, job.clock).settled) == DAYS
    with job.store.transaction() as connection:
        assert ledger.last_settled(connection).empty
