"""Which names are one earthquake: the newest version of each name, and the ids that these versions claim of each other.

A *name* is a preferred id. Its *word* is the valid version under that id. The newest word claims the names that it lists, and keeps them
until a newer word on one of them differs. So a split, a join and another split follow from the newest versions. At every moment the
service's lists of ids partition all ids, so a newer word that does not list a name means that the name is another event.

Versions that are too far apart are never one earthquake, whatever a list of ids says. The limits: of 3,602 changes of an id that the feed
showed from 2022-04 to 2024-12, 99.9 % moved the origin by less than 176 s, 401 km and 2.0 magnitudes. The rest are faulty records.
"""

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

FARTHEST_KM = 500.0
FARTHEST_S = 180.0
FARTHEST_MAGNITUDE = 3.0
SAME_KM, SAME_S = 100.0, 16.0
"""Within these the service takes two solutions for one earthquake, so a contributor's id that both list is enough."""
REFUSED = (
    f"names another event more than {FARTHEST_KM:g} km, {FARTHEST_S:g} s or {FARTHEST_MAGNITUDE:g} magnitudes away; kept under its own id"
)

_EARTH_KM = 6371.0088


class Word(NamedTuple):
    """One version under one name. `order`: (its stamp, when it was known, when it was read) in microseconds; the greatest one is valid.

    where: origin time in seconds, latitude, longitude, magnitude; NaN where the version gives no value.
    """

    name: str
    order: tuple[int, int, int]
    content: str
    ids: tuple[str, ...]
    alive: bool
    where: tuple[float, float, float, float]


class NameState(NamedTuple):
    """The valid word of a name, and its last word that was not a deletion (None: there is none)."""

    word: Word
    alive: Word | None

    def followed_by(self, word: Word) -> "NameState":
        """Return the state after one more version. The order of the versions does not matter."""
        alive = self.alive
        if word.alive and (alive is None or newness(word) < newness(alive)):
            alive = word
        return NameState(min(self.word, word, key=newness), alive)

    @property
    def where(self) -> tuple[float, float, float, float]:
        """Return the last known position of the event."""
        if not math.isnan(self.word.where[0]) or self.alive is None:
            return self.word.where
        return self.alive.where


def state_of(word: Word) -> NameState:
    """Return the state after a name's first version."""
    return NameState(word, word if word.alive else None)


def newness(word: Word) -> tuple[int, int, int, str, str]:
    """Return the sort key that puts the newest first, as the schema's macros do."""
    stamp, known, read = word.order
    return (-stamp, -known, -read, word.name, word.content)


def same_events(names: Mapping[str, NameState]) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Return (name -> the name whose word is valid for its event, refused claims as (who claims, what)) of these names."""
    line = sorted((held.word for held in names.values()), key=newness)
    place = {word.name: number for number, word in enumerate(line)}
    parent: dict[str, str] = {}
    listed_by: dict[str, list[str]] = {}
    refused = []
    for number, word in enumerate(line):
        held = names[word.name]
        where = held.where
        for other in _claimed(held):
            if other not in place:
                newer = [name for name in listed_by.get(other, ()) if word.name not in parent and _one_quake(names[name], held)]
                if newer:
                    parent[word.name] = newer[0]
                listed_by.setdefault(other, []).append(word.name)
            elif place[other] > number and other not in parent and not _survives(held, names[other]):
                if not _near(where, names[other].where, FARTHEST_KM, FARTHEST_S, FARTHEST_MAGNITUDE):
                    refused.append((word.name, other))
                    continue
                parent[other] = word.name
                where = names[other].where if math.isnan(where[0]) else where
    return {name: _root(name, parent) for name in names}, refused


def _root(name: str, parent: Mapping[str, str]) -> str:
    while name in parent:
        name = parent[name]
    return name


def _claimed(held: NameState) -> Iterable[str]:
    """Return the other ids that the word lists. A deletion includes the ids that the event had."""
    ids = dict.fromkeys(held.word.ids)
    if not held.word.alive and held.alive is not None:
        ids |= dict.fromkeys(held.alive.ids)
    ids.pop(held.word.name, None)
    return ids


def _survives(deleted: NameState, other: NameState) -> bool:
    """Return whether `other` is alive although `deleted` names it: it had taken that name over before it was deleted."""
    if deleted.word.alive or not other.word.alive or deleted.word.name not in other.word.ids:
        return False
    return deleted.alive is None or newness(other.word) < newness(deleted.alive)


def _one_quake(one: NameState, other: NameState) -> bool:
    placed = not math.isnan(one.where[0]) and not math.isnan(other.where[0])
    return placed and one.word.alive and other.word.alive and _near(one.where, other.where, SAME_KM, SAME_S, FARTHEST_MAGNITUDE)


def _near(one: tuple[float, ...], other: tuple[float, ...], most_km: float, most_s: float, most_magnitude: float) -> bool:
    """Return whether two positions are near enough to be one event. Unknown values do not count as too far."""
    if abs(one[0] - other[0]) > most_s or abs(one[3] - other[3]) > most_magnitude:
        return False
    south, north = math.radians(one[1]), math.radians(other[1])
    east = math.radians(other[2] - one[2])
    part = math.sin((north - south) / 2) ** 2 + math.cos(south) * math.cos(north) * math.sin(east / 2) ** 2
    return not 2 * _EARTH_KM * math.asin(min(1.0, math.sqrt(part))) > most_km if not math.isnan(part) else True
