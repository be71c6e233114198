"""The combination of members: hand-worked toys, what is missing, bounds, and weights learnt from simulated days."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pytest

from forecaster.models.interface import TINY, logit, sigmoid
from forecaster.publishing_rule.combination import (
    MEMBERS,
    Belief,
    Days,
    belief_of,
    combine,
    departures,
    learn,
    shared_out,
    stack,
)
from forecaster.publishing_rule.combined_model import CombinedModel

HALF = np.array([0.5])


def one(**said: float) -> dict[str, np.ndarray]:
    return {kind: np.array([value]) for kind, value in said.items()}


def test_two_members_worked_by_hand():
    """The usual odds are 1. ETAS says 4 : 1, the hybrid 1 : 4. With 0.5 and 0.25 the odds are 4^0.5 x 4^-0.25 = 4^0.25 = sqrt 2."""
    (said,) = combine(one(etas=0.8, hybrid=0.2), {"etas": 0.5, "hybrid": 0.25}, HALF)
    assert said == pytest.approx(np.sqrt(2) / (1 + np.sqrt(2)), rel=1e-12)


def test_departures_count_from_the_usual_rate():
    """Usual odds 1 : 9, ETAS 1 : 3, three times them: with half a weight 1 : 9 times sqrt 3. A weight of 1 alone is ETAS itself."""
    odds = np.sqrt(3) / 9
    assert combine(one(etas=0.25), {"etas": 0.5}, np.array([0.1]))[0] == pytest.approx(odds / (1 + odds), rel=1e-12)
    assert combine(one(etas=0.25), {"etas": 1.0}, np.array([0.1]))[0] == pytest.approx(0.25, rel=1e-12)
    assert combine(one(etas=0.1, hybrid=0.1), {"etas": 3.0, "hybrid": 2.0}, np.array([0.1]))[0] == pytest.approx(0.1, rel=1e-12)


def test_the_weight_of_a_missing_member_goes_to_the_others():
    """0.3 and 0.6 for ETAS (not a number on day 2, absent on day 3 with the hybrid) and the hybrid: alone, one counts 0.9.

    Day 1: 4^0.3 x 2^0.6 = 2^1.2. Day 2: 2^0.9.
    """
    said = {"etas": np.array([0.8, np.nan, np.nan]), "hybrid": np.array([2 / 3, 2 / 3, np.nan])}
    found = combine(said, {"etas": 0.3, "hybrid": 0.6}, np.array([0.5, 0.5, 0.2]))
    np.testing.assert_allclose(found, [2**1.2 / (1 + 2**1.2), 2**0.9 / (1 + 2**0.9), 0.2], rtol=1e-12)
    alone = combine({"hybrid": said["hybrid"][:1]}, {"etas": 0.3, "hybrid": 0.6}, HALF)
    assert alone[0] == pytest.approx(found[1], rel=1e-12)


def test_weights_shared_out_among_those_who_speak_give_the_same():
    weights = {"etas": 0.3, "hybrid": 0.6, "pooled": 0.1}
    found = shared_out(weights, {"etas", "pooled"})
    assert found == {"etas": pytest.approx(0.75), "pooled": pytest.approx(0.25)} and shared_out(weights, weights) == weights
    said = one(etas=0.4, pooled=0.05)
    assert combine(said, found, HALF)[0] == pytest.approx(combine(said, weights, HALF)[0], rel=1e-12)
    assert shared_out(weights, ()) == {} and shared_out({"etas": 0.0}, {"etas"}) == {"etas": 0.0}


@pytest.mark.parametrize(
    ("said", "weights"),
    [({}, {"etas": 0.5}), (one(etas=0.9), {}), (one(etas=0.9), {"hybrid": 1.0}), (one(etas=0.9), {"etas": 0.0})],
    ids=["nobody spoke", "no weights", "another spoke", "weight 0"],
)
def test_without_a_member_it_is_the_usual_rate(said, weights):
    assert combine(said, weights, np.array([0.137]))[0] == pytest.approx(0.137, rel=1e-12)


def test_more_of_a_member_is_never_less_of_the_combination():
    grid = np.linspace(0.001, 0.999, 500)
    said = combine({"etas": grid, "hybrid": np.full(500, 0.3)}, {"etas": 0.4, "hybrid": 0.7}, np.full(500, 0.2))
    assert (np.diff(said) > 0).all()


def test_it_is_never_0_or_1_and_not_a_number_only_where_the_usual_rate_is_none():
    said = combine(one(etas=1.0, hybrid=1.0), {"etas": 3.0, "hybrid": 3.0}, HALF)
    assert 0.99 < said[0] <= 1 - TINY and TINY <= combine(one(etas=0.0), {"etas": 5.0}, HALF)[0] < 0.01
    assert np.isnan(combine(one(etas=0.4), {"etas": 1.0}, np.array([np.nan]))[0])


def test_departures_of_all_members_in_their_order():
    found = departures({"etas": np.array([0.25, np.nan])}, np.array([0.1, 0.1]))
    assert found.shape == (2, len(MEMBERS)) and MEMBERS[1] == "etas"
    np.testing.assert_allclose(found, [[0, np.log(3), 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0]], atol=1e-12)


def belief(mean: float = 0.3, sd: float = 0.5) -> Belief:
    return Belief(np.full(len(MEMBERS), mean), np.eye(len(MEMBERS)) / sd**2)


def days_of(weights: np.ndarray, count: int, seed: int = 3) -> Days:
    """Simulated days whose odds are the usual ones times what these weights make of drawn departures."""
    rng = np.random.default_rng(seed)
    away, reference = rng.normal(0, 1.2, (count, len(MEMBERS))), rng.uniform(0.02, 0.3, count)
    return Days(away, reference, rng.random(count) < sigmoid(logit(reference) + away @ weights))


def test_known_weights_are_found_again_on_simulated_days():
    """30 000 days; each weight lies within four of its own posterior standard deviations, which are below 0.03."""
    true = np.array([0.2, 0.6, 0.0, 0.35, 0.1, 0.2, 0.15])
    found = learn(belief(), days_of(true, 30_000), 1.0)
    sd = np.sqrt(np.diag(np.linalg.inv(found.precision)))
    assert (sd < 0.03).all() and (np.abs(found.mean - true) < 4 * sd).all()


def test_what_is_learnt_is_the_maximum():
    """Of log belief + share x log likelihood, written anew here: no step of 0.01 within the bounds is better."""
    start, days, share = belief(), days_of(np.array([0.5, 0.1, 0.0, 0.0, 0.2, 0.1, 0.2]), 400), 0.3

    def height(weights: np.ndarray) -> float:
        p = sigmoid(logit(days.reference) + days.departures @ weights)
        fit = np.where(days.happened, np.log(p), np.log(1 - p)).sum()
        away = weights - start.mean
        return share * fit - 0.5 * away @ start.precision @ away

    best = learn(start, days, share).mean
    for number in range(len(MEMBERS)):
        for step in (-0.01, 0.01):
            moved = best.copy()
            moved[number] = max(0.0, moved[number] + step)
            assert height(moved) <= height(best) + 1e-6


def test_no_weight_is_negative_whatever_the_days_say():
    """The third member is wrong on purpose."""
    found = learn(belief(), days_of(np.array([0.3, 0.3, -0.8, 0.0, 0.0, 0.0, 0.0]), 5_000), 1.0)
    assert found.mean[2] == 0 and (found.mean >= 0).all() and "pooled" not in found.weights


def test_a_share_of_0_and_no_days_change_nothing():
    start, days = belief(), days_of(np.full(7, 0.9), 200)
    unmoved = learn(start, days, 0.0)
    np.testing.assert_allclose(unmoved.mean, start.mean, atol=1e-12)
    np.testing.assert_array_equal(unmoved.precision, start.precision)
    assert learn(start, stack([]), 1.0) is start


def test_a_smaller_share_moves_less():
    start, days = belief(), days_of(np.full(7, 0.9), 200)
    moved = [np.abs(learn(start, days, share).mean - start.mean).sum() for share in (0.1, 0.3, 1.0)]
    assert 0 < moved[0] < moved[1] < moved[2]


def test_stacked_days_are_all_of_them():
    first, second = days_of(np.zeros(7), 3), days_of(np.zeros(7), 4, seed=5)
    both = stack([first, second])
    assert len(both) == 7 and both.reference.tolist() == [*first.reference, *second.reference]
    np.testing.assert_array_equal(both.departures[3:], second.departures)


def test_negligible_weights_are_left_out_and_a_record_is_read_back():
    start = Belief(np.array([0.0, 0.5, 0.0009, 0.25, 0.001, 0.0, 0.0]), np.eye(7))
    assert start.weights == {"etas": 0.5, "hybrid": 0.25, "convlstm": 0.001}
    again = belief_of(start.record())
    np.testing.assert_array_equal(again.mean, start.mean)
    np.testing.assert_array_equal(again.precision, start.precision)


def test_a_belief_of_an_earlier_version_holds_new_members_near_nothing():
    """Stored before there was a hybrid of the region or a network of cells, in another order: what it said is kept. The new weights are 0
    with a spread of 0.05: of a member that is always right it is above 0.01 after 50 days."""
    old = {"members": ["etas", "recent_rate", "pooled", "hybrid", "convlstm"], "mean": [0.4, 0.1, 0.0, 0.3, 0.0]}
    precision = np.diag([4.0, 9.0, 16.0, 25.0, 36.0]) + 0.5
    found = belief_of(old | {"precision": precision.tolist()})
    assert found.weights == {"recent_rate": 0.1, "etas": 0.4, "hybrid": 0.3}
    assert found.precision[0, 1] == 0.5 and np.diag(found.precision).tolist() == pytest.approx([9.5, 4.5, 16.5, 25.5, 36.5, 400.0, 400.0])
    assert (found.precision[5:, :5] == 0).all() and belief_of(found.record()).precision.tolist() == found.precision.tolist()
    happened = np.arange(50) % 2 == 0
    for new in (5, 6):
        away = np.zeros((50, 7))
        away[:, new] = np.where(happened, 1.0, -1.0)
        assert learn(found, Days(away, np.full(50, 0.5), happened), 1.0).mean[new] > 0.01


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"members": ["etas", "hybrid"]}, "weights of etas, hybrid, this version combines recent_rate, etas"),
        ({"members": ["etas"] * 7}, "weights of etas, etas"),
        ({"members": [*MEMBERS[:6], "oracle"]}, "oracle, this version combines"),
        ({"mean": [0.1, 0.2, 0.3, 0.4, 0.0, 0.0, -0.01]}, "not negative"),
        ({"mean": [0.1, 0.2, 0.3, 0.4, 0.0, 0.0, float("nan")]}, "finite"),
        ({"precision": (-np.eye(7)).tolist()}, "precision positive"),
    ],
)
def test_a_record_that_is_no_belief_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        belief_of(belief().record() | changes)


def test_a_belief_about_one_recipe_is_around_the_worlds_and_as_wide_as_told():
    world = belief(0.4, 0.01)
    own = world.about(0.1)
    np.testing.assert_array_equal(own.mean, world.mean)
    np.testing.assert_allclose(own.precision, np.eye(7) * 100)


@dataclass
class Says:
    """A member that says one figure."""

    said: float
    last_data_day: date
    kind: str = "etas"

    def probability(self, inputs, days, reference):
        return np.full(len(reference), self.said)


def test_the_model_of_a_combination_is_of_the_members_that_count():
    members = {"etas": Says(0.8, date(2020, 1, 1)), "hybrid": Says(1.0, date(2019, 1, 1)), "pooled": Says(0.1, date(2021, 1, 1))}
    model = CombinedModel(members, {"etas": 0.5, "hybrid": 0.25, "convlstm": 0.25})
    assert sorted(model.used) == ["etas", "hybrid"] and model.last_data_day == date(2020, 1, 1)
    said = model.probability(None, None, HALF)
    assert said[0] == combine(one(etas=0.8, hybrid=1 - TINY), model.weights, HALF)[0] and 0 < said[0] < 1
    bare = CombinedModel(members, {})
    assert bare.probability(None, None, np.array([0.3]))[0] == pytest.approx(0.3, rel=1e-12) and bare.last_data_day == date.min


@pytest.mark.parametrize(
    ("there", "expected"),
    [  # by hand: of etas 0.2, pooled 0.4, hybrid 0.5 together 1.1; recent_rate keeps its 0.25
        (("recent_rate", "etas", "pooled", "hybrid"), {"recent_rate": 0.25, "etas": 0.2, "pooled": 0.4, "hybrid": 0.5}),
        (("recent_rate", "etas", "pooled"), {"recent_rate": 0.25, "etas": 1.1 / 3, "pooled": 2.2 / 3}),
        (("recent_rate", "etas"), {"recent_rate": 0.25, "etas": 1.0}),  # one alone: 1 at most, not 1.1
        (("recent_rate",), {"recent_rate": 0.25}),
        ((), {}),
    ],
)
def test_what_is_missing_goes_to_its_like_and_one_alone_counts_for_one_at_most(there, expected):
    weights = {"recent_rate": 0.25, "etas": 0.2, "pooled": 0.4, "hybrid": 0.5}
    assert shared_out(weights, there) == pytest.approx(expected)
    said = {kind: np.array([0.3]) for kind in there}
    score = sum(expected.values()) * float(logit(np.array([0.3]))[0] - logit(np.array([0.1]))[0])
    assert combine(said, weights, np.array([0.1]))[0] == pytest.approx(sigmoid(logit(np.array([0.1])) + score)[0])


def test_days_on_which_different_members_speak_are_combined_apart():
    weights = {"etas": 0.4, "hybrid": 0.6}
    said = {"etas": np.array([0.2, 0.2, np.nan]), "hybrid": np.array([0.3, np.nan, np.nan])}
    found = combine(said, weights, np.array([0.1, 0.1, 0.1]))
    both = sigmoid(0.4 * logit(np.array([0.2])) + 0.6 * logit(np.array([0.3])))[0]
    assert found == pytest.approx([both, 0.2, 0.1])
