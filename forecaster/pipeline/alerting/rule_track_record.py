"""Backtest a rule on past days, and check whether its model is good enough to raise alerts: out of sample, as known now."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import numpy as np
import pandas as pd

from forecaster.alert_rules import Decision, ForecastFigures, walk
from forecaster.pipeline.training.information_gain import BOOTSTRAP_SEED, gain_over, gain_words
from forecaster.publishing_rule.combination import KIND
from forecaster.publishing_rule.learnt_weights import posterior
from forecaster.publishing_rule.weights import usable_weights
from forecaster.recipe import Recipe
from forecaster.registry.recipe_fields import AlertRule
from forecaster.store import fits as stored_fits
from forecaster.store.database import Connection
from forecaster.store.row_types import ForecastRow, PastWindow, PublishedWindow, rows_as
from forecaster.timewindow import days_of_windows, days_of_windows_us, local_day
from forecaster.verification.alarms import AlarmRates, alarm_rates
from forecaster.verification.intervals import Interval
from forecaster.verification.proportions import Share

MIN_RECORD_DAYS = 10
RECORD_SPAN = timedelta(days=365)
MAX_UNDEFINED = 0.05  # share of resamples without a target day, above which an interval rests on too few events for a decision


@dataclass(frozen=True)
class BacktestDay:
    """One past window: its forecast, actual or as it would have been; the rule's decision; the outcome (None: not verified)."""

    figures: ForecastFigures
    method: str
    decision: Decision
    observed: bool | None


@dataclass(frozen=True)
class Backtest:
    """A rule applied to past windows, oldest first, and its rates on the verified ones."""

    days: tuple[BacktestDay, ...]
    rates: AlarmRates


@dataclass(frozen=True)
class Skill:
    """Gain of the model behind a forecast over the usual rate, and the source of the figure; gain None: never evaluated.

    source: `record` (official forecasts of the last year), `pooled` (days of all circles) or `evaluation` (days that the fit had not seen).
    """

    gain: Interval | None
    source: Literal["record", "pooled", "evaluation"]


def backtest(recipe: Recipe, rule: AlertRule, rows: pd.DataFrame, since: datetime | None = None) -> Backtest:
    """Apply the rule to these rows of `store.alerts.out_of_sample`, in order; rates are counted on the windows from `since` on.

    The model's gain is not compared with the rule's `min_gain` here.
    """
    forecasts = [figures_in(row) for row in rows_as(PastWindow, rows)]
    decisions = walk(rule, recipe.zone, forecasts)
    outcomes = [None if pd.isna(value) else bool(value) for value in rows["happened"]]
    verified = np.array(
        [
            value is not None and (since is None or figures.target_start >= since)
            for figures, value in zip(forecasts, outcomes, strict=True)
        ],
        dtype=bool,
    )
    local_days = days_of_windows((figures.target_start for figures in forecasts), recipe.zone)
    raised = np.array([decision.action == "raised" for decision in decisions], dtype=bool)
    active = np.array([decision.is_active for decision in decisions], dtype=bool)
    observed = np.array([value is True for value in outcomes], dtype=bool)
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    rates = alarm_rates(local_days[verified], raised[verified], active[verified], observed[verified], rng)
    return Backtest(tuple(map(BacktestDay, forecasts, rows["method"], decisions, outcomes)), rates)


def figures_in(row: PublishedWindow | ForecastRow) -> ForecastFigures:
    """Return the forecast of a row of the table `forecast`."""
    return ForecastFigures(row["target_start"], row["target_end"], row["probability"], row["reference_probability"])


def skill_of(connection: Connection, recipe: Recipe, model_kind: str, model_id: str, now: datetime) -> Skill:
    """Return the skill of the model behind a forecast relative to the usual rate.

    For the combination it comes from the pooled days of all circles, together with its own official forecasts of the last year once the
    event was observed on MIN_RECORD_DAYS of their days. For a single kind it comes from its own record, else from the evaluation of this
    fit on days that it was not fitted on.
    """
    own = record(connection, recipe, model_kind, now)
    own = own if own is not None and own.target_days >= MIN_RECORD_DAYS and own.undefined_share <= MAX_UNDEFINED else None
    if model_kind == KIND:
        base, _ = usable_weights(local_day(now, recipe.zone))
        if own is None:
            return Skill(None if base.pooled_gain is None else Interval(*base.pooled_gain, 0.0), "pooled")
        mean, sd = posterior(base, own.estimate, (own.high - own.low) / 3.92)
        return Skill(Interval(mean, mean - 1.96 * sd, mean + 1.96 * sd, own.target_days, 0.0), "record")
    if own is not None:
        return Skill(own, "record")
    model = stored_fits.model_named(connection, model_id)
    found = (model["details"].get("evaluation") if model else None) or {}
    if found.get("information_gain") is None or found.get("low") is None:
        return Skill(None, "evaluation")
    gain = Interval(found["information_gain"], found["low"], found["high"], found["target_days"], found.get("undefined_share", 0.0))
    return Skill(gain, "evaluation")


def record(connection: Connection, recipe: Recipe, kind: str, as_of: datetime) -> Interval | None:
    """Return the gain over the usual rate of a kind's official forecasts of the last year, verified by now; None where there is none."""
    rows = stored_fits.scored_of_kind(connection, {recipe.id: recipe.target_hash}, kind, as_of - RECORD_SPAN, as_of)[recipe.id]
    if not len(rows):
        return None
    days = days_of_windows_us(rows.target_start_us, recipe.zone)
    return gain_over(recipe, days, rows.happened, rows.probability, rows.reference_probability)


def exclusion(rule: AlertRule, skill: Skill) -> str | None:
    """Explain why the rule may not raise alerts from this model; None where it may.

    For pooled days and evaluations, the low end of the gain's interval must lie above `min_gain`, on enough events. The combination's own
    record blocks a rule only where it shows a gain below `min_gain`, that is, where the high end lies below it.
    """
    if skill.gain is None:
        return "the model has never been judged against the usual rate"
    words = f"the model's gain over the usual rate is {gain_words(skill.gain)}"
    if skill.source == "record":
        return None if skill.gain.high > rule.min_gain else f"{words}: its high end must lie above {rule.min_gain:+g} (min_gain)"
    if skill.gain.undefined_share <= MAX_UNDEFINED and skill.gain.low > rule.min_gain:
        return None
    return f"{words}: its low end must lie above {rule.min_gain:+g} (min_gain)"


def rates_document(rates: AlarmRates) -> dict[str, Any]:
    """Return the rates as JSON: what an alert states about its rule, and stores. Unknown shares are null."""
    return {
        "first_day": rates.first_day.isoformat() if rates.first_day else None,
        "last_day": rates.last_day.isoformat() if rates.last_day else None,
        "days": rates.days,
        "target_days": rates.target_days,
        "alert_days": rates.false_alarms.days,
        "alert_blocks": rates.false_alarms.blocks,
        "false_alarm_days": rates.false_alarms.hits,
        "false_alarm_share": _share(rates.false_alarms) if rates.known else None,
        "days_without_target_share": 1 - rates.target_days / rates.days if rates.days else None,
        "hit_days": rates.hits.hits,
        "hit_share": _share(rates.hits) if rates.hits.blocks > 1 else None,
        "alerts": rates.alerts,
        "alerts_in_vain": rates.alerts_in_vain,
        "alerts_a_year": _bounds(rates) if rates.days else None,
        "method": "shares: Korn-Graubard on 30-day blocks; alerts a year: bootstrap of 30-day blocks; 95 %; out-of-sample forecasts only",
    }


def _share(share: Share) -> dict[str, float]:
    return {"estimate": share.share, "low": share.low, "high": share.high}


def _bounds(rates: AlarmRates) -> dict[str, float]:
    found = rates.alerts_a_year
    return {"estimate": found.estimate, "low": found.low, "high": found.high}
