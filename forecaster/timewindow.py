"""Days, zones and half-open windows. Everything that leaves this module is aware UTC.

A local day is the civil day of a recipe's time zone: 23 to 25 hours long where clocks change. This module never reads a clock.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

import numpy as np

from forecaster.errors import BadDate

FIRST_DAY = date(1973, 1, 1)
FARTHEST_AHEAD_DAYS = 7
DAY_US = 86_400_000_000


@dataclass(frozen=True, order=True)
class TimeWindow:
    """[start, end), both aware UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for name, value in (("start", self.start), ("end", self.end)):
            require_utc(value, name)
        if self.end <= self.start:
            raise BadDate(f"the window ends ({self.end:%Y-%m-%d %H:%M}Z) at or before its start ({self.start:%Y-%m-%d %H:%M}Z)")


def require_utc(value: datetime, name: str) -> datetime:
    """`value` itself, if it is aware and in UTC; a naive or foreign time is our own bug and raises ValueError."""
    if value.tzinfo is None or value.utcoffset() != timedelta(0):
        raise ValueError(f"{name} must be an aware UTC time, got {value!r}")
    return value


def local_midnight(day: date, zone: ZoneInfo) -> datetime:
    """The instant (UTC) at which the local `day` begins; where a clock change skips midnight, the change itself."""
    return datetime.combine(day, time(0), tzinfo=zone).astimezone(UTC)


def local_midnights_us(first_day: date, count: int, zone: ZoneInfo) -> np.ndarray:
    """int64 (count,): microseconds since the epoch of `count` local midnights from `first_day` on."""
    return local_times_us(first_day, count, zone, time(0))


def local_times_us(first_day: date, count: int, zone: ZoneInfo, at: time) -> np.ndarray:
    """int64 (count,): the instants of the local time `at` on `count` days from `first_day` on."""
    if count <= 0:
        return np.empty(0, dtype=np.int64)
    last_year = (first_day + timedelta(days=count - 1)).year
    line = np.concatenate([_year_of_times_us(year, zone, at) for year in range(first_day.year, last_year + 1)])
    start = (first_day - date(first_day.year, 1, 1)).days
    return line[start : start + count]


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """The IANA time zones of this machine. Kept: to list them takes milliseconds, and every recipe asks."""
    return frozenset(available_timezones())


@lru_cache(maxsize=4096)
def _year_of_times_us(year: int, zone: ZoneInfo, at: time) -> np.ndarray:
    offsets = [
        datetime.combine(day, at, tzinfo=zone).utcoffset() or timedelta(0) for day in days_between(date(year, 1, 1), date(year, 12, 31))
    ]
    in_us = {offset: offset // timedelta(microseconds=1) for offset in set(offsets)}
    first = to_us(datetime.combine(date(year, 1, 1), at, tzinfo=UTC))
    line = first + np.arange(len(offsets)) * DAY_US - np.array([in_us[offset] for offset in offsets], dtype=np.int64)
    line.flags.writeable = False
    return line


def target_window(day: date, zone: ZoneInfo, range_days: int = 1) -> TimeWindow:
    """The `range_days` local days from `day` on."""
    return TimeWindow(local_midnight(day, zone), local_midnight(day + timedelta(days=range_days), zone))


def issue_time(day: date, zone: ZoneInfo, issue_local_time: time) -> datetime:
    """When the forecast for the local `day` is due: `issue_local_time` of the day before (UTC)."""
    return datetime.combine(day - timedelta(days=1), issue_local_time, tzinfo=zone).astimezone(UTC)


def local_day(moment: datetime, zone: ZoneInfo) -> date:
    """The local day that holds `moment` (aware UTC)."""
    return require_utc(moment, "moment").astimezone(zone).date()


def next_local_day(moment: datetime, zone: ZoneInfo) -> date:
    """The local day after the one that holds `moment`."""
    return local_day(moment, zone) + timedelta(days=1)


def parse_day(text: str) -> date:
    """A day as YYYY-MM-DD (or YYYYMMDD).

    Raises:
        BadDate: with the form that is wanted.
    """
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise BadDate(f"target date {text!r} is not a day; write it as YYYY-MM-DD, for example 2024-01-03") from None


def day_exists(day: date, zone: ZoneInfo) -> bool:
    """Whether the local day has any time: Samoa, for one, left out 2011-12-30 when it changed sides of the date line."""
    return local_midnight(day, zone) < local_midnight(day + timedelta(days=1), zone)


def check_target_day(day: date, zone: ZoneInfo, now: datetime) -> date:
    """`day` itself, if a forecast for it makes sense at `now`.

    Raises:
        BadDate: before the catalogue's first day, more than FARTHEST_AHEAD_DAYS ahead, or left out by the zone's clocks.
    """
    if day <= FIRST_DAY:
        raise BadDate(f"target date {day} lies before the data, which begin on {FIRST_DAY}; choose a later day")
    last = local_day(now, zone) + timedelta(days=FARTHEST_AHEAD_DAYS)
    if day > last:
        raise BadDate(
            f"target date {day} lies too far ahead: at most {FARTHEST_AHEAD_DAYS} days, to {last} ({zone.key}); choose an earlier day"
        )
    if not day_exists(day, zone):
        raise BadDate(f"target date {day} does not exist in {zone.key}, whose clocks left it out; choose another day")
    return day


def to_us(moment: datetime) -> int:
    """Microseconds since the epoch of an aware time, exactly."""
    return (require_utc(moment.astimezone(UTC), "moment") - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def from_us(value: int) -> datetime:
    """The aware UTC time of microseconds since the epoch."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(value))


def days_between(first: date, last: date) -> Iterable[date]:
    """Every day from `first` to `last`, both included."""
    return (first + timedelta(days=i) for i in range((last - first).days + 1))
