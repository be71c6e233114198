"""What is published day by day: all members, fewer, or none; as in a backfill; never 0 or 1; and never from the future."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from forecaster.clock import Clock
from forecaster.errors import CorruptModel
from forecaster.features.windows import target_days
from forecaster.models.baselines.rates import BestRate
from forecaster.pipeline.as_of.as_known_by_day import known_through
from forecaster.pipeline.backfilling.backfill import backfill
from forecaster.pipeline.backfilling.backfill_days import days_of, forecast_days
from forecaster.pipeline.issuing.members import Member, generic_member
from forecaster.publishing_rule import weights
from forecaster.publishing_rule.blend import Blend
from forecaster.publishing_rule.combination import combine
from forecaster.publishing_rule.weights import unlearnt
from forecaster.settings import load_settings
from forecaster.store import fits, publications
from tests.support import past_world, tiny, toy_models
from tests.support.changed_recipes import without_models
from tests.support.past_world import FIRST, LAST, NOW, TODAY, WALK, open_home
from tests.support.steps import predict
from tests.support.toys import dump, quake, table, write

KINDS = ("climatology", "recent_rate", "etas", "pooled", "published")
DAYS = [FIRST + timedelta(days=number) for number in (0, 18, 40)]


pytestmark = pytest.mark.usefixtures("toy_kinds")


@pytest.fixture(scope="module")
def world(past_home, tmp_path_factory):
    """A home trained on 2023-11-02, whose learnt weights count from 2023-12-04 on: of the recent rate, etas and pooled.

    A backfill's blocks of 30 days begin on 2023-11-05, 2023-12-05 and 2024-01-04; what counts at the first issue counts for the block."""
    job = past_world.copied(past_home, load_settings(home=tmp_path_factory.mktemp("world") / "home"))
    recipe = job.recipes[0]
    row = {"scope": recipe.id, "target_hash": recipe.target_hash, "base": "mean", "belief": {}, "rate_only": False, "reason": "a test"}
    row |= {"weights": {"recent_rate": 0.3, "etas": 0.6, "pooled": 0.2}, "numbers": {}, "code_version": "0"}
    with job.store.transaction() as connection:
        publications.add_weights(connection, row | {"since": datetime(2023, 12, 4, tzinfo=UTC)})
    return job.settings, recipe


@pytest.fixture
def job(world, settings):
    return past_world.copied(world, settings)


def issue(job, day, **more):
    """({kind: row}, what came of it) of the daily step for a past day."""
    result = predict(job.store, job.recipes, job.settings, job.clock, target_day=day, **more)
    rows = table(job.store, "forecast")
    rows = rows[rows["forecast_id"].isin(result.forecast_ids)]
    return rows.set_index("model_kind").to_dict("index"), result


def test_what_is_published_is_the_combination_of_the_rows_beside_it(job):
    """Worked anew from the stored rows and weights: log-odds beyond the usual rate, weighted and added. At first etas has the half of the
    hybrid, which is not among the kinds of this recipe."""
    for day, expected in zip(DAYS, ({"etas": 1.0}, {"recent_rate": 0.3, "etas": 0.6, "pooled": 0.2}), strict=False):
        rows, result = issue(job, day)
        assert sorted(rows) == sorted(KINDS) and [kind for kind, row in rows.items() if row["published"]] == ["published"]
        said = {kind: np.log(row["probability"] / (1 - row["probability"])) for kind, row in rows.items()}
        usual = said["climatology"]
        score = usual + sum(weight * (said[kind] - usual) for kind, weight in expected.items())
        assert said["published"] == pytest.approx(score, abs=1e-9)
        details = json.loads(rows["published"]["details"])
        assert details["weights"] == expected and sorted(details["members"]) == sorted(expected)
        assert all(details["members"][kind] == rows[kind]["model_id"] for kind in expected)
        assert result.degraded == {} and result.silent == {}


def test_a_backfill_publishes_what_the_daily_run_would_have(job):
    """The same day, members and weights: both rows the same within 1e-9, but for how they were made. The weights changed on 2023-12-04."""
    backfill(job, TODAY)
    for day in DAYS:
        issue(job, day)
    rows = table(job.store, "forecast").sort_values(["target_start", "model_kind"])
    start = [job.recipes[0].target_window(day).start for day in DAYS]
    rows = rows[rows["target_start"].isin(start)]
    daily, ours = (rows[rows["method"] == method].reset_index(drop=True) for method in ("daily", "current-model"))
    assert len(daily) == len(ours) == len(KINDS) * len(DAYS)
    same = ["model_kind", "model_id", "published", "degraded", "in_sample", "as_of", "issue_time", "target_end", "recipe_hash"]
    assert daily[same].to_csv() == ours[same].to_csv()
    for name in ("probability", "reference_probability"):
        np.testing.assert_allclose(ours[name], daily[name], rtol=1e-9, atol=0)
    details = [
        {name: json.loads(text)[name] for name in ("how", "weights", "members", "source", "record_from", "expected_count", "count_high")}
        for each in (daily, ours)
        for text in each.loc[each["published"], "details"]
    ]
    assert details[: len(DAYS)] == [
        each | {"expected_count": pytest.approx(each["expected_count"], rel=1e-9)} for each in details[len(DAYS) :]
    ]
    assert len({each["source"] for each in details}) == 2 and daily.loc[daily["published"], "model_id"].nunique() == 2


def test_a_pinned_model_is_what_a_backfill_publishes_too(job):
    """Pinned on 2023-11-03; a week later it is not the newest of its kind any more."""
    recipe = job.recipes[0]
    (pinned,) = table(job.store, "model").query("kind == 'etas'")["model_id"]
    row = {"recipe_id": recipe.id, "target_hash": recipe.target_hash, "how": "kind", "kind": "etas", "model_id": pinned}
    other = toy_models.save(job.settings.models, recipe, toy_models.Toy("etas", 0.7, 0.3, date(2023, 9, 1)), data_as_of=NOW)
    model = {"model_id": other.model_id, "recipe_id": recipe.id, "kind": "etas", "recipe_hash": recipe.recipe_hash, "decision": ""}
    model |= {"directory": f"{recipe.id}/{other.model_id}", "data_as_of": datetime(2023, 11, 9, tzinfo=UTC), "details": {}}
    with job.store.transaction() as connection:
        publications.add_decision(connection, row | {"since": datetime(2023, 11, 3, tzinfo=UTC), "reason": "a test", "code_version": "0"})
        fits.add_model(connection, model | {"created_at": datetime(2023, 11, 9, tzinfo=UTC), "code_version": "0"})
    daily, _ = issue(job, DAYS[0])
    backfill(job, replace(TODAY, first_day=DAYS[0], last_day=DAYS[0]))
    rows = table(job.store, "forecast").query("method == 'current-model'").set_index("model_kind")
    assert json.loads(daily["published"]["details"])["members"] == {"etas": pinned}
    assert rows.loc["etas", "model_id"] == pinned and rows.loc["published", "model_id"] == daily["published"]["model_id"]
    assert rows.loc["published", "probability"] == pytest.approx(daily["published"]["probability"], rel=1e-12)


def test_both_kinds_of_backfill_publish_the_combination(job):
    """Walk-forward blocks start from the package's weights and move them only by days of their own that were settled by then."""
    first, last = date(2023, 12, 1), date(2023, 12, 2)
    for options in (TODAY, WALK):
        backfill(job, replace(options, first_day=first, last_day=last))
    rows = table(job.store, "forecast")
    for method in ("current-model", "walk-forward"):
        mine = rows[rows["method"] == method]
        assert sorted(mine["model_kind"].value_counts().to_dict().items()) == sorted(dict.fromkeys(KINDS, 2).items())
        assert mine.loc[mine["published"], "model_kind"].tolist() == ["published"] * 2 and not mine["in_sample"].any()


@pytest.mark.parametrize(
    ("counts", "seen"), [({"etas": 0.5}, True), ({"pooled": 0.5}, False), ({"recent_rate": 0.5}, False), ({}, False)], ids=str
)
def test_the_combination_is_in_sample_where_a_member_that_counts_has_seen_the_day(job, counts, seen):
    """etas has, pooled has not: what does not count plays no part."""
    recipe, day = job.recipes[0], date(2023, 12, 1)
    blend = Blend("combination", counts, "a test", "mean")
    members = [
        Member("a", "etas", toy_models.Toy("etas", 0.9, 0.1, date(2024, 1, 1)), date(2024, 1, 5)),
        Member("b", "pooled", toy_models.Toy("pooled", 0.4, 0.2, date(2023, 1, 1)), date(2023, 1, 5)),
        generic_member(recipe, "recent_rate", day, date(2021, 1, 17)),
    ]
    known, days = known_through(job.store, NOW), days_of(recipe, [day])
    rows = {row["model_kind"]: row for row in forecast_days(recipe, known, days, members, [blend], {}, allow_in_sample=True, ladder=False)}
    assert {kind: row["in_sample"] for kind, row in rows.items()} == {
        "climatology": False,
        "etas": True,
        "pooled": False,
        "recent_rate": False,
        "published": seen,
    }
    out = {row["model_kind"]: row for row in forecast_days(recipe, known, days, members, [blend], {}, allow_in_sample=False, ladder=False)}
    assert "etas" not in out and not out["published"]["in_sample"] and out["published"]["degraded"] == seen


def fail(*_):
    raise CorruptModel("it is out of order; train again")


def test_where_all_members_fail_the_usual_rate_is_published_and_flagged_in_one_line(job, monkeypatch):
    monkeypatch.setattr(toy_models.Toy, "probability", fail)
    monkeypatch.setattr(BestRate, "probability", fail)
    rows, result = issue(job, DAYS[1])
    assert sorted(rows) == ["climatology", "published"]
    row = rows["published"]
    assert row["probability"] == pytest.approx(row["reference_probability"], rel=1e-12) and row["degraded"]
    out_of_order = "it is out of order; train again"
    assert row["degraded_reason"] == "; ".join(f"without {kind}: {out_of_order}" for kind in ("recent_rate", "etas", "pooled"))
    assert result.degraded == {"athens": row["degraded_reason"]} and result.silent == {}
    details = json.loads(row["details"])
    assert (details["how"], details["weights"], details["members"]) == ("rate", {}, {})
    backfill(job, replace(TODAY, first_day=DAYS[1], last_day=DAYS[1]))
    (same,) = table(job.store, "forecast").query("method == 'current-model' and published").to_dict("records")
    assert (same["probability"], same["degraded_reason"]) == (pytest.approx(row["probability"], rel=1e-12), row["degraded_reason"])


def test_a_member_that_lacks_is_flagged_and_the_others_take_its_weight(job):
    recipe = job.recipes[0]
    whole, _ = issue(job, DAYS[1])
    shutil.rmtree(job.settings.models / recipe.id / whole["etas"]["model_id"])
    later = open_home(job.settings, job.recipes, NOW + timedelta(hours=1))
    predict(later.store, [recipe], later.settings, Clock.standing_at(NOW), target_day=DAYS[1])
    (row,) = table(job.store, "forecast").query("mode == 'replay' and published").to_dict("records")
    said = {kind: np.array([whole[kind]["probability"]]) for kind in ("recent_rate", "pooled")}
    expected = combine(said, {"recent_rate": 0.3, "etas": 0.6, "pooled": 0.2}, np.array([row["reference_probability"]]))[0]
    assert row["probability"] == pytest.approx(expected, rel=1e-9) and row["degraded"]
    assert row["degraded_reason"].startswith("without etas: ") and row["degraded_reason"].count("without") == 1
    assert json.loads(row["details"])["weights"] == {"recent_rate": 0.3, "pooled": 0.8}, "0.6 of ETAS goes to its like"


def test_a_fit_that_lacks_is_flagged_where_a_generic_model_stands_in(job, monkeypatch):
    toy_models.put_in_place(monkeypatch, generic=True)
    recipe = job.recipes[0]
    (model_id,) = table(job.store, "model").query("kind == 'etas'")["model_id"]
    shutil.rmtree(job.settings.models / recipe.id / model_id)
    rows, result = issue(job, DAYS[0])
    assert rows["etas"]["model_id"] == "athens-etas-generic-20210105" and rows["etas"]["probability"] in (0.9, 0.1)
    row = rows["published"]
    assert row["probability"] == pytest.approx(rows["etas"]["probability"], rel=1e-12)
    assert row["degraded_reason"].startswith("etas without its fit: ") and result.degraded == {"athens": row["degraded_reason"]}


def test_weights_that_cannot_be_read_give_way_to_those_that_need_no_learning(job, monkeypatch):
    monkeypatch.setattr(weights, "newest_before", fail)
    row = issue(job, DAYS[0])[0]["published"]
    assert row["degraded_reason"] == "the package's weights cannot be used: it is out of order; train again"
    details = json.loads(row["details"])
    assert (details["source"], details["weights_from"]) == ("mean", {"kind": "mean"})
    backfill(job, replace(TODAY, first_day=DAYS[0], last_day=DAYS[0]))
    (same,) = table(job.store, "forecast").query("method == 'current-model' and published").to_dict("records")
    assert (same["probability"], same["degraded_reason"]) == (pytest.approx(row["probability"], rel=1e-12), row["degraded_reason"])


@pytest.mark.parametrize(("said", "bound"), [(1.0, 1 - 1e-7), (0.0, 1e-7)])
def test_a_member_that_says_always_or_never_is_not_followed_to_the_end(job, monkeypatch, said, bound):
    """etas alone counts, with the hybrid's weight: 1 - 1e-7 is the most that anything says."""
    monkeypatch.setattr(toy_models.Toy, "probability", lambda self, inputs, days, reference: np.full(len(days), said))
    rows, result = issue(job, DAYS[0])
    assert rows["published"]["probability"] == pytest.approx(bound, rel=1e-9) and rows["etas"]["probability"] == bound
    assert 0 < rows["published"]["probability"] < 1 and result.degraded == {}


def test_the_future_changes_nothing_that_was_published(job):
    """Each day is forecast once more, as replays, with later versions, deletions and earthquakes in the store."""
    before = {}
    for day in DAYS:
        rows, _ = issue(job, day)
        before |= {(day, kind): row["probability"] for kind, row in rows.items()}
    for day in DAYS:
        moment = target_days(job.recipes[0], day, 1).cut_us[0]
        known = datetime.fromtimestamp(int(moment) / 1e6 + 1, UTC)
        write(job.store, *(quake(f"{day}-{n}", known - timedelta(hours=6), 6.0 + n / 10, place=tiny.CENTRE, known=known) for n in range(3)))
        deleted = quake(f"hit{(day - date(2021, 1, 1)).days - 80}", known - timedelta(days=80), 5.0, place=tiny.CENTRE, known=known)
        write(job.store, deleted | {"status": "deleted"})
        predict(job.store, job.recipes, job.settings, Clock.standing_at(NOW), target_day=day)
        replays = table(job.store, "forecast").query("mode == 'replay'")
        mine = replays[replays["target_start"] == job.recipes[0].target_window(day).start]
        assert {(day, kind): said for kind, said in zip(mine["model_kind"], mine["probability"], strict=True)} == {
            key: value for key, value in before.items() if key[0] == day
        }


def test_twice_at_the_same_moment_changes_nothing(job):
    for clock in (job.clock, Clock.standing_at(NOW)):
        first = predict(job.store, job.recipes, job.settings, clock, target_day=LAST)
        before = dump(job.store)
        again = predict(job.store, job.recipes, job.settings, clock, target_day=LAST)
        assert sorted(again.forecast_ids) == sorted(first.forecast_ids) and dump(job.store) == before


def test_what_is_published_is_of_a_kind_of_its_own_also_where_nothing_counts(job):
    """Of an untrained recipe below the inputs' magnitudes no member is left: the combination is the usual rate, and not degraded."""
    bare = without_models(job.recipes[0])
    predict(job.store, [bare], job.settings, job.clock, target_day=DAYS[0])
    rows = table(job.store, "forecast").set_index("model_kind")
    assert sorted(rows.index) == ["climatology", "published", "recent_rate"] and not rows["degraded"].any()
    assert rows.loc["published", "probability"] == pytest.approx(rows.loc["climatology", "probability"], rel=1e-12)
    assert unlearnt().belief.weights.keys().isdisjoint(rows.index)
