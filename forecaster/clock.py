"""Time as an argument: the clock of a run, and the mode of a forecast that follows from it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from forecaster.timewindow import TimeWindow, require_utc


@dataclass(frozen=True)
class Clock:
    """`read` gives the time (aware UTC). `simulated` is true for every clock but the machine's."""

    read: Callable[[], datetime]
    simulated: bool

    def now(self) -> datetime:
        """The time that the run goes by."""
        return require_utc(self.read(), "the clock's time")

    def observed_now(self) -> datetime:
        """The machine's time, also under a simulated clock: what is read is stamped by it, whatever day is replayed."""
        return datetime.now(UTC) if self.simulated else self.now()

    @staticmethod
    def standing_at(moment: datetime) -> "Clock":
        """A simulated clock that stands still."""
        return Clock(lambda: require_utc(moment, "moment"), simulated=True)


def forecast_mode(clock: Clock, target: TimeWindow) -> str:
    """Return the mode of a forecast written now: `replay` under a simulated clock, else `prospective`, `late` or `hindcast` by its time of
    writing."""
    if clock.simulated:
        return "replay"
    written_at = clock.now()
    if written_at < target.start:
        return "prospective"
    return "late" if written_at < target.end else "hindcast"
