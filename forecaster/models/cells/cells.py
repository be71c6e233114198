"""The network of cells: one small convolutional network for the whole Earth. It forecasts the next day of every cell of 55 km.

A circle's probability comes from the cells that it contains,

    P = 1 - exp(-10^(4.5 - threshold) sum over cells of (share inside the circle) x (earthquakes of M >= 4.5 a day)),

for thresholds above 4.5 by Gutenberg-Richter with b = 1. The network knows no smaller earthquakes: it is not a member for a recipe with a
threshold below 4.5 (`model_kinds.Kind.unable`). Models of counts about the circle do not know where in the circle the earthquakes were; the
network adds this information. A cell alone, without its neighbours, adds nothing (docs/EXPERIMENTS.md). `cells_training` trains the
network; TensorFlow is needed only to train.
"""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from forecaster.errors import CorruptModel
from forecaster.features.events import Events
from forecaster.features.many_circles import Circles
from forecaster.features.windows import TargetDays
from forecaster.models.cells.cells_inference import MARGIN, Network, read_network
from forecaster.models.cells.cells_inputs import CELL_KM, MIN_MAGNITUDE, channels, channels_of_circles, place
from forecaster.models.interface import History
from forecaster.models.pretrained import ModelOnSet, newest_before, newest_for, of_identity
from forecaster.models.several_days import over_window
from forecaster.recipe import Recipe

KIND = "cells"
NETWORK_FILE = "network.json"
POINTS_A_CELL = 6
POINTS_A_RADIUS = 24


@dataclass(frozen=True)
class CellsModel(ModelOnSet):
    """The network of cells as the model of one recipe."""

    kind: str = KIND

    def probability(self, inputs: Events, days: TargetDays, reference: np.ndarray) -> np.ndarray:
        """float64 (n,): probability of the target on each day, from what was known at its cutoff; NaN where the reference is NaN.

        Raises:
            CorruptModel: the set's file is not a valid network.
        """

        def one_day(recipe: Recipe, single: TargetDays, usual: np.ndarray) -> np.ndarray:
            found = np.full(len(single), np.nan)
            known = np.flatnonzero(np.isfinite(usual))
            if len(known):
                found[known] = -np.expm1(-self._expected(inputs, single.cut_us[known]))
            return found

        return over_window(self.recipe, inputs, days, reference, one_day)

    def probability_of_circles(self, circles: Circles) -> np.ndarray:
        """float64 (n,): the same for many circles."""
        network, shares = _content(self.pretrained.folder, self.pretrained.sha256), shares_inside(circles.radius_km)
        expected = np.empty(len(circles))
        for which, seen in channels_of_circles(circles, _grid_of(shares)):
            expected[which] = _in_circle(network, seen, shares)
        return -np.expm1(-expected * _of_threshold(circles.threshold_mag))

    def _expected(self, inputs: Events, cut_us: np.ndarray) -> np.ndarray:
        """float64 (n,): the expected number of target earthquakes in a day."""
        recipe, network = self.recipe, _content(self.pretrained.folder, self.pretrained.sha256)
        shares = shares_inside(recipe.radius_km)
        placed = place(inputs, recipe.predict_center_lat, recipe.predict_center_lng, _grid_of(shares))
        found = np.empty(len(cut_us))
        for which, seen in channels(placed, cut_us):
            found[which] = _in_circle(network, seen, shares)
        return found * _of_threshold(recipe.threshold_mag)


def fit(history: History, *, seed: int | None = None, max_minutes: float | None = None) -> CellsModel:
    """The newest artefact that was trained on no data after the last day of `history`.

    The choice is deterministic and fast; `seed` and `max_minutes` are ignored. Raises as `pretrained.newest_for`.
    """
    return CellsModel(history.recipe, newest_for(KIND, history))


def generic_for(recipe: Recipe, day: date, first_day: date) -> CellsModel | None:
    """The newest artefact that may forecast the local `day`, for a recipe without a fit. None where there is none. Raises as
    `pretrained.newest_before`.
    """
    found = newest_before(KIND, day)
    return None if found is None else CellsModel(recipe, found)


def load(folder: Path, record: dict[str, Any], recipe: Recipe) -> CellsModel:
    """The model of a record that `save` returned. Raises as `pretrained.of_identity`."""
    return CellsModel(recipe, of_identity(KIND, folder, record))


@lru_cache(maxsize=64)
def shares_inside(radius_km: float) -> np.ndarray:
    """float64 (n, n): the share of each cell of the smallest even grid that lies in the circle about its middle.

    The shares sum to the circle's area in cells, regardless of the sample points at which they are counted.
    """
    size = 2 * int(np.ceil(radius_km / CELL_KM))
    points = max(POINTS_A_CELL, int(np.ceil(POINTS_A_RADIUS * CELL_KM / radius_km)))
    at = (((np.arange(size * points) + 0.5) / points) - size / 2) * CELL_KM
    shares = np.empty((size, size))
    for row in range(size):
        inside = at[row * points : (row + 1) * points, None] ** 2 + at[None] ** 2 <= radius_km**2
        shares[row] = inside.reshape(points, size, points).mean(axis=(0, 2))
    scaled: np.ndarray = shares * (np.pi * radius_km**2 / CELL_KM**2 / shares.sum())
    return scaled


def _grid_of(shares: np.ndarray) -> int:
    """The size of the input grid with which the network returns the cells of these shares."""
    return len(shares) + 2 * MARGIN + 2


def _in_circle(network: Network, seen: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """float64 (n,): expected earthquakes of M >= 4.5 in a circle with these shares."""
    inside: np.ndarray = np.tensordot(np.exp(network.log_rate(seen).astype(np.float64)), shares, axes=2)
    return inside


def _of_threshold(threshold_mag: float) -> float:
    """The share of earthquakes of M >= 4.5 that reach the threshold, by Gutenberg-Richter with b = 1."""
    return float(10.0 ** (MIN_MAGNITUDE - threshold_mag))


@lru_cache(maxsize=2)
def _content(folder: Path, sha256: str) -> Network:
    """The network of an artefact whose files were checked. `sha256` is part of the cache key."""
    try:
        return read_network((folder / NETWORK_FILE).read_bytes())
    except (OSError, ValueError) as error:
        raise CorruptModel(f"{folder} holds no network of cells ({' '.join(str(error).split())[:200]}); install quakecast again") from error
