"""Validate JSON documents against their schemas (schemas/)."""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator

MESSAGE_LENGTH = 300


def first_fault(kind: str, document: Mapping[str, Any]) -> str | None:
    """Return the place (a JSON path) and the first violation of schemas/{kind}.schema.json, or None if `document` is valid."""
    validator = _validator(kind)
    if validator.is_valid(document):
        return None
    fault = next(validator.iter_errors(document))
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault.instance_path)
    return f"${place}: {fault.message[:MESSAGE_LENGTH]}"


@cache
def _validator(kind: str) -> "Draft202012Validator":
    from jsonschema_rs import Draft202012Validator

    return Draft202012Validator(resources.files("forecaster.reports").joinpath(f"schemas/{kind}.schema.json").read_text(encoding="utf-8"))
