"""Rules before they are switched on, and what there is of them: what each would have sent, what stands, whether it could speak."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from forecaster.errors import BadInput
from forecaster.pipeline import publishing
from forecaster.pipeline.alerts_evidence import RehearsedDay, Skill, barred, rates_document, rehearse, skill_of
from forecaster.pipeline.alerts_messages import Row
from forecaster.pipeline.gain import gain_numbers
from forecaster.pipeline.job import Job
from forecaster.pipeline.senders import recipients
from forecaster.recipe import AlertRule, Recipe
from forecaster.reports import alert_text
from forecaster.reports.alert_text import AlertTexts
from forecaster.reports.texts import speaker
from forecaster.reports.words import probability_phrase
from forecaster.store import alerts as stored
from forecaster.timewindow import local_day, next_local_day

PRESENT, PUBLISHED = "present", "published"


def chosen_rules(recipes: Sequence[Recipe], name: str | None, inline: AlertRule | None) -> list[tuple[Recipe, AlertRule]]:
    """Each recipe with each of its rules, or those called `name`, or with the rule `inline`.

    Raises:
        BadInput: there is none, with the names there are.
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


def rehearse_rules(job: Job, rules: Sequence[tuple[Recipe, AlertRule]], years: float, model: str = PRESENT) -> list[Row]:
    """What each rule would have sent over the last `years` of stored out-of-sample forecasts, and how it would have turned out.

    Args:
        model: a kind of model, PRESENT for the combination, or PUBLISHED for what was, or would have been, published then.

    Each: recipe_id, model, rule (its fields), days (forecasts), missing (days of the span without one), official (of the days), alerts,
    rates (as an alert states them), skill, barred (why it would be silent now, or None), suppressed (days and why), text for people.
    Alerts: day, last_day, probability, usual, ratio, stood_days, days_with_target, unsettled_days.
    """
    now = job.clock.now()
    found = []
    for recipe, rule in rules:
        with job.store.transaction() as connection:
            standing = publishing.standing(connection, recipe, now, next_local_day(now, recipe.zone))
            kind = {PRESENT: publishing.KIND, PUBLISHED: None}.get(model, model)
            rows = stored.out_of_sample(connection, recipe.id, recipe.target_hash, now, kind)
            skill = skill_of(connection, recipe, publishing.KIND, "", now)
        silent = barred(rule, skill) if standing.weights else _USUAL_RATE
        found.append(_rehearsed(recipe, rule, rows, years) | {"model": kind or PUBLISHED, "skill": _skill(skill), "barred": silent})
        found[-1]["text"] = "\n".join(_lines(recipe, rule, found[-1], years, now))
    return found


_USUAL_RATE = "the usual rate is what is published now, and its ratio to itself is always 1 (--model tries another kind)"


def _rehearsed(recipe: Recipe, rule: AlertRule, rows: pd.DataFrame, years: float) -> Row:
    """The figures of the last `years` before the last of these rows; the rule goes through all of them, so that none begins halfway."""
    since = rows["target_start"].iloc[-1].to_pydatetime() - timedelta(days=round(365.25 * years)) if len(rows) else None
    rehearsal = rehearse(recipe, rule, rows, since)
    shown = [day for day in rehearsal.days if since is None or day.said.target_start >= since]
    episodes = [_episode(recipe, stood) for stood in _stood(rehearsal.days) if since is None or stood[-1].said.target_start >= since]
    span = [local_day(shown[at].said.target_start, recipe.zone) for at in (0, -1)] if shown else []
    return {
        "recipe_id": recipe.id,
        "rule": rule.model_dump(mode="json", by_alias=True),
        "days": len(shown),
        "missing": (span[1] - span[0]).days + 1 - len(shown) if span else 0,
        "official": sum(day.method == "daily" for day in shown),
        "alerts": episodes,
        "suppressed": [{"day": _day(recipe, day), "reason": day.decision.reason} for day in shown if day.decision.action == "suppressed"],
        "rates": rates_document(rehearsal.rates),
    }


def _skill(skill: Skill) -> Row | None:
    return None if skill.gain is None else {**gain_numbers(skill.gain), "source": skill.source}


def _stood(days: Sequence[RehearsedDay]) -> list[list[RehearsedDay]]:
    """Of every alert that would have been raised, the windows that it would have stood for."""
    episodes: list[list[RehearsedDay]] = []
    for day in days:
        if day.decision.action == "raised":
            episodes.append([day])
        elif day.decision.action == "held":
            episodes[-1].append(day)
    return episodes


def _episode(recipe: Recipe, stood: Sequence[RehearsedDay]) -> Row:
    return {
        "day": _day(recipe, stood[0]),
        "last_day": _day(recipe, stood[-1]),
        "probability": stood[0].said.probability,
        "usual": stood[0].said.reference_probability,
        "ratio": stood[0].said.ratio,
        "stood_days": len(stood),
        "days_with_target": sum(day.happened is True for day in stood),
        "unsettled_days": sum(day.happened is None for day in stood),
    }


def _day(recipe: Recipe, day: RehearsedDay) -> str:
    return local_day(day.said.target_start, recipe.zone).isoformat()


def _lines(recipe: Recipe, rule: AlertRule, document: Row, years: float, now: datetime) -> list[str]:
    whose = "what was published" if document["model"] == PUBLISHED else document["model"]
    bounds = f"{whose}, probability >= {rule.probability:.3g} and >= {rule.ratio:g} times usual"
    head = f"{recipe.id}, rule {rule.name} ({bounds}):"
    if not document["days"]:
        first = (now - timedelta(days=round(365.25 * years))).date()
        make = f"quakecast backfill --mode walk-forward --recipe {recipe.id} --from {first} --to {(now - timedelta(days=2)).date()}"
        return [f"{head} not known: there is no out-of-sample forecast of its past days; make them with `{make}`"]
    alerts, rates = document["alerts"], document["rates"]
    lines = [
        f"{head} {len(alerts)} alerts stood in {document['days']} days ({document['official']} official forecasts, "
        f"the others walk-forward; {document['missing']} days of the span have none)"
    ]
    say = speaker("en")
    if alerts:
        lines.append(f"  {'raised for':12}{'stands to':12}{'chance':18}{'usual':18}{'ratio':>5}  what came")
    for row in alerts:
        chance, usual = (say(probability_phrase(row[name])) for name in ("probability", "usual"))
        lines.append(f"  {row['day']:12}{row['last_day']:12}{chance:18}{usual:18}{row['ratio']:5.1f}  {_came(row)}")
    if document["suppressed"]:
        lines.append(f"  {len(document['suppressed'])} more days reached the bounds within the cooldown of {rule.cooldown_days} days")
    lines += [
        f"  {say(phrase)}"
        for phrase in alert_text.rates_phrases(AlertTexts("en"), rates, "published" if document["model"] == PUBLISHED else "kind")
    ]
    if document["barred"]:
        lines.append(f"  As things are, it would send nothing: {document['barred']}")
    return lines


def _came(row: Row) -> str:
    open_days = f", {row['unsettled_days']} not settled" if row["unsettled_days"] else ""
    if row["stood_days"] == 1 and not open_days:
        return "such an earthquake" if row["days_with_target"] else "none"
    return f"such an earthquake on {row['days_with_target']} of {row['stood_days']} days{open_days}"


def list_alerts(job: Job, limit: int) -> list[Row]:
    """The newest alerts of rules and of the operation, newest first; of replays where the job's clock is simulated."""
    with job.store.transaction() as connection:
        rows = stored.read_alerts(connection, replay=job.clock.simulated)
    return list(reversed(rows))[:limit]


def check_rules(job: Job) -> list[Row]:
    """Every rule of the job's recipes: what is to be expected of it, whether its model may speak, whether its channels are set up."""
    there = {to.channel for to in recipients(job.settings)}
    documents = []
    for row in rehearse_rules(job, [(recipe, rule) for recipe in job.recipes for rule in recipe.alerts], years=100):
        wanted = set(row["rule"]["channels"])
        problems = [row["barred"]] if row["barred"] else []
        if not there:
            problems.append("no channel is set up")
        elif missing := sorted(wanted - there):
            problems.append(f"not set up: {', '.join(missing)}")
        if not row["rates"]["days"]:
            problems.append(
                "its false alarms are not known: no out-of-sample forecast is stored (quakecast alerts test says how to make them)"
            )
        documents.append({**row, "problems": problems, "text": _check_line(row, problems)})
    return documents


def _check_line(row: Row, problems: Sequence[Any]) -> str:
    rates = row["rates"]
    share, yearly = rates["false_alarm_share"], rates["alerts_a_year"]
    if share is None:
        expected = f"false alarms not known: only {rates['alert_days']} alert days in {rates['alert_blocks']} spans of 30 days"
    else:
        bounds = f"95 % {share['low']:.0%} to {share['high']:.0%}"
        cases = f"{rates['false_alarm_days']} of {rates['alert_days']} alert days"
        expected = f"false on {share['estimate']:.0%} ({bounds}; {cases}), raised {yearly['estimate']:.2g} times a year"
    return f"{row['recipe_id']}, rule {row['rule']['name']}: {expected}" + "".join(f"\n  ! {problem}" for problem in problems)


def _named(recipes: Sequence[Recipe]) -> str:
    ids = [recipe.id for recipe in recipes]
    return ", ".join(ids) if len(ids) <= 5 else f"{len(ids)} recipes"
