"""Language rules from the Unicode CLDR (by Babel): plurals, numbers, names of time zones and countries. Pure.

A language that the CLDR does not know (from a user's own i18n file) uses the rules of English.
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
    """Return the locale of a language by the code in its i18n file's name."""
    try:
        return Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale.parse(RULES_OF)


@functools.lru_cache(maxsize=4096)
def number_text(value: int, language: str) -> str:
    """Return a whole number with its digits grouped as in the language: 12345 -> "12,345"."""
    return format_decimal(value, locale=locale_of(language))


def plural_of(value: float, language: str) -> str:
    """Return the language's plural form for a count: zero, one, two, few, many or other."""
    return str(locale_of(language).plural_form(value))


@functools.cache
def month_text(first: date, language: str) -> str:
    """Return a month in the language: "February 2024", 2024年2月."""
    return format_skeleton("yMMMM", first, locale=locale_of(language))


@functools.cache
def zone_text(zone: str, language: str) -> str:
    """Return the language's name of a time zone: "Japan Time", 日本時間; the IANA name where it has none."""
    return zone if zone.startswith(NAMELESS) else get_timezone_name(ZoneInfo(zone), locale=locale_of(language))


@functools.cache
def country_text(english: str, language: str) -> str | None:
    """Return a country's name in the language, given its English name; None where no country has that name."""
    code = _codes().get(english.casefold())
    return None if code is None else locale_of(language).territories.get(code)


def territory_text(code: str, language: str) -> str:
    """Return the name in the language of the country with this ISO 3166 code, else its English name, else the code."""
    return str(locale_of(language).territories.get(code) or locale_of(RULES_OF).territories.get(code, code))


@functools.cache
def _codes() -> dict[str, str]:
    return {name.casefold(): code for code, name in locale_of(RULES_OF).territories.items() if len(code) == 2}
