"""Space-time ETAS of one recipe: fitted by penalised maximum likelihood, both likelihoods tried, the better on validation kept."""

import time
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from forecaster.errors import CorruptModel, NotTrainable
from forecaster.features.events import Events
from forecaster.features.windows import TargetDays
from forecaster.models.base import History, log_loss
from forecaster.models.etas_detection import B_VALUE, detected_share
from forecaster.models.etas_intensity import PARENT_MAG, Parents, direct_count, select_parents
from forecaster.models.etas_kernels import LN10, NAMES, Parameters, branching_ratio, parameters_of
from forecaster.models.etas_likelihood import DailyLikelihood, Maximum, Objective, PointLikelihood, maximise
from forecaster.models.etas_priors import POOLED, POOLED_UNTIL, prior_for
from forecaster.models.spans import purge_days
from forecaster.recipe import Recipe

KIND = "etas"
DAILY, POINT = "daily", "point process"
FEWEST_DAYS = 2 * 365
FEWEST_TARGET_DAYS = 10
VALIDATION_SHARE = 0.2


@dataclass(frozen=True)
class EtasModel:
    """A fitted ETAS. long_term_rate: mean rate of the training span, a window; None takes each day's own reference for it.

    standard_errors: on the scales of `etas_kernels.NAMES`, of likelihood and prior together, NaN where the curvature is not positive.
    validation_loss: of both likelihoods, nats a day. likelihood: the one that was kept ("generic" where nothing was fitted).
    """

    kind: ClassVar[str] = KIND
    recipe: Recipe
    parameters: Parameters
    long_term_rate: float | None
    last_data_day: date
    likelihood: str
    standard_errors: dict[str, float] = field(default_factory=dict)
    validation_loss: dict[str, float] = field(default_factory=dict)
    target_days: int = 0

    @property
    def branching_ratio(self) -> float:
        """Mean number of direct offspring of M >= 4.5, within ten years, of an earthquake of M >= 4.5."""
        return branching_ratio(self.parameters, self.recipe.threshold_mag, PARENT_MAG, B_VALUE)

    def direct_count(self, inputs: Events, days: TargetDays, reference: np.ndarray) -> np.ndarray:
        """float64 (n,): expected background and directly triggered targets of each window that the catalogue will hold."""
        return self._rates(_parents(inputs, self.recipe, days), days, reference)

    def log_rate(self, inputs: Events, days: TargetDays, reference: np.ndarray) -> np.ndarray:
        """float64 (n,): log of `direct_count`, finite wherever there is a reference; days in any order, each once."""
        return np.log(np.maximum(self.direct_count(inputs, days, reference), 1e-12))

    def probability(self, inputs: Events, days: TargetDays, reference: np.ndarray) -> np.ndarray:
        """float64 (n,): 1 - P(no target in the window); NaN where there is no reference."""
        return -np.expm1(-self.direct_count(inputs, days, reference))

    def _rates(self, parents: Parents, days: TargetDays, reference: np.ndarray) -> np.ndarray:
        rate = -np.log1p(-np.asarray(reference, dtype=np.float64))
        slow = rate if self.long_term_rate is None else self.long_term_rate
        order = np.argsort(days.target_starts_us, kind="stable")
        triggered = np.empty(len(days))
        triggered[order] = direct_count(parents, days.take(order), self.parameters)
        background = self.parameters.background * rate + self.parameters.long_term * slow
        return detected_share(parents, days) * (background + triggered)

    def save(self, folder: Path) -> dict[str, Any]:
        """The whole model as a record; nothing is written."""
        return {
            "parameters": self.parameters.record(),
            "long_term_rate": self.long_term_rate,
            "last_data_day": self.last_data_day.isoformat(),
            "likelihood": self.likelihood,
            "standard_errors": {name: value if np.isfinite(value) else None for name, value in self.standard_errors.items()},
            "validation_loss": dict(self.validation_loss),
            "target_days": self.target_days,
            "branching_ratio": self.branching_ratio,
        }


def load(folder: Path, record: dict[str, Any], recipe: Recipe) -> EtasModel:
    """The model that `save` described.

    Raises:
        CorruptModel: a key is missing or a value is no number in its range.
    """
    try:
        numbers = {name: float(value) for name, value in record["parameters"].items()}
        parameters = Parameters(**numbers)
        rate = record["long_term_rate"]
        model = EtasModel(
            recipe,
            parameters,
            None if rate is None else float(rate),
            date.fromisoformat(record["last_data_day"]),
            str(record["likelihood"]),
            {name: float("nan") if value is None else float(value) for name, value in record["standard_errors"].items()},
            {name: float(value) for name, value in record["validation_loss"].items()},
            int(record["target_days"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CorruptModel(f"{folder}: the ETAS record cannot be read ({error!r}); delete it and train again") from error
    if not np.isfinite(parameters.vector()).all():
        raise CorruptModel(f"{folder}: ETAS parameters must be finite and positive, got {numbers}; delete the model and train again")
    return model


def generic(recipe: Recipe) -> EtasModel:
    """ETAS without a fit: the parameters pooled over circles around the world on data to 2010 (`etas_priors`)."""
    vector = POOLED.copy()
    vector[2] -= LN10 * B_VALUE * (recipe.threshold_mag - PARENT_MAG)
    return EtasModel(recipe, parameters_of(vector), None, POOLED_UNTIL, "generic")


def fit(history: History, *, seed: int | None = None, max_minutes: float | None = None) -> EtasModel:
    """Fit by both likelihoods on the first four fifths of the days, keep the better on the rest, refit it on all. Nothing is drawn: `seed`
    plays no part.

    Raises:
        NotTrainable: too few days or target days, no convergence, or `max_minutes` are over.
    """
    history = _usable(history)
    deadline = None if max_minutes is None else time.monotonic() + 60.0 * max_minutes
    prior = prior_for(history)
    days = len(history.days)
    cut = round(days * (1.0 - VALIDATION_SHARE))
    training, validation = history.take(slice(0, cut)), slice(cut + purge_days(history.recipe), days)
    everything = DailyLikelihood(history, _parents(history.inputs, history.recipe, history.days))
    losses: dict[str, float] = {}
    found: dict[str, Maximum] = {}
    for name in (DAILY, POINT):
        likelihood, long_term = _likelihood(name, training)
        found[name] = maximise(_within(likelihood, deadline, history.recipe), prior, prior.mean)
        counts = everything.counts(found[name].vector, long_term)[validation]
        losses[name] = log_loss(-np.expm1(-counts), history.happened[validation])
    kept = min(losses, key=lambda name: losses[name])
    likelihood, long_term = (everything, everything.long_term) if kept == DAILY else _likelihood(kept, history)
    best = maximise(_within(likelihood, deadline, history.recipe), prior, found[kept].vector, errors=True)
    if not best.converged:
        raise NotTrainable(
            f"{history.recipe.id}: the {kept} likelihood of ETAS has no maximum after {best.evaluations} evaluations "
            f"({int(history.happened.sum())} target days among {days}); use the reference"
        )
    last = history.days.local_days[-1].item() + timedelta(days=history.recipe.predict_range_days - 1)
    return EtasModel(
        history.recipe,
        parameters_of(best.vector),
        long_term,
        max(last, prior.until) if prior.until else last,
        kept,
        dict(zip(NAMES, best.standard_errors.tolist(), strict=True)),
        losses,
        int(history.happened.sum()),
    )


def _usable(history: History) -> History:
    """The days that have a reference, checked."""
    kept = history.take(np.isfinite(history.reference))
    targets = int(kept.happened.sum())
    if len(kept.days) < FEWEST_DAYS or targets < FEWEST_TARGET_DAYS:
        raise NotTrainable(
            f"{history.recipe.id}: ETAS needs {FEWEST_DAYS} days with a reference and {FEWEST_TARGET_DAYS} target days among them, "
            f"there are {len(kept.days)} and {targets}; widen the circle, lower the threshold, or load an older part of the catalogue"
        )
    return kept


def _likelihood(name: str, history: History) -> tuple[Objective, float]:
    likelihood: DailyLikelihood | PointLikelihood
    if name == DAILY:
        likelihood = DailyLikelihood(history, _parents(history.inputs, history.recipe, history.days))
    else:
        likelihood = PointLikelihood(history, _parents(history.catalogue.known_at_once(), history.recipe, history.days))
    return likelihood, likelihood.long_term


def _parents(events: Events, recipe: Recipe, days: TargetDays) -> Parents:
    """Those that may be seen or counted on these days."""
    last = int(days.target_ends_us.max()) if len(days) else 0
    return select_parents(events.take(slice(0, int(np.searchsorted(events.origin_time_us, last)))), recipe)


def _within(objective: Objective, deadline: float | None, recipe: Recipe) -> Objective:
    """The same objective, which gives up at the deadline."""

    def timed(vector: np.ndarray) -> tuple[float, np.ndarray]:
        if deadline is not None and time.monotonic() > deadline:
            raise NotTrainable(f"{recipe.id}: the fit of ETAS has used up its time; allow more minutes, or use the reference")
        return objective(vector)

    return timed
