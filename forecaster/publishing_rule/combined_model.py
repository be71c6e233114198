"""The published combination of one recipe as a model."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import ClassVar

import numpy as np

from forecaster.features.events import Events
from forecaster.features.windows import TargetDays
from forecaster.models.interface import FittedModel, bounded
from forecaster.publishing_rule.combination import KIND
from forecaster.publishing_rule.publishing_rule import rule_named
from forecaster.registry.publishing_rules import DEFAULT_RULE


@dataclass(frozen=True)
class CombinedModel:
    """The combination of one recipe, ready to forecast. `members` by kind include those with a weight. Without any the forecast is the
    usual rate.
    """

    kind: ClassVar[str] = KIND
    members: Mapping[str, FittedModel]
    weights: Mapping[str, float]
    rule: str = DEFAULT_RULE

    @property
    def used(self) -> dict[str, FittedModel]:
        """The members that have a weight, by kind."""
        return {name: self.members[name] for name in self.weights if name in self.members}

    @property
    def last_data_day(self) -> date:
        """The last local day of any data that entered a member with a weight."""
        return max((model.last_data_day for model in self.used.values()), default=date.min)

    def probability(self, inputs: Events, days: TargetDays, reference: np.ndarray) -> np.ndarray:
        """float64 (n,): the combination of the members' forecasts; NaN where the reference is NaN."""
        return self.combined({name: bounded(model.probability(inputs, days, reference)) for name, model in self.used.items()}, reference)

    def combined(self, probabilities: Mapping[str, np.ndarray], reference: np.ndarray) -> np.ndarray:
        """float64 (n,): the combination of these forecasts of the members `used`, by kind."""
        return rule_named(self.rule).combine(probabilities, self.weights, reference)
