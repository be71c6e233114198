"""Write days and times, either by a language's [date] texts and its names of time zones, or, without a language, in ISO form."""

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from forecaster.reports.locales import country_text, zone_text
from forecaster.reports.numbers_as_text import local_text, utc_text

NEAR = re.compile(r"(?P<km>\d+) km (?P<direction>[NESW]{1,3}) of (?P<town>[^,]+)(?:, (?P<country>.+))?")
COMPASS = ["N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW"]


class Writer(Protocol):
    """The interface of writers of days, times and places. Calling a writer writes a day."""

    def __call__(self, day: date) -> str: ...

    def short(self, day: date) -> str:
        """Return the day without its year, for use within a sentence."""

    def moment(self, at: datetime | None) -> str | None:
        """Return a time in the zone of the language's readers, with the zone's name; None for None."""

    def local(self, at: datetime, zone: ZoneInfo) -> str:
        """Return day and time at a place; the zone is named elsewhere."""

    def zone(self, zone: ZoneInfo) -> str:
        """Return the name of a place's time zone."""

    def place(self, text: str | None) -> str | None:
        """Translate USGS's English description of a location; text of any other form is returned unchanged."""


class IsoWriter:
    """A writer of ISO forms: 2024-01-02, 2024-01-02 12:04 UTC, Asia/Tokyo."""

    def __call__(self, day: date) -> str:
        return day.isoformat()

    def short(self, day: date) -> str:
        return day.isoformat()

    def moment(self, at: datetime | None) -> str | None:
        return utc_text(at)

    def local(self, at: datetime, zone: ZoneInfo) -> str:
        return local_text(at, zone)

    def zone(self, zone: ZoneInfo) -> str:
        return zone.key

    def place(self, text: str | None) -> str | None:
        return text


class LanguageWriter:
    """A writer that follows the [date] texts of a language.

    It writes days in ISO form where the language's names of days and months are not 7 and 12.
    """

    def __init__(self, language: str, say: Callable[..., str]) -> None:
        self.language, self.say = language, say
        self._days: dict[tuple[str, date], str] = {}
        self.weekdays, self.months = say("date.weekdays").split(), say("date.months").split()
        try:
            self.readers_zone = ZoneInfo(say("date.zone"))
        except (ZoneInfoNotFoundError, ValueError):
            self.readers_zone = ZoneInfo("UTC")

    def __call__(self, day: date) -> str:
        return self._day("date.day", day)

    def short(self, day: date) -> str:
        return self._day("date.short", day)

    def moment(self, at: datetime | None) -> str | None:
        if at is None:
            return None
        return self.say("date.moment", time=self.local(at, self.readers_zone), zone=self.zone(self.readers_zone))

    def local(self, at: datetime, zone: ZoneInfo) -> str:
        there = at.astimezone(zone)
        return self.say("date.time", day=self._day("date.plain", there.date()), time=f"{there:%H:%M}")

    def zone(self, zone: ZoneInfo) -> str:
        return zone_text(zone.key, self.language)

    def place(self, text: str | None) -> str | None:
        found = NEAR.fullmatch(text or "")
        directions = self.say("events.directions").split()
        if found is None or found["direction"] not in COMPASS or len(directions) != len(COMPASS):
            return text
        where = {"km": found["km"], "town": found["town"], "direction": directions[COMPASS.index(found["direction"])]}
        if found["country"] is None:
            return self.say("events.near", **where)
        country = country_text(found["country"], self.language) or found["country"]
        return self.say("events.near_country", **where, country=country)

    def _day(self, key: str, day: date) -> str:
        if (text := self._days.get((key, day))) is None:
            text = self._days[key, day] = self._written_day(key, day)
        return text

    def _written_day(self, key: str, day: date) -> str:
        if (len(self.weekdays), len(self.months)) != (7, 12):
            return day.isoformat()
        weekday, month = self.weekdays[day.weekday()], self.months[day.month - 1]
        return self.say(key, weekday=weekday, day=str(day.day), month=month, year=str(day.year))


ISO = IsoWriter()
