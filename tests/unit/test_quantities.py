"""Counts and ages as people say them; each expected text is the span divided by hand."""

from datetime import timedelta

import pytest

from forecaster.quantities import age_text, counted


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(seconds=20), "0 minutes"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(minutes=89), "89 minutes"),
        (timedelta(hours=25), "25 hours"),
        (timedelta(hours=47.9), "48 hours"),
        (timedelta(days=2), "2 days"),
        (timedelta(days=59), "59 days"),
        (timedelta(days=61), "2 months"),
        (timedelta(hours=16_717), "23 months"),  # 696.5 days of 30.44 to a month
        (timedelta(hours=25_465), "3 years"),  # 1061 days of 365.25 to a year
    ],
)
def test_an_age_has_the_unit_that_people_use(span: timedelta, said: str) -> None:
    assert age_text(span) == said


def test_one_is_singular() -> None:
    assert [counted(count, "forecast") for count in (0, 1, 2, 12_345)] == ["0 forecasts", "1 forecast", "2 forecasts", "12,345 forecasts"]
