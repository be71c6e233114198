"""Whether a document holds to its JSON Schema, by functions made from the schema once; some 20 times as fast as jsonschema.

They say yes or no, for the words of JSON Schema that the schemas of our files use. jsonschema finds what is wrong, and where.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

Check = Callable[[Any], bool]
_NOTES = {"$schema", "$id", "$defs", "title", "description", "format"}  # a format asks nothing of a value, unless it is told to
_OBJECT = {"properties", "required", "additionalProperties"}
_WITH_IF = {"then", "else"}


class UnknownWord(Exception):
    """The schema has a word that is not known here."""


def compiled(schema: Mapping[str, Any]) -> Check:
    """Return a function that says whether a value holds to the schema, whose references are to its own $defs.

    Raises:
        UnknownWord: as said there.
    """
    definitions: dict[str, Check] = {}
    definitions |= {f"#/$defs/{name}": _compiled(part, definitions) for name, part in schema.get("$defs", {}).items()}
    return _compiled(schema, definitions)


def _compiled(schema: Mapping[str, Any], definitions: Mapping[str, Check]) -> Check:
    """definitions: by reference; filled when the first value is checked, since a definition may hold itself."""
    part = partial(_compiled, definitions=definitions)
    checks = []
    for word, value in schema.items():
        if word == "$ref":
            checks.append(_referred(definitions, value))
        elif word in ("anyOf", "oneOf"):
            checks.append(_several([part(each) for each in value], only_one=word == "oneOf"))
        elif word == "if":
            checks.append(_either(part(value), part(schema.get("then", {})), part(schema.get("else", {}))))
        elif word == "items":
            checks.append(_items(part(value)))
        elif word in _SIMPLE:
            checks.append(_SIMPLE[word](value))
        elif word not in _NOTES | _OBJECT | _WITH_IF:
            raise UnknownWord(word)
    if schema.keys() & _OBJECT:
        checks.append(_object(schema, part))
    return checks[0] if len(checks) == 1 else lambda value: all(check(value) for check in checks)


def _referred(definitions: Mapping[str, Check], reference: str) -> Check:
    return lambda value: definitions[reference](value)


def _object(schema: Mapping[str, Any], part: Callable[[Any], Check]) -> Check:
    named = {name: part(each) for name, each in schema.get("properties", {}).items()}
    required = frozenset(schema.get("required", ()))
    more = schema.get("additionalProperties", True)
    other: Check = (lambda _: more) if isinstance(more, bool) else part(more)

    def holds(value: Any) -> bool:
        if not isinstance(value, dict):
            return True
        return required <= value.keys() and all(named.get(name, other)(each) for name, each in value.items())

    return holds


def _items(check: Check) -> Check:
    return lambda value: not isinstance(value, list) or all(check(each) for each in value)


def _several(checks: Sequence[Check], only_one: bool) -> Check:
    if only_one:
        return lambda value: sum(check(value) for check in checks) == 1
    return lambda value: any(check(value) for check in checks)


def _either(condition: Check, then: Check, otherwise: Check) -> Check:
    return lambda value: then(value) if condition(value) else otherwise(value)


def _type(names: str | list[str]) -> Check:
    kinds = [_TYPES[name] for name in ([names] if isinstance(names, str) else names)]
    return kinds[0] if len(kinds) == 1 else lambda value: any(kind(value) for kind in kinds)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _among(values: Sequence[Any]) -> Check:
    """Return a check for plain values; true is no 1 here, and false no 0."""
    return lambda value: any(value == each and isinstance(value, bool) == isinstance(each, bool) for each in values)


def _pattern(text: str) -> Check:
    found = re.compile(text).search
    return lambda value: not isinstance(value, str) or found(value) is not None


_TYPES: dict[str, Check] = {
    "number": _number,
    "integer": lambda value: _number(value) and (isinstance(value, int) or value.is_integer()),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
_SIMPLE: dict[str, Callable[[Any], Check]] = {  # each holds for values of other types than its own, as JSON Schema has it
    "type": _type,
    "enum": _among,
    "const": lambda only: _among([only]),
    "pattern": _pattern,
    "minimum": lambda least: lambda value: not _number(value) or not value < least,
    "exclusiveMinimum": lambda least: lambda value: not _number(value) or not value <= least,
    "maximum": lambda most: lambda value: not _number(value) or not value > most,
    "minLength": lambda least: lambda value: not isinstance(value, str) or len(value) >= least,
    "minItems": lambda least: lambda value: not isinstance(value, list) or len(value) >= least,
    "minProperties": lambda least: lambda value: not isinstance(value, dict) or len(value) >= least,
}
