"""The rules by which forecasts are published: each name maps to the module of `publishing_rule` that decides. To add a rule, add one module
and one entry; a recipe names it in `publishing_rule`.

docs/EXTENDING.md shows how to add one.
"""

DEFAULT_RULE = "learnt_weights"
PUBLISHING_RULES = {
    "learnt_weights": "forecaster.publishing_rule.learnt_weights",
}
