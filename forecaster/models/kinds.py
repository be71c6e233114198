"""The kinds of models: where each is fitted and loaded. Modules are imported when a kind is first used, some of them are heavy."""

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module, util
from pathlib import Path
from typing import Any

from forecaster.errors import BadInput
from forecaster.models.base import FittedModel, History
from forecaster.recipe import Recipe

PRETRAINED = "forecaster.models.pretrained"


@dataclass(frozen=True)
class Kind:
    """A kind of model. A `reference` is refitted each year where references are; others keep their weights."""

    name: str
    module: str
    fitter: str = "fit"
    reference: bool = False

    def fit(self, history: History, *, seed: int | None = None, max_minutes: float | None = None) -> FittedModel:
        """A model fitted on all days of `history`.

        Raises:
            NotTrainable: too few days or target days.
        """
        return getattr(import_module(self.module), self.fitter)(history, seed=seed, max_minutes=max_minutes)

    def load(self, folder: Path, record: dict[str, Any], recipe: Recipe) -> FittedModel:
        """The model that was saved in `folder` with `record`.

        Raises:
            CorruptModel: the content cannot be trusted.
        """
        return import_module(self.module).load(folder, record, recipe)

    def code_sha256(self) -> str:
        """What the model's answers depend on besides data: its module, all of ours that it imports, and the artefacts it may start from."""
        return _code_sha256(self.module)


_RATES = "forecaster.models.rates"
KINDS = {
    kind.name: kind
    for kind in (
        Kind("climatology", _RATES, "fit_climatology", reference=True),
        Kind("best_rate", _RATES, "fit_best_rate", reference=True),
        Kind("persistence", _RATES, "fit_persistence", reference=True),
        Kind("etas", "forecaster.models.etas", reference=True),
        Kind("pooled", "forecaster.models.pooled"),
        Kind("convlstm", "forecaster.models.convlstm_model"),
        Kind("hybrid", "forecaster.models.hybrid"),
    )
}


def kind_named(name: str) -> Kind:
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
    return KINDS[name]


@cache
def _code_sha256(module: str) -> str:
    found: dict[str, Path] = {}
    _collect(module, found)
    digest = hashlib.sha256()
    for name in sorted(found):
        digest.update(name.encode() + b"\0" + hashlib.sha256(found[name].read_bytes()).digest())
    if PRETRAINED in found:
        for record in sorted(found[PRETRAINED].parent.glob("data/*/pretrained.json")):
            digest.update(record.parent.name.encode() + b"\0" + hashlib.sha256(record.read_bytes()).digest())
    return digest.hexdigest()


def _collect(module: str, found: dict[str, Path]) -> None:
    """Add `module` and every module of ours that it imports, anywhere in its text, to `found`."""
    spec = util.find_spec(module) if module not in found else None
    if spec is None or spec.origin is None:
        return
    found[module] = Path(spec.origin)
    for name in _imported(ast.parse(found[module].read_bytes())):
        if name.startswith("forecaster."):
            _collect(name, found)


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names if _is_package(node.module))


@cache
def _is_package(module: str) -> bool:
    spec = util.find_spec(module) if module.startswith("forecaster") else None
    return spec is not None and spec.submodule_search_locations is not None
