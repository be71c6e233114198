"""How each kind of `forecaster.descriptions.model_kinds` is fitted and loaded. Modules are imported at first use: some are heavy."""

import hashlib
from dataclasses import dataclass
from datetime import date
from importlib import import_module, util
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from forecaster.descriptions.model_kinds import KINDS, Kind
from forecaster.errors import BadInput, NotInstalled, NotTrainable
from forecaster.models import networks
from forecaster.models.interface import FittedModel, History
from forecaster.recipe import Recipe


class Fitter(Protocol):
    """The function of a kind's module that fits a model; None stands for its own seed, and for no limit."""

    def __call__(self, history: History, *, seed: int | None = None, max_minutes: float | None = None) -> FittedModel: ...


@dataclass(frozen=True)
class FittableKind(Kind):
    """A kind with its functions: how it is fitted and loaded, and what its stored results depend on."""

    def unusable(self) -> str | None:
        """Why this installation can neither fit it nor forecast with it, in one line; None where it can."""
        return networks.why_none() if self.tensorflow else None

    def imported(self) -> ModuleType:
        """Its module, which may take seconds.

        Raises:
            NotInstalled: this installation lacks what it needs.
        """
        if (reason := self.unusable()) is not None:
            raise NotInstalled(reason)
        try:
            return import_module(self.module)
        except ImportError as error:
            if not self.tensorflow:
                raise
            told = " ".join(str(error).split())[:200]
            raise NotInstalled(f"TensorFlow is here and cannot be imported ({told}); install it again") from error

    def fit(self, history: History, *, seed: int | None = None, max_minutes: float | None = None) -> FittedModel:
        """A model fitted on all days of `history`.

        Raises:
            NotTrainable: too few days or target days, or the recipe's earthquakes are too small for it.
            NotInstalled: this installation lacks what it needs.
        """
        if (reason := self.unable(history.recipe.threshold_mag)) is not None:
            raise NotTrainable(f"{history.recipe.id}: {reason}")
        fitter: Fitter = getattr(self.imported(), self.fitter)
        return fitter(history, seed=seed, max_minutes=max_minutes)

    def load(self, folder: Path, record: dict[str, Any], recipe: Recipe) -> FittedModel:
        """The model that was saved in `folder` with `record`.

        Raises:
            CorruptModel: the content cannot be trusted.
            NotInstalled: this installation lacks what it needs.
        """
        model: FittedModel = self.imported().load(folder, record, recipe)
        return model

    def fingerprint(self) -> str:
        """What the model's answers depend on besides data: its version, and the artefacts of the package that it may start from."""
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
    """The kinds that the recipe names, in its order, but for those that can never be its members (`Kind.unable`)."""
    return tuple(name for name in recipe.models if kind_named(name).unable(recipe.threshold_mag) is None)


def generic_model(name: str, recipe: Recipe, day: date, first_day: date) -> FittedModel | None:
    """What kind `name` forecasts the local `day` with, where nothing was fitted for the recipe, whose record of target days begins on
    `first_day`; None where it needs a fit, or cannot.

    Raises:
        CorruptModel: an artefact of the package is not what its record says. BadInput: there is no such kind.
    """
    kind = kind_named(name)
    return (
        None
        if kind.generic is None or kind.unable(recipe.threshold_mag)
        else getattr(kind.imported(), kind.generic)(recipe, day, first_day)
    )
