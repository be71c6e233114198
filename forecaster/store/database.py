"""Connections, transactions and migrations. Only this room imports duckdb; most of it works with the connections made here.

DuckDB lets one process write. While it writes, no other process may open the file, not even to read. So connections are short, one
transaction each, and wait for the lock with jittered retries. People read the published copy (`publish.py`).
"""

import os
import random
import re
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecaster.errors import BadInput, NotWritable, SchemaTooNew, StoreBusy, StoreError
from forecaster.files import check_data_folder, keep_private, private_files, refused
from forecaster.store.sharing.one_at_a_time import WRITER_LOCK, one_at_a_time

if TYPE_CHECKING:
    import pandas as pd
    from duckdb import DuckDBPyConnection

    Connection = DuckDBPyConnection
else:
    Connection = object

LOCK_WAIT_S = 60.0
_COPY_BYTES = 1 << 20
_ONE_WRITER = threading.RLock()


def migrations() -> list[tuple[int, str, str]]:
    """Return (number, name, SQL) of every migration, in order."""
    return list(_migrations())


@cache
def _migrations() -> tuple[tuple[int, str, str], ...]:
    files = sorted(entry.name for entry in resources.files("forecaster.store").joinpath("schema").iterdir() if entry.name.endswith(".sql"))
    folder = resources.files("forecaster.store").joinpath("schema")
    return tuple((int(name[:4]), name, folder.joinpath(name).read_text(encoding="utf-8")) for name in files)


@dataclass(frozen=True)
class Store:
    """The database file of an installation. `open_store` makes one."""

    path: Path

    @contextmanager
    def transaction(self, wait_s: float = LOCK_WAIT_S) -> Iterator["Connection"]:
        """Yield a connection inside one transaction. It is committed at the end, rolled back by any error, and always closed.

        Raises:
            StoreBusy: another process kept the file for `wait_s` seconds.
            SchemaTooNew: a newer quakecast has changed the schema meanwhile; nothing is done.
            NotWritable: the disk is full, for instance; nothing of the transaction is kept.
        """
        import duckdb

        with _ONE_WRITER, private_files():
            connection = open_connection(self.path, wait_s=wait_s)
            try:
                connection.execute("BEGIN TRANSACTION")
                try:
                    refuse_newer(schema_of(connection), self.path)
                    yield connection
                except BaseException:
                    with suppress(duckdb.Error):  # a fatal error ends the transaction; the first error is the one to report
                        connection.execute("ROLLBACK")
                    raise
                connection.execute("COMMIT")
            except duckdb.Error as error:
                if not is_disk_full(error):
                    raise
                raise NotWritable(f"cannot write to {self.path} ({one_line(error)}); nothing was stored: free some space") from None
            finally:
                connection.close()

    def copy_file(self, target: Path) -> None:
        """Write a complete copy of the database file, its write-ahead log merged first, to `target`.

        The file is opened before the connection and closed after it: POSIX drops a process's lock on a file as soon as the process
        closes any handle of it, and another writer would slip in.

        Raises:
            StoreBusy: another process kept the file. NotWritable: the disk is full, for instance; the database itself stays good.
        """
        import duckdb

        with _ONE_WRITER, private_files(), self.path.open("rb") as source:
            connection = open_connection(self.path)
            try:
                connection.execute("FORCE CHECKPOINT")
                with target.open("wb") as copy:
                    shutil.copyfileobj(source, copy, _COPY_BYTES)
                    copy.flush()
                    os.fsync(copy.fileno())
            except OSError as error:
                raise NotWritable(f"cannot write {target} ({error.strerror or error}); free some space") from None
            except duckdb.Error as error:
                if not is_disk_full(error):
                    raise
                raise NotWritable(f"cannot write to {self.path} ({one_line(error)}); nothing is lost: free some space") from None
            finally:
                connection.close()


def open_store(path: Path) -> Store:
    """Open the store at `path`, creating and migrating it where needed. A migration waits for the run that writes.

    Raises:
        NotWritable: the folder or file cannot be written.
        BadInput: it is a database of another program. SchemaTooNew: a newer quakecast wrote it. Either is left as it is.
        StoreBusy: a run of the older schema is at work on it; with which.
    """
    check_data_folder(path.parent)
    store = Store(path)
    keep_private((path, path.with_name(f"{path.name}.wal")))
    with store.transaction() as connection:
        have = schema_of(connection)
        if have == 0:
            if connection.execute("SELECT count(*) FROM duckdb_tables()").fetchall()[0][0]:
                raise none_of_ours(path)
            _migrate(connection)
    if 0 < have < newest_schema():
        with (
            one_at_a_time(path.with_name(WRITER_LOCK), "a change of the schema", None, wait=timedelta(seconds=LOCK_WAIT_S)),
            store.transaction() as connection,
        ):
            _migrate(connection)
    return store


def _migrate(connection: Connection) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY, name VARCHAR NOT NULL)")
    have = schema_of(connection)
    for number, name, sql in migrations():
        if number > have:
            connection.execute(sql)
            connection.execute("INSERT INTO migration VALUES (?, ?)", [number, name])


def newest_schema() -> int:
    """Return the schema number that this version writes."""
    return migrations()[-1][0]


def schema_of(connection: Connection) -> int:
    """Return the schema number of a database; 0 where it is not a quakecast database."""
    ours = connection.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'migration'").fetchall()[0][0]
    return connection.execute("SELECT coalesce(max(number), 0) FROM migration").fetchall()[0][0] if ours else 0


def stored_schema(path: Path) -> int:
    """Return the schema number of the database file at `path`, which must exist."""
    connection = open_connection(path, read_only=True)
    try:
        return schema_of(connection)
    finally:
        connection.close()


def refuse_newer(schema: int, path: Path) -> None:
    """Raises:
    SchemaTooNew: a newer quakecast wrote it.
    """
    if schema > newest_schema():
        raise SchemaTooNew(
            f"{path} has schema {schema}, this quakecast knows up to {newest_schema()}: it was written by a newer version; "
            "upgrade quakecast and restart its workers, or set QUAKECAST_HOME to another folder"
        )


def open_connection(path: Path, *, read_only: bool = False, wait_s: float = LOCK_WAIT_S) -> "Connection":
    """Open a connection to the database file at `path`. The caller closes it.

    Raises:
        StoreBusy: another process kept the file for `wait_s` seconds. StoreError: it is no DuckDB database, or its log is damaged.
    """
    import duckdb

    deadline = time.monotonic() + wait_s
    while True:
        try:
            connection = duckdb.connect(str(path), read_only=read_only)
            connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
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


def _unreadable(path: Path, said: str) -> StoreError:
    """Return the error for a file that DuckDB cannot open. Where there is a log beside it, it is the log that cannot be replayed."""
    log = path.with_name(f"{path.name}.wal")
    if not os.access(path, os.R_OK):
        return StoreError(f"cannot open {path}: {refused(path)}")
    if not log.exists():
        return StoreError(f"cannot open {path}: {said}; is it a quakecast database?")
    until = f"{datetime.fromtimestamp(path.stat().st_mtime, UTC):%Y-%m-%d %H:%M:%S}Z"
    return StoreError(
        f"cannot open {path}: its log {log.name} is damaged ({said}); what was stored until {until} is whole, in {path.name} itself: "
        f"move {log.name} aside and run the same again, or restore a backup (deployments/RUNBOOK.md, Damaged database)"
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


def ask(connection: Connection, sql: str, parameters: Mapping[str, Any]) -> Connection:
    """Run a query with its parameters (`$name`) written into the text, and return the cursor.

    DuckDB imports pandas for every bound parameter, which takes longer than all of `quakecast status`.
    """
    return connection.execute(re.sub(r"\$(\w+)", lambda found: _literal(parameters[found[1]]), sql))


def ask_rows(connection: Connection, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Return the rows of such a query as dicts: None for NULL, times aware UTC."""
    cursor = ask(connection, sql, parameters or {})
    names = [str(column[0]) for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


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


@contextmanager
def _asked(path: Path, sql: str, parameters: list[Any] | None) -> Iterator["Connection"]:
    import duckdb

    if not path.exists():
        raise not_published(path)
    connection = open_connection(path, read_only=True)
    try:
        connection.execute("SET enable_external_access = false")
        statements = connection.extract_statements(sql)
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


def none_of_ours(path: Path) -> BadInput:
    """Return the error for a database that another program made."""
    return BadInput(
        f"{path} is a database, but none of quakecast; set QUAKECAST_HOME to the folder of quakecast's own (or QUAKECAST_READ_FROM to a "
        "published copy)"
    )


def not_published(path: Path) -> BadInput:
    """Return the error for a published copy that does not exist."""
    return BadInput(f"there is no published database at {path} yet; make one with `quakecast run` or `quakecast pull`")


_DISK_FULL = ("could not write", "no space left", "quota exceeded", "file too large", "cannot write", "failed to write", "out of disk")


def is_disk_full(error: BaseException) -> bool:
    """Return whether DuckDB failed because the disk is full, whatever class of error it raised."""
    text = str(error).lower()
    return any(words in text for words in _DISK_FULL)


def one_line(error: object) -> str:
    """Return DuckDB's message as one line of at most 400 characters."""
    return re.sub(r"\s+", " ", str(error))[:400]


def read_parquet(path: Path) -> "pd.DataFrame":
    """Return all rows of a Parquet file."""
    import duckdb

    connection = duckdb.connect()
    try:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute("SELECT * FROM read_parquet(?)", [str(path)]).df()
    finally:
        connection.close()
