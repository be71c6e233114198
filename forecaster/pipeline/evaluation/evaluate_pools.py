"""The basis of a pool's figures: target days shared between circles, gains without the overlap, and the gain added to ETAS."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from forecaster.features.overlap import overlap_matrix, tile_weights
from forecaster.pipeline.evaluation.evaluate_forecasts import BASELINES, POOLS, ArmForecasts, Rows
from forecaster.pipeline.evaluation.evaluate_scores import gain_bounds, too_few_blocks
from forecaster.recipe import Recipe
from forecaster.verification.intervals import BlockDraws, Bounds, sums_by_day
from forecaster.verification.scores import log_likelihood

REFERENCE = "climatology"
MIN_USABLE = 0.95


def pool_facts(forecasts: ArmForecasts, circles: Mapping[str, Recipe], draws: Sequence[BlockDraws]) -> Iterator[dict[str, Any]]:
    """Yield one document per pool of an arm; `circles` by recipe id, draws as of `evaluate_scores.block_draws`.

    shared_days: target days on which the target of an overlapping circle of the pool was also observed on the same UTC day.
    weighted: gains in which every square kilometre counts once (`tile_weights`). The weights are fixed before the days. Weights that depend
        on the observations would count target days less and quiet days in full, and the gain would no longer be a proper score.
    of_etas: gain over ETAS / ETAS's own gain over the usual rate, on the days that all three have.
    singles: circles or recipes whose 30-day interval lies above or below 0.
    """
    for pool in POOLS:
        member = forecasts.members(pool)
        if not member.any():
            continue
        present = np.unique(forecasts.recipe[member])
        recipes = [circles[forecasts.names[number]] for number in present]
        overlap, weight = overlap_matrix(recipes), np.ones(len(forecasts.names))
        weight[present] = tile_weights(recipes)
        hit = member & forecasts.happened
        shared, distinct = shared_days(np.searchsorted(present, forecasts.recipe[hit]), forecasts.utc_days[hit], overlap)
        np.fill_diagonal(overlap, 0.0)
        models = [model for model in forecasts.probability if np.isfinite(forecasts.probability[model][member]).any()]
        yield {
            "arm": forecasts.arm,
            "pool": pool,
            "recipes": len(recipes),
            "target_days": int(hit.sum()),
            "distinct_days": distinct,
            "shared_days": shared,
            "largest_overlap": float(overlap.max(initial=0.0)),
            "mean_weight": float(weight[present].mean()),
            "gains": [{"model": model, **_gains(forecasts.rows(model, member), weight, draws)} for model in models if model != REFERENCE],
        }


def shared_days(recipe: np.ndarray, utc_days: np.ndarray, overlap: np.ndarray) -> tuple[int, int]:
    """Count the target days that an overlapping circle shares, and the distinct days among all.

    recipe int (t,), utc_days datetime64[D] (t,) of the target days, overlap (r, r) as of `overlap_matrix`.
    """
    days, at = np.unique(utc_days, return_inverse=True)
    target_on = np.zeros((len(overlap), len(days)), dtype=np.int32)
    target_on[recipe, at] = 1
    others = (overlap > 0) & ~np.eye(len(overlap), dtype=bool)
    return int((target_on * (others.astype(np.int32) @ target_on) > 0).sum()), len(days)


def _gains(rows: Rows, weight: np.ndarray, draws: Sequence[BlockDraws]) -> dict[str, Any]:
    likelihood = log_likelihood(rows.happened, rows.probability)
    over = {name: np.full(len(likelihood), np.nan) for name in BASELINES}
    for name, other in rows.others.items():
        known = np.isfinite(other)
        if known.any():
            over[name][known] = log_likelihood(rows.happened[known], other[known])
    weights = weight[rows.recipe]
    weighted: dict[str, Any] = {}
    singles: dict[str, Any] = {}
    for name, other in over.items():
        both = np.isfinite(other)
        days, happened, gain = rows.local_days[both], rows.happened[both], (likelihood - other)[both]
        weighted[name] = _numbers(gain_bounds(days, gain * weights[both], happened * weights[both], draws), draws) if both.any() else None
        singles[name] = _signs(rows.recipe[both], days, gain, happened, draws[0]) if both.any() else None
    both = np.isfinite(over["etas"])
    added, own = (likelihood - over["etas"])[both], (over["etas"] - over[REFERENCE])[both]
    return {"of_etas": share_of(rows.local_days[both], added, own, draws) if both.any() else None, "weighted": weighted, "singles": singles}


def share_of(local_days: np.ndarray, added: np.ndarray, own: np.ndarray, draws: Sequence[BlockDraws]) -> dict[str, Any] | None:
    """Return sum of `added` / sum of `own` (nats, (n,) both) with bounds of each draw; None where the sum of `own` is not above 0.

    Resamples in which it is not are left out, and bounds are null where these are more than one in twenty.
    """
    days, above, below = sums_by_day(local_days, added, own)
    if not below.sum() > 0:
        return None
    found = []
    for drawn in draws:
        (_, top), (_, bottom) = drawn.sums(days, above), drawn.sums(days, below)
        usable = bottom > 0
        stated = usable.mean() >= MIN_USABLE and not too_few_blocks(days, drawn)
        low, high = np.quantile(top[usable] / bottom[usable], [0.025, 0.975]) if stated else (np.nan, np.nan)
        found.append(Bounds(float(above.sum() / below.sum()), float(low), float(high), float(1 - usable.mean())))
    return _numbers(found, draws)


def _signs(recipe: np.ndarray, local_days: np.ndarray, gain: np.ndarray, happened: np.ndarray, drawn: BlockDraws) -> dict[str, int]:
    """Count the recipes whose interval lies above 0, those below 0, and all with an interval."""
    signs = []
    for number in np.unique(recipe):
        one = slice(*np.searchsorted(recipe, [number, number + 1]))
        if happened[one].any():
            (bounds,) = gain_bounds(local_days[one], gain[one], happened[one], [drawn])
            signs.append(int(bounds.low > 0) - int(bounds.high < 0))
    return {"above": signs.count(1), "below": signs.count(-1), "of": len(signs)}


def _numbers(found: Sequence[Bounds], draws: Sequence[BlockDraws]) -> dict[str, Any] | None:
    """Return the first draw's bounds, and those of all draws by block length; None where there is no figure."""
    if not np.isfinite(found[0].estimate):
        return None
    pairs = [[bounds.low, bounds.high] for bounds in found]
    blocks = {str(drawn.block_days): pair if np.isfinite(pair).all() else None for drawn, pair in zip(draws, pairs, strict=True)}
    low, high = pairs[0] if np.isfinite(pairs[0]).all() else (None, None)
    return {"estimate": found[0].estimate, "low": low, "high": high, "blocks": blocks}
