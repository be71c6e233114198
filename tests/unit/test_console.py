"""What a person at a terminal reads: chances in words, the table of a run, the bar of a step."""

import sys
import threading
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from forecaster.console import chance, days_table, forecast_table, ordered, print_table, progress
from forecaster.reports.content.contract import DayOutcome, ModelForecast, PooledSkill, RecipeForecast, ReportData

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
    model_kind="published",
    weights={"etas": 0.44, "hybrid": 0.56},
    weights_source="combination-2014-12-31",
    models=(ModelForecast("published", 0.124, True, expected_count=0.16, count_low=0, count_high=2), ModelForecast("climatology", 0.031)),
)


def cells(row: RecipeForecast) -> dict[str, str]:
    """The row of the table as heading -> text."""
    table = forecast_table(ReportData("id", START, (row,)))
    return {str(column.header): next(iter(column.cells)) for column in table.columns}


@pytest.mark.parametrize(
    ("probability", "said"),
    [
        (0.9999, "> 99 %"),
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


def test_a_row_says_target_local_day_chances_ratio_number_and_members():
    assert cells(SAID) == {
        "recipe": "tokyo-m45",
        "target": "M4.5+ 150 km",
        "day (local)": "2024-01-03",
        "probability": "12 %",
        "usual": "3.1 %",
        "times usual": "4.0",
        "expected (95 %)": "0.16 (0 to 2)",
        "made from": "2 models combined",
    }


def test_the_highest_ratio_stands_first_and_those_for_comparison_last():
    rows = [
        replace(SAID, recipe_id=name, probability=p, comparison_only=why)
        for name, p, why in (("quiet", 0.03, None), ("old", 0.9, "as it was"), ("raised", 0.2, None))
    ]
    assert [row.recipe_id for row in ordered(rows)] == ["raised", "quiet", "old"]


def test_the_usual_rate_alone_is_named():
    assert cells(replace(SAID, model_kind="climatology", weights={}, models=()))["made from"] == "usual rate"


def test_what_cannot_be_forecast_says_why_and_no_figure():
    reason = "not scoreable: catalogue starts at M 4.5"
    row = cells(replace(SAID, probability=None, reference_probability=None, not_scoreable_reason=reason))
    assert row["made from"] == reason and {row["probability"], row["usual"], row["times usual"]} == {""}


def test_the_table_says_when_how_good_and_keeps_every_figure_whole_on_a_narrow_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    print_table(forecast_table(ReportData("id", START, (SAID,), pooled_skill=PooledSkill(0.112, 0.07, 0.158, 4321))))
    printed = " ".join(capsys.readouterr().out.split())
    assert "Next-day forecasts, made 2024-01-02 15:00 UTC" in printed
    assert "hybrid 56 %, ETAS 44 %" in printed and "2024-01-03" in printed and "about 1 in" not in printed
    assert "scored +0.112 against the usual rate (95 % range +0.070 to +0.158" in printed


def test_the_last_days_of_a_place_stand_with_what_came():
    said = [(0.009, False, None), (0.995, True, 7.5), (0.3, None, None)]
    days = tuple(DayOutcome(date(2024, 1, day), p, came, "provisional", 0.01, size) for day, (p, came, size) in enumerate(said, 1))
    table = days_table(replace(SAID, recent_outcomes=days[:2], open_outcomes=days[2:]), 2)
    assert [list(column.cells) for column in table.columns] == [
        ["2024-01-02", "2024-01-03"],
        ["> 99 %", "30 %"],
        ["1 %", "1 %"],
        ["100", "30"],
        ["yes, M 7.5", "not known yet"],
    ]


def test_the_bar_goes_to_standard_error_and_shows_the_last_text(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress("training", 2) as update:
        update(1, 2, "tokyo-m45")
        update(2, 2, "istanbul")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "training" in printed.err and "2/2" in printed.err and "istanbul" in printed.err


def test_in_a_file_there_is_a_line_now_and_then_in_place_of_the_bar(capsys):
    """As of `quakecast run > log 2>&1`, where nine minutes of training said nothing."""
    said, waits = "", 0
    with progress("training", 29, every_s=0.01) as update:
        update(3, 29, "tokyo-m45, etas")
        while not said and waits < 3000:
            said, waits = capsys.readouterr().err, waits + 1
            threading.Event().wait(0.01)
    assert said.splitlines()[-1] == "training: 3 of 29 after 0 min, tokyo-m45, etas"


def test_what_is_over_soon_says_nothing_in_a_file(capsys):
    with progress("reading USGS") as update:
        update(1, 1, "")
    assert capsys.readouterr().err == ""
