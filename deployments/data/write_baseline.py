"""Write `baseline.sql`, the schema of a new database, from the upgrades: `make schema`; --check says whether it is old.

Tables are written as the upgrades leave them. Views and macros keep the text of the upgrade that created them last.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb

from forecaster.store.migrating import migrations

FILE = Path(__file__).resolve().parents[2] / "forecaster" / "store" / "schema" / "baseline.sql"
_HEAD = """-- The schema of a new database: tables, then macros and views, each with its comments.
-- `make schema` writes this file from upgrades/*.sql: for a change, add an upgrade and run that command.
"""
_MIGRATION = "CREATE TABLE migration (number INTEGER PRIMARY KEY, name VARCHAR NOT NULL);"
_CREATE = re.compile(r"(?:--[^\n]*\n)*CREATE (?:OR REPLACE )?(TABLE|VIEW|MACRO) (?:IF NOT EXISTS )?(\w+).*", re.DOTALL)
_RENAME = re.compile(r"ALTER TABLE (\w+) RENAME TO (\w+)")
_THERE = (
    "SELECT 'TABLE', table_name FROM duckdb_tables() UNION ALL SELECT 'VIEW', view_name FROM duckdb_views() WHERE NOT internal "
    "UNION ALL SELECT DISTINCT 'MACRO', function_name FROM duckdb_functions() WHERE NOT internal"
)
_TYPES = {"TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ"}
_DEFAULTS = {"CAST('f' AS BOOLEAN)": "false", "CAST('t' AS BOOLEAN)": "true"}


def written() -> str:
    """Return the text of the file."""
    upgraded = duckdb.connect()
    texts: dict[tuple[str, str], str] = {}  # by kind and name in the order of their first creation
    for _, _, sql in migrations():
        for statement in upgraded.extract_statements(sql):
            if found := _CREATE.search(statement.query):
                texts[found[1], found[2]] = found[0].strip().replace("CREATE OR REPLACE", "CREATE")
            elif found := _RENAME.search(statement.query):
                texts = {(kind, found[2] if (kind, name) == ("TABLE", found[1]) else name): text for (kind, name), text in texts.items()}
        upgraded.execute(sql)
    there = set(upgraded.execute(_THERE).fetchall())
    if unknown := sorted(there - set(texts)):
        raise ValueError(f"no upgrade creates {unknown} by a statement that is understood here")
    texts = {key: text for key, text in texts.items() if key in there}
    tables = [name for kind, name in texts if kind == "TABLE"]
    parts = [_HEAD + _MIGRATION]
    parts += ["\n".join([_table(upgraded, name), *_comments(upgraded, "TABLE", name)]) for name in tables]
    others = {key: text for key, text in texts.items() if key[0] != "TABLE"}
    parts += ["\n".join([f"{text};", *_comments(upgraded, kind, name)]) for (kind, name), text in _in_order(parts, others)]
    steps = ",\n    ".join(f"({number}, '{name}')" for number, name, _ in migrations())
    return "\n\n".join([*parts, f"-- What it holds of the upgrades.\nINSERT INTO migration VALUES\n    {steps};\n"])


def _in_order(tables: list[str], others: dict[tuple[str, str], str]) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield macros and views, each after those that it needs."""
    made = duckdb.connect()
    made.execute("\n".join(tables))
    left = dict(others)
    while left:
        for key, text in list(left.items()):
            try:
                made.execute(text)
            except duckdb.CatalogException:
                continue
            yield key, left.pop(key)
            break
        else:
            raise ValueError(f"these need each other, or what is not there: {', '.join(name for _, name in left)}")


def _table(connection: duckdb.DuckDBPyConnection, table: str) -> str:
    columns = connection.execute(
        "SELECT column_name, data_type, is_nullable, column_default FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index",
        [table],
    ).fetchall()
    rules = connection.execute(
        "SELECT constraint_type, constraint_column_names, constraint_text, expression FROM duckdb_constraints() "
        "WHERE table_name = ? AND constraint_type <> 'NOT NULL' ORDER BY constraint_index",
        [table],
    ).fetchall()
    of_column: dict[str, list[str]] = {}
    of_table = []
    keys = {names[0] for kind, names, _, _ in rules if kind == "PRIMARY KEY" and len(names) == 1}
    for kind, names, text, expression in rules:
        plain = re.sub(
            r'"(\w+)"',
            r"\1",
            f"CHECK {expression}".replace("!=", "<>") if kind == "CHECK" else text.replace("KEY(", "KEY (").replace("UNIQUE(", "UNIQUE ("),
        )
        if len(set(names)) == 1:
            of_column.setdefault(names[0], []).append(plain if kind == "CHECK" else kind)
        else:
            of_table.append(plain)
    width = max(len(name) for name, *_ in columns)
    lines = []
    for name, kind, nullable, default in columns:
        needed = [] if nullable or name in keys else ["NOT NULL"]
        preset = [] if default is None else [f"DEFAULT {_DEFAULTS.get(default, default)}"]
        lines.append(" ".join([f"{name:{width}}", _TYPES.get(kind, kind), *needed, *preset, *of_column.get(name, [])]))
    return f"CREATE TABLE {table} (\n    " + ",\n    ".join([*lines, *of_table]) + "\n);"


def _comments(connection: duckdb.DuckDBPyConnection, kind: str, name: str) -> Iterator[str]:
    """Yield the statements that comment on a table, view or macro and its columns."""
    catalogue = {"TABLE": "table_name AS name, comment FROM duckdb_tables()", "VIEW": "view_name AS name, comment FROM duckdb_views()"}
    catalogue["MACRO"] = "function_name AS name, comment FROM duckdb_functions()"
    (whole,) = connection.execute(f"SELECT comment FROM (SELECT {catalogue[kind]}) WHERE name = ?", [name]).fetchall()
    columns = connection.execute(
        "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = ? AND comment IS NOT NULL ORDER BY column_index", [name]
    ).fetchall()
    if whole[0] is not None:
        yield f"COMMENT ON {'MACRO TABLE' if kind == 'MACRO' else kind} {name} IS {_quoted(whole[0])};"
    for column, comment in columns:
        yield f"COMMENT ON COLUMN {name}.{column} IS {_quoted(comment)};"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def main() -> None:
    """Write the file, or with --check end with 1 where it is old."""
    text = written()
    if "--check" in sys.argv:
        sys.exit(0 if FILE.read_text(encoding="utf-8") == text else f"{FILE.name} is not what the upgrades make; run `make schema`")
    FILE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
