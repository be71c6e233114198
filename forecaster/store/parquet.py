"""Parquet files beside the database: written whole by rename, read back in one order. The same rows give the same bytes."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from forecaster.errors import CorruptModel, NotWritable


def write_parquet(path: Path, frame: pd.DataFrame) -> Path:
    """Write `frame` to a temporary name beside `path`, then rename.

    Raises:
        NotWritable: with the path and what the system says; what was at `path` before is left.
    """
    import duckdb

    part = path.with_name(f".{path.name}.part")
    connection = duckdb.connect(config={"threads": 1})
    try:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("rows", frame)
        target = str(part).replace("'", "''")
        connection.execute(f"COPY (SELECT * FROM rows) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
        part.replace(path)
    except (OSError, duckdb.IOException) as error:
        raise NotWritable(f"cannot write {path}: {str(error).splitlines()[0]}; choose a folder that can be written") from None
    finally:
        connection.close()
        part.unlink(missing_ok=True)
    return path


def read_parquets(paths: Sequence[Path], order: str) -> pd.DataFrame:
    """All rows of these files of one shape, sorted by the columns `order` ("a, b"); times are aware UTC.

    Raises:
        CorruptModel: a file that is no whole Parquet file, with what DuckDB says of it.
    """
    import duckdb

    connection = duckdb.connect(config={"threads": 1})
    try:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(f"SELECT * FROM read_parquet(?) ORDER BY {order}", [[str(path) for path in paths]]).df()
    except duckdb.Error as error:
        raise CorruptModel(f"a stored result cannot be read: {str(error).splitlines()[0]}; delete that file and run again") from None
    finally:
        connection.close()
