"""What an alert says of its model and of how often it is false."""

import pytest

from forecaster.reports.outgoing.alert_text import AlertTexts, figure_words, rates_phrases, skill_phrase, whole_percent
from forecaster.reports.texts import translator

GAIN = {"information_gain": 0.112, "low": 0.07, "high": 0.158, "target_days": 4321}
RATES = {"days": 0}


@pytest.mark.parametrize(
    ("kind", "source", "told"),
    [
        ("published", "pooled", "hundreds of places around the world together, which its models had not seen"),
        ("published", "record", "official forecasts of the last year, weighed together with days of hundreds of places around the world"),
        ("etas", "record", "official forecasts of the last year"),
        ("etas", "evaluation", "a test on days that it was not fitted on"),
    ],
)
def test_the_skill_behind_an_alert_says_where_it_comes_from(kind: str, source: str, told: str) -> None:
    name = {"published": "combined forecast", "etas": "aftershock model ETAS"}[kind]
    assert translator("en")(skill_phrase(kind, GAIN, source)) == (
        f"Behind it: {name}. Its score against the usual rate: +0.112 (95 % range +0.070 to +0.158, above 0 is better; "
        f"4,321 days with such an earthquake, from {told})."
    )


def test_rates_are_counted_on_forecasts_of_the_combination() -> None:
    said = translator("en")(rates_phrases(AlertTexts("en"), RATES, "combination")[0])
    assert "there is no past forecast by the combined forecast" in said


def test_near_certain_figures_are_never_whole() -> None:
    assert [whole_percent(share) for share in (0.0, 0.001, 0.837, 0.9999, 1.0)] == ["0", "< 1", "84", "> 99", "100"]
    assert translator("en")(figure_words(0.4, 0.007)["usual"]) == "0.7 %"  # beside a percentage, a percentage
    assert translator("ja")(figure_words(0.9999, 0.2)["probability"]) == "> 99 %"
