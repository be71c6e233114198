"""What every fitted model is given and what it gives back; plain arrays, no library of any one model."""

from dataclasses import dataclass

import numpy as np

from forecaster.errors import NotTrainable
from forecaster.features.daily_grid import GridEvents, place_on_grid
from forecaster.features.events import Events
from forecaster.features.windows import TargetDays
from forecaster.recipe import Recipe

TINY = 1e-7


@dataclass(frozen=True)
class Dataset:
    """Consecutive target days of one recipe with final outcomes, and the inputs to forecast them from; arrays of shape (n,).

    happened: bool, the outcome. reference: the climatology's probability for the day, NaN where it had none.
    days: all of them covered by the catalogue, consecutive, oldest first (ValueError otherwise: our own bug).
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


def logit(probability: np.ndarray) -> np.ndarray:
    """log(p / (1 - p)), with p kept within [1e-7, 1 - 1e-7]."""
    kept = np.clip(np.asarray(probability, dtype=np.float64), TINY, 1.0 - TINY)
    return np.log(kept) - np.log1p(-kept)


def sigmoid(value: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), without overflow, in double precision."""
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(value, dtype=np.float64)))


def log_loss(probability: np.ndarray, happened: np.ndarray) -> float:
    """Mean of -log(probability of what came), nats a day; probabilities kept within [1e-7, 1 - 1e-7]. NaN for no day."""
    kept = np.clip(np.asarray(probability, dtype=np.float64), TINY, 1.0 - TINY)
    if kept.size == 0:
        return float("nan")
    return float(-np.mean(np.where(happened, np.log(kept), np.log1p(-kept))))
