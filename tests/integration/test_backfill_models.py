"""Backfills with real models on real earthquakes: the bundled snapshot, and a recipe below its magnitudes."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from forecaster.catalog.coverage import streams_for
from forecaster.clock import Clock
from forecaster.models.etas import etas
from forecaster.models.pooled.pooled import PooledModel
from forecaster.models.pretrained import newest_before
from forecaster.pipeline.as_of.as_known import labelled_days
from forecaster.pipeline.as_of.as_known_by_day import known_through, references_as_known
from forecaster.pipeline.as_of.catalogue_history import load_known
from forecaster.pipeline.backfilling.backfill import BackfillOptions, backfill, forecast_chunk, plan_backfill, store_chunk
from forecaster.pipeline.run_context import Job
from forecaster.recipe import Recipe
from forecaster.store import fits, publications
from forecaster.timewindow import issue_time, to_us
from tests.support import toy_models
from tests.support.steps import machine, predict, verify
from tests.support.toys import cover, quake, table, write

NOW = datetime(2019, 6, 1, tzinfo=UTC)
FIRST, LAST = date(2019, 3, 8), date(2019, 3, 22)
CHECKED = (date(2019, 3, 10), date(2019, 3, 22))
OPTIONS = BackfillOptions(FIRST, LAST, "current-model")
NAMED = ("how", "weights", "members", "source", "record_from", "count_low", "count_high")


@pytest.fixture
def job(snapshot_store, settings, recipes):
    """Los Angeles, where clocks change on 2019-03-10, with ETAS as pooled over circles and the trees to 2014."""
    recipe = recipes["los-angeles"]
    for model in (etas.generic(recipe), PooledModel(recipe, newest_before("pooled", date(2018, 1, 1)))):
        placed = toy_models.save(settings.models, recipe, model, data_as_of=datetime(2018, 1, 1, tzinfo=UTC))
        row = {"model_id": placed.model_id, "recipe_id": recipe.id, "kind": model.kind, "recipe_hash": recipe.recipe_hash, "decision": ""}
        row |= {"directory": f"{recipe.id}/{placed.model_id}", "data_as_of": datetime(2018, 1, 1, tzinfo=UTC), "details": {}}
        with snapshot_store.transaction() as connection:
            fits.add_model(connection, row | {"created_at": datetime(2018, 1, 1, tzinfo=UTC), "code_version": "0"})
    return Job(settings, snapshot_store, [recipe], machine(NOW), "0123456789abcdef")


def test_real_models_say_of_many_days_what_they_say_of_each(job):
    (recipe,) = job.recipes
    plan = plan_backfill(job.store, job.settings, job.recipes, OPTIONS, job.clock)
    for step in plan.steps:
        for chunk in step:
            store_chunk(job, recipe, forecast_chunk(job.store, job.settings, recipe, chunk, OPTIONS), OPTIONS)
    for day in CHECKED:
        predict(job.store, [recipe], job.settings, job.clock, target_day=day)
    rows = table(job.store, "forecast").sort_values(["target_start", "model_kind"])
    daily = rows[rows["method"] == "daily"].reset_index(drop=True)
    ours = rows[(rows["method"] == "current-model") & rows["target_start"].isin(daily["target_start"])].reset_index(drop=True)
    kinds = ["cells", "climatology", "etas", "hybrid", "pooled", "published", "recent_rate", "regional"]  # both hybrids without a fit
    assert ours["model_kind"].tolist() == daily["model_kind"].tolist() == kinds * len(CHECKED)
    assert sorted((daily["target_end"] - daily["target_start"]).unique()) == [timedelta(hours=23), timedelta(hours=24)]
    assert ours["reference_probability"].tolist() == daily["reference_probability"].tolist()
    assert ours[["issue_time", "as_of", "published", "degraded"]].equals(daily[["issue_time", "as_of", "published", "degraded"]])
    # The counts of the trees and the network are float32, summed from each batch's first day.
    tolerance = np.where(ours["model_kind"].isin(["pooled", "hybrid", "regional", "cells", "published"]), 1e-6, 1e-10)
    assert (np.abs(ours["probability"] / daily["probability"] - 1) <= tolerance).all()
    for mine, theirs in zip(
        ours.loc[ours["model_kind"] == "etas", "details"], daily.loc[daily["model_kind"] == "etas", "details"], strict=True
    ):
        assert mine[mine.index("count_low") :] == theirs[theirs.index("count_low") :], "a day's simulation is its own"
        assert len(mine) > 40
    told = [[json.loads(text) for text in each.loc[each["published"], "details"]] for each in (ours, daily)]
    for mine, theirs in zip(*told, strict=True):
        assert {name: mine[name] for name in NAMED} == {name: theirs[name] for name in NAMED}
    ladders = [table(job.store, "rung").merge(each[["forecast_id", "target_start"]], on="forecast_id") for each in (ours, daily)]
    ours, daily = (each.sort_values(["target_start", "horizon_days", "magnitude"]).reset_index(drop=True) for each in ladders)
    assert len(ours) == 20 * len(CHECKED) and len(table(job.store, "rung")) == 20 * (len(CHECKED) + 15)
    whole = ["target_start", "horizon_days", "magnitude", "window_end", "count_low", "count_high", "basis", "version", "beyond_record"]
    assert ours[whole].equals(daily[whole])
    for name in ("probability", "reference_probability", "etas_probability", "expected_count", "usual_count", "b_value", "b_sigma"):
        np.testing.assert_allclose(ours[name], daily[name], rtol=2e-6, err_msg=name)


def test_ladders_of_past_days_are_scored_when_their_windows_have_ended_and_go_with_their_forecasts(job):
    """Fifteen days of March 2019, the last of whose months ends on 2019-04-21; in a year of final outcomes."""
    backfill(job, OPTIONS)
    verify(job.store, job.recipes, job.clock)
    ladder = table(job.store, "v_ladder")
    assert len(ladder) == 15 * 20 and set(ladder["mode"]) == {"hindcast"} and set(ladder["method"]) == {"current-model"}
    assert ladder["log_score"].notna().all() and not ladder["official"].any()
    assert backfill(job, OPTIONS).rows == 0 and len(table(job.store, "rung")) == len(ladder)
    backfill(job, replace(OPTIONS, ladder=False, overwrite=True))
    assert table(job.store, "rung").empty and len(table(job.store, "forecast")) > 0


@pytest.mark.parametrize(
    ("first", "checked", "changed"),
    [
        (date(2015, 1, 10), (date(2015, 1, 16), date(2015, 1, 17)), "members"),
        (date(2017, 11, 20), (date(2017, 12, 2), date(2017, 12, 3)), "source"),
    ],
    ids=["models", "weights"],
)
def test_each_day_has_the_packaged_models_and_weights_that_the_daily_run_would_have_had(
    snapshot_store, settings, recipes, first, checked, changed
):
    """Sets whose data end on 2014-12-31 may forecast from 2015-01-17 on, weights learnt on days to 2017-11-16 from 2017-12-03 on
    (`pretrained.PURGE_DAYS`). No fit is stored, and all days lie in one part of the plan."""
    recipe = recipes["athens"]
    job = Job(settings, snapshot_store, [recipe], machine(NOW), "0123456789abcdef")
    assert backfill(job, BackfillOptions(first, first + timedelta(days=20), "current-model")).days == 21
    for day in checked:
        predict(snapshot_store, [recipe], settings, job.clock, target_day=day)
    rows = table(snapshot_store, "forecast").sort_values(["target_start", "model_kind"])
    daily = rows[rows["method"] == "daily"].reset_index(drop=True)
    ours = rows[(rows["method"] == "current-model") & rows["target_start"].isin(daily["target_start"])].reset_index(drop=True)
    assert ours["model_id"].tolist() == daily["model_id"].tolist() and ours["degraded_reason"].equals(daily["degraded_reason"])
    np.testing.assert_allclose(ours["probability"], daily["probability"], rtol=1e-6)
    told = [json.loads(text)[changed] for text in ours.loc[ours["published"], "details"]]
    assert told[0] != told[1], "so the comparison can fail"


def test_a_circle_where_the_target_is_as_good_as_sure_is_never_certain(snapshot_store, settings, recipes):
    """M3.5 within 300 km of Sendai, the third day after the M9.1 (shared/data/cases/saturating.toml): ETAS expects more than twenty of
    them, and exp(-20) is 2e-9: its own figure is 1, held away from it, and with the weight 1 the combination is as sure.

    The snapshot is said to hold M3.5 there, which it does not: the usual rate is of M4.5, and so much the less may be certain."""
    case = {"id": "sendai-wide", "threshold_mag": 3.5, "predict_radius_meters": 300_000, "models": ("etas",)}
    recipe = Recipe.model_validate(recipes["sendai-m45"].model_dump() | case)
    cover(snapshot_store, NOW, start=datetime(1973, 1, 1, tzinfo=UTC), streams=streams_for([recipe]))
    made = datetime(2011, 2, 1, tzinfo=UTC)
    placed = toy_models.save(settings.models, recipe, replace(etas.generic(recipe), last_data_day=date(2010, 12, 31)), data_as_of=made)
    row = {"model_id": placed.model_id, "recipe_id": recipe.id, "kind": "etas", "recipe_hash": recipe.recipe_hash, "decision": ""}
    row |= {"directory": f"{recipe.id}/{placed.model_id}", "data_as_of": made, "details": {}, "created_at": made, "code_version": "0"}
    with snapshot_store.transaction() as connection:
        fits.add_model(connection, row)
        pin = {"recipe_id": recipe.id, "target_hash": recipe.target_hash, "how": "kind", "kind": "etas", "model_id": None, "since": made}
        publications.add_decision(connection, pin | {"reason": "a test", "code_version": "0"})
    predict(snapshot_store, [recipe], settings, Clock.standing_at(datetime(2011, 3, 13, 12, tzinfo=UTC)))
    rows = table(snapshot_store, "forecast").set_index("model_kind")
    assert rows.loc["published", "target_start"] == datetime(2011, 3, 13, 15, tzinfo=UTC), "2011-03-14 in Japan"
    assert json.loads(rows.loc["etas", "details"])["expected_count"] > 20
    assert rows.loc["etas", "probability"] == 1 - 1e-7 > rows.loc["climatology", "probability"] > 0
    assert rows.loc["published", "probability"] == pytest.approx(1 - 1e-7, abs=1e-12) and rows.loc["published", "probability"] < 1
    assert not rows["degraded"].any()


def test_the_usual_rate_of_a_recipe_below_the_common_magnitudes_is_of_its_own_stream(store, recipes):
    """niigata asks for M3. Its events become known 0 to 400 days after their origin, some are revised below the threshold or withdrawn."""
    recipe = recipes["niigata"]
    rng = np.random.default_rng(3)
    start, end = datetime(2015, 1, 1, tzinfo=UTC), datetime(2019, 1, 1, tzinfo=UTC)
    place = (recipe.predict_center_lat, recipe.predict_center_lng)
    rows, later = [], []
    for number, day in enumerate(rng.choice(1461, 400).tolist()):
        time = start + timedelta(days=day, hours=float(rng.uniform(0, 24)))
        known = time + timedelta(days=float(rng.choice([0.1, 20.0, 90.0, 400.0])))
        rows.append(quake(f"n{number}", time, 3.2, place=place, known=known))
        told = {"known_at": known + timedelta(days=60), "observed_at": known + timedelta(days=60), "updated_at": known + timedelta(days=60)}
        if number % 5 == 0:
            later.append(rows[-1] | told | {"magnitude": 2.8})
        elif number % 5 == 1:
            later.append(rows[-1] | told | {"status": "deleted"})
    write(store, *rows)
    write(store, *later)
    cover(store, end, start=start, streams=streams_for([recipe]))
    days = [date(2017, 3, 1) + timedelta(days=97 * step) for step in range(6)]
    issues = [issue_time(day, recipe.zone, recipe.issue_local_time) for day in days]
    found = references_as_known(recipe, known_through(store, issues[-1]), np.array([to_us(issue) for issue in issues]))
    expected = []
    for issue in issues:
        labelled = labelled_days(recipe, load_known(store, issue))
        hits, count = int(labelled.happened.sum()), len(labelled.happened)
        long_term = (hits + 0.5) / (count + 1)
        expected.append((hits + 365.25 * long_term) / (count + 365.25))  # less than ten years of days: s = S, n = N
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert len(set(found)) == len(days)
