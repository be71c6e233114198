"""System alerts: a stale catalogue, an implausible feed, a failed run, forecasts that drift from the observations or are missing,
messages that were given up.

Each is reported once when it begins and once when it is resolved, not in every run. A failing run reports itself at once (`operations`).
The checks here report runs that ended without reporting and, outside of a run, every failure.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from forecaster.pipeline.alerting import alert_messages
from forecaster.pipeline.alerting.alert_messages import identity
from forecaster.pipeline.alerting.apply_rules import Changes
from forecaster.pipeline.as_of.as_known import STALE_AFTER
from forecaster.pipeline.daily.issue_schedule import late_forecasts
from forecaster.pipeline.run_context import Job
from forecaster.pipeline.training.due import drifts
from forecaster.registry.reasons import Reason, ReasonKey, of_list, other
from forecaster.registry.recipe_fields import Severity
from forecaster.reports.outgoing.alert_text import AlertTexts
from forecaster.store import alert_rows as stored
from forecaster.store.database import Connection
from forecaster.store.row_types import EndedRun
from forecaster.store.typed_rows.alert_types import OperationsAlertRow
from forecaster.store.versions import catalogue

DEAD_SPAN = timedelta(days=7)
CHECKS = ("stale_catalogue", "doubted_feed", "run_failed", "calibration_drift", "no_forecast", "dead_letters")


@dataclass(frozen=True)
class Finding:
    """A problem that was found: the check that found it, the recipe or other subject (`about`), and the values for its texts."""

    check: str
    recipe_id: str
    severity: Severity
    values: Mapping[str, str]
    about: str = ""

    @property
    def rule(self) -> str:
        return f"{self.check}:{self.about}" if self.about else self.check


def find(connection: Connection, job: Job, now: datetime, texts: AlertTexts, doubts: Sequence[Reason] | None = None) -> list[Finding]:
    """Return all problems of the operation at `now`, for the recipes of the job.

    doubts: why this run's reading was considered implausible (`pull.PullResult.doubts`); None where nothing was read.
    """
    found = [
        *_stale_catalogue(connection, now, texts),
        *_doubted_feed(doubts or (), texts),
        *_failed_runs(connection, job.run_id, texts),
        *_dead_letters(connection, now),
    ]
    for recipe_id, drifted in drifts(connection, [recipe for recipe in job.recipes if recipe.models], now).items():
        found.append(Finding("calibration_drift", recipe_id, "warning", {"recipe": recipe_id, "drift": texts.reasons([drifted])}))
    return found + _missing_forecasts(connection, job, now, texts)


def apply_findings(
    found: list[Finding],
    alerts: Sequence[OperationsAlertRow],
    in_scope: set[str],
    texts: AlertTexts,
    now: datetime,
    changes: Changes,
    not_looked_at: Collection[str] = (),
) -> tuple[list[str], list[str]]:
    """Return (rules raised, rules resolved): problems found for the first time, and active alerts whose problem is gone.

    alerts: the system alerts, oldest first. in_scope: the recipes that were checked; alerts of others, and of checks in `not_looked_at`,
    are left unchanged.
    """
    active = {(alert["rule"], alert["recipe_id"]): alert for alert in alerts if alert["state"] == "raised"}
    current = {(finding.rule, finding.recipe_id): finding for finding in found}
    raised, resolved = [], []
    for key, finding in current.items():
        if key not in active:
            alert = _raised(finding, sum((alert["rule"], alert["recipe_id"]) == key for alert in alerts), now)
            _add_message(texts, alert, finding.check, finding.values, changes)
            raised.append(finding.rule)
    for key, alert in active.items():
        if key not in current and alert["recipe_id"] in in_scope | {""} and alert["rule"] not in not_looked_at:
            alert |= {"state": "cleared", "cleared_at": now, "cleared_reason": "resolved"}
            _add_message(texts, alert, alert["rule"].partition(":")[0], alert["bounds"], changes)
            resolved.append(alert["rule"])
    return raised, resolved


def _stale_catalogue(connection: Connection, now: datetime, texts: AlertTexts) -> list[Finding]:
    coverage = catalogue.read_coverage(connection)
    world = coverage[coverage["stream"] == "world"]
    if world.empty:
        return []
    read_until = world["span_end"].max().to_pydatetime()
    age = now - read_until
    if age <= STALE_AFTER:
        return []
    values = {"hours": f"{age / timedelta(hours=1):.0f}", "read_until": texts.writer.moment(read_until) or ""}
    return [Finding("stale_catalogue", "", "critical", values)]


def _doubted_feed(doubts: Sequence[Reason], texts: AlertTexts) -> list[Finding]:
    return [Finding("doubted_feed", "", "critical", {"doubts": texts.reasons(doubts)[:300]})] if doubts else []


def _failed_runs(connection: Connection, run_id: str, texts: AlertTexts) -> list[Finding]:
    inside = stored.is_running(connection, run_id)
    found = []
    for run in stored.last_ended_runs(connection):
        if run["state"] == "failed" and (run["abandoned"] or not inside):
            problem = texts.reasons([_problem_of(run)])[:300]
            facts = {"kind": run["kind"], "started": texts.writer.moment(run["started_at"]) or "", "problem": problem}
            found.append(Finding("run_failed", "", "critical", facts, about=run["kind"]))
    return found


def _problem_of(run: EndedRun) -> Reason:
    if run["abandoned"]:
        return Reason(ReasonKey.ABANDONED)
    return next(iter(of_list([json.loads(run["reason"])] if run["reason"] else [])), other(run["problem"] or ""))


def _dead_letters(connection: Connection, now: datetime) -> list[Finding]:
    return [
        Finding(
            "dead_letters",
            "",
            "warning",
            {"channel": row["channel"], "count": str(row["count"]), "error": row["error"] or ""},
            about=row["channel"],
        )
        for row in stored.dead_letters(connection, now - DEAD_SPAN)
    ]


def _missing_forecasts(connection: Connection, job: Job, now: datetime, texts: AlertTexts) -> list[Finding]:
    """Find recipes whose last due forecast is missing LATE_AFTER its issue time. One that was never forecast is left to the report."""
    return [
        Finding(
            "no_forecast",
            recipe.id,
            "critical",
            {
                "recipe": recipe.id,
                "day": texts.day(day),
                "due": f"{texts.writer.local(due, recipe.zone)} ({texts.writer.zone(recipe.zone)})",
            },
        )
        for recipe, day, due in late_forecasts(connection, job.recipes, now)
    ]


def _raised(finding: Finding, earlier: int, now: datetime) -> OperationsAlertRow:
    alert_id = identity("operations", finding.rule, finding.recipe_id, earlier)
    return {
        "alert_id": alert_id,
        "kind": "operations",
        "rule": finding.rule,
        "recipe_id": finding.recipe_id,
        "mode": "prospective",
        "severity": finding.severity,
        "state": "raised",
        "reason": finding.check,
        "raised_at": now,
        "thread_id": alert_id,
        "bounds": dict(finding.values),
        "message": "",
        "held_until": None,
        "cleared_at": None,
        "cleared_for": None,
        "cleared_reason": None,
        "channels": None,
    }


def _add_message(texts: AlertTexts, alert: OperationsAlertRow, check: str, values: Mapping[str, str], changes: Changes) -> None:
    message = alert_messages.operation(texts, alert, check, values)
    if alert["state"] == "raised":
        alert["message"] = message.title
    changes.alerts[alert["alert_id"]] = alert
    changes.messages.append(message)
