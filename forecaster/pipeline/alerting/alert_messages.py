"""Turn alert rows into messages: an alert raised, ended or withdrawn, an outcome revised, or a system alert."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal

from forecaster.alert_rules import ForecastFigures, held_until
from forecaster.pipeline.alerting.rule_track_record import Skill
from forecaster.pipeline.training.information_gain import gain_numbers
from forecaster.publishing_rule.combination import KIND
from forecaster.recipe import Recipe
from forecaster.registry.reasons import of_json
from forecaster.registry.recipe_fields import AlertRule
from forecaster.reports.content.contract import Ladder
from forecaster.reports.content.ladder_words import outlook
from forecaster.reports.numbers_as_text import Phrase, age_phrase, probability_phrase, ratio_text
from forecaster.reports.outgoing import alert_text
from forecaster.reports.outgoing.alert_text import AlertTexts
from forecaster.reports.outgoing.message import Message, MessageKind
from forecaster.store.row_types import ForecastRow, ObservedWindow
from forecaster.store.typed_rows.alert_types import AlertColumns, CorrectionRow, ForecastAlertRow, OperationsAlertRow, RevisedEvent
from forecaster.timewindow import day_of_window

Row = dict[str, Any]


def identity(*parts: object) -> str:
    """Return 24 hex digits derived from these parts alone."""
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()[:24]


def raised(
    texts: AlertTexts, recipe: Recipe, alert: ForecastAlertRow, skill: Skill, forecast: ForecastRow, ladder: Ladder | None
) -> Message:
    """Announce an alert: figures, window, its `ladder`, expected false alarms, rule, model, and the forecast's problems."""
    gain = None if skill.gain is None else gain_numbers(skill.gain)
    model_kind = forecast["model_kind"]
    context = {
        **_place(texts, recipe),
        **alert_text.window_words(texts, alert["target_start"], alert["target_end"], recipe.zone),
        **alert_text.figure_words(alert["probability"], alert["reference_probability"]),
        **alert_text.bounds_words(alert["bounds"]),
        "mode": alert["mode"],
        "outlook": outlook(ladder, alert["target_end"]),
        "rates": alert_text.rates_phrases(texts, alert["expected"], _whose(alert["expected"], model_kind)),
        "skill": alert_text.skill_phrase(model_kind, gain, skill.source),
        "degraded": texts.degraded(of_json(forecast["degraded_reasons"]), forecast["degraded_reason"]) if forecast["degraded"] else None,
        "held_until": alert["held_until"] and texts.writer.local(alert["held_until"], recipe.zone),
    }
    facts = {**_facts(alert), "expected": alert["expected"], "model": model_kind, "gain": gain, "gain_source": skill.source}
    message = _message(texts, "alert", "alert", alert, alert["alert_id"], alert["raised_at"], context, facts)
    return replace(message, not_before=alert["held_until"], expires_at=alert["target_end"])


def ended(
    texts: AlertTexts,
    recipe: Recipe,
    alert: ForecastAlertRow,
    forecast: ForecastRow | None,
    windows: Sequence[ObservedWindow],
    at: datetime,
) -> Message:
    """Report that an alert ended at `at`. forecast: the one that ended it, or None. windows: those for which it was active."""
    observed = [window["happened"] for window in windows if window["happened"] is not None]
    context: Row = {
        **_place(texts, recipe),
        **alert_text.bounds_words(alert["bounds"]),
        "mode": alert["mode"],
        "below": forecast is not None,
        "why": alert["cleared_reason"],
        "active_days": len(windows),
        "first_day": _day(texts, recipe, alert["target_start"]),
        "last_day": _day(texts, recipe, alert["last_target_start"]),
        "verified": len(observed),
        "hits": sum(map(bool, observed)),
    }
    # the former names, for templates of a user, for one release
    context |= {"now_said": context["below"], "stood_days": context["active_days"], "settled": context["verified"]}
    if forecast is not None:
        context |= alert_text.window_words(texts, forecast["target_start"], forecast["target_end"], recipe.zone)
        context |= alert_text.figure_words(forecast["probability"], forecast["reference_probability"])
    counts = {"active_windows": len(windows), "verified_windows": len(observed), "windows_with_target": context["hits"]}
    former = {"stood_windows": len(windows), "settled_windows": len(observed)}  # the former names, for one release
    facts = {**_facts(alert), **counts, **former}
    message = _message(texts, "alert_end", "alert", alert, identity(alert["alert_id"], "end"), at, context, facts)
    return _after_quiet_hours(message, recipe, alert)


def outcome_revised(
    texts: AlertTexts, recipe: Recipe, alert: ForecastAlertRow, window: ObservedWindow, correction: CorrectionRow
) -> Message:
    """Report the revised outcome of a window for which an alert was active."""
    context = {
        **_place(texts, recipe),
        **alert_text.window_words(texts, window["target_start"], window["target_end"], recipe.zone),
        **alert_text.figure_words(window["probability"], window["reference_probability"]),
        "mode": alert["mode"],
        "happened": correction["happened"],
    }
    facts = {**_facts(alert), "corrected": "outcome", "corrected_start": _iso(window["target_start"]), "happened": correction["happened"]}
    at, subject_id = correction["corrected_at"], correction["correction_id"]
    return _after_quiet_hours(_message(texts, "alert_outcome", "correction", alert, subject_id, at, context, facts), recipe, alert)


def withdrawn(
    texts: AlertTexts,
    recipe: Recipe,
    alert: ForecastAlertRow,
    forecast: ForecastRow,
    present: ForecastFigures,
    correction: CorrectionRow,
    events: Sequence[RevisedEvent],
) -> Message:
    """Report the withdrawal of an alert whose basis no longer holds.

    forecast: the one that the alert was based on. present: the present forecast. events: those revised since.
    """
    context = {
        **_place(texts, recipe),
        **alert_text.window_words(texts, forecast["target_start"], forecast["target_end"], recipe.zone),
        **alert_text.figure_words(present.probability, present.reference_probability),
        "mode": alert["mode"],
        "why": correction["reason"],
        "events": [_revised_event(texts, event) for event in events],
        "before": probability_phrase(forecast["probability"]),
        "before_ratio": ratio_text(forecast["probability"] / forecast["reference_probability"]),
    }
    facts = {**_facts(alert), "corrected": "forecast", "probability_now": present.probability, "ratio_now": present.ratio}
    facts["revised_events"] = [{**event, "origin_time": _iso(event["origin_time"])} for event in events]
    at, subject_id = correction["corrected_at"], correction["correction_id"]
    return _after_quiet_hours(_message(texts, "alert_withdrawn", "correction", alert, subject_id, at, context, facts), recipe, alert)


def operation(texts: AlertTexts, alert: OperationsAlertRow, check: str, values: Mapping[str, str]) -> Message:
    """Report a system alert: a problem of the operation began or is resolved; `values` fills the check's texts."""
    resolved = alert["state"] == "cleared"
    filled = {**values, "age": age_phrase(timedelta(hours=float(values["hours"])))} if "hours" in values else values
    context = {"check": check, "resolved": resolved, "facts": filled, "since": texts.writer.moment(alert["raised_at"])}
    context["mended"] = resolved  # the former name, for templates of a user, for one release
    subject_id = identity(alert["alert_id"], "end") if resolved else alert["alert_id"]
    at = alert["cleared_at"] or alert["raised_at"]
    facts = {"check": check, "state": alert["state"], "recipe_id": alert["recipe_id"], **values}
    return _message(texts, "alert_operations", "operations", alert, subject_id, at, context, facts)


def _after_quiet_hours(message: Message, recipe: Recipe, alert: ForecastAlertRow) -> Message:
    """Delay a follow-up by the rule's quiet hours, as they were when the alert was raised."""
    rule = AlertRule.model_validate(alert["bounds"])
    return replace(message, not_before=held_until(rule.quiet_hours, recipe.zone, message.created_at))


def _message(
    texts: AlertTexts, template: str, kind: MessageKind, alert: AlertColumns, subject_id: str, at: datetime, context: Row, facts: Row
) -> Message:
    title, lines = texts.fill(template, context)
    return Message(
        subject_id=subject_id,
        kind=kind,
        title=title,
        lines=lines,
        created_at=at,
        severity=alert["severity"],
        thread_id=None if subject_id == alert["alert_id"] else alert["thread_id"],
        channels=tuple(alert["channels"]) if alert["channels"] else None,
        facts=facts,
    )


def _revised_event(texts: AlertTexts, event: RevisedEvent) -> Phrase:
    time = texts.writer.moment(event["origin_time"])
    values = {"magnitude": f"{event['magnitude']:.1f}", "time": time, "distance": f"{event['distance_km']:.0f}"}
    if event["magnitude_now"] is None:
        return Phrase("alert.event_deleted", values)
    return Phrase("alert.event_revised", {**values, "now": f"{event['magnitude_now']:.1f}"})


def _whose(expected: Mapping[str, Any], model_kind: str) -> Literal["kind", "combination", "measured"]:
    if "counted_on" in expected:
        return "measured"
    return "combination" if model_kind == KIND else "kind"


def _place(texts: AlertTexts, recipe: Recipe) -> Row:
    name = texts.place(recipe.display_name.model_dump(), recipe.id)
    return {"name": name, "magnitude": f"{recipe.threshold_mag:.1f}", "radius": f"{recipe.radius_km:.0f}"}


def _day(texts: AlertTexts, recipe: Recipe, start: datetime) -> str:
    return texts.day(day_of_window(start, recipe.zone))


def _facts(alert: ForecastAlertRow) -> Row:
    """Return the machine-readable facts in every message of an alert."""
    return {
        "alert_id": alert["alert_id"],
        "recipe_id": alert["recipe_id"],
        "rule": alert["rule"],
        "mode": alert["mode"],
        "state": alert["state"],
        "probability": alert["probability"],
        "reference_probability": alert["reference_probability"],
        "ratio": alert["ratio"],
        "forecast_id": alert["forecast_id"],
        "target_start": _iso(alert["target_start"]),
        "target_end": _iso(alert["target_end"]),
    }


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
