"""Rows of the tables about models, their weights and the decisions about them, as typed dicts (see `row_types`)."""

from datetime import date, datetime
from typing import Any, Literal, TypedDict


class ModelRow(TypedDict):
    """Table `model`; `details` is parsed."""

    model_id: str
    recipe_id: str
    kind: str
    recipe_hash: str
    directory: str
    data_as_of: datetime
    decision: str
    details: dict[str, Any]
    created_at: datetime
    code_version: str


class PublicationRow(TypedDict):
    """Table `publication`: a person's decision. The store gives `number`."""

    recipe_id: str
    target_hash: str
    how: Literal["combination", "kind", "rate"]
    kind: str | None
    model_id: str | None
    since: datetime
    reason: str
    code_version: str


class NewWeights(TypedDict):
    """Table `combination`, without the number that the store gives; JSON is parsed."""

    scope: str
    target_hash: str
    base: str
    since: datetime
    weights: dict[str, float]
    belief: dict[str, Any]
    rate_only: bool
    reason: str
    numbers: dict[str, Any]
    code_version: str


class WeightsRow(NewWeights):
    """Table `combination`."""

    number: int


class WalkForwardFit(TypedDict):
    """Table `walk_forward_fit`; JSON is parsed. models: by kind. failed: by kind, why one is missing."""

    recipe_id: str
    recipe_hash: str
    retrain_every_days: int
    first_day: date
    as_of: datetime
    kind: str
    model_id: str | None
    reason: str
    numbers: dict[str, Any]
    models: dict[str, dict[str, Any]]
    failed: dict[str, str]
    seconds: float
    code_version: str
    created_at: datetime


class NewSetDecision(TypedDict):
    """Table `world_set`, without the number that the store gives; `numbers` is parsed."""

    kind: str
    data_until: date
    decision: Literal["serves", "refused", "retired"]
    decided_by: Literal["rule", "record", "person"]
    since: datetime
    instead_of: str | None
    directory: str
    sha256: str
    kind_version: str
    reason: str
    numbers: dict[str, Any]
    code_version: str


class SetDecision(NewSetDecision):
    """Table `world_set`."""

    number: int
