"""Bootstrap of Brier skill, calibration ratio and AUC: every resample against scikit-learn on weighted days; joint draws."""

import math

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from forecaster.verification.intervals import draw_blocks
from forecaster.verification.score_intervals import auc_bounds, brier_skill_bounds, calibration_ratio_bounds
from forecaster.verification.scores import brier_skill, calibration_ratio, roc_auc

DAYS = np.datetime64("2016-03-01", "D") + np.arange(700)


def record(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    probability = np.round(rng.beta(1, 5, len(DAYS)), 2)
    return rng.random(len(DAYS)) < probability, probability, np.full(len(DAYS), 0.17)


def test_every_resample_as_scikit_learn() -> None:
    """A block drawn k times gives its days the weight k; 60 draws, bounds are quantiles of scikit-learn's weighted scores."""
    happened, probability, reference = record(1)
    draws = draw_blocks([DAYS], np.random.default_rng(0), 60)
    weights = draws.times[:, draws.place(DAYS)]
    aucs = [roc_auc_score(happened, probability, sample_weight=weight) for weight in weights]
    ratios = [np.average(probability, weights=weight) / np.average(happened, weights=weight) for weight in weights]
    skills = [
        1 - brier_score_loss(happened, probability, sample_weight=weight) / brier_score_loss(happened, reference, sample_weight=weight)
        for weight in weights
    ]
    pairs = [
        (aucs, roc_auc(happened, probability), auc_bounds(draws, DAYS, happened, probability)),
        (ratios, calibration_ratio(happened, probability), calibration_ratio_bounds(draws, DAYS, happened, probability)),
        (skills, brier_skill(happened, probability, reference), brier_skill_bounds(draws, DAYS, happened, probability, reference)),
    ]
    for drawn, estimate, bounds in pairs:
        assert (bounds.low, bounds.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])))
        assert bounds.estimate == pytest.approx(estimate) and bounds.undefined_share == 0


def test_pairs_of_one_recipe_only() -> None:
    """Within each recipe the order is perfect (1 of 1, 1 of 1); across them .2 (hit) loses to .5 (miss): 3 of 4 pairs."""
    days = np.array(["2016-03-01", "2016-03-02"] * 2, dtype="datetime64[D]")
    happened, probability = np.array([True, False, True, False]), np.array([0.2, 0.1, 0.6, 0.5])
    draws = draw_blocks([days], np.random.default_rng(0), 10)
    assert auc_bounds(draws, days, happened, probability).estimate == pytest.approx(3 / 4)
    assert auc_bounds(draws, days, happened, probability, np.array(["a", "a", "b", "b"])).estimate == 1


def test_pooled_copies_have_the_interval_of_one() -> None:
    """A recipe beside itself: the same blocks are drawn for both, so nothing is gained by pooling."""
    happened, probability, _ = record(2)
    draws = draw_blocks([DAYS, DAYS], np.random.default_rng(0), 200)
    for bounds in (auc_bounds, calibration_ratio_bounds):
        one = bounds(draws, DAYS, happened, probability)
        two = bounds(draws, np.tile(DAYS, 2), np.tile(happened, 2), np.tile(probability, 2))
        assert (two.estimate, two.low, two.high) == pytest.approx((one.estimate, one.low, one.high))


def test_what_is_not_defined() -> None:
    _, probability, reference = record(3)
    never = np.zeros(len(DAYS), dtype=bool)
    draws = draw_blocks([DAYS], np.random.default_rng(0), 20)
    assert math.isnan(auc_bounds(draws, DAYS, never, probability).low)
    assert math.isnan(calibration_ratio_bounds(draws, DAYS, never, probability).estimate)
    assert math.isnan(brier_skill_bounds(draws, DAYS, never, probability, np.zeros(len(DAYS))).estimate)
    with pytest.raises(ValueError, match="NaN"):
        brier_skill_bounds(draws, DAYS, never, np.where(DAYS[5] == DAYS, np.nan, probability), reference)
    with pytest.raises(ValueError, match="none of the blocks"):
        calibration_ratio_bounds(draws, DAYS + 365, ~never, probability)
