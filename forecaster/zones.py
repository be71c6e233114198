"""Time zones of places, from boundaries and tables that are installed with the program. Nothing is looked up elsewhere."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

UTC_ZONE = ZoneInfo("UTC")
AT_SEA = "Etc/"
_HALF_YEARS = (datetime(2025, 1, 15, 12, tzinfo=UTC), datetime(2025, 7, 15, 12, tzinfo=UTC))
_DAY = timedelta(days=1)


def zone_at(latitude_deg: float, longitude_deg: float) -> str:
    """Return the IANA time zone of a place; at sea a zone of whole hours such as Etc/GMT-9, which is nine hours ahead of UTC."""
    return str(_finder().timezone_at(lat=latitude_deg, lng=longitude_deg))


def country_of(zone: str) -> str | None:
    """Return the country of an IANA time zone in English, such as Italy for Europe/Rome; None at sea, and for zones of no single
    country."""
    code = country_code_of(zone)
    return None if code is None else _countries().get(code, code)


def country_code_of(zone: str) -> str | None:
    """Return the ISO 3166 code of the country of an IANA time zone, such as IT for Europe/Rome; None as for `country_of`."""
    return _codes().get(zone)


def hours_apart(zone: str, other: str) -> float:
    """Return the difference between the clocks of two zones in hours, the larger one of a moment in January and one in July.

    A difference of a whole day counts as zero: on both sides of the date line the day begins at the same moment.
    """
    return max(_apart(ZoneInfo(zone), ZoneInfo(other), moment) for moment in _HALF_YEARS) / timedelta(hours=1)


def _apart(zone: ZoneInfo, other: ZoneInfo, moment: datetime) -> timedelta:
    first, second = (moment.astimezone(each).utcoffset() or timedelta() for each in (zone, other))
    apart = abs(first - second) % _DAY
    return min(apart, _DAY - apart)


def _table(name: str) -> list[list[str]]:
    text = resources.files("tzdata").joinpath("zoneinfo", name).read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]


@lru_cache(maxsize=1)
def _codes() -> dict[str, str]:
    return {row[2]: row[0] for row in _table("zone.tab")}


@lru_cache(maxsize=1)
def _countries() -> dict[str, str]:
    return {row[0]: row[1] for row in _table("iso3166.tab")}


@lru_cache(maxsize=1)
def _finder() -> Any:
    from timezonefinder import TimezoneFinder

    return TimezoneFinder()
