"""Scores against scikit-learn and against toys worked by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from forecaster.verification.scores import (
    SMALLEST_PROBABILITY,
    brier,
    brier_skill,
    calibration_ratio,
    information_gain,
    log_likelihood,
    log_score,
    pr_auc,
    roc_auc,
    threshold_scores,
)

HAPPENED = np.array([True, False, False, True, False])
SAID = np.array([0.8, 0.3, 0.5, 0.2, 0.0])


def random_days(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    probability = np.round(rng.beta(1, 3, 200), 2)  # rounded, so that there are ties and zeros
    observed = rng.random(200) < probability
    observed[:2] = True, False
    return observed, probability


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_as_scikit_learn(seed: int) -> None:
    observed, probability = random_days(seed)
    kept = np.clip(probability, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    assert log_score(observed, probability) == pytest.approx(metrics.log_loss(observed, kept))
    assert brier(observed, probability) == pytest.approx(metrics.brier_score_loss(observed, probability))
    assert roc_auc(observed, probability) == pytest.approx(metrics.roc_auc_score(observed, probability))
    assert pr_auc(observed, probability) == pytest.approx(metrics.average_precision_score(observed, probability))
    scores, said = threshold_scores(observed, probability), probability >= 0.5
    assert scores.acc == pytest.approx(metrics.accuracy_score(observed, said))
    assert scores.precision == pytest.approx(metrics.precision_score(observed, said, zero_division=0))
    assert scores.recall == pytest.approx(metrics.recall_score(observed, said))
    assert scores.f1 == pytest.approx(metrics.f1_score(observed, said))
    assert [[scores.tn, scores.fp], [scores.fn, scores.tp]] == metrics.confusion_matrix(observed, said).tolist()


def test_roc_auc_by_hand() -> None:
    """Six pairs of a target day (.8, .2) with another (.3, .5, 0): .8 beats three, .2 beats one: 4 / 6."""
    assert roc_auc(HAPPENED, SAID) == pytest.approx(4 / 6)


def test_information_gain_by_hand() -> None:
    """Two days at .5 and .25 where the reference says .25: ln(.5 / .25) on the target day, ln(.75 / .75) = 0 on the other; one target day.
    Per day instead of per target day would be half of ln 2."""
    observed = np.array([True, False])
    assert information_gain(observed, np.array([0.5, 0.25]), np.array([0.25, 0.25])) == pytest.approx(math.log(2))
    assert information_gain(observed, np.array([0.25, 0.25]), np.array([0.5, 0.25])) == pytest.approx(-math.log(2))
    assert math.isnan(information_gain(~observed & False, np.array([0.5, 0.5]), np.array([0.1, 0.1])))


def test_brier_skill_by_hand() -> None:
    """p: .2^2 and .2^2, mean .04; reference: .5^2, .5^2, mean .25; skill 1 - .16 = .84."""
    observed = np.array([True, False])
    assert brier_skill(observed, np.array([0.8, 0.2]), np.array([0.5, 0.5])) == pytest.approx(0.84)
    assert math.isnan(brier_skill(observed, np.array([0.8, 0.2]), np.array([1.0, 0.0])))


def test_calibration_ratio_by_hand() -> None:
    assert calibration_ratio(HAPPENED, SAID) == pytest.approx(1.8 / 2)
    assert math.isnan(calibration_ratio(np.zeros(5, dtype=bool), SAID))


def test_certainty_costs_much_but_not_everything() -> None:
    """ln 1e-6 = -13.8155, on both sides."""
    assert log_likelihood(np.array([True, False]), np.array([0.0, 1.0])) == pytest.approx([-13.8155, -13.8155], abs=1e-4)


def test_one_class_has_no_auc_and_silence_no_precision() -> None:
    for value in (True, False):
        assert math.isnan(roc_auc(np.full(5, value), SAID)) and math.isnan(pr_auc(np.full(5, value), SAID))
    silent = threshold_scores(HAPPENED, np.full(5, 0.1))
    assert (silent.precision, silent.recall, silent.f1, silent.acc) == (0.0, 0.0, 0.0, 0.6)


@pytest.mark.parametrize(
    ("observed", "probability"),
    [
        (HAPPENED, SAID[:4]),
        (HAPPENED, np.array([0.8, 0.3, np.nan, 0.2, 0.0])),
        (HAPPENED, SAID + 0.5),
        (HAPPENED.astype(float), SAID),
        (HAPPENED[:0], SAID[:0]),
    ],
)
def test_what_is_no_forecast_is_refused(observed: np.ndarray, probability: np.ndarray) -> None:
    """A NaN scored as a number, or an array broadcast to another's shape, would be a silent wrong score."""
    with pytest.raises(ValueError, match=r"need bool|must lie in"):
        brier(observed, probability)
