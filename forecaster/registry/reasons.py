"""Why a forecast is not what it should be, or why there is none: a key with values, written by the code that knows it.

A reason is stored as JSON and shown in the reader's language: templates/i18n has one text for each key, `reason.<key>`. `str(reason)` is
the English text for the log, the command line and the readable columns of the database; it may name commands. A new reason is one line
of `ReasonKey` and one text per language.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

from forecaster.quantities import age_text

Value = str | int | float | list[str] | dict[str, int]  # as JSON holds it


class ReasonKey(StrEnum):
    """The key of a reason, with its English text for operators. The placeholders are those of `VALUES`, or names of values."""

    english: str

    def __new__(cls, key: str, english: str) -> "ReasonKey":
        member = str.__new__(cls, key)
        member._value_ = key
        member.english = english
        return member

    # the catalogue
    UNREAD = "unread", "USGS could not be read; the forecast is made from what was stored before"
    DOUBTED = "doubted", "the service's answer looks incomplete: {because}"
    LOST_CHANGES = "lost_changes", "{count} events changed since {moment} did not come back ({events})"
    TOO_FEW_EVENTS = "too_few_events", "{count} events of M >= {magnitude} since {moment} ({stream}), where {expected} would be few"
    SET_ASIDE = "set_aside", "rows of the catalogue failed validation: {quarantined}"
    OLD = "old", "the catalogue is {age} old"
    NEVER_READ = (
        "never_read",
        "the catalogue has never been read, models need it to be {days} days old at most: run `quakecast pull`; the usual rate is "
        "published",
    )
    NOT_READ_SINCE = (
        "not_read_since",
        "the catalogue has not been read since {moment}, models need it to be {days} days old at most: run `quakecast pull`; "
        "the usual rate is published",
    )
    # the run
    CLOCK = "clock", "this machine's clock is {off} that of USGS: set it right (NTP: timedatectl set-ntp true), then run `quakecast pull`"
    UNOFFICIAL = "unofficial", "so this is no official forecast"
    # the models
    WITHOUT = "without", "without {model}: {because}"
    GENERIC = "generic", "{model} without its fit: {because}"
    WEIGHTS = "weights", "the package's weights cannot be used: {because}"
    SEEN = "seen", "in-sample: {because}; never scored"
    HAS_SEEN = "has_seen", "{model_id} has seen this day, it forecasts from {first_day} on"
    HAS_SEEN_SOME = "has_seen_some", "{model_id} has seen some of these days and may forecast from {first_day} on"
    HAS_SEEN_UNTIL = "has_seen_until", "{model_id} has seen days up to {until} and may forecast from {first_day} on, not {day}"
    UNTRAINED = (
        "untrained",
        "untrained: its best state is its start, after {epochs} epochs; allow more time (quakecast train --max-minutes)",
    )
    UNTRAINED_MODEL = (
        "untrained_model",
        "{model_id} is untrained: its best state is its start, after {epochs} epochs; allow more time (quakecast train --max-minutes)",
    )
    NO_MEMBER = "no_member", "there is no such model for this day; decide anew (quakecast models promote)"
    NOT_PACKAGED = "not_packaged", "no pre-trained {model} for {day} is in this installation; install quakecast again"
    NO_PROBABILITY = "no_probability", "{model_id} returned {value} for {day}: not a probability in (0, 1); train again"
    # no forecast, or no ladder
    STARTS = "starts", "not scoreable: catalogue starts at M {magnitude}"
    NO_DATA = "no_data", "not scoreable: no catalogue has been read for this place; run `quakecast pull`"
    SHORT = "short", "not scoreable: no target day since {first_day} lies {days} days before {day}"
    SHORT_AT = (
        "short_at",
        "no reference rate at {moment}: {count} outcomes were final by then, at least {least} are needed; forecast later days, or load an "
        "older part of the catalogue",
    )
    SHORT_RECORD = (
        "short_record",
        "no reference rate: the catalogue covers {count} target days, at least {least} are needed; load an older part of the catalogue",
    )
    NOT_MADE = "not_made", "no forecast has been issued yet; run `quakecast predict`"
    BEFORE_LADDER = "before_ladder", "the forecast was made by a version of quakecast that had no ladder"
    NEWER_LADDER = "newer_ladder", "the ladder has version {version}, this quakecast reads up to {newest}: upgrade quakecast"
    # the world map
    CELLS_INCOMPLETE = "cells_incomplete", "M {magnitude}: {cells} cells, the catalogue is not complete down to it there"
    CELLS_UNREAD = "cells_unread", "M {magnitude}: {cells} cells, the catalogue has not been read there down to it"
    CELLS_SHORT = "cells_short", "M {magnitude}: {cells} cells, {because}"
    NO_WORLD_MAP = "no_world_map", "no world map at {moment}: {because}"
    NO_SEISMIC_CELL = (
        "no_seismic_cell",
        "the catalogue has no circle of {radius} km with ten earthquakes of M 5 or more; run `quakecast pull`",
    )
    # the operation: forecasts that drift from the observations, steps and runs that fail
    DRIFT = (
        "drift",
        "its forecasts expected {expected_days} target days of the last {days} days and {observed_days} were observed: "
        "{ratio} times as many (95 % {low} to {high})",
    )
    STEP = "step", "{step}: {because}"
    STEP_OF = "step_of", "{step}, {about}: {because}"
    ABANDONED = "abandoned", "the run ended without reporting: its process was killed or the machine went down"
    # faults by their kind (`faults.of_fault`): the English text is the error's own, other languages have a text for the kind
    FAULT_INPUT = "fault_input", "{text}"
    FAULT_WRITING = "fault_writing", "{text}"
    FAULT_UNREACHABLE = "fault_unreachable", "{text}"
    FAULT_CATALOGUE = "fault_catalogue", "{text}"
    FAULT_BUSY = "fault_busy", "{text}"
    FAULT_NEWER = "fault_newer", "{text}"
    FAULT_STORE = "fault_store", "{text}"
    FAULT_MODEL = "fault_model", "{text}"
    FAULT_DELIVERY = "fault_delivery", "{text}"
    FAULT_TIME = "fault_time", "{text}"
    FAULT_STOPPED = "fault_stopped", "{text}"
    FAULT_UNEXPECTED = "fault_unexpected", "{text}"
    # a fault that has no key: its English text goes to the log, readers are referred to it
    OTHER = "other", "{text}"


_BY_NAME = {key.value: key for key in ReasonKey}


@dataclass(frozen=True)
class Reason:
    """A reason. values: JSON values by name (times in ISO form, spans in hours or minutes). because: the reasons behind it."""

    key: ReasonKey
    values: Mapping[str, Value] = field(default_factory=dict)
    because: tuple["Reason", ...] = ()

    def __str__(self) -> str:
        return self.key.english.format_map(self.shown(ENGLISH, "; ".join(map(str, self.because))))

    def shown(self, forms: Mapping[str, Callable[[Any], Any]], because: Any) -> dict[str, Any]:
        """Return the values by placeholder, those that `forms` names in that form, with `because` for the reasons behind it."""
        found = {PLACEHOLDERS.get(name, name): value for name, value in self.values.items()}
        return {name: forms[name](value) if name in forms else value for name, value in found.items()} | {"because": because}

    def stored(self) -> dict[str, Any]:
        """Return the reason as a JSON object: key, and values and because where there are any."""
        kept: dict[str, Any] = {"key": self.key.value}
        if self.values:
            kept["values"] = dict(self.values)
        return kept | ({"because": [one.stored() for one in self.because]} if self.because else {})


def of_stored(kept: Mapping[str, Any]) -> Reason:
    """Return the reason of a JSON object.

    Raises:
        ValueError: it is no reason, or one of a newer version.
    """
    try:
        because = tuple(of_stored(one) for one in kept.get("because", ()))
        made = Reason(_BY_NAME[kept["key"]], dict(kept.get("values", {})), because)
        str(made)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no reason that this quakecast knows: {json.dumps(kept)[:200]}") from error
    return made


def of_json(text: str | None) -> tuple[Reason, ...]:
    """Return the reasons that `as_json` stored.

    None where there are none, or where one is of a newer version: its English text is stored beside it.
    """
    return of_list(json.loads(text)) if text else ()


def of_list(kept: Sequence[Mapping[str, Any]]) -> tuple[Reason, ...]:
    """Return the same as `of_json` for the parsed list."""
    try:
        return tuple(map(of_stored, kept))
    except ValueError:
        return ()


def as_json(reasons: Sequence[Reason]) -> str | None:
    """Return reasons as the database stores them: a JSON list, None where there are none."""
    return json.dumps([reason.stored() for reason in reasons], ensure_ascii=False) if reasons else None


def english(reasons: Sequence[Reason]) -> str | None:
    """Return reasons as one line of English text, None where there are none."""
    return "; ".join(map(str, reasons)) or None


def other(text: str) -> Reason:
    """Return the reason of a fault that has no key."""
    return Reason(ReasonKey.OTHER, {"text": text})


def of_error(error: Exception) -> Reason:
    """Return the reason that an error was raised with, or its text as one."""
    return carried_by(error) or other(str(error))


def carried_by(error: BaseException) -> Reason | None:
    """Return the reason that an error was raised with, if there is one."""
    why = error.args[0] if error.args else None
    return why if isinstance(why, Reason) else None


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M}Z"


def _off(minutes: float) -> str:
    amount = round(abs(minutes))
    told = f"{amount} minutes" if amount < 120 else f"{amount / 60:.1f} hours" if amount < 48 * 60 else f"{amount / 1440:.0f} days"
    return f"{told} {'ahead of' if minutes > 0 else 'behind'}"


PLACEHOLDERS = {"age_hours": "age", "off_minutes": "off", "kind": "model", "at": "moment", "radius_km": "radius"}  # by name of the value
ENGLISH: Mapping[str, Callable[[Any], Any]] = {
    "age": lambda hours: age_text(timedelta(hours=hours)),
    "off": _off,
    "moment": _moment,
    "cells": lambda count: f"{count:,}",
    "magnitude": lambda magnitude: f"{magnitude:.1f}",
    "radius": lambda km: f"{km:g}",
    "expected": lambda expected: f"{expected:.0f}",
    "events": ", ".join,
}


def iso(moment: datetime | date) -> str:
    """Return a time or a day as a value of a reason."""
    return moment.isoformat()
