"""CORP against scikit-learn and `scores`, toys worked by hand, slopes in closed form, bands and errors on known truths."""

import math

import numpy as np
import pytest
import xarray as xr
from scores.probability import isotonic_fit
from sklearn.calibration import calibration_curve
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from forecaster.verification.reliability import (
    Reliability,
    calibration_line,
    corp_reliability,
    decompose,
    expected_calibration_error,
    recalibrate,
)


def calibrated(rng: np.random.Generator, days: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes drawn from probabilities of 40 values, 1 % to 40 %."""
    probability = rng.integers(1, 41, days) / 100
    return rng.random(days) < probability, probability


def test_pools_adjacent_violators_by_hand() -> None:
    """Shares by value 1, 0, 1/2, 1: the first two violate and pool to 1/2, the third equals them."""
    observed = np.array([True, False, True, False, True])
    assert recalibrate(observed, np.array([0.1, 0.2, 0.3, 0.3, 0.9])) == pytest.approx([0.5, 0.5, 0.5, 0.5, 1.0])


def test_recalibrated_as_scikit_learn_and_scores() -> None:
    """Both on the days themselves."""
    observed, probability = calibrated(np.random.default_rng(1))
    diagram = corp_reliability(observed, probability, np.random.default_rng(0), 10)
    assert recalibrate(observed, probability) == pytest.approx(IsotonicRegression().fit_transform(probability, observed))
    theirs = isotonic_fit(xr.DataArray(probability), xr.DataArray(observed.astype(float)))
    assert diagram.probability == pytest.approx(theirs["fcst_sorted"])
    assert diagram.recalibrated == pytest.approx(theirs["regression_values"])
    assert diagram.days.tolist() == theirs["fcst_counts"].tolist()


def test_the_band_is_of_draws_that_are_recalibrated_one_by_one() -> None:
    """Seen to fail: rows that are not lifted apart pool with each other."""
    observed, probability = calibrated(np.random.default_rng(4), 300)
    found = corp_reliability(observed, probability, np.random.default_rng(9), 50)
    rng, drawn = np.random.default_rng(9), []
    for _ in range(50):
        shares = rng.binomial(found.days, found.probability) / found.days
        drawn.append(IsotonicRegression().fit_transform(found.probability, shares, sample_weight=found.days))
    assert np.quantile(drawn, [0.05, 0.95], axis=0) == pytest.approx(np.stack([found.low, found.high]))


def test_decomposition_by_hand() -> None:
    """Brier: (.01 + .81 + .01 + .01) / 4 = .21; recalibrated to .5, .5, 1, 1: .125; base rate 3/4: .1875. In nats the recalibrated days
    cost ln 2 on half of the days, the base rate .75 ln(4/3) + .25 ln 4."""
    observed, probability = np.array([False, True, True, True]), np.array([0.1, 0.1, 0.9, 0.9])
    parts = decompose(observed, probability)
    assert [parts.score, parts.miscalibration, parts.discrimination, parts.uncertainty] == pytest.approx([0.21, 0.085, 0.0625, 0.1875])
    log = decompose(observed, probability, "log")
    base = 0.75 * math.log(4 / 3) + 0.25 * math.log(4)
    assert [log.uncertainty, log.discrimination] == pytest.approx([base, base - math.log(2) / 2], abs=1e-5)
    assert log.score == pytest.approx(log.miscalibration - log.discrimination + log.uncertainty)


@pytest.mark.parametrize("score", ["brier", "log"])
def test_parts_are_never_negative(score) -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        parts = decompose(rng.random(60) < 0.2, rng.random(60), score)
        assert parts.miscalibration >= -1e-12 and parts.discrimination >= -1e-12


def share_outside(curve: Reliability) -> float:
    """Share of the days whose recalibrated probability lies outside the band."""
    outside = (curve.recalibrated < curve.low) | (curve.recalibrated > curve.high)
    return float(curve.days[outside].sum() / curve.days.sum())


def test_band_holds_a_calibrated_forecast_nine_times_in_ten() -> None:
    """50 records, 90 % bands, point by point: 10 % of days outside on average, their standard error about 1.5 %. One that says double is
    outside nearly everywhere."""
    rng = np.random.default_rng(5)
    outside = [share_outside(corp_reliability(*calibrated(rng), rng, 100)) for _ in range(50)]
    assert 0.05 < np.mean(outside) < 0.16
    observed, probability = calibrated(rng)
    doubled = corp_reliability(observed, 2 * probability, rng, 100)
    assert share_outside(doubled) > 0.8
    assert (doubled.low <= doubled.high).all() and (np.diff(doubled.recalibrated) >= 0).all()


def test_calibration_error_as_scikit_learn() -> None:
    """500 different values in ten bins of 50: the mean of |difference| of scikit-learn's curve. The forecast is calibrated, so that gaps
    change their sign from bin to bin; of one sign, they would add up to the same in any bins."""
    rng = np.random.default_rng(2)
    probability = rng.permutation(np.linspace(0.01, 0.6, 500))
    observed = rng.random(500) < probability
    share, said = calibration_curve(observed, probability, n_bins=10, strategy="quantile")
    assert expected_calibration_error(observed, probability) == pytest.approx(np.abs(share - said).mean())


def test_calibration_error_by_hand() -> None:
    """One value, .3, on ten days of which one came: |.1 - .3|; equal values share one bin."""
    assert expected_calibration_error(np.arange(10) == 4, np.full(10, 0.3)) == pytest.approx(0.2)


def test_line_in_closed_form() -> None:
    """Two values: the line goes through both logits, 10 of 100 at .2 (ln 1/4) and 30 of 50 at .4 (ln 2/3). Slope (ln 1.5 + ln 9) /
    (ln(2/3) + ln 4); the variance of a logit of a of n is 1/a + 1/(n - a) (Woolf)."""
    probability = np.repeat([0.2, 0.4], [100, 50])
    observed = np.concatenate([np.arange(100) < 10, np.arange(50) < 30])
    line = calibration_line(observed, probability)
    width = math.log(2 / 3) + math.log(4)
    slope = (math.log(1.5) + math.log(9)) / width
    error = math.sqrt(1 / 10 + 1 / 90 + 1 / 30 + 1 / 20) / width
    assert (line.slope, line.slope_error) == (pytest.approx(slope), pytest.approx(error))
    assert line.intercept == pytest.approx(-math.log(9) + slope * math.log(4))
    low, high = 1 / 10 + 1 / 90, 1 / 30 + 1 / 20
    from_low, from_high = math.log(2 / 3) / width, math.log(4) / width
    assert line.intercept_error == pytest.approx(math.sqrt(from_low**2 * low + from_high**2 * high))


def test_line_as_scikit_learn() -> None:
    rng = np.random.default_rng(7)
    observed, probability = calibrated(rng)
    logits = np.log(probability / (1 - probability))
    theirs = LogisticRegression(C=np.inf, tol=1e-10).fit(logits[:, None], observed)
    line = calibration_line(observed, probability)
    assert (line.slope, line.intercept) == pytest.approx((theirs.coef_[0, 0], theirs.intercept_[0]), abs=1e-5)


def test_errors_cover_the_truth() -> None:
    """300 records of logit truth = -.4 + .7 logit p: slopes within 1.96 errors in 95 %, 4 standard errors of a percentage = 5 %."""
    rng = np.random.default_rng(8)
    hits = []
    for _ in range(300):
        probability = rng.beta(1, 5, 600)
        truth = 1 / (1 + np.exp(0.4) * (probability / (1 - probability)) ** -0.7)
        line = calibration_line(rng.random(600) < truth, probability)
        hits.append((abs(line.slope - 0.7) < 1.96 * line.slope_error, abs(line.intercept + 0.4) < 1.96 * line.intercept_error))
    assert (np.abs(np.mean(hits, axis=0) - 0.95) < 0.05).all()


def test_days_that_belong_together_count_once() -> None:
    """Every day five times over: errors of the groups stay as they were, errors without groups shrink by sqrt 5."""
    observed, probability = calibrated(np.random.default_rng(3), 500)
    single = calibration_line(observed, probability, np.arange(500))
    repeated = np.repeat(observed, 5), np.repeat(probability, 5)
    grouped, alone = calibration_line(*repeated, np.repeat(np.arange(500), 5)), calibration_line(*repeated)
    assert grouped.slope_error == pytest.approx(single.slope_error)
    assert alone.slope_error * math.sqrt(5) == pytest.approx(calibration_line(observed, probability).slope_error)


@pytest.mark.parametrize(
    ("observed", "probability"),
    [
        ([True, False], [0.3, 0.3]),
        ([True, True], [0.3, 0.4]),
        ([False, False], [0.3, 0.4]),
        ([False, False, True, True], [0.1, 0.2, 0.3, 0.4]),
        ([True, True, False, False], [0.0, 0.0, 1.0, 1.0]),
    ],
    ids=["one value", "always", "never", "told apart", "always wrong"],
)
def test_days_that_give_no_line(observed, probability) -> None:
    line = calibration_line(np.array(observed), np.array(probability))
    assert math.isnan(line.slope) and math.isnan(line.intercept_error)


def test_what_is_no_forecast_is_refused() -> None:
    bad = np.array([True, False]), np.array([0.5, np.nan])
    for function in (recalibrate, decompose, expected_calibration_error, calibration_line):
        with pytest.raises(ValueError, match="NaN"):
            function(*bad)
