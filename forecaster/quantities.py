"""Counts and spans of time as English text, for the terminal, logs and reasons. Reports have their own texts in each language."""

from datetime import timedelta

DAY, MONTH, YEAR = timedelta(days=1), timedelta(days=365.25 / 12), timedelta(days=365.25)


def counted(count: int, noun: str) -> str:
    """Return "1 forecast", "2 forecasts", "12,345 rows"; for nouns that take an s."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def age_of(span: timedelta) -> tuple[int, str]:
    """Return (number, unit): minutes below 90 minutes, hours below 2 days, days below 60, months below 2 years, then years."""
    if span < timedelta(minutes=90):
        return round(span / timedelta(minutes=1)), "minutes"
    if span < 2 * DAY:
        return round(span / timedelta(hours=1)), "hours"
    if span < 60 * DAY:
        return round(span / DAY), "days"
    return (round(span / MONTH), "months") if span < 2 * YEAR else (round(span / YEAR), "years")


def age_text(span: timedelta) -> str:
    """Return "25 hours", "23 months", "1 minute"."""
    count, unit = age_of(span)
    return counted(count, unit.removesuffix("s"))
