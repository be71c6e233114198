"""The interface of every fitted model: what it is given and what it returns. Plain arrays; this module imports no model's library."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from forecaster.features.events import Events
from forecaster.features.many_circles import Circles
from forecaster.features.windows import TargetDays
from forecaster.recipe import Recipe

TINY = 1e-7


@dataclass(frozen=True)
class History:
    """The data that one recipe's model is fitted on: consecutive target days with final outcomes; arrays of shape (n,).

    inputs: versions of events in the common streams, as they were known at each issue (or in hindsight: `Events.known_at_once`).
    catalogue: the events that define the outcomes. happened: bool. reference: the climatology's probability at each day's own issue, NaN
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
        """The days up to and including `last_day`. Events are not cut: a model reads none after the issue time of its last day."""
        return self.take(self.days.local_days <= last_day)

    def take(self, selection: np.ndarray | slice) -> "History":
        """The days at these indices, or where this mask is true."""
        return replace(self, days=self.days.take(selection), happened=self.happened[selection], reference=self.reference[selection])


class Forecaster(Protocol):
    """Forecasts the days of one recipe."""

    def probability(self, inputs: Events, days: TargetDays, reference: np.ndarray) -> np.ndarray:
        """float64 (n,): probability of the target on each day, from what was known at its input cutoff.

        reference (n,): the climatology's probability.
        """
        ...


class FittedModel(Forecaster, Protocol):
    """A model fitted for one recipe. `kind` names it ("etas"). `last_data_day` is the last local day of any data that entered it, including
    the data of a pre-training, a prior or a calibration.
    """

    kind: str
    last_data_day: date

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the weights, if there are any, into the existing `folder`. Returns the JSON-able record that its module's `load` needs."""
        ...


@runtime_checkable
class ForecastsCircles(Protocol):
    """A model that forecasts many circles in one fast call. For a kind without this capability the caller forecasts circle by circle."""

    def probability_of_circles(self, circles: Circles) -> np.ndarray:
        """float64 (n,): the `probability` of each circle's day, if the model was fitted for a recipe like these circles."""
        ...


@runtime_checkable
class AnswersByCut(Forecaster, Protocol):
    """A model that can forecast the same date at many input cutoffs in one call. Its forecast of a day depends only on what that cutoff
    sees.
    """

    by_cut: ClassVar[bool]


@runtime_checkable
class LeavesEventsOut(Forecaster, Protocol):
    """A model that can forecast one day without some of the events, for many choices of them in one call."""

    def probability_without(self, inputs: Events, days: TargetDays, reference: np.ndarray, gone: np.ndarray) -> np.ndarray:
        """float64 (k,): the `probability` of the one day in `days` without the events of each row of `gone`, bool (k, n)."""
        ...


@runtime_checkable
class CountsTargets(Forecaster, Protocol):
    """A model that also forecasts the number of targets in a window."""

    def expected_count(self, inputs: Events, days: TargetDays, reference: np.ndarray) -> np.ndarray:
        """float64 (n,): expected number of targets in each window; NaN where there is no reference."""
        ...

    def simulated(
        self, inputs: Events, days: TargetDays, reference: np.ndarray, rng: np.random.Generator | Sequence[np.random.Generator], runs: int
    ) -> np.ndarray:
        """int64 (n, runs): simulated numbers of targets in each window. rng: one for all days, or one for each."""
        ...


@runtime_checkable
class TrainedInEpochs(Protocol):
    """A model with a record of its training: `epochs` and `best_epoch` (0: its start) among others. None where no training was tried."""

    @property
    def training(self) -> dict[str, Any] | None: ...


@runtime_checkable
class HasLearningCurves(Protocol):
    """A model whose losses after each epoch are reported."""

    def learning_curves(self) -> dict[str, list[float]]:
        """The curves by name, with one number per epoch."""
        ...


class SharedSet(Protocol):
    """A pre-trained set of weights, reduced to what identifies it."""

    @property
    def data_until(self) -> date: ...


@runtime_checkable
class OnSharedSet(Protocol):
    """A model that forecasts with a pre-trained set of weights that other models use, too."""

    @property
    def pretrained(self) -> SharedSet: ...


@runtime_checkable
class MovedFromSet(OnSharedSet, Protocol):
    """A model that was trained further from a pre-trained set. as_the_worlds: whether its weights are still those of that set."""

    @property
    def as_the_worlds(self) -> bool: ...


@runtime_checkable
class TellsItsTraining(Protocol):
    """A model that describes the result of its training in words."""

    @property
    def told(self) -> str: ...


def logit(probability: np.ndarray) -> np.ndarray:
    """log(p / (1 - p)), with p kept within [1e-7, 1 - 1e-7]."""
    kept = np.clip(np.asarray(probability, dtype=np.float64), TINY, 1.0 - TINY)
    return np.log(kept) - np.log1p(-kept)


def bounded(probability: np.ndarray) -> np.ndarray:
    """float64 (n,): probabilities kept within [1e-7, 1 - 1e-7], because no forecast can be certain. NaN stays NaN.

    This is the only place where forecasts are kept away from 0 and 1. A value outside 0..1 is left unchanged: it is a bug that must be
    found.
    """
    value = np.asarray(probability, dtype=np.float64)
    inside = (value >= 0.0) & (value <= 1.0)
    return np.where(inside, np.clip(value, TINY, 1.0 - TINY), value)


def sigmoid(value: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), without overflow, in double precision."""
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(value, dtype=np.float64)))


def log_loss(probability: np.ndarray, happened: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Mean of -log(probability of the observed outcome), nats a day; probabilities kept within [1e-7, 1 - 1e-7]. NaN if there is no day.

    weight: (n,), the weight of each day; equal by default.
    """
    kept = np.clip(np.asarray(probability, dtype=np.float64), TINY, 1.0 - TINY)
    if kept.size == 0:
        return float("nan")
    return float(-np.average(np.where(happened, np.log(kept), np.log1p(-kept)), weights=weight))
