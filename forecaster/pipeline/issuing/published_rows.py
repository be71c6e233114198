"""The members' forecasts of a recipe, and the parts of the published row: which members count, its id, its details, its numbers."""

from collections.abc import Container, Sequence
from dataclasses import replace
from datetime import date
from hashlib import sha256
from typing import Any

import numpy as np

from forecaster.errors import ModelError
from forecaster.features.events import Events
from forecaster.features.windows import TargetDays
from forecaster.models.interface import CountsTargets
from forecaster.pipeline.issuing.members import Member, asked
from forecaster.publishing_rule.blend import Blend
from forecaster.publishing_rule.combination import KIND, RATE
from forecaster.publishing_rule.combined_model import CombinedModel
from forecaster.publishing_rule.publishing_rule import noted, rule_named
from forecaster.recipe import Recipe
from forecaster.registry.reasons import Reason, of_error

COUNT_RUNS = 2000


def counting(blend: Blend, members: Sequence[Member]) -> Blend:
    """Return `blend` without weights for members that gain by their level alone. A person's choice is kept."""
    if blend.how != "combination":
        return blend
    level_only = {member.kind for member in members if member.level_only}
    return replace(blend, weights={kind: weight for kind, weight in blend.weights.items() if kind not in level_only})


def ask_all(
    members: Sequence[Member], inputs: Events, days: TargetDays, reference: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, Reason]]:
    """Return the members' forecasts: {kind: probabilities (n,)}, and {kind: why a member has no forecast}."""
    forecasts: dict[str, np.ndarray] = {}
    no_forecast: dict[str, Reason] = {}
    for member in members:
        try:
            forecasts[member.kind] = asked(member, inputs, days, reference)
        except ModelError as error:
            no_forecast[member.kind] = of_error(error)
    return forecasts, no_forecast


def combined_model(members: Sequence[Member], blend: Blend, forecast: Container[str]) -> CombinedModel:
    """Build the combination of the members that issued a forecast, as a model."""
    return CombinedModel({member.kind: member.model for member in members if member.kind in forecast}, blend.weights, blend.rule)


def model_id_of(recipe: Recipe, members: Sequence[Member], blend: Blend) -> str:
    """Derive an id from the recipe, the weighted members and their weights."""
    used = {member.kind: member.model_id for member in members if member.kind in blend.weights}
    key = "|".join(f"{kind}={used.get(kind)}x{weight:.6g}" for kind, weight in sorted(blend.weights.items()))
    return f"{recipe.id}-{KIND}-{sha256(key.encode()).hexdigest()[:8]}"


def details_of(members: Sequence[Member], blend: Blend, forecast: Container[str], record_from: date) -> dict[str, Any]:
    """Return what is stored with a published forecast.

    That is: how it was chosen, the weights as applied (those of members without a forecast are shared out), members by kind (their ids),
    the source of the weights, the rule where it is not the default one, and the first day of the record of target days.
    """
    weights = {kind: round(weight, 8) for kind, weight in rule_named(blend.rule).applied(blend.weights, forecast).items()}
    used = {member.kind: member.model_id for member in members if member.kind in weights}
    how = blend.how if weights else "rate"
    origin = {} if blend.origin is None else {"weights_from": blend.origin.stored()}
    details = {"how": how, "weights": weights, "members": used, "source": blend.source, **origin, **noted(blend.rule)}
    return details | {"record_from": record_from.isoformat()}


def counts_of(members: Sequence[Member], inputs: Events, days: TargetDays, reference: np.ndarray) -> list[dict[str, dict[str, Any]]]:
    """Return event counts for each day, by kind of the member that counts: expected_count, count_low and count_high (95 %).

    {} where no member gives counts.
    """
    counting = next(((member.kind, member.model) for member in members if isinstance(member.model, CountsTargets)), None)
    if counting is None or not len(days):
        return [{} for _ in range(len(days))]
    kind, model = counting
    drawn = [np.random.default_rng(int(start) // 1_000_000) for start in days.target_starts_us]
    simulated = model.simulated(inputs, days, reference, drawn, COUNT_RUNS)
    expected = model.expected_count(inputs, days, reference)
    own = np.quantile(simulated, [0.025, 0.975], axis=1, method="inverted_cdf").T.astype(int)
    return [{kind: numbers_of(float(expected[j]), int(own[j, 0]), int(own[j, 1]))} for j in range(len(days))]


def numbers_of(expected: float, low: int, high: int) -> dict[str, Any]:
    """Return an expected number and its 95 % range as the details of a forecast hold them."""
    return {"expected_count": expected, "count_low": low, "count_high": high}


def rate_row(recipe: Recipe, probability: float) -> dict[str, Any]:
    """Return the climatology's forecast: model_id, model_kind, probability, details."""
    return {"model_id": f"{recipe.id}-{RATE}", "model_kind": RATE, "probability": probability, "details": None}
