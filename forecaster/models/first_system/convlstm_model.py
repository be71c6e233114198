"""The first system's network as a kind of model: its fit, its prior correction, its calibration.

Importing this module imports TensorFlow (seconds).
"""

import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from forecaster.errors import CorruptModel
from forecaster.features.events import Events
from forecaster.features.windows import TargetDays
from forecaster.models.first_system import convlstm_training
from forecaster.models.first_system.calibration import Calibration
from forecaster.models.first_system.convlstm import Predictor, load_network, save_network
from forecaster.models.first_system.convlstm_training import Epoch
from forecaster.models.first_system.daily_grid import place_on_grid
from forecaster.models.first_system.dataset import dataset_from_events
from forecaster.models.first_system.prior_correction import PriorCorrection
from forecaster.models.interface import History
from forecaster.recipe import Recipe

KIND = "convlstm"
WEIGHTS_FILE = "weights.keras"


@dataclass(frozen=True)
class ConvLstmModel:
    """A network ready to forecast. `training`: spans, epochs, steps, the reason why it ended, and the history of its losses."""

    kind: ClassVar[str] = KIND
    recipe: Recipe
    predictor: Predictor
    correction: PriorCorrection
    calibration: Calibration
    last_data_day: date
    training: dict[str, Any]

    def probability(self, inputs: Events, days: TargetDays, reference: np.ndarray) -> np.ndarray:
        """float64 (n,): calibrated probabilities. The reference is not used."""
        logits = self.predictor.logits(place_on_grid(inputs, self.recipe), days)
        return self.calibration.apply(self.correction.probability(logits))

    def learning_curves(self) -> dict[str, list[float]]:
        """One number per epoch of training: train_acc, train_val_acc, loss, val_loss."""
        epochs = [epoch for epoch in self.training["history"] if epoch["epoch"] > 0]
        names = {"train_acc": "train_accuracy", "train_val_acc": "validation_accuracy", "loss": "train_loss", "val_loss": "validation_loss"}
        return {name: [epoch[key] for epoch in epochs] for name, key in names.items()}

    def save(self, folder: Path) -> dict[str, Any]:
        save_network(self.predictor.network, folder / WEIGHTS_FILE)
        return {
            "last_data_day": self.last_data_day.isoformat(),
            "correction": asdict(self.correction),
            "calibration": asdict(self.calibration),
            "training": self.training,
        }


def fit(
    history: History,
    *,
    seed: int | None = None,
    max_minutes: float | None = None,
    max_epochs: int | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    tensorboard_dir: Path | None = None,
) -> ConvLstmModel:
    """Train on the first days of `history`, stop early on later ones, calibrate on the last; options as for `convlstm_training.fit`.

    Raises:
        NotTrainable: too few days or target days for three spans.
    """
    dataset = dataset_from_events(history.recipe, history.inputs, history.days, history.happened, history.reference)
    fitted = convlstm_training.fit(
        dataset, max_minutes=max_minutes, max_epochs=max_epochs, seed=seed, on_epoch=on_epoch, tensorboard_dir=tensorboard_dir
    )
    training = {
        "spans": fitted.spans.dated(history.days.local_days),
        "seed": fitted.seed,
        "epochs": fitted.epochs,
        "best_epoch": fitted.best_epoch,
        "steps": fitted.steps,
        "reason": fitted.reason,
        "samples": dict(zip(("quiet_days", "target_days"), fitted.training_samples, strict=True)),
        "history": [asdict(epoch) for epoch in fitted.history],
        "losses": fitted.losses,
    }
    return ConvLstmModel(history.recipe, Predictor(fitted.network), fitted.correction, fitted.calibration, history.last_day, training)


def load(folder: Path, record: dict[str, Any], recipe: Recipe) -> ConvLstmModel:
    """The model that `save` wrote.

    Raises:
        CorruptModel: the record or the weights are not valid, or are for another window or grid.
    """
    try:
        parts = PriorCorrection(**record["correction"]), Calibration(**record["calibration"]), date.fromisoformat(record["last_data_day"])
        training = dict(record["training"])
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptModel(f"{folder}: the record of a ConvLSTM lacks or garbles {error}; delete the folder and train again") from error
    path = folder / WEIGHTS_FILE
    try:
        network = load_network(path)
    except (ValueError, TypeError, KeyError, OSError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:200]
        raise CorruptModel(f"{path} cannot be read as a Keras model ({reason}); delete {folder} and train again") from error
    has, wanted = network.input_shape[1:4], (recipe.window_days, recipe.lat_granularity, recipe.lng_granularity)
    if has != wanted:
        raise CorruptModel(f"{folder}: weights are for (day, lat, lon) = {has}, the recipe gives {wanted}; train again")
    return ConvLstmModel(recipe, Predictor(network), *parts, training)
