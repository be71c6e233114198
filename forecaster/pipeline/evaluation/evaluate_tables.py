"""Write the tables of an evaluation from its stored results: daily.parquet, scores.parquet, skill.json, SKILL.md and skill.html."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecaster.errors import NotScoreable
from forecaster.installed import code_version
from forecaster.pipeline.evaluation.evaluate_circles import is_circle, read_circles
from forecaster.pipeline.evaluation.evaluate_forecasts import BASELINES, CIRCLES_ETAS, CIRCLES_POOL, POOLS, forecasts_by_arm, pool_of
from forecaster.pipeline.evaluation.evaluate_pools import pool_facts
from forecaster.pipeline.evaluation.evaluate_published import with_published
from forecaster.pipeline.evaluation.evaluate_results import DAILY_ORDER, ResultFolder
from forecaster.pipeline.evaluation.evaluate_scores import BLOCKS, block_draws, score_rows, with_mean
from forecaster.pipeline.evaluation.rung_scores import rung_rows
from forecaster.pipeline.recipes_in_use import OFF, kinds_in_use, recipes_in_use, recipes_left_out
from forecaster.pipeline.training.information_gain import BOOTSTRAP_SEED
from forecaster.pipeline.world_map.map_backtest import read_backtest
from forecaster.registry.model_kinds import KINDS, looks
from forecaster.reports.map_files import check_document, json_lines, write_atomic
from forecaster.reports.render import render_skill
from forecaster.reports.skill_pages.skill import Plots, skill_context
from forecaster.reports.skill_pages.skill_charts import Line, ReliabilityPlot
from forecaster.reports.skill_pages.skill_tables import skill_markdown
from forecaster.settings import Settings
from forecaster.store.engine.parquet_files import write_parquet
from forecaster.verification import curves, reliability
from forecaster.verification.intervals import BLOCK_DAYS, RESAMPLES

ODDS_STEP = 0.05  # for reliability curves, probabilities are grouped to 5 % of their odds
PLAIN = (
    "arm", "level", "name", "pool", "model", "days_of", "recipes", "first_day", "last_day", "days", "target_days", "base_rate", "auc",
    "pr_auc", "molchan_skill", "brier", "brier_skill", "calibration_ratio", "calibration_slope", "calibration_slope_error",
    "calibration_error", "sharpness", "log_score", "log_miscalibration", "log_discrimination", "log_uncertainty",
)  # fmt: skip
N_TEST = ("observed", "expected", "low", "high", "delta1", "delta2")
L_TEST = ("observed", "low", "high", "gamma")
COUNTS = ("recipes", "days", "target_days", "observed", "low", "high")


def write_tables(folder: ResultFolder, settings: Settings, preface: str = "") -> list[Path]:
    """Score everything stored in `folder` that is in use and write the tables beside it; return their paths. The same results give the
    same bytes.

    Raises:
        NotScoreable: there is no result yet; names the first failure, if there are any.
        CorruptModel: a result file cannot be read.
    """
    daily, failures = _stored(folder, settings)
    recipes, circles = recipes_in_use(settings), read_circles(folder)
    pools = {recipe.id: pool_of(recipe) for recipe in recipes.values()}
    rules = {recipe.id: recipe.publishing_rule for recipe in recipes.values()}
    if circles is not None:
        pools |= {recipe.id: CIRCLES_POOL for recipe in circles.recipes}
    other_seeds = daily["recipe_id"].map({name: is_circle(name) and name not in pools for name in daily["recipe_id"].unique()})
    daily = _in_order(with_published(with_mean(daily[~other_seeds.astype(bool)]), pools, rules))
    if daily.empty:
        raise NotScoreable(
            f"no result in {folder.folder} but of circles that circles.json does not name; run `evaluate --circles` to its end"
        )
    draws = block_draws(daily["local_day"].to_numpy())
    places = recipes | {recipe.id: recipe for recipe in (circles.recipes if circles else ())}
    found, facts = [], []
    for forecasts in forecasts_by_arm(daily, pools):
        found += list(score_rows(forecasts, draws))
        facts += list(pool_facts(forecasts, places, draws))
    scores = pd.DataFrame(found)
    document = skill_document(daily, scores, failures) | {"pools": _rounded(facts)}
    if rungs := rung_rows(folder.all_rungs(), daily, pools):
        document["rungs"] = _rounded(rungs)
    if world := read_backtest(folder.folder):
        document["world"] = world
    check_document("skill.json", document)
    page = render_skill(skill_context(document, plots_of(daily, pools)))
    return [
        write_parquet(folder.folder / "daily.parquet", daily),
        write_parquet(folder.folder / "scores.parquet", scores),
        write_atomic(folder.folder / "skill.json", json_lines(document)),
        write_atomic(folder.folder / "SKILL.md", skill_markdown(document, preface)),
        write_atomic(folder.folder / "skill.html", page),
    ]


def _stored(folder: ResultFolder, settings: Settings) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Return the stored rows and failures of recipes and kinds in use. Raises NotScoreable where there is no row."""
    recipes, kinds = recipes_left_out(settings), set(KINDS) - set(kinds_in_use(settings))
    daily = folder.daily()
    if daily is not None and (recipes or kinds):
        daily = daily[~(daily["recipe_id"].isin(recipes) | daily["model"].isin(kinds))]
        if daily.empty:
            raise NotScoreable(f"no result in {folder.folder} but of the first system: {OFF}")
    failures = _failures([row for row in folder.failures() if row["recipe_id"] not in recipes and row["model"] not in kinds])
    if daily is None:
        why = f": {failures[0]['model']} for {failures[0]['recipe_id']}: {failures[0]['reason']}" if failures else ""
        raise NotScoreable(f"no result in {folder.folder}{why}")
    return daily, failures


def skill_document(daily: pd.DataFrame, scores: pd.DataFrame, failures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Build skill.json (schemas/skill.schema.json): recipes on all days; pools also on quiet days, in sequences and outside 2011."""
    arms = [
        {
            "arm": str(arm),
            "inputs": str(rows["inputs"].iloc[0]),
            "first_day": f"{rows['local_day'].min():%Y-%m-%d}",
            "last_day": f"{rows['local_day'].max():%Y-%m-%d}",
            "recipes": sum(not is_circle(name) for name in rows["recipe_id"].unique()),
            "circles": sum(is_circle(name) for name in rows["recipe_id"].unique()),
            "models": sorted(rows["model"].unique().tolist()),
        }
        for arm, rows in daily.groupby("arm", sort=True)
    ]
    kept = scores[(scores["level"] == "pool") | (scores["days_of"] == "all")]
    return {
        "version": 1,
        "code_version": code_version(),
        "unit": "nats per target day",
        "interval": {"level": 0.95, "block_days": BLOCK_DAYS, "other_block_days": list(BLOCKS[1:]), "resamples": RESAMPLES},
        "arms": arms,
        "scores": [_score(row) for row in kept.to_dict("records")],
        "failures": list(failures),
    }


def _in_order(daily: pd.DataFrame) -> pd.DataFrame:
    """Sort by DAILY_ORDER, by numbers in place of texts, which matters with millions of rows."""
    codes = [pd.factorize(daily[name], sort=True)[0] for name in DAILY_ORDER.split(", ")]
    return daily.take(np.lexsort(codes[::-1])).reset_index(drop=True)


def plots_of(daily: pd.DataFrame, pools: Mapping[str, str | None]) -> list[Plots]:
    """Return reliability, ROC, precision-recall and Molchan curves of every arm and pool."""
    found = []
    pool = daily["recipe_id"].map(pools)
    for arm in sorted(daily["arm"].unique()):
        for name in POOLS:
            rows = daily[(daily["arm"] == arm) & (pool == name)]
            drawn = [CIRCLES_ETAS if name == CIRCLES_POOL and model == "etas" else model for model, look in looks().items() if look.drawn]
            rows_of_model = {model: part for model in drawn if len(part := rows[rows["model"] == model])}
            rows_of_model = {model: part for model, part in rows_of_model.items() if part["happened"].any() and not part["happened"].all()}
            if not rows_of_model:
                continue
            plots = [_reliability(model, part) for model, part in rows_of_model.items()]
            ranked = {model: part for model, part in rows_of_model.items() if model != "climatology"}
            roc = [_line(model, curves.roc_curve(*_columns(part)[:2])) for model, part in rows_of_model.items()]
            molchan = [_line(model, curves.molchan_diagram(*_columns(part)).curve) for model, part in ranked.items()]
            precision = [_line(model, curves.precision_recall_curve(*_columns(part)[:2])) for model, part in rows_of_model.items()]
            base_rate = float(rows.drop_duplicates(["recipe_id", "local_day"])["happened"].mean())
            found.append(Plots(arm, name, plots, base_rate, roc, precision, molchan))
    return found


def _columns(part: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return part["happened"].to_numpy(dtype=bool), part["probability"].to_numpy(), part["reference"].to_numpy()


def _reliability(model: str, part: pd.DataFrame) -> ReliabilityPlot:
    happened, forecast, _ = _columns(part)
    odds = np.log(np.clip(forecast, 1e-6, 1 - 1e-6)) - np.log1p(-np.clip(forecast, 1e-6, 1 - 1e-6))
    grouped = 1 / (1 + np.exp(-np.round(odds / ODDS_STEP) * ODDS_STEP))
    found = reliability.corp_reliability(happened, grouped, np.random.default_rng(BOOTSTRAP_SEED))
    return ReliabilityPlot(model, *(getattr(found, name).tolist() for name in ("probability", "recalibrated", "low", "high")))


def _line(model: str, curve: curves.Curve) -> Line:
    thinned = curves.thin(curve, 120)
    return Line(model, list(zip(thinned.x.tolist(), thinned.y.tolist(), strict=True)), model)


def _score(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return one entry of `scores`, with null where there is no figure."""
    gains: dict[str, dict[str, Any] | None] = {}
    for name in BASELINES:
        start = f"gain_over_{name}"
        gains[name] = None
        if row[f"{start}_target_days"] and math.isfinite(row[f"{start}_low"]):
            gains[name] = {
                "estimate": _figure(row[start]),
                "low": _figure(row[f"{start}_low"]),
                "high": _figure(row[f"{start}_high"]),
                "target_days": int(row[f"{start}_target_days"]),
                "blocks": {str(length): _pair(row.get(f"{start}_low_{length}"), row.get(f"{start}_high_{length}")) for length in BLOCKS},
                "t_test_p": _figure(row[f"t_p_over_{name}"]),
                "w_test_p": _figure(row[f"w_p_over_{name}"]),
            }
    entry = {name: _figure(row[name], name) for name in PLAIN}
    return entry | {
        "information_gain": gains,
        "n_test": None if _missing(row.get("n_observed")) else {name: _figure(row[f"n_{name}"], name) for name in N_TEST},
        "l_test": None if _missing(row.get("l_gamma")) else {name: _figure(row[f"l_{name}"]) for name in L_TEST},
    }


def _pair(low: Any, high: Any) -> list[float] | None:
    """Round bounds to four significant figures; None where there are none."""
    return None if _missing(low) or _missing(high) else [float(f"{value:.4g}") for value in (low, high)]


def _rounded(value: Any) -> Any:
    """Round numbers in a value to four significant figures; null where there is none."""
    if isinstance(value, Mapping):
        return {name: _rounded(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.4g}") if math.isfinite(value) else None
    return value


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def _figure(value: Any, name: str = "") -> Any:
    """Convert to JSON: counts as integers, other numbers to six significant figures, missing values as null."""
    if _missing(value) or isinstance(value, str):
        return None if _missing(value) else value
    return int(value) if name in COUNTS else float(f"{float(value):.6g}")


def _failures(failures: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Merge failures of single years where arm, recipe, model and reason are the same."""
    years: dict[tuple[str, str, str, str], list[int]] = {}
    for row in failures:
        years.setdefault((row["arm"], row["recipe_id"], row["model"], row["reason"]), []).append(row["year"])
    return [
        {"arm": arm, "recipe_id": recipe_id, "model": model, "years": sorted(found), "reason": reason}
        for (arm, recipe_id, model, reason), found in sorted(years.items())
    ]
