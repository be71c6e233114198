"""Curves by hand, against scikit-learn and `scores`, and the area skill of chance."""

import math

import numpy as np
import pytest
import xarray as xr
from scores.probability import roc_curve_data
from sklearn import metrics

from forecaster.verification.curves import Curve, molchan_diagram, precision_recall_curve, roc_curve, thin
from forecaster.verification.scores import roc_auc

HAPPENED = np.array([True, False, True, False])
SAID = np.array([0.4, 0.3, 0.2, 0.1])


def days(seed: int, count: int = 800) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    probability = np.round(rng.beta(1, 5, count), 2)
    return rng.random(count) < probability, probability


def test_roc_as_scores() -> None:
    """`scores` at every value that was said; its curve has all points, ours none on straight lines: same area, and ours lie on theirs."""
    observed, probability = days(1)
    thresholds = np.concatenate([[0.0], np.unique(probability), [1.0]])
    theirs = roc_curve_data(xr.DataArray(probability), xr.DataArray(observed.astype(float)), thresholds)
    curve = roc_curve(observed, probability)
    assert np.trapezoid(curve.y, curve.x) == pytest.approx(float(theirs["AUC"]))
    points = set(zip(theirs["POFD"].values.round(9), theirs["POD"].values.round(9), strict=True)) | {(0.0, 0.0)}
    assert set(zip(curve.x.round(9), curve.y.round(9), strict=True)) <= points


def test_roc_and_precision_by_hand() -> None:
    """Alarms one after the other: hit, false, hit, false."""
    roc, precision = roc_curve(HAPPENED, SAID), precision_recall_curve(HAPPENED, SAID)
    assert np.column_stack([roc.x, roc.y]).tolist() == [[0, 0], [0, 0.5], [0.5, 0.5], [0.5, 1], [1, 1]]
    assert precision.x.tolist() == [0, 0.5, 0.5, 1, 1]
    assert precision.y == pytest.approx([1, 1, 1 / 2, 2 / 3, 1 / 2])


def test_molchan_by_hand() -> None:
    """Alarmed 1/4 each, missed 1, 1/2, 1/2, 0, 0: area (.75 + .5 + .25 + 0) / 4 = .375. With the reference .4, .1, .1, .4 the ratios are
    1, 3, 2, 1/4: false at cost .1, hit at .1, hit at .4, false: area .1 + .075 + .1 = .275."""
    plain = molchan_diagram(HAPPENED, SAID)
    assert np.column_stack([plain.curve.x, plain.curve.y]) == pytest.approx(np.array([[0, 1], [0.25, 0.5], [0.5, 0.5], [0.75, 0], [1, 0]]))
    assert plain.area_skill == pytest.approx(0.625)
    assert plain.error == pytest.approx(math.sqrt(1 / 24))
    against = molchan_diagram(HAPPENED, SAID, np.array([0.4, 0.1, 0.1, 0.4]))
    assert np.column_stack([against.curve.x, against.curve.y]) == pytest.approx(np.array([[0, 1], [0.1, 1], [0.2, 0.5], [0.6, 0], [1, 0]]))
    assert against.area_skill == pytest.approx(0.725)


def test_area_skill_and_auc_agree() -> None:
    """Where every day costs the same, the alarmed fraction is base x hit rate + (1 - base) x false alarm rate, so that
    area skill = base / 2 + (1 - base) AUC."""
    observed, probability = days(2)
    base = observed.mean()
    assert molchan_diagram(observed, probability).area_skill == pytest.approx(base / 2 + (1 - base) * roc_auc(observed, probability))


def test_the_reference_has_half() -> None:
    observed, probability = days(3)
    reference = np.maximum(probability, 0.01)
    assert molchan_diagram(observed, reference, reference).area_skill == pytest.approx(0.5)


def test_area_skill_of_chance() -> None:
    """400 records of 20 target days that fall where the reference says: mean 1/2, deviation sqrt(1 / 240) = .065 within 15 %, four of its
    standard errors."""
    rng = np.random.default_rng(4)
    reference = rng.beta(2, 20, 1000)
    skills = []
    for _ in range(400):
        observed = np.zeros(1000, dtype=bool)
        observed[rng.choice(1000, 20, replace=False, p=reference / reference.sum())] = True
        result = molchan_diagram(observed, rng.random(1000), reference)
        skills.append(result.area_skill)
    assert np.mean(skills) == pytest.approx(0.5, abs=4 * result.error / 20)
    assert np.std(skills) == pytest.approx(result.error, rel=0.15)


def test_thinned_curves_stay_close() -> None:
    """A curve of length <= 2 with 200 points: whatever is left out lies within 2 / 199 of what is kept, and the area changes by less
    than .001."""
    rng = np.random.default_rng(6)
    probability = rng.beta(1, 5, 20_000)
    curve = roc_curve(rng.random(20_000) < probability, probability)
    kept = thin(curve)
    assert len(kept.x) <= 200 < len(curve.x)
    assert (kept.x[0], kept.y[0], kept.x[-1], kept.y[-1]) == (0, 0, 1, 1)
    gaps = np.hypot(curve.x[:, None] - kept.x, curve.y[:, None] - kept.y).min(axis=1)
    assert gaps.max() <= 2 / 199
    assert metrics.auc(kept.x, kept.y) == pytest.approx(metrics.auc(curve.x, curve.y), abs=1e-3)
    short = Curve(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    assert thin(short) is short


def test_one_class_has_no_curve() -> None:
    for function in (roc_curve, precision_recall_curve, molchan_diagram):
        with pytest.raises(ValueError, match="both outcomes"):
            function(np.zeros(4, dtype=bool), SAID)
    with pytest.raises(ValueError, match="above 0"):
        molchan_diagram(HAPPENED, SAID, np.array([0.1, 0.0, 0.1, 0.1]))
