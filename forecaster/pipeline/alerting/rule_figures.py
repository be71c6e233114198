"""The measured performance on past years of the rules that come with quakecast.

The figures are in docs/alerts.json, written by deployments/data/choose_alert_rules.py.
"""

import json
from functools import lru_cache
from typing import Any

import pandas as pd

from forecaster.errors import CorruptModel
from forecaster.pipeline.alerting.rule_track_record import backtest, rates_document
from forecaster.publishing_rule.combination import KIND
from forecaster.recipe import Recipe
from forecaster.registry.recipe_fields import AlertRule
from forecaster.settings import bundled_folder

FILE = "alerts.json"
DECIDES = (
    "type",
    "probability",
    "ratio",
    "probability_off",
    "ratio_off",
    "cooldown_days",
)  # the fields that decide when an alert is active; the rest decides how it is reported


def measured(recipe: Recipe, rule: AlertRule) -> dict[str, Any] | None:
    """Return this rule's rates (as `rates_document`) in the combination's evaluation; None where another rule or target was measured."""
    found = _document().get(recipe.id)
    if found is None or found["target_hash"] != recipe.target_hash:
        return None
    same = all(getattr(AlertRule.model_validate(found["rule"]), name) == getattr(rule, name) for name in DECIDES)
    return {**found["measured"], "counted_on": "measured"} if same else None


def expected(recipe: Recipe, rule: AlertRule, rows: pd.DataFrame, kind: str) -> dict[str, Any]:
    """Return the rule's expected rates, from these rows of `store.alerts.out_of_sample`, forecasts of `kind`.

    Where the rows are too few to state a share of false alarms, the rates are the measured ones of the rule that came with the recipe.
    """
    own = rates_document(backtest(recipe, rule, rows).rates)
    shipped = measured(recipe, rule) if own["false_alarm_share"] is None and kind == KIND else None
    return shipped or own


@lru_cache(maxsize=1)
def _document() -> dict[str, Any]:
    """Load by recipe: target_hash, rule, chosen_on, measured; empty where the file is missing."""
    path = bundled_folder("docs") / FILE
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))["rules"])
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError) as error:
        raise CorruptModel(f"{path} cannot be read ({error}); install quakecast again") from error
