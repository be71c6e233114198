"""Laws of ETAS against closed forms, numerical quadrature and random points.

Mutations that these tests catch: p and p - 1 exchanged, D in place of D^2, the outer rim in place of the inner one, magnitudes counted
from 4.5 in place of 6.
"""

import numpy as np
import pytest
from scipy.integrate import quad

from forecaster.models.etas.etas_kernels import (
    NODES,
    Parameters,
    branching_ratio,
    circle_share,
    circle_share_slopes,
    kernel_width_km,
    omori_integral,
    omori_weights,
    parameters_of,
)


@pytest.mark.parametrize("p", [0.8, 1.0, 1.3])
def test_exponentials_add_up_to_the_power_law(p):
    """Source: (t + c)^-p itself, from half an hour to 30 years."""
    lag = np.array([0.02, 0.3, 1.0, 20.0, 1000.0, 11_000.0])
    v, by_c, by_p = omori_weights(0.02, p)
    decayed = np.exp(-np.outer(lag, NODES))
    np.testing.assert_allclose(decayed @ v, (lag + 0.02) ** -p, rtol=5e-3)
    np.testing.assert_allclose((decayed @ v)[:4], ((lag + 0.02) ** -p)[:4], rtol=3e-4)
    np.testing.assert_allclose((decayed @ by_c)[:4], (-p * (lag + 0.02) ** (-p - 1))[:4], rtol=2e-3)
    np.testing.assert_allclose((decayed @ by_p)[1:4], (-np.log(lag + 0.02) * (lag + 0.02) ** -p)[1:4], rtol=3e-3, atol=2e-4)


@pytest.mark.parametrize("p", [0.8, 1.0, 1.3])
def test_omori_integral(p):
    """Source: adaptive quadrature of (t + c)^-p."""
    expected = quad(lambda t: (t + 0.05) ** -p, 0.5, 30.0)[0]
    assert omori_integral(0.5, 30.0, 0.05, p) == pytest.approx(expected, rel=1e-9)


def test_share_of_a_circle_about_the_epicentre():
    """Source: the radial law's integral, 1 - (1 + R^2 / D^2)^(1 - q): with R = D and q = 2 exactly one half."""
    assert circle_share(np.array([0.0]), np.array([50.0]), 2.0, 50.0)[0, 0] == pytest.approx(0.5, abs=1e-12)


def test_share_far_away_is_area_times_density():
    """Source: density (q - 1) / pi D^(2q - 2) (x^2 + D^2)^-q times pi R^2; R = 1 km at x = 300 km."""
    q, d, x = 1.7, 20.0, 300.0
    density = (q - 1) / np.pi * d ** (2 * q - 2) * (x**2 + d**2) ** -q
    assert circle_share(np.array([x]), np.array([d]), q, 1.0)[0, 0] == pytest.approx(np.pi * density, rel=1e-4)


def test_share_against_random_offspring():
    """Source: 400,000 random offspring of each parent; three standard errors are at most 0.0024."""
    rng = np.random.default_rng(1)
    x, q, d, radius = np.array([0.0, 120.0, 149.0, 151.0, 170.0, 260.0]), 1.5, 15.0, 150.0
    distance = d * np.sqrt((1.0 - rng.random(400_000)) ** (1.0 / (1.0 - q)) - 1.0)
    angle = 2 * np.pi * rng.random(400_000)
    drawn = [np.mean((a + distance * np.cos(angle)) ** 2 + (distance * np.sin(angle)) ** 2 <= radius**2) for a in x]
    np.testing.assert_allclose(circle_share(x, np.array([d]), q, radius)[:, 0], drawn, atol=0.0024)


def test_slopes_of_the_share():
    """Source: central differences."""
    x, widths, step = np.array([0.0, 100.0, 149.5, 180.0, 400.0]), np.array([3.0, 40.0]), 1e-5
    share, by_width, by_q = circle_share_slopes(x, widths, 1.6, 150.0)
    np.testing.assert_allclose(share, circle_share(x, widths, 1.6, 150.0), rtol=1e-12)
    moved = circle_share(x, widths * np.exp(step), 1.6, 150.0) - circle_share(x, widths * np.exp(-step), 1.6, 150.0)
    np.testing.assert_allclose(by_width, moved / (2 * step), atol=1e-8)
    moved = circle_share(x, widths, 1.6 + step, 150.0) - circle_share(x, widths, 1.6 - step, 150.0)
    np.testing.assert_allclose(by_q, moved / (2 * step), atol=1e-8)


def test_width_grows_with_magnitude():
    """By hand: d = 10 km at M 6 and gamma = 1 give D = 10 x 10^(0.5 x 2) = 100 km at M 8."""
    assert kernel_width_km(np.array([8.0]), 10.0, 1.0)[0] == pytest.approx(100.0)


def test_branching_ratio_where_productivity_does_not_depend_on_magnitude():
    """By hand: alpha = 0, so every earthquake has K times the integral of Omori's law; K is for M >= 5, ten times rarer than M >= 4."""
    one = Parameters(0.5, 0.1, 0.02, 0.0, 0.1, 1.2, 10.0, 1.0, 1.6)
    whole = (0.1**-0.2 - (3652.5 + 0.1) ** -0.2) / 0.2
    assert branching_ratio(one, 5.0, 4.0, 1.0) == pytest.approx(0.2 * whole, rel=1e-9)


def test_vector_and_back():
    one = Parameters(0.5, 0.1, 0.02, 0.8, 0.1, 1.2, 10.0, 1.0, 1.6)
    assert parameters_of(one.vector()).record() == pytest.approx(one.record())
