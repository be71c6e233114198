"""Validate JSON documents against their schemas (schemas/) and find the first error."""

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from forecaster.reports.quick_schema import Check, UnknownWord, compiled


def first_fault(kind: str, document: Mapping[str, Any]) -> Any:
    """Return the first violation (jsonschema's ValidationError) of schemas/{kind}.schema.json, or None if `document` is valid."""
    holds = _quick_check(kind)
    if holds is not None and holds(document):
        return None
    from jsonschema import Draft202012Validator  # slow to load, and few documents are at fault

    return next(Draft202012Validator(_schema(kind)).iter_errors(document), None)


@cache
def _quick_check(kind: str) -> Check | None:
    """Return what says quickly that a document is valid; None for a schema with other words than `quick_schema` knows."""
    try:
        return compiled(_schema(kind))
    except UnknownWord:
        return None


@cache
def _schema(kind: str) -> dict[str, Any]:
    text = resources.files("forecaster.reports").joinpath(f"schemas/{kind}.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
