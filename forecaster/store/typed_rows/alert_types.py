"""Rows of the tables about alerts, their corrections, messages and reports, as typed dicts (see `row_types`)."""

from datetime import datetime
from typing import Any, Literal, TypedDict

Severity = Literal["info", "warning", "critical"]
AlertState = Literal["raised", "cleared", "withdrawn"]


class AlertColumns(TypedDict):
    """The columns that both kinds of row of `alert` share; `bounds`, `channels`, `expected` and `outcomes` are parsed."""

    alert_id: str
    rule: str
    recipe_id: str
    mode: Literal["prospective", "late", "replay"]
    severity: Severity
    state: AlertState
    message: str
    reason: str
    raised_at: datetime
    held_until: datetime | None
    cleared_at: datetime | None
    cleared_for: datetime | None
    cleared_reason: str | None
    thread_id: str
    channels: list[str] | None
    bounds: dict[str, Any]


class ForecastAlertRow(AlertColumns):
    """Table `alert`, of a rule of a recipe. bounds: the rule when the alert was raised. outcomes: by window, the recorded outcome."""

    kind: Literal["forecast"]
    target_hash: str
    forecast_id: str
    target_start: datetime
    target_end: datetime
    probability: float
    reference_probability: float
    ratio: float
    last_forecast_id: str
    last_target_start: datetime
    last_target_end: datetime
    expected: dict[str, Any]
    outcomes: dict[str, Any] | None


class OperationsAlertRow(AlertColumns):
    """Table `alert`, a system alert: all other columns are NULL. bounds: the values that fill the texts of the check."""

    kind: Literal["operations"]


AlertRow = ForecastAlertRow | OperationsAlertRow


class CorrectionRow(TypedDict):
    """Table `alert_correction`."""

    correction_id: str
    alert_id: str
    kind: Literal["outcome", "forecast"]
    target_start: datetime
    happened: bool | None
    probability: float | None
    ratio: float | None
    reason: str
    corrected_at: datetime


class RevisedEvent(TypedDict):
    """An event whose values were revised: as it was known then, and its magnitude now (None: deleted)."""

    origin_time: datetime
    magnitude: float
    magnitude_now: float | None
    distance_km: float


class DeadLetters(TypedDict):
    """Messages of a channel that were given up."""

    channel: str
    count: int
    error: str | None


class ReportColumns(TypedDict):
    """Table `report` without its document."""

    report_id: str
    run_id: str | None
    issue_time: datetime
    mode: Literal["live", "replay"]
    path: str
    forecasts_sha256: str
    created_at: datetime
    document_sha256: str | None


class ReportRow(ReportColumns):
    """Table `report`."""

    document: bytes | None


class NewestReport(ReportColumns):
    """A report, and whether its document is kept."""

    has_document: bool


class MessageRow(TypedDict):
    """Table `message`; `lines`, `facts` and `channels` are parsed."""

    subject_id: str
    kind: Literal["alert", "correction", "operations"]
    severity: Severity
    title: str
    lines: list[str]
    facts: dict[str, Any]
    link: str | None
    thread_id: str | None
    channels: list[str] | None
    created_at: datetime
    not_before: datetime | None
    expires_at: datetime | None
