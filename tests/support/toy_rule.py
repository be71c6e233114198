"""A publishing rule for tests: the member alone that said most on the days of the target, combined as the largest of what has weight."""

from collections.abc import Mapping

import numpy as np

from forecaster.publishing_rule.combination import Belief, certain
from forecaster.publishing_rule.publishing_rule import Learnt, PublishingRule, VerifiedDays
from forecaster.publishing_rule.weights import WorldWeights

NAME = "loudest"


class Loudest(PublishingRule):
    """See the module."""

    def starting_weights(self, base: WorldWeights) -> Mapping[str, float]:
        return {"etas": 1.0}

    def learn_own(self, base: WorldWeights, world: Belief, verified: VerifiedDays) -> Learnt:
        said = {kind: values[verified.happened].mean() for kind, values in verified.probabilities.items()}
        return Learnt(certain({max(said, key=lambda kind: said[kind]): 1.0}), len(verified), int(verified.happened.sum()))

    def combine(self, said: Mapping[str, np.ndarray], weights: Mapping[str, float], reference: np.ndarray) -> np.ndarray:
        return np.max([said[kind] for kind in weights if kind in said], axis=0)


RULE = Loudest(NAME)
