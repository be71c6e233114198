"""Learn the weights of the combination from verified forecasts: the world's weights from all recipes, a recipe's from its own.

The world's weights start from the package's, which were learnt on other days. A recipe's own weights start from the world's and move only
as far as its own record supports (partial pooling). The usual rate alone is published only where pooled and own evidence together show that
the combination is worse.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from forecaster.publishing_rule.combination import MEMBERS, Belief, Days, combine, departures, learn, stack
from forecaster.publishing_rule.weights import WorldWeights
from forecaster.verification.intervals import DailyGain, linear_spread
from forecaster.verification.scores import log_likelihood

WORSE = 0.95  # posterior probability from which the usual rate is published instead
MIN_TARGET_DAYS = 30
BLOCK_DAYS = 90


@dataclass(frozen=True)
class Settled:
    """Verified days of one target.

    said: forecast probabilities by kind of member, (n,), NaN where there is none; local_days, reference, happened (n,).
    """

    local_days: np.ndarray
    said: Mapping[str, np.ndarray]
    reference: np.ndarray
    happened: np.ndarray

    def __len__(self) -> int:
        return len(self.happened)

    def take(self, selection: np.ndarray) -> "Settled":
        """Return the days where this mask is true."""
        said = {kind: values[selection] for kind, values in self.said.items()}
        return Settled(self.local_days[selection], said, self.reference[selection], self.happened[selection])

    @property
    def days(self) -> Days:
        """The days as input of the weight learning."""
        return Days(departures(self.said, self.reference), self.reference, self.happened)


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


def verified_days_of(frame: pd.DataFrame, local_days: np.ndarray) -> Settled:
    """Build from rows of one target (target_start, model_kind, probability, reference_probability, happened), one per day and kind.

    local_days: datetime64[D], of each row.
    """
    wide = frame.assign(local_day=local_days).pivot_table(index="local_day", columns="model_kind", values="probability", aggfunc="last")
    first = frame.assign(local_day=local_days).drop_duplicates("local_day").set_index("local_day").loc[wide.index]
    said = {kind: wide[kind].to_numpy(dtype=np.float64) for kind in MEMBERS if kind in wide}
    reference, happened = first["reference_probability"].to_numpy(dtype=np.float64), first["happened"].to_numpy(dtype=bool)
    return Settled(wide.index.to_numpy().astype("datetime64[D]"), said, reference, happened)


def learn_world(base: WorldWeights, parts: Mapping[str, Settled]) -> Learnt:
    """Learn the world's weights from the verified days of these recipes."""
    days = stack([part.days for part in parts.values()])
    return Learnt(learn(base.belief, days, base.day_share), len(days), int(days.happened.sum()))


def learn_own(base: WorldWeights, world: Belief, settled: Settled) -> Learnt:
    """Learn one recipe's weights from its own verified days, and whether the combination is worse than the usual rate there.

    The latter is evaluated with the package's weights, which have not seen these days.
    """
    belief = learn(world.about(base.own_sd), settled.days, base.day_share)
    gain, worse = _worse(base, settled)
    return Learnt(belief, len(settled), int(settled.happened.sum()), gain, worse)


def _worse(base: WorldWeights, settled: Settled) -> tuple[tuple[float, float] | None, float]:
    """Return `Learnt.gain` and `Learnt.worse`."""
    targets = int(settled.happened.sum())
    if targets < MIN_TARGET_DAYS:
        return None, NormalDist(base.gain_mean, base.gain_sd).cdf(0.0)
    said = combine(settled.said, base.belief.weights, settled.reference)
    daily = log_likelihood(settled.happened, said) - log_likelihood(settled.happened, settled.reference)
    estimate = float(daily.sum()) / targets
    spread = linear_spread(DailyGain(settled.local_days, daily, settled.happened), BLOCK_DAYS)
    mean, sd = posterior(base, estimate, spread)
    return (estimate, spread), NormalDist(mean, sd).cdf(0.0)


def posterior(base: WorldWeights, estimate: float, spread: float) -> tuple[float, float]:
    """Return the posterior (mean, standard deviation) of a recipe's true gain, nats per target day.

    Its own record gives `estimate` with the standard error `spread`. The prior is normal about the gain of all circles.
    """
    own, prior = 1.0 / max(spread, 1e-6) ** 2, 1.0 / base.gain_sd**2
    return (own * estimate + prior * base.gain_mean) / (own + prior), (own + prior) ** -0.5
