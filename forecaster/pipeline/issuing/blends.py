"""What is published for each of many days, from the decisions and the weights in the store: `publishing_rule.blend` decides."""

from collections.abc import Sequence
from datetime import date, datetime

from forecaster.publishing_rule.blend import Blend, Decision, StoredWeights, choose
from forecaster.publishing_rule.publishing_rule import rule_named
from forecaster.publishing_rule.weights import usable_weights
from forecaster.recipe import Recipe
from forecaster.store import publications
from forecaster.store.database import Connection
from forecaster.store.typed_rows.model_types import PublicationRow, WeightsRow


def blend_of(connection: Connection, recipe: Recipe, as_of: datetime, day: date) -> Blend:
    """Return what is published for the recipe's target on the local `day`, for forecasts from what was known at `as_of`."""
    return blends_of(connection, [(recipe, as_of, day)])[0]


def blends_of(connection: Connection, asked: Sequence[tuple[Recipe, datetime, date]]) -> list[Blend]:
    """Return the same as `blend_of` for many (recipe, as_of, day), in two queries."""
    made = publications.decisions_of_all(connection, [(recipe.id, recipe.target_hash, as_of) for recipe, as_of, _ in asked])
    bases = {day: usable_weights(day) for day in {day for _, _, day in asked}}
    wanted = [
        (scope, target_hash, rule_named(recipe.publishing_rule).based_on(bases[day][0]), as_of)
        for recipe, as_of, day in asked
        for scope, target_hash in ((recipe.id, recipe.target_hash), (publications.WORLD, ""))
    ]
    learnt = [_weights(row) for row in publications.newest_weights_of_all(connection, wanted)]
    return [
        choose(recipe.publishing_rule, _last(made[place]), learnt[2 * place], learnt[2 * place + 1], *bases[day])
        for place, (recipe, _, day) in enumerate(asked)
    ]


def _last(made: Sequence[PublicationRow]) -> Decision | None:
    return Decision(made[-1]["how"], made[-1]["kind"], made[-1]["model_id"], made[-1]["reason"]) if made else None


def _weights(row: WeightsRow | None) -> StoredWeights | None:
    return None if row is None else StoredWeights(row["weights"], row["rate_only"], row["reason"], f"{row['scope']} {row['number']}")
