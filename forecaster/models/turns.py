"""Which sets that this installation has trained serve, and on which days: their turns, beside what comes with the package.

Turns are decided in the store (`pipeline.world_sets`), and every process notes them here when it opens the store, so that the lookup in
`pretrained` needs no database, wherever a forecast is made. A turn begins after the day of its decision and ends with the day on which it
is taken back: what serves a day does not depend on later decisions, and a past day is forecast again by what served it.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path


@dataclass(frozen=True)
class Turn:
    """A set's turn: the target days first_day..last_day (None: it goes on). folder: where its files lie; sha256: `Pretrained.sha256`."""

    kind: str
    data_until: date
    folder: Path
    sha256: str
    first_day: date
    last_day: date | None = None

    def on(self, day: date) -> bool:
        """Whether it is its turn on the target `day`."""
        return self.first_day <= day and (self.last_day is None or day <= self.last_day)


_noted: tuple[Turn, ...] = ()


def note(turns: Iterable[Turn]) -> None:
    """Let these be the turns that count in this process from now on, in all its threads."""
    global _noted
    _noted = tuple(turns)


def all_turns() -> tuple[Turn, ...]:
    """The turns that count."""
    return _noted


def on_day(kind: str, day: date) -> list[Turn]:
    """The turns of this kind on the target `day`, that of the newest data first."""
    return sorted((turn for turn in _noted if turn.kind == kind and turn.on(day)), key=lambda turn: turn.data_until, reverse=True)


@contextmanager
def packaged_only() -> Iterator[None]:
    """Let nothing but the package's sets count as long as the block lasts: an evaluation must not depend on the installation."""
    kept = _noted
    note(())
    try:
        yield
    finally:
        note(kept)
