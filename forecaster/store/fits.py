"""Fitted models and the scores of their official forecasts: the table `model`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from forecaster.store.database import Connection, ask_rows
from forecaster.store.engine import ask
from forecaster.store.ledger import insert
from forecaster.store.row_types import dicts_as
from forecaster.store.typed_rows.model_types import ModelRow


def add_model(connection: Connection, row: ModelRow) -> None:
    """Register a fitted model (`details` is a dict). A row of the same model id is replaced."""
    insert(connection, "model", [{**row, "details": json.dumps(row["details"], ensure_ascii=False)}], replace=True)


def newest_models(connection: Connection, recipe_id: str, recipe_hash: str, as_of: datetime) -> dict[str, ModelRow]:
    """Return by kind the newest model of this very recipe whose data end by `as_of`; `details` is parsed."""
    return newest_models_of_all(connection, {recipe_id: recipe_hash}, as_of)[recipe_id]


def newest_models_of_all(connection: Connection, recipe_hashes: Mapping[str, str], as_of: datetime) -> dict[str, dict[str, ModelRow]]:
    """Return the same for many recipes (id -> hash) in one query: by recipe, by kind."""
    if not recipe_hashes:
        return {}
    rows = ask_rows(
        connection,
        "SELECT m.* FROM model m JOIN (SELECT unnest($ids) AS recipe_id, unnest($hashes) AS recipe_hash) USING (recipe_id, recipe_hash) "
        "WHERE data_as_of <= $as_of "
        "QUALIFY row_number() OVER (PARTITION BY recipe_id, kind ORDER BY data_as_of DESC, created_at DESC) = 1 ORDER BY recipe_id, kind",
        {"ids": list(recipe_hashes), "hashes": list(recipe_hashes.values()), "as_of": as_of},
    )
    found: dict[str, dict[str, ModelRow]] = {recipe_id: {} for recipe_id in recipe_hashes}
    for row in _models(rows):
        found[row["recipe_id"]][row["kind"]] = row
    return found


def models_of(connection: Connection, recipe_ids: list[str]) -> list[ModelRow]:
    """Return every model of these recipes, by recipe and kind, newest first; `details` is parsed."""
    if not recipe_ids:
        return []
    rows = ask_rows(
        connection,
        "SELECT * FROM model WHERE recipe_id IN (SELECT unnest($ids)) ORDER BY recipe_id, kind, data_as_of DESC, created_at DESC",
        {"ids": recipe_ids},
    )
    return _models(rows)


def model_named(connection: Connection, model_id: str) -> ModelRow | None:
    """Return the model of this id; `details` is parsed."""
    rows = _models(ask_rows(connection, "SELECT * FROM model WHERE model_id = $id", {"id": model_id}))
    return rows[0] if rows else None


@dataclass(frozen=True)
class ScoredDays:
    """Scored forecasts of one recipe, oldest first; arrays (n,). target_start_us: microseconds since the epoch, UTC."""

    target_start_us: np.ndarray
    probability: np.ndarray
    reference_probability: np.ndarray
    happened: np.ndarray

    def __len__(self) -> int:
        return len(self.happened)


def scored_of_kind(connection: Connection, targets: Mapping[str, str], kind: str, start: datetime, end: datetime) -> dict[str, ScoredDays]:
    """Return, for each of these targets (recipe id -> target hash), the official, scored forecasts of one kind for target days that began
    in [start, end), published or not."""
    if not targets:
        return {}
    columns = ask(
        connection,
        "SELECT f.recipe_id, epoch_us(s.target_start) AS target_start_us, f.probability, f.reference_probability, s.happened "
        "FROM score s JOIN forecast f USING (forecast_id) JOIN (SELECT unnest($ids) AS recipe_id, unnest($hashes) AS target_hash) w "
        "ON w.recipe_id = f.recipe_id AND w.target_hash = f.target_hash WHERE f.official AND f.model_kind = $kind "
        "AND s.target_start >= $start AND s.target_start < $end AND f.target_start >= $start AND f.target_start < $end "
        "ORDER BY f.recipe_id, s.target_start",
        {"ids": list(targets), "hashes": list(targets.values()), "kind": kind, "start": start, "end": end},
    ).fetchnumpy()
    arrays = {name: np.asarray(values) for name, values in columns.items()}
    recipe_ids = arrays.pop("recipe_id")
    return {recipe_id: ScoredDays(**{name: values[recipe_ids == recipe_id] for name, values in arrays.items()}) for recipe_id in targets}


def _models(rows: list[dict[str, Any]]) -> list[ModelRow]:
    """Return the rows with their details parsed."""
    return dicts_as(ModelRow, ModelRow.__annotations__, [{**row, "details": json.loads(row["details"])} for row in rows])
