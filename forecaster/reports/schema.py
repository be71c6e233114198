"""Validate JSON documents against their schemas (schemas/) and find the first error."""

import json
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib import resources
from typing import Any

_PLAIN = (str, int, float, bool, type(None))
_ROW_WORDS = {"type", "properties", "required", "additionalProperties"}


def first_fault(kind: str, document: Mapping[str, Any]) -> Any:
    """Return the first violation (jsonschema's ValidationError) of schemas/{kind}.schema.json, or None if `document` is valid."""
    validator = _validator(kind)
    lists = _lists_of_rows(kind)
    if lists and all(_all_hold(kind, name, document.get(name)) for name in lists):
        document = {**document, **{name: [] for name in lists}}
    return next(validator.iter_errors(document), None)


def _all_hold(kind: str, name: str, rows: Any) -> bool:
    """Return whether every row of the list has exactly the required columns, with plain values that their schemas allow."""
    columns = _lists_of_rows(kind)[name]
    return isinstance(rows, list) and all(
        isinstance(row, dict)
        and row.keys() == columns.keys()
        and all(isinstance(value, _PLAIN) and _holds(kind, name, column, value) for column, value in row.items())
        for row in rows
    )


@lru_cache(maxsize=1 << 16, typed=True)
def _holds(kind: str, name: str, column: str, value: Any) -> bool:
    """Return whether the schema of the column allows the value; cached, because the same days occur in the lists of many recipes."""
    return bool(_lists_of_rows(kind)[name][column].is_valid(value))


@cache
def _lists_of_rows(kind: str) -> dict[str, dict[str, Any]]:
    """Return the top-level lists whose rows all have the same plain columns: list -> column -> validator of its values."""
    validator = _validator(kind)
    found = {}
    for name, part in validator.schema.get("properties", {}).items():
        row = part.get("items", {}) if part.get("type") == "array" and part.keys() <= {"type", "items"} else {}
        columns = row.get("properties", {})
        if (
            row.keys() == _ROW_WORDS
            and row["type"] == "object"
            and row["additionalProperties"] is False
            and columns.keys() == set(row["required"])
            and not any("$ref" in column for column in columns.values())
        ):
            found[name] = {column: validator.evolve(schema=schema) for column, schema in columns.items()}
    return found


@cache
def _validator(kind: str) -> Any:
    from jsonschema import Draft202012Validator

    schema = json.loads(resources.files("forecaster.reports").joinpath(f"schemas/{kind}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)
