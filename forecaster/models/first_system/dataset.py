"""The days that the network of one recipe is trained on, with the events placed on the recipe's grid."""

from dataclasses import dataclass

import numpy as np

from forecaster.errors import NotTrainable
from forecaster.features.events import Events
from forecaster.features.windows import TargetDays
from forecaster.models.first_system.daily_grid import GridEvents, place_on_grid
from forecaster.recipe import Recipe


@dataclass(frozen=True)
class Dataset:
    """Consecutive target days of one recipe with final outcomes, and the inputs of their forecasts; arrays of shape (n,).

    happened: bool, the outcome. reference: the climatology's probability for the day, NaN where it had none.
    days: all covered by the catalogue, consecutive, oldest first (ValueError otherwise: a bug in quakecast).
    """

    recipe: Recipe
    grid: GridEvents
    days: TargetDays
    happened: np.ndarray
    reference: np.ndarray

    def __post_init__(self) -> None:
        count = len(self.days)
        if self.happened.shape != (count,) or self.reference.shape != (count,):
            raise ValueError(f"{count} days need {count} outcomes and references, got {self.happened.shape} and {self.reference.shape}")
        if np.any(np.diff(self.days.local_days.astype("datetime64[D]").astype(np.int64)) != 1):
            raise ValueError("the days of a data set must be consecutive")
        if count == 0:
            raise NotTrainable(f"{self.recipe.id}: no day with a final outcome lies inside the catalogue's coverage")


def dataset_from_events(recipe: Recipe, events: Events, days: TargetDays, happened: np.ndarray, reference: np.ndarray) -> Dataset:
    """A data set whose inputs are `events` placed on the recipe's grid."""
    return Dataset(recipe, place_on_grid(events, recipe), days, np.asarray(happened, dtype=bool), np.asarray(reference, dtype=np.float64))
