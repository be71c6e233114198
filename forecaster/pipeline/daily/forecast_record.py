"""The track record of what was published, by mode: prospective forecasts and hindcasts are separate. In-sample days count in none."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from forecaster.pipeline.training.information_gain import BOOTSTRAP_SEED, pooled_gain
from forecaster.recipe import Recipe
from forecaster.reports.content.contract import Mode, ReliabilityCurve, TrackRecord
from forecaster.store import ledger
from forecaster.store.database import Connection
from forecaster.timewindow import days_of_windows_us
from forecaster.verification.intervals import DailyGain, Interval
from forecaster.verification.reliability import corp_reliability
from forecaster.verification.scores import log_likelihood

MODES: tuple[Mode, ...] = ("prospective", "late", "replay", "hindcast")
ENOUGH_HITS = 10  # for an interval
CURVE_DAYS, CURVE_HITS = 60, 5  # for a reliability curve
CURVE_POINTS = 12
CURVE_GAP = 0.04  # of the largest forecast probability, between two points
CURVE_RESAMPLES = 200
CURVE_VALUES = 60  # forecast values that the curve is computed from, at most


def scored_days(connection: Connection, recipes: Sequence[Recipe]) -> dict[str, dict[Mode, pd.DataFrame]]:
    """Return the verified days of what was published (`ledger.scored`) with `local_day`, by recipe and mode; empty modes are left out."""
    frames = ledger.scored(connection, {recipe.id: recipe.target_hash for recipe in recipes})
    return {recipe.id: _by_mode(frames[recipe.id], recipe) for recipe in recipes}


def _by_mode(frame: pd.DataFrame, recipe: Recipe) -> dict[Mode, pd.DataFrame]:
    starts_us = frame["target_start"].to_numpy(dtype="datetime64[us]").astype(np.int64)
    modes = frame["mode"].to_numpy(dtype=str)
    every = frame.drop(columns="mode").assign(local_day=days_of_windows_us(starts_us, recipe.zone))
    there = [mode for mode in MODES if mode in modes]
    return {mode: every if len(there) == 1 else every[modes == mode].reset_index(drop=True) for mode in there}


def record_of(mode: Mode, days: Mapping[str, pd.DataFrame]) -> TrackRecord:
    """Compute the track record of the days in one mode (recipe id -> frame of `scored_days`; several recipes are pooled).

    An interval needs ten verified target days. A reliability curve needs 60 verified days and five target days.
    """
    every = next(iter(days.values())) if len(days) == 1 else pd.concat(days.values(), ignore_index=True)
    happened = every["happened"].to_numpy(dtype=bool)
    probability = every["probability"].to_numpy(dtype=np.float64)
    gain = _gain(days)
    enough = gain.target_days >= ENOUGH_HITS
    return TrackRecord(
        verified_days=len(every),
        hits=int(happened.sum()),
        information_gain=_known(gain.estimate),
        low=_known(gain.low) if enough else None,
        high=_known(gain.high) if enough else None,
        mode=mode,
        expected=float(probability.sum()),
        final_days=int((every["status"] == "final").sum()),
        first_day=every["local_day"].min().date(),
        last_day=every["local_day"].max().date(),
        reliability=reliability_curve(happened, probability),
    )


def reliability_curve(happened: np.ndarray, forecast: np.ndarray) -> ReliabilityCurve | None:
    """Return CORP's curve with 90 % consistency bars, at no more than CURVE_POINTS forecast values, at equal shares of the days."""
    if len(happened) < CURVE_DAYS or happened.sum() < CURVE_HITS:
        return None
    whole = corp_reliability(happened, _grouped(forecast), np.random.default_rng(BOOTSTRAP_SEED), CURVE_RESAMPLES)
    share = np.cumsum(whole.days) / whole.days.sum()
    at = np.unique(np.searchsorted(share, np.linspace(0.0, 1.0, CURVE_POINTS)).clip(0, len(share) - 1))
    at = _apart(at, whole.probability)
    up_to = np.cumsum(whole.days)[at]
    counted = np.diff(up_to, prepend=0)
    return ReliabilityCurve(
        tuple(whole.probability[at].tolist()),
        tuple(counted.tolist()),
        tuple(whole.recalibrated[at].tolist()),
        tuple(whole.low[at].tolist()),
        tuple(whole.high[at].tolist()),
    )


def _apart(at: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """Return those of the rising indices `at` whose values are far enough apart to be distinguished; the last one is kept."""
    kept = [int(at[-1])]
    for index in at[-2::-1]:
        if forecast[kept[-1]] - forecast[index] >= CURVE_GAP * forecast[at[-1]]:
            kept.append(int(index))
    return np.array(kept[::-1])


def pooled_records(days: Mapping[str, Mapping[Mode, pd.DataFrame]]) -> tuple[TrackRecord, ...]:
    """Return one track record per mode of all these recipes together (recipe id -> `scored_days`)."""
    by_mode = {mode: {recipe_id: modes[mode] for recipe_id, modes in days.items() if mode in modes} for mode in MODES}
    return tuple(record_of(mode, found) for mode, found in by_mode.items() if found)


def of_mode(records: Sequence[TrackRecord], mode: str) -> TrackRecord | None:
    """Return the track record of this mode, if there is one."""
    return next((record for record in records if record.mode == mode), None)


def _gain(days: Mapping[str, pd.DataFrame]) -> Interval:
    daily = []
    for frame in days.values():
        happened = frame["happened"].to_numpy(dtype=bool)
        probability, usual = frame["probability"].to_numpy(), frame["reference_probability"].to_numpy()
        gain = log_likelihood(happened, probability) - log_likelihood(happened, usual)
        daily.append(DailyGain(frame["local_day"].to_numpy(dtype="datetime64[D]"), gain, happened))
    return pooled_gain(daily)


def _grouped(values: np.ndarray) -> np.ndarray:
    """Round to three significant figures, so that indistinguishable values share a point of the curve. Of more than CURVE_VALUES values,
    neighbours at equal shares of the days are joined: each gets their mean.
    """
    scale = 10.0 ** (2 - np.floor(np.log10(values)))
    rounded: np.ndarray = np.round(values * scale) / scale
    distinct, at, days = np.unique(rounded, return_inverse=True, return_counts=True)
    if len(distinct) <= CURVE_VALUES:
        return rounded
    group = (np.cumsum(days) - days) * CURVE_VALUES // len(values)
    total, number = np.bincount(group, weights=distinct * days), np.bincount(group, weights=days)
    joined: np.ndarray = np.divide(total, number, out=total, where=number > 0)[group][at]
    return joined


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
