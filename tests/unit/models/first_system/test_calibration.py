"""Prior correction and calibration against a known truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from forecaster.models.first_system.calibration import fit_calibration
from forecaster.models.first_system.prior_correction import balanced_weights, count_classes, prior_correction
from forecaster.models.interface import log_loss, logit, sigmoid

INTERCEPT, SLOPE = -3.0, 1.2
DAYS = 200_000


@pytest.fixture(scope="module")
def truth() -> tuple[np.ndarray, np.ndarray]:
    """x ~ Normal(0, 1), P(y | x) = sigmoid(-3 + 1.2 x): about 8 % of the days."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=DAYS)
    return x, rng.random(DAYS) < sigmoid(INTERCEPT + SLOPE * x)


def fitted_logit(x, y, weight=None):
    """Intercept and slope of a logistic fit without a penalty (scikit-learn)."""
    model = LogisticRegression(C=np.inf).fit(x[:, None], y, sample_weight=weight)
    return model.intercept_[0], model.coef_[0, 0]


def test_correction_undoes_undersampling(truth):
    """Negatives thinned to as many as positives: the raw mean is near 1/2, the corrected probabilities are the truth's.

    Tolerances: the standard error of the intercept from 2 x 16,000 days is about 0.02.
    """
    x, y = truth
    rng = np.random.default_rng(1)
    kept = y | (rng.random(DAYS) < y.mean() / (1 - y.mean()))
    intercept, slope = fitted_logit(x[kept], y[kept])
    correction = prior_correction(count_classes(y), count_classes(y[kept]))
    raw = intercept + slope * x
    corrected = correction.probability(raw)
    assert correction.exact
    assert correction.odds_factor == pytest.approx(y.mean() / (1 - y.mean()), rel=0.02)
    assert sigmoid(raw).mean() > 0.35
    assert corrected.mean() == pytest.approx(y.mean(), rel=0.03)
    assert np.abs(logit(corrected) - (INTERCEPT + SLOPE * x)).max() < 0.2
    b, p = correction.odds_factor, sigmoid(raw)
    np.testing.assert_allclose(corrected, b * p / (b * p + 1 - p), atol=1e-12)


def test_correction_counts_dropped_positives_too(truth):
    """Half of the positives dropped as well: the share of positives belongs below the fraction bar."""
    x, y = truth
    rng = np.random.default_rng(2)
    kept = np.where(y, rng.random(DAYS) < 0.5, rng.random(DAYS) < 0.1)
    intercept, slope = fitted_logit(x[kept], y[kept])
    correction = prior_correction(count_classes(y), count_classes(y[kept]))
    assert correction.odds_factor == pytest.approx(0.2, rel=0.02)
    assert correction.probability(intercept + slope * x).mean() == pytest.approx(y.mean(), rel=0.03)


def test_class_weights_and_balanced_batches_are_undone_alike(truth):
    x, y = truth
    weights = balanced_weights(count_classes(y))
    assert weights[0] * (~y).sum() == pytest.approx(weights[1] * y.sum()) == pytest.approx(DAYS / 2)
    intercept, slope = fitted_logit(x, y, np.where(y, weights[1], weights[0]))
    correction = prior_correction(count_classes(y), count_classes(y), weights=weights)
    assert correction.odds_factor == pytest.approx(y.mean() / (1 - y.mean()))
    assert np.abs(logit(correction.probability(intercept + slope * x)) - (INTERCEPT + SLOPE * x)).max() < 0.2


def test_no_resampling_needs_no_correction():
    correction = prior_correction((90, 10), (90, 10))
    np.testing.assert_allclose(correction.probability(np.array([-2.0, 0.0, 3.0])), sigmoid(np.array([-2.0, 0.0, 3.0])))


def test_an_empty_class_is_our_own_bug():
    with pytest.raises(ValueError, match="both classes"):
        prior_correction((90, 10), (90, 0))


def test_calibration_finds_a_known_distortion():
    """Stated logits are 2 x too steep and 0.7 too low: with 40,000 days the true map comes back (standard errors about 0.02)."""
    rng = np.random.default_rng(3)
    true = rng.normal(-2.5, 1.0, 40_000)
    happened = rng.random(true.size) < sigmoid(true)
    stated = sigmoid(2.0 * true - 0.7)
    calibration = fit_calibration(stated, happened)
    assert calibration.fitted
    assert calibration.slope == pytest.approx(0.5, abs=0.03)
    np.testing.assert_allclose(logit(calibration.apply(stated))[:2000], true[:2000], atol=0.2)
    assert log_loss(calibration.apply(stated), happened) < log_loss(stated, happened)


def test_few_target_days_do_not_run_away():
    """Five target days above five others, four above 196: without priors the slope grows without bound, and the highest day is certain."""
    logits = np.concatenate([np.linspace(-2.5, -2.1, 5), np.linspace(-1.9, -1.5, 5)])
    calibration = fit_calibration(sigmoid(logits), np.arange(10) >= 5)
    assert calibration.fitted
    assert 1.0 < calibration.slope < 2.0
    assert 0.0 < calibration.shift < 2.0
    highest = np.linspace(-4, -1, 200)
    assert fit_calibration(sigmoid(highest), np.arange(200) >= 196).apply(sigmoid(highest)).max() < 0.9


def test_three_surprises_do_not_multiply_all_odds_by_a_thousand():
    """Three target days on six that were said to have 1 in 1000 (logit -6.9). The shift of the data alone is 6.9; with its prior, by hand,
    3 = 6 sigmoid(s - 6.9) + s gives s = 2.9."""
    calibration = fit_calibration(np.full(6, 0.001), np.arange(6) < 3)
    assert calibration.shift == pytest.approx(2.9, abs=0.05)
    assert calibration.slope == pytest.approx(1.0)


def test_a_ranking_turned_round_ends_as_the_rate():
    """Target days only at the lowest logits: the slope stops at 0, every day gets about the span's rate of 10 %."""
    logits = np.linspace(-4, 0, 400)
    calibration = fit_calibration(sigmoid(logits), np.arange(400) < 40)
    assert calibration.slope == 0.0
    assert calibration.apply(sigmoid(logits)) == pytest.approx(0.1, abs=0.01)


def test_identity_where_it_cannot_be_fitted():
    probability = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    calibration = fit_calibration(probability, np.array([False, False, True, True, False]))
    assert not calibration.fitted
    assert calibration.reason == "only 2 target days among 5 days"
    np.testing.assert_array_equal(calibration.apply(probability), probability)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_calibration_never_turns_days_round(seed):
    rng = np.random.default_rng(seed)
    probability = np.sort(rng.uniform(0.001, 0.6, 60))
    calibrated = fit_calibration(probability, rng.random(60) < 0.2).apply(probability)
    assert (np.diff(calibrated) >= -1e-12).all()
    assert ((calibrated > 0) & (calibrated < 1)).all()


def test_days_that_stand_for_more_pull_more() -> None:
    """Of 300 target days and 300 quiet ones, said to be even, the quiet ones stand for three times as many: the level goes to a quarter,
    a little less far by the prior. Weights count by their ratio alone."""
    said, happened = np.full(600, 0.5), np.arange(600) < 300
    weight = np.where(happened, 1.0, 3.0)
    level = fit_calibration(said, happened, weight).apply(np.array([0.5]))[0]
    assert level == pytest.approx(0.25, abs=0.01) and fit_calibration(said, happened).apply(np.array([0.5]))[0] == pytest.approx(0.5)
    assert fit_calibration(said, happened, 7 * weight).apply(np.array([0.5]))[0] == pytest.approx(level, abs=1e-9)
