"""The database of an installation: its transactions, its schema, and questions of a person. The engine itself is in `engine`.

One process writes at a time. People read the published copy (`publish.py`).
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecaster.errors import BadInput, SchemaTooNew
from forecaster.files import check_data_folder, keep_private, private_files
from forecaster.store import migrating
from forecaster.store.engine import (
    COLUMNS,
    LOCK_WAIT_S,
    RELATIONS,
    ask,
    committed,
    copy_database,
    log_of,
    one_query,
    open_connection,
    table_names,
)
from forecaster.store.engine import Connection as Connection
from forecaster.store.sharing.one_at_a_time import WRITER_LOCK, one_at_a_time

if TYPE_CHECKING:
    import pandas as pd

_ONE_WRITER = threading.RLock()


@dataclass(frozen=True)
class Store:
    """The database file of an installation. `open_store` makes one."""

    path: Path

    @contextmanager
    def transaction(self, wait_s: float = LOCK_WAIT_S) -> Iterator[Connection]:
        """Yield a connection inside one transaction. It is committed at the end, rolled back by any error, and always closed.

        Raises:
            StoreBusy: another process kept the file for `wait_s` seconds.
            SchemaTooNew: a newer quakecast has changed the schema meanwhile; nothing is done.
            NotWritable: the disk is full, for instance; nothing of the transaction is kept.
        """
        with _ONE_WRITER, private_files():
            connection = open_connection(self.path, wait_s=wait_s)
            try:
                with committed(connection, self.path):
                    refuse_newer(migrating.schema_of(connection), self.path)
                    yield connection
            finally:
                connection.close()

    def copy_file(self, target: Path) -> None:
        """Write a complete copy of the database file to `target`.

        Raises:
            StoreBusy: another process kept the file. NotWritable: the disk is full, for instance; the database itself stays good.
        """
        with _ONE_WRITER, private_files():
            copy_database(self.path, target)


def open_store(path: Path) -> Store:
    """Open the store at `path`, creating and migrating it where needed. A migration waits for the run that writes.

    Raises:
        NotWritable: the folder or file cannot be written.
        BadInput: it is a database of another program. SchemaTooNew: a newer quakecast wrote it. Either is left as it is.
        StoreBusy: a run of the older schema is at work on it; with which.
    """
    check_data_folder(path.parent)
    store = Store(path)
    keep_private((path, log_of(path)))
    with store.transaction() as connection:
        have = migrating.schema_of(connection)
        if have == 0:
            if table_names(connection):
                raise none_of_ours(path)
            migrating.make_current(connection)
    if 0 < have < migrating.newest_schema():
        with (
            one_at_a_time(path.with_name(WRITER_LOCK), "a change of the schema", None, wait=timedelta(seconds=LOCK_WAIT_S)),
            store.transaction() as connection,
        ):
            migrating.make_current(connection)
    return store


def stored_schema(path: Path) -> int:
    """Return the schema number of the database file at `path`, which must exist."""
    connection = open_connection(path, read_only=True)
    try:
        return migrating.schema_of(connection)
    finally:
        connection.close()


def refuse_newer(schema: int, path: Path) -> None:
    """Raises:
    SchemaTooNew: a newer quakecast wrote it.
    """
    if schema > migrating.newest_schema():
        raise SchemaTooNew(
            f"{path} has schema {schema}, this quakecast knows up to {migrating.newest_schema()}: it was written by a newer version; "
            "upgrade quakecast and restart its workers, or set QUAKECAST_HOME to another folder"
        )


def query(path: Path, sql: str, parameters: list[Any] | None = None) -> "pd.DataFrame":
    """Return the result of a read-only query on the database file at `path` (the published copy, usually).

    Raises:
        BadInput: the file is absent, or DuckDB refuses the query; with DuckDB's own first lines.
    """
    with _asked(path, sql, parameters) as answer:
        return answer.df()


def query_rows(path: Path, sql: str, parameters: list[Any] | None = None) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the names of the columns and the rows of the same query: values as they are stored, None for NULL, times aware UTC.

    Raises:
        BadInput: as `query`.
    """
    with _asked(path, sql, parameters) as answer:
        return [column[0] for column in answer.description], answer.fetchall()


def described(path: Path, name: str | None = None) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the views and tables as `query_rows` does: name, kind, comment; or the columns of one of them: name, type, comment.

    Raises:
        BadInput: there is none of this name; the message lists the names.
    """
    there = query_rows(path, RELATIONS)
    if name is None:
        return there
    names = [row[0] for row in there[1]]
    if name not in names:
        raise BadInput(f"there is no view or table {name!r}; there are: {', '.join(names)}")
    return query_rows(path, COLUMNS, [name])


def ask_rows(connection: Connection, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Return the rows of a query (`ask`) as dicts: None for NULL, times aware UTC."""
    cursor = ask(connection, sql, parameters or {})
    names = [str(column[0]) for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@contextmanager
def _asked(path: Path, sql: str, parameters: list[Any] | None) -> Iterator[Connection]:
    if not path.exists():
        raise not_published(path)
    with one_query(path, sql, parameters) as answer:
        yield answer


def none_of_ours(path: Path) -> BadInput:
    """Return the error for a database that another program made."""
    return BadInput(
        f"{path} is a database, but none of quakecast; set QUAKECAST_HOME to the folder of quakecast's own (or QUAKECAST_READ_FROM to a "
        "published copy)"
    )


def not_published(path: Path) -> BadInput:
    """Return the error for a published copy that does not exist."""
    return BadInput(f"there is no published database at {path} yet; make one with `quakecast run` or `quakecast pull`")
