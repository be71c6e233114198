"""Model directories: `<models>/<recipe_id>/<model_id>/` holds `model.json` and the weights that the kind writes, never as a pickle.

A model may be fitted in one place and kept in another. `pack_model` returns a directory's content. `place_model` writes it under a
temporary name and renames it, so that the directory is either complete or absent. `model.json` records what was fitted on which data, and
the SHA-256 of every other file. A file that does not match its hash is not loaded.
"""

import hashlib
import json
import math
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from forecaster.errors import BadInput, CorruptModel, NotWritable
from forecaster.files import NEW, REPLACED, leftovers, place_folder, remove
from forecaster.models.fit_and_load import kind_named
from forecaster.models.interface import FittedModel
from forecaster.models.libraries import library_versions
from forecaster.recipe import Recipe
from forecaster.timewindow import require_utc

FORMAT = 2
RECORD_FILE = "model.json"
RECORD_KEYS = {
    "kind": str,
    "model_id": str,
    "recipe_id": str,
    "recipe_hash": str,
    "data_as_of": str,
    "last_data_day": str,
    "files": dict,
    "record": dict,
}


@dataclass(frozen=True)
class StoredModel:
    """A checked model directory and the model in it. `record` is the whole of its model.json."""

    directory: Path
    record: dict[str, Any]
    model: FittedModel

    @property
    def model_id(self) -> str:
        return str(self.record["model_id"])


def pack_model(
    recipe: Recipe,
    fitted: FittedModel,
    *,
    data_as_of: datetime,
    seed: int,
    code_version: str,
    scores: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """(record, files): the content of a model directory for `fitted`, by path, and the record for its model.json.

    The model is written to a temporary folder and loaded once, to prove that it can be; the folder is then removed.

    The id is `<recipe>-<kind>-<day of data_as_of>-<8 hex>`. The hash covers everything that determines the model: recipe, data, seed, and
    the kind's record without its "training" entry, which only describes how the training went.

    Args:
        data_as_of: aware UTC; the fit was given what was known at this time.
        code_version: quakecast's own, for the record.
        scores: measured by the caller; values that are not finite become null.

    Raises:
        NotWritable: the folder for temporary files cannot be written.
        CorruptModel: what the model wrote cannot be loaded.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="quakecast-model-", ignore_cleanup_errors=True) as temporary:
            made = Path(temporary)
            record = {
                "format": FORMAT,
                "kind": fitted.kind,
                "recipe_id": recipe.id,
                "recipe_hash": recipe.recipe_hash,
                "data_as_of": require_utc(data_as_of, "data_as_of").isoformat(),
                "last_data_day": fitted.last_data_day.isoformat(),
                "seed": seed,
                "record": _finite(fitted.save(made)),
            }
            fixed = record | {"record": {key: value for key, value in record["record"].items() if key != "training"}}
            digest = hashlib.sha256(json.dumps(fixed, sort_keys=True, allow_nan=False).encode()).hexdigest()
            record |= {
                "model_id": f"{recipe.id}-{fitted.kind}-{data_as_of:%Y%m%d}-{digest[:8]}",
                "files": _file_hashes(made),
                "scores": _finite(scores or {}),
                "versions": {"quakecast": code_version, **library_versions()},
            }
            text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)
            (made / RECORD_FILE).write_text(text + "\n", encoding="utf-8")
            load_model(made, recipe)
            return record, {name: (made / name).read_bytes() for name in [*record["files"], RECORD_FILE]}
    except OSError as error:
        raise NotWritable(
            f"cannot write a model of kind {fitted.kind} under {tempfile.gettempdir()}: {error.strerror or error}; free some space "
            "there, or set TMPDIR to a folder that can be written"
        ) from error


def place_model(models: Path, files: Mapping[str, bytes]) -> Path:
    """Write a packed directory to its place under `models`, either completely or not at all. An existing one with the same id is replaced.

    Raises:
        CorruptModel: a file does not match the record, or would lie outside the directory; nothing is written.
        NotWritable: the folder cannot be written.
    """
    record = _parsed_record(files.get(RECORD_FILE, b""), "a model that arrived", "train it again")
    found = {name: hashlib.sha256(content).hexdigest() for name, content in files.items() if name != RECORD_FILE}
    parts = [record["recipe_id"], record["model_id"], *(part for name in files for part in name.split("/"))]
    if found != record["files"] or any(part in ("", ".", "..") or "/" in part or "\\" in part for part in parts):
        raise CorruptModel(f"{record['model_id']} did not arrive as it was sent: its files are not those of its record; train it again")
    target = models / str(record["recipe_id"]) / str(record["model_id"])
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        clear_leftovers(models)
        place_folder(target, files)
    except OSError as error:
        raise NotWritable(
            f"cannot write a model of kind {record['kind']} under {target.parent}: {error.strerror or error}; choose a folder that can be "
            "written"
        ) from error
    return target


def clear_leftovers(models: Path) -> None:
    """Remove what killed processes left partly written below `models`. If such a process had moved a model aside to replace it, put it
    back.
    """
    for left in leftovers(models.glob(f"*/{NEW}*")):
        kept = left / REPLACED
        if kept.is_dir():
            with suppress(OSError, CorruptModel):  # another process did the same, or the directory is not a model
                target = left.parent / str(_read_record(kept)["model_id"])
                if not target.exists():
                    kept.rename(target)
        remove(left)


def load_model(directory: Path, recipe: Recipe) -> StoredModel:
    """The model in `directory`, loaded only for the recipe that it was fitted for.

    Raises:
        CorruptModel: a file is missing, changed or added, the record is not a valid one, its kind is not installed, the recipe is another
            one, or the recipe has changed since.
    """
    record = _read_record(directory)
    if record["recipe_id"] != recipe.id or record["recipe_hash"] != recipe.recipe_hash:
        raise CorruptModel(
            f"{directory} was fitted for {record['recipe_id']} {record['recipe_hash'][:12]}, the recipe is now {recipe.id} "
            f"{recipe.recipe_hash[:12]}; train again"
        )
    found = _file_hashes(directory)
    for name in sorted({*found, *record["files"]}):
        if found.get(name) != record["files"].get(name):
            what = "is missing" if name not in found else "is none of its files" if name not in record["files"] else "was changed"
            raise CorruptModel(f"{directory / name} {what}, says the SHA-256 in {RECORD_FILE}; delete the folder and train again")
    try:
        model = kind_named(record["kind"]).load(directory, record["record"], recipe)
        last = date.fromisoformat(record["last_data_day"])
    except (BadInput, ValueError) as error:
        raise CorruptModel(f"{directory}: {error}") from error
    if (model.kind, model.last_data_day) != (record["kind"], last):
        raise CorruptModel(
            f"{directory} holds a model of kind {model.kind} with data to {model.last_data_day}, {RECORD_FILE} says {record['kind']} to "
            f"{last}; delete the folder and train again"
        )
    return StoredModel(directory, record, model)


def _read_record(directory: Path) -> dict[str, Any]:
    path = directory / RECORD_FILE
    if not path.is_file():
        raise CorruptModel(f"{directory} has no {RECORD_FILE}; delete the folder and train again")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CorruptModel(f"{path} cannot be read ({error.strerror}); delete the folder and train again") from error
    return _parsed_record(content, str(path), "delete the folder and train again")


def _parsed_record(content: bytes, where: str, remedy: str) -> dict[str, Any]:
    try:
        record = json.loads(content.decode("utf-8"))
    except ValueError as error:
        raise CorruptModel(f"{where} is not readable JSON ({error}); {remedy}") from error
    if not isinstance(record, dict):
        raise CorruptModel(f"{where} is not an object; {remedy}")
    if record.get("format") != FORMAT:
        raise CorruptModel(f"{where} is of format {record.get('format')!r}, this version reads format {FORMAT}; train again")
    if wrong := [key for key, form in RECORD_KEYS.items() if not isinstance(record.get(key), form)]:
        raise CorruptModel(f"{where} lacks {', '.join(wrong)}; {remedy}")
    return record


def _file_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below `folder` except the record, by its relative path."""
    hashes = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path != folder / RECORD_FILE:
            with path.open("rb") as file:
                hashes[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return hashes


def _finite(value: Any) -> Any:
    """`value` with null in place of numbers that JSON cannot represent (NaN, infinity), through dicts, lists and tuples."""
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, np.generic):
        return _finite(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
