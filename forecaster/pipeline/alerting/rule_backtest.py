"""Inspect alert rules: backtest what each would have sent, list the alerts, and check whether a rule may raise any."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd

from forecaster.alert_rules import type_of
from forecaster.catalog.coverage import covered_span
from forecaster.errors import BadInput, NotScoreable
from forecaster.pipeline.alerting.alert_messages import Row
from forecaster.pipeline.alerting.rule_figures import measured
from forecaster.pipeline.alerting.rule_track_record import BacktestDay, Skill, backtest, exclusion, rates_document, skill_of
from forecaster.pipeline.issuing.blends import blend_of
from forecaster.pipeline.messaging.senders import recipients
from forecaster.pipeline.run_context import Job
from forecaster.pipeline.training.information_gain import gain_numbers
from forecaster.publishing_rule.combination import KIND
from forecaster.recipe import Recipe
from forecaster.registry.recipe_fields import AlertRule
from forecaster.reports.numbers_as_text import probability_pair
from forecaster.reports.outgoing import alert_text
from forecaster.reports.outgoing.alert_text import AlertTexts
from forecaster.reports.texts import translator
from forecaster.store import alert_rows as stored
from forecaster.store.database import Connection
from forecaster.store.typed_rows.alert_types import AlertColumns
from forecaster.store.versions import catalogue
from forecaster.timewindow import day_of_window, local_day, next_local_day

PRESENT, PUBLISHED = "present", "published"
FINAL_AFTER = timedelta(days=2)
A_YEAR = timedelta(days=366)  # of verified days, needed for a usual rate


def chosen_rules(recipes: Sequence[Recipe], name: str | None, inline: AlertRule | None) -> list[tuple[Recipe, AlertRule]]:
    """Return each recipe with each of its rules, or with those called `name`, or with the rule `inline`.

    Raises:
        BadInput: there is no such rule; names those that exist.
    """
    if inline is not None:
        return [(recipe, inline) for recipe in recipes]
    found = [(recipe, rule) for recipe in recipes for rule in recipe.alerts if name in (None, rule.name)]
    if not found:
        names = sorted({rule.name for recipe in recipes for rule in recipe.alerts})
        there = f"there are: {', '.join(names)}" if names else "there are none"
        what = "no alert rule" if name is None else f"no alert rule {name!r}"
        raise BadInput(
            f"{what} in {_named(recipes)}; {there}: write one as [[alerts]] (docs/ALERTS.md), or try --probability 0.05 --ratio 3"
        )
    return found


def backtest_rules(job: Job, rules: Sequence[tuple[Recipe, AlertRule]], years: float, model: str = PRESENT) -> list[Row]:
    """Backtest each rule on the last `years` of stored out-of-sample forecasts: what it would have sent, and what was observed.

    Args:
        model: a kind of model, PRESENT for the combination, or PUBLISHED for what was, or would have been, published then.

    Each: recipe_id, model, rule (its fields), days (forecasts), missing (days of the span without one), official (of the days), alerts,
    rates (as an alert states them), measured (those that docs/ALERTS.md states of the rule; None where it did not come with the recipe),
    skill, excluded (why it could raise nothing now, or None), suppressed (days and why), text for people.
    Alerts: day, last_day, probability, usual, ratio, active_days, days_with_target, unverified_days; for one release also stood_days,
    unsettled_days and barred, the former names.
    """
    now = job.clock.now()
    found = []
    for recipe, rule in rules:
        with job.store.transaction() as connection:
            blend = blend_of(connection, recipe, now, next_local_day(now, recipe.zone))
            kind = {PRESENT: KIND, PUBLISHED: None}.get(model, model)
            rows = stored.out_of_sample(connection, recipe.id, recipe.target_hash, now, kind)
            skill = skill_of(connection, recipe, KIND, "", now)
            past = _past_days(connection, recipe, now, years)
        excluded = exclusion(rule, skill) if blend.weights else _USUAL_RATE
        known = measured(recipe, rule) if kind in (KIND, None) else None
        figures = {"model": kind or PUBLISHED, "measured": known, "skill": _skill(skill), "excluded": excluded}
        figures["barred"] = excluded  # the former name, for one release
        found.append(_figures_of(recipe, rule, rows, years) | figures)
        found[-1]["text"] = "\n".join(_lines(recipe, rule, found[-1], past))
    return found


_USUAL_RATE = "the usual rate is what is published now, and its ratio to itself is always 1 (--model tries another kind)"


def _past_days(connection: Connection, recipe: Recipe, now: datetime, years: float) -> tuple[date, date] | None:
    """Return the last `years` of days that a backfill could forecast (the catalogue was read beyond them), or None if nothing was read."""
    try:
        span = covered_span(recipe, catalogue.read_coverage(connection))
    except NotScoreable:
        return None
    last = local_day(min(span.end, now) - FINAL_AFTER, recipe.zone)
    return max(last - timedelta(days=round(365.25 * years)), local_day(span.start, recipe.zone) + A_YEAR), last


def _figures_of(recipe: Recipe, rule: AlertRule, rows: pd.DataFrame, years: float) -> Row:
    """Return the figures of the `years` before the last row. The rule is applied to all rows, so that no alert begins halfway."""
    since = rows["target_start"].iloc[-1].to_pydatetime() - timedelta(days=round(365.25 * years)) if len(rows) else None
    tested = backtest(recipe, rule, rows, since)
    shown = [day for day in tested.days if since is None or day.figures.target_start >= since]
    episodes = [
        _episode(recipe, windows) for windows in _episodes(tested.days) if since is None or windows[-1].figures.target_start >= since
    ]
    span = [day_of_window(shown[at].figures.target_start, recipe.zone) for at in (0, -1)] if shown else []
    return {
        "recipe_id": recipe.id,
        "rule": rule.document(),
        "days": len(shown),
        "missing": (span[1] - span[0]).days + 1 - len(shown) if span else 0,
        "official": sum(day.method == "daily" for day in shown),
        "alerts": episodes,
        "suppressed": [{"day": _day(recipe, day), "reason": day.decision.reason} for day in shown if day.decision.action == "suppressed"],
        "rates": rates_document(tested.rates),
    }


def _skill(skill: Skill) -> Row | None:
    return None if skill.gain is None else {**gain_numbers(skill.gain), "source": skill.source}


def _episodes(days: Sequence[BacktestDay]) -> list[list[BacktestDay]]:
    """Return the windows for which each alert would have been active."""
    episodes: list[list[BacktestDay]] = []
    for day in days:
        if day.decision.action == "raised":
            episodes.append([day])
        elif day.decision.action == "held":
            episodes[-1].append(day)
    return episodes


def _episode(recipe: Recipe, active: Sequence[BacktestDay]) -> Row:
    open_days = sum(day.observed is None for day in active)
    return {
        "day": _day(recipe, active[0]),
        "last_day": _day(recipe, active[-1]),
        "probability": active[0].figures.probability,
        "usual": active[0].figures.reference_probability,
        "ratio": active[0].figures.ratio,
        "active_days": len(active),
        "days_with_target": sum(day.observed is True for day in active),
        "unverified_days": open_days,
        **{"stood_days": len(active), "unsettled_days": open_days},  # the former names, for one release
    }


def _day(recipe: Recipe, day: BacktestDay) -> str:
    return day_of_window(day.figures.target_start, recipe.zone).isoformat()


def _lines(recipe: Recipe, rule: AlertRule, document: Row, past: tuple[date, date] | None) -> list[str]:
    whose = "what was published" if document["model"] == PUBLISHED else document["model"]
    bounds = f"{whose}, {type_of(rule).description(rule)}"
    head = f"{recipe.id}, rule {rule.name} ({bounds}):"
    if not document["days"]:
        return [f"{head} no out-of-sample forecast of past days is stored here", *_without_days(recipe, document, past)]
    alerts, rates = document["alerts"], document["rates"]
    lines = [
        f"{head} {len(alerts)} alerts in {document['days']} days ({document['official']} official forecasts, "
        f"the others walk-forward; {document['missing']} days of the span have none)"
    ]
    say = translator("en")
    if alerts:
        lines.append(f"  {'raised for':12}{'active to':12}{'chance':18}{'usual':18}{'ratio':>5}  observed")
    for row in alerts:
        chance, usual = map(say, probability_pair(row["probability"], row["usual"]))
        lines.append(f"  {row['day']:12}{row['last_day']:12}{chance:18}{usual:18}{row['ratio']:5.1f}  {_observed_text(row)}")
    if document["suppressed"]:
        lines.append(f"  {len(document['suppressed'])} more days reached the bounds within the cooldown of {rule.cooldown_days} days")
    lines += [
        f"  {say(phrase)}"
        for phrase in alert_text.rates_phrases(AlertTexts("en"), rates, "published" if document["model"] == PUBLISHED else "kind")
    ]
    if document["excluded"]:
        lines.append(f"  As things are, it would send nothing: {document['excluded']}")
    return lines


def _without_days(recipe: Recipe, document: Row, past: tuple[date, date] | None) -> list[str]:
    """Return the lines shown for a rule in place of the figures of forecasts that are not stored."""
    lines = []
    if document["measured"] is not None:
        lines.append(f"  Measured, as docs/ALERTS.md says: {_figures(document['measured'])}")
    else:
        lines.append("  Its false alarms are not known.")
    if past is None:
        lines.append("  No catalogue has been read for this place: run `quakecast pull`.")
    else:
        make = f"quakecast backfill --mode walk-forward --recipe {recipe.id} --from {past[0]} --to {past[1]}"
        lines.append(f"  Forecasts of past days, by models that had not seen them: `{make}`")
    if document["excluded"]:
        lines.append(f"  As things are, it would send nothing: {document['excluded']}")
    return lines


def _figures(rates: Row) -> str:
    """Format rates in one line: the days, how often an alert was raised, how often it was false, and the hits."""
    share, yearly = rates["false_alarm_share"], rates["alerts_a_year"]
    said = f"{rates['first_day']} to {rates['last_day']}, raised {rates['alerts']} times ({yearly['estimate']:.2g} a year), "
    cases = f"{rates['false_alarm_days']} of {rates['alert_days']} alert days"
    if share is None:
        said += f"false on {cases}, too few for a share"
    else:
        estimate, low, high = (f"{100 * share[name]:.0f}" for name in ("estimate", "low", "high"))
        said += f"false on {cases} ({estimate} %, 95 % range {low} to {high} %)"
    return f"{said}, active on {rates['hit_days']} of {rates['target_days']} days with such an earthquake"


def _observed_text(row: Row) -> str:
    open_days = f", {row['unverified_days']} not verified yet" if row["unverified_days"] else ""
    if row["active_days"] == 1 and not open_days:
        return "such an earthquake" if row["days_with_target"] else "none"
    return f"such an earthquake on {row['days_with_target']} of {row['active_days']} days{open_days}"


def list_alerts(job: Job, limit: int) -> list[AlertColumns]:
    """Return the newest alerts of rules and system alerts, newest first; those of replays where the job's clock is simulated."""
    with job.store.transaction() as connection:
        return stored.newest_alerts(connection, limit, replay=job.clock.simulated)


def check_rules(job: Job) -> list[Row]:
    """Check every rule of the job's recipes: its expected rates, whether its model is good enough, whether its channels are set up."""
    there = {to.channel for to in recipients(job.settings)}
    documents = []
    for row in backtest_rules(job, [(recipe, rule) for recipe in job.recipes for rule in recipe.alerts], years=100):
        wanted = set(row["rule"]["channels"])
        problems = [row["excluded"]] if row["excluded"] else []
        if not there:
            problems.append("no channel is set up")
        elif missing := sorted(wanted - there):
            problems.append(f"not configured: {', '.join(missing)}")
        if row["rates"]["false_alarm_share"] is None and row["measured"] is None:
            problems.append("its false alarms are not known: too few forecasts of past days are stored (`quakecast alerts test` says more)")
        documents.append({**row, "problems": problems, "text": _check_line(row, problems)})
    return documents


def _check_line(row: Row, problems: Sequence[Any]) -> str:
    rates = row["rates"] if row["rates"]["false_alarm_share"] is not None or row["measured"] is None else row["measured"]
    head = f"{row['recipe_id']}, rule {row['rule']['name']}"
    if not rates["days"]:
        said = "no forecast of past days is stored"
    else:
        said = _figures(rates) + (" (measured for docs/ALERTS.md)" if rates is row["measured"] else " (forecasts stored here)")
    return f"{head}: {said}" + "".join(f"\n  ! {problem}" for problem in problems)


def _named(recipes: Sequence[Recipe]) -> str:
    ids = [recipe.id for recipe in recipes]
    return ", ".join(ids) if len(ids) <= 5 else f"{len(ids)} recipes"
