"""The types of alert rules: each name maps to its module of `types_of_alert_rules`. To add a type, add one module and one entry.

docs/EXTENDING.md shows how to add one.
"""

RULE_TYPES = {
    "both": "forecaster.types_of_alert_rules.probability_and_ratio",
}
