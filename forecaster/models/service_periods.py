"""The service periods of the pre-trained sets that this installation has trained: which set serves on which target days, besides
the sets of the package.

Service periods are decided in the store (`pipeline.pretraining.trained_sets`). Every process copies them here when it opens the store, so
that the lookup in `pretrained` needs no database. A period begins after the day of the decision and ends with the day on which the decision
is revoked. So the set that serves a day does not depend on later decisions, and a past day is forecast again with the set that served it.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path


@dataclass(frozen=True)
class ServicePeriod:
    """The service period of a set: the target days first_day..last_day (None: it goes on). folder: of its files; sha256:
    `Pretrained.sha256`.
    """

    kind: str
    data_until: date
    folder: Path
    sha256: str
    first_day: date
    last_day: date | None = None

    def on(self, day: date) -> bool:
        """Whether the set serves the target `day`."""
        return self.first_day <= day and (self.last_day is None or day <= self.last_day)


_noted: tuple[ServicePeriod, ...] = ()


def note(periods: Iterable[ServicePeriod]) -> None:
    """Set the service periods that apply in this process from now on, in all its threads."""
    global _noted
    _noted = tuple(periods)


def all_periods() -> tuple[ServicePeriod, ...]:
    """The service periods that apply."""
    return _noted


def on_day(kind: str, day: date) -> list[ServicePeriod]:
    """The service periods of this kind that include the target `day`; the one with the newest data comes first."""
    return sorted(
        (period for period in _noted if period.kind == kind and period.on(day)), key=lambda period: period.data_until, reverse=True
    )


@contextmanager
def packaged_only() -> Iterator[None]:
    """Use only the package's sets within the block. An evaluation must not depend on the installation."""
    kept = _noted
    note(())
    try:
        yield
    finally:
        note(kept)
