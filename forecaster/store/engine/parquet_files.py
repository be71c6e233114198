"""Parquet files: written, read, and asked as if they were tables of a database. DuckDB does it, as a library."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecaster.errors import BadInput, CorruptModel, NotWritable, StoreUnreachable
from forecaster.store.engine import Connection, one_line

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

HTTPFS = "duckdb_extension_httpfs"
NOT_FOUND = 404


@contextmanager
def _in_memory(threads: int | None = None) -> Iterator["duckdb.DuckDBPyConnection"]:
    import duckdb

    connection = duckdb.connect(config={"threads": threads} if threads else {})
    try:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection
    finally:
        connection.close()


def read_parquet(path: Path) -> "pd.DataFrame":
    """Return all rows of a Parquet file."""
    with _in_memory() as connection:
        return connection.execute("SELECT * FROM read_parquet(?)", [str(path)]).df()


def read_parquets(paths: Sequence[Path], order: str) -> "pd.DataFrame":
    """Return all rows of these files, sorted by the columns `order` ("a, b"), NULL where a file lacks a column; times are aware UTC.

    Raises:
        CorruptModel: a file that is no whole Parquet file, with what DuckDB says of it.
    """
    import duckdb

    with _in_memory(threads=1) as connection:
        try:
            return connection.execute(
                f"SELECT * FROM read_parquet(?, union_by_name => true) ORDER BY {order}", [[str(path) for path in paths]]
            ).df()
        except duckdb.Error as error:
            raise CorruptModel(f"a stored result cannot be read: {str(error).splitlines()[0]}; delete that file and run again") from None


def write_parquet(path: Path, frame: "pd.DataFrame") -> Path:
    """Write `frame` to a temporary name beside `path`, then rename. The same rows give the same bytes.

    Raises:
        NotWritable: with the path and what the system says; what was at `path` before is left.
    """
    import duckdb

    part = path.with_name(f".{path.name}.part")
    try:
        with _in_memory(threads=1) as connection:
            connection.register("rows", frame)
            connection.execute(f"COPY (SELECT * FROM rows) TO {_quoted(part)} (FORMAT parquet, COMPRESSION zstd)")
        part.replace(path)
    except (OSError, duckdb.IOException) as error:
        raise NotWritable(f"cannot write {path}: {str(error).splitlines()[0]}; choose a folder that can be written") from None
    finally:
        part.unlink(missing_ok=True)
    return path


def write_tables(connection: Connection, tables: Sequence[str], folder: Path) -> dict[str, int]:
    """Write each table as `folder`/<table>.parquet, and return how many rows. They keep the order in which they were stored.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    import duckdb

    connection.execute("SET preserve_insertion_order = true; SET threads = 1")
    try:
        return {
            table: connection.execute(
                f"COPY {table} TO {_quoted(folder / f'{table}.parquet')} (FORMAT parquet, COMPRESSION zstd)"
            ).fetchall()[0][0]
            for table in tables
        }
    except duckdb.IOException as error:
        raise OSError(one_line(error)) from None


@contextmanager
def exported(address: str, *, remote: bool) -> Iterator[Connection]:
    """Yield an in-memory database for the export at `address`, a folder or a URL.

    Raises:
        BadInput: DuckDB lacks what it needs to reach it. StoreUnreachable: it cannot be read now.
    """
    import duckdb

    with _in_memory() as connection:
        try:
            connection.execute("SET enable_progress_bar = false; SET autoinstall_known_extensions = false")
            if remote:
                _load_httpfs(connection, address)
            yield connection
        except duckdb.IOException as error:
            raise StoreUnreachable(f"cannot read {address} ({one_line(error)}); try again") from None


def read_text(connection: Connection, address: str) -> str | None:
    """Return the text of a file or URL; None where the server says that there is none."""
    import duckdb

    try:
        text: str = connection.execute("SELECT content FROM read_text(?)", [address]).fetchall()[0][0]
    except duckdb.HTTPException as error:
        if getattr(error, "status_code", None) == NOT_FOUND:
            return None
        raise
    return text


def tables_from_files(connection: Connection, folder: str, there: set[str], in_order: Sequence[str]) -> None:
    """Replace all tables by views of the Parquet files, with the same columns and types.

    A view has no rowid. Tables of `in_order` get the row's place in the file in its stead: the order in which the rows were stored.

    Raises:
        BadInput: a table is not `there`. StoreUnreachable: a file is no whole Parquet file.
    """
    import duckdb

    columns = connection.execute(
        "SELECT table_name, string_agg(format('CAST(\"{0}\" AS {1}) AS \"{0}\"', column_name, data_type), ', ' ORDER BY column_index) "
        "FROM duckdb_columns() WHERE table_name IN (SELECT table_name FROM duckdb_tables()) GROUP BY 1"
    ).fetchall()
    if lacking := sorted({table for table, _ in columns} - there):
        raise BadInput(f"the export in {folder} lacks {', '.join(lacking)}; export again")
    for table, cast in columns:
        place = ", file_row_number AS rowid" if table in in_order else ""
        file = f"read_parquet({_quoted(f'{folder}/{table}.parquet')}, file_row_number = true)"
        try:
            connection.execute(f"DROP TABLE {table}; CREATE VIEW {table} AS SELECT {cast}{place} FROM {file}")
        except duckdb.InvalidInputException as error:
            raise StoreUnreachable(f"{folder}/{table}.parquet is no whole Parquet file ({one_line(error)}); export again") from None


def _load_httpfs(connection: Connection, address: str) -> None:
    """Load DuckDB's extension for remote files, installed by DuckDB or from the wheel of the very same version. Nothing is downloaded."""
    import duckdb

    wheel = util.find_spec(HTTPFS)
    shipped = [Path(folder) / "extensions" / f"v{duckdb.__version__}" / "httpfs.duckdb_extension" for folder in _folders(wheel)]
    for name in ["httpfs", *(f"'{path}'" for path in shipped if path.is_file())]:
        try:
            connection.execute(f"LOAD {name}")
            return
        except duckdb.Error:
            continue
    raise BadInput(
        f"reading {address} needs DuckDB's extension httpfs {duckdb.__version__}, which is not installed here; install the package "
        f"duckdb-extension-httpfs=={duckdb.__version__}, or run INSTALL httpfs in DuckDB once, or set QUAKECAST_READ_FROM to a folder"
    )


def _folders(spec: Any) -> list[str]:
    return list(spec.submodule_search_locations or []) if spec is not None else []


def _quoted(path: Path | str) -> str:
    return "'" + str(path).replace("'", "''") + "'"
