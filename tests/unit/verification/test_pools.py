"""Pools of cells: toys worked by hand, and the S test's own distribution."""

import numpy as np
import pytest

from forecaster.verification.pools import cell_probability, spatial_test

RATES = np.array([1.0, 2.0, 1.0])
CHANCES = -np.expm1(-RATES)


def test_a_cell_has_its_share_of_the_circles_rate() -> None:
    """A circle of 150 km has 2 pi R^2 (1 - cos(150 / R)) = 70,682.6 km2; of P = 1 - exp(-0.2) a tenth of it has 1 - exp(-0.02)."""
    found = cell_probability(np.array([1 - np.exp(-0.2)]), np.array([7068.26]), 150.0)
    assert found == pytest.approx([1 - np.exp(-0.02)], rel=1e-4)


def test_the_likelihood_of_a_pattern_is_that_of_the_scaled_rates() -> None:
    """One active cell: rates 1/4, 1/2, 1/4. Middle cell: ln(1 - exp(-1/2)) - 1/2 = -0.9328 - 0.5 = -1.4328; every pattern is as likely or
    less, so gamma is 1. First cell: ln(1 - exp(-1/4)) - 3/4 = -1.5087 - 0.75 = -2.2587; it or the last one is drawn half of the time."""
    middle = spatial_test(np.array([False, True, False]), CHANCES, np.random.default_rng(1))
    assert middle.observed == pytest.approx(-1.4328, abs=1e-4) and middle.gamma == 1.0
    first = spatial_test(np.array([True, False, False]), CHANCES, np.random.default_rng(1), 4000)
    assert first.observed == pytest.approx(-2.2587, abs=1e-4) and first.gamma == pytest.approx(0.5, abs=0.03)


def test_all_cells_active_is_the_only_pattern_of_that_number() -> None:
    found = spatial_test(np.ones(3, dtype=bool), CHANCES, np.random.default_rng(1))
    assert found.gamma == 1.0 and found.observed == pytest.approx(found.expected)


def test_the_number_plays_no_part() -> None:
    active = np.array([False, True, False])
    one, ten = (spatial_test(active, -np.expm1(-factor * RATES), np.random.default_rng(1)) for factor in (0.1, 1.0))
    assert one.observed == pytest.approx(ten.observed) and one.gamma == ten.gamma


def test_a_wrong_pattern_is_rejected_and_a_right_one_seldom() -> None:
    rng = np.random.default_rng(2)
    rates = rng.lognormal(0.0, 1.5, 400) * 0.02
    chances = -np.expm1(-rates)
    right = [spatial_test(rng.random(400) < chances, chances, rng, 200).gamma for _ in range(60)]
    assert np.mean(np.array(right) < 0.05) < 0.2
    upside_down = spatial_test(np.arange(400) < 20, chances[np.argsort(chances)], rng, 200)
    assert upside_down.gamma < 0.05


def test_without_an_active_cell_nothing_can_be_said() -> None:
    assert np.isnan(spatial_test(np.zeros(3, dtype=bool), CHANCES, np.random.default_rng(1)).gamma)


@pytest.mark.parametrize("wrong", [0.0, 1.0, np.nan])
def test_a_cell_without_a_chance_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="above 0 and below 1"):
        spatial_test(np.array([True, False]), np.array([0.5, wrong]), np.random.default_rng(1))
