"""Completeness and b-value on catalogues drawn from a Gutenberg-Richter law with known b and known loss, and by hand."""

import math

import numpy as np
import pytest

from forecaster.catalog.completeness import (
    Completeness,
    estimate_b_positive,
    estimate_b_value,
    estimate_completeness,
    estimate_stable_completeness,
    higher,
)


def gutenberg_richter(rng: np.random.Generator, count: int, lowest: float, b: float = 1.0) -> np.ndarray:
    """Magnitudes rounded to tenths from `lowest` on: exponential above lowest - 0.05."""
    return np.round(lowest - 0.05 + rng.exponential(math.log10(math.e) / b, count), 1)


def test_fullest_bin_plus_two_tenths_by_hand() -> None:
    """30 of 2.9, 50 of 3.0, 40 of 3.1, cut at 2.5: fullest 3.0, Mc 3.2. Mutations: first bin, last bin, no correction."""
    magnitudes = np.repeat([2.9, 3.0, 3.1], [30, 50, 40])
    assert estimate_completeness(magnitudes, 2.5) == Completeness(3.2, False, 120)


def test_where_the_cut_hides_it_mc_is_at_most_the_cut() -> None:
    """The same magnitudes covered from 3.0 on: the fullest bin is the lowest one; Mc is <= 3.0, not 3.2; those of 2.9 do not count."""
    found = estimate_completeness(np.repeat([2.9, 3.0, 3.1], [30, 50, 40]), 3.0)
    assert found == Completeness(3.0, True, 90) and str(found) == "<= 3.0"


def test_bins_are_centred_on_tenths() -> None:
    """3.05 to 3.149 is 3.1, although 3.05 is a little less in binary: 60 of 3.05 and 40 of 3.14 are 100 in the bin of 3.1."""
    found = estimate_completeness(np.repeat([2.7, 3.05, 3.14, 3.2], [10, 60, 40, 70]), 2.0)
    assert found == Completeness(3.3, False, 180) and str(found) == "3.3"


def test_detection_that_fades_out() -> None:
    """b = 1 above 2.0 with a detection of 50 % at M 2.6, spread 0.15: the maximum lies near 2.7, Mc near 2.9, where 98 % are detected."""
    rng = np.random.default_rng(4)
    magnitudes = gutenberg_richter(rng, 200_000, 2.0)
    detected = rng.random(len(magnitudes)) < 0.5 * (1 + np.vectorize(math.erf)((magnitudes - 2.6) / (0.15 * math.sqrt(2))))
    found = estimate_completeness(magnitudes[detected], 2.0)
    assert found is not None and found.mc == pytest.approx(2.9, abs=0.11) and not found.at_most


def test_too_few_events_say_nothing() -> None:
    assert estimate_completeness(np.full(49, 3.0), 2.0) is None
    assert estimate_completeness(np.append(np.full(49, 3.0), np.nan), 2.0) is None
    assert estimate_b_value(np.linspace(4, 6, 49), 4.0) is None
    assert estimate_b_value(np.full(60, 4.5), 4.5) is None


def test_b_value_by_hand() -> None:
    """50 of 4.0 and 50 of 5.0, Mc 4.0: mean 4.5, b = 0.43429 / (4.5 - 3.95) = 0.78963; sum of squares 25, sigma = 2.302585 x .78963^2 x
    sqrt(25 / (100 x 99)) = 0.072146. Without half a bin's correction b is 0.86859 and fails."""
    found = estimate_b_value(np.repeat([3.5, 4.0, 5.0], [20, 50, 50]), 4.0)
    assert found is not None and found.n == 100
    assert found.b_value == pytest.approx(0.78963, abs=1e-5)
    assert found.sigma == pytest.approx(0.072146, abs=1e-5)


@pytest.mark.parametrize("truth", [0.7, 1.0, 1.3])
def test_b_value_of_a_known_law(truth: float) -> None:
    """Within 4 of its own standard errors; the bins of 0.1 bias it by less than 1 %. sigma is near b / sqrt(n), Aki's own error."""
    found = estimate_b_value(gutenberg_richter(np.random.default_rng(6), 5000, 4.5, truth), 4.5)
    assert found is not None
    assert found.b_value == pytest.approx(truth, abs=4 * found.sigma + 0.01 * truth)
    assert found.sigma == pytest.approx(truth / math.sqrt(5000), rel=0.1)


def test_real_catalogue_is_complete_from_its_cut(shared_data) -> None:
    """World, M >= 4.5, 2015-2024: the bin of 4.5 is the fullest, so Mc <= 4.5; b is near 1 (Gutenberg and Richter's law, 0.8 to 1.3)."""
    import duckdb

    path = str(shared_data / "comcat_m35_1973_2024.parquet")
    query = f"select magnitude from '{path}' where magnitude >= 4.5 and origin_time >= '2015-01-01'"
    magnitudes = duckdb.sql(query).df()["magnitude"].to_numpy()
    found, slope = estimate_completeness(magnitudes, 4.5), estimate_b_value(magnitudes, 4.5)
    assert found is not None and (found.mc, found.at_most) == (4.5, True)
    assert slope is not None and 0.8 < slope.b_value < 1.3 and slope.sigma < 0.02


@pytest.mark.parametrize("truth", [0.7, 1.3])
def test_b_positive_of_a_known_law_and_its_standard_error(truth: float) -> None:
    """200 catalogues of 1,000 events: the mean within 1 % of the truth; the scatter within 15 % of sigma (sampling error 5 %)."""
    found = [estimate_b_positive(gutenberg_richter(np.random.default_rng(seed), 1000, 4.5, truth), 4.5) for seed in range(200)]
    slopes = np.array([(one.b_value, one.sigma) for one in found if one is not None])
    assert len(slopes) == 200
    assert slopes[:, 0].mean() == pytest.approx(truth, rel=0.01)
    assert slopes[:, 1].mean() == pytest.approx(slopes[:, 0].std(), rel=0.15)


def test_b_positive_by_hand() -> None:
    """60 times 4.0, 4.1, 4.3: positive differences 60 of .1 and 60 of .2, mean .15; acoth((.05 + .05) / .05) = atanh(.5) = .549306;
    beta = .549306 / .05 = 10.98612, b = 10.98612 / 2.302585 = 4.77121. The same from 4.1 on: 60 of .2, all alike, say nothing."""
    found = estimate_b_positive(np.tile([4.0, 4.1, 4.3], 60), 4.0)
    assert found is not None and found.n == 120
    assert found.b_value == pytest.approx(4.77121, abs=1e-5)
    assert estimate_b_positive(np.tile([4.0, 4.1, 4.3], 60), 4.1) is None
    assert estimate_b_positive(np.tile([4.0, 4.1], 49), 4.0) is None, "49 differences"


def test_b_positive_does_not_mind_what_large_shocks_hide() -> None:
    """b = 1; after every event above 5.5 the next 30 are read only above 5.0, as after a large shock. Aki/Utsu loses more than .1 of b
    to it, b-positive less than .05."""
    magnitudes = gutenberg_richter(np.random.default_rng(7), 30_000, 4.0)
    kept, hidden = [], 0
    for magnitude in magnitudes:
        if hidden == 0 or magnitude >= 5.0:
            kept.append(magnitude)
        hidden = 30 if magnitude >= 5.5 else max(0, hidden - 1)
    usual, positive = estimate_b_value(np.array(kept), 4.0), estimate_b_positive(np.array(kept), 4.0)
    assert usual is not None and positive is not None
    assert usual.b_value < 0.9 and positive.b_value == pytest.approx(1.0, abs=0.05)


def test_stable_b_of_a_complete_catalogue_is_at_most_the_cut() -> None:
    """Complete from the cut of 3.0 on: at the lowest cutoff b is stable in most drawn catalogues (180 of 200; a standard error is no bound
    for all), and never later than 3.4."""
    found = [estimate_stable_completeness(gutenberg_richter(np.random.default_rng(seed), 2000, 3.0), 3.0) for seed in range(40)]
    assert sum(str(one) == "<= 3.0" for one in found) >= 32
    assert max(one.mc for one in found if one is not None) <= 3.4


def test_stable_b_sees_a_slow_loss_that_the_fullest_bin_overlooks() -> None:
    """b = 1, and below 4.0 a share of 1 - (4.0 - M) / 2 is kept: bins still fall from 3.0 on (3.0: .5, 3.1: .55 x .794 = .44), so maximum
    curvature says "<= 3.0"; b is stable near 4.0 only."""
    rng = np.random.default_rng(8)
    magnitudes = gutenberg_richter(rng, 60_000, 3.0)
    kept = rng.random(len(magnitudes)) < np.clip(1 - 0.5 * (4.0 - magnitudes), 0.5, 1)
    magnitudes = magnitudes[kept]
    curvature, stable = estimate_completeness(magnitudes, 3.0), estimate_stable_completeness(magnitudes, 3.0)
    assert str(curvature) == "<= 3.0"
    assert stable is not None and 3.6 <= stable.mc <= 4.4 and not stable.at_most
    assert higher(curvature, stable) == stable


def test_stability_by_hand_and_too_few_events() -> None:
    """Each bin holds 10^-.1 of the one below, 1000 at 4.0, up to 7.0: b is 1 at every cutoff, so the first is stable. 49 events say
    nothing; 60 events in two bins have no five cutoffs."""
    counts = np.round(1000 * 10 ** (-0.1 * np.arange(31))).astype(int)
    assert str(estimate_stable_completeness(np.repeat(np.arange(40, 71) / 10, counts), 4.0)) == "<= 4.0"
    assert estimate_stable_completeness(np.linspace(4, 6, 49), 4.0) is None
    assert estimate_stable_completeness(np.repeat([4.0, 4.1], 30), 4.0) is None


def test_the_higher_of_two_estimates() -> None:
    at_most, told = Completeness(4.5, True, 90), Completeness(4.5, False, 90)
    assert higher(at_most, told) == told and higher(None, at_most) == at_most and higher(None, None) is None
    assert higher(at_most, Completeness(4.3, False, 90)) == at_most
