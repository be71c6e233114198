"""Compatibility: reasons in English, as databases of schema 23 and before and reports written with them hold them.

Later rows hold reasons as key and values (`registry.reasons`). This module can go when no such row is shown any more. Pure.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime

from forecaster.registry.reasons import Reason, ReasonKey, other
from forecaster.registry.weights_origin import WeightsFrom

UNITS = {"minute": 1 / 60, "hour": 1.0, "day": 24.0, "month": 24 * 365.25 / 12, "year": 24 * 365.25}
MEANT_ALREADY = (
    "the usual rate is published",
    "never scored",
    "load an older part of the catalogue",
)  # the remainder of a sentence whose beginning is a reason already

Make = Callable[[re.Match[str]], Reason]


def read(text: str) -> tuple[Reason, ...]:
    """Return the reasons in a stored English text, each once; a part that matches no pattern of KNOWN is `other`.

    They hold the values that texts for readers fill in, and no more: the English text for operators is the stored one.
    """
    parts = re.split(r"; ", text.removeprefix("not scoreable: "))
    found = [_read(part) for part in parts if not part.startswith(MEANT_ALREADY)]
    return tuple(one for index, one in enumerate(found) if one not in found[:index])


def of_world(text: str) -> Reason:
    """Return the reason of a stored English text on cells of the world map without a figure."""
    for key, ending in WORLD:
        if (found := re.fullmatch(rf"M (?P<magnitude>[\d.]+): (?P<cells>[\d,]+) cells, {ending}", text)) is not None:
            return Reason(key, {"magnitude": float(found["magnitude"]), "cells": int(found["cells"].replace(",", ""))})
    return other(text)


def weights_from(word: str | None) -> WeightsFrom | None:
    """Return the source of weights that a row of schema 23 or before names by one word; None where it is unknown."""
    if word in ("person", "mean"):
        return WeightsFrom("person" if word == "person" else "mean")
    if (packaged := re.fullmatch(r"combination-(\d{4}-\d{2}-\d{2})", word or "")) is not None:
        return WeightsFrom("package", date.fromisoformat(packaged[1]))
    if (learnt := re.fullmatch(r"(\S+) \d+", word or "")) is not None:
        return WeightsFrom("world" if learnt[1] == "world" else "own")
    return None


WORLD = (
    (ReasonKey.CELLS_INCOMPLETE, "the catalogue is not complete down to it there"),
    (ReasonKey.CELLS_UNREAD, "the catalogue has not been read there down to it"),
)


def _read(part: str) -> Reason:
    for pattern, make in KNOWN:
        if (found := pattern.match(part)) is not None:
            return make(found)
    return other(part)


def _plain(key: ReasonKey) -> Make:
    return lambda found: Reason(key)


def _of_model(key: ReasonKey) -> Make:
    return lambda found: Reason(key, {"kind": found["kind"]})


def _age(found: re.Match[str]) -> Reason:
    return Reason(ReasonKey.OLD, {"age_hours": float(found["count"]) * UNITS[found["unit"]]})


def _not_read_since(found: re.Match[str]) -> Reason:
    at = datetime.strptime(found["at"], "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    return Reason(ReasonKey.NOT_READ_SINCE, {"at": at.isoformat()})


KNOWN: tuple[tuple[re.Pattern[str], Make], ...] = tuple(
    (re.compile(pattern), make)
    for pattern, make in (
        (r"USGS could not be read$", _plain(ReasonKey.UNREAD)),
        (r"the forecast is made from what was stored before", _plain(ReasonKey.UNREAD)),
        (r"the service's answer (?:looks incomplete|is not believed to be whole)", _plain(ReasonKey.DOUBTED)),
        (r"\d+ events? (changed since |of M >= )", _plain(ReasonKey.DOUBTED)),
        (r"rows of the catalogue (?:failed validation|could not be believed)", _plain(ReasonKey.SET_ASIDE)),
        (r"the catalogue is (?P<count>\d+) (?P<unit>minute|hour|day|month|year)s? old", _age),
        (r"the catalogue has never been read", _plain(ReasonKey.NEVER_READ)),
        (r"the catalogue has not been read since (?P<at>\d{4}-\d\d-\d\d \d\d:\d\d)Z", _not_read_since),
        (r"this machine's clock is ", _plain(ReasonKey.CLOCK)),
        (r"so this is no official forecast", _plain(ReasonKey.UNOFFICIAL)),
        (r"without (?P<kind>\w+): ", _of_model(ReasonKey.WITHOUT)),
        (r"(?P<kind>\w+) without its fit: ", _of_model(ReasonKey.GENERIC)),
        (r"in-sample: ", _plain(ReasonKey.SEEN)),
        (r"catalogue starts at M (?P<low>[\d.]+)", lambda found: Reason(ReasonKey.STARTS, {"magnitude": float(found["low"])})),
        (r"no catalogue has been read for this place", _plain(ReasonKey.NO_DATA)),
        (r"no target day since ", _plain(ReasonKey.SHORT)),
        (r"no forecast has been issued yet", _plain(ReasonKey.NOT_MADE)),
        (r"no reference rate", _plain(ReasonKey.SHORT)),
        (r"the forecast was made by a version of quakecast that had no ladder", _plain(ReasonKey.BEFORE_LADDER)),
        (r"the ladder has version ", _plain(ReasonKey.NEWER_LADDER)),
    )
)
