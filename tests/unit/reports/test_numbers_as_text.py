"""Numbers as people read them. Expected texts follow SCIENCE.md's wording: two figures, "about 1 in N" at or below 1 %, never 0."""

import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecaster.reports import numbers_as_text
from forecaster.reports.texts import translator


@pytest.mark.parametrize(
    ("probability", "key", "values"),
    [
        (0.031, "number.percent", {"percent": "3.1"}),
        (0.124, "number.percent", {"percent": "12"}),
        (0.0996, "number.percent", {"percent": "10"}),  # not "10.0" beside "9.9"
        (0.0101, "number.percent", {"percent": "1.0"}),
        (0.01, "number.one_in", {"n": 100}),
        (0.0061, "number.one_in", {"n": 200}),  # 1 / 0.0061 = 164
        (0.00003, "number.one_in", {"n": 30_000}),  # 1 / 0.00003 = 33,333
        (0.0, "number.rarer_than", {"n": 1_000_000}),
        (0.99, "number.percent", {"percent": "99"}),
        (0.9901, "number.percent", {"percent": "> 99"}),  # one rule above 99 %, never 100
        (1.0, "number.percent", {"percent": "> 99"}),
        (None, "number.unknown", {}),
        (math.nan, "number.unknown", {}),
        (1.2, "number.unknown", {}),  # no probability: a wrong number is worse than none
        (-0.1, "number.unknown", {}),
    ],
)
def test_a_probability_in_words(probability: float | None, key: str, values: dict[str, object]) -> None:
    phrase = numbers_as_text.probability_phrase(probability)
    assert (phrase.key, phrase.values) == (key, values)


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ((0.4, 0.0073), ("40 %", "0.7 %")),
        ((0.0099, 0.013), ("1 %", "1.3 %")),
        ((0.0004, 0.012), ("0.04 %", "1.2 %")),
        ((0.02, 1e-7), ("2.0 %", "less than 1 in 1,000,000")),
        ((0.009, 0.005), ("about 1 in 100", "about 1 in 200")),
        ((0.009, None), ("about 1 in 100", "not known")),
    ],
)
def test_a_chance_and_what_it_is_compared_with_have_one_notation(pair: tuple, said: tuple) -> None:
    say = translator("en")
    assert tuple(map(say, numbers_as_text.probability_pair(*pair))) == said


@given(st.floats(0, 1))
def test_no_probability_reads_as_impossible_or_certain(probability: float) -> None:
    values = numbers_as_text.probability_phrase(probability).values
    shown = float(values["percent"].removeprefix("> ")) if "percent" in values else 100 / values["n"]
    assert 0 < shown <= 99 and (probability <= 0.99 or values["percent"] == "> 99")


@pytest.mark.parametrize(
    ("ratio", "text", "level"),
    [
        (3.14, "3.1", 3),
        (12.4, "12", 4),
        (9.96, "10", 4),
        (0.84, "0.8", 1),
        (0.79, "0.8", 0),
        (0.034, "0.03", 0),
        (0.0, "0.01", 0),
        (2.0, "2.0", 3),
        (1.25, "1.2", 2),
        (None, "–", None),
    ],
)
def test_ratio_and_its_level(ratio: float | None, text: str, level: int | None) -> None:
    assert (numbers_as_text.ratio_text(ratio), numbers_as_text.level_of(ratio)) == (text, level)


def test_a_ratio_needs_two_probabilities_and_a_usual_rate_above_zero() -> None:
    assert numbers_as_text.ratio_to_usual(0.12, 0.04) == pytest.approx(3.0)
    assert numbers_as_text.ratio_to_usual(0.12, 0.0) is None
    assert numbers_as_text.ratio_to_usual(None, 0.04) is None
    assert numbers_as_text.ratio_to_usual(0.12, math.nan) is None


def test_times_in_words() -> None:
    moment = datetime(2024, 1, 2, 15, tzinfo=UTC)
    assert numbers_as_text.local_text(moment, ZoneInfo("Asia/Tokyo")) == "2024-01-03 00:00"
    assert numbers_as_text.offset_text(moment, ZoneInfo("America/Los_Angeles")) == "UTC-08:00"


def test_a_gain_carries_its_sign() -> None:
    assert numbers_as_text.signed(0.0412) == "+0.041"
    assert numbers_as_text.signed(-0.0125, 2) == "−0.01"
    assert numbers_as_text.signed(math.nan) is None


@pytest.mark.parametrize(
    ("count", "text"),
    [(0.0004, "< 0.01"), (0.013, "0.01"), (0.131, "0.13"), (0.5, "0.50"), (1.0, "1.0"), (3.14, "3.1"), (41.4, "41"), (1234.0, "1,234")],
)
def test_an_expected_number_is_said_without_an_exponent(count: float, text: str) -> None:
    assert numbers_as_text.count_text(count) == text
