"""The rule type `both`: probability AND ratio to the usual rate must both reach their bounds."""

from forecaster.alert_rules import ForecastFigures
from forecaster.registry.recipe_fields import AlertRule

REACHED = "reaches both bounds of the rule"


def reaches(rule: AlertRule, said: ForecastFigures) -> bool:
    return said.probability >= rule.probability and said.ratio >= rule.ratio


def keeps(rule: AlertRule, said: ForecastFigures) -> bool:
    lowest = rule.probability if rule.probability_off is None else rule.probability_off
    least = rule.ratio if rule.ratio_off is None else rule.ratio_off
    return said.probability >= lowest and said.ratio >= least


def told(rule: AlertRule) -> str:
    return f"probability >= {rule.probability:.3g} and >= {rule.ratio:g} times usual"
