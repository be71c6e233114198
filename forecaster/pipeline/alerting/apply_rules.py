"""Apply the recipes' rules to the day's forecasts: which alerts are raised, held and ended. Pure: rows in, rows and messages out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pandas as pd

from forecaster.alert_rules import Decision, RuleState, decide, held_until
from forecaster.pipeline.alerting import alert_messages
from forecaster.pipeline.alerting.alert_messages import identity
from forecaster.pipeline.alerting.rule_figures import expected
from forecaster.pipeline.alerting.rule_track_record import Skill, exclusion, figures_in
from forecaster.recipe import Recipe
from forecaster.registry.recipe_fields import AlertRule
from forecaster.reports.content.contract import Ladder
from forecaster.reports.outgoing.alert_text import AlertTexts
from forecaster.reports.outgoing.message import Message
from forecaster.store.row_types import ForecastRow, ObservedWindow
from forecaster.store.typed_rows.alert_types import AlertRow, CorrectionRow, ForecastAlertRow

EXPIRES_AFTER = timedelta(days=1)


@dataclass
class Changes:
    """The changes of one run.

    Holds alert rows to be stored, by id; corrections; messages; the ids of alerts by what was done to them; and by recipe/rule why no alert
    was raised although the rule's bounds were reached.
    """

    alerts: dict[str, AlertRow] = field(default_factory=dict)
    corrections: list[CorrectionRow] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    raised: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    cleared: list[str] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    suppressed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RuleInputs:
    """The inputs of one recipe's rules.

    alerts: its alerts of this target and of this kind of mode, oldest first, including changes of this run.
    forecasts: published for windows that have not ended, oldest first.
    evidence: by kind of model, rows of `store.alerts.out_of_sample`, for kinds whose forecasts reach a rule.
    skills, ladders: by forecast_id, of those forecasts.
    windows: by alert_id, from the window that it was raised for.
    """

    recipe: Recipe
    alerts: Sequence[ForecastAlertRow]
    forecasts: Sequence[ForecastRow]
    evidence: Mapping[str, pd.DataFrame]
    skills: Mapping[str, Skill]
    ladders: Mapping[str, Ladder | None]
    windows: Mapping[str, Sequence[ObservedWindow]]


def apply_rules(given: RuleInputs, texts: AlertTexts, now: datetime, changes: Changes) -> None:
    """Apply the rules to every forecast they have not processed yet, window after window, and record the results in `changes`.

    Each forecast can hold or end an active alert. Only the newest one can raise an alert: the window before it is almost over.
    """
    rules = {rule.name: rule for rule in given.recipe.alerts}
    for alert in given.alerts:
        if alert["state"] == "raised" and (alert["rule"] not in rules or alert["target_hash"] != given.recipe.target_hash):
            _end(given, texts, alert, now, "gone", None, changes)
    for rule in rules.values():
        mine = [alert for alert in given.alerts if alert["rule"] == rule.name and alert["target_hash"] == given.recipe.target_hash]
        for forecast in given.forecasts:
            _apply(given, rule, mine, forecast, texts, now, changes)
        for alert in mine:
            if alert["state"] == "raised" and alert["last_target_end"] + EXPIRES_AFTER <= now:
                _end(given, texts, alert, now, "expired", None, changes)


def rule_state(alerts: Sequence[ForecastAlertRow]) -> tuple[RuleState, ForecastAlertRow | None, datetime | None]:
    """Return the rule's state from its alerts: (state, active alert, last processed window).

    A withdrawn alert starts no cooldown: it should not have been raised.
    """
    kept = [alert for alert in alerts if alert["state"] != "withdrawn"]
    active = next((alert for alert in kept if alert["state"] == "raised"), None)
    raised_for = max((alert["target_start"] for alert in kept), default=None)
    seen = max((alert["cleared_for"] or alert["last_target_start"] for alert in alerts), default=None)
    if active is None:
        return RuleState(raised_for), None, seen
    return RuleState(raised_for, active["last_target_start"], active["last_target_end"]), active, seen


def active_windows(alert: ForecastAlertRow, windows: Sequence[ObservedWindow]) -> list[ObservedWindow]:
    """Return those of the windows for which the alert is, or was, active."""
    return [window for window in windows if alert["target_start"] <= window["target_start"] <= alert["last_target_start"]]


def _apply(
    given: RuleInputs,
    rule: AlertRule,
    mine: list[ForecastAlertRow],
    forecast: ForecastRow,
    texts: AlertTexts,
    now: datetime,
    changes: Changes,
) -> None:
    state, active, seen = rule_state(mine)
    overtaken = active is None and forecast is not given.forecasts[-1]
    if overtaken or (seen is not None and forecast["target_start"] <= seen):
        return
    skill = given.skills.get(forecast["forecast_id"], Skill(None, "evaluation"))
    decision = decide(rule, given.recipe.zone, state, figures_in(forecast), exclusion(rule, skill))
    if decision.action == "suppressed":
        changes.suppressed[f"{given.recipe.id}/{rule.name}"] = decision.reason
    if active is not None and decision.expired:
        _end(given, texts, active, now, "expired", None, changes)
    if decision.action == "held" and active is not None:
        active |= {
            "last_forecast_id": forecast["forecast_id"],
            "last_target_start": forecast["target_start"],
            "last_target_end": forecast["target_end"],
        }
        changes.alerts[active["alert_id"]] = active
        changes.held.append(active["alert_id"])
    elif decision.action == "cleared" and active is not None:
        _end(given, texts, active, now, "below", forecast, changes)
    elif decision.action == "raised":
        alert = _raised(given, rule, forecast, decision, now)
        ladder = given.ladders.get(forecast["forecast_id"])
        message = alert_messages.raised(texts, given.recipe, alert, skill, forecast, ladder)
        alert["message"] = message.title
        mine.append(alert)
        changes.alerts[alert["alert_id"]] = alert
        changes.raised.append(alert["alert_id"])
        changes.messages.append(message)


def _raised(given: RuleInputs, rule: AlertRule, forecast: ForecastRow, decision: Decision, now: datetime) -> ForecastAlertRow:
    recipe, figures = given.recipe, figures_in(forecast)
    mode, replay = forecast["mode"], forecast["mode"] == "replay"
    assert mode != "hindcast", "a backfill's forecasts are no news"
    alert_id = identity("alert", recipe.id, recipe.target_hash, rule.name, replay, f"{figures.target_start:%FT%TZ}")
    return {
        "alert_id": alert_id,
        "kind": "forecast",
        "rule": rule.name,
        "recipe_id": recipe.id,
        "target_hash": recipe.target_hash,
        "mode": mode,
        "severity": rule.severity,
        "state": "raised",
        "reason": decision.reason,
        "raised_at": now,
        "held_until": held_until(rule.quiet_hours, recipe.zone, now),
        "forecast_id": forecast["forecast_id"],
        "target_start": figures.target_start,
        "target_end": figures.target_end,
        "probability": figures.probability,
        "reference_probability": figures.reference_probability,
        "ratio": figures.ratio,
        "last_forecast_id": forecast["forecast_id"],
        "last_target_start": figures.target_start,
        "last_target_end": figures.target_end,
        "thread_id": alert_id,
        "channels": list(rule.channels) or None,
        "bounds": rule.document(),
        "message": "",
        "cleared_at": None,
        "cleared_for": None,
        "cleared_reason": None,
        "outcomes": None,
        "expected": expected(recipe, rule, given.evidence[forecast["model_kind"]], forecast["model_kind"]),
    }


def _end(
    given: RuleInputs, texts: AlertTexts, alert: ForecastAlertRow, now: datetime, why: str, forecast: ForecastRow | None, changes: Changes
) -> None:
    alert |= {
        "state": "cleared",
        "cleared_at": now,
        "cleared_for": forecast["target_start"] if forecast else None,
        "cleared_reason": why,
    }
    changes.alerts[alert["alert_id"]] = alert
    changes.cleared.append(alert["alert_id"])
    windows = active_windows(alert, given.windows.get(alert["alert_id"], ()))
    changes.messages.append(alert_messages.ended(texts, given.recipe, alert, forecast, windows, now))
