"""Exports of all tables as Parquet files. The same rows give the same bytes."""

import hashlib
import json
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from forecaster.errors import NotWritable
from forecaster.store.database import Store
from forecaster.store.engine import table_names
from forecaster.store.engine.parquet_files import write_tables
from forecaster.store.migrating import schema_of

MANIFEST = "quakecast.json"
_VERSION = re.compile(r"[0-9a-f]{16}")
_NEW = ".new-"
_KEPT_S = 86_400.0


@dataclass(frozen=True)
class Exported:
    """A complete export: the folder that was requested, the name of the version in it, rows by table."""

    folder: Path
    version: str
    tables: dict[str, int]


def is_version(name: object) -> bool:
    """Return whether this is the name of a version's folder."""
    return isinstance(name, str) and _VERSION.fullmatch(name) is not None


def export_tables(store: Store, folder: Path) -> Exported:
    """Export all tables of one moment as `folder`/<version>/<table>.parquet. `folder`/quakecast.json, written last, names the present
    version.

    A version's name is the SHA-256 of its files, so exporting the same store again changes nothing. The version before is kept for readers
    that still use it, and so is every other one for a day. When the export is copied to object storage, quakecast.json must come last
    there, too.

    Raises:
        NotWritable: the folder cannot be written or the disk is full; the export that was there stays.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=_NEW, dir=folder, ignore_cleanup_errors=True) as temporary:
            made = Path(temporary) / "made"
            made.mkdir()
            schema, tables = _write_tables(store, made)
            version = _digest(made)
            if not (folder / version).is_dir():
                made.rename(folder / version)
            _write_manifest(folder, version, schema, tables)
    except OSError as error:
        raise NotWritable(f"cannot export to {folder}: {error.strerror or error}; choose a folder that can be written") from None
    return Exported(folder, version, tables)


def _write_tables(store: Store, made: Path) -> tuple[int, dict[str, int]]:
    """Return (number of the schema, rows by table). Rows keep the order in which they were stored, which the schema's macros depend on."""
    with store.transaction() as connection:
        return schema_of(connection), write_tables(connection, table_names(connection), made)


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            digest.update(f"{path.name}\0".encode() + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def _write_manifest(folder: Path, version: str, schema: int, tables: dict[str, int]) -> None:
    """Point the manifest to `version`, then remove versions that nobody reads any more."""
    manifest = folder / MANIFEST
    try:
        before = json.loads(manifest.read_text(encoding="utf-8"))
        previous = before["version"] if before["version"] != version else before["previous"]
    except (OSError, ValueError, KeyError, TypeError):
        previous = None
    text = json.dumps({"version": version, "previous": previous, "schema": schema, "tables": tables}, indent=2)
    part = folder / f".{MANIFEST}.{os.getpid()}.part"
    with part.open("w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(manifest)
    newest = manifest.stat().st_mtime
    for entry in folder.iterdir():
        ours = is_version(entry.name) or entry.name.startswith(_NEW)
        if ours and entry.name not in (version, previous) and newest - entry.stat().st_mtime > _KEPT_S:
            shutil.rmtree(entry, ignore_errors=True)
