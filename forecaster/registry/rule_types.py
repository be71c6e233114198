"""The types of alert rules: each name maps to the module of `alert_conditions` that decides. To add a type, add one module and one entry.

docs/EXTENDING.md shows how to add one.
"""

RULE_TYPES = {
    "both": "forecaster.alert_conditions.both_bounds",
}
