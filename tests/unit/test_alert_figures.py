"""docs/ALERTS.md shows the figures of docs/alerts.json, which are of the rules in the recipes; and how a rule is chosen."""

import json
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecaster.errors import BadInput
from forecaster.recipe import AlertRule, parse_recipe
from tests.support import alert_world

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = json.loads((ROOT / "docs" / "alerts.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def script():
    sys.path.insert(0, str(ROOT / "deployments" / "data"))
    try:
        import choose_alert_rules
    finally:
        sys.path.pop(0)
    return choose_alert_rules


def test_the_file_holds_the_rules_of_the_recipes(recipes):
    relied = {name: recipe for name, recipe in recipes.items() if recipe.comparison_only is None}
    assert set(DOCUMENT["rules"]) == set(relied)
    for name, recipe in relied.items():
        found = DOCUMENT["rules"][name]
        assert recipe.alerts == (AlertRule.model_validate(found["rule"]),) and found["target_hash"] == recipe.target_hash, name


def test_rules_were_chosen_up_to_2017_to_be_raised_twice_a_year_or_less_and_measured_after_that():
    assert DOCUMENT["chosen_on"]["to"] <= "2017-12-31" < DOCUMENT["measured_on"]["from"] and DOCUMENT["measured_on"]["to"] == "2024-12-31"
    for name, found in DOCUMENT["rules"].items():
        before, after = found["chosen_on"], found["measured"]
        assert before["alerts_a_year"]["estimate"] <= 2.0 and before["last_day"] <= DOCUMENT["chosen_on"]["to"], name
        assert after["first_day"] == "2018-01-01" and after["last_day"] in ("2024-12-30", "2024-12-31"), name
        assert after["days"] >= 2550 and after["alert_days"] == after["false_alarm_days"] + after["hit_days"], name
        if (share := after["false_alarm_share"]) is not None:
            assert share["estimate"] == pytest.approx(after["false_alarm_days"] / after["alert_days"], abs=1e-4), name
            assert share["low"] <= share["estimate"] <= share["high"], name
    for count in ("alerts", "alert_days", "false_alarm_days", "hit_days", "target_days"):
        assert DOCUMENT["all"][count] == sum(found["measured"][count] for found in DOCUMENT["rules"].values()), count


def test_the_page_shows_the_figures_of_the_file(script):
    page = (ROOT / "docs" / "ALERTS.md").read_text(encoding="utf-8")
    begin, end = script.TABLE_MARKS
    shown = page.partition(begin)[2].partition(end)[0]
    assert shown.strip() == script.table(DOCUMENT)
    row = next(line for line in shown.splitlines() if line.startswith("| athens |"))
    found = DOCUMENT["rules"]["athens"]["measured"]
    assert row.endswith(f"| {found['hit_days']} of {found['target_days']} |") and f"| {found['false_alarm_days']} |" in row


def test_a_rule_takes_the_place_of_the_one_before_and_is_read_as_it_was_chosen(script):
    one, two = (AlertRule(name="raised", probability=p, ratio=3, probability_off=p / 2, ratio_off=2, cooldown_days=7) for p in (0.05, 0.15))
    text = script.with_rule(alert_world.bare().partition(f"\n{script.MARK}")[0], one)
    again = script.with_rule(text, two)
    assert parse_recipe(text, "athens.toml").alerts == (one,) and parse_recipe(again, "athens.toml").alerts == (two,)
    assert script.with_rule(again, one) == text


def made_up(recipe, chance: np.ndarray, happened: np.ndarray, usual: float = 0.01, first: str = "2012-01-01") -> pd.DataFrame:
    local = pd.date_range(first, periods=len(chance))
    windows = [recipe.target_window(day.date()) for day in local]
    said = {"probability": chance, "reference_probability": usual, "happened": happened, "local_day": local, "method": "B"}
    return pd.DataFrame(said | {"target_start": [w.start for w in windows], "target_end": [w.end for w in windows]})


def test_the_choice_takes_the_bound_above_which_the_target_comes_and_keeps_to_twice_a_year(script, recipes):
    """Six years; each 120 days one day of 6 % without the target, eight times two days of 22 % with it: 5 % would be raised 4.5 times a
    year (27 in six), and 20 % is raised 1.3 times, always with the target. With the year before, which has 22 % every
    20 days, no rule would be rare enough."""
    chance, happened = np.full(6 * 365, 0.01), np.zeros(6 * 365, dtype=bool)
    chance[5::120] = 0.06
    for first in range(400, 6 * 365 - 1, 230):
        chance[first : first + 2], happened[first : first + 2] = 0.22, True
    early = made_up(recipes["athens"], np.where(np.arange(365) % 20, 0.01, 0.22), np.zeros(365, dtype=bool), first="2011-01-01")
    rows = pd.concat([early, made_up(recipes["athens"], chance, happened)], ignore_index=True)
    rule = script.chosen(recipes["athens"], rows, date(2012, 1, 1))
    assert 0.06 < rule.probability <= 0.22
    with pytest.raises(BadInput, match="no rule of the family"):
        script.chosen(recipes["athens"], rows, date(2011, 1, 1))
    raised = script.rates_since(recipes["athens"], rule, rows, date(2012, 1, 1))
    assert raised["false_alarm_days"] == 0 and 1.0 <= raised["alerts_a_year"]["estimate"] <= 2.0


@pytest.mark.slow
def test_no_rule_may_stand_for_months(script, recipes):
    """Half of all days at 60 % with the target: whatever share that is, an alert that stands so long says nothing."""
    athens, half = recipes["athens"], 3 * 365
    chance, happened = np.full(2 * half, 0.01), np.zeros(2 * half, dtype=bool)
    chance[half:], happened[half:] = 0.6, True
    with pytest.raises(script.BadInput, match="athens: no rule of the family"):
        script.chosen(athens, made_up(athens, chance, happened), date(2012, 1, 1))
    chance[30:half:250] = 0.05
    with pytest.raises(script.BadInput, match="athens: no rule of the family"):
        script.chosen(athens, made_up(athens, chance, happened), date(2012, 1, 1))
    chance[half:], happened[half:] = 0.01, False
    assert script.chosen(athens, made_up(athens, chance, happened), date(2012, 1, 1)).probability <= 0.05
