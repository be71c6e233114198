"""Pre-trained, pooled artefacts. Each is a folder `<kind>-<data_until>/` with `pretrained.json` and its files. Some come with the package;
others were trained and promoted by this installation (`service_periods`).

`data_until` is the last UTC day of any data, input or outcome, used in the training. `pretrained.json` names every file with its SHA-256,
and records the training: circles, seed, code, settings. A file that does not match is not read.
"""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from forecaster.errors import CorruptModel, NotTrainable, NotWritable
from forecaster.files import place_folder
from forecaster.models import service_periods
from forecaster.models.interface import History
from forecaster.models.libraries import library_versions
from forecaster.recipe import Recipe

log = logging.getLogger(__name__)

FORMAT = 1
RECORD_FILE = "pretrained.json"
RECORD_KEYS = ("format", "kind", "data_until", "files", "circles", "seed", "code")
PURGE_DAYS = 16


@dataclass(frozen=True)
class Pretrained:
    """One artefact whose files were checked against `record` (the whole of pretrained.json)."""

    kind: str
    data_until: date
    folder: Path
    record: dict[str, Any]

    @property
    def first_day(self) -> date:
        """The first target day that the artefact may forecast: 16 whole days lie between it and `data_until`."""
        return first_day_after(self.data_until)

    @cached_property
    def sha256(self) -> str:
        """Hash of the files' own hashes, ordered by name. Another training has another hash."""
        return _digest(json.dumps(self.record["files"], sort_keys=True).encode())

    def identity(self) -> dict[str, Any]:
        """What a model directory records of the artefact, JSON-able. `of_identity` finds the artefact by it. The weights stay in the
        package.
        """
        return {"kind": self.kind, "data_until": self.data_until.isoformat(), "sha256": self.sha256}


Found = dict[tuple[str, date, Path | None], Pretrained | None]  # by kind, day and folder, what `newest_before` returned
_found: ContextVar[Found | None] = ContextVar("artefacts that are looked up once", default=None)


@dataclass(frozen=True)
class ModelOnSet:
    """What the models of one recipe that forecast with an artefact, unchanged, have in common."""

    recipe: Recipe
    pretrained: Pretrained

    @property
    def last_data_day(self) -> date:
        """The last UTC day of any data that entered the training."""
        return self.pretrained.data_until

    def save(self, folder: Path) -> dict[str, Any]:
        """The record that `load` needs. The weights stay in the package, and no file is written."""
        return self.pretrained.identity()


def packaged() -> Path:
    """The folder of the artefacts that come with the package."""
    return Path(str(resources.files("forecaster.models").joinpath("data")))


def first_day_after(last_data_day: date) -> date:
    """The first target day that may be forecast with data that end with `last_data_day`: a purge of 16 days lies between the two."""
    return last_data_day + timedelta(days=PURGE_DAYS + 1)


def newest_before(kind: str, day: date, folder: Path | None = None) -> Pretrained | None:
    """The newest artefact of `kind` that may forecast the target `day`. None where every artefact was trained on later data, or there is
    none.

    Of the artefacts trained by this installation only those in service on that day are considered. If one of them is damaged, the next is
    used and the log reports the damage.

    Args:
        folder: look only in this folder, and ignore the artefacts of this installation.

    Raises:
        CorruptModel: the package's artefact does not match its pretrained.json.
    """
    found = _found.get()
    if found is None:
        return _newest_before(kind, day, folder)
    key = kind, day, folder
    if key not in found:
        found[key] = _newest_before(kind, day, folder)
    return found[key]


@contextmanager
def found_once(found: Found) -> Iterator[None]:
    """Within the block, look up and check the artefact of a kind and a day once; it is kept in `found` for the blocks that share it.

    Recipes by the thousand ask for the same artefacts, and their files are hashed each time.
    """
    token = _found.set(found)
    try:
        yield
    finally:
        _found.reset(token)


def _newest_before(kind: str, day: date, folder: Path | None) -> Pretrained | None:
    fitting = [(until, path) for until, path in dated(kind, folder or packaged()) if first_day_after(until) <= day]
    newest = max(fitting, default=None)
    for period in service_periods.on_day(kind, day) if folder is None else ():
        if first_day_after(period.data_until) <= day and (newest is None or period.data_until > newest[0]):
            try:
                return of_period(period)
            except CorruptModel as error:
                _log_once(str(error))
    return None if newest is None else load_pretrained(newest[1])


def newest_for(kind: str, history: History) -> Pretrained:
    """The newest artefact of `kind` that was trained on no data after the last day of `history`.

    Raises:
        NotTrainable: every artefact was trained on later days.
    """
    recipe, last_day = history.recipe, history.last_day
    found = newest_before(kind, first_day_after(last_day))
    if found is None:
        raise NotTrainable(
            f"{recipe.id}: no pre-trained {kind} ends by {last_day}; fit on a later history, or train one "
            f"(deployments/data/pretrain_{kind}.py)"
        )
    return found


def of_identity(kind: str, folder: Path, record: Mapping[str, Any]) -> Pretrained:
    """The artefact that the model directory `folder` was made with, according to its `record`.

    Raises:
        CorruptModel: the record is not a valid one, or its artefact is not in this installation.
    """
    try:
        until, sha256 = date.fromisoformat(record["data_until"]), record["sha256"]
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptModel(f"{folder}: no record of a {kind} model ({error!r}); train again") from error
    for period in service_periods.all_periods():
        if (period.kind, period.data_until, period.sha256) == (kind, until, sha256):
            return of_period(period)
    found = of_data_until(kind, until)
    if found.sha256 != sha256:
        raise CorruptModel(f"{folder}: made from another {kind}-{until} than that of this installation; train again")
    return found


def of_period(period: service_periods.ServicePeriod) -> Pretrained:
    """The artefact of this installation for this service period.

    Raises:
        CorruptModel: the artefact is missing, damaged, or not the one that was promoted.
    """
    found = load_pretrained(period.folder, "run `quakecast pretrain`")
    if found.sha256 != period.sha256:
        raise CorruptModel(f"{period.folder} is another training than the one that was chosen; run `quakecast pretrain`")
    return found


def of_data_until(kind: str, data_until: date, folder: Path | None = None) -> Pretrained:
    """The artefact of `kind` whose data end with exactly this day.

    Raises:
        CorruptModel: there is none, or it does not match its pretrained.json.
    """
    return load_pretrained((folder or packaged()) / f"{kind}-{data_until}")


def load_pretrained(folder: Path, remedy: str = "install quakecast again") -> Pretrained:
    """The artefact in this folder, with every file checked. remedy: what to do if it is damaged, for the error message.

    Raises:
        CorruptModel: a file is missing or does not match its hash, or the record is not a valid one or belongs to another folder.
    """
    path = folder / RECORD_FILE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CorruptModel(f"{path} cannot be read ({error}); {remedy}") from error
    missing = [key for key in RECORD_KEYS if key not in record] if isinstance(record, dict) else list(RECORD_KEYS)
    if missing:
        raise CorruptModel(f"{path} lacks {', '.join(missing)}; {remedy}")
    if record["format"] != FORMAT or folder.name != f"{record['kind']}-{record['data_until']}":
        raise CorruptModel(
            f"{path} says {record['kind']!r} to {record['data_until']}, format {record['format']!r}, and does not belong in {folder.name} "
            f"(format {FORMAT}); {remedy}"
        )
    for name, expected in record["files"].items():
        try:
            found = _digest((folder / name).read_bytes())
        except OSError as error:
            raise CorruptModel(f"{folder / name} cannot be read ({error.strerror}); {remedy}") from error
        if found != expected:
            raise CorruptModel(
                f"{folder / name} is not the file of the training: its SHA-256 is {found[:12]}…, not {expected[:12]}…; {remedy}"
            )
    return Pretrained(record["kind"], date.fromisoformat(record["data_until"]), folder, record)


def write_pretrained(folder: Path, kind: str, data_until: date, files: Mapping[str, bytes], record: Mapping[str, Any]) -> Pretrained:
    """Write `files` and pretrained.json into `folder/<kind>-<data_until>` (created if needed), then load the artefact and return it.

    record: JSON-able; must hold circles, seed and code (ValueError otherwise: a bug in quakecast).

    Raises:
        NotWritable: the folder cannot be written.
    """
    whole = with_record(kind, data_until, files, record)
    target = folder / f"{kind}-{data_until}"
    try:
        place_folder(target, whole)
    except OSError as error:
        raise NotWritable(f"cannot write {target}: {error.strerror or error}; choose a folder that can be written") from error
    return load_pretrained(target)


def with_record(kind: str, data_until: date, files: Mapping[str, bytes], record: Mapping[str, Any]) -> dict[str, bytes]:
    """The whole content of an artefact's folder: `files`, and pretrained.json with their hashes; `record` as for `write_pretrained`."""
    whole = {
        "format": FORMAT,
        "kind": kind,
        "data_until": data_until.isoformat(),
        "files": {name: _digest(content) for name, content in sorted(files.items())},
        "versions": library_versions(),
    } | dict(record)
    if missing := [key for key in RECORD_KEYS if key not in whole]:
        raise ValueError(f"the record of an artefact needs {', '.join(missing)}")
    text = json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False)
    return {**files, RECORD_FILE: (text + "\n").encode("utf-8")}


def files_sha256(files: Mapping[str, bytes]) -> str:
    """`Pretrained.sha256` of the content that `with_record` gave."""
    return _digest(json.dumps(json.loads(files[RECORD_FILE])["files"], sort_keys=True).encode())


def dated(kind: str, folder: Path) -> Iterator[tuple[date, Path]]:
    """(data_until, folder) of each artefact of `kind` in `folder`, read from its name alone; its files are not checked."""
    for path in folder.glob(f"{kind}-*"):
        try:
            yield date.fromisoformat(path.name.removeprefix(f"{kind}-")), path
        except ValueError:
            continue


@lru_cache(maxsize=64)
def _log_once(problem: str) -> None:
    """Log the damage once: a damaged artefact is looked at for each recipe and day."""
    log.error("%s; an older one stands in", problem)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
