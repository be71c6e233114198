"""No model looks farther than the catalogue that it is given."""

import numpy as np
import pytest

from forecaster.features.patches import CELL_RADII, CELLS, HALF_DIAGONAL
from forecaster.models.cells.cells import _grid_of, shares_inside
from forecaster.models.cells.cells_inputs import CELL_KM, MIN_MAGNITUDE
from forecaster.models.etas import etas_intensity
from forecaster.models.hybrid.hybrid_inputs import LARGE_SHOCKS
from forecaster.models.pooled.pooled import COUNTS
from forecaster.pipeline.as_of.as_known import SMALL_MAG, in_reach, reaches_km
from forecaster.places import recipe_at

RADII_KM = (1.0, 20.0, 54.9, 55.1, 110.1, 150.0, 165.1, 220.1, 300.0, 1000.0, 2000.0)


@pytest.mark.parametrize("radius_km", RADII_KM)
def test_every_model_finds_its_earthquakes_within_reach(radius_km: float) -> None:
    """Mutations that were seen to fail: 400 km for the smallest earthquakes, 900 km for those from M 6.5 on, 3 radii."""
    recipe = recipe_at(38.0, 23.7, radius_km, 4.5, "UTC", "place")

    def reach(magnitude: float) -> float:
        return max(km for least, km in reaches_km(recipe) if magnitude >= least)

    for magnitude, beyond in etas_intensity.REACH_KM:
        assert reach(magnitude) >= radius_km + beyond
    for magnitude, radii in ((-1.0, COUNTS.ring_edges[-1]), (-1.0, CELLS * CELL_RADII * HALF_DIAGONAL), *LARGE_SHOCKS):
        assert reach(magnitude) >= radii * radius_km
    assert reach(4.5) >= _grid_of(shares_inside(radius_km)) * CELL_KM / np.sqrt(2)


def test_no_model_uses_a_small_earthquake_outside_the_circle() -> None:
    """The others count from the threshold; only those of targets of M 4.5 or more leave smaller earthquakes out."""
    assert etas_intensity.PARENT_MAG >= SMALL_MAG and MIN_MAGNITUDE >= SMALL_MAG and min(size for size, _ in LARGE_SHOCKS) >= SMALL_MAG


def test_what_lies_in_reach_depends_on_its_size() -> None:
    recipe = recipe_at(0.0, 0.0, 100.0, 4.5, "UTC", "place")
    away = np.array([99.0, 599.0, 601.0, 601.0, 1099.0, 1101.0, 1101.0, 2099.0, 2101.0])
    magnitude = np.array([2.0, 4.5, 6.4, 6.5, 6.5, 7.4, 7.5, 7.5, 9.0])
    assert in_reach(recipe, away, magnitude).tolist() == [True, True, False, True, True, False, True, True, False]
