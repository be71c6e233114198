"""Databases as each landed schema left them, with rows in every table, to be opened by today's code.

built(path, schema=5)     migrations 1 to 5 and two rows a table; returns those rows by table and column
lost(path, before)        what today's code has not kept of them
"""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from forecaster.store.database import Connection, Store, open_store
from forecaster.store.engine import one_line
from forecaster.store.migrating import migrations
from tests.support.old_schemas import old_schema

NOON = datetime(2024, 1, 2, 12, tzinfo=UTC)
ROWS = 2
Tables = dict[str, tuple[list[str], list[tuple]]]
# Not kept row for row, as their migrations say: `alert` was empty until schema 7, and later schemas join what `coverage` says.
REMADE = {"alert", "coverage"}
DROPPED = {"model": {"champion"}}  # its place took the table `champion`
RENAMED_TABLES = {"outcome_turn": "outcome_revision"}
RENAMED_COLUMNS = {"outcome": {"turned_at": "revised_at"}}
EMPTY = {"cleared_at", "finished_at"}
SAID = {"in_sample": False, "time_zone": "Asia/Tokyo"}


def schemas() -> list[int]:
    return [number for number, _, _ in migrations()]


def built(path: Path, schema: int) -> Tables:
    """A database of that schema at `path`."""
    with old_schema(schema):
        store = open_store(path)
    with store.transaction() as connection:
        for table in tables(connection):
            if table != "migration" and not (table == "alert" and schema < 7):
                for number in range(ROWS):
                    _fill(connection, table, number)
    return content(store)


def tables(connection: Connection) -> list[str]:
    return [name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables() WHERE NOT temporary ORDER BY 1").fetchall()]


def content(store: Store, columns: dict[str, list[str]] | None = None) -> Tables:
    """Every table, or these columns of these tables: names of the columns and the rows, sorted."""
    found: Tables = {}
    with store.transaction() as connection:
        for table in tables(connection):
            if columns is None or table in columns:
                chosen = ", ".join(columns[table]) if columns else "*"
                answer = connection.execute(f"SELECT {chosen} FROM {table} ORDER BY ALL")
                found[table] = ([column[0] for column in answer.description], answer.fetchall())
    return found


def lost(path: Path, before: Tables) -> list[str]:
    """What is not as it was after today's code has opened the database; and views that do not answer."""
    store = open_store(path)
    before = {RENAMED_TABLES.get(table, table): (_renamed(table, names), rows) for table, (names, rows) in before.items()}
    with store.transaction() as connection:
        there = {table: _columns(connection, table) for table in tables(connection)}
        views = [name for (name,) in connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()]
    broken = [fault for name in views if (fault := _asked(store, name))]
    kept = {table: [name for name in names if name in there[table]] for table, (names, _) in before.items() if table in there}
    now, found = content(store, kept), list(broken)
    for table, (names, rows) in before.items():
        if table not in there:
            found.append(f"the table {table} is gone")
        elif gone := set(names) - set(there[table]) - DROPPED.get(table, set()):
            found.append(f"{table} has lost {sorted(gone)}")
        elif table not in REMADE | {"migration"}:
            places = [names.index(name) for name in kept[table]]
            missing = {tuple(map(str, (row[place] for place in places))) for row in rows} - {tuple(map(str, row)) for row in now[table][1]}
            found += [f"{table} has changed or lost a row: {row}" for row in sorted(missing)]
    return found


def _renamed(table: str, names: list[str]) -> list[str]:
    return [RENAMED_COLUMNS.get(table, {}).get(name, name) for name in names]


def _asked(store: Store, view: str) -> str | None:
    try:
        with store.transaction() as connection:
            connection.execute(f"SELECT * FROM {view}").fetchall()
    except Exception as error:  # noqa: BLE001 - whatever a view says
        return f"the view {view} does not answer: {one_line(error)}"
    return None


def _columns(connection: Connection, table: str) -> list[str]:
    return [row[0] for row in connection.execute(f"DESCRIBE {table}").fetchall()]


def _fill(connection: Connection, table: str, number: int) -> None:
    """One legal row: words that a check allows, else something of the column's type."""
    checks = connection.execute(
        "SELECT constraint_text FROM duckdb_constraints() WHERE table_name = ? AND constraint_type = 'CHECK'", [table]
    ).fetchall()
    allowed = {
        name: re.findall(r"'([^']*)'", words) for (text,) in checks for name, words in re.findall(r'\(?"?(\w+)"? IN \(([^)]*)\)', text)
    }
    names, values = [], []
    for name, kind, *_ in connection.execute(f"DESCRIBE {table}").fetchall():
        names.append(name)
        values.append(None if name in EMPTY else _value(name, kind, number, allowed))
    connection.execute(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})", values)


def _value(name: str, kind: str, number: int, allowed: dict[str, list[str]]) -> Any:
    if name in allowed:
        words = allowed[name]
        return words[min(1, len(words) - 1)] if (name, words[0]) in (("kind", "forecast"), ("state", "running")) else words[0]
    if name in SAID:
        return SAID[name]
    moment = NOON + timedelta(days=number, hours=name.endswith("_end"))
    values = {
        "BOOLEAN": True,
        "DOUBLE": 0.25,
        "FLOAT": 0.25,
        "JSON": "{}",
        "DATE": date(2024, 1, 2 + number),
        "VARCHAR[]": [f"id-{number}"],
        "BIGINT[]": [number + 1],
    }
    values |= dict.fromkeys(("INTEGER", "BIGINT", "SMALLINT", "UBIGINT", "UTINYINT", "USMALLINT", "UINTEGER"), number + 1)
    values |= {"BLOB": f"{name}-{number}".encode(), "VARCHAR": f"{name}-{number}"}
    values |= dict.fromkeys(("TIMESTAMP WITH TIME ZONE", "TIMESTAMP"), moment)
    return values[kind]
