"""The types of alert rules: by name the module of `alert_conditions` that decides. A further type is one module and one entry.

docs/EXTENDING.md shows how to add one.
"""

RULE_TYPES = {
    "both": "forecaster.alert_conditions.both_bounds",
}
