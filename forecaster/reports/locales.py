"""A language's own rules, from the Unicode CLDR by Babel: plural, numbers, names of time zones and countries. Pure.

A language that the CLDR does not know (of a user's own i18n file) has the rules of English.
"""

import functools
from datetime import date
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_skeleton, get_timezone_name
from babel.numbers import format_decimal

RULES_OF = "en"
NAMELESS = ("Etc/", "UTC", "GMT")  # zones that are an offset, not a place


@functools.cache
def locale_of(language: str) -> Locale:
    """The rules of a language by its code in an i18n file's name."""
    try:
        return Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale.parse(RULES_OF)


@functools.lru_cache(maxsize=4096)
def number_text(value: int, language: str) -> str:
    """12345 -> "12,345", or as the language groups digits."""
    return format_decimal(value, locale=locale_of(language))


def plural_of(value: float, language: str) -> str:
    """Which of the language's forms a count takes: zero, one, two, few, many or other."""
    return str(locale_of(language).plural_form(value))


@functools.cache
def month_text(first: date, language: str) -> str:
    """ "February 2024", 2024年2月."""
    return format_skeleton("yMMMM", first, locale=locale_of(language))


@functools.cache
def zone_text(zone: str, language: str) -> str:
    """What the language calls the time of a zone: "Japan Time", 日本時間; the IANA name where it has no name."""
    return zone if zone.startswith(NAMELESS) else get_timezone_name(ZoneInfo(zone), locale=locale_of(language))


@functools.cache
def country_text(english: str, language: str) -> str | None:
    """A country's name in the language, by its English name; None where there is no country of that name."""
    code = _codes().get(english.casefold())
    return None if code is None else locale_of(language).territories.get(code)


@functools.cache
def _codes() -> dict[str, str]:
    return {name.casefold(): code for code, name in locale_of(RULES_OF).territories.items() if len(code) == 2}
