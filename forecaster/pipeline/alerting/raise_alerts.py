"""The alerting step of a day: apply the recipes' rules to what was published, correct earlier alerts, and check the operation.

    raise_alerts(job)     after predict and verify, before messages.notify(job)

It reads the store once, decides, and writes once: alerts, corrections and their messages in one transaction. All ids are deterministic, so
running it again raises and sends nothing twice.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pandas as pd

from forecaster.alert_rules import reaches
from forecaster.pipeline.alerting import system_alerts
from forecaster.pipeline.alerting.apply_rules import Changes, RuleInputs, active_windows, apply_rules
from forecaster.pipeline.alerting.corrections import ask_again, correct_outcomes, withdraw
from forecaster.pipeline.alerting.rule_track_record import Skill, figures_in, skill_of
from forecaster.pipeline.messaging import deliver as messages
from forecaster.pipeline.run_context import Job
from forecaster.pipeline.rungs.report_ladder import report_ladder
from forecaster.recipe import Recipe
from forecaster.registry.reasons import Reason
from forecaster.reports.outgoing.alert_text import AlertTexts
from forecaster.store import alert_rows as stored
from forecaster.store import fits as stored_fits
from forecaster.store import rung_rows
from forecaster.store.database import Connection
from forecaster.store.row_types import ForecastRow, ObservedWindow
from forecaster.store.typed_rows.alert_types import ForecastAlertRow

log = logging.getLogger(__name__)

Correct = Callable[[AlertTexts, datetime, Changes], None]
EventsByIssue = dict[datetime, tuple[pd.DataFrame, pd.DataFrame]]
CORRECTED_FOR = timedelta(days=120)  # outcomes are final after 45 days; later ones follow a long interruption


@dataclass
class AlertsResult:
    """The result of a run.

    Holds the alert ids raised, held, cleared and withdrawn; the ids of corrections; by recipe/rule why nothing was raised although both
    bounds were reached; the checks of the operation that began and ended; the ids of the new messages.
    """

    raised: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    cleared: list[str] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    corrected: list[str] = field(default_factory=list)
    suppressed: dict[str, str] = field(default_factory=dict)
    operations_raised: list[str] = field(default_factory=list)
    operations_resolved: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Return the result as a JSON object, for one release also under the former name `operations_mended`."""
        return vars(self) | {"operations_mended": self.operations_resolved}


def raise_alerts(job: Job, doubts: Sequence[Reason] | None = None) -> AlertsResult:
    """Apply every rule of the job's recipes, correct earlier alerts, and check the operation. New messages are put into the outbox.

    doubts: about this run's reading (`system_alerts.find`); None where nothing was read.

    A job with a simulated clock handles replayed forecasts and alerts only, and does not check the operation. Any other job never handles
    replayed ones.

    Raises:
        StoreBusy: another process kept the database; nothing was stored, run it again.
    """
    now, replay = job.clock.now(), job.clock.simulated
    texts = AlertTexts(job.settings.language, job.settings.templates)
    with job.store.transaction() as connection:
        every = stored.forecast_alerts(connection, replay=replay)
        operations = stored.operations_alerts(connection)
        by_recipe = _forecasts(connection, job.recipes, now, replay)
        fresh = [alert for alert in every if alert["state"] == "raised" or alert["last_target_end"] > now - CORRECTED_FOR]
        windows = stored.verified_windows(connection, fresh)
        inputs = [_inputs(connection, recipe, every, windows, by_recipe.get(recipe.id, []), now) for recipe in job.recipes]
        events: EventsByIssue = {}
        corrections = [_corrections(connection, job, given, now, events) for given in inputs]
        found = [] if replay else system_alerts.find(connection, job, now, texts, doubts)
    changes, result = Changes(), AlertsResult()
    for given, correct in zip(inputs, corrections, strict=True):
        for step in correct:
            step(texts, now, changes)
        apply_rules(given, texts, now, changes)
    if not replay:
        in_scope = {recipe.id for recipe in job.recipes}
        result.operations_raised, result.operations_resolved = system_alerts.apply_findings(
            found, operations, in_scope, texts, now, changes, not_looked_at=() if doubts is not None else ("doubted_feed",)
        )
    link = f"{job.settings.base_url.rstrip('/')}/index.html" if job.settings.base_url else None
    with job.store.transaction() as connection:
        stored.write_alerts(connection, list(changes.alerts.values()))
        stored.write_corrections(connection, changes.corrections)
        result.messages = messages.enqueue(job, [replace(message, link=link) for message in changes.messages], connection)
    for name in ("raised", "held", "cleared", "withdrawn", "suppressed"):
        setattr(result, name, getattr(changes, name))
    result.corrected = [row["correction_id"] for row in changes.corrections]
    log.info("alerts: %d raised, %d cleared, %d messages", len(result.raised), len(result.cleared), len(result.messages))
    return result


def _forecasts(connection: Connection, recipes: Sequence[Recipe], now: datetime, replay: bool) -> dict[str, list[ForecastRow]]:
    """Return, by recipe, the rows of `store.alerts.live_forecasts` of its present target."""
    targets = {recipe.id: recipe.target_hash for recipe in recipes}
    rows: dict[str, list[ForecastRow]] = {}
    for row in stored.live_forecasts(connection, list(targets.values()), now, replay=replay):
        if targets.get(row["recipe_id"]) == row["target_hash"]:
            rows.setdefault(row["recipe_id"], []).append(row)
    return rows


def _inputs(
    connection: Connection,
    recipe: Recipe,
    every: Sequence[ForecastAlertRow],
    windows: Mapping[str, Sequence[ObservedWindow]],
    forecasts: Sequence[ForecastRow],
    now: datetime,
) -> RuleInputs:
    mine = [alert for alert in every if alert["recipe_id"] == recipe.id]
    telling = [row for row in forecasts if any(reaches(rule, figures_in(row)) for rule in recipe.alerts)]
    skills: dict[str, Skill] = {
        row["forecast_id"]: skill_of(connection, recipe, row["model_kind"], row["model_id"], now) for row in telling
    }
    kinds = {row["model_kind"] for row in telling}
    evidence = {kind: stored.out_of_sample(connection, recipe.id, recipe.target_hash, now, kind) for kind in kinds}
    own = {alert["alert_id"]: windows[alert["alert_id"]] for alert in mine if alert["alert_id"] in windows}
    rungs = rung_rows.ladders(connection, [row["forecast_id"] for row in telling])
    ladders = {forecast_id: report_ladder(rows, {}, {})[0] for forecast_id, rows in rungs.items()}
    return RuleInputs(recipe, mine, forecasts, evidence, skills, ladders, own)


def _corrections(connection: Connection, job: Job, given: RuleInputs, now: datetime, events: EventsByIssue) -> list[Correct]:
    """Prepare the corrections of the recipe's alerts; reads what they need, each issue's `events` once."""
    steps: list[Correct] = []
    rules = {rule.name: rule for rule in given.recipe.alerts}
    for alert in given.alerts:
        if alert["alert_id"] not in given.windows or alert["target_hash"] != given.recipe.target_hash:
            continue
        steps.append(partial(correct_outcomes, given.recipe, alert, active_windows(alert, given.windows[alert["alert_id"]])))
        newest = next((row for row in given.forecasts if row["target_start"] == alert["last_target_start"]), None)
        if alert["state"] == "raised" and newest is not None and alert["rule"] in rules:
            as_of = newest["as_of"]
            if as_of not in events:
                events[as_of] = stored.events_then_and_now(connection, as_of, now)
            fits = stored_fits.models_of(connection, [given.recipe.id])
            again = partial(ask_again, given.recipe, job.settings, newest, fits, *events[as_of])
            basis = stored.forecast_named(connection, alert["last_forecast_id"])
            steps.append(partial(withdraw, given.recipe, rules[alert["rule"]], alert, basis, newest, again))
    return steps
