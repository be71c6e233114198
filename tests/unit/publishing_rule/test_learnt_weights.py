"""What settled days teach: which of them count, a recipe's own weights, and when the usual rate alone is published."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest

from forecaster.models.interface import logit, sigmoid
from forecaster.publishing_rule.combination import MEMBERS
from forecaster.publishing_rule.learnt_weights import RULE, posterior
from forecaster.publishing_rule.publishing_rule import VerifiedDays, verified_days_of
from forecaster.publishing_rule.weights import unlearnt

FIRST = np.datetime64("2020-01-01")
RATE = 0.1


def days(count: int, *, every: int = 10, **said: tuple[float, float]) -> VerifiedDays:
    """`count` days, the target on every `every`-th; said: by kind, what it says (where the target comes, where not)."""
    happened = np.arange(count) % every == 0
    values = {kind: np.where(happened, on, off) for kind, (on, off) in said.items()}
    return VerifiedDays(FIRST + np.arange(count), values, np.full(count, RATE), happened)


def test_rows_of_one_target_become_days():
    """A day without a row of a kind is not a number there; the combination, the usual rate and unknown kinds are no members."""
    start = datetime(2024, 1, 1, tzinfo=UTC)
    rows = [
        (0, "etas", 0.3, True),
        (0, "published", 0.9, True),
        (0, "climatology", 0.1, True),
        (1, "hybrid", 0.2, False),
        (1, "best_rate", 0.5, False),
        (2, "etas", 0.05, False),
        (2, "hybrid", 0.04, False),
    ]
    names = ("number", "model_kind", "probability", "happened")
    frame = pd.DataFrame(rows, columns=names).assign(reference_probability=0.1)
    frame["target_start"] = [start + timedelta(days=number) for number in frame.pop("number")]
    local = np.array([time.date() for time in frame["target_start"]], dtype="datetime64[D]")
    found = verified_days_of(frame, local)
    assert found.local_days.tolist() == sorted(set(local.tolist())) and found.happened.tolist() == [True, False, False]
    assert sorted(found.probabilities) == ["etas", "hybrid"] and found.reference.tolist() == [0.1] * 3
    np.testing.assert_array_equal(found.probabilities["etas"], [0.3, np.nan, 0.05])
    np.testing.assert_array_equal(found.probabilities["hybrid"], [np.nan, 0.2, 0.04])
    assert len(found.take(found.happened)) == 1 and found.days.departures.shape == (3, len(MEMBERS))


def test_no_rows_are_no_days():
    frame = pd.DataFrame({name: [] for name in ("target_start", "model_kind", "probability", "reference_probability", "happened")})
    found = verified_days_of(frame, np.array([], dtype="datetime64[D]"))
    assert len(found) == 0 and RULE.learn_own(unlearnt(), unlearnt().belief, found).weights == {"etas": 0.5, "hybrid": 0.5}


def test_the_record_moves_the_weights_towards_who_was_right():
    base = unlearnt()
    settled = days(300, etas=(0.5, 0.06), hybrid=(0.02, 0.2))
    world = RULE.learn_world(base, {"athens": settled})
    assert world.weights["etas"] > 0.6 and world.weights["hybrid"] < 0.2
    assert (world.days, world.target_days, world.gain, world.worse) == (300, 30, None, 0.0)
    own = RULE.learn_own(base, base.belief, settled)
    assert own.weights["etas"] > 0.5 > own.weights["hybrid"] and not own.rate_only
    assert abs(own.belief.mean[1] - 0.5) < abs(world.belief.mean[1] - 0.5), "0.1 wide around the world's, which is 0.2 wide"


def test_all_recipes_teach_the_world():
    base = unlearnt()
    one, two = days(100, etas=(0.5, 0.06)), days(70, etas=(0.4, 0.06))
    both = RULE.learn_world(base, {"athens": one, "lima": two})
    assert (both.days, both.target_days) == (170, 17)
    assert both.weights["etas"] > RULE.learn_world(base, {"athens": one}).weights["etas"]


def high(learnt) -> float:
    """The high end of the record's own 95 % interval."""
    assert learnt.gain is not None
    estimate, spread = learnt.gain
    return estimate + 1.96 * spread


WRONG = {"etas": (0.02, 0.3), "hybrid": (0.02, 0.3)}


@pytest.mark.parametrize(("count", "rate_only"), [(290, False), (300, True)])
def test_the_usual_rate_alone_needs_30_target_days_that_show_the_combination_to_be_worse(count, rate_only):
    """Ten times too low on each target day, and the intervals are narrow: 29 target days are too few, 30 are enough."""
    base = unlearnt()
    own = RULE.learn_own(base, base.belief, days(count, **WRONG))
    assert own.target_days == count // 10 and own.rate_only is rate_only
    assert own.weights == {} if rate_only else own.weights
    if rate_only:
        assert own.worse > 0.95 and high(own) < 0
    else:
        assert own.gain is None and own.worse == pytest.approx(NormalDist(0.1, 0.1).cdf(0.0))


def test_what_all_circles_say_alone_does_not_stop_the_combination():
    """A prior of -1 with 0.1 says that it is worse; with 29 target days of its own that is not enough."""
    base = replace(unlearnt(), gain_mean=-1.0)
    own = RULE.learn_own(base, base.belief, days(290, **WRONG))
    assert own.worse > 0.95 and not own.rate_only
    assert RULE.learn_own(base, base.belief, days(300, **WRONG)).rate_only


def test_a_record_that_is_only_a_little_worse_is_outweighed_by_what_all_circles_say():
    """Times e^-0.2 of the usual rate where the target came, with a spread of e^0.25: below it for sure by itself, but not with what all
    circles say, unless that is loose."""
    base = unlearnt()
    flat = days(300, etas=(RATE, RATE))
    drawn = RATE * np.exp(np.random.default_rng(2).normal(-0.2, 0.25, 300))
    settled = replace(flat, probabilities={"etas": np.where(flat.happened, drawn, RATE)})
    own = RULE.learn_own(base, base.belief, settled)
    assert high(own) < 0 and not own.rate_only
    loose = RULE.learn_own(replace(base, gain_sd=10.0), base.belief, settled)
    assert loose.gain == own.gain and own.worse < 0.95 < loose.worse and loose.rate_only


def test_a_good_record_is_no_reason():
    base = unlearnt()
    own = RULE.learn_own(base, base.belief, days(300, etas=(0.5, 0.06), hybrid=(0.5, 0.06)))
    assert own.worse < 0.01 and not own.rate_only and own.numbers()["gain"][0] > 0


def test_the_posterior_of_a_gain_worked_by_hand():
    """Prior 0.1 with 0.1, record -0.1 with the same spread: half way, 0.1 / sqrt 2."""
    mean, sd = posterior(unlearnt(), -0.1, 0.1)
    assert (mean, sd) == (pytest.approx(0.0, abs=1e-9), pytest.approx(0.1 / np.sqrt(2), rel=1e-6))


def test_the_reference_is_not_learnt():
    """A member that says the usual rate moves nothing: its departures are 0."""
    base = unlearnt()
    world = RULE.learn_world(base, {"athens": days(300, etas=(RATE, RATE), hybrid=(RATE, RATE))})
    np.testing.assert_allclose(world.belief.mean, base.belief.mean, atol=1e-6)
    assert sigmoid(logit(np.array([RATE])))[0] == pytest.approx(RATE)
