"""Backfills in a small world with toy models: the same rows as day by day, nothing twice, nothing of others touched, resumable."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from forecaster.clock import Clock
from forecaster.pipeline.as_of.training_history import first_admissible_day
from forecaster.pipeline.backfilling.backfill import backfill, plan_backfill
from forecaster.pipeline.backfilling.backfill_plan import block_of
from forecaster.pipeline.training.train import TrainOptions
from forecaster.settings import load_settings
from forecaster.store import fits as stored_fits
from forecaster.store import ledger
from forecaster.store.forecasts import shown as stored
from tests.support import past_world, tiny, toy_models
from tests.support.past_world import DAYS, FIRST, LAST, NOW, TODAY, WALK, open_home
from tests.support.steps import predict, train_recipes, verify
from tests.support.toys import dump, quake, table, write

VOLATILE = ["run_id", "created_at"]
KINDS = ("climatology", "recent_rate", "etas", "pooled", "published")
FITTED = ("etas", "pooled")


pytestmark = pytest.mark.usefixtures("toy_kinds")


@pytest.fixture(scope="module")
def filled(past_home, tmp_path_factory):
    """A home after both backfills of the whole range, what came of them, and what the walk-forward's fits were given."""
    settings = load_settings(home=tmp_path_factory.mktemp("filled") / "home")
    made = past_world.copied(past_home, settings)
    live = {name: dump(made.store)[name] for name in ("model", "combination", "publication")}
    toy_models.fitted_on.clear()
    results = {options.mode: backfill(made, options) for options in (TODAY, WALK)}
    assert {name: dump(made.store)[name] for name in live} == live, "what is published tomorrow is as it was"
    return made, results, list(toy_models.fitted_on)


@pytest.fixture
def job(past_home, settings):
    """A home without a backfill, on a machine's clock that stands at NOW."""
    return past_world.copied(past_home, settings)


@pytest.fixture
def full(filled, settings):
    """A home with both backfills of the whole range."""
    shutil.copytree(filled[0].settings.home, settings.home)
    return open_home(settings, filled[0].recipes)


def rows_of(store, method):
    """A backfill's forecasts without what tells one run from another."""
    rows = table(store, "forecast")
    return rounded(rows[rows["method"] == method].drop(columns=VOLATILE).sort_values("forecast_id", ignore_index=True))


def rounded(rows):
    """The rows with expected numbers to 12 digits: they are sums of ETAS, which begin with the first day that was asked for."""
    told = [json.loads(text) if isinstance(text, str) else {} for text in rows["details"]]
    near = [{name: float(f"{one[name]:.12g}") for name in ("expected_count",) if name in one} for one in told]
    return rows.assign(details=[json.dumps(one | few) for one, few in zip(told, near, strict=True)])


def fits_of(store):
    """The fits of walk-forward blocks, likewise."""
    return table(store, "walk_forward_fit").drop(columns=[*VOLATILE, "seconds"], errors="ignore").sort_values("first_day").to_csv()


def test_all_days_at_once_say_what_each_day_alone_says(full):
    """The daily step, asked for each day as a hindcast, with the models of 2023-11-02, is the oracle; the late, the revised and the
    withdrawn event change the usual rate in the middle of the range."""
    rows = table(full.store, "forecast")
    assert set(rows["mode"]) == {"hindcast"} and not rows["official"].any()
    assert rows["run_id"].eq(full.run_id).all() and rows["created_at"].eq(NOW).all()
    for day in range(0, DAYS, 7):
        predict(full.store, full.recipes, full.settings, full.clock, target_day=FIRST + timedelta(days=day))
    everything = table(full.store, "forecast").sort_values(["target_start", "model_kind"])
    theirs = everything[everything["method"] == "daily"].reset_index(drop=True)
    ours = everything[(everything["method"] == "current-model") & everything["target_start"].isin(theirs["target_start"])].reset_index(
        drop=True
    )
    assert len(ours) == len(theirs) == len(KINDS) * 8 and set(ours["model_kind"]) == set(KINDS)
    same = [name for name in ours.columns if name not in {*VOLATILE, "forecast_id", "method", "probability", "reference_probability"}]
    assert rounded(ours[same]).to_csv() == rounded(theirs[same]).to_csv()
    for name in ("probability", "reference_probability"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-12, atol=0)
    assert ours["reference_probability"].nunique() == 8, "the usual rate rolls, so the comparison can fail"
    assert len(set(ours["forecast_id"]) & set(theirs["forecast_id"])) == 0


def test_an_event_known_only_later_changes_no_day_before(full):
    rows = table(full.store, "forecast").set_index("forecast_id")
    before = rows.loc[rows["method"] == "current-model", "probability"]
    moment = datetime(2024, 1, 10, 6, tzinfo=UTC)
    days = [datetime(2023, 11, 1, 12, tzinfo=UTC) + timedelta(days=day) for day in range(15)]
    write(full.store, *(quake(f"new{day}", time, 6.0, place=tiny.CENTRE, known=moment) for day, time in enumerate(days)))
    backfill(full, replace(TODAY, overwrite=True))
    rows = table(full.store, "forecast").set_index("forecast_id").loc[before.index]
    past_days = rows["issue_time"] < moment
    assert past_days.any() and (rows.loc[past_days, "probability"] == before[past_days]).all()
    assert (rows.loc[~past_days, "probability"] != before[~past_days]).any()


@pytest.mark.parametrize("options", [TODAY, WALK], ids=["current-model", "walk-forward"])
def test_a_second_run_does_nothing_and_says_so(full, filled, options):
    first = filled[1][options.mode]
    stored = dump(full.store)
    plan = plan_backfill(full.store, full.settings, full.recipes, options, full.clock)
    again = backfill(full, options)
    assert first.days == DAYS and (again.days, again.rows, again.fits, again.there, again.state) == (0, 0, 0, DAYS, "success")
    assert (plan.missing, plan.there, plan.fits, plan.steps) == (0, DAYS, 0, [])
    assert "nothing to do" in plan.text and "nothing to do" in again.text
    assert dump(full.store) == stored


@pytest.mark.parametrize("options", [TODAY, WALK], ids=["current-model", "walk-forward"])
def test_in_two_parts_as_in_one(job, filled, options):
    backfill(job, replace(options, last_day=date(2023, 12, 13)))
    assert backfill(job, options).there == 13
    whole, parts = (rows_of(store, options.mode) for store in (filled[0].store, job.store))
    assert len(whole) == len(KINDS) * DAYS and parts.to_csv() == whole.to_csv()
    if options is WALK:
        assert fits_of(job.store) == fits_of(filled[0].store)


def test_what_was_said_in_its_time_is_never_changed(full):
    """An official, a late and a daily hindcast row of days in the range stay as they are, also with overwrite."""
    day = date(2023, 12, 5)
    start = full.recipes[0].target_window(day).start
    for moment, target in ((start - timedelta(hours=3), day), (start + timedelta(hours=1), day), (NOW, date(2023, 12, 7))):
        clock = Clock(lambda moment=moment: moment, simulated=False)
        predict(full.store, full.recipes, full.settings, clock, target_day=target, reissue=True)
    rows = table(full.store, "forecast")
    before = rows[rows["method"] == "daily"].to_csv(index=False)
    assert rows["official"].any() and {"prospective", "late", "hindcast"} == set(rows.loc[rows["method"] == "daily", "mode"])
    later = open_home(full.settings, full.recipes, NOW + timedelta(hours=1), "f" * 16)
    for options in (TODAY, WALK):
        backfill(later, replace(options, first_day=date(2023, 12, 4), last_day=date(2023, 12, 8), overwrite=True))
    rows = table(full.store, "forecast")
    assert rows[rows["method"] == "daily"].to_csv(index=False) == before
    assert (rows["run_id"] == "f" * 16).sum() == 2 * len(KINDS) * 5
    all_days = len(KINDS) * DAYS
    assert rows["method"].value_counts().to_dict() == {"current-model": all_days, "walk-forward": all_days, "daily": before.count("\n") - 1}


def test_overwrite_makes_the_same_mode_anew_with_its_scores(full):
    verify(full.store, full.recipes, full.clock)
    before = table(full.store, "forecast").set_index("forecast_id")
    scored = set(table(full.store, "score")["forecast_id"])
    later = open_home(full.settings, full.recipes, NOW + timedelta(hours=1), "f" * 16)
    last = date(2023, 12, 10)
    result = backfill(later, replace(TODAY, last_day=last, overwrite=True))
    assert (result.days, result.rows) == (10, 10 * len(KINDS))
    after = table(full.store, "forecast").set_index("forecast_id")
    assert set(after.index) == set(before.index)
    anew = after["run_id"] == "f" * 16
    assert anew.sum() == 10 * len(KINDS) and set(after.loc[anew, "method"]) == {"current-model"}
    left = set(table(full.store, "score")["forecast_id"])
    assert left == scored - set(after.index[anew]), "a score of a row that is no longer there would be a score of nothing"
    verify(full.store, full.recipes, later.clock)
    assert set(table(full.store, "score")["forecast_id"]) == scored


def test_days_that_a_model_has_seen_are_marked_and_never_scored(job):
    """Trained on 2023-11-02, the models' data end 45 days earlier: days before early October are in-sample.

    So is the combination, of which etas is a member that counts; the recent rate has seen none of the days.
    """
    options = replace(TODAY, first_day=date(2023, 9, 20), last_day=date(2023, 10, 30))
    backfill(job, options)
    rows = table(job.store, "forecast")
    toy = toy_models.Toy("etas", 0.9, 0.1, date(2023, 9, 17))
    begin = first_admissible_day(toy, job.recipes[0])
    days = rows["issue_time"].dt.date + timedelta(days=1)
    able = rows["model_kind"].isin((*FITTED, "published"))
    assert (rows["in_sample"] == ((days < begin) & able)).all()
    assert 0 < rows["in_sample"].sum() < able.sum(), "both kinds are there"
    seen = rows[rows["in_sample"]]
    assert seen["degraded"].all() and seen["degraded_reason"].str.contains("has seen this day").all()
    assert not rows[~rows["in_sample"]]["degraded"].any()
    verify(job.store, job.recipes, job.clock)
    scored = table(job.store, "score")["forecast_id"]
    assert set(scored) == set(rows.loc[~rows["in_sample"], "forecast_id"])
    recipe = job.recipes[0]
    with job.store.transaction() as connection:
        track = ledger.scored(connection, {recipe.id: recipe.target_hash})[recipe.id]
        recent = stored.recent_published(connection, {recipe.id: recipe.target_hash}, {recipe.id: NOW}, 365)[recipe.id]
        kept = stored_fits.scored_of_kind(connection, {recipe.id: recipe.target_hash}, "etas", NOW - timedelta(days=365), NOW)[recipe.id]
        latest = stored.latest_published(connection, NOW, [recipe.target_hash])
    out_of_sample = rows[rows["published"] & ~rows["in_sample"]]
    assert len(track) == len(recent) == len(out_of_sample) and len(kept) == 0 and latest == []


def test_of_a_day_forecast_in_several_ways_the_walk_forward_row_is_in_the_record(full):
    predict(full.store, full.recipes, full.settings, full.clock, target_day=FIRST)
    verify(full.store, full.recipes, full.clock)
    recipe = full.recipes[0]
    with full.store.transaction() as connection:
        track = ledger.scored(connection, {recipe.id: recipe.target_hash})[recipe.id]
    rows = table(full.store, "forecast")
    walked = rows[rows["published"] & (rows["method"] == "walk-forward")].sort_values("target_start")
    assert track["probability"].tolist() == walked["probability"].tolist()


def test_walk_forward_fits_know_nothing_of_their_block(filled):
    made, results, fitted_on = filled
    assert (results["walk-forward"].state, results["walk-forward"].fits) == ("success", 4), "blocks of 20 days that hold the 51"
    fits = table(made.store, "walk_forward_fit").sort_values("first_day")
    recipe = made.recipes[0]
    assert [day.date() for day in fits["first_day"]] == [block_of(FIRST, 20) + timedelta(days=20 * k) for k in range(4)]
    assert fits["kind"].tolist() == ["published"] * 4 and fits["model_id"].isna().all()
    assert len(fitted_on) == 4 * 2 * 2, "each block fits each kind to be judged and to serve"
    for block, as_of in enumerate(fits["as_of"]):
        for history in fitted_on[4 * block : 4 * block + 4]:
            latest = max(history.inputs.known_at_us.max(), history.days.target_ends_us.max(), history.catalogue.origin_time_us.max())
            assert latest <= as_of.timestamp() * 1e6
    rows = table(made.store, "forecast")
    walked = rows[rows["method"] == "walk-forward"]
    assert len(walked) == len(KINDS) * DAYS and not walked["in_sample"].any()
    assert walked["published"].equals(walked["model_kind"] == "published")
    of_block = {json.loads(fit["models"])["etas"]["model_id"]: fit for fit in fits.to_dict("records")}
    assert len(of_block) == 4
    for model_id, group in walked[walked["model_kind"] == "etas"].groupby("model_id"):
        fit = of_block[model_id]
        last_data_day = json.loads((made.settings.models / recipe.id / model_id / "model.json").read_text())["last_data_day"]
        assert date.fromisoformat(last_data_day) < (fit["as_of"] - timedelta(days=44)).date()
        assert (group["issue_time"] >= fit["as_of"]).all()


def test_a_block_fit_is_the_training_of_that_moment(job):
    """What `train` would have made at the block's first issue is the oracle of the first block; no record has moved its weights yet."""
    backfill(job, replace(WALK, last_day=FIRST))
    (fit,) = table(job.store, "walk_forward_fit").to_dict("records")
    trained = train_recipes(job.store, job.recipes, job.settings, Clock.standing_at(fit["as_of"]), TrainOptions(max_minutes=5))
    trained = trained.trained[job.recipes[0].id]
    assert {kind: model["model_id"] for kind, model in json.loads(fit["models"]).items()} == {
        kind: row["model_id"] for kind, row in trained["models"].items()
    }
    numbers = json.loads(fit["numbers"])
    assert (numbers["how"], numbers["weights"], numbers["source"]) == ("combination", {"etas": 0.5, "hybrid": 0.5}, "mean")


def test_a_block_without_a_fit_goes_on_with_the_one_before(job, monkeypatch):
    backfill(job, replace(WALK, last_day=date(2023, 12, 13)))
    first = json.loads(table(job.store, "walk_forward_fit").sort_values("first_day").iloc[-1]["models"])["etas"]["model_id"]
    monkeypatch.setattr(toy_models, "fit_follower", toy_models.fit_nothing)
    result = backfill(job, replace(WALK, last_day=LAST))
    fits = table(job.store, "walk_forward_fit").sort_values("first_day")
    rows = table(job.store, "forecast")
    later = rows[rows["published"] & (rows["issue_time"] >= fits.iloc[-1]["as_of"])]
    assert {json.loads(details)["members"]["etas"] for details in later["details"]} == {first}
    assert result.state == "partial" and "not in the mood" in result.silent[job.recipes[0].id]["etas"]


def test_settling_a_backfill_keeps_the_page_to_the_day(full):
    """The report's list of what was settled is the daily run's, not a backfill's hundred days."""
    assert len(verify(full.store, full.recipes, full.clock).verified) == DAYS
    with full.store.transaction() as connection:
        assert ledger.last_verified(connection) == []
