"""From the rungs of an evaluation to a table by horizon and magnitude: what was published, against the usual rate and against ETAS.

Windows of several days overlap, so their scores are bootstrapped in blocks at least as long as the window: 30 days, and 90 for windows of
30. Gains are nats per window in which such an earthquake was observed. `cases` counts the days of a recipe with one, i.e. the sample size.
Coverage is given for all windows and for those of active days, because most windows are quiet and have no earthquake.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecaster.models.etas.etas_horizons import Horizons
from forecaster.models.ladder.count_law import HIGH, LOW
from forecaster.models.ladder.extend_forecast import climb, horizons_of, ladder_chances, productivity_of
from forecaster.models.ladder.magnitude_law import STEPS, MagnitudeLaw, rung_magnitudes
from forecaster.pipeline.evaluation.evaluate_forecasts import POOLS
from forecaster.pipeline.evaluation.evaluate_rungs import LAW, NO_COUNT
from forecaster.pipeline.rungs.rung_record import block_days
from forecaster.pipeline.training.information_gain import BOOTSTRAP_SEED
from forecaster.publishing_rule.combination import KIND
from forecaster.verification.intervals import draw_blocks, ratio_bounds, sums_by_day
from forecaster.verification.scores import log_likelihood

FEW_CASES = 20
ACTIVE = 0.4  # published probability of the first day, from which on a day is active


@dataclass(frozen=True)
class Scored:
    """Windows of one arm: arrays (n, horizons, steps), NaN (or a count of NO_COUNT) where there is none. recipe: its name, (n,)."""

    horizons: tuple[int, ...]
    recipe: np.ndarray
    local_days: np.ndarray
    published: np.ndarray
    usual: np.ndarray
    etas: np.ndarray
    expected: np.ndarray
    below: np.ndarray  # probability of fewer than observed
    at_most: np.ndarray  # probability of at most as many as observed
    count: np.ndarray


def rung_rows(rungs: pd.DataFrame | None, daily: pd.DataFrame, pools: Mapping[str, str | None]) -> list[dict[str, Any]]:
    """Return one row per arm, pool, horizon and magnitude step that has a window; none where nothing is stored."""
    if rungs is None:
        return []
    published = daily.loc[daily["model"] == KIND, ["arm", "recipe_id", "local_day", "probability"]]
    both = rungs.merge(published, on=["arm", "recipe_id", "local_day"])
    found: list[dict[str, Any]] = []
    for arm, rows in both.groupby("arm", sort=True):
        scored = _scored(rows)
        for pool in POOLS:
            member = np.array([pools.get(str(name)) == pool for name in scored.recipe], dtype=bool)
            if member.any():
                found += [{"arm": str(arm), "pool": pool, **row} for row in _pool_rows(scored, member)]
    return found


def scored_year(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """Compute the arrays of `Scored` for one recipe's rows, which share one magnitude law, by `horizons_of` its own window."""
    head = rows.iloc[0]
    range_days = int(head["range_days"])
    horizons = horizons_of(range_days)
    seen = None if head["events"] == 0 else float(head["threshold_mag"])
    threshold, complete_from, share, shape, rate = (float(head[name]) for name in LAW[:-1])
    law = MagnitudeLaw(threshold, complete_from, share, shape, rate, int(head["events"]), seen)
    etas, usual = (Horizons(_columns(rows, f"{who}_hit", horizons), _columns(rows, f"{who}_number", horizons)) for who in ("etas", "usual"))
    published, reference = rows["probability"].to_numpy(), rows["reference"].to_numpy()
    steps = len(rung_magnitudes(law.threshold_mag))
    counts = np.stack([_columns(rows, "count", horizons, f"_{k}") for k in range(steps)], axis=2)
    recent = productivity_of(rows["recent_observed"].to_numpy(), rows["recent_expected"].to_numpy())
    own = climb(published, etas, range_days, law, recent, reference)
    return {
        "published": ladder_chances(own, range_days, published),
        "usual": ladder_chances(climb(reference, usual, range_days, law), range_days, reference),
        "etas": climb(None, etas, range_days, law).probability(),
        "expected": own.expected(),
        "below": own.at_most(counts - 1.0),
        "at_most": own.at_most(counts.astype(np.float64)),
        "count": counts,
    }


def _columns(rows: pd.DataFrame, name: str, horizons: tuple[int, ...], ending: str = "") -> np.ndarray:
    return np.stack([rows[f"{name}_{horizon}{ending}"].to_numpy() for horizon in horizons], axis=1)


def _scored(rows: pd.DataFrame) -> Scored:
    years = rows["local_day"].dt.year
    horizons = tuple(sorted({horizon for days in rows["range_days"].unique() for horizon in horizons_of(int(days))}))
    parts: list[dict[str, np.ndarray]] = []
    for (recipe, _), part in rows.groupby(["recipe_id", years], sort=True):
        at = [horizons.index(horizon) for horizon in horizons_of(int(part["range_days"].iloc[0]))]
        arrays = {name: _widened(value, at, len(horizons), name == "count") for name, value in scored_year(part).items()}
        days = part["local_day"].to_numpy().astype("datetime64[D]")
        parts.append({"recipe": np.full(len(part), recipe, dtype=object), "local_days": days, **arrays})
    return Scored(horizons, **{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def _widened(values: np.ndarray, at: list[int], horizons: int, whole: bool) -> np.ndarray:
    """Return the values of the horizons `at`, and none for other horizons and for steps that a high threshold lacks."""
    filled = np.full((len(values), horizons, len(STEPS)), NO_COUNT if whole else np.nan)
    filled[:, at, : values.shape[2]] = values
    return filled


def _pool_rows(scored: Scored, member: np.ndarray) -> Iterator[dict[str, Any]]:
    for i, horizon in enumerate(scored.horizons):
        block = block_days(horizon)
        for j, step in enumerate(STEPS):
            chosen = member & (scored.count[:, i, j] != NO_COUNT)
            if not chosen.any():
                continue
            count = scored.count[chosen, i, j]
            happened = count > 0
            days = scored.local_days[chosen]
            forecast, usual, etas = (values[chosen, i, j] for values in (scored.published, scored.usual, scored.etas))
            inside = (scored.at_most[chosen, i, j] >= LOW) & (scored.below[chosen, i, j] < HIGH)
            active = scored.published[chosen, 0, 0] >= ACTIVE
            cases = int((scored.count[member, 0, j] > 0).sum())
            yield {
                "horizon_days": horizon,
                "step": step,
                "windows": len(count),
                "hits": int(happened.sum()),
                "cases": cases,
                "few": cases < FEW_CASES,
                "expected_hits": float(forecast.sum()),
                "usual_hits": float(usual.sum()),
                "etas_hits": float(etas.sum()),
                "mean_count": float(count.mean()),
                "expected_count": float(scored.expected[chosen, i, j].mean()),
                "coverage": _ratio(days, inside.astype(float), np.ones(len(days)), block),
                "active_windows": int(active.sum()),
                "active_coverage": _ratio(days, (inside & active).astype(float), active.astype(float), block),
                "gain_over_climatology": _gain(days, happened, forecast, usual, block),
                "gain_over_etas": _gain(days, happened, forecast, etas, block),
                "block_days": block,
            }


def _gain(days: np.ndarray, happened: np.ndarray, probability: np.ndarray, other: np.ndarray, block: int) -> dict[str, Any] | None:
    gain = log_likelihood(happened, probability) - log_likelihood(happened, other)
    return _ratio(days, gain, happened.astype(float), block)


def _ratio(days: np.ndarray, above: np.ndarray, below: np.ndarray, block: int) -> dict[str, Any] | None:
    """Return sum / sum with its bounds; None where no event was observed."""
    if not below.sum() > 0:
        return None
    single, top, bottom = sums_by_day(days, above, below)
    found = ratio_bounds(draw_blocks([single], np.random.default_rng(BOOTSTRAP_SEED), block_days=block), single, top, bottom)
    return {"estimate": found.estimate, "low": found.low, "high": found.high}
