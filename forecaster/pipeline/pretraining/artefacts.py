"""How each kind of the world's sets is trained, and which model forecasts with it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from forecaster.features.events import Events
from forecaster.models import networks, pretrained
from forecaster.models.cells import cells
from forecaster.models.etas import etas, etas_pooling
from forecaster.models.pooled import pooled, pooled_training
from forecaster.models.pretrained import Pretrained
from forecaster.pipeline.pretraining.trained_sets import Artefact
from forecaster.recipe import Recipe

Teller = Callable[[str], None]
Trained = tuple[dict[str, bytes], dict[str, Any]]
Trainer = Callable[[Events, date, int | None, int | None, Teller], Trained]
EVERY = 25  # circles between two progress lines


def train(
    kind: str, events: Events, until: date, circles: int | None, tell: Teller, code_version: str, seed: int | None = None
) -> Artefact:
    """Train the set of this kind on the earthquakes `events` (known at once) up to the UTC day `until`; later data are not used.

    Args:
        circles, seed: None for the kind's own.

    Raises:
        NotTrainable: too little data.
    """
    files, record = TRAINERS[kind](events, until, circles, seed, tell)
    return Artefact(kind, until, pretrained.with_record(kind, until, files, record | {"code": code_version}))


def _train_etas(events: Events, until: date, circles: int | None, seed: int | None, tell: Teller) -> Trained:
    drawn_with = etas_pooling.SEED if seed is None else seed
    return etas_pooling.pretrain(events, until, circles or etas_pooling.CIRCLES, drawn_with, on_circle=_counted(tell, f"etas to {until}"))


def _train_pooled(events: Events, until: date, circles: int | None, seed: int | None, tell: Teller) -> Trained:
    settings = _chosen(pooled_training.PoolSettings(), circles, seed)
    return pooled_training.pretrain(events, events, until, settings, _counted(tell, f"pooled to {until}"))


def _train_hybrid(events: Events, until: date, circles: int | None, seed: int | None, tell: Teller) -> Trained:
    networks.check()
    from forecaster.models.hybrid import hybrid_training  # TensorFlow takes seconds to import, and only training needs it

    settings = _chosen(hybrid_training.TrainingSettings(), circles, seed)
    told = f"hybrid to {until}"
    return hybrid_training.pretrain(events, events, until, settings, _counted(tell, told), _batches(tell, told))


def _train_cells(events: Events, until: date, circles: int | None, seed: int | None, tell: Teller) -> Trained:
    networks.check()
    from forecaster.models.cells import cells_training

    settings = cells_training.TrainingSettings()
    settings = replace(settings, places=circles or settings.places, seed=settings.seed if seed is None else seed)
    told = f"cells to {until}"
    return cells_training.pretrain(events, until, settings, _counted(tell, told, "places"), _batches(tell, told))


def _chosen(settings: Any, circles: int | None, seed: int | None) -> Any:
    return replace(settings, circles=circles or settings.circles, seed=settings.seed if seed is None else seed)


def _counted(tell: Teller, what: str, counted: str = "circles") -> Callable[[int], None]:
    def on_circle(number: int) -> None:
        if (number + 1) % EVERY == 0:
            tell(f"{what}: {number + 1} {counted}")

    return on_circle


def _batches(tell: Teller, what: str) -> Callable[[int, int], None]:
    def on_step(done: int, steps: int) -> None:
        if done % (EVERY * 4) == 0 or done == steps:
            tell(f"{what}: {done} of {steps} batches")

    return on_step


TRAINERS: dict[str, Trainer] = {"etas": _train_etas, "pooled": _train_pooled, "hybrid": _train_hybrid, "cells": _train_cells}


def model_of(kind: str, recipe: Recipe, world: Pretrained | None) -> Any:
    """Return the model that forecasts for the recipe with this set; None: with the package's parameters of ETAS."""
    if kind == "etas":
        return etas.generic(recipe, world)
    assert world is not None, f"{kind} needs a set"
    if kind == "pooled":
        return pooled.PooledModel(recipe, world)
    if kind == "cells":
        return cells.CellsModel(recipe, world)
    from forecaster.models.hybrid.hybrid import HybridModel

    return HybridModel(recipe, world)


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
