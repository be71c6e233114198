"""The regional network: the hybrid with its ConvLSTM fitted to one region, starting from the world's weights (`regional_training`).

Trunk and trees are those of a pre-trained artefact. Where the region's days gave no reason to change the networks, they are the artefact's,
too, and the forecast is the hybrid's to the last bit. TensorFlow is needed only to train.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from forecaster.errors import CorruptModel
from forecaster.features.events import Events
from forecaster.features.windows import TargetDays
from forecaster.models.hybrid import hybrid
from forecaster.models.hybrid.hybrid_inference import Network, network_of
from forecaster.models.hybrid.hybrid_inputs import SIDE_COLUMNS
from forecaster.models.interface import History
from forecaster.models.networks import why_none
from forecaster.models.pretrained import Pretrained, newest_for, of_identity
from forecaster.models.several_days import single_days_of
from forecaster.recipe import Recipe

KIND = "regional"


@dataclass(frozen=True)
class RegionalModel:
    """The regional network for one recipe.

    files: its networks by file name, empty where they are the artefact's. networks: the same, read.
    training: a record of the training, None where no training was tried.
    """

    recipe: Recipe
    pretrained: Pretrained
    last_data_day: date
    files: dict[str, bytes]
    networks: tuple[Network, ...] = field(compare=False)
    training: dict[str, Any] | None
    kind: str = KIND
    by_cut: ClassVar[bool] = True

    @property
    def as_the_worlds(self) -> bool:
        """Whether its forecasts are identical to the hybrid's."""
        return not self.networks

    @property
    def told(self) -> str:
        """The result of its training, in words."""
        if self.training is None:
            return "the world's network, unchanged"
        if self.networks:
            return f"moved by {self.training['kept_epoch']} epochs"
        epochs = self.training["epochs"]
        why = f"none of {epochs} epochs was clearly better on its last days" if epochs else self.training["reason"]
        return f"the world's network, unchanged: {why}"

    def probability(self, inputs: Events, days: TargetDays, reference: np.ndarray) -> np.ndarray:
        """float64 (n,): probability of the target on each day, from what was known at its cutoff; NaN where the reference is NaN."""
        return hybrid.window_probability(self.pretrained, self.networks, self.recipe, inputs, days, reference)

    def learning_curves(self) -> dict[str, list[float]]:
        """One number per epoch of training: loss, val_loss."""
        epochs = [epoch for epoch in (self.training or {}).get("history", ()) if epoch["epoch"] > 0]
        return {"loss": [epoch["train_loss"] for epoch in epochs], "val_loss": [epoch["validation_loss"] for epoch in epochs]}

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the region's networks, if it has any. The rest stays in the artefact."""
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
        return {
            "world": self.pretrained.identity(),
            "last_data_day": self.last_data_day.isoformat(),
            "networks": sorted(self.files),
            "training": self.training,
        }


def fit(
    history: History,
    *,
    seed: int | None = None,
    max_minutes: float | None = None,
    max_epochs: int | None = None,
    on_epoch: Callable[[Any], None] | None = None,
) -> RegionalModel:
    """Fit the networks of the newest artefact that was trained on no data after the last day of `history` to the recipe's region.

    on_epoch: called with a `regional_training.Epoch` after each, including epoch 0. Other options as for `regional_training.tune`. Without
    TensorFlow the world's network is kept, and the record gives the reason.

    Raises:
        NotTrainable: as `pretrained.newest_for`.
    """
    world = newest_for(hybrid.KIND, history)
    seed = history.recipe.seed if seed is None else seed
    files: dict[str, bytes] = {}
    training: dict[str, Any] = {"seed": seed, "epochs": 0, "kept_epoch": 0, "history": []}
    if (lacking := why_none()) is not None:
        training["reason"] = lacking
    else:
        from forecaster.models.hybrid import regional_training

        tuned = regional_training.tune(
            single_days_of(history),
            world,
            regional_training.TuningSettings(),
            seed=seed,
            max_minutes=max_minutes,
            max_epochs=max_epochs,
            on_epoch=on_epoch,
        )
        files, training = tuned.files, tuned.training
    networks = tuple(network_of(content, name) for name, content in sorted(files.items()))
    return RegionalModel(history.recipe, world, history.last_day, files, networks, training)


def generic_for(recipe: Recipe, day: date, first_day: date) -> RegionalModel | None:
    """The world's network unchanged, for a recipe without a fit. None and errors as for `hybrid.generic_for`."""
    found = hybrid.generic_for(recipe, day, first_day)
    return None if found is None else RegionalModel(recipe, found.pretrained, found.last_data_day, {}, (), None)


def load(folder: Path, record: dict[str, Any], recipe: Recipe) -> RegionalModel:
    """The model that `save` wrote. Its networks are read as data; no code in them is run.

    Raises:
        CorruptModel: the record or a network is not valid, or the artefact is not in this installation.
    """
    try:
        world, names, last, training = record["world"], record["networks"], date.fromisoformat(record["last_data_day"]), record["training"]
        files = {path.name: path.read_bytes() for path in sorted(folder.glob("network-*.keras"))}
        networks = tuple(network_of(content, name) for name, content in files.items())
        if list(files) != list(names):
            raise ValueError(f"networks {', '.join(files) or 'none'}, the record names {', '.join(names) or 'none'}")
    except (KeyError, TypeError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CorruptModel(f"{folder} holds no network of a region ({reason}); delete the folder and train again") from error
    if wrong := {network.columns for network in networks} - {len(SIDE_COLUMNS)}:
        raise CorruptModel(f"{folder}: a network takes {wrong.pop()} inputs, this version gives {len(SIDE_COLUMNS)}; train again")
    return RegionalModel(recipe, of_identity(hybrid.KIND, folder, world), last, files, networks, training)
