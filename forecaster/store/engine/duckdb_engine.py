"""Connections to a database file: opening, transactions, settings, errors, frames as tables, and what the catalogue of the database says.

DuckDB lets one process write. While it writes, no other process may open the file, not even to read. So connections are short, one
transaction each, and wait for the lock with jittered retries.
"""

import os
import random
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from forecaster.errors import BadInput, NotWritable, StoreBusy, StoreError
from forecaster.files import copy_whole, refused

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

LOCK_WAIT_S = 60.0
_SETTINGS = "SET TimeZone = 'UTC'; SET enable_progress_bar = false"
_DISK_FULL = ("could not write", "no space left", "quota exceeded", "file too large", "cannot write", "failed to write", "out of disk")


class Connection(Protocol):
    """All that the store asks of a connection. `execute` returns one whose methods give the answer; another engine offers the same."""

    def execute(self, query: str, parameters: Any = ..., /) -> "Connection":
        """Run statements. Parameters are a list for `?`, or a mapping for `$name`."""

    @property
    def description(self) -> Sequence[tuple[Any, ...]]:
        """Return a tuple for each column of the answer, its name first."""

    def fetchall(self) -> list[Any]:
        """Return the rows as tuples: None for NULL, times aware UTC."""

    def fetchone(self) -> tuple[Any, ...] | None:
        """Return the next row, or None."""

    def fetchnumpy(self) -> Mapping[str, Any]:
        """Return the columns as arrays."""

    def df(self) -> "pd.DataFrame":
        """Return the answer as a frame."""

    def register(self, _name: str, _frame: object, /) -> object:
        """Let queries ask a frame as a table of this name; `frame_as` does it for a block."""

    def unregister(self, _name: str, /) -> object:
        """End that."""

    def close(self) -> None:
        """End it."""


def open_connection(path: Path, *, read_only: bool = False, wait_s: float = LOCK_WAIT_S) -> Connection:
    """Open a connection to the database file at `path`. The caller closes it.

    Raises:
        StoreBusy: another process kept the file for `wait_s` seconds. StoreError: it is no DuckDB database, or its log is damaged.
    """
    import duckdb

    deadline = time.monotonic() + wait_s
    while True:
        try:
            connection = duckdb.connect(str(path), read_only=read_only)
            connection.execute(_SETTINGS)
            return connection
        except duckdb.Error as error:
            text = str(error)
            if "could not set lock" not in text.lower():
                raise _unreadable(path, one_line(text.splitlines()[0])) from None
            if time.monotonic() >= deadline:
                raise StoreBusy(
                    f"{path} is in use by another process (waited {wait_s:.0f} s); wait for it to end, or read the published copy"
                ) from None
            time.sleep(random.uniform(0.02, 0.25))


def log_of(path: Path) -> Path:
    """Return where the database at `path` keeps what it has not yet written into the file itself."""
    return path.with_name(f"{path.name}.wal")


def _unreadable(path: Path, error_text: str) -> StoreError:
    """Return the error for a file that DuckDB cannot open. Where there is a log beside it, it is the log that cannot be replayed."""
    log = log_of(path)
    if not os.access(path, os.R_OK):
        return StoreError(f"cannot open {path}: {refused(path)}")
    if not log.exists():
        return StoreError(f"cannot open {path}: {error_text}; is it a quakecast database?")
    until = f"{datetime.fromtimestamp(path.stat().st_mtime, UTC):%Y-%m-%d %H:%M:%S}Z"
    return StoreError(
        f"cannot open {path}: its log {log.name} is damaged ({error_text}); what was stored until {until} is whole, in {path.name} itself: "
        f"move {log.name} aside and run the same again, or restore a backup (deployments/RUNBOOK.md, Damaged database)"
    )


@contextmanager
def committed(connection: Connection, path: Path) -> Iterator[None]:
    """Hold one transaction. It is committed at the end, and rolled back by any error.

    Raises:
        NotWritable: the disk is full, for instance; nothing of the transaction is kept.
    """
    import duckdb

    try:
        connection.execute("BEGIN TRANSACTION")
        try:
            yield
        except BaseException:
            with suppress(duckdb.Error):  # a fatal error ends the transaction; the first error is the one to report
                connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
    except duckdb.Error as error:
        if not _is_disk_full(error):
            raise
        raise NotWritable(f"cannot write to {path} ({one_line(error)}); nothing was stored: free some space") from None


def begin_reading(connection: Connection) -> None:
    """Begin a transaction that may only read."""
    connection.execute("BEGIN TRANSACTION READ ONLY")


def copy_database(path: Path, target: Path) -> None:
    """Write a complete copy of the database file, its write-ahead log merged first, to `target`.

    The file is opened before the connection and closed after it: POSIX drops a process's lock on a file as soon as the process closes any
    handle of it, and another writer would slip in.

    Raises:
        StoreBusy: another process kept the file. NotWritable: the disk is full, for instance; the database itself stays good.
    """
    import duckdb

    with path.open("rb") as source:
        connection = open_connection(path)
        try:
            connection.execute("FORCE CHECKPOINT")
            with target.open("wb") as copy:
                copy_whole(source, copy)
        except OSError as error:
            raise NotWritable(f"cannot write {target} ({error.strerror or error}); free some space") from None
        except duckdb.Error as error:
            if not _is_disk_full(error):
                raise
            raise NotWritable(f"cannot write to {path} ({one_line(error)}); nothing is lost: free some space") from None
        finally:
            connection.close()


@contextmanager
def one_query(path: Path, sql: str, parameters: Sequence[Any] | None) -> Iterator[Connection]:
    """Yield the answer to one query of a person on the database file at `path`. It can neither write nor reach other files.

    Raises:
        BadInput: it is no single statement, or DuckDB refuses it; with DuckDB's own first lines.
    """
    import duckdb

    connection = open_connection(path, read_only=True)
    try:
        connection.execute("SET enable_external_access = false")
        statements = cast("duckdb.DuckDBPyConnection", connection).extract_statements(sql)
        if len(statements) != 1:
            wrong = "is empty" if not statements else f"has {len(statements)} statements"
            raise BadInput(f'the query {wrong}; write one such as "SELECT count(*) FROM event"')
        yield connection.execute(sql, parameters or [])
    except duckdb.Error as error:
        names = isinstance(error, (duckdb.CatalogException, duckdb.BinderException))
        hint = "; `quakecast sql --describe` lists what there is" if names else ""
        raise BadInput(f"the query failed: {one_line(str(error).split('LINE 1:')[0]).strip(' .')}{hint}") from None
    finally:
        connection.close()


@contextmanager
def frame_as(connection: Connection, name: str, frame: "pd.DataFrame") -> Iterator[None]:
    """Let queries in the block ask `frame` as a table of this name."""
    connection.register(name, frame)
    try:
        yield
    finally:
        connection.unregister(name)


@contextmanager
def on_one_thread(connection: Connection) -> Iterator[None]:
    """Run the statements of the block on one thread. Those on less than some 100,000 rows then take half the CPU time, and not longer.

    After an error the connection stays so: its transaction takes no statement but ROLLBACK.
    """
    connection.execute("SET threads = 1")
    yield
    connection.execute("RESET threads")


def append(connection: Connection, table: str, frame: "pd.DataFrame", *, replace: bool = False) -> None:
    """Append the rows of `frame` (columns of `table`; those it lacks have their default). With `replace`, rows of the same primary key are
    replaced."""
    with frame_as(connection, "appended", frame):
        connection.execute(f"INSERT {'OR REPLACE ' if replace else ''}INTO {table} BY NAME SELECT * FROM appended")


def put(connection: Connection, table: str, frame: "pd.DataFrame", key: Sequence[str]) -> None:
    """Append the rows of `frame` to a table without a primary key. Stored rows with the same values in the columns of `key` are removed; of
    several rows of `frame` the first is kept.

    The first column of `key` should rise with time: only the part of the table between its smallest and largest value is looked at.
    """
    same = " AND ".join(f"{table}.{column} = appended.{column}" for column in key)
    with frame_as(connection, "appended", frame.drop_duplicates(list(key))):
        connection.execute(
            f"DELETE FROM {table} USING appended WHERE {same} "
            f"AND {table}.{key[0]} BETWEEN (SELECT min({key[0]}) FROM appended) AND (SELECT max({key[0]}) FROM appended)"
        )
        connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM appended")


def ask(connection: Connection, sql: str, parameters: Mapping[str, Any]) -> Connection:
    """Run a query with its parameters (`$name`) written into the text, and return the cursor.

    DuckDB imports pandas for every bound parameter, which takes longer than all of `quakecast status`.
    """
    return connection.execute(re.sub(r"\$(\w+)", lambda found: _literal(parameters[found[1]]), sql))


def _literal(value: Any) -> str:
    """Return a value as SQL writes it: text, a time, a number, or a list of these."""
    match value:
        case str():
            return "'" + value.replace("'", "''") + "'"
        case datetime():
            return f"TIMESTAMPTZ '{value.astimezone(UTC).isoformat()}'"
        case float():
            return f"({value!r})::DOUBLE"
        case int():
            return repr(value)
        case list():
            return f"[{', '.join(map(_literal, value))}]"
    raise TypeError(f"{value!r} cannot be written into a query")


def has_table(connection: Connection, name: str) -> bool:
    """Return whether there is a table of this name."""
    return bool(connection.execute(f"SELECT 1 FROM duckdb_tables() WHERE table_name = '{name}'").fetchall())


def table_names(connection: Connection) -> list[str]:
    """Return the names of all tables, in alphabetical order."""
    return [name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables() WHERE NOT temporary ORDER BY 1").fetchall()]


# Views (those for people first) and tables; columns of $1 in their order: each with its comment.
RELATIONS = (
    "SELECT name, kind, comment FROM (SELECT view_name AS name, 'view' AS kind, comment FROM duckdb_views() WHERE NOT internal UNION ALL "
    "SELECT table_name, 'table', comment FROM duckdb_tables() WHERE NOT internal AND table_name <> 'migration') "
    "ORDER BY NOT starts_with(name, 'v_'), kind DESC, name"
)
COLUMNS = "SELECT column_name AS name, data_type AS type, comment FROM duckdb_columns() WHERE table_name = $1 ORDER BY column_index"


def one_line(error: object) -> str:
    """Return DuckDB's message as one line of at most 400 characters."""
    return re.sub(r"\s+", " ", str(error))[:400]


def _is_disk_full(error: BaseException) -> bool:
    """Return whether DuckDB failed because the disk is full, whatever class of error it raised."""
    text = str(error).lower()
    return any(words in text for words in _DISK_FULL)
