"""Artefacts: sets in transportable form. How they are trained, unpacked into a folder, and packed again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from forecaster.features.events import Events
from forecaster.models import fit_and_load, pretrained
from forecaster.models.pretrained import Pretrained
from forecaster.models.training_progress import Teller


@dataclass(frozen=True)
class Artefact:
    """A set in transportable form: the files of its folder, including pretrained.json, by relative path."""

    kind: str
    data_until: date
    files: Mapping[str, bytes]

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"{self.kind}-{self.data_until}"

    @property
    def sha256(self) -> str:
        """As `Pretrained.sha256`."""
        return pretrained.files_sha256(self.files)


def train(
    kind: str, events: Events, until: date, circles: int | None, tell: Teller, code_version: str, seed: int | None = None
) -> Artefact:
    """Train the set of this kind on the earthquakes `events` (known at once) up to the UTC day `until`; later data are not used.

    Args:
        circles, seed: None for the kind's own.

    Raises:
        NotTrainable: too little data.
    """
    files, record = fit_and_load.pretrain(kind, events, until, circles, seed, tell)
    return Artefact(kind, until, pretrained.with_record(kind, until, files, record | {"code": code_version}))


class Unpacked:
    """Unpack sets into a temporary folder for the duration of a block: `with Unpacked() as unpack: unpack(artefact)`."""

    def __enter__(self) -> Callable[[Artefact], Pretrained]:
        self._folder = TemporaryDirectory(prefix="quakecast-world-", ignore_cleanup_errors=True)
        return self._unpack

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def _unpack(self, artefact: Artefact) -> Pretrained:
        place = Path(self._folder.name) / artefact.sha256[:16] / artefact.name
        place.mkdir(parents=True, exist_ok=True)  # two sets may be the same
        for name, content in artefact.files.items():
            (place / name).write_bytes(content)
        return pretrained.load_pretrained(place, "run `quakecast pretrain`")


def packed(found: Pretrained) -> Artefact:
    """Return a set on this machine's disk in transportable form."""
    names: Mapping[str, str] = found.record["files"]
    files = {name: (found.folder / name).read_bytes() for name in [*names, pretrained.RECORD_FILE]}
    return Artefact(found.kind, found.data_until, files)
