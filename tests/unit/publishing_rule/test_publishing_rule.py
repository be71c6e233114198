"""A rule other than the default one: everything that publishes asks it, and nothing that was stored for another rule is taken for its."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pytest

from forecaster.pipeline.evaluation.evaluate_published import walk_forward
from forecaster.pipeline.issuing.published_rows import details_of
from forecaster.publishing_rule.blend import Decision, StoredWeights, choose
from forecaster.publishing_rule.combined_model import CombinedModel
from forecaster.publishing_rule.publishing_rule import VerifiedDays, rule_named
from forecaster.publishing_rule.weights import unlearnt
from forecaster.registry import publishing_rules
from forecaster.registry.publishing_rules import DEFAULT_RULE, PUBLISHING_RULES
from tests.support import toy_rule

BASE = unlearnt()
FIRST = np.datetime64("2020-01-01")
OWN = StoredWeights({"hybrid": 1.0}, False, "learnt", "athens 1")


@pytest.fixture(autouse=True)
def loudest(monkeypatch) -> None:
    monkeypatch.setitem(publishing_rules.PUBLISHING_RULES, toy_rule.NAME, toy_rule.__name__)


@pytest.mark.parametrize("name", PUBLISHING_RULES)
def test_each_rule_of_the_registry_has_its_name(name):
    assert rule_named(name).name == name


def test_the_default_rule_keeps_the_name_of_the_packages_weights_and_others_do_not():
    assert rule_named(DEFAULT_RULE).based_on(BASE) == "mean" and rule_named(toy_rule.NAME).based_on(BASE) == "mean by loudest"


def test_a_person_comes_before_a_rule_then_what_it_learnt_then_its_start():
    def of(decision=None, own=None, world=None):
        return choose(toy_rule.NAME, decision, own, world, BASE, None)

    assert (of().weights, of().rule) == ({"etas": 1.0}, toy_rule.NAME)
    assert (of(own=OWN, world=OWN).source, of(own=OWN).rule, of(world=OWN).origin.kind) == ("athens 1", toy_rule.NAME, "world")
    alone = of(Decision("kind", "pooled", None, "because"), OWN)
    assert (alone.how, alone.weights, alone.rule) == ("kind", {"pooled": 1.0}, DEFAULT_RULE)
    assert of(Decision("rate", None, None, "because"), OWN).how == "rate"
    assert of(Decision("combination", None, None, "again"), OWN).weights == {"hybrid": 1.0}


@dataclass(frozen=True)
class Fixed:
    value: float
    kind: str = "toy"
    last_data_day: date = date(2019, 1, 1)

    def probability(self, inputs, days, reference):
        return np.full(len(reference), self.value)


def test_the_combination_as_a_model_and_its_details_are_those_of_the_rule():
    """The larger one of 0.2 and 0.3, where the default rule says (logit 0.2 + logit 0.3) / 2."""
    members = {"etas": Fixed(0.2), "hybrid": Fixed(0.3)}
    model = CombinedModel(members, {"etas": 0.5, "hybrid": 0.5}, toy_rule.NAME)  # type: ignore[arg-type]
    assert model.probability(None, None, np.array([0.1])) == pytest.approx([0.3])  # type: ignore[arg-type]
    default = CombinedModel(members, {"etas": 0.5, "hybrid": 0.5})  # type: ignore[arg-type]
    odds = (0.25 * 3 / 7) ** 0.5
    assert default.probability(None, None, np.array([0.1])) == pytest.approx([odds / (1 + odds)])  # type: ignore[arg-type]
    blend = choose(toy_rule.NAME, None, OWN, None, BASE, None)
    assert details_of([], blend, {"hybrid"}, date(2020, 1, 1))["rule"] == toy_rule.NAME
    assert "rule" not in details_of([], choose(DEFAULT_RULE, None, OWN, None, BASE, None), {"hybrid"}, date(2020, 1, 1))


def test_an_evaluation_walks_forward_by_the_rule_of_each_recipe():
    """Final from the third month on: until then it starts with ETAS, and then the hybrid, which says more on target days, is alone."""
    happened = np.arange(150) % 10 == 0
    said = {"etas": np.full(150, 0.2), "hybrid": np.where(happened, 0.6, 0.1)}
    one = VerifiedDays(FIRST + np.arange(150), said, np.full(150, 0.1), happened)
    found = walk_forward({"athens": one, "lima": one}, {"athens": "pool", "lima": "pool"}, {"athens": toy_rule.NAME})
    early, late = one.local_days < np.datetime64("2020-02-01"), one.local_days >= np.datetime64("2020-03-01")
    np.testing.assert_array_equal(found["athens"][early], said["etas"][early])
    np.testing.assert_array_equal(found["athens"][late], said["hybrid"][late])
    assert not np.isin(found["lima"], [0.2, 0.6]).any()
