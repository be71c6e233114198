"""From the daily rows of an evaluation to a table of scores: one row an arm, recipe or pool, model and kind of day.

Two models are compared on the days on which both have spoken. A pool's gain is the sum of its recipes' gains over the sum of their
target days. Its AUC is the chance that a target day was given more than a quiet day of the same recipe (recipes weighted by their pairs
of such days): ranking Tokyo above Athens is no skill. Molchan's area is taken against the climatology: .5 is what the climatology has.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecaster.models.base import logit, sigmoid
from forecaster.pipeline.gain import BOOTSTRAP_SEED
from forecaster.recipe import Recipe
from forecaster.verification import comparison, consistency, curves, reliability, scores
from forecaster.verification.intervals import NOTHING, BlockDraws, DailyGain, block_number, draw_blocks, gain_interval
from forecaster.verification.sequences import outside_2011

MEAN = "mean"
MEAN_OF = ("etas", "pooled")
BASELINES = ("climatology", "etas", "best_rate")
DAYS_OF = ("all", "quiet", "sequence", "outside_2011")
POOLS = ("japan", "abroad")
NAN = float("nan")


@dataclass(frozen=True)
class Rows:
    """Days of recipes under one arm; arrays (n,). `probability` is NaN where the model has not spoken; `others` by name likewise."""

    recipe_id: np.ndarray
    local_days: np.ndarray
    happened: np.ndarray
    probability: np.ndarray
    others: dict[str, np.ndarray]

    def take(self, mask: np.ndarray) -> "Rows":
        """The rows where `mask` is true."""
        others = {name: values[mask] for name, values in self.others.items()}
        return Rows(self.recipe_id[mask], self.local_days[mask], self.happened[mask], self.probability[mask], others)


def pool_of(recipe: Recipe) -> str | None:
    """The pool that a recipe counts in: "japan", "abroad", or None where it is kept for comparison only."""
    if recipe.comparison_only:
        return None
    return "japan" if recipe.time_zone == "Asia/Tokyo" else "abroad"


def with_mean(daily: pd.DataFrame) -> pd.DataFrame:
    """The same rows with those of model "mean": the average of the logits of ETAS and the pooled trees, where both have spoken."""
    keys = ["arm", "recipe_id", "local_day"]
    one, two = (daily[daily["model"] == name] for name in MEAN_OF)
    both = one.merge(two[[*keys, "probability"]], on=keys, suffixes=("", "_two"))
    if both.empty:
        return daily
    logits = logit(both["probability"].to_numpy()) + logit(both.pop("probability_two").to_numpy())
    return pd.concat([daily, both.assign(probability=sigmoid(logits / 2), model=MEAN)], ignore_index=True)


def score_table(daily: pd.DataFrame, pools: Mapping[str, str | None]) -> pd.DataFrame:
    """One row an arm, level ("recipe" or "pool"), name, model and `days_of` (DAYS_OF; "outside_2011" only where 2011 is among the days).

    Args:
        daily: rows of `evaluate`, with or without the mean.
        pools: recipe id -> its pool, None for none.
    """
    found = []
    draws = draw_blocks([daily["local_day"].to_numpy().astype("datetime64[D]")], np.random.default_rng(BOOTSTRAP_SEED))
    for arm, said in daily.groupby("arm", sort=True):
        wide = said.pivot(index=["recipe_id", "local_day"], columns="model", values="probability")
        days = said.drop_duplicates(["recipe_id", "local_day"]).set_index(["recipe_id", "local_day"]).loc[wide.index]
        recipe_id = wide.index.get_level_values("recipe_id").to_numpy()
        local_days = wide.index.get_level_values("local_day").to_numpy().astype("datetime64[D]")
        others = {name: wide[name].to_numpy() for name in BASELINES[1:] if name in wide} | {"climatology": days["reference"].to_numpy()}
        for model in wide:
            rows = Rows(recipe_id, local_days, days["happened"].to_numpy(dtype=bool), wide[model].to_numpy(), others)
            for days_of, chosen in _days_of(local_days, days["status"].to_numpy()).items():
                kept = chosen & np.isfinite(rows.probability)
                for level, name, group in _groups(rows.take(kept), pools):
                    head: dict[str, Any] = {"arm": arm, "level": level, "name": name, "pool": name if level == "pool" else pools.get(name)}
                    head |= {"model": model, "days_of": days_of, "recipes": len(np.unique(group.recipe_id))}
                    found.append(head | _scores(group) | _comparisons(group, draws) | (_tests(group) if days_of == "all" else {}))
    return pd.DataFrame(found)


def _days_of(local_days: np.ndarray, status: np.ndarray) -> dict[str, np.ndarray]:
    """Masks (n,) of the kinds of days there are."""
    masks = {"all": np.ones(len(status), dtype=bool), "quiet": status == "quiet", "sequence": status == "sequence"}
    outside = outside_2011(local_days)
    return masks if outside.all() else masks | {"outside_2011": outside}


def _groups(rows: Rows, pools: Mapping[str, str | None]) -> Iterator[tuple[str, str, Rows]]:
    """(level, name, rows) of every recipe and pool that has rows."""
    present = np.unique(rows.recipe_id).tolist()
    for name in present:
        yield "recipe", name, rows.take(rows.recipe_id == name)
    for pool in POOLS:
        members = [name for name in present if pools.get(name) == pool]
        if members:
            yield "pool", pool, rows.take(np.isin(rows.recipe_id, members))


def _scores(rows: Rows) -> dict[str, Any]:
    """What a model's days say by themselves, and beside the climatology."""
    happened, said, reference = rows.happened, rows.probability, rows.others["climatology"]
    line = reliability.calibration_line(happened, said, block_number(rows.local_days))
    brier, log = reliability.decompose(happened, said, "brier"), reliability.decompose(happened, said, "log")
    both = bool(happened.any() and not happened.all())
    return {
        "first_day": str(rows.local_days.min()),
        "last_day": str(rows.local_days.max()),
        "days": len(happened),
        "target_days": int(happened.sum()),
        "base_rate": float(happened.mean()),
        "mean_probability": float(said.mean()),
        "log_score": log.score,
        "brier": brier.score,
        "brier_skill": scores.brier_skill(happened, said, reference),
        "auc": _auc(rows),
        "pr_auc": scores.pr_auc(happened, said),
        "molchan_skill": curves.molchan_diagram(happened, said, reference).area_skill if both else NAN,
        "calibration_ratio": scores.calibration_ratio(happened, said),
        "calibration_slope": line.slope,
        "calibration_slope_error": line.slope_error,
        "calibration_intercept": line.intercept,
        "calibration_error": reliability.expected_calibration_error(happened, said),
        "sharpness": float(said.std()),
        **{f"brier_{name}": value for name, value in asdict(brier).items() if name != "score"},
        **{f"log_{name}": value for name, value in asdict(log).items() if name != "score"},
    }


def _auc(rows: Rows) -> float:
    """AUC within recipes, each weighted by its pairs of a target day and a quiet day; NaN where there is no pair."""
    total = pairs = 0.0
    for name in np.unique(rows.recipe_id):
        one = rows.take(rows.recipe_id == name)
        count = float(one.happened.sum()) * float((~one.happened).sum())
        if count:
            total, pairs = total + count * scores.roc_auc(one.happened, one.probability), pairs + count
    return total / pairs if pairs else NAN


def _tests(rows: Rows) -> dict[str, Any]:
    """Binary N and L tests. In a pool, days are taken as independent of each other, which overlapping circles are not."""
    number = consistency.number_test(rows.happened, rows.probability)
    likelihood = consistency.likelihood_test(rows.happened, rows.probability, np.random.default_rng(BOOTSTRAP_SEED))
    named = {"n": asdict(number), "l": asdict(likelihood)}
    return {f"{test}_{name}": value for test, values in named.items() for name, value in values.items()}


def _comparisons(rows: Rows, draws: BlockDraws) -> dict[str, Any]:
    """Information gain over each baseline, with its interval, and the p-values of the T and W tests, on the days that both have."""
    found: dict[str, Any] = {}
    for name in BASELINES:
        other = rows.others.get(name, np.full(len(rows.happened), np.nan))
        both = np.isfinite(other)
        gain, t_p, w_p = NOTHING, NAN, NAN
        if both.any():
            kept = rows.take(both)
            gain = gain_interval([_daily_gain(kept, name)], draws)
            t_p = comparison.paired_t_test(kept.happened, kept.probability, kept.others[name]).p_value
            w_p = comparison.signed_rank_test(kept.happened, kept.probability, kept.others[name]).p_value
        found |= {
            f"gain_over_{name}": gain.estimate,
            f"gain_over_{name}_low": gain.low,
            f"gain_over_{name}_high": gain.high,
            f"gain_over_{name}_target_days": gain.target_days,
            f"gain_over_{name}_undefined_share": gain.undefined_share,
            f"t_p_over_{name}": t_p,
            f"w_p_over_{name}": w_p,
        }
    return found


def _daily_gain(rows: Rows, baseline: str) -> DailyGain:
    other = scores.log_likelihood(rows.happened, rows.others[baseline])
    return DailyGain(rows.local_days, scores.log_likelihood(rows.happened, rows.probability) - other, rows.happened)
