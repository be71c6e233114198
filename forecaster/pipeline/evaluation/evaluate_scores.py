"""From the daily rows of an evaluation to a table of scores: one row per arm, recipe or pool, model and kind of day.

Two models are compared on the days on which both have a forecast. A pool's gain is the sum of its recipes' gains over the sum of their
target days. Its AUC is the chance that a target day had a higher probability than a quiet day of the same recipe (recipes weighted by their
pairs of such days), because ranking Tokyo above Athens is no skill. Molchan's area is relative to the climatology, which has .5.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from forecaster.models.interface import logit, sigmoid
from forecaster.pipeline.evaluation.evaluate_forecasts import BASELINES, CIRCLES_POOL, POOLS, ArmForecasts, Rows
from forecaster.pipeline.training.information_gain import BOOTSTRAP_SEED
from forecaster.verification import comparison, consistency, curves, reliability, scores
from forecaster.verification.intervals import UNDEFINED, BlockDraws, Bounds, block_number, draw_blocks, ratio_bounds, sums_by_day
from forecaster.verification.sequences import outside_2011

MEAN = "mean"
MEAN_OF = ("etas", "pooled")
BLOCKS = (30, 90, 365)  # days; intervals of gains use the first one
MIN_BLOCKS = 5
DAYS_OF = ("all", "quiet", "sequence", "outside_2011")
YEARLY = ("published", "hybrid", "etas", "etas_generic", "best_rate")  # also evaluated by year, in pools
NAN = float("nan")


def with_mean(daily: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with those of model "mean" added: the mean logit of ETAS and the pooled trees, where both have a forecast."""
    keys = ["arm", "recipe_id", "local_day"]
    one, two = (daily[daily["model"] == name] for name in MEAN_OF)
    both = one.merge(two[[*keys, "probability"]], on=keys, suffixes=("", "_two"))
    if both.empty:
        return daily
    logits = logit(both["probability"].to_numpy()) + logit(both.pop("probability_two").to_numpy())
    return pd.concat([daily, both.assign(probability=sigmoid(logits / 2), model=MEAN)], ignore_index=True)


def block_draws(local_days: np.ndarray) -> list[BlockDraws]:
    """Draw blocks of each length of BLOCKS, from all days under evaluation."""
    days = np.unique(local_days.astype("datetime64[D]"))
    return [draw_blocks([days], np.random.default_rng(BOOTSTRAP_SEED), block_days=length) for length in BLOCKS]


def score_rows(forecasts: ArmForecasts, draws: Sequence[BlockDraws]) -> Iterator[dict[str, Any]]:
    """Yield the rows of one arm."""
    kinds_of_day = _days_of(forecasts.local_days, forecasts.status)
    for model in forecasts.probability:
        for days_of, chosen in (kinds_of_day | (_years(forecasts.local_days) if model in YEARLY else {})).items():
            for level, name, pool, rows in _groups(forecasts, forecasts.rows(model, chosen)):
                if level == "recipe" and days_of not in DAYS_OF:
                    continue
                head: dict[str, Any] = {
                    "arm": forecasts.arm,
                    "level": level,
                    "name": name,
                    "pool": pool,
                    "model": model,
                    "days_of": days_of,
                }
                head |= {"recipes": len(np.unique(rows.recipe))}
                tests = _tests(rows, joint=pool != CIRCLES_POOL) if days_of == "all" else {}
                compared = draws if level == "pool" or days_of == "all" else draws[:1]
                yield head | _scores(rows) | _comparisons(rows, compared) | tests


def gain_bounds(local_days: np.ndarray, gain: np.ndarray, happened: np.ndarray, draws: Sequence[BlockDraws]) -> list[Bounds]:
    """Return sum of `gain` / sum of `happened` (both (n,), weighted or not) with its bounds by each draw.

    There are no bounds where the days lie in fewer than MIN_BLOCKS blocks, and no value where no event was observed.
    """
    days, above, below = sums_by_day(local_days, gain, happened)
    found = []
    for drawn in draws:
        bounds = ratio_bounds(drawn, days, above, below)
        found.append(Bounds(bounds.estimate, NAN, NAN, 1.0) if too_few_blocks(days, drawn) else bounds)
    return found


def too_few_blocks(local_days: np.ndarray, drawn: BlockDraws) -> bool:
    """Whether the days lie in fewer than MIN_BLOCKS blocks; never true for the first length, which every gain has."""
    return drawn.block_days != BLOCKS[0] and len(np.unique(block_number(local_days, drawn.block_days))) < MIN_BLOCKS


def _days_of(local_days: np.ndarray, status: np.ndarray) -> dict[str, np.ndarray]:
    """Return masks (n,) of the kinds of days that occur."""
    masks = {"all": np.ones(len(status), dtype=bool), "quiet": status == "quiet", "sequence": status == "sequence"}
    outside = outside_2011(local_days)
    return masks if outside.all() else masks | {"outside_2011": outside}


def _years(local_days: np.ndarray) -> dict[str, np.ndarray]:
    years = local_days.astype("datetime64[Y]")
    return {str(year): years == year for year in np.unique(years)}


def _groups(forecasts: ArmForecasts, rows: Rows) -> Iterator[tuple[str, str, str | None, Rows]]:
    """Yield (level, name, pool, rows) of every recipe and pool that has rows, except single circles."""
    for number, one in rows.by_recipe():
        if forecasts.pools[number] != CIRCLES_POOL:
            yield "recipe", forecasts.names[number], forecasts.pools[number], one
    for pool in POOLS:
        member = np.array([name == pool for name in forecasts.pools], dtype=bool)[rows.recipe]
        if member.any():
            yield "pool", pool, pool, rows.take(member)


def _scores(rows: Rows) -> dict[str, Any]:
    """Return a model's scores by themselves, and relative to the climatology."""
    happened, forecast, reference = rows.happened, rows.probability, rows.others["climatology"]
    line = reliability.calibration_line(happened, forecast, block_number(rows.local_days))
    brier, log = reliability.decompose(happened, forecast, "brier"), reliability.decompose(happened, forecast, "log")
    both = bool(happened.any() and not happened.all())
    return {
        "first_day": str(rows.local_days.min()),
        "last_day": str(rows.local_days.max()),
        "days": len(happened),
        "target_days": int(happened.sum()),
        "base_rate": float(happened.mean()),
        "mean_probability": float(forecast.mean()),
        "log_score": log.score,
        "brier": brier.score,
        "brier_skill": scores.brier_skill(happened, forecast, reference),
        "auc": _auc(rows),
        "pr_auc": scores.pr_auc(happened, forecast),
        "molchan_skill": curves.molchan_diagram(happened, forecast, reference).area_skill if both else NAN,
        "calibration_ratio": scores.calibration_ratio(happened, forecast),
        "calibration_slope": line.slope,
        "calibration_slope_error": line.slope_error,
        "calibration_intercept": line.intercept,
        "calibration_error": reliability.expected_calibration_error(happened, forecast),
        "sharpness": float(forecast.std()),
        **{f"brier_{name}": value for name, value in asdict(brier).items() if name != "score"},
        **{f"log_{name}": value for name, value in asdict(log).items() if name != "score"},
    }


def _auc(rows: Rows) -> float:
    """Return the AUC within recipes, each weighted by its pairs of a target day and a quiet day; NaN where there is no pair."""
    total = pairs = 0.0
    for _, one in rows.by_recipe():
        count = float(one.happened.sum()) * float((~one.happened).sum())
        if count:
            total, pairs = total + count * scores.roc_auc(one.happened, one.probability), pairs + count
    return total / pairs if pairs else NAN


def _tests(rows: Rows, joint: bool) -> dict[str, Any]:
    """Run the binary N test and, where `joint`, the L test.

    In a pool, days are taken as independent, which overlapping circles are not. 250 circles have too many days for the L test's
    simulations.
    """
    named = {"n": asdict(consistency.number_test(rows.happened, rows.probability))}
    if joint:
        named["l"] = asdict(consistency.likelihood_test(rows.happened, rows.probability, np.random.default_rng(BOOTSTRAP_SEED)))
    return {f"{test}_{name}": value for test, values in named.items() for name, value in values.items()}


def _comparisons(rows: Rows, draws: Sequence[BlockDraws]) -> dict[str, Any]:
    """Compare with each baseline on the days that both have.

    Returns the information gain, with its interval by each block length, and the p-values of the T and W tests.
    """
    found: dict[str, Any] = {}
    for name in BASELINES:
        other = rows.others.get(name, np.full(len(rows.happened), np.nan))
        both = np.isfinite(other)
        targets = int(np.count_nonzero(rows.happened[both]))
        bounds, t_p, w_p = [UNDEFINED] * len(draws), NAN, NAN
        if both.any():
            happened, forecast, over = rows.happened[both], rows.probability[both], other[both]
            gain = scores.log_likelihood(happened, forecast) - scores.log_likelihood(happened, over)
            bounds = gain_bounds(rows.local_days[both], gain, happened, draws)
            t_p = comparison.paired_t_test(happened, forecast, over).p_value
            w_p = comparison.signed_rank_test(happened, forecast, over).p_value
        start = f"gain_over_{name}"
        found |= {
            start: bounds[0].estimate,
            f"{start}_low": bounds[0].low,
            f"{start}_high": bounds[0].high,
            f"{start}_target_days": targets,
            f"{start}_undefined_share": bounds[0].undefined_share,
            f"t_p_over_{name}": t_p,
            f"w_p_over_{name}": w_p,
        }
        for drawn, bound in zip(draws, bounds, strict=True):
            found |= {f"{start}_low_{drawn.block_days}": bound.low, f"{start}_high_{drawn.block_days}": bound.high}
    return found
