"""The rules for when an alert is raised, held and cleared. Values in, values out; no store, no clock.

    quiet --bounds reached--> raised --off bounds kept--> held ... --off bounds lost, or no forecast--> cleared

A rule evaluates the published forecasts of one target, one window after the other. Its alert is active from the window it was raised for to
the last window it was held for. Within `cooldown_days` of the window it was last raised for, it is not raised again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from importlib import import_module
from typing import Literal, Protocol, cast
from zoneinfo import ZoneInfo

from forecaster.registry.alert_rule_types import RULE_TYPES
from forecaster.registry.recipe_fields import AlertRule, QuietHours
from forecaster.timewindow import day_of_window, local_day, require_utc

Action = Literal["quiet", "raised", "held", "cleared", "suppressed"]


@dataclass(frozen=True)
class ForecastFigures:
    """A published forecast of the window [target_start, target_end)."""

    target_start: datetime
    target_end: datetime
    probability: float
    reference_probability: float

    @property
    def ratio(self) -> float:
        return self.probability / self.reference_probability


@dataclass(frozen=True)
class RuleState:
    """The state of a rule: the start of the window that it was last raised for, and the last window in which its alert is active.

    `start` and `end` are None where no alert is active.
    """

    raised_for: datetime | None = None
    start: datetime | None = None
    end: datetime | None = None

    @property
    def is_active(self) -> bool:
        return self.start is not None


@dataclass(frozen=True)
class Decision:
    """The decision of a rule on one forecast. `expired`: an active alert ended before it, because there was no forecast for the next
    window."""

    action: Action
    reason: str
    expired: bool = False

    @property
    def is_active(self) -> bool:
        return self.action in ("raised", "held")


class RuleType(Protocol):
    """A module of `types_of_alert_rules`."""

    REACHED: str

    def reaches(self, rule: AlertRule, figures: ForecastFigures) -> bool: ...
    def above_clearing(self, rule: AlertRule, figures: ForecastFigures) -> bool: ...
    def description(self, rule: AlertRule) -> str: ...


def type_of(rule: AlertRule) -> RuleType:
    """Return the module that decides for this rule."""
    return cast(RuleType, import_module(RULE_TYPES[rule.type]))


def reaches(rule: AlertRule, figures: ForecastFigures) -> bool:
    """Return whether the forecast reaches the bounds at which an alert is raised."""
    return type_of(rule).reaches(rule, figures)


def above_clearing(rule: AlertRule, figures: ForecastFigures) -> bool:
    """Return whether the forecast stays within the bounds below which an alert is cleared."""
    return type_of(rule).above_clearing(rule, figures)


def decide(rule: AlertRule, zone: ZoneInfo, state: RuleState, figures: ForecastFigures, excluded: str | None = None) -> Decision:
    """Return the rule's decision on the forecast that follows the state `state`.

    An alert expires where its last window ended before this one begins: it is not active without a forecast. `excluded`: why the rule may
    raise nothing now (its model has shown too little skill). An active alert is held or cleared all the same.
    """
    expired = state.end is not None and state.end < figures.target_start
    if state.is_active and not expired:
        if above_clearing(rule, figures):
            return Decision("held", "still at or above the bounds at which an alert ends")
        return Decision("cleared", "below the bounds at which an alert ends")
    if not reaches(rule, figures):
        return Decision("quiet", "below the bounds of the rule", expired)
    if state.raised_for is not None and rule.cooldown_days:
        since = (day_of_window(figures.target_start, zone) - day_of_window(state.raised_for, zone)).days
        if since < rule.cooldown_days:
            return Decision("suppressed", f"raised {since} days before, at most once in {rule.cooldown_days} days", expired)
    if excluded is not None:
        return Decision("suppressed", excluded, expired)
    return Decision("raised", type_of(rule).REACHED, expired)


def after(state: RuleState, figures: ForecastFigures, decision: Decision) -> RuleState:
    """Return the state of the rule after the decision."""
    if decision.action == "raised":
        return RuleState(figures.target_start, figures.target_start, figures.target_end)
    if decision.action == "held":
        return replace(state, start=figures.target_start, end=figures.target_end)
    return RuleState(state.raised_for)


def walk(rule: AlertRule, zone: ZoneInfo, forecasts: Iterable[ForecastFigures]) -> list[Decision]:
    """Return the rule's decision on each of these forecasts, which are in the order of their windows."""
    state, decisions = RuleState(), []
    for figures in forecasts:
        decisions.append(decide(rule, zone, state, figures))
        state = after(state, figures, decisions[-1])
    return decisions


def held_until(quiet: QuietHours | None, zone: ZoneInfo, now: datetime) -> datetime | None:
    """Return when the quiet hours that contain `now` end (aware UTC); None outside of them.

    They begin where the local clock first shows `begins` and end where it last shows `ends`: an hour that occurs twice is quiet twice. A
    time that a clock change skips is read as if the clocks had not been changed yet.
    """
    if quiet is None:
        return None
    require_utc(now, "now")
    today = local_day(now, zone)
    for day in (today - timedelta(days=1), today):
        last = day if quiet.begins < quiet.ends else day + timedelta(days=1)
        begin, end = _first(day, quiet.begins, zone), _last(last, quiet.ends, zone)
        if begin <= now < end:
            return end
    return None


def _first(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)


def _last(day: date, at: time, zone: ZoneInfo) -> datetime:
    return max(_first(day, at, zone), datetime.combine(day, at.replace(fold=1), tzinfo=zone).astimezone(UTC))
