"""The JSON files that the first system's map UI reads, with the names and fields it expects. Each is checked against its schema.

    predictions.json   <recipe>/summary.json   <recipe>/validations.json   <recipe>/detail_{start}_{end}.json

Days are `YYYYMMDD` in the recipe's zone. The end of a window is the first day after it. An unknown number is null.
"""

import json
import math
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path, PurePosixPath
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from forecaster import files
from forecaster.errors import NotWritable
from forecaster.reports import schema
from forecaster.reports.content.combined import expected_figures
from forecaster.reports.content.contract import RecentEvent, RecipeForecast, ReportData
from forecaster.reports.content.ladder_json import ladder_json
from forecaster.reports.content.ranking import in_order
from forecaster.reports.content.world_json import world_json
from forecaster.reports.numbers_as_text import known, known_probability, ratio_to_usual
from forecaster.timewindow import TimeWindow, day_of_window

MAX_FORECASTS = 60  # of a webhook's body, which stays below 1 MB, the limit of many servers
WEBHOOK_VERSION = "quakecast.report/3"
_TEMPORARY = ".tmp-"


@dataclass(frozen=True)
class Summary:
    """Test scores of a recipe's evaluation fit at the threshold 0.5, and its learning curves (one number per epoch)."""

    acc: float | None = None
    auc: float | None = None
    f1: float | None = None
    precision: float | None = None
    recall: float | None = None
    tp: int | None = None
    fn: int | None = None
    fp: int | None = None
    tn: int | None = None
    train_acc: Sequence[float] = ()
    train_val_acc: Sequence[float] = ()
    loss: Sequence[float] = ()
    val_loss: Sequence[float] = ()
    train_start_date: date | None = None
    train_end_date: date | None = None
    test_start_date: date | None = None
    test_end_date: date | None = None


@dataclass(frozen=True)
class Validation:
    """An earlier forecast and its outcome; `fact` is None while the outcome is unknown. The days are local ones."""

    window_start: date  # first of the input days of the model, which end where the target starts
    start: date
    end: date  # itself outside
    prediction: float | None
    fact: bool | None
    max_magnitude: float | None = None


def predictions_document(recipes: Iterable[tuple[RecipeForecast, int, Summary | None]]) -> dict[str, Any]:
    """Return predictions.json from (forecast, predict_range_days, summary or None)."""
    rows = []
    for forecast, range_days, summary in recipes:
        scores = summary or Summary()
        row = {
            "id": forecast.recipe_id,
            "start_date": _day(forecast.target_start, ZoneInfo(forecast.time_zone)),
            "predict_center_lat": forecast.lat,
            "predict_center_lng": forecast.lng,
            "predict_radius_meters": forecast.radius_km * 1000.0,
            "predict_range_days": range_days,
            "probability": known_probability(forecast.probability),
            "displayName": dict(forecast.display_name),
            "threshold_mag": forecast.threshold_mag,
        }
        rows.append(row | {name: known(getattr(scores, name)) for name in ("acc", "auc", "f1", "precision", "recall")})
    return {"predictions": rows}


def summary_document(summary: Summary) -> dict[str, Any]:
    """Return summary.json of one recipe."""
    scores = {name: known(getattr(summary, name)) for name in ("acc", "auc", "f1", "precision", "recall")}
    counts = {name: getattr(summary, name) for name in ("tp", "fn", "fp", "tn")}
    curves = {name: [known(value) for value in getattr(summary, name)] for name in ("train_acc", "train_val_acc", "loss", "val_loss")}
    names = ("train_start_date", "train_end_date", "test_start_date", "test_end_date")
    days = {name: None if (day := getattr(summary, name)) is None else f"{day:%Y%m%d}" for name in names}
    return {**scores, **counts, **curves, **days}


def validations_document(validations: Iterable[Validation]) -> dict[str, Any]:
    """Return validations.json of one recipe, oldest first; `fact` is 1.0 or 0.0 as in the first system."""
    rows = []
    for item in sorted(validations, key=lambda item: item.start):
        window_start, start, end = (day.isoformat().replace("-", "") for day in (item.window_start, item.start, item.end))
        rows.append(
            {
                "window_start": window_start,
                "window_end": start,
                "predict_start": start,
                "predict_end": end,
                "prediction": known_probability(item.prediction),
                "fact": None if item.fact is None else float(item.fact),
                "detail": _detail_name(start, end),
                "max_mag": known(item.max_magnitude),
            }
        )
    return {"validations": rows}


def detail_name(target: TimeWindow, zone: ZoneInfo) -> str:
    """Return the file name detail_{start}_{end}.json."""
    return _detail_name(_day(target.start, zone), _day(target.end, zone))


def _detail_name(start: str, end: str) -> str:
    return f"detail_{start}_{end}.json"


def detail_document(
    forecast: RecipeForecast,
    window: TimeWindow,
    tensor: np.ndarray,
    latitudes_deg: np.ndarray,
    longitudes_deg: np.ndarray,
    events: Iterable[RecentEvent],
) -> dict[str, Any]:
    """Return detail_*.json: the model's input, per day, as sparse heatmaps.

    Args:
        window: the input days.
        tensor: (day, lat, lon, 3) magnitude, frequency, depth, each 0..1, as the model's input.
        latitudes_deg, longitudes_deg: (lat,) and (lon,) southern and western edges of the cells, evenly spaced.
        events: the earthquakes inside the window and the target window that are to be drawn.

    Raises:
        ValueError: the coordinates do not fit the tensor.
    """
    if tensor.ndim != 4 or tensor.shape[3] != 3 or tensor.shape[1:3] != (len(latitudes_deg), len(longitudes_deg)):
        raise ValueError(f"tensor {tensor.shape} needs shape (day, {len(latitudes_deg)}, {len(longitudes_deg)}, 3)")
    zone = ZoneInfo(forecast.time_zone)
    maps = {
        name: [_sparse(tensor[day, :, :, channel], latitudes_deg, longitudes_deg) for day in range(len(tensor))]
        for channel, name in enumerate(("mag_heatmaps", "freq_heatmaps", "depth_heatmaps"))
    }
    return {
        "predict_center_lat": forecast.lat,
        "predict_center_lng": forecast.lng,
        "predict_radius_meters": forecast.radius_km * 1000.0,
        "window_start": _day(window.start, zone),
        "window_end": _day(window.end, zone),
        "predict_start": _day(forecast.target_start, zone),
        "predict_end": _day(forecast.target_end, zone),
        **maps,
        "lat_gap": _gap(latitudes_deg),
        "lng_gap": _gap(longitudes_deg),
        "threshold_mag": forecast.threshold_mag,
        "ladder": ladder_json(forecast.ladder),
        "earthquakes": [
            {
                "time": _utc(event.origin_time),
                "latitude": event.latitude_deg,
                "longitude": event.longitude_deg,
                "depth": known(event.depth_km),
                "mag": event.magnitude,
            }
            for event in events
        ],
    }


def webhook_document(data: ReportData, report_url: str | None = None) -> dict[str, Any]:
    """Return the webhook's body (webhook.schema.json): every forecast of the report, with its usual rate, mode and window in UTC.

    Of more than MAX_FORECASTS recipes those that stand out most are sent, since servers refuse larger bodies; `unlisted` counts the others.
    """
    sent, unlisted = data.recipes, {}
    if len(data.recipes) > MAX_FORECASTS:
        ranked = sorted(in_order(data.recipes, data.events), key=lambda recipe: recipe.comparison_only is not None)
        sent = tuple(ranked[:MAX_FORECASTS])
        unlisted = {"unlisted": len(data.recipes) - MAX_FORECASTS}
    return {
        "version": WEBHOOK_VERSION,
        "report_id": data.report_id,
        "generated_at": _utc(data.generated_at),
        "report_url": report_url,
        "forecasts_sha256": data.forecasts_sha256,
        "code_version": data.code_version,
        "data_age_hours": known(data.data_age_hours),
        "degraded": list(data.degraded),
        "disclaimer": "Probabilities, not predictions, and no official warning.",
        "forecasts": [
            {
                "recipe_id": item.recipe_id,
                "display_name": dict(item.display_name),
                "lat": item.lat,
                "lng": item.lng,
                "radius_km": item.radius_km,
                "threshold_mag": item.threshold_mag,
                "time_zone": item.time_zone,
                "target_start": _utc(item.target_start),
                "target_end": _utc(item.target_end),
                "issue_time": None if item.issue_time is None else _utc(item.issue_time),
                "mode": item.mode,
                "official": item.official,
                "probability": known_probability(item.probability),
                "usual_probability": known_probability(item.reference_probability),
                "ratio_to_usual": ratio_to_usual(item.probability, item.reference_probability),
                "model_kind": item.model_kind,
                "model_id": item.model_id,
                "weights": dict(item.weights),
                "weights_source": item.weights_source,
                **expected_figures(item),
                "degraded_reason": item.degraded_reason,
                "degraded_reasons": [reason.stored() for reason in item.degraded_reasons],
                "comparison_only": item.comparison_only,
                "ladder": ladder_json(item.ladder),
                "no_ladder": item.no_ladder,
                "no_ladder_reason": None if item.no_ladder_reason is None else item.no_ladder_reason.stored(),
            }
            for item in sent
        ],
        **unlisted,
        "world": world_json(data.world),
    }


def check_document(name: str, document: Mapping[str, Any]) -> None:
    """Raise ValueError with the first error if `document` violates its schema.

    Args:
        name: its file name (predictions.json, detail_20240103_20240104.json, ...), or webhook.json.
    """
    kind = PurePosixPath(name).stem.split("_")[0]
    try:
        fault = schema.first_fault(kind, document)
    except ValueError as error:  # a value that is none of JSON's
        raise ValueError(f"{name}: {error}") from None
    if fault is not None:
        raise ValueError(f"{name}: {fault} (schemas/{kind}.schema.json)")


def write_export(folder: Path, documents: Mapping[str, Mapping[str, Any]]) -> list[Path]:
    """Check every document (relative name -> content), then write each by rename, so that a reader sees the old file or the new one.

    Raises:
        ValueError: a document violates its schema, or a name lies outside the folder; nothing is written then.
        NotWritable: the folder cannot be written.
    """
    texts = {}
    for name, document in documents.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or path.suffix != ".json":
            raise ValueError(f"{name!r} is not a relative name of a JSON file")
        check_document(name, document)
        texts[name] = json_lines(document)
    return [write_atomic(folder / name, text) for name, text in texts.items()]


def json_lines(document: Mapping[str, Any]) -> str:
    """Return the document as JSON with a line for each of its values, and for each row of a list: a diff shows the place of a change.

    With `indent`, Python's own encoder would write every number of a heatmap in a line, and take ten times as long.
    """
    parts = []
    for key, value in document.items():
        rows = value if isinstance(value, list) and value and isinstance(value[0], dict | list) else None
        text = _json(value) if rows is None else "[\n  " + ",\n  ".join(map(_row_json, rows)) + "\n ]"
        parts.append(f"{_json(key)}: {text}")
    return "{\n " + ",\n ".join(parts) + "\n}\n"


_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_row_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def write_atomic(path: Path, text: str) -> Path:
    """Write UTF-8 `text` to a temporary name beside `path`, then rename.

    Raises:
        NotWritable: with the path and the system's error message.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=_TEMPORARY, delete=False) as file:
            temporary = Path(file.name)
            with files.held(temporary):
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                temporary.chmod(0o644)
                temporary.replace(path)
    except OSError as error:
        raise NotWritable(f"cannot write {path}: {error.strerror}; choose a folder that can be written") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    return path


def clear_unfinished(folder: Path) -> None:
    """Remove half-written files of killed processes in `folder` and all folders below it."""
    for left in files.leftovers(folder.rglob(f"{_TEMPORARY}*")):
        files.remove(left)


def _day(moment: datetime, zone: ZoneInfo) -> str:
    return f"{day_of_window(moment, zone):%Y%m%d}"


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _gap(edges: np.ndarray) -> float:
    return float(edges[1] - edges[0]) if len(edges) > 1 else math.nan


def _sparse(cells: np.ndarray, latitudes_deg: np.ndarray, longitudes_deg: np.ndarray) -> list[dict[str, float]]:
    """Return the cells above 0 of one day's map, south to north, west to east."""
    rows, columns = np.nonzero(cells > 0)
    return [
        {"lat": float(latitudes_deg[i]), "lng": float(longitudes_deg[j]), "heat": round(float(cells[i, j]), 6)}
        for i, j in zip(rows, columns, strict=True)
    ]
