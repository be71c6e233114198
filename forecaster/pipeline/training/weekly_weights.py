"""Relearn the weights of the combination once a week from this installation's verified official forecasts."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from forecaster.installed import code_version
from forecaster.publishing_rule.publishing_rule import Learnt, PublishingRule, VerifiedDays, rule_named, verified_days_of
from forecaster.publishing_rule.weights import WorldWeights, usable_weights
from forecaster.recipe import Recipe
from forecaster.registry.publishing_rules import DEFAULT_RULE
from forecaster.store import publications
from forecaster.store.database import Connection
from forecaster.store.typed_rows.model_types import NewWeights
from forecaster.timewindow import FIRST_DAY, days_of_windows_us, next_local_day

log = logging.getLogger(__name__)

LEARN_EVERY = timedelta(days=7)


def relearn(connection: Connection, recipes: Sequence[Recipe], now: datetime, *, force: bool = False) -> dict[str, str]:
    """Learn and store the world's weights and each recipe's, where the last ones are a week old; return what was learnt, by scope.

    Learning uses only final outcomes of days that the package's weights have not seen. Recipes kept for comparison affect only their own
    weights. Forecasts from `now` on use the new weights; official forecasts do not change. Nothing is learnt where the base
    weights cannot be read.
    """
    base, problem = usable_weights(min((next_local_day(now, recipe.zone) for recipe in recipes), default=now.date()))
    if problem is not None:
        log.error("no weights are learnt: %s", problem)
        return {}
    rules = [rule_named(name) for name in dict.fromkeys(recipe.publishing_rule for recipe in recipes)]
    due = [rule for rule in rules if force or _is_due(connection, rule, base, now)]
    verified = _verified(connection, recipes, base, now) if due else {}
    reasons: dict[str, str] = {}
    for rule in due if verified else ():
        reasons |= _learn(connection, rule, recipes, verified, base, now)
    return reasons


def _is_due(connection: Connection, rule: PublishingRule, base: WorldWeights, now: datetime) -> bool:
    last = publications.newest_weights(connection, publications.WORLD, "", rule.based_on(base), now)
    return last is None or now - last["since"] >= LEARN_EVERY


def _learn(
    connection: Connection,
    rule: PublishingRule,
    recipes: Sequence[Recipe],
    verified: Mapping[str, VerifiedDays],
    base: WorldWeights,
    now: datetime,
) -> dict[str, str]:
    """Learn and store the weights of one rule: the world's, and those of the recipes that have this rule."""
    relied_on = {recipe.id: verified[recipe.id] for recipe in recipes if recipe.id in verified and recipe.comparison_only is None}
    world = rule.learn_world(base, relied_on)
    scope = publications.WORLD if rule.name == DEFAULT_RULE else f"{publications.WORLD}, {rule.name}"
    reasons = {scope: _store(connection, publications.WORLD, "", base, rule, world, now)}
    for recipe in recipes:
        if recipe.id in verified and recipe.publishing_rule == rule.name:
            own = rule.learn_own(base, world.belief, verified[recipe.id])
            reasons[recipe.id] = _store(connection, recipe.id, recipe.target_hash, base, rule, own, now)
    log.info("weights learnt from %d recipes: %s", len(verified), reasons[scope])
    return reasons


def _verified(connection: Connection, recipes: Sequence[Recipe], base: WorldWeights, now: datetime) -> dict[str, VerifiedDays]:
    """Return, by recipe, its verified official days after those behind the base weights; recipes without any are absent."""
    since = FIRST_DAY if base.data_until is None else base.data_until + timedelta(days=1)
    begin = min(recipe.target_window(since).start for recipe in recipes) if recipes else now
    rows = publications.verified_members(connection, {recipe.id: recipe.target_hash for recipe in recipes}, begin, now)
    found = {}
    for recipe in recipes:
        mine = rows[recipe.id]
        if len(mine):
            starts_us = mine["target_start"].astype("datetime64[us, UTC]").astype("int64").to_numpy()
            found[recipe.id] = verified_days_of(mine, days_of_windows_us(starts_us, recipe.zone))
    return found


def _store(
    connection: Connection, scope: str, target_hash: str, base: WorldWeights, rule: PublishingRule, learnt: Learnt, now: datetime
) -> str:
    whose = "of all recipes" if scope == publications.WORLD else "of its own"
    reason = f"learnt from {learnt.days} verified days {whose} ({learnt.target_days} with such an earthquake), on top of {base.name}"
    reason += "" if rule.name == DEFAULT_RULE else f", by the rule {rule.name}"
    if learnt.rate_only:
        reason += f"; the usual rate alone is published, the combination is worse with a probability of {learnt.worse:.0%}"
    row: NewWeights = {
        "scope": scope,
        "target_hash": target_hash,
        "base": rule.based_on(base),
        "since": now,
        "weights": learnt.weights,
        "belief": learnt.belief.record(),
        "rate_only": learnt.rate_only,
        "reason": reason,
        "numbers": learnt.numbers(),
        "code_version": code_version(),
    }
    publications.add_weights(connection, row)
    return reason
