"""Simulate what would have been published on past days: the combination of the evaluated members, walking forward.

At the start of each month the weights are relearnt, as the weekly schedule does it (`learning`), from the days whose outcome was final by
then: the world's weights from all recipes except those for comparison, each recipe's from its own days. Learning starts from the package's
weights that may be used for the first day. So no figure and no weight of a day depends on a later day.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from forecaster.models.baselines.climatology import FINAL_AFTER_DAYS
from forecaster.models.pretrained import packaged
from forecaster.pipeline.evaluation.evaluate_forecasts import CIRCLES_ETAS, CIRCLES_POOL
from forecaster.publishing_rule.combination import KIND, MEMBERS
from forecaster.publishing_rule.publishing_rule import PublishingRule, VerifiedDays, rule_named, verified_days_of
from forecaster.publishing_rule.weights import WorldWeights, weights_for
from forecaster.registry.publishing_rules import DEFAULT_RULE

NO_RULES: Mapping[str, str] = {}


def with_published(daily: pd.DataFrame, pools: Mapping[str, str | None], rules: Mapping[str, str] = NO_RULES) -> pd.DataFrame:
    """Return the rows with those of model "published" added, for every arm, recipe and day with a forecast of at least one member.

    Args:
        daily: rows of `evaluate`.
        pools: recipe id -> its pool. Recipes for comparison only (None) and random circles affect only their own weights.
        rules: recipe id -> its publishing rule, where it is not the default one.

    Where a recipe has no fitted ETAS in the arm, the generic one is the member, as in an installation that has trained nothing.
    """
    found = [daily]
    for _, rows in daily.groupby("arm", sort=True):
        verified = {str(recipe_id): _settled(part) for recipe_id, part in rows.groupby("recipe_id", sort=True)}
        verified = {name: one for name, one in verified.items() if len(one)}
        published = walk_forward(verified, pools, rules) if verified else {}
        plain = rows.drop_duplicates(["recipe_id", "local_day"]).set_index(["recipe_id", "local_day"])
        for recipe_id, one in verified.items():
            part = plain.loc[recipe_id].loc[pd.DatetimeIndex(one.local_days.astype("datetime64[s]"))].reset_index()
            found.append(part.assign(recipe_id=recipe_id, model=KIND, probability=published[recipe_id])[daily.columns])
    return pd.concat(found, ignore_index=True)


def walk_forward(
    verified: Mapping[str, VerifiedDays], pools: Mapping[str, str | None], rules: Mapping[str, str] = NO_RULES
) -> dict[str, np.ndarray]:
    """Return, by recipe, the published probability (n,) of each day, with weights learnt on what was final when its month began."""
    first = min(one.local_days.min() for one in verified.values())
    base = weights_for(first.item(), packaged())
    out = {name: np.full(len(one), np.nan) for name, one in verified.items()}
    last = max(one.local_days.max() for one in verified.values())
    by = {name: rule_named(rules.get(name, DEFAULT_RULE)) for name in verified}
    for month in np.arange(first.astype("datetime64[M]"), last.astype("datetime64[M]") + 1):
        begins = month.astype("datetime64[D]")
        weights = _weights(base, verified, pools, by, begins - FINAL_AFTER_DAYS - 1)
        for name, one in verified.items():
            days = one.local_days.astype("datetime64[M]") == month
            if days.any():
                now = one.take(days)
                out[name][days] = by[name].combine(now.probabilities, weights[name], now.reference)
    return out


def _weights(
    base: WorldWeights,
    verified: Mapping[str, VerifiedDays],
    pools: Mapping[str, str | None],
    by: Mapping[str, PublishingRule],
    settled_until: np.datetime64,
) -> dict[str, Mapping[str, float]]:
    """Return, by recipe, the weights learnt from the days up to and including `settled_until`; the package's where there are none."""
    until_then = {name: one.take(one.local_days <= settled_until) for name, one in verified.items()}
    until_then = {name: one for name, one in until_then.items() if len(one)}
    teachers = {name: one for name, one in until_then.items() if pools.get(name) not in (None, CIRCLES_POOL)}
    worlds = {rule.name: rule.learn_world(base, teachers) for rule in by.values()} if teachers else {}
    found: dict[str, Mapping[str, float]] = {}
    for name, rule in by.items():
        if name in until_then:
            found[name] = rule.learn_own(base, worlds[rule.name].belief if worlds else base.belief, until_then[name]).weights
        else:
            found[name] = worlds[rule.name].weights if worlds else rule.starting_weights(base)
    return found


def _settled(rows: pd.DataFrame) -> VerifiedDays:
    """Return the verified days of one arm and recipe."""
    kinds = set(rows["model"])
    if "etas" not in kinds and CIRCLES_ETAS in kinds:
        rows = rows.assign(model=rows["model"].replace(CIRCLES_ETAS, "etas"))
    rows = rows[rows["model"].isin(MEMBERS)].rename(columns={"model": "model_kind", "reference": "reference_probability"})
    return verified_days_of(rows, rows["local_day"].to_numpy().astype("datetime64[D]"))
