"""What is published for a target on a day: the combination with which weights, one kind alone, or the usual rate; and why.

The first of these that exists decides: a person's decision, weights learnt from the recipe's own days, weights learnt from the days of all
recipes, the set of weights that comes with the package. `pipeline.issuing.blends` reads them from the store.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from forecaster.publishing_rule.publishing_rule import rule_named
from forecaster.publishing_rule.weights import WorldWeights
from forecaster.registry.publishing_rules import DEFAULT_RULE
from forecaster.registry.reasons import Reason, ReasonKey, iso, other
from forecaster.registry.weights_origin import WeightsFrom

How = Literal["combination", "kind", "rate"]
PERSON = WeightsFrom("person")
MAX_AGE_HOURS = 7 * 24.0  # of the catalogue: to every model, time that has not been read looks like days without an earthquake
NO_MEMBER = Reason(ReasonKey.NO_MEMBER)


@dataclass(frozen=True)
class Blend:
    """What is published for a target: `weights` by kind (none: the usual rate), and why.

    source, origin: where the weights come from (the package's set, or weights learnt on top of it), as one word and in parts.
    model_id: the exact model, where a person named one. problem: why the package's weights cannot be used. rule: by which the members are
    combined.
    """

    how: How
    weights: Mapping[str, float]
    reason: str
    source: str
    model_id: str | None = None
    problem: Reason | None = None
    origin: WeightsFrom | None = None
    rule: str = DEFAULT_RULE


@dataclass(frozen=True)
class Decision:
    """What a person decided to publish; kind, model_id: the one that is published alone, where it is one."""

    how: str
    kind: str | None
    model_id: str | None
    reason: str


@dataclass(frozen=True)
class StoredWeights:
    """Weights that were learnt on top of the package's, as they are stored. source: their scope and number."""

    weights: Mapping[str, float]
    rate_only: bool
    reason: str
    source: str


def choose(
    rule: str, decision: Decision | None, own: StoredWeights | None, world: StoredWeights | None, base: WorldWeights, fault: str | None
) -> Blend:
    """Return what is published. own, world: the newest weights that the `rule` has learnt from the recipe's days and from those of all
    recipes. base, fault: as `weights.usable_weights` gives them.
    """
    if decision is not None and decision.how == "rate":
        return Blend("rate", {}, decision.reason, "person", origin=PERSON)
    if decision is not None and decision.kind is not None:
        return Blend("kind", {decision.kind: 1.0}, decision.reason, "person", decision.model_id, origin=PERSON)
    for learnt, origin in ((own, WeightsFrom("own")), (world, WeightsFrom("world"))):
        if learnt is not None:
            weights = {} if learnt.rate_only else learnt.weights
            how: How = "rate" if learnt.rate_only else "combination"
            return Blend(how, weights, learnt.reason, learnt.source, problem=unreadable_weights(fault), origin=origin, rule=rule)
    return shipped(base, fault, rule)


def usual_rate_if_stale(blend: Blend, age_hours: float, read_until: datetime | None) -> Blend:
    """Return `blend`, or the usual rate alone where the catalogue has not been read for MAX_AGE_HOURS."""
    if age_hours <= MAX_AGE_HOURS:
        return blend
    days = {"days": round(MAX_AGE_HOURS / 24)}
    problem = (
        Reason(ReasonKey.NEVER_READ, days)
        if read_until is None
        else Reason(ReasonKey.NOT_READ_SINCE, {"at": iso(read_until.astimezone(UTC)), **days})
    )
    return Blend("rate", {}, str(problem), blend.source, problem=problem, origin=blend.origin)


def unreadable_weights(fault: str | None) -> Reason | None:
    """Return the reason that the package's weights cannot be used, for a `fault` of `usable_weights`."""
    return None if fault is None else Reason(ReasonKey.WEIGHTS, because=(other(fault),))


def shipped(base: WorldWeights, fault: str | None = None, rule: str = DEFAULT_RULE) -> Blend:
    """Return the weights with which the rule starts. fault: why the package's could not be used, as `usable_weights` gives it."""
    until = "not learnt: the mean of ETAS and the hybrid" if base.data_until is None else f"learnt on days to {base.data_until}"
    origin = WeightsFrom("mean") if base.data_until is None else WeightsFrom("package", base.data_until)
    why = f"weights of the package, {until}"
    weights = rule_named(rule).starting_weights(base)
    return Blend("combination", weights, why, base.name, problem=unreadable_weights(fault), origin=origin, rule=rule)


def lacking_of(blend: Blend, forecast: Container[str], missing: Mapping[str, Reason]) -> dict[str, Reason]:
    """Return, by kind that has weight and is not in `forecast`, why. A kind without any member is reported only where a person chose it."""
    known = dict.fromkeys(blend.weights, NO_MEMBER) | dict(missing) if blend.how == "kind" else missing
    return {kind: known[kind] for kind in blend.weights if kind in known and kind not in forecast}


def problems_of(blend: Blend, lacking: Mapping[str, Reason], replaced: Mapping[str, Reason]) -> list[Reason]:
    """Return what degrades the combination: unreadable weights, missing members (`lacking_of`), or fits replaced by a generic model."""
    problems = [blend.problem] if blend.problem is not None else []
    problems += [Reason(ReasonKey.WITHOUT, {"kind": kind}, (why,)) for kind, why in lacking.items()]
    return problems + [Reason(ReasonKey.GENERIC, {"kind": kind}, (why,)) for kind, why in replaced.items() if kind in blend.weights]
