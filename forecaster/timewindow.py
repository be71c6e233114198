"""Days, zones and half-open windows. All returned times are aware UTC.

A local day is the civil day of a recipe's time zone. It has 24 hours, mostly 23 or 25 where clocks change, and none where the zone skips a
date. Every moment lies in one day, and no issue time lies after the start of its target. This module never reads a clock.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

import numpy as np

from forecaster.errors import BadDate

FIRST_DAY = date(1973, 1, 1)
FARTHEST_AHEAD_DAYS = 7
DAY_US = 86_400_000_000
_NOTHING, _MICROSECOND = timedelta(0), timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OFFSET_STEP_DAYS = 6  # the shortest: three Brazilian zones had summer time for six days in 2000


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
    """Return `value` itself, if it is aware and in UTC. A naive time or one of another zone is our own bug and raises ValueError."""
    if value.tzinfo is None or value.utcoffset() != timedelta(0):
        raise ValueError(f"{name} must be an aware UTC time, got {value!r}")
    return value


def local_midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the instant (UTC) at which the local `day` begins: the first of two midnights, or the change itself where clocks skip
    midnight."""
    first, second = _both(day, time(0), zone)
    return _change_between(second, first, day, zone) if second < first else first


def local_time(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Return the instant (UTC) of the local time `at`: the first where it occurs twice. Where a clock change skips it, it is computed as if
    the clocks had changed before it. Prefect's schedules do the same, and it is never later than the change."""
    return min(_both(day, at, zone))


def _both(day: date, at: time, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return `at` by the offset before a clock change, and by the offset after it; the second is the earlier one where `at` is skipped."""
    moment = datetime.combine(day, at, tzinfo=zone)
    return moment.astimezone(UTC), moment.replace(fold=1).astimezone(UTC)


def _change_between(before: datetime, after: datetime, day: date, zone: ZoneInfo) -> datetime:
    """Return the clock change in (before, after] from which on it is `day`, or later. Changes are whole seconds."""
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // timedelta(seconds=2) * timedelta(seconds=1)
        before, after = (before, middle) if middle.astimezone(zone).date() >= day else (middle, after)
    return after


def local_midnights_us(first_day: date, count: int, zone: ZoneInfo) -> np.ndarray:
    """Return int64 (count,): microseconds since the epoch of `count` local midnights from `first_day` on."""
    return _line_us(first_day, count, zone, None)


def local_times_us(first_day: date, count: int, zone: ZoneInfo, at: time) -> np.ndarray:
    """Return int64 (count,): the instants of the local time `at` on `count` days from `first_day` on."""
    return _line_us(first_day, count, zone, at)


def _line_us(first_day: date, count: int, zone: ZoneInfo, at: time | None) -> np.ndarray:
    if count <= 0:
        return np.empty(0, dtype=np.int64)
    last_year = (first_day + timedelta(days=count - 1)).year
    line = np.concatenate([_year_us(year, zone, at) for year in range(first_day.year, last_year + 1)])
    start = (first_day - date(first_day.year, 1, 1)).days
    return line[start : start + count]


@lru_cache(maxsize=4096)
def _year_us(year: int, zone: ZoneInfo, at: time | None) -> np.ndarray:
    """Return `local_time` of every day of the year, or `local_midnight` where `at` is None. Days beside a clock change are computed one by
    one."""
    before = datetime.combine(date(year - 1, 12, 31), at or time(0))
    count = (date(year + 1, 1, 1) - before.date()).days + 1
    offsets_us = _offsets_us(before, count, zone)
    line = to_us(before.replace(tzinfo=UTC)) + np.arange(count) * DAY_US - offsets_us
    changes = np.flatnonzero(np.diff(offsets_us))
    for place in set(changes.tolist()) | set((changes + 1).tolist()):
        day = before.date() + timedelta(days=place)
        line[place] = to_us(local_midnight(day, zone) if at is None else local_time(day, at, zone))
    inside: np.ndarray = line[1:-1]
    inside.flags.writeable = False
    return inside


def _offsets_us(first: datetime, count: int, zone: ZoneInfo) -> np.ndarray:
    """Return int64 (count,): the zone's offset at the local time `first` and at the same time of the days after it.

    Only every OFFSET_STEP_DAYS-th is asked for, and those between two that differ. No zone has changed its clock back within so few days.
    """

    def of(places: Iterable[int]) -> np.ndarray:
        found = [(zone.utcoffset(first + timedelta(days=place)) or _NOTHING) // _MICROSECOND for place in places]
        return np.array(found, dtype=np.int64)

    ends = [*range(0, count - 1, OFFSET_STEP_DAYS), count - 1]
    asked = of(ends)
    found = np.repeat(asked, np.diff([*ends, count]))
    for number in np.flatnonzero(np.diff(asked)).tolist():
        found[ends[number] + 1 : ends[number + 1]] = of(range(ends[number] + 1, ends[number + 1]))
    return found


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Return the IANA time zones of this machine. They are cached: to list them takes milliseconds, and every recipe needs them."""
    return frozenset(available_timezones())


NO_PLACE = {"localtime", "posixrules", "Factory", "Etc/Unknown"}
"""Names that mean whatever the machine is set to, or nothing at all."""

PLACE_OF = {
    "EST": "America/Panama",
    "MST": "America/Phoenix",
    "HST": "Pacific/Honolulu",
    "EST5EDT": "America/New_York",
    "CST6CDT": "America/Chicago",
    "MST7MDT": "America/Denver",
    "PST8PDT": "America/Los_Angeles",
    "WET": "Europe/Lisbon",
    "CET": "Europe/Brussels",
    "MET": "Europe/Brussels",
    "EET": "Europe/Athens",
}
"""Names of hours without a place, and the place that the tz database has put in their stead since 2024b: before, their days were others."""


def check_zone_name(name: str) -> str:
    """Return `name` itself, if it is an IANA time zone that has the same days on every machine.

    Raises:
        ValueError: it is not such a zone; the message says what to write instead.
    """
    if name in NO_PLACE or name.startswith(("posix/", "right/", "SystemV/")):
        raise ValueError("names no place, so its days would differ from machine to machine; write an IANA time zone such as Asia/Tokyo")
    if name in PLACE_OF:
        raise ValueError(f"names no place, and its days have changed with releases of the tz database; write {PLACE_OF[name]}, for example")
    if name not in zone_names():
        lower = {known.lower(): known for known in zone_names() - NO_PLACE - PLACE_OF.keys()}
        close = get_close_matches(name.lower(), lower, n=1, cutoff=0.75)
        raise ValueError(f"must be an IANA time zone such as {lower[close[0]] + ' (did you mean that?)' if close else 'Asia/Tokyo'}")
    return name


def target_window(day: date, zone: ZoneInfo, range_days: int = 1) -> TimeWindow:
    """Return the `range_days` local days from `day` on."""
    return TimeWindow(local_midnight(day, zone), local_midnight(day + timedelta(days=range_days), zone))


def issue_time(day: date, zone: ZoneInfo, issue_local_time: time) -> datetime:
    """Return when the forecast for the local `day` is due: `issue_local_time` of the day before (UTC), never after the day's start."""
    return local_time(day - timedelta(days=1), issue_local_time, zone)


def local_day(moment: datetime, zone: ZoneInfo) -> date:
    """Return the local day that contains `moment` (aware UTC). This is the calendar's date, except where clocks go back over midnight:
    there the day continues."""
    day = require_utc(moment, "moment").astimezone(zone).date()
    while moment < local_midnight(day, zone):
        day -= timedelta(days=1)
    while moment >= local_midnight(day + timedelta(days=1), zone):
        day += timedelta(days=1)
    return day


def next_local_day(moment: datetime, zone: ZoneInfo) -> date:
    """Return the local day after the one that contains `moment`. A date that the zone skips is not a day."""
    day = local_day(moment, zone) + timedelta(days=1)
    while not day_exists(day, zone):
        day += timedelta(days=1)
    return day


def day_of_window(start: datetime, zone: ZoneInfo) -> date:
    """Return the local day of a stored window that starts at `start` (aware).

    The day is looked up half a day after the start: the zone's rules may have changed since, and a stored window stays as it was.
    """
    if start.tzinfo is None:
        raise ValueError(f"start must be an aware time, got {start!r}")
    return local_day(from_us(to_us(start)) + timedelta(hours=12), zone)


def days_of_windows(starts: Iterable[datetime], zone: ZoneInfo) -> np.ndarray:
    """Return datetime64[D] (n,): `day_of_window` of each."""
    return days_of_windows_us(np.fromiter((to_us(start) for start in starts), dtype=np.int64), zone)


def days_of_windows_us(starts_us: np.ndarray, zone: ZoneInfo) -> np.ndarray:
    """Return the same for starts in microseconds since the epoch, int64 (n,)."""
    if not len(starts_us):
        return np.empty(0, dtype="datetime64[D]")
    first, last = (from_us(starts_us[at]).date() for at in (starts_us.argmin(), starts_us.argmax()))
    first -= timedelta(days=2)
    midnights_us = local_midnights_us(first, (last - first).days + 4, zone)
    return np.datetime64(first, "D") + np.searchsorted(midnights_us, starts_us + DAY_US // 2, side="right") - 1


def parse_day(text: str) -> date:
    """Parse a day given as YYYY-MM-DD (or YYYYMMDD).

    Raises:
        BadDate: the message names the expected form.
    """
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise BadDate(f"target date {text!r} is not a day; write it as YYYY-MM-DD, for example 2024-01-03") from None


def day_exists(day: date, zone: ZoneInfo) -> bool:
    """Return whether the local day has any time. Samoa, for one, skipped 2011-12-30 when it changed sides of the date line."""
    return local_midnight(day, zone) < local_midnight(day + timedelta(days=1), zone)


def check_target_day(day: date, zone: ZoneInfo, now: datetime) -> date:
    """Return `day` itself, if a forecast for it is possible at `now`.

    Raises:
        BadDate: before the catalogue's first day, more than FARTHEST_AHEAD_DAYS ahead, or skipped by the zone.
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
    """Return microseconds since the epoch of an aware time, exactly.

    Raises:
        TypeError: the time is naive. ValueError: it is pandas' NaT, which would become a float NaN.
    """
    return int((moment - _EPOCH) // _MICROSECOND)


def from_us(value: int) -> datetime:
    """Return the aware UTC time of microseconds since the epoch."""
    return _EPOCH + timedelta(microseconds=int(value))


def days_between(first: date, last: date) -> Iterable[date]:
    """Return every day from `first` to `last`, both included."""
    return (first + timedelta(days=i) for i in range((last - first).days + 1))
