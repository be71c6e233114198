"""The publishing rule `learnt_weights`: a weighted combination whose weights are learnt from verified forecasts.

The world's weights start from the package's, which were learnt on other days, and are learnt from all recipes. A recipe's own weights start
from the world's and move only as far as its own record supports (partial pooling). The usual rate alone is published only where pooled and
own evidence together show that the combination is worse.
"""

from collections.abc import Mapping
from statistics import NormalDist

from forecaster.publishing_rule.combination import Belief, combine, learn, stack
from forecaster.publishing_rule.publishing_rule import MIN_TARGET_DAYS, Learnt, PublishingRule, VerifiedDays
from forecaster.publishing_rule.weights import WorldWeights
from forecaster.verification.intervals import DailyGain, linear_spread
from forecaster.verification.scores import log_likelihood

BLOCK_DAYS = 90


def _worse(base: WorldWeights, verified_days: VerifiedDays) -> tuple[tuple[float, float] | None, float]:
    """Return `Learnt.gain` and `Learnt.worse`."""
    targets = int(verified_days.happened.sum())
    if targets < MIN_TARGET_DAYS:
        return None, NormalDist(base.gain_mean, base.gain_sd).cdf(0.0)
    combined = combine(verified_days.probabilities, base.belief.weights, verified_days.reference)
    daily = log_likelihood(verified_days.happened, combined) - log_likelihood(verified_days.happened, verified_days.reference)
    estimate = float(daily.sum()) / targets
    spread = linear_spread(DailyGain(verified_days.local_days, daily, verified_days.happened), BLOCK_DAYS)
    mean, sd = posterior(base, estimate, spread)
    return (estimate, spread), NormalDist(mean, sd).cdf(0.0)


def posterior(base: WorldWeights, estimate: float, spread: float) -> tuple[float, float]:
    """Return the posterior (mean, standard deviation) of a recipe's true gain, nats per target day.

    Its own record gives `estimate` with the standard error `spread`. The prior is normal about the gain of all circles.
    """
    own, prior = 1.0 / max(spread, 1e-6) ** 2, 1.0 / base.gain_sd**2
    return (own * estimate + prior * base.gain_mean) / (own + prior), (own + prior) ** -0.5


class LearntWeights(PublishingRule):
    """See the module."""

    def learn_world(self, base: WorldWeights, parts: Mapping[str, VerifiedDays]) -> Learnt:
        days = stack([part.days for part in parts.values()])
        return Learnt(learn(base.belief, days, base.day_share), len(days), int(days.happened.sum()))

    def learn_own(self, base: WorldWeights, world: Belief, verified: VerifiedDays) -> Learnt:
        """Learn one recipe's weights from its own verified days, and whether the combination is worse than the usual rate there.

        The latter is evaluated with the package's weights, which have not seen these days.
        """
        belief = learn(world.about(base.own_sd), verified.days, base.day_share)
        gain, worse = _worse(base, verified)
        return Learnt(belief, len(verified), int(verified.happened.sum()), gain, worse)


RULE = LearntWeights("learnt_weights")
