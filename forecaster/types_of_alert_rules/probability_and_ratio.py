"""The rule type `both`: probability AND ratio to the usual rate must both reach their bounds."""

from forecaster.alert_rules import ForecastFigures
from forecaster.registry.recipe_fields import AlertRule

REACHED = "reaches both bounds of the rule"


def reaches(rule: AlertRule, figures: ForecastFigures) -> bool:
    return figures.probability >= rule.probability and figures.ratio >= rule.ratio


def above_clearing(rule: AlertRule, figures: ForecastFigures) -> bool:
    lowest = rule.probability if rule.probability_off is None else rule.probability_off
    least = rule.ratio if rule.ratio_off is None else rule.ratio_off
    return figures.probability >= lowest and figures.ratio >= least


def description(rule: AlertRule) -> str:
    return f"probability >= {rule.probability:.3g} and >= {rule.ratio:g} times usual"
