"""Where workers read: the published copy, or exported Parquet files in a folder or on object storage. Neither needs write access.

A transaction of either sees one state of the store from its beginning to its end, even while a run publishes the next.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from forecaster.errors import BadInput, SchemaTooNew, StoreError
from forecaster.settings import Settings
from forecaster.store import migrating
from forecaster.store.database import Store, none_of_ours, not_published
from forecaster.store.engine import LOCK_WAIT_S, Connection, begin_reading, open_connection
from forecaster.store.engine.parquet_files import exported, read_text, tables_from_files
from forecaster.store.sharing.parquet import MANIFEST, is_version

REMOTE = ("http", "https", "s3", "s3a", "s3n", "gs", "gcs", "r2")
ROWS_IN_ORDER = ("event_merge", "event_revision")  # their rowid is used by the schema's macros


def open_source(settings: Settings) -> Store:
    """Return the source that QUAKECAST_READ_FROM names, after a first look into it; the published copy where it names nothing.

    Raises:
        BadInput: there is nothing at that place, quakecast did not write it, or what is needed to reach it is not installed.
        SchemaTooNew: a newer quakecast wrote it. StoreUnreachable: it cannot be reached now.
    """
    source = named_source(settings)
    with source.transaction():
        return source


def named_source(settings: Settings) -> Store:
    """Return the same source unopened: its first transaction raises what `open_source` raises.

    Raises:
        BadInput: QUAKECAST_READ_FROM names no place of a known kind.
    """
    address = settings.read_from.rstrip("/")
    scheme = urlsplit(address).scheme.lower()
    if scheme in REMOTE:
        if "@" in urlsplit(address).netloc:
            raise BadInput(
                "QUAKECAST_READ_FROM holds a user or a password; leave it out, keys are read from AWS_ACCESS_KEY_ID and its like"
            )
        return ParquetExport(Path(MANIFEST), address)
    if "://" in address:
        raise BadInput(f"QUAKECAST_READ_FROM = {address}: {scheme} is none of {', '.join(REMOTE)}, a folder, or a published copy")
    if not address or address.endswith(".duckdb"):
        return PublishedCopy(Path(address) if address else settings.published)
    return ParquetExport(Path(address) / MANIFEST, address)


@contextmanager
def one_reading(source: Store) -> Iterator[Store]:
    """Yield the source in its present state for several queries in a row. They share a connection and see the same state.

    Raises:
        As a transaction of the source.
    """
    with source.transaction() as connection:
        yield _OneReading(source.path, connection)


@dataclass(frozen=True)
class _OneReading(Store):
    connection: Connection

    @contextmanager
    def transaction(self, wait_s: float = LOCK_WAIT_S) -> Iterator[Connection]:
        """Yield the open transaction."""
        yield self.connection


@dataclass(frozen=True)
class PublishedCopy(Store):
    """A copy of the database, opened for reading only. Any number of threads and processes may read it."""

    @contextmanager
    def transaction(self, wait_s: float = LOCK_WAIT_S) -> Iterator[Connection]:
        """Yield a connection for reading inside one transaction.

        Raises:
            BadInput: there is no copy, or an older quakecast wrote it. SchemaTooNew: a newer one did. StoreError: it is no database.
        """
        if not self.path.is_file():
            raise self.missing()
        connection = open_connection(self.path, read_only=True, wait_s=wait_s)
        try:
            schema = migrating.schema_of(connection)
            if schema == 0:
                raise none_of_ours(self.path)
            _check_schema(schema, str(self.path))
            begin_reading(connection)
            yield connection
        finally:
            connection.close()

    def missing(self) -> BadInput:
        """Return the error for a file that does not exist."""
        return not_published(self.path)

    def copy_file(self, target: Path) -> None:
        """Refuse the call: a copy is made of the store, not of a copy."""
        raise StoreError(f"{self.path} is for reading; publish from the database itself")


class LookedAt(PublishedCopy):
    """The database of an installation, opened for reading only. Nothing of it is changed, and a read waits for a writer."""

    def missing(self) -> BadInput:
        return BadInput(
            f"there is no database at {self.path} yet; make one with `quakecast run` or `quakecast pull`, or set QUAKECAST_HOME to the "
            "folder of another"
        )


@dataclass(frozen=True)
class ParquetExport(Store):
    """An export that `parquet.export_tables` wrote at `address`, a folder or a URL. `path` is the manifest, where that is local.

    Each transaction is an in-memory DuckDB with the present schema, whose tables are views of the files. So macros and views of the schema
    work as in the store itself.
    """

    address: str

    @contextmanager
    def transaction(self, wait_s: float = LOCK_WAIT_S) -> Iterator[Connection]:
        """Yield a connection for reading inside one transaction. `wait_s` is unused: an export has no lock.

        Raises:
            BadInput: there is no export at the address, or DuckDB lacks what it needs to reach it.
            SchemaTooNew: a newer quakecast wrote it. StoreUnreachable: it cannot be read now.
        """
        with exported(self.address, remote=urlsplit(self.address).scheme in REMOTE) as connection:
            manifest = self._manifest(connection)
            migrating.make_current(connection, comments=False)
            tables_from_files(connection, f"{self.address}/{manifest['version']}", set(manifest["tables"]), ROWS_IN_ORDER)
            begin_reading(connection)
            yield connection

    def copy_file(self, target: Path) -> None:
        """Refuse the call: a copy is made of the store, not of an export."""
        raise StoreError(f"{self.address} is for reading; publish from the database itself")

    def _manifest(self, connection: Connection) -> dict[str, Any]:
        """Return the manifest of the present export."""
        missing = BadInput(f"there is no export of quakecast at {self.address} (no {MANIFEST}); make one with `quakecast export --parquet`")
        address = f"{self.address}/{MANIFEST}"
        if urlsplit(self.address).scheme not in REMOTE and not Path(address).is_file():
            raise missing
        text = read_text(connection, address)
        if text is None:
            raise missing
        try:
            manifest: dict[str, Any] = json.loads(text)
            whole = is_version(manifest["version"]) and isinstance(manifest["tables"], dict)
            schema = int(manifest["schema"])
        except (ValueError, TypeError, KeyError):
            whole, schema = False, 0
        if not whole:
            raise BadInput(f"{address} is no manifest of quakecast; QUAKECAST_READ_FROM must name an export or a published copy")
        _check_schema(schema, self.address)
        return manifest


def _check_schema(schema: int, where: str) -> None:
    known = migrating.newest_schema()
    found = f"{where} has schema {schema}, this quakecast needs {known}"
    if schema < known:
        raise BadInput(f"{found}: an older version wrote it; run `quakecast migrate`, or export it again, with this version")
    if schema > known:
        raise SchemaTooNew(f"{found}: a newer version wrote it; upgrade quakecast here")
