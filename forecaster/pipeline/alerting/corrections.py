"""Correct earlier alerts: report outcomes that were revised, and withdraw alerts whose basis is gone.

- An outcome (not a preliminary one) of a window with an active alert is recorded when it is first seen. Each later revision is reported.
- An alert whose window has not ended is withdrawn in two cases. Its forecast was reissued below the rule. Or the same model, run again for
  the same window and moment, falls below the rule with the present versions of the events that were known at the issue. Events that became
  known later are ignored. So is a model that does not reproduce its own figure with the original events.
"Below the rule" means below the bounds at which the alert ends, so that small revisions withdraw nothing.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

import numpy as np
import pandas as pd

from forecaster.alert_rules import ForecastFigures, above_clearing
from forecaster.catalog.coverage import STREAMS, in_streams
from forecaster.errors import ModelError
from forecaster.features.events import Events, events_from_frame
from forecaster.features.geometry import great_circle_km
from forecaster.features.windows import promised_day
from forecaster.models.interface import Forecaster
from forecaster.pipeline.alerting import alert_messages
from forecaster.pipeline.alerting.alert_messages import identity
from forecaster.pipeline.alerting.apply_rules import Changes
from forecaster.pipeline.alerting.rule_track_record import figures_in
from forecaster.pipeline.issuing.members import load_member, members_named
from forecaster.publishing_rule.combination import KIND
from forecaster.publishing_rule.combined_model import CombinedModel
from forecaster.publishing_rule.publishing_rule import rule_stored
from forecaster.recipe import Recipe
from forecaster.registry.recipe_fields import AlertRule
from forecaster.reports.outgoing.alert_text import AlertTexts
from forecaster.settings import Settings
from forecaster.store.row_types import ForecastRow, ObservedWindow
from forecaster.store.typed_rows.alert_types import CorrectionRow, ForecastAlertRow, RevisedEvent

log = logging.getLogger(__name__)

REPEATS_WITHIN = 1e-3  # of the probability: a model must reproduce its figure this closely before it is run on revised events

NAMED_EVENTS = 3
NAMED_WITHIN_KM = 1000.0


@dataclass(frozen=True)
class Revised:
    """The model's forecast from the present versions of the events, and the largest revised events nearby.

    Each event has origin_time, magnitude as it was known, magnitude_now (None: deleted), distance_km.
    """

    probability: float
    events: list[RevisedEvent]


Again = Callable[[], Revised | None]


def correct_outcomes(
    recipe: Recipe, alert: ForecastAlertRow, windows: Sequence[ObservedWindow], texts: AlertTexts, now: datetime, changes: Changes
) -> None:
    """Record outcomes of the alert's windows that are verified for the first time, and report those that were revised."""
    noted: dict[str, dict[str, Any]] = dict(alert["outcomes"] or {})
    for window in windows:
        if window["happened"] is None:
            continue
        happened, key = bool(window["happened"]), f"{window['target_start']:%FT%TZ}"
        before = noted.get(key)
        if before is not None and before["happened"] == happened:
            continue
        revisions = 0 if before is None else before["revisions"] + 1
        noted[key] = {"happened": happened, "revisions": revisions}
        if before is not None:
            correction = _correction(alert, "outcome", window["target_start"], revisions, now, "revised")
            correction["happened"] = happened
            changes.corrections.append(correction)
            changes.messages.append(alert_messages.outcome_revised(texts, recipe, alert, window, correction))
    if noted != (alert["outcomes"] or {}):
        alert["outcomes"] = noted
        changes.alerts[alert["alert_id"]] = alert


def withdraw(
    recipe: Recipe,
    rule: AlertRule,
    alert: ForecastAlertRow,
    basis: ForecastRow,
    newest: ForecastRow,
    again: Again,
    texts: AlertTexts,
    now: datetime,
    changes: Changes,
) -> None:
    """Withdraw an active alert whose basis no longer satisfies the rule.

    Args:
        stood_on, newest: the forecast for which the alert was last raised or held, and the newest published one of the same window.
        again: the model's forecast from revised events, None where nothing was revised or it cannot be computed.
    """
    events: list[RevisedEvent] = []
    if newest["forecast_id"] != basis["forecast_id"]:
        figures, why = figures_in(newest), "reissued"
    else:
        revised = again()
        if revised is None:
            return
        first, events = figures_in(basis), revised.events
        figures, why = ForecastFigures(first.target_start, first.target_end, revised.probability, first.reference_probability), "revised"
    if above_clearing(rule, figures):
        return
    alert |= {"state": "withdrawn", "cleared_at": now, "cleared_for": figures.target_start, "cleared_reason": why}
    correction = _correction(alert, "forecast", figures.target_start, 0, now, why)
    correction |= {"probability": figures.probability, "ratio": figures.ratio}
    changes.alerts[alert["alert_id"]] = alert
    changes.withdrawn.append(alert["alert_id"])
    changes.corrections.append(correction)
    changes.messages.append(alert_messages.withdrawn(texts, recipe, alert, basis, figures, correction, events))


def ask_again(
    recipe: Recipe, settings: Settings, forecast: ForecastRow, fits: Sequence[Mapping[str, Any]], before: pd.DataFrame, after: pd.DataFrame
) -> Revised | None:
    """Run the models behind `forecast` again for the same window and moment, with the events of `after` instead of `before`.

    fits: rows of the table `model`, of the recipe. Both frames as of `store.alerts.events_then_and_now`. None where the frames are equal, a
    model can no longer be loaded, or the models do not reproduce their figure with `before` (this is logged).
    """
    if before.equals(after):
        return None
    days = promised_day(recipe, forecast["target_start"], forecast["target_end"], forecast["as_of"])
    day = days.first_day
    usual = np.array([forecast["reference_probability"]])
    try:
        model = _model_behind(recipe, settings, forecast, fits, day)
        issued, recomputed = forecast["probability"], float(model.probability(_inputs(before), days, usual)[0])
    except ModelError as error:
        log.warning("%s: the alert for %s cannot be looked at again: %s", recipe.id, day, error)
        return None
    if not abs(recomputed - issued) <= REPEATS_WITHIN * issued:
        log.warning("%s: the alert for %s cannot be looked at again: %g was said, the model says %g", recipe.id, day, issued, recomputed)
        return None
    return Revised(float(model.probability(_inputs(after), days, usual)[0]), _named(recipe, before, after))


def _model_behind(recipe: Recipe, settings: Settings, forecast: ForecastRow, fits: Sequence[Mapping[str, Any]], day: date) -> Forecaster:
    """Load the combination that gave `forecast`, as its details name it, or the single model for a row of a single kind.

    Raises:
        ModelError: one of the models no longer exists.
    """
    if forecast["model_kind"] != KIND:
        row = next((row for row in fits if row["model_id"] == forecast["model_id"]), {"model_id": forecast["model_id"]})
        return load_member(settings.models, recipe, row).model
    kept = json.loads(forecast["details"] or "{}")
    record_from = date.fromisoformat(kept.get("record_from", day.isoformat()))
    members = members_named(settings.models, recipe, kept.get("members", {}), fits, day, record_from)
    return CombinedModel({member.kind: member.model for member in members}, kept.get("weights", {}), rule_stored(kept))


def _named(recipe: Recipe, before: pd.DataFrame, after: pd.DataFrame) -> list[RevisedEvent]:
    """Return the largest revised events near the recipe's centre, NAMED_EVENTS at most."""
    both = before.merge(after, on="event_key", how="left", suffixes=("", "_now"))
    same = np.logical_and.reduce(
        [both[name] == both[f"{name}_now"] for name in ("origin_time", "magnitude", "latitude_deg", "longitude_deg")]
    )
    changed = both[~same]
    distance_km = great_circle_km(
        recipe.predict_center_lat, recipe.predict_center_lng, changed["latitude_deg"].to_numpy(), changed["longitude_deg"].to_numpy()
    )
    near = changed.assign(distance_km=distance_km)[distance_km <= NAMED_WITHIN_KM].sort_values("magnitude", ascending=False)
    return [
        {
            "origin_time": row["origin_time"].to_pydatetime(),
            "magnitude": float(row["magnitude"]),
            "magnitude_now": None if pd.isna(row["magnitude_now"]) else float(row["magnitude_now"]),
            "distance_km": float(row["distance_km"]),
        }
        for row in near.head(NAMED_EVENTS).to_dict("records")
    ]


def _inputs(frame: pd.DataFrame) -> Events:
    events = events_from_frame(frame)
    return events.take(in_streams(STREAMS, events.latitude_deg, events.longitude_deg, events.magnitude))


def _correction(
    alert: ForecastAlertRow, kind: Literal["outcome", "forecast"], target_start: datetime, revisions: int, now: datetime, reason: str
) -> CorrectionRow:
    return {
        "correction_id": identity(alert["alert_id"], kind, f"{target_start:%FT%TZ}", revisions),
        "alert_id": alert["alert_id"],
        "kind": kind,
        "target_start": target_start,
        "happened": None,
        "probability": None,
        "ratio": None,
        "reason": reason,
        "corrected_at": now,
    }
