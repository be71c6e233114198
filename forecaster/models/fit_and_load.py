"""Fit and load each kind of `forecaster.registry.model_kinds`. Modules are imported at first use, because some are slow to import."""

import hashlib
from dataclasses import dataclass
from datetime import date
from importlib import import_module, util
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from forecaster.errors import BadInput, NotInstalled, NotTrainable
from forecaster.features.events import Events
from forecaster.models import networks
from forecaster.models.interface import FittedModel, History
from forecaster.models.pretrained import Pretrained
from forecaster.models.training_progress import Teller
from forecaster.recipe import Recipe
from forecaster.registry.model_kinds import KINDS, Kind


class Fitter(Protocol):
    """The function of a kind's module that fits a model. None as seed means the model's own seed; None as limit means no limit."""

    def __call__(self, history: History, *, seed: int | None = None, max_minutes: float | None = None) -> FittedModel: ...


class Pretrainer(Protocol):
    """The function `pretrain_set` of a kind's `pretrainer`: trains on `events` (known at once) up to the UTC day `until`.

    Returns (files, record) of an artefact, as `pretrained.with_record` takes them. circles: places to train on; seed; None for the kind's
    own. Progress goes to `tell`.
    """

    def __call__(
        self, events: Events, until: date, circles: int | None, seed: int | None, tell: Teller
    ) -> tuple[dict[str, bytes], dict[str, Any]]: ...


@dataclass(frozen=True)
class FittableKind(Kind):
    """A kind with its functions for fitting and loading, and the fingerprint that its stored results depend on."""

    def unusable(self) -> str | None:
        """Why this installation can neither fit the kind nor forecast with it, in one line. None where it can."""
        return networks.why_none() if self.tensorflow else None

    def imported(self) -> ModuleType:
        """The module of the kind. The import may take seconds.

        Raises:
            NotInstalled: this installation lacks a library that the module needs.
        """
        if (reason := self.unusable()) is not None:
            raise NotInstalled(reason)
        try:
            return import_module(self.module)
        except ImportError as error:
            if not self.tensorflow:
                raise
            text = " ".join(str(error).split())[:200]
            raise NotInstalled(f"TensorFlow is here and cannot be imported ({text}); install it again") from error

    def fit(self, history: History, *, seed: int | None = None, max_minutes: float | None = None) -> FittedModel:
        """A model fitted on all days of `history`.

        Raises:
            NotTrainable: too few days or target days, or the recipe's magnitude threshold is too small for this kind.
            NotInstalled: this installation lacks a library that the kind needs.
        """
        if (reason := self.unable(history.recipe.threshold_mag)) is not None:
            raise NotTrainable(f"{history.recipe.id}: {reason}")
        fitter: Fitter = getattr(self.imported(), self.fitter)
        return fitter(history, seed=seed, max_minutes=max_minutes)

    def load(self, folder: Path, record: dict[str, Any], recipe: Recipe) -> FittedModel:
        """The model that was saved in `folder` with `record`.

        Raises:
            CorruptModel: the content failed validation.
            NotInstalled: this installation lacks a library that the kind needs.
        """
        model: FittedModel = self.imported().load(folder, record, recipe)
        return model

    def fingerprint(self) -> str:
        """What the model's forecasts depend on besides data: its version, and the package's artefacts that it may start from."""
        digest = hashlib.sha256(f"{self.name} {self.version}".encode())
        if self.pretrained is not None:
            for record in sorted((Path(__file__).parent / "data").glob(f"{self.pretrained}-*/pretrained.json")):
                digest.update(record.parent.name.encode() + b"\0" + hashlib.sha256(record.read_bytes()).digest())
        return digest.hexdigest()


def kind_named(name: str) -> FittableKind:
    """The kind of this name.

    Raises:
        BadInput: there is none, or this installation lacks its module.
    """
    if name not in KINDS:
        raise BadInput(f"no kind of model is called {name!r}; there are: {', '.join(KINDS)}")
    if util.find_spec(KINDS[name].module) is None:
        raise BadInput(
            f"models of kind {name!r} need {KINDS[name].module}, which is not installed; leave it out, or install quakecast again"
        )
    return FittableKind(**vars(KINDS[name]))


def able_kinds(recipe: Recipe) -> tuple[str, ...]:
    """The kinds that the recipe names, in its order, without those that can never be its members (`Kind.unable`)."""
    return tuple(name for name in recipe.models if kind_named(name).unable(recipe.threshold_mag) is None)


def generic_model(name: str, recipe: Recipe, day: date, first_day: date) -> FittedModel | None:
    """The model with which kind `name` forecasts the local `day` where nothing was fitted for the recipe. The recipe's record of target
    days begins on `first_day`. None where the kind needs a fit, or cannot forecast that day.

    Raises:
        CorruptModel: an artefact of the package does not match its record.
        BadInput: there is no such kind.
    """
    kind = kind_named(name)
    return (
        None
        if kind.generic is None or kind.unable(recipe.threshold_mag)
        else getattr(kind.imported(), kind.generic)(recipe, day, first_day)
    )


def pretrain(
    name: str, events: Events, until: date, circles: int | None, seed: int | None, tell: Teller
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Train an artefact of this kind: arguments and result as for `Pretrainer`.

    Raises:
        NotTrainable: too little data.
        NotInstalled: this installation lacks TensorFlow, and the training needs it.
        BadInput: there is no such kind, or no training of it.
    """
    kind = kind_named(name)
    if kind.pretrainer is None:
        raise BadInput(f"models of kind {name!r} have no training on the catalogue of the world")
    if kind.pretrainer_tensorflow:
        networks.check()
    train: Pretrainer = import_module(kind.pretrainer).pretrain_set
    return train(events, until, circles, seed, tell)


def model_of_set(name: str, recipe: Recipe, found: Pretrained | None) -> FittedModel | None:
    """The model with which this artefact forecasts for the recipe. Without one: the model of the package's parameters where the kind has
    such, else None.

    Raises:
        CorruptModel: the artefact does not match its record.
    """
    kind = kind_named(name)
    if found is None and kind.pretrained is not None:
        return None
    model: FittedModel = getattr(kind.imported(), kind.of_set)(recipe, found)
    return model
