"""Space-time ETAS for one recipe, fitted by penalised maximum likelihood. Both likelihoods are fitted, and the better one on validation
days is kept.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from forecaster.errors import CorruptModel, NotTrainable
from forecaster.features.events import Events
from forecaster.features.many_circles import Circles
from forecaster.features.windows import TargetDays
from forecaster.models.data_splits import purge_days
from forecaster.models.etas.etas_branching import Rings, solve, sums_without, triggered_sums
from forecaster.models.etas.etas_circles import no_target_rates
from forecaster.models.etas.etas_detection import B_VALUE, detected_share
from forecaster.models.etas.etas_intensity import PARENT_MAG, daily_stream
from forecaster.models.etas.etas_kernels import LN10, NAMES, Parameters, branching_ratio, omori_weights, parameters_of
from forecaster.models.etas.etas_likelihood import DailyLikelihood, Maximum, Objective, PointLikelihood, maximise
from forecaster.models.etas.etas_priors import POOLED, POOLED_UNTIL, Prior, prior_for, read_vector
from forecaster.models.etas.etas_seen import parents_on, seen_on
from forecaster.models.etas.etas_simulation import Law, simulated_counts
from forecaster.models.interface import History, log_loss
from forecaster.models.pretrained import Pretrained, newest_before
from forecaster.recipe import Recipe
from forecaster.timewindow import DAY_US

KIND = "etas"
DAILY, POINT = "daily", "point process"
MIN_DAYS = 2 * 365
MIN_TARGET_DAYS = 10
VALIDATION_SHARE = 0.2


@dataclass(frozen=True)
class EtasModel:
    """A fitted ETAS model.

    long_term_rate: mean rate of the training span, per window; with None each day's own reference is used for it.
    standard_errors: on the scales of `etas_kernels.NAMES`, from likelihood and prior together, NaN where the curvature is not positive.
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
        """float64 (n,): expected number of catalogued targets in each window that are background, or triggered directly by earthquakes
        visible at its cutoff.
        """
        parents = parents_on(inputs, self.recipe, days)
        order = np.argsort(days.target_starts_us, kind="stable")
        weights = parents.productivity(self.parameters) * parents.shares(self.parameters, self.recipe.radius_km)
        triggered = np.empty(len(days))
        v = omori_weights(self.parameters.c, self.parameters.p)[0]
        triggered[order] = v @ daily_stream(parents, days.take(order)).states(weights)
        return detected_share(parents, days) * (self.background(reference) + triggered)

    def probability(self, inputs: Events, days: TargetDays, reference: np.ndarray) -> np.ndarray:
        """float64 (n,): 1 - P(no target in the window), including triggering inside the window; NaN where there is no reference."""
        probability: np.ndarray = -np.expm1(-self._sum(inputs, days, reference, "hit"))
        return probability

    def probability_of_circles(self, circles: Circles) -> np.ndarray:
        """float64 (n,): the same for many circles, which share this model's parameters."""
        probability: np.ndarray = -np.expm1(-self.rates_of_circles(circles)[0])
        return probability

    def rates_of_circles(self, circles: Circles) -> np.ndarray:
        """float64 (1 + longer, circles): -log P(no target) of the circles' day and of their longer windows."""
        windows = [circles.days, *circles.longer]
        days = np.array([int(each.target_ends_us[0] - each.target_starts_us[0]) / DAY_US for each in windows])
        background = np.outer(days, self.background(circles.reference))
        rates: np.ndarray = circles.once(
            (self.kind, self.parameters), lambda: no_target_rates(self.parameters, circles, windows, background)
        )
        return rates

    def expected_count(self, inputs: Events, days: TargetDays, reference: np.ndarray) -> np.ndarray:
        """float64 (n,): expected number of targets in each window, all generations; NaN where there is no reference."""
        return self._sum(inputs, days, reference, "number")

    def simulated(
        self, inputs: Events, days: TargetDays, reference: np.ndarray, rng: np.random.Generator | Sequence[np.random.Generator], runs: int
    ) -> np.ndarray:
        """int64 (n, runs): simulated numbers of targets in each window.

        rng: one for all days, in their order, or one for each day, so that a day's numbers do not depend on the others. A reference that is
        NaN is an error of the caller (ValueError).
        """
        if not len(days):
            return np.empty((0, runs), dtype=np.int64)
        parents = seen_on(inputs, self.recipe, days).parents
        background, share = self.background(reference), detected_share(parents, days)
        if np.isnan(background).any():
            raise ValueError("the number of events cannot be simulated without a reference rate")
        law = Law(self.parameters, self.recipe.threshold_mag)
        out = np.empty((len(days), runs), dtype=np.int64)
        for j in range(len(days)):
            known = parents.visible(int(days.cut_us[j]))
            drawn = rng if isinstance(rng, np.random.Generator) else rng[j]
            length = int(days.target_ends_us[j] - days.target_starts_us[j]) / DAY_US
            counts = simulated_counts(known, law, int(days.target_starts_us[j]), length, float(background[j]), runs, drawn)
            out[j] = drawn.binomial(counts, share[j])
        return out

    def probability_without(self, inputs: Events, days: TargetDays, reference: np.ndarray, gone: np.ndarray) -> np.ndarray:
        """float64 (k,): the `probability` of the one day in `days` without the events of each row of `gone`, bool (k, n).

        The triggered rate is a sum over events, so it is enough to leave out their terms.
        """
        found = seen_on(inputs, self.recipe, days)
        rings, background = self._rings(days), self._background(reference, days, "hit")
        left_out = gone[:, found.parents.index]
        triggered = sums_without(found.parents, found.stream, self.parameters, rings, rings.hit, left_out)
        shares = np.array([detected_share(found.parents, days, ~row)[0] for row in left_out])
        probability: np.ndarray = -np.expm1(-shares * (triggered + background))
        return probability

    def _sum(self, inputs: Events, days: TargetDays, reference: np.ndarray, mean: Literal["hit", "number"]) -> np.ndarray:
        """(n,): -log P(no target) from the rings' `hit`, the expected number from their `number`."""
        triggered = np.empty(len(days))
        if not len(days):
            return triggered
        seen, rings = seen_on(inputs, self.recipe, days), self._rings(days)
        weights = rings.hit if mean == "hit" else rings.number
        triggered[seen.order] = triggered_sums(seen.parents, seen.stream, self.parameters, rings, weights)
        sums: np.ndarray = detected_share(seen.parents, days) * (triggered + self._background(reference, days, mean))
        return sums

    def _rings(self, days: TargetDays) -> Rings:
        window = float(np.median(days.target_ends_us - days.target_starts_us)) / DAY_US
        return solve(self.parameters, self.recipe.threshold_mag, self.recipe.radius_km, window)

    def _background(self, reference: np.ndarray, days: TargetDays, mean: Literal["hit", "number"]) -> np.ndarray:
        """(n,): what the background alone adds to the sum of each window."""
        rings = self._rings(days)
        steady = rings.background_hit if mean == "hit" else rings.background_number
        background: np.ndarray = self.background(reference) * float(steady @ rings.area_ratio) * rings.per_target
        return background

    def background(self, reference: np.ndarray) -> np.ndarray:
        """(n,): expected background targets of each window. The background density outside the circle is assumed to be that inside."""
        rate = -np.log1p(-np.asarray(reference, dtype=np.float64))
        slow = rate if self.long_term_rate is None else self.long_term_rate
        return self.parameters.background * rate + self.parameters.long_term * slow

    def save(self, folder: Path) -> dict[str, Any]:
        """The whole model as a record. No file is written."""
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
        CorruptModel: a key is missing, or a value is not a number in its range.
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
    if (
        not all(np.isfinite(list(numbers.values())))
        or min(parameters.background, parameters.long_term, parameters.k, parameters.c) <= 0
        or parameters.d <= 0
        or parameters.q <= 1
    ):
        raise CorruptModel(
            f"{folder}: ETAS parameters must be finite and positive, q above 1, got {numbers}; delete the model and train again"
        )
    return model


def generic(recipe: Recipe, world: Pretrained | None = None) -> EtasModel:
    """ETAS without a fit, with the parameters of this set, which are pooled over circles around the world. Without a set, the package's
    parameters are used, fitted on data to 2010 (`etas_priors`).

    Raises:
        CorruptModel: the set holds no parameters of this version.
    """
    vector = POOLED.copy() if world is None else read_vector(world)
    vector[2] -= LN10 * B_VALUE * (recipe.threshold_mag - PARENT_MAG)
    return EtasModel(recipe, parameters_of(vector), None, POOLED_UNTIL if world is None else world.data_until, "generic")


def generic_for(recipe: Recipe, day: date, first_day: date) -> EtasModel | None:
    """`generic` with the newest set that may forecast the local `day`. None where the day is not after the data of the package's
    parameters.
    """
    world = newest_before(KIND, day)
    return generic(recipe, world) if world is not None or day > POOLED_UNTIL else None


def fit_generic(history: History, *, seed: int | None = None, max_minutes: float | None = None) -> EtasModel:
    """`generic` as a kind of its own. Nothing is fitted; `seed` and `max_minutes` are ignored."""
    return generic(history.recipe)


def fit(history: History, *, seed: int | None = None, max_minutes: float | None = None) -> EtasModel:
    """Fit by both likelihoods on the first four fifths of the days, keep the one that is better on the rest, and refit it on all days.

    The fit is deterministic; `seed` is ignored.

    Raises:
        NotTrainable: too few days or target days, no convergence, or `max_minutes` have passed.
    """
    history = _usable(history)
    deadline = None if max_minutes is None else time.monotonic() + 60.0 * max_minutes
    prior = prior_for(history)
    days = len(history.days)
    cut = round(days * (1.0 - VALIDATION_SHARE))
    training, validation = history.take(slice(0, cut)), slice(cut + purge_days(history.recipe), days)
    everything = DailyLikelihood(history, parents_on(history.inputs, history.recipe, history.days))
    losses: dict[str, float] = {}
    found: dict[str, Maximum] = {}
    for name in (DAILY, POINT):
        likelihood, long_term = _likelihood(name, training)
        found[name] = _maximum(likelihood, prior, prior.mean, deadline, errors=False)
        counts = everything.counts(found[name].vector, long_term) * _inner_factor(everything, found[name].vector)
        losses[name] = log_loss(-np.expm1(-counts[validation]), history.happened[validation])
    kept = min(losses, key=lambda name: losses[name])
    likelihood, long_term = (everything, everything.long_term) if kept == DAILY else _likelihood(kept, history)
    best = _maximum(likelihood, prior, found[kept].vector, deadline, errors=True)
    if not best.converged:
        raise NotTrainable(
            f"{history.recipe.id}: the {kept} likelihood of ETAS has no maximum after {best.evaluations} evaluations "
            f"({int(history.happened.sum())} target days among {days}); use the reference"
        )
    last = history.last_day + timedelta(days=history.recipe.predict_range_days - 1)
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
    """The days that have a reference, after checks."""
    kept = history.take(np.isfinite(history.reference))
    targets = int(kept.happened.sum())
    if len(kept.days) < MIN_DAYS or targets < MIN_TARGET_DAYS:
        raise NotTrainable(
            f"{history.recipe.id}: ETAS needs {MIN_DAYS} days with a reference and {MIN_TARGET_DAYS} target days among them, "
            f"there are {len(kept.days)} and {targets}; widen the circle, lower the threshold, or load an older part of the catalogue"
        )
    return kept


def _likelihood(name: str, history: History) -> tuple[DailyLikelihood | PointLikelihood, float]:
    likelihood: DailyLikelihood | PointLikelihood
    if name == DAILY:
        likelihood = DailyLikelihood(history, parents_on(history.inputs, history.recipe, history.days))
    else:
        likelihood = PointLikelihood(history, parents_on(history.catalogue.known_at_once(), history.recipe, history.days))
    return likelihood, likelihood.long_term


def _maximum(
    likelihood: DailyLikelihood | PointLikelihood, prior: Prior, start: np.ndarray, deadline: float | None, *, errors: bool
) -> Maximum:
    """The maximum of the likelihood. For the daily likelihood, triggering inside the windows is included by a second search with the factor
    of the first.
    """
    objective = _within(likelihood, deadline, likelihood.parents.recipe)
    if isinstance(likelihood, PointLikelihood):
        return maximise(objective, prior, start, errors=errors)
    first = maximise(objective, prior, start)
    whole = likelihood.scaled(_inner_factor(likelihood, first.vector))
    return maximise(_within(whole, deadline, likelihood.parents.recipe), prior, first.vector, errors=errors)


def _inner_factor(likelihood: DailyLikelihood, vector: np.ndarray) -> float:
    """Ratio of -log P(no target) with triggering inside the windows to that without it, over all days together."""
    parameters, recipe, days = parameters_of(vector), likelihood.parents.recipe, likelihood.days
    window = float(np.median(days.target_ends_us - days.target_starts_us)) / DAY_US
    rings = solve(parameters, recipe.threshold_mag, recipe.radius_km, window)
    background = float(np.sum(parameters.background * likelihood.rate + parameters.long_term * likelihood.long_term))
    direct = triggered_sums(likelihood.parents, likelihood.stream, parameters, rings, np.outer(np.ones(len(rings.hit)), rings.inside))
    hit = triggered_sums(likelihood.parents, likelihood.stream, parameters, rings, rings.hit)
    steady = float(rings.background_hit @ rings.area_ratio) * rings.per_target
    return (float(hit.sum()) + steady * background) / (float(direct.sum()) / rings.per_target + background)


def _within(objective: Objective, deadline: float | None, recipe: Recipe) -> Objective:
    """The same objective, which stops the search at the deadline."""

    def timed(vector: np.ndarray) -> tuple[float, np.ndarray]:
        if deadline is not None and time.monotonic() > deadline:
            raise NotTrainable(f"{recipe.id}: the fit of ETAS has used up its time; allow more minutes, or use the reference")
        return objective(vector)

    return timed
