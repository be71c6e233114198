"""Queries whose parameters are written into their text."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from forecaster.store.database import ask_rows, open_store


@pytest.mark.parametrize(
    "value",
    [
        "it's",
        "''; DROP TABLE run; --",
        "a back\\slash, a $name and \n a new line",
        "地震",
        -0.1,
        1e300,
        12,
        True,
        ["a'b", "$other"],
        [1.5, -180.0],
        datetime(2024, 2, 29, 23, 59, 59, 123456, tzinfo=UTC),
        datetime(1906, 4, 18, 5, 12, tzinfo=timezone(timedelta(hours=-8))),
    ],
)
def test_a_value_comes_back_as_it_was(tmp_path, value):
    with open_store(tmp_path / "quakecast.duckdb").transaction() as connection:
        (row,) = ask_rows(connection, "SELECT $name AS found, $other AS other", {"name": value, "other": "'$name'"})
        assert row == {"found": value, "other": "'$name'"} and connection.execute("SELECT count(*) FROM run").fetchall() == [(0,)]


def test_what_cannot_be_written_is_refused(tmp_path):
    with open_store(tmp_path / "quakecast.duckdb").transaction() as connection, pytest.raises(TypeError, match="cannot be written"):
        ask_rows(connection, "SELECT $name", {"name": b"bytes"})
