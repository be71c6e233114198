"""The problems of a recipe file, in words: which field, its value, its limits, and what to write instead."""

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

MAX_SHOWN = 100  # characters of a value
_LIMITS = {"greater_than_equal", "less_than_equal", "greater_than", "less_than"}
_TYPOGRAPHIC = "\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb\uff02"


def problem_line(error: Mapping[str, Any], fields: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """Return one line for one of pydantic's errors.

    fields: those of the file, as parsed from TOML. schema: the recipe's JSON schema, by the names that a file uses.
    """
    where, loc = _where(error["loc"], fields)
    message = error["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if error["type"] == "missing":
        return f"{where}: is missing"
    if error["type"] == "extra_forbidden":
        return f"{where}: {_no_field(str(loc[-1]), loc[0] == 'alerts', schema)}"
    if error["type"] in _LIMITS and len(loc) == 1:
        message = _limits(schema["properties"].get(loc[0], {}), error["input"]) or message
    if isinstance(error["input"], dict):
        return f"{where}: {message}"
    return f"{where} = {shown(error['input'])}: {message}"


def did_you_mean(name: str, known: Collection[str]) -> str:
    """Return `; did you mean 'tokyo' or 'tokyo-m45'?`, or an empty text where no known name is similar."""
    lower: dict[str, str] = {each.lower(): each for each in known}
    near = get_close_matches(name.strip().lower(), lower, n=3, cutoff=0.6)
    near = near or sorted(each for each in lower if name.strip() and each.startswith(name.strip().lower()))[:3]
    return f"; did you mean {' or '.join(repr(lower[each]) for each in near)}?" if near else ""


def shown(value: object) -> str:
    """Return a value as it was written, at most MAX_SHOWN characters of it."""
    if isinstance(value, int) and abs(value) >= 10**MAX_SHOWN:
        return f"a number of more than {MAX_SHOWN} digits"
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]} ..."


def toml_problem(text: str, error: ValueError) -> str:
    """Return why a text is not TOML."""
    problem = f"is not valid TOML: {str(error).partition(';')[0]}"
    for number, line in enumerate(text.splitlines(), start=1):
        if mark := next((character for character in line.partition("#")[0] if character in _TYPOGRAPHIC), None):
            return f'{problem}; line {number} has the typographic quotation mark {mark}: write a plain "'
    return problem


def decoded(raw: bytes) -> str:
    """Decode the text of a file. A byte order mark is left out.

    Raises:
        ValueError: it is not UTF-8; the message says what it is and what to do.
    """
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")) or raw[:64].count(0) > 8:
        raise ValueError("is saved as UTF-16; save it again as UTF-8 (in an editor: Save As, encoding UTF-8)")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ValueError(f"is not UTF-8 text (byte 0x{raw[error.start]:02x} in line {line}); save it again as UTF-8") from None


def _where(loc: tuple[Any, ...], fields: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
    """Return the place of an error for people, and its keys. An alert rule is named; other members of a list are counted from 1."""
    start = ""
    if len(loc) > 1 and loc[0] == "alerts" and isinstance(loc[1], int):
        start = f"alert rule {_rule_name(fields, loc[1])}"
        rest = loc[2:]
    else:
        rest = loc
    for part in rest:
        if isinstance(part, int):
            start += f", number {part + 1}"
        elif part != "[key]":
            start += f": {part}" if start.startswith("alert rule") and ": " not in start else f".{part}" if start else str(part)
    return start, loc


def _rule_name(fields: Mapping[str, Any], place: int) -> str:
    rules = fields.get("alerts")
    rule = rules[place] if isinstance(rules, (list, tuple)) and place < len(rules) else None
    name = rule.get("name") if isinstance(rule, dict) else None
    return repr(name[:40]) if isinstance(name, str) else str(place + 1)


def _no_field(name: str, of_a_rule: bool, schema: Mapping[str, Any]) -> str:
    known = schema["$defs"]["AlertRule"]["properties"] if of_a_rule else schema["properties"]
    near = did_you_mean(name, list(known))
    whole, file = ("an alert rule", "docs/ALERTS.md") if of_a_rule else ("a recipe", "docs/RECIPES.md")
    return f"is not a field of {whole}{near or f' (see {file} for all of them)'}"


def _limits(schema: Mapping[str, Any], value: object) -> str | None:
    """Return `must be 1000 to 2000000 metres; for 200 km write 200000`; None where the schema gives no limits."""
    unit = schema.get("unit", "")
    schema = next((each for each in schema.get("anyOf", ()) if each.get("type") != "null"), schema)
    low, high = (schema.get(name, schema.get(f"exclusive{name.title()}")) for name in ("minimum", "maximum"))
    if low is None or high is None:
        return None
    limits = f"must be {_plain(low)} to {_plain(high)}{f' {unit}' if unit else ''}"
    limits = f"must lie between {_plain(low)} and {_plain(high)}" if {"exclusiveMinimum", "exclusiveMaximum"} & set(schema) else limits
    if unit == "metres" and isinstance(value, (int, float)) and low <= value * 1000 <= high:
        limits += f"; for {_plain(value)} km write {_plain(value * 1000)}"
    return limits


def _plain(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:g}"
