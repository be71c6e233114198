"""Choose the alert rule that each bundled recipe ships with, evaluate it on later years, and write both down.

    python deployments/data/choose_alert_rules.py --evaluation FOLDER \\
        --fold SETS:2010-12-15:2011-01-01:2013-12-31 --fold SETS:2013-12-15:2014-01-01:2017-11-16

writes the rule at the end of recipes/*.toml, docs/alerts.json, and the table of docs/ALERTS.md between its marks, and prints rules and
figures. With --dry-run it only prints. Folds are those of learn_weights.py. FOLDER is the --out of `quakecast evaluate` on 2018-2024.

A rule is chosen on the days of the folds. Its input is what the combination would have published from what was known at each issue, with
the package's weights for 2018 and the generic ETAS. A rule has a bound on the probability and one on its ratio to the usual rate. Each
bound may have a lower one at which the alert ends, and the rule may have a cooldown. This is a small family of readable numbers.

Rules are excluded that were raised more than MAX_A_YEAR or less than MIN_A_YEAR times a year, or were active for more than MAX_OF_ALL_DAYS.
The rule is chosen whose share of alert days with the target has the highest lower end of its 95 % interval: a high share that rests on
enough days. Rules that were raised RATHER_FROM times a year or more take precedence. Where no rule has such a share, the rule is chosen
whose alert days have the highest mean forecast probability. In Japan days count from 2012 on, because the sequence of 2011 is exceptional:
a rule chosen for that year would raise no alert in any other.

Only then is the rule evaluated on 2018-2024, on the evaluation's forecasts from what was known at each issue (experiment B, `arm`). The
script takes two minutes of one core, and one more where the members' days are not in --work yet.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import pandas as pd
from learn_weights import LEARNT, Fold, fold, rows_of
from rich.progress import track

from forecaster.alert_rules import walk
from forecaster.catalog.snapshot import SNAPSHOT_END
from forecaster.errors import BadInput, QuakecastError
from forecaster.pipeline.alerting.rule_track_record import backtest, figures_in, rates_document
from forecaster.pipeline.as_of import bundled_catalogue
from forecaster.pipeline.as_of.catalogue_history import load_known
from forecaster.pipeline.evaluation.evaluate_forecasts import pool_of
from forecaster.pipeline.evaluation.evaluate_published import with_published
from forecaster.pipeline.evaluation.evaluate_results import ResultFolder
from forecaster.publishing_rule.combination import KIND, combine
from forecaster.publishing_rule.weights import WorldWeights, weights_for
from forecaster.recipe import AlertRule, Recipe, load_recipes
from forecaster.store.database import open_store
from forecaster.store.engine.parquet_files import read_parquets
from forecaster.verification.alarms import MIN_BLOCKS, MIN_DAYS
from forecaster.verification.proportions import Share, share_of_days

ROOT = Path(__file__).resolve().parents[2]
NAME = "raised"
PROBABILITIES = (0.7, 0.6, 0.5, 0.4, 0.3, 0.25, 0.2, 0.15, 0.1, 0.08, 0.05, 0.03, 0.02, 0.01)
RATIOS = {10.0: 5.0, 5.0: 3.0, 3.0: 2.0, 2.0: 1.5}  # ratio that raises an alert: ratio below which it ends
PROBABILITY_OFF = 0.6  # fraction of the raising bound, at which the alert ends
COOLDOWNS = (0, 7)
MAX_A_YEAR, RATHER_FROM, MIN_A_YEAR = 2.0, 1.0, 0.5
MAX_OF_ALL_DAYS = 0.05  # largest share of days on which a rule may be active
JAPAN_FROM = date(2012, 1, 1)
MEASURED = (date(2018, 1, 1), date(2024, 12, 31))
ARM = "B"
MARK = "# The alert rule that ships: how it was chosen, how often it was false, how to change it or take it out, docs/ALERTS.md."
TABLE_MARKS = ("<!-- table of deployments/data/choose_alert_rules.py -->", "<!-- end of the table -->")
ALL = "all"


@dataclass(frozen=True)
class Tried:
    """A candidate rule with its figures on the days that the choice is made on."""

    rule: AlertRule
    yearly: float
    share: Share
    said: float

    @property
    def rank(self) -> tuple[bool, float, float]:
        """The rank of the rule, higher is better; `Share` counts days with the target as hits here."""
        enough = self.share.days >= MIN_DAYS and self.share.blocks >= MIN_BLOCKS
        low = self.share.low if enough else 0.0
        return (low > 0.0 and self.yearly >= RATHER_FROM, low, self.said)


def family() -> Iterator[AlertRule]:
    """Yield every rule that may be chosen; of two rules with the same decisions, the one with the more informative bounds comes first."""
    for cooldown in COOLDOWNS:
        for ends in (False, True):
            for probability in PROBABILITIES:
                for ratio, ratio_off in RATIOS.items():
                    off = {"probability_off": round(probability * PROBABILITY_OFF, 4), "ratio_off": ratio_off} if ends else {}
                    yield AlertRule(name=NAME, cooldown_days=cooldown, probability=probability, ratio=ratio, **off)


def published_of(members: pd.DataFrame, recipes: dict[str, Recipe], base: WorldWeights) -> dict[str, pd.DataFrame]:
    """Return, by recipe, what would have been published, as rows for `backtest`, from rows of `learn_weights.rows_of`."""
    said = combine({name: members[name].to_numpy() for name in LEARNT}, base.belief.weights, members["reference"].to_numpy())
    return _by_recipe(members.assign(probability=said), recipes)


def evaluated(folder: Path, recipes: dict[str, Recipe]) -> dict[str, pd.DataFrame]:
    """Return, by recipe, the same rows for the published days of an evaluation.

    Where the evaluation holds none, they are computed now by walking forward.
    """
    whole = folder / "daily.parquet"
    daily = read_parquets([whole], "arm, recipe_id, local_day, model") if whole.is_file() else None
    if daily is None or not (daily["model"] == KIND).any():
        daily = ResultFolder(folder).daily()
    if daily is None or not (daily["arm"] == ARM).any():
        raise BadInput(f"{folder} holds no days of arm {ARM}; make them with `quakecast evaluate --all --arm {ARM} --out {folder}`")
    daily = daily[daily["arm"] == ARM]
    if not (daily["model"] == KIND).any():
        pools = {recipe.id: pool_of(recipe) for recipe in load_recipes(ROOT / "recipes").values()}
        daily = with_published(daily[daily["recipe_id"].isin(pools)], pools)
    inside = daily["local_day"].between(*map(pd.Timestamp, MEASURED))
    return _by_recipe(daily[(daily["model"] == KIND) & inside], recipes)


def _by_recipe(rows: pd.DataFrame, recipes: dict[str, Recipe]) -> dict[str, pd.DataFrame]:
    found = {}
    for recipe_id, part in rows.groupby("recipe_id"):
        if str(recipe_id) in recipes:
            recipe, part = recipes[str(recipe_id)], part.sort_values("local_day", ignore_index=True)
            windows = [recipe.target_window(day.date()) for day in part["local_day"]]
            ends = {"target_start": [one.start for one in windows], "target_end": [one.end for one in windows]}
            found[recipe.id] = part.assign(reference_probability=part["reference"], method=ARM, **ends)
    if missing := sorted(set(recipes) - set(found)):
        raise BadInput(f"no days of {', '.join(missing)}")
    return found


def chosen(recipe: Recipe, rows: pd.DataFrame, since: date) -> AlertRule:
    """Return the best rule of the family on the days from `since` on."""
    said = [figures_in(row) for row in rows.to_dict("records")]
    local = rows["local_day"].to_numpy().astype("datetime64[D]")
    counts, happened, chance = local >= np.datetime64(since), rows["happened"].to_numpy(dtype=bool), rows["probability"].to_numpy()
    ratio = np.array([one.ratio for one in said])
    best: Tried | None = None
    for rule in family():
        if not ((chance >= rule.probability) & (ratio >= rule.ratio) & counts).any():
            continue
        decisions = walk(rule, recipe.zone, said)
        stands = np.array([decision.is_active for decision in decisions]) & counts
        raised = np.array([decision.action == "raised" for decision in decisions]) & counts
        yearly = float(raised.sum() / counts.sum() * 365.25)
        if MIN_A_YEAR <= yearly <= MAX_A_YEAR and stands.sum() <= MAX_OF_ALL_DAYS * counts.sum():
            tried = Tried(rule, yearly, share_of_days(local[stands], happened[stands]), float(chance[stands].mean()))
            best = tried if best is None or tried.rank > best.rank else best
    if best is None:
        raise BadInput(f"{recipe.id}: no rule of the family is raised {MIN_A_YEAR:g} to {MAX_A_YEAR:g} times a year; widen the family")
    return best.rule


def rates_since(recipe: Recipe, rule: AlertRule, rows: pd.DataFrame, since: date) -> dict[str, Any]:
    """Return the rule's figures on the days from `since` on, as an alert shows them."""
    return _rounded(rates_document(backtest(recipe, rule, rows, recipe.target_window(since).start).rates))


def all_together(recipes: dict[str, Recipe], rules: dict[str, AlertRule], rows: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Return the figures of all rules together; alert days in the same block of the calendar form one block, whatever their place."""
    days, false, count, hits, targets, years = [], [], 0, 0, 0, 0.0
    for name, recipe in recipes.items():
        judged = backtest(recipe, rules[name], rows[name])
        for day, local in zip(judged.days, rows[name]["local_day"], strict=True):
            if day.decision.is_active:
                days.append(local.to_datetime64())
                false.append(not day.observed)
        count, hits, targets = count + judged.rates.alerts, hits + judged.rates.hits.hits, targets + judged.rates.target_days
        years += judged.rates.days / 365.25
    share = share_of_days(np.array(days, dtype="datetime64[D]"), np.array(false, dtype=bool))
    return _rounded(
        {
            "alerts": count,
            "alerts_a_year_and_place": count / years,
            "alert_days": share.days,
            "false_alarm_days": share.hits,
            "false_alarm_share": {"estimate": share.share, "low": share.low, "high": share.high},
            "hit_days": hits,
            "target_days": targets,
        }
    )


def _rounded(document: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(document), parse_float=lambda text: round(float(text), 5))


def block(rule: AlertRule) -> str:
    """Return the rule as text for the end of a recipe."""
    fields = rule.model_dump(exclude_defaults=True)
    lines = [f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value:g}" for key, value in fields.items()]
    return "\n".join(["", MARK, "[[alerts]]", *lines, ""])


def with_rule(text: str, rule: AlertRule) -> str:
    """Return the text of a recipe in which this rule replaces the rule that shipped before."""
    return text.partition(f"\n{MARK}")[0].rstrip("\n") + "\n" + block(rule)


def bounds_cell(rule: dict[str, Any]) -> str:
    said = f"{100 * rule['probability']:g} %, {rule['ratio']:g} times"
    if rule["probability_off"] is not None:
        said += f"; ends below {100 * rule['probability_off']:g} %, {rule['ratio_off']:g} times"
    return said + (f"; once in {rule['cooldown_days']} days" if rule["cooldown_days"] else "")


def share_cell(rates: dict[str, Any]) -> str:
    share = rates["false_alarm_share"]
    return "not known" if share is None else f"{share['estimate']:.0%} ({share['low']:.0%} to {share['high']:.0%})".replace("%", " %")


def table(document: dict[str, Any]) -> str:
    """Return the table of rules and figures for docs/ALERTS.md."""
    lines = [
        "| recipe | raised from | to 2017: a year | with target | 2018-2024: raised | a year | alert days | false | share false | caught |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for recipe_id, found in document["rules"].items():
        before, rates = found["chosen_on"], found["measured"]
        cells = [
            recipe_id,
            bounds_cell(found["rule"]),
            f"{before['alerts_a_year']['estimate']:.1f}",
            f"{before['alert_days'] - before['false_alarm_days']} of {before['alert_days']}",
            rates["alerts"],
            "{estimate:.1f} ({low:.1f} to {high:.1f})".format(**rates["alerts_a_year"]),
            rates["alert_days"],
            rates["false_alarm_days"],
            share_cell(rates),
            f"{rates['hit_days']} of {rates['target_days']}",
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    one = document[ALL]
    cells = ["all", "", "", "", one["alerts"], f"{one['alerts_a_year_and_place']:.1f} a place", one["alert_days"], one["false_alarm_days"]]
    lines.append("| " + " | ".join(map(str, [*cells, share_cell(one), f"{one['hit_days']} of {one['target_days']}"])) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fold", type=fold, action="append", required=True, metavar="FOLDER:UNTIL:FIRST:LAST", help="days to choose on")
    parser.add_argument("--evaluation", type=Path, required=True, metavar="FOLDER", help="--out of `quakecast evaluate`, to measure on")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "quakecast-alerts", help="where members' days are kept")
    parser.add_argument("--dry-run", action="store_true", help="print, and write nothing")
    arguments = parser.parse_args()
    folds: list[Fold] = arguments.fold
    last = max(one.last for one in folds)
    if last + timedelta(days=45) > MEASURED[0]:
        parser.error(f"the last day to choose on is {last}: its outcome is not final before {MEASURED[0]}, from when it is measured")
    recipes = {name: recipe for name, recipe in load_recipes(ROOT / "recipes").items() if recipe.comparison_only is None}
    arguments.work.mkdir(parents=True, exist_ok=True)
    store = open_store(arguments.work / "snapshot" / "quakecast.duckdb")
    bundled_catalogue.load_snapshot(store)
    known = load_known(store, datetime.combine(last + timedelta(days=46), time(), SNAPSHOT_END.tzinfo))
    members = pd.concat([rows_of(known, list(recipes.values()), one, arguments.work) for one in folds], ignore_index=True)
    base = weights_for(MEASURED[0])
    past = published_of(members, recipes, base)
    first = min(one.first for one in folds)
    since = {name: max(first, JAPAN_FROM) if pool_of(recipe) == "japan" else first for name, recipe in recipes.items()}
    rules = {name: chosen(recipe, past[name], since[name]) for name, recipe in track(recipes.items(), "choosing")}
    later = evaluated(arguments.evaluation, recipes)
    document: dict[str, Any] = {
        "made_by": "deployments/data/choose_alert_rules.py",
        "weights": base.name,
        "chosen_on": {"from": first.isoformat(), "japan_from": max(first, JAPAN_FROM).isoformat(), "to": last.isoformat()},
        "measured_on": {"from": MEASURED[0].isoformat(), "to": MEASURED[1].isoformat(), "arm": ARM},
        "rules": {},
    }
    for name, recipe in recipes.items():
        document["rules"][name] = {
            "target_hash": recipe.target_hash,
            "rule": rules[name].document(),
            "chosen_on": rates_since(recipe, rules[name], past[name], since[name]),
            "measured": rates_since(recipe, rules[name], later[name], MEASURED[0]),
        }
    document[ALL] = all_together(recipes, rules, later)
    for name in recipes:
        print(f"# {name}{block(rules[name])}")
    print(table(document))
    if not arguments.dry_run:
        for name in recipes:
            path = ROOT / "recipes" / f"{name}.toml"
            path.write_text(with_rule(path.read_text(encoding="utf-8"), rules[name]), encoding="utf-8")
        (ROOT / "docs" / "alerts.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        page = ROOT / "docs" / "ALERTS.md"
        head, _, rest = page.read_text(encoding="utf-8").partition(TABLE_MARKS[0])
        tail = rest.partition(TABLE_MARKS[1])[2]
        page.write_text(f"{head}{TABLE_MARKS[0]}\n{table(document)}\n{TABLE_MARKS[1]}{tail}", encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except QuakecastError as error:
        sys.exit(f"choose_alert_rules: {error}")
