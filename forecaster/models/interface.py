"""What every fitted model is given and what it gives back; plain arrays, no library of any one model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from forecaster.errors import NotTrainable
from forecaster.features.daily_grid import GridEvents, place_on_grid
from forecaster.features.events import Events
from forecaster.features.many_circles import Circles
from forecaster.features.windows import TargetDays
from forecaster.recipe import Recipe

TINY = 1e-7


@dataclass(frozen=True)
class History:
    """What a model of one recipe is fitted on: consecutive target days with final outcomes; arrays of shape (n,).

    inputs: versions of events in the common streams, as they were known at each issue (or in hindsight: `Events.known_at_once`).
    catalogue: events as outcomes are judged by. happened: bool. reference: the climatology's probability at each day's own issue, NaN
    where there was none.
    """

    recipe: Recipe
    inputs: Events
    catalogue: Events
    days: TargetDays
    happened: np.ndarray
    reference: np.ndarray

    @property
    def last_day(self) -> date:
        """The last local target day."""
        last: date = self.days.local_days[-1].astype("datetime64[D]").item()
        return last

    def until(self, last_day: np.datetime64) -> "History":
        """The days up to `last_day`, included. Events are not cut: a model reads none after the issue of its last day."""
        return self.take(self.days.local_days <= last_day)

    def take(self, selection: np.ndarray | slice) -> "History":
        """The days at these indices, or where this mask is true."""
        return replace(self, days=self.days.take(selection), happened=self.happened[selection], reference=self.reference[selection])


class Forecaster(Protocol):
    """What forecasts the days of one recipe."""

    def probability(self, inputs: Events, days: TargetDays, reference: np.ndarray) -> np.ndarray:
        """float64 (n,): probability of the target on each day, from what was known at its cut. reference (n,): the climatology's."""
        ...


class FittedModel(Forecaster, Protocol):
    """A model fitted for one recipe. `kind` names it ("etas"); `last_data_day` is the last local day of which anything, also of a
    pre-training, a prior or a calibration, has entered it."""

    kind: str
    last_data_day: date

    def save(self, folder: Path) -> dict[str, Any]:
        """Write weights, if there are any, into the existing `folder`; returns the JSON-able record that `load` of its module needs."""
        ...


@runtime_checkable
class ForecastsCircles(Protocol):
    """A model that forecasts many circles at once, as fast as it can; whoever asks goes circle by circle where a kind cannot."""

    def probability_of_circles(self, circles: Circles) -> np.ndarray:
        """float64 (n,): what `probability` says of each circle's day, where the model was made for a recipe like theirs."""
        ...


@runtime_checkable
class AnswersByCut(Forecaster, Protocol):
    """A model of which one date may be asked at many cuts in one call: what it says of a day follows from what that day's cut sees."""

    by_cut: ClassVar[bool]


@runtime_checkable
class CountsTargets(Forecaster, Protocol):
    """A model that also says how many targets a window may have."""

    def expected_count(self, inputs: Events, days: TargetDays, reference: np.ndarray) -> np.ndarray:
        """float64 (n,): expected number of targets in each window; NaN where there is no reference."""
        ...

    def simulated(
        self, inputs: Events, days: TargetDays, reference: np.ndarray, rng: np.random.Generator | Sequence[np.random.Generator], runs: int
    ) -> np.ndarray:
        """int64 (n, runs): numbers of targets in each window, simulated; rng: one for all days, or one for each."""
        ...


@runtime_checkable
class TrainedInEpochs(Protocol):
    """A model that keeps how its training went: `epochs` and `best_epoch` (0: its start) among others; None where nothing was tried."""

    @property
    def training(self) -> dict[str, Any] | None: ...


@runtime_checkable
class HasLearningCurves(Protocol):
    """A model whose losses of each epoch are shown."""

    def learning_curves(self) -> dict[str, list[float]]:
        """By name of the curve, one number an epoch."""
        ...


class SharedSet(Protocol):
    """A pre-trained set, as far as it matters here which one it is."""

    @property
    def data_until(self) -> date: ...


@runtime_checkable
class OnSharedSet(Protocol):
    """A model that forecasts with a pre-trained set of weights that others use, too."""

    @property
    def pretrained(self) -> SharedSet: ...


@runtime_checkable
class MovedFromSet(OnSharedSet, Protocol):
    """A model that began as a pre-trained set. as_the_worlds: whether it still is that set."""

    @property
    def as_the_worlds(self) -> bool: ...


@runtime_checkable
class TellsItsTraining(Protocol):
    """A model that says in words what became of its training."""

    @property
    def told(self) -> str: ...


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


def bounded(probability: np.ndarray) -> np.ndarray:
    """float64 (n,): kept within [1e-7, 1 - 1e-7], NaN where it is NaN: nobody can say never or always.

    This is the one place where forecasts are held away from 0 and 1; what lies outside 0..1 is left as it is, a bug to be found.
    """
    value = np.asarray(probability, dtype=np.float64)
    inside = (value >= 0.0) & (value <= 1.0)
    return np.where(inside, np.clip(value, TINY, 1.0 - TINY), value)


def sigmoid(value: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), without overflow, in double precision."""
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(value, dtype=np.float64)))


def log_loss(probability: np.ndarray, happened: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Mean of -log(probability of what came), nats a day; probabilities kept within [1e-7, 1 - 1e-7]. NaN for no day.

    weight: (n,), what each day counts; all the same by default.
    """
    kept = np.clip(np.asarray(probability, dtype=np.float64), TINY, 1.0 - TINY)
    if kept.size == 0:
        return float("nan")
    return float(-np.average(np.where(happened, np.log(kept), np.log1p(-kept)), weights=weight))
