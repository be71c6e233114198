"""What the rules that come with quakecast were worth on past years: docs/alerts.json, by deployments/data/choose_alert_rules.py."""

import json
from functools import lru_cache
from typing import Any

import pandas as pd

from forecaster.descriptions.recipe_fields import AlertRule
from forecaster.errors import CorruptModel
from forecaster.models.combination.combination import KIND
from forecaster.pipeline.alerting.rule_track_record import rates_document, rehearse
from forecaster.recipe import Recipe
from forecaster.settings import bundled_folder

FILE = "alerts.json"
DECIDES = (
    "type",
    "probability",
    "ratio",
    "probability_off",
    "ratio_off",
    "cooldown_days",
)  # when an alert stands; the rest says how it is told


def measured(recipe: Recipe, rule: AlertRule) -> dict[str, Any] | None:
    """The rates (as `rates_document`) of this rule in the evaluation of the combination; None where another rule or target was measured."""
    found = _document().get(recipe.id)
    if found is None or found["target_hash"] != recipe.target_hash:
        return None
    same = all(getattr(AlertRule.model_validate(found["rule"]), name) == getattr(rule, name) for name in DECIDES)
    return {**found["measured"], "counted_on": "measured"} if same else None


def expected(recipe: Recipe, rule: AlertRule, rows: pd.DataFrame, kind: str) -> dict[str, Any]:
    """What is to be expected of the rule: its rates on these rows of `store.alerts.out_of_sample`, forecasts of `kind`.

    Where they are too few to state a share of false alarms, the measured ones of the rule that came with the recipe.
    """
    own = rates_document(rehearse(recipe, rule, rows).rates)
    shipped = measured(recipe, rule) if own["false_alarm_share"] is None and kind == KIND else None
    return shipped or own


@lru_cache(maxsize=1)
def _document() -> dict[str, Any]:
    """By recipe: target_hash, rule, chosen_on, measured; nothing where the file is not there."""
    path = bundled_folder("docs") / FILE
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))["rules"])
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError) as error:
        raise CorruptModel(f"{path} cannot be read ({error}); install quakecast again") from error
