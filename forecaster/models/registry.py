"""Model directories: `<models>/<recipe_id>/<model_id>/` with `weights.keras` and `model.json`.

A directory is written under a temporary name and renamed, so that it is there whole or not at all. `model.json` says what the weights
are and carries their SHA-256; nothing is loaded that does not match it. Keras is imported only to write or read weights.
"""

import hashlib
import json
import math
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from forecaster.errors import CorruptModel, NotWritable
from forecaster.features.daily_grid import GridEvents
from forecaster.features.windows import TargetDays
from forecaster.models.base import sigmoid
from forecaster.models.calibration import Calibration
from forecaster.models.priors import PriorCorrection
from forecaster.recipe import Recipe
from forecaster.timewindow import require_utc

if TYPE_CHECKING:
    from forecaster.models.convlstm_training import Fitted

KIND = "convlstm"
FORMAT = 1
RECORD_FILE = "model.json"
WEIGHTS_FILE = "weights.keras"
RECORD_KEYS = (
    "format",
    "kind",
    "model_id",
    "recipe_id",
    "recipe_hash",
    "data_as_of",
    "spans",
    "correction",
    "calibration",
    "weights_sha256",
)


@dataclass(frozen=True)
class Forecasts:
    """Probabilities of `n` days, each float64 (n,): the network's own, prior-corrected, and calibrated (the one to publish)."""

    raw: np.ndarray
    corrected: np.ndarray
    probability: np.ndarray


@dataclass(frozen=True)
class LoadedModel:
    """A model directory, checked; `record` is the whole of its model.json."""

    directory: Path
    record: dict[str, Any]
    correction: PriorCorrection
    calibration: Calibration

    @property
    def model_id(self) -> str:
        return str(self.record["model_id"])

    @property
    def last_data_day(self) -> date:
        """The last local day whose outcome this model has seen: it may forecast only days more than a purge after it."""
        return max(date.fromisoformat(span["last_day"]) for span in self.record["spans"].values())

    @cached_property
    def _predictor(self) -> Any:
        from forecaster.models.convlstm import Predictor, load_network

        path = self.directory / WEIGHTS_FILE
        try:
            return Predictor(load_network(path))
        except (ValueError, TypeError, KeyError, OSError, zipfile.BadZipFile) as error:
            reason = " ".join(str(error).split())[:200]
            raise CorruptModel(f"{path} cannot be read as a Keras model ({reason}); delete {self.directory} and train again") from error

    def forecast(self, grid: GridEvents, days: TargetDays) -> Forecasts:
        """Forecasts of `days` from the events of `grid` (`daily_grid.place_on_grid`). The network is loaded at the first call.

        Raises:
            CorruptModel: the weights are not a network of ours, or one for another window or grid.
        """
        wanted = (days.window_days, *grid.shape)
        has = self._predictor.network.input_shape[1:4]
        if wanted != has:
            raise CorruptModel(f"{self.directory}: weights are for (day, lat, lon) = {has}, the recipe gives {wanted}; train again")
        logits = self._predictor.logits(grid, days)
        corrected = self.correction.probability(logits)
        return Forecasts(sigmoid(logits), corrected, self.calibration.apply(corrected))


def model_id(recipe: Recipe, data_as_of: datetime, spans: Mapping[str, Any], seed: int, epochs: int) -> str:
    """`<recipe id>-<day of data_as_of>-<8 hex>`; the hash is of recipe hash, data_as_of, spans, seed and epochs: what fixes the weights."""
    fixed = [recipe.recipe_hash, require_utc(data_as_of, "data_as_of").isoformat(), dict(spans), seed, epochs]
    digest = hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()
    return f"{recipe.id}-{data_as_of:%Y%m%d}-{digest[:8]}"


def save_model(
    models: Path,
    recipe: Recipe,
    fitted: "Fitted",
    *,
    data_as_of: datetime,
    local_days: np.ndarray,
    code_version: str,
    scores: Mapping[str, Any] | None = None,
) -> LoadedModel:
    """Write the directory of `fitted` under `models` and give it back, loaded; one that is there under the same id is replaced.

    Args:
        data_as_of: aware UTC; what was known then is what the fit was given.
        local_days: datetime64[D] (n,), the days of its data set, to date the spans.
        code_version: quakecast's own, for the record.
        scores: what the caller measured, the evaluation fit's skill for instance; values that are not finite become null.

    Raises:
        NotWritable: the folder cannot be written.
    """
    from forecaster.models.convlstm import library_versions, save_network

    spans = fitted.spans.dated(local_days)
    name = model_id(recipe, data_as_of, spans, fitted.seed, fitted.epochs)
    record = {
        "format": FORMAT,
        "kind": KIND,
        "model_id": name,
        "recipe_id": recipe.id,
        "recipe_hash": recipe.recipe_hash,
        "data_as_of": data_as_of.isoformat(),
        "spans": spans,
        "seed": fitted.seed,
        "epochs": fitted.epochs,
        "best_epoch": fitted.best_epoch,
        "steps": fitted.steps,
        "reason": fitted.reason,
        "validation_loss_before": fitted.loss_before,
        "validation_loss_after": fitted.loss_after,
        "losses": fitted.losses,
        "history": [asdict(epoch) for epoch in fitted.history],
        "training_samples": dict(zip(("quiet_days", "target_days"), fitted.training_samples, strict=True)),
        "correction": asdict(fitted.correction),
        "calibration": asdict(fitted.calibration),
        "scores": dict(scores or {}),
        "versions": {"quakecast": code_version, **library_versions()},
    }
    folder = models / recipe.id
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=folder, ignore_cleanup_errors=True) as temporary:
            made = Path(temporary) / name
            made.mkdir()
            save_network(fitted.network, made / WEIGHTS_FILE)
            record["weights_sha256"] = _sha256(made / WEIGHTS_FILE)
            text = json.dumps(_finite(record), indent=2, ensure_ascii=False, allow_nan=False)
            (made / RECORD_FILE).write_text(text + "\n", encoding="utf-8")
            target = folder / name
            if target.exists():
                target.rename(Path(temporary) / "replaced")
            made.rename(target)
    except OSError as error:
        raise NotWritable(
            f"cannot write the model {name} under {folder}: {error.strerror or error}; choose a folder that can be written"
        ) from error
    return load_model(target)


def load_model(directory: Path) -> LoadedModel:
    """The model of `directory`, its weights checked against the record (they are read into Keras at the first forecast).

    Raises:
        CorruptModel: a file is missing, the record is no record of ours, or the weights are not those it names.
    """
    record = _read_record(directory)
    weights = directory / WEIGHTS_FILE
    if not weights.is_file():
        raise CorruptModel(f"{directory} has no {WEIGHTS_FILE}; delete the folder and train again")
    found = _sha256(weights)
    if found != record["weights_sha256"]:
        said = str(record["weights_sha256"])[:12]
        raise CorruptModel(f"{weights} has SHA-256 {found[:12]}, {RECORD_FILE} says {said}; delete the folder and train again")
    try:
        return LoadedModel(directory, record, PriorCorrection(**record["correction"]), Calibration(**record["calibration"]))
    except TypeError as error:
        raise CorruptModel(f"{directory / RECORD_FILE}: correction or calibration is not one of ours ({error}); train again") from error


def list_models(models: Path, recipe_id: str) -> list[Path]:
    """Model directories of a recipe, oldest data first, unchecked; none where there is no such folder."""
    return sorted(path.parent for path in (models / recipe_id).glob(f"{recipe_id}-*/{RECORD_FILE}"))


def check_recipe(model: LoadedModel, recipe: Recipe) -> None:
    """A model forecasts for the very recipe it was fitted for.

    Raises:
        CorruptModel: it was fitted for another recipe, or an older version of this one.
    """
    if model.record["recipe_id"] != recipe.id or model.record["recipe_hash"] != recipe.recipe_hash:
        raise CorruptModel(
            f"{model.directory} was fitted for {model.record['recipe_id']} {str(model.record['recipe_hash'])[:12]}, the recipe is now "
            f"{recipe.id} {recipe.recipe_hash[:12]}; train again"
        )


def _read_record(directory: Path) -> dict[str, Any]:
    path = directory / RECORD_FILE
    if not path.is_file():
        raise CorruptModel(f"{directory} has no {RECORD_FILE}; delete the folder and train again")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise CorruptModel(f"{path} is not readable JSON ({error}); delete the folder and train again") from error
    if not isinstance(record, dict) or (missing := [key for key in RECORD_KEYS if key not in record]):
        what = f"lacks {', '.join(missing)}" if isinstance(record, dict) else "is not an object"
        raise CorruptModel(f"{path} {what}; delete the folder and train again")
    if record["format"] != FORMAT or record["kind"] != KIND:
        raise CorruptModel(
            f"{path} is of kind {record['kind']!r}, format {record['format']!r}; this version reads {KIND!r}, format {FORMAT}; train again"
        )
    return record


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _finite(value: Any) -> Any:
    """`value` with what JSON cannot say (NaN, infinity) as null, through dicts, lists and tuples."""
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value
