"""What a person at a terminal reads: chances in words, the table of a run, the bar of a step."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from forecaster.console import chance, forecast_table, print_table, progress
from forecaster.reports.contract import Evaluation, ModelForecast, RecipeForecast, ReportData

START = datetime(2024, 1, 2, 15, tzinfo=UTC)  # midnight in Tokyo: the local 3 January
END = datetime(2024, 1, 3, 15, tzinfo=UTC)
SAID = RecipeForecast(
    "tokyo-m45",
    {"en": "Tokyo", "ja": "東京"},
    35.7,
    139.8,
    150.0,
    4.5,
    "Asia/Tokyo",
    START,
    END,
    0.124,
    0.031,
    "replay",
    model_kind="etas",
)
GAIN = "gain on validation days, nats per target day"
FITTED = replace(
    SAID,
    models=(
        ModelForecast("climatology", 0.031),
        ModelForecast("etas", 0.124, True, evaluation=Evaluation(0.0521, 0.0104, 0.0943)),
        ModelForecast("hybrid", 0.13, evaluation=Evaluation(0.06, -0.01, 0.1)),
    ),
)


def cells(row: RecipeForecast) -> dict[str, str]:
    """The row of the table as heading -> text."""
    table = forecast_table(ReportData("id", START, (row,)))
    return {str(column.header): next(iter(column.cells)) for column in table.columns}


@pytest.mark.parametrize(
    ("probability", "said"),
    [
        (0.124, "12 %"),
        (0.031, "3.1 %"),
        (0.0101, "1.0 %"),
        (0.01, "about 1 in 100"),
        (0.0034, "about 1 in 300"),
        (0.000034, "about 1 in 30,000"),
    ],
)
def test_a_chance_is_said_as_in_the_reports(probability, said):
    """From 1 % down a percentage says little: one in how many days, to one significant figure."""
    assert chance(probability) == said


def test_a_row_says_target_local_day_chances_ratio_model_and_gain():
    assert cells(FITTED) == {
        "recipe": "tokyo-m45",
        "target": "M4.5+ 150 km",
        "day (local)": "2024-01-03",
        "probability": "12 %",
        "usual": "3.1 %",
        "ratio": "4.00",
        "published": "ETAS",
        GAIN: "ETAS +0.052 (+0.010 to +0.094)",
    }


def test_where_the_usual_rate_is_published_the_best_of_the_others_is_named():
    unfitted = cells(replace(SAID, model_kind="climatology"))
    assert (unfitted["published"], unfitted[GAIN]) == ("usual rate", "no model judged")
    beaten = replace(FITTED, model_kind="climatology", models=tuple(replace(model, published=False) for model in FITTED.models))
    assert (cells(beaten)["published"], cells(beaten)[GAIN]) == ("usual rate", "hybrid +0.060 (-0.010 to +0.100)")


def test_what_cannot_be_forecast_says_why_and_no_figure():
    reason = "not scoreable: catalogue starts at M 4.5"
    row = cells(replace(SAID, probability=None, reference_probability=None, not_scoreable_reason=reason))
    assert row["published"] == reason and {row["probability"], row["usual"], row["ratio"]} == {""}


def test_the_table_says_when_and_keeps_every_figure_whole_on_a_narrow_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    print_table(forecast_table(ReportData("id", START, (FITTED,))))
    printed = capsys.readouterr().out
    assert "Next-day forecasts, made 2024-01-02 15:00 UTC" in printed
    assert "ETAS +0.052 (+0.010 to +0.094)" in printed and "2024-01-03" in printed


def test_the_bar_goes_to_standard_error_and_shows_the_last_text(capsys):
    with progress("training", 2) as update:
        update(1, 2, "tokyo-m45")
        update(2, 2, "istanbul")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "training" in printed.err and "2/2" in printed.err and "istanbul" in printed.err
