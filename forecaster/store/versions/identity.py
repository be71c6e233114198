"""Which event a version belongs to, and whether it adds information: the stored ids that occur in an answer, and what follows from them.

A key identifies an event. Names join a key one by one and leave it all together: where an event is split, every part gets a key of its own.
This lets `event_versions` give each version one span for each key. `same_event` decides which names are one event.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import pandas as pd

from forecaster.store.database import Connection
from forecaster.store.engine import append, frame_as
from forecaster.store.versions.plain_versions import find_plain, store_plain, take_out
from forecaster.store.versions.same_event import NameState, Word, newness, same_events, state_of

WORD = (
    "event_id, epoch_us(ordered_at), epoch_us(known_at), epoch_us(observed_at), content_md5, ids, status <> 'deleted', "
    "coalesce(epoch_us(origin_time) / 1e6, 'nan'), coalesce(latitude_deg, 'nan'), coalesce(longitude_deg, 'nan'), "
    "coalesce(magnitude, 'nan')"
)
_NOT_PLAIN = "line NOT IN (SELECT line FROM plain)"


@dataclass
class Identities:
    """The stored identities of the names in an answer, updated row by row with `take`."""

    held: dict[str, NameState] = field(default_factory=dict)
    born: dict[str, str] = field(default_factory=dict)  # name -> the key under which its versions are stored
    key: dict[str, str] = field(default_factory=dict)  # any id -> the present key of its event
    members: dict[str, set[str]] = field(default_factory=dict)  # key -> the names in it
    moved: dict[str, int] = field(default_factory=dict)  # name or key -> when it last moved
    used: set[str] = field(default_factory=set)  # keys that were ever given
    contents: set[tuple[str, str]] = field(default_factory=set)  # (name, content) that are stored
    read: set[tuple[str, str, int]] = field(default_factory=set)  # the same, and when each was known
    moves: list[tuple[str, str, int]] = field(default_factory=list)  # to be stored: from, to, known_at
    changed: set[str] = field(default_factory=set)  # ids whose key has changed
    refused: set[tuple[str, str]] = field(default_factory=set)
    merged: int = 0
    parted: int = 0

    def take(self, words: list[Word], overruling: bool) -> list[Word | None]:
        """Return the versions of one moment as they are to be stored; None for those that add nothing new.

        A version that repeats earlier content is new where another version has been valid meanwhile and no later stamp supports that one.
        With `overruling` a version is valid from now on, whatever its stamp.
        """
        kept = [self._heard(word, overruling) for word in words]
        fresh = [word for word in kept if word is not None]
        if any(not self._settled(word) for word in fresh):
            self._regroup(fresh)
        for word in fresh:
            held = self.held.get(word.name)
            self.held[word.name] = state_of(word) if held is None else held.followed_by(word)
        return kept

    def _heard(self, word: Word, overruling: bool) -> Word | None:
        held = self.held.get(word.name)
        believed = None if held is None else self._believed(word.name)
        if overruling and believed is not None and believed.content != word.content:
            word = word._replace(order=(max(word.order[0], believed.order[0]), *word.order[1:]))
        content = (word.name, word.content)
        if content in self.contents:
            again = believed is not None and believed.content != word.content and newness(word) < newness(believed)
            if not again or (*content, word.order[1]) in self.read:
                return None
        self.contents.add(content)
        self.read.add((*content, word.order[1]))
        return word

    def _believed(self, name: str) -> Word:
        """Return the version that is valid for the event of this name."""
        return min((self.held[other].word for other in self.members[self.key[name]]), key=newness)

    def _settled(self, word: Word) -> bool:
        """Return whether the version cannot change which names are one event: a lone name with the same ids as before, all its own."""
        held, key = self.held.get(word.name), self.key.get(word.name)
        if held is None or key is None or self.members[key] != {word.name}:
            return False
        return word.alive and held.word.ids == word.ids and all(self.key.get(one) == key for one in word.ids)

    def _regroup(self, words: list[Word]) -> None:
        """Join and split the events that these versions touch. Afterwards each version's name is in `key` and `members`."""
        names = {word.name for word in words}
        touched = {self.key[i] for word in words for i in word.ids if i in self.key} | {self.key[n] for n in names if n in self.key}
        around = names.union(*(self.members.get(key, set()) for key in touched))
        held = {name: self.held[name] for name in around if name in self.held}
        for word in words:
            held[word.name] = held[word.name].followed_by(word) if word.name in held else state_of(word)
        root, refused = same_events(held)
        self.refused |= {claim for claim in refused if claim[0] in names}
        parts: dict[str, set[str]] = {}
        for name in sorted(around):
            parts.setdefault(root[name], set()).add(name)
        before = {name: self.key[name] for name in around if name in self.held}
        old = {key: self.members[key] for key in set(before.values())}
        key_of: dict[str, str] = {}
        for head, part in parts.items():
            whole = sorted({before[name] for name in part if name in before and old[before[name]] <= part}, key=lambda k: (-len(old[k]), k))
            self.merged += max(0, len(whole) - 1)
            key = whole[0] if whole else self._new_key(head)
            key_of |= dict.fromkeys(part, key)
        heirs = {key: key_of[key if key in some else min(some, key=lambda name: newness(held[name].word))] for key, some in old.items()}
        self.parted += sum(len({key_of[name] for name in some}) - 1 for some in old.values())
        self._move(
            {name: key for name, key in key_of.items() if before.get(name, key) != key} | {k: h for k, h in heirs.items() if h != k},
            max(word.order[1] for word in words),
        )
        for key in old:
            del self.members[key]
        for name, key in key_of.items():
            self.members.setdefault(key, set()).add(name)
            if name not in self.born:
                self.born[name] = key
        self.changed |= {name for name in around if self.key.get(name) != key_of[name]}
        self.key |= key_of
        for alias, key in self.key.items():
            if key in heirs and alias not in key_of and heirs[key] != key:
                self.key[alias] = heirs[key]
                self.changed.add(alias)
        here, listed = set(key_of.values()), {alias for word in words for alias in word.ids}
        for name in sorted(around, key=lambda name: newness(held[name].word), reverse=True):
            for alias in held[name].word.ids:
                ours = alias in listed or self.key.get(alias) in here  # an older word may list what belongs to an event that is not at hand
                if ours and alias not in self.born and self.key.get(alias) != key_of[name]:
                    self.key[alias] = key_of[name]
                    self.changed.add(alias)

    def _new_key(self, name: str) -> str:
        key, number = name, 1
        while key in self.used:
            number += 1
            key = f"{name}~{number}"
        self.used.add(key)
        return key

    def _move(self, moves: dict[str, str], known: int) -> None:
        """Move all names at one moment, and no earlier than any of them has moved before."""
        moment = max([known, *(self.moved[one] for one in moves if one in self.moved)])
        for one, key in sorted(moves.items()):
            self.moves.append((one, key, moment))
            self.moved[one] = moment


def identify(connection: Connection, overruling: bool) -> Identities:
    """Process the versions in the temporary table `fresh`. Versions that add nothing are removed; the rest get their key and their order.

    Few versions are not plain. These are processed one by one, and so are all with `overruling`.
    """
    find_plain(connection, overruling)
    known = _load_others(connection)
    store_plain(connection)
    rows = connection.execute(f"SELECT line, updated_at IS NULL, {WORD} FROM fresh WHERE {_NOT_PLAIN} ORDER BY known_at, line").fetchall()
    if rows:
        _one_by_one(connection, known, rows, overruling)
    connection.execute("DROP TABLE listed; DROP TABLE plain")
    return known


def _load_others(connection: Connection) -> Identities:
    """Load the identities for the versions that are not plain. A version is not plain, either, whose event one of these mentions."""
    while ids := connection.execute(f"SELECT DISTINCT id FROM listed WHERE {_NOT_PLAIN}").fetchall():
        known = load_identities(connection, [one for (one,) in ids])
        words = [word for held in known.held.values() for word in (held.word, held.alive) if word is not None]
        mentioned = {one for word in words for one in word.ids} - known.key.keys()
        if not mentioned or not take_out(connection, mentioned):
            return known
    return Identities()


def _one_by_one(connection: Connection, known: Identities, rows: list[Any], overruling: bool) -> None:
    identified = []
    for _, batch in groupby(rows, key=lambda row: row[4]):
        together = list(batch)
        words = [_stamped(word_of(row[2:]), row[1], known) for row in together]
        for row, word in zip(together, known.take(words, overruling), strict=True):
            if word is not None:
                identified.append((row[0], known.born[word.name], word.order[0]))
    types = {"line": "int64", "event_key": "str", "ordered_us": "int64"}
    kept = pd.DataFrame(identified, columns=list(types)).astype(types)
    with frame_as(connection, "told", kept):
        connection.execute(
            f"DELETE FROM fresh WHERE {_NOT_PLAIN} AND line NOT IN (SELECT line FROM told); "
            "UPDATE fresh SET event_key = told.event_key, ordered_at = make_timestamptz(told.ordered_us) FROM told "
            "WHERE fresh.line = told.line"
        )


def _stamped(word: Word, unstamped: bool, known: Identities) -> Word:
    """Give a deletion without a stamp the stamp of what it deletes. The same version alive again is then new, and so is a later one."""
    if word.alive or not unstamped or word.name not in known.held:
        return word
    return word._replace(order=(known.held[word.name].word.order[0], *word.order[1:]))


def load_identities(connection: Connection, ids: Iterable[str]) -> Identities:
    """Load the stored identities of these ids and of the events that have them."""
    known = Identities()
    with frame_as(connection, "wanted", pd.DataFrame({"id": pd.Series(list(ids), dtype="str")})):
        connection.execute(
            "CREATE TEMP TABLE touched AS SELECT id, event_key FROM event_id_map WHERE event_key IN "
            "(SELECT event_key FROM event_id_map WHERE id IN (SELECT id FROM wanted))"
        )
    known.key = dict(connection.execute("SELECT id, event_key FROM touched").fetchall())
    stored = "FROM event_revision WHERE event_id IN (SELECT id FROM touched)"
    for name, key in connection.execute(f"SELECT event_id, arg_min(event_key, (known_at, rowid)) {stored} GROUP BY event_id").fetchall():
        known.born[name] = key
        known.members.setdefault(known.key[name], set()).add(name)
    rows = connection.execute(f"SELECT event_id, content_md5, epoch_us(known_at) {stored}").fetchall()
    known.read = set(rows)
    known.contents = {(name, content) for name, content, _ in rows}
    counts = (
        f"SELECT {WORD} {stored} QUALIFY row_number() OVER (PARTITION BY event_id, status = 'deleted' "
        "ORDER BY ordered_at DESC, known_at DESC, observed_at DESC, content_md5) = 1"
    )
    for row in connection.execute(counts).fetchall():
        word = word_of(row)
        held = known.held.get(word.name)
        known.held[word.name] = state_of(word) if held is None else held.followed_by(word)
    known.moved = dict(
        connection.execute(
            "SELECT from_key, epoch_us(max(known_at)) FROM event_merge "
            "WHERE from_key IN (SELECT id FROM touched UNION SELECT event_key FROM touched) GROUP BY from_key"
        ).fetchall()
    )
    known.used = {
        row[0]
        for row in connection.execute(
            "SELECT event_key FROM event_revision WHERE event_key IN (SELECT id FROM touched) "
            "UNION SELECT to_key FROM event_merge UNION SELECT event_key FROM touched"
        ).fetchall()
    }
    connection.execute("DROP TABLE touched")
    return known


def word_of(row: tuple[Any, ...]) -> Word:
    """Return the `Word` of a row of WORD."""
    name, stamp, known, read, content, ids, alive, *where = row
    return Word(name, (stamp, known, read), content, tuple(dict.fromkeys([name, *ids])), alive, tuple(where))


def store_identities(connection: Connection, known: Identities) -> None:
    """Store the moves, and the event that every id belongs to now."""
    if known.moves:
        moves: Any = pd.DataFrame(known.moves, columns=["from_key", "to_key", "known_us"])
        with frame_as(connection, "moves", moves):
            connection.execute("INSERT INTO event_merge SELECT from_key, to_key, make_timestamptz(known_us) FROM moves")
    if known.changed:
        changed = sorted(known.changed)
        append(connection, "event_id_map", pd.DataFrame({"id": changed, "event_key": [known.key[i] for i in changed]}), replace=True)
