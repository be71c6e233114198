"""Weights are learnt anew each week from what is official and final, and from nothing else."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from forecaster.clock import Clock
from forecaster.errors import CorruptModel
from forecaster.pipeline.issuing.blends import blend_of
from forecaster.pipeline.training import weekly_weights
from forecaster.publishing_rule import weights
from forecaster.publishing_rule.blend import shipped
from forecaster.publishing_rule.combination import belief_of, combine
from forecaster.publishing_rule.weights import unlearnt
from forecaster.recipe import Recipe
from forecaster.registry import publishing_rules
from forecaster.store import publications
from tests.support import alert_world as world
from tests.support import toy_models, toy_rule
from tests.support.changed_recipes import changed_recipe
from tests.support.steps import machine, verify
from tests.support.toys import dump, table

FIRST = date(2023, 1, 1)
NOW = datetime(2024, 1, 10, 12, tzinfo=UTC)
WEEK = timedelta(days=7)
RATE = 0.1
COUNT = 300  # every tenth day with the target: 30 of them


@pytest.fixture(autouse=True)
def unlearnt_weights(monkeypatch):
    toy_models.keep_weights_unlearnt(monkeypatch)


@pytest.fixture
def athens() -> Recipe:
    return world.athens()


def record(store, recipe, *, status="final", count=COUNT, **said) -> None:
    """Official forecasts of `count` days, by kind (what is said where the target comes, and where not), and their outcomes."""
    more = {name: said.pop(name) for name in list(said) if name in ("official", "mode", "method")}
    for kind, (on, off) in said.items():
        line = [(on if number % 10 == 0 else off, number % 10 == 0) for number in range(count)]
        stamp = {"mode": "prospective", "official": True, "method": "daily", "model_kind": kind, "published": False} | more
        world.walked(store, recipe, FIRST, line, RATE, model_id=f"{recipe.id}-{kind}", **stamp)
    if status != "final":
        with store.transaction() as connection:
            connection.execute("UPDATE outcome SET status = $status", {"status": status})


def learn(store, *recipes, now=NOW, **more):
    with store.transaction() as connection:
        return weekly_weights.relearn(connection, list(recipes), now, **more)


def blend(store, recipe, now=NOW):
    with store.transaction() as connection:
        return blend_of(connection, recipe, now, date(2024, 2, 1))


RIGHT, FALSE, WRONG = (0.5, 0.06), (0.08, 0.1), (0.02, 0.25)


def test_a_record_moves_the_weights_that_are_published(store, athens):
    record(store, athens, etas=RIGHT, hybrid=FALSE)
    assert blend(store, athens).weights == {"etas": 0.5, "hybrid": 0.5}
    told = learn(store, athens)
    assert list(told) == ["world", "athens"]
    assert told["athens"] == "learnt from 300 verified days of its own (30 with such an earthquake), on top of mean"
    found = blend(store, athens)
    assert (found.how, found.source, found.reason) == ("combination", "athens 1", told["athens"])
    assert found.weights["etas"] > 0.5 > found.weights["hybrid"]
    assert blend(store, athens, NOW - timedelta(seconds=1)).source == "mean", "what was known before is published as it was"
    rows = table(store, "combination").set_index("scope")
    assert rows["number"].tolist() == [1, 1] and set(rows["base"]) == {"mean"} and not rows["rate_only"].any()
    with store.transaction() as connection:
        kept = publications.newest_weights(connection, "athens", athens.target_hash, "mean", NOW)
    assert belief_of(kept["belief"]).weights == kept["weights"] and kept["numbers"]["target_days"] == 30
    estimate, spread = kept["numbers"]["gain"]
    assert estimate > 0 and spread > 0


def test_without_a_record_nothing_is_learnt(store, athens):
    assert learn(store, athens) == {} and learn(store) == {} and table(store, "combination").empty


def test_twice_in_a_week_changes_nothing_and_then_it_is_learnt_from_the_package_on(store, athens):
    """The same days a week later: the same weights, for each learning starts from the package's."""
    record(store, athens, etas=RIGHT, hybrid=FALSE)
    learn(store, athens)
    before = dump(store)
    assert learn(store, athens) == {} == learn(store, athens, now=NOW + WEEK - timedelta(seconds=1)) and dump(store) == before
    assert list(learn(store, athens, now=NOW + WEEK)) == ["world", "athens"]
    rows = table(store, "combination").sort_values(["scope", "number"])
    assert rows["number"].tolist() == [1, 2, 1, 2] and rows.groupby("scope")["weights"].nunique().tolist() == [1, 1]
    assert list(learn(store, athens, now=NOW + WEEK, force=True)) == ["world", "athens"]


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "provisional"},
        {"status": "preliminary"},
        {"official": False},
        {"official": False, "mode": "late"},
        {"official": False, "mode": "hindcast", "method": "walk-forward"},
        {"official": False, "mode": "replay"},
    ],
    ids=lambda changes: " ".join(map(str, changes.values())),
)
def test_only_official_forecasts_with_final_outcomes_teach(store, athens, changes):
    record(store, athens, etas=RIGHT, hybrid=FALSE, **changes)
    assert learn(store, athens) == {} and table(store, "combination").empty


def test_an_outcome_that_was_settled_later_teaches_later(store, athens):
    """The last of ten days, 2023-01-10, is final 45 days after its end, at 22:00 UTC: 2023-02-24 22:00."""
    record(store, athens, count=10, etas=RIGHT)
    final = datetime(2023, 2, 24, 22, tzinfo=UTC)
    assert learn(store, athens, now=final - timedelta(seconds=1))["athens"].startswith("learnt from 9 verified days")
    assert learn(store, athens, now=final, force=True)["athens"].startswith("learnt from 10 verified days of its own (1 with")


def test_days_that_the_packages_weights_were_learnt_from_do_not_teach_twice(store, athens, monkeypatch):
    """Weights learnt on days to 2023-03-01 leave 300 - 60 of the days from 2023-01-01 on."""
    base = replace(unlearnt(), name="combination-2023-03-01", data_until=date(2023, 3, 1))
    monkeypatch.setattr(weekly_weights, "usable_weights", lambda day: (base, None))
    record(store, athens, etas=RIGHT, hybrid=FALSE)
    assert learn(store, athens)["athens"].startswith(
        "learnt from 240 verified days of its own (24 with such an earthquake), on top of comb"
    )
    assert blend(store, athens).source == "mean", "what was learnt on top of other weights is not used"


def test_a_recipe_kept_for_comparison_teaches_itself_only(store, athens):
    lima = changed_recipe(athens, id="lima", predict_center_lat=-12.0, alerts=())
    compared = changed_recipe(lima, comparison_only="kept for comparison")
    record(store, athens, etas=RIGHT, hybrid=FALSE)
    learn(store, athens)
    alone = table(store, "combination").set_index("scope").loc["world", "weights"]
    record(store, compared, etas=FALSE, hybrid=RIGHT)
    told = learn(store, athens, compared, force=True)
    assert "300 verified days of all recipes" in told["world"] and told["lima"].startswith("learnt from 300 verified days of its own")
    own = [blend(store, each).weights for each in (athens, compared)]
    assert own[0]["etas"] > own[1]["etas"] and own[0]["hybrid"] < own[1]["hybrid"]
    rows = table(store, "combination")
    assert rows.loc[rows["scope"] == "world", "weights"].tolist() == [alone, alone]
    assert "600 verified days of all recipes" in learn(store, athens, lima, force=True)["world"]
    assert table(store, "combination").query("scope == 'world' and number == 3")["weights"].tolist() != [alone]


@pytest.mark.parametrize(("count", "how"), [(290, "combination"), (300, "rate")])
def test_where_the_record_says_so_the_usual_rate_alone_is_published(store, athens, count, how):
    """All wrong on 29 target days, which are too few to tell, and on 30."""
    record(store, athens, count=count, etas=WRONG, hybrid=WRONG)
    told = learn(store, athens)["athens"]
    found = blend(store, athens)
    assert found.how == how and table(store, "combination")["rate_only"].sum() == (how == "rate")
    assert ("the usual rate alone is published, the combination is worse with a probability of " in told) == (how == "rate")


def test_a_person_comes_before_what_was_learnt(store, athens):
    record(store, athens, etas=RIGHT, hybrid=FALSE)
    row = {"recipe_id": athens.id, "target_hash": athens.target_hash, "how": "kind", "kind": "hybrid", "model_id": None, "since": NOW}
    with store.transaction() as connection:
        publications.add_decision(connection, row | {"reason": "a test", "code_version": "0"})
    learn(store, athens)
    assert blend(store, athens).weights == {"hybrid": 1.0}


def test_settling_learns_on_the_machines_clock_and_a_simulated_one_learns_nothing(store, athens):
    record(store, athens, etas=RIGHT, hybrid=FALSE)
    assert verify(store, [athens], Clock.standing_at(NOW)).learnt == {} and table(store, "combination").empty
    clock = machine(NOW)
    assert list(verify(store, [athens], clock).learnt) == ["world", "athens"]
    before = dump(store)
    assert verify(store, [athens], clock).learnt == {} and dump(store) == before


def test_weights_that_cannot_be_read_do_not_keep_outcomes_from_being_settled(store, athens, monkeypatch, caplog):
    record(store, athens, etas=RIGHT, hybrid=FALSE)
    monkeypatch.setattr(weights, "newest_before", broken)
    found = verify(store, [athens], machine(NOW))
    assert found.scored == 2 * COUNT and found.learnt == {} and table(store, "combination").empty
    assert "weights.json holds no weights" in caplog.text


def broken(*_):
    raise CorruptModel("weights.json holds no weights of this version; install quakecast again")


def test_what_is_learnt_says_more_than_the_rate_on_days_like_these(store, athens):
    """ETAS alone is right: the learnt combination lies nearer to the truth than the unlearnt mean, on both kinds of days."""
    record(store, athens, etas=RIGHT, hybrid=FALSE)
    learn(store, athens)
    said = {"etas": np.array(RIGHT), "hybrid": np.array(FALSE)}
    reference = np.full(2, RATE)
    before, after = (combine(said, each.weights, reference) for each in (shipped(unlearnt()), blend(store, athens)))
    assert after[0] > before[0] and after[1] < before[1]


def test_weights_of_one_rule_are_never_those_of_another(store, athens, monkeypatch):
    """Athens goes over to the rule `loudest`, learns by it at once, and comes back a day later to what it had learnt before."""
    monkeypatch.setitem(publishing_rules.PUBLISHING_RULES, toy_rule.NAME, toy_rule.__name__)
    loud = athens.model_copy(update={"publishing_rule": toy_rule.NAME})
    record(store, athens, etas=FALSE, hybrid=RIGHT)
    learn(store, athens)
    kept = blend(store, athens)
    assert loud.recipe_hash == athens.recipe_hash, "fits stay valid"
    assert blend(store, loud).weights == {"etas": 1.0}, "the start of the rule"
    told = learn(store, loud)
    assert list(told) == ["world, loudest", "athens"] and told["athens"].endswith("on top of mean, by the rule loudest")
    assert (blend(store, loud).weights, blend(store, loud).rule) == ({"hybrid": 1.0}, "loudest")
    assert blend(store, athens) == kept and learn(store, loud) == {} == learn(store, athens)
