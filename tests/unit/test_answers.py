"""How answers of the database look to a person and to a program."""

import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from click.testing import CliRunner

from forecaster import cli
from forecaster.cli import query_output
from forecaster.cli.query_output import Answer, csv_text, json_text, listing_text, table_text
from forecaster.store.sharing.publish import publish

MOMENT = datetime(2024, 1, 1, 7, 10, 9, 476000, tzinfo=UTC)


def test_a_table_has_numbers_to_the_right_text_to_the_left_and_says_null():
    answer = Answer(["place", "ratio"], [("熊本", 2.5), (None, 0.123456789), ("Lima", None)])
    text, left_out = table_text(answer)
    assert text.splitlines() == ["place     ratio", "熊本        2.5", "NULL   0.123457", "Lima       NULL"] and left_out == 0


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "true"),
        (5.0, "5.0"),
        (1e-9, "1e-09"),
        (float("nan"), "nan"),
        (MOMENT, "2024-01-01 07:10:09.476Z"),
        (MOMENT.replace(microsecond=0), "2024-01-01 07:10:09Z"),
        (date(2024, 1, 2), "2024-01-02"),
        (Decimal("1.50"), "1.50"),
        ([1, None, MOMENT], '[1, null, "2024-01-01T07:10:09.476000+00:00"]'),
        ({"a": 1}, '{"a": 1}'),
        ("two\nlines \x1b[31m\u202e", "two lines  [31m "),
        ("x" * 61, "x" * 59 + "…"),
    ],
)
def test_a_value_is_one_short_line_without_control_characters(value, shown):
    assert table_text(Answer(["v"], [(value,)]))[0].splitlines()[1].strip() == shown.strip()


def test_rows_that_are_wider_than_the_terminal_become_blocks_with_whole_values():
    answer = Answer(["id", "reason"], [(1, "x" * 70), (2, None)])
    assert table_text(answer, 80)[0].splitlines()[1].startswith(" 1  xxx") is True
    text, _ = table_text(answer, 40)
    assert text.splitlines() == ["row 1", "  id      1", f"  reason  {'x' * 70}", "row 2", "  id      2", "  reason  NULL"]


def test_very_many_rows_are_cut_and_counted():
    answer = Answer(["n"], [(n,) for n in range(1234)])
    text, left_out = table_text(answer)
    assert len(text.splitlines()) == 1001 and left_out == 234
    blocks, left_out = table_text(Answer(["a", "b"], [("x" * 50, "y" * 50)] * 400), 80)
    assert len(blocks.splitlines()) == 999 and left_out == 400 - 333
    assert table_text(Answer(["n"], []))[0] == "n"


def test_csv_and_json_hold_every_value_whole():
    answer = Answer(["a", "b", "c"], [('x,\n"y"', None, float("nan")), ("z" * 99, MOMENT, 0.1 + 0.2)])
    rows = list(csv.reader(io.StringIO(csv_text(answer))))
    assert rows == [["a", "b", "c"], ['x,\n"y"', "", "nan"], ["z" * 99, "2024-01-01T07:10:09.476000+00:00", "0.30000000000000004"]]
    assert json.loads(json_text(answer), parse_constant=pytest.fail) == [
        {"a": 'x,\n"y"', "b": None, "c": None},
        {"a": "z" * 99, "b": "2024-01-01T07:10:09.476000+00:00", "c": 0.1 + 0.2},
    ]


def test_a_listing_goes_on_below_itself():
    answer = Answer(["name", "kind", "comment"], [("v_run", "view", "one two three four five six seven eight"), ("t", "table", None)])
    assert listing_text(answer, 40).splitlines() == [
        "v_run  view   one two three four five six",
        "              seven eight",
        "t      table",
    ]
    assert listing_text(answer).splitlines()[0].endswith("seven eight")


@pytest.fixture
def run(store, settings):
    publish(store, settings.published)
    return lambda *arguments: CliRunner().invoke(cli.main, ["sql", *arguments], env={"QUAKECAST_HOME": str(settings.home)})


def test_describe_lists_the_views_first_then_a_views_columns(run):
    lines = run("--describe").stdout.splitlines()
    assert (
        lines[0].startswith("v_calibration") and [line for line in lines if line.startswith("forecast ")] and "migration" not in str(lines)
    )
    assert run("--describe", "v_skill").stdout.splitlines()[0] == "recipe_id              VARCHAR  The recipe"
    names = [row["name"] for row in json.loads(run("--describe", "v_run", "--json").stdout)]
    assert names[:3] == ["run_id", "kind", "state"]
    wrong = run("--describe", "v_skil")
    assert wrong.exit_code == 2 and "there is no view or table 'v_skil'; there are: v_calibration, v_event" in wrong.stderr


def test_a_missing_query_and_a_wrong_name_say_where_to_look(run):
    assert run().exit_code == 2 and "no query; write one such as" in run().stderr
    assert "quakecast sql --describe" in run("SELECT nothing FROM v_skill").stderr
    assert run("SELECT 1 AS a, NULL AS b", "--csv").stdout == "a,b\n1,\n"


def test_rows_left_out_are_told_beside_the_table(run, monkeypatch):
    monkeypatch.setattr(query_output, "MAX_LINES", 10)
    result = run("SELECT * FROM range(25)")
    assert len(result.stdout.splitlines()) == 11 and result.stderr == "... 15 more rows: --csv prints all of them, LIMIT asks for fewer\n"
