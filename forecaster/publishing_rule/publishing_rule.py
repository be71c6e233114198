"""The interface of a publishing rule, and the days that it learns from.

A rule gives each recipe weights for the forecasts of its members, and combines these. Which rule a recipe has is its field
`publishing_rule`; the map of the world and forecasts without a recipe have the default one.
"""

from abc import ABC, abstractmethod
from collections.abc import Container, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd

from forecaster.publishing_rule.combination import MEMBERS, Belief, Days, certain, combine, departures, shared_out
from forecaster.publishing_rule.weights import WorldWeights
from forecaster.registry.publishing_rules import DEFAULT_RULE, PUBLISHING_RULES

WORSE = 0.95  # posterior probability from which the usual rate is published instead
MIN_TARGET_DAYS = 30


@dataclass(frozen=True)
class VerifiedDays:
    """Verified days of one target.

    probabilities: forecast probabilities by kind of member, (n,), NaN where there is none; local_days, reference, happened (n,).
    """

    local_days: np.ndarray
    probabilities: Mapping[str, np.ndarray]
    reference: np.ndarray
    happened: np.ndarray

    def __len__(self) -> int:
        return len(self.happened)

    def take(self, selection: np.ndarray) -> "VerifiedDays":
        """Return the days where this mask is true."""
        probabilities = {kind: values[selection] for kind, values in self.probabilities.items()}
        return VerifiedDays(self.local_days[selection], probabilities, self.reference[selection], self.happened[selection])

    @property
    def days(self) -> Days:
        """The days as input of the weight learning."""
        return Days(departures(self.probabilities, self.reference), self.reference, self.happened)


@dataclass(frozen=True)
class Learnt:
    """The weights of one scope.

    gain: of the package's combination over the usual rate on these days (estimate, standard error; nats per target day), None where there
    are too few. worse: posterior probability that the gain is below 0.
    """

    belief: Belief
    days: int
    target_days: int
    gain: tuple[float, float] | None = None
    worse: float = 0.0

    @property
    def rate_only(self) -> bool:
        """Whether only the usual rate is published."""
        return self.worse > WORSE and self.target_days >= MIN_TARGET_DAYS

    @property
    def weights(self) -> dict[str, float]:
        """Weights by kind; empty where only the usual rate is published."""
        return {} if self.rate_only else self.belief.weights

    def numbers(self) -> dict[str, Any]:
        """Return the figures for records, JSON-able."""
        return {"days": self.days, "target_days": self.target_days, "gain": self.gain, "worse": self.worse}


@dataclass(frozen=True)
class PublishingRule(ABC):
    """A rule. Its module holds one as `RULE`, with the name that the registry has for it. Only `learn_own` must be written."""

    name: str

    def starting_weights(self, base: WorldWeights) -> Mapping[str, float]:
        """Return the weights by kind before anything is learnt here. base: those of the package."""
        return base.belief.weights

    def learn_world(self, base: WorldWeights, parts: Mapping[str, VerifiedDays]) -> Learnt:
        """Learn the weights of recipes without weights of their own from the verified days of all recipes, `parts` by recipe. Where a rule
        does not say otherwise, they keep the starting weights.
        """
        happened = sum(int(part.happened.sum()) for part in parts.values())
        return Learnt(certain(self.starting_weights(base)), sum(map(len, parts.values())), happened)

    @abstractmethod
    def learn_own(self, base: WorldWeights, world: Belief, verified: VerifiedDays) -> Learnt:
        """Learn one recipe's weights from its own verified days, which the package's weights have not seen. world: what was learnt from all
        recipes, else the package's.
        """

    def combine(self, probabilities: Mapping[str, np.ndarray], weights: Mapping[str, float], reference: np.ndarray) -> np.ndarray:
        """Return the published probabilities, float64 (n,), of the members' `probabilities` (NaN: none); NaN where the reference is."""
        return combine(probabilities, weights, reference)

    def applied(self, weights: Mapping[str, float], there: Container[str]) -> dict[str, float]:
        """Return the weights that `combine` uses where only these kinds issue a forecast."""
        return shared_out(weights, there)

    def based_on(self, base: WorldWeights) -> str:
        """Return the name under which weights that this rule has learnt on top of the package's are stored."""
        return base.name if self.name == DEFAULT_RULE else f"{base.name} by {self.name}"


def rule_named(name: str) -> PublishingRule:
    """Return the rule of this name in the registry."""
    rule: PublishingRule = import_module(PUBLISHING_RULES[name]).RULE
    return rule


def rule_stored(details: Mapping[str, Any]) -> str:
    """Return the name of the rule behind a stored forecast or fit."""
    return str(details.get("rule", DEFAULT_RULE))


def noted(name: str) -> dict[str, str]:
    """Return how the rule of this name is stored with a forecast or fit: not at all where it is the default one."""
    return {} if name == DEFAULT_RULE else {"rule": name}


def verified_days_of(frame: pd.DataFrame, local_days: np.ndarray) -> VerifiedDays:
    """Build from rows of one target (target_start, model_kind, probability, reference_probability, happened), one per day and kind.

    local_days: datetime64[D], of each row.
    """
    wide = frame.assign(local_day=local_days).pivot_table(index="local_day", columns="model_kind", values="probability", aggfunc="last")
    first = frame.assign(local_day=local_days).drop_duplicates("local_day").set_index("local_day").loc[wide.index]
    probabilities = {kind: wide[kind].to_numpy(dtype=np.float64) for kind in MEMBERS if kind in wide}
    reference, happened = first["reference_probability"].to_numpy(dtype=np.float64), first["happened"].to_numpy(dtype=bool)
    return VerifiedDays(wide.index.to_numpy().astype("datetime64[D]"), probabilities, reference, happened)
