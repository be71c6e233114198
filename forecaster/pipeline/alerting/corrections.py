"""What an alert had said, and what is known now: outcomes that a revision turned, and alerts whose reason is gone.

- A settled outcome (not a preliminary one) of a window that an alert stood for is noted when it is first seen; each later turn is told.
- An alert whose window has not ended is withdrawn where its forecast was issued anew below the rule, or where the same model, asked again
  for the same window and moment, falls below the rule: with the events that were known at the issue as they are known now. What became
  known only later plays no part, and neither does a model that does not repeat its own figure with the events as they were.
"Below the rule" is below the bounds at which the alert ends: small revisions withdraw nothing.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

import numpy as np
import pandas as pd

from forecaster.alert_rules import Said, keeps
from forecaster.catalog.coverage import STREAMS, in_streams
from forecaster.descriptions.recipe_fields import AlertRule
from forecaster.errors import ModelError
from forecaster.features.events import Events, events_from_frame
from forecaster.features.geometry import great_circle_km
from forecaster.features.windows import promised_day
from forecaster.models.combination.combination import KIND, CombinedModel
from forecaster.models.interface import Forecaster
from forecaster.pipeline.alerting import alert_messages
from forecaster.pipeline.alerting.alert_messages import identity
from forecaster.pipeline.alerting.apply_rules import Changes
from forecaster.pipeline.alerting.rule_track_record import said_in
from forecaster.pipeline.daily.members import load_member, members_named
from forecaster.recipe import Recipe
from forecaster.reports.outgoing.alert_text import AlertTexts
from forecaster.settings import Settings
from forecaster.store.row_types import ForecastRow, ToldWindow
from forecaster.store.typed_rows.alert_types import CorrectionRow, ForecastAlertRow, RevisedEvent

log = logging.getLogger(__name__)

REPEATS_WITHIN = 1e-3  # of the probability: the figure that a model must give again before it is asked about revised events

NAMED_EVENTS = 3
NAMED_WITHIN_KM = 1000.0


@dataclass(frozen=True)
class Revised:
    """What the model says with the events as they are known now, and the largest near events that were revised: origin_time, magnitude as
    it was known, magnitude_now (None: deleted), distance_km."""

    probability: float
    events: list[RevisedEvent]


Again = Callable[[], Revised | None]


def correct_outcomes(
    recipe: Recipe, alert: ForecastAlertRow, windows: Sequence[ToldWindow], texts: AlertTexts, now: datetime, changes: Changes
) -> None:
    """Note the outcomes of the alert's windows that are settled for the first time, and tell of those that have turned."""
    noted: dict[str, dict[str, Any]] = dict(alert["outcomes"] or {})
    for window in windows:
        if window["happened"] is None:
            continue
        happened, key = bool(window["happened"]), f"{window['target_start']:%FT%TZ}"
        before = noted.get(key)
        if before is not None and before["happened"] == happened:
            continue
        turns = 0 if before is None else before["turns"] + 1
        noted[key] = {"happened": happened, "turns": turns}
        if before is not None:
            correction = _correction(alert, "outcome", window["target_start"], turns, now, "revised")
            correction["happened"] = happened
            changes.corrections.append(correction)
            changes.messages.append(alert_messages.outcome_turned(texts, recipe, alert, window, correction))
    if noted != (alert["outcomes"] or {}):
        alert["outcomes"] = noted
        changes.alerts[alert["alert_id"]] = alert


def withdraw(
    recipe: Recipe,
    rule: AlertRule,
    alert: ForecastAlertRow,
    stood_on: ForecastRow,
    newest: ForecastRow,
    again: Again,
    texts: AlertTexts,
    now: datetime,
    changes: Changes,
) -> None:
    """Withdraw an alert that stands, where what it stands on no longer keeps to the rule.

    Args:
        stood_on, newest: the forecast that the alert was last raised or held for, and the newest published one of the same window.
        again: what the model says with revised events, None where nothing was revised or it cannot be told.
    """
    events: list[RevisedEvent] = []
    if newest["forecast_id"] != stood_on["forecast_id"]:
        said, why = said_in(newest), "reissued"
    else:
        revised = again()
        if revised is None:
            return
        first, events = said_in(stood_on), revised.events
        said, why = Said(first.target_start, first.target_end, revised.probability, first.reference_probability), "revised"
    if keeps(rule, said):
        return
    alert |= {"state": "withdrawn", "cleared_at": now, "cleared_for": said.target_start, "cleared_reason": why}
    correction = _correction(alert, "forecast", said.target_start, 0, now, why)
    correction |= {"probability": said.probability, "ratio": said.ratio}
    changes.alerts[alert["alert_id"]] = alert
    changes.withdrawn.append(alert["alert_id"])
    changes.corrections.append(correction)
    changes.messages.append(alert_messages.withdrawn(texts, recipe, alert, stood_on, said, correction, events))


def ask_again(
    recipe: Recipe, settings: Settings, forecast: ForecastRow, fits: Sequence[Mapping[str, Any]], before: pd.DataFrame, after: pd.DataFrame
) -> Revised | None:
    """What the models behind `forecast` say of the same window and moment with the events of `after` instead of `before`.

    fits: rows of the table `model`, of the recipe. Both frames as of `store.alerts.events_then_and_now`. None where they are the same, a
    model cannot be loaded any more, or they do not repeat their own figure with those of `before` (which is logged).
    """
    if before.equals(after):
        return None
    days = promised_day(recipe, forecast["target_start"], forecast["target_end"], forecast["as_of"])
    day = days.first_day
    usual = np.array([forecast["reference_probability"]])
    try:
        model = _model_behind(recipe, settings, forecast, fits, day)
        said, repeated = forecast["probability"], float(model.probability(_inputs(before), days, usual)[0])
    except ModelError as error:
        log.warning("%s: the alert for %s cannot be looked at again: %s", recipe.id, day, error)
        return None
    if not abs(repeated - said) <= REPEATS_WITHIN * said:
        log.warning("%s: the alert for %s cannot be looked at again: %g was said, the model says %g", recipe.id, day, said, repeated)
        return None
    return Revised(float(model.probability(_inputs(after), days, usual)[0]), _named(recipe, before, after))


def _model_behind(recipe: Recipe, settings: Settings, forecast: ForecastRow, fits: Sequence[Mapping[str, Any]], day: date) -> Forecaster:
    """The combination that gave `forecast`, by what is kept with it; a single model for a row of a single kind.

    Raises:
        ModelError: one of the models is not there any more.
    """
    if forecast["model_kind"] != KIND:
        row = next((row for row in fits if row["model_id"] == forecast["model_id"]), {"model_id": forecast["model_id"]})
        return load_member(settings.models, recipe, row).model
    kept = json.loads(forecast["details"] or "{}")
    record_from = date.fromisoformat(kept.get("record_from", day.isoformat()))
    members = members_named(settings.models, recipe, kept.get("members", {}), fits, day, record_from)
    return CombinedModel({member.kind: member.model for member in members}, kept.get("weights", {}))


def _named(recipe: Recipe, before: pd.DataFrame, after: pd.DataFrame) -> list[RevisedEvent]:
    """The largest events near the recipe's centre that are not what they were, at most NAMED_EVENTS."""
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
    alert: ForecastAlertRow, kind: Literal["outcome", "forecast"], target_start: datetime, turns: int, now: datetime, reason: str
) -> CorrectionRow:
    return {
        "correction_id": identity(alert["alert_id"], kind, f"{target_start:%FT%TZ}", turns),
        "alert_id": alert["alert_id"],
        "kind": kind,
        "target_start": target_start,
        "happened": None,
        "probability": None,
        "ratio": None,
        "reason": reason,
        "corrected_at": now,
    }
