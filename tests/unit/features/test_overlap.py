"""Overlap of circles and what each counts for, worked out by hand."""

import math

import numpy as np
import pytest

from forecaster.features.circles import circle_recipe
from forecaster.features.geometry import KM_PER_DEGREE
from forecaster.features.overlap import overlap_matrix, overlap_share, tile_weights

# two equal circles, each centre on the other's rim: the lens is r^2 (2 pi / 3 - sqrt(3) / 2)
ON_THE_RIM = (2 * math.pi / 3 - math.sqrt(3) / 2) / math.pi


def circle(number, east_km, radius_km):
    return circle_recipe(number, 0.0, east_km / KM_PER_DEGREE, radius_km, 4.5)


def test_shares_by_hand() -> None:
    distance = np.array([0.0, 100.0, 100.0, 200.0, 250.0, 50.0, 0.0])
    one, two = np.array([100.0, 100, 100, 100, 100, 40, 30]), np.array([100.0, 100, 300, 100, 100, 100, 100])
    np.testing.assert_allclose(overlap_share(distance, one, two), [1, ON_THE_RIM, 1, 0, 0, 1, 1], atol=1e-9)
    assert overlap_share(120.0, 100.0, 60.0) == pytest.approx(overlap_share(120.0, 60.0, 100.0)), "of the smaller one, whichever is first"


def test_a_square_kilometre_counts_once() -> None:
    """Twins weigh a half each. Of two circles with the lens between them, each weighs 1 - lens / 2. One alone weighs 1."""
    weights = tile_weights([circle(0, 0, 100), circle(1, 0, 100), circle(2, 3000, 100), circle(3, 3100, 100), circle(4, 6000, 100)])
    np.testing.assert_allclose(weights, [0.5, 0.5, 1 - ON_THE_RIM / 2, 1 - ON_THE_RIM / 2, 1.0], atol=0.01)
    assert overlap_matrix([circle(0, 0, 100), circle(1, 100, 100)])[0, 1] == pytest.approx(ON_THE_RIM, abs=1e-4)


def test_across_the_date_line() -> None:
    both = [circle_recipe(0, -20.0, 179.9, 200.0, 4.5), circle_recipe(1, -20.0, -179.9, 200.0, 4.5)]
    assert overlap_matrix(both)[0, 1] > 0.9 and tile_weights(both) == pytest.approx([0.5, 0.5], abs=0.05)


def test_what_is_apart_shares_nothing_at_all() -> None:
    """Exactly 0: pairs that overlap are told by a share above 0, which rounding in the lens would give to circles at any distance."""
    rng = np.random.default_rng(0)
    one, two = rng.uniform(150, 400, (2, 5000))
    assert not overlap_share(rng.uniform(801, 20_000, 5000), one, two).any()
    assert (overlap_share(np.zeros(5000), one, two) == 1).all()
