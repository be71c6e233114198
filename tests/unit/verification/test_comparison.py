"""T and W tests against pycsep's numbers, toys worked by hand, and coverage on a known truth."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from forecaster.verification.comparison import paired_t_test, signed_rank_test
from forecaster.verification.scores import brier, information_gain, log_likelihood

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "pycsep.json").read_text(encoding="utf-8"))


def golden(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, float]]:
    days = GOLDEN[name]
    observed = np.zeros(len(days["probability"]), dtype=bool)
    observed[days["target_days"]] = True
    return observed, np.array(days["probability"]), np.array(days["reference"]), days["scores"]


@pytest.mark.parametrize("name", ["usual", "rare"])
def test_t_test_as_pycsep(name: str) -> None:
    """Source: tests/golden/make_pycsep.py. Leaving the rate correction out moves the gain by .25 and .11 nats."""
    observed, said, reference, scores = golden(name)
    test = paired_t_test(observed, said, reference)
    expected = [scores[key] for key in ("information_gain", "low", "high", "t_statistic")]
    assert [test.information_gain, test.low, test.high, test.t_statistic] == pytest.approx(expected, rel=1e-9)
    assert test.information_gain == pytest.approx(information_gain(observed, said, reference))


def test_w_test_and_scores_as_pycsep() -> None:
    """Source as above; 109 target days without ties, so that both use the normal approximation."""
    observed, said, reference, scores = golden("usual")
    assert signed_rank_test(observed, said, reference).p_value == pytest.approx(scores["w_probability"], rel=1e-9)
    assert log_likelihood(observed, said).sum() == pytest.approx(scores["joint_log_likelihood"])
    assert brier(observed, said) == pytest.approx(scores["brier_times_minus_2"] / -2)


def test_by_hand() -> None:
    """Odds 1 and 3 against 1/3 and 1/3 on the target days: ln 3 and ln 9, mean 1.5 ln 3. Expected counts: ln 2 + ln 4 + ln 2 against
    3 ln(4/3), difference 4 ln 2 - 3 ln 4 + 3 ln 3 = 3 ln 3 - 2 ln 2, half of it for each of two target days: ln 2 is left.
    Deviation of two values: ln 3 / sqrt 2, error ln 3 / 2, t = 2 ln 2 / ln 3 = 1.262 with one degree: p = 1 - 2 atan(t) / pi."""
    observed, said = np.array([True, True, False]), np.array([0.5, 0.75, 0.5])
    test = paired_t_test(observed, said, np.full(3, 0.25))
    assert test.information_gain == pytest.approx(math.log(2))
    assert test.t_statistic == pytest.approx(2 * math.log(2) / math.log(3))
    assert test.p_value == pytest.approx(1 - 2 * math.atan(test.t_statistic) / math.pi)
    assert test.target_days == 2


def test_w_test_by_hand() -> None:
    """Five target days, all ahead of the reference by more than the correction: smaller rank sum 0, p = 2 / 2^5."""
    observed = np.array([True] * 5 + [False])
    test = signed_rank_test(observed, np.array([0.5, 0.6, 0.7, 0.8, 0.9, 0.001]), np.array([0.1, 0.1, 0.1, 0.1, 0.1, 0.99]))
    assert (test.statistic, test.p_value, test.target_days) == (0.0, pytest.approx(2 / 32), 5)
    assert test.median_gain > 0


def test_interval_covers_the_truth_19_times_in_20() -> None:
    """The truth against itself on shuffled days: both expect the same number, and the gain is sum of t (logit t - logit s) / sum of t.
    400 records: 95 % within 4 standard errors of a percentage (1.1)."""
    rng = np.random.default_rng(4)
    truth = rng.beta(1, 6, 800)
    shuffled = rng.permutation(truth)
    gain = np.sum(truth * (np.log(truth / (1 - truth)) - np.log(shuffled / (1 - shuffled)))) / truth.sum()
    tests = [paired_t_test(rng.random(800) < truth, truth, shuffled) for _ in range(400)]
    assert 0.905 <= np.mean([test.low <= gain <= test.high for test in tests]) <= 0.995


@pytest.mark.parametrize("test", [paired_t_test, signed_rank_test])
def test_changing_sides_changes_the_sign_only(test) -> None:
    observed, said, reference, _ = golden("rare")
    ahead, behind = test(observed, said, reference), test(observed, reference, said)
    assert ahead.p_value == pytest.approx(behind.p_value)
    if test is paired_t_test:
        assert (ahead.low, ahead.high) == pytest.approx((-behind.high, -behind.low))
    else:
        assert ahead.median_gain == pytest.approx(-behind.median_gain)


def test_too_few_target_days_and_equal_models() -> None:
    observed = np.array([True, False, False])
    assert math.isnan(paired_t_test(observed, np.full(3, 0.2), np.full(3, 0.1)).p_value)
    assert math.isnan(signed_rank_test(~observed & observed, np.full(3, 0.2), np.full(3, 0.1)).p_value)
    same = np.array([True, True, False])
    equal = paired_t_test(same, np.full(3, 0.2), np.full(3, 0.2))
    assert (equal.information_gain, equal.low, equal.high, equal.p_value) == (0, 0, 0, 1)
    assert signed_rank_test(same, np.full(3, 0.2), np.full(3, 0.2)).target_days == 0
    with pytest.raises(ValueError, match="need bool"):
        paired_t_test(same.astype(float), np.full(3, 0.2), np.full(3, 0.2))
