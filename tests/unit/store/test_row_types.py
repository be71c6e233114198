"""The typed rows are those of the schema, and a query that lacks a column is found out."""

from typing import get_args, get_type_hints

import pandas as pd
import pytest

from forecaster.store import row_types
from forecaster.store.database import open_store
from forecaster.store.row_types import rows_as
from forecaster.store.typed_rows import alert_types, model_types

TABLES = {
    "forecast": row_types.ForecastRow,
    "outcome": row_types.OutcomeRow,
    "outcome_revision": row_types.OutcomeRevisionRow,
    "score": row_types.ScoreRow,
    "rung": row_types.RungRow,
    "rung_outcome": row_types.RungOutcomeRow,
    "combination": model_types.WeightsRow,
    "world_set": model_types.SetDecision,
    "walk_forward_fit": model_types.WalkForwardFit,
    "model": model_types.ModelRow,
    "alert_correction": alert_types.CorrectionRow,
    "report": alert_types.ReportRow,
    "message": alert_types.MessageRow,
}


@pytest.fixture(scope="module")
def columns(tmp_path_factory):
    """By table, the names of its columns and whether each may be NULL."""
    store = open_store(tmp_path_factory.mktemp("rows") / "quakecast.duckdb")
    with store.transaction() as connection:
        rows = connection.execute("SELECT table_name, column_name, is_nullable FROM duckdb_columns() WHERE NOT internal").fetchall()
    return {table: {name: null for of, name, null in rows if of == table} for table in (*TABLES, "alert")}


@pytest.mark.parametrize("table", TABLES)
def test_a_row_has_the_columns_of_its_table_and_only_those_may_be_none_that_may_be_null(columns, table):
    hints = get_type_hints(TABLES[table])
    assert {name: type(None) in get_args(hint) for name, hint in hints.items()} == columns[table]


def test_an_alert_of_a_rule_has_all_columns_of_its_table_and_one_of_the_operation_some(columns):
    of_rule, of_operation = map(get_type_hints, (alert_types.ForecastAlertRow, alert_types.OperationsAlertRow))
    assert set(of_rule) == set(columns["alert"]) > set(of_operation)
    optional = {name for name, hint in of_rule.items() if type(None) in get_args(hint)}
    assert optional <= {name for name, null in columns["alert"].items() if null}
    assert {name for name, null in columns["alert"].items() if not null} <= set(of_operation)


def test_rows_have_none_for_what_is_missing_and_an_answer_without_a_column_is_refused():
    frame = pd.DataFrame({name: [1.0] for name in get_type_hints(row_types.ScoreRow)}).assign(brier=[float("nan")])
    (row,) = rows_as(row_types.ScoreRow, frame)
    assert row["brier"] is None and row["log_score"] == 1.0
    with pytest.raises(KeyError, match=r"ScoreRow needs the columns \['brier'\]"):
        rows_as(row_types.ScoreRow, frame.drop(columns="brier"))
