"""What a recipe publishes: the combination of its members with the current weights, or what a person decided instead."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any, Literal

import numpy as np

from forecaster.errors import ModelError
from forecaster.features.events import Events
from forecaster.features.windows import TargetDays
from forecaster.models.combination.combination import KIND, RATE, CombinedModel, shared_out
from forecaster.models.combination.weights import WorldWeights, usable_weights
from forecaster.models.interface import CountsTargets
from forecaster.pipeline.daily.members import Member, asked
from forecaster.recipe import Recipe
from forecaster.registry.reasons import Reason, ReasonKey, iso, of_error, other
from forecaster.registry.weights_from import WeightsFrom
from forecaster.store import publications
from forecaster.store.database import Connection
from forecaster.store.typed_rows.model_types import PublicationRow, WeightsRow

How = Literal["combination", "kind", "rate"]
COUNT_RUNS = 2000
PERSON = WeightsFrom("person")
MAX_AGE_HOURS = 7 * 24.0  # of the catalogue: to every model, time that has not been read looks like days without an earthquake
NO_MEMBER = Reason(ReasonKey.NO_MEMBER)


@dataclass(frozen=True)
class Standing:
    """What is published for a target: `weights` by kind (none: the usual rate), and why.

    source, origin: where the weights come from (the package's set, or weights learnt on top of it), as one word and in parts.
    model_id: the exact model, where a person named one. problem: why the package's weights cannot be used.
    """

    how: How
    weights: Mapping[str, float]
    reason: str
    source: str
    model_id: str | None = None
    problem: Reason | None = None
    origin: WeightsFrom | None = None


def standing(connection: Connection, recipe: Recipe, as_of: datetime, day: date) -> Standing:
    """Return what is published for the recipe's target on the local `day`, for forecasts from what was known at `as_of`."""
    return standings(connection, [(recipe, as_of, day)])[0]


def standings(connection: Connection, asked: Sequence[tuple[Recipe, datetime, date]]) -> list[Standing]:
    """Return the same as `standing` for many (recipe, as_of, day), in two queries."""
    made = publications.decisions_of_all(connection, [(recipe.id, recipe.target_hash, as_of) for recipe, as_of, _ in asked])
    bases = {day: usable_weights(day) for day in {day for _, _, day in asked}}
    wanted = [
        (scope, target_hash, bases[day][0].name, as_of)
        for recipe, as_of, day in asked
        for scope, target_hash in ((recipe.id, recipe.target_hash), (publications.WORLD, ""))
    ]
    learnt = publications.newest_weights_of_all(connection, wanted)
    return [
        _standing(made[place], {recipe.id: learnt[2 * place], publications.WORLD: learnt[2 * place + 1]}, *bases[day])
        for place, (recipe, _, day) in enumerate(asked)
    ]


def _standing(made: Sequence[PublicationRow], learnt: Mapping[str, WeightsRow | None], base: WorldWeights, fault: str | None) -> Standing:
    """made: decisions made by persons. learnt: the newest weights by scope, those of the recipe first. fault: of the package's weights."""
    problem = unreadable_weights(fault)
    last = made[-1] if made else None
    if last is not None and last["how"] == "rate":
        return Standing("rate", {}, last["reason"], "person", origin=PERSON)
    if last is not None and last["kind"] is not None:
        return Standing("kind", {last["kind"]: 1.0}, last["reason"], "person", last["model_id"], origin=PERSON)
    for scope, row in learnt.items():
        if row is not None:
            weights = {} if row["rate_only"] else row["weights"]
            how: How = "rate" if row["rate_only"] else "combination"
            origin = WeightsFrom("world" if scope == publications.WORLD else "own")
            return Standing(how, weights, row["reason"], f"{scope} {row['number']}", problem=problem, origin=origin)
    return shipped(base, fault)


def unless_too_old(standing: Standing, age_hours: float, read_until: datetime | None) -> Standing:
    """Return `standing`, or the usual rate alone where the catalogue has not been read for MAX_AGE_HOURS."""
    if age_hours <= MAX_AGE_HOURS:
        return standing
    days = {"days": round(MAX_AGE_HOURS / 24)}
    problem = (
        Reason(ReasonKey.NEVER_READ, days)
        if read_until is None
        else Reason(ReasonKey.NOT_READ_SINCE, {"at": iso(read_until.astimezone(UTC)), **days})
    )
    return Standing("rate", {}, str(problem), standing.source, problem=problem, origin=standing.origin)


def unreadable_weights(fault: str | None) -> Reason | None:
    """Return the reason that the package's weights cannot be used, for a `fault` of `usable_weights`."""
    return None if fault is None else Reason(ReasonKey.WEIGHTS, because=(other(fault),))


def shipped(base: WorldWeights, fault: str | None = None) -> Standing:
    """Return the package's weights unchanged. fault: why those that serve could not be used, as `usable_weights` gives it."""
    until = "not learnt: the mean of ETAS and the hybrid" if base.data_until is None else f"learnt on days to {base.data_until}"
    origin = WeightsFrom("mean") if base.data_until is None else WeightsFrom("package", base.data_until)
    why = f"weights of the package, {until}"
    return Standing("combination", base.belief.weights, why, base.name, problem=unreadable_weights(fault), origin=origin)


def counting(standing: Standing, members: Sequence[Member]) -> Standing:
    """Return `standing` without weights for members that gain by their level alone. A person's choice is kept."""
    if standing.how != "combination":
        return standing
    level_only = {member.kind for member in members if member.level_only}
    return replace(standing, weights={kind: weight for kind, weight in standing.weights.items() if kind not in level_only})


def lacking_of(standing: Standing, said: Container[str], missing: Mapping[str, Reason]) -> dict[str, Reason]:
    """Return, by kind that has weight and is not in `said`, why. A kind without any member is reported only where a person chose it."""
    known = dict.fromkeys(standing.weights, NO_MEMBER) | dict(missing) if standing.how == "kind" else missing
    return {kind: known[kind] for kind in standing.weights if kind in known and kind not in said}


def problems_of(standing: Standing, lacking: Mapping[str, Reason], replaced: Mapping[str, Reason]) -> list[Reason]:
    """Return what degrades the combination: unreadable weights, missing members (`lacking_of`), or fits replaced by a generic model."""
    told = [standing.problem] if standing.problem is not None else []
    told += [Reason(ReasonKey.WITHOUT, {"kind": kind}, (why,)) for kind, why in lacking.items()]
    return told + [Reason(ReasonKey.GENERIC, {"kind": kind}, (why,)) for kind, why in replaced.items() if kind in standing.weights]


def ask_all(
    members: Sequence[Member], inputs: Events, days: TargetDays, reference: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, Reason]]:
    """Return the members' forecasts: {kind: probabilities (n,)}, and {kind: why a member has no forecast}."""
    said: dict[str, np.ndarray] = {}
    silent: dict[str, Reason] = {}
    for member in members:
        try:
            said[member.kind] = asked(member, inputs, days, reference)
        except ModelError as error:
            silent[member.kind] = of_error(error)
    return said, silent


def combined_model(members: Sequence[Member], standing: Standing, said: Container[str]) -> CombinedModel:
    """Build the combination of the members that issued a forecast, as a model."""
    return CombinedModel({member.kind: member.model for member in members if member.kind in said}, standing.weights)


def model_id_of(recipe: Recipe, members: Sequence[Member], standing: Standing) -> str:
    """Derive an id from the recipe, the weighted members and their weights."""
    used = {member.kind: member.model_id for member in members if member.kind in standing.weights}
    key = "|".join(f"{kind}={used.get(kind)}x{weight:.6g}" for kind, weight in sorted(standing.weights.items()))
    return f"{recipe.id}-{KIND}-{sha256(key.encode()).hexdigest()[:8]}"


def details_of(members: Sequence[Member], standing: Standing, said: Container[str], record_from: date) -> dict[str, Any]:
    """Return what is stored with a published forecast.

    That is: how it was chosen, the weights as applied (those of members without a forecast are shared out), members by kind (their ids),
    the source of the weights, and the first day of the record of target days.
    """
    weights = {kind: round(weight, 8) for kind, weight in shared_out(standing.weights, said).items()}
    used = {member.kind: member.model_id for member in members if member.kind in weights}
    how = standing.how if weights else "rate"
    origin = {} if standing.origin is None else {"weights_from": standing.origin.stored()}
    told = {"how": how, "weights": weights, "members": used, "source": standing.source, **origin}
    return told | {"record_from": record_from.isoformat()}


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
