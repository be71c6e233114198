"""Results of an evaluation on disk: fits, daily rows of each (arm, recipe, year, model), failures. Files are complete or absent.

    fits/<kind>_<recipe>_<until>_<key>/     what the model saved, and fit.json: its record, what it was fitted on, how long it took
    results/<arm>_<recipe>_<year>_<model>_<key>.parquet      daily rows
    results/<arm>_<recipe>_<year>_<model>_<key>.failed.json  why there are none
    rungs/<arm>_<recipe>_<key>.parquet      the inputs of each day's ladders

The key is the start of a SHA-256 of everything that determines the content. A file that exists is therefore valid, and a second run skips
it. A file of the same part with another key is superseded, and is deleted once its successor is written.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecaster.errors import CorruptModel, NotWritable
from forecaster.features.events import Events
from forecaster.models.fit_and_load import FittableKind
from forecaster.models.interface import FittedModel
from forecaster.recipe import Recipe
from forecaster.reports.map_files import write_atomic
from forecaster.store.engine.parquet_files import read_parquets, write_parquet

FIT_FILE = "fit.json"
DAILY_ORDER = "arm, recipe_id, local_day, model"


@dataclass(frozen=True)
class Part:
    """One piece of an evaluation; `key` identifies everything that determines its content."""

    arm: str
    recipe_id: str
    year: int
    model: str
    key: str

    @property
    def stem(self) -> str:
        return f"{self.arm}_{self.recipe_id}_{self.year}_{self.model}"


def sha256_of(document: dict[str, Any]) -> str:
    """Return the hex SHA-256 of a JSON-able document in canonical form."""
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":"), default=str).encode()).hexdigest()


def arrays_sha256(*arrays: np.ndarray) -> str:
    """Return the hex SHA-256 of arrays, including types and shapes."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def events_sha256(events: Events) -> str:
    """Return the hex SHA-256 of event versions."""
    return arrays_sha256(*(getattr(events, item.name) for item in fields(events)))


class ResultFolder:
    """The folder given by --out."""

    def __init__(self, folder: Path) -> None:
        """Raises NotWritable where nothing can be written."""
        self.folder = folder
        self.results, self.fits = folder / "results", folder / "fits"
        try:
            for path in (self.results, self.fits):
                path.mkdir(parents=True, exist_ok=True)
            probe = folder / ".write-probe"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise NotWritable(f"cannot write {folder}: {error.strerror}; choose another folder with --out") from None

    def has(self, part: Part) -> bool:
        """Whether exactly this part was done, with rows or with a failure."""
        return self._rows(part).is_file() or self._failure(part).is_file()

    def failure(self, part: Part) -> str | None:
        """Return why the part has no rows; None where it has rows or has not been tried."""
        path = self._failure(part)
        return str(_read_json(path)["reason"]) if path.is_file() else None

    def write_rows(self, part: Part, frame: pd.DataFrame) -> None:
        write_parquet(self._rows(part), frame)
        self._supersede(part, self._rows(part))

    def write_failure(self, part: Part, reason: str) -> None:
        document = {"arm": part.arm, "recipe_id": part.recipe_id, "year": part.year, "model": part.model, "reason": reason}
        write_atomic(self._failure(part), json.dumps(document, ensure_ascii=False, indent=1) + "\n")
        self._supersede(part, self._failure(part))

    def rungs(self, arm: str, recipe_id: str, key: str, make: Callable[[], pd.DataFrame]) -> bool:
        """Store the inputs of the ladders of an arm and recipe; False where they are stored already."""
        path = self.folder / "rungs" / f"{arm}_{recipe_id}_{key[:16]}.parquet"
        if path.is_file():
            return False
        frame = make()
        path.parent.mkdir(exist_ok=True)
        write_parquet(path, frame)
        for other in path.parent.glob(f"{arm}_{recipe_id}_{'[0-9a-f]' * 16}.parquet"):
            if other != path:
                other.unlink(missing_ok=True)
        return True

    def all_rungs(self) -> pd.DataFrame | None:
        """Return all rows of `rungs`, by arm, recipe and day; None where there is none."""
        files = sorted((self.folder / "rungs").glob("[!.]*.parquet"))
        return read_parquets(files, "arm, recipe_id, local_day") if files else None

    def daily(self) -> pd.DataFrame | None:
        """Return all rows of all parts, by arm, recipe, day and model; None where there is none."""
        files = sorted(path for path in self.results.glob("*.parquet") if not path.name.startswith("."))
        return read_parquets(files, DAILY_ORDER) if files else None

    def failures(self) -> list[dict[str, Any]]:
        """Return the failures: arm, recipe_id, year, model, reason."""
        return [_read_json(path) for path in sorted(self.results.glob("*.failed.json"))]

    def fit(self, name: str, kind: FittableKind, recipe: Recipe, make: Callable[[], tuple[FittedModel, dict[str, Any]]]) -> FittedModel:
        """Return the fit of this name: loaded, or made (model, record), saved and loaded again, so that the stored fit forecasts.

        Raises:
            CorruptModel: a stored fit fails its checks; the message names its folder.
        """
        folder = self.fits / name
        if not folder.is_dir():
            model, note = make()
            part = self.fits / f".{name}.part"
            shutil.rmtree(part, ignore_errors=True)
            try:
                part.mkdir()
                record = model.save(part)
                document = {
                    "kind": kind.name,
                    "recipe_id": recipe.id,
                    "last_data_day": model.last_data_day.isoformat(),
                    "record": record,
                    **note,
                }
                (part / FIT_FILE).write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
                part.replace(folder)
            except OSError as error:
                raise NotWritable(f"cannot write {folder}: {error.strerror}; choose another folder with --out") from None
        document = _read_json(folder / FIT_FILE)
        return kind.load(folder, document["record"], recipe)

    def _rows(self, part: Part) -> Path:
        return self.results / f"{part.stem}_{part.key[:16]}.parquet"

    def _failure(self, part: Part) -> Path:
        return self.results / f"{part.stem}_{part.key[:16]}.failed.json"

    def _supersede(self, part: Part, kept: Path) -> None:
        for path in self.results.glob(f"{part.stem}_{'[0-9a-f]' * 16}.*"):  # not those of a kind whose name continues, such as etas_generic
            if path != kept:
                path.unlink(missing_ok=True)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return document
    except (OSError, ValueError) as error:
        raise CorruptModel(f"{path} is not readable JSON ({error}); delete {path.parent} and run again") from None
