"""The reference of all fields of a recipe, generated from the recipe's own schema, for the terminal and for docs/RECIPES.md."""

import textwrap
from dataclasses import asdict, dataclass
from typing import Any

from forecaster.recipe import Recipe

_WIDTH = 100
_INDENT = " " * 6
PARTS = {
    "Needed": ("id", "displayName", "predict_center_lat", "predict_center_lng", "predict_radius_meters", "threshold_mag"),
    "The day, alerts and models": (
        "time_zone",
        "issue_local_time",
        "predict_range_days",
        "comparison_only",
        "group",
        "alerts",
        "models",
        "publishing_rule",
        "test_ratio",
        "max_minutes",
        "seed",
    ),
    "A network of one's own (read by the kind convlstm alone)": (
        "window_days",
        "grid",
        "grid_cell_km",
        "lat_granularity",
        "lng_granularity",
        "learning_rate",
        "decay",
        "epochs",
        "dropout",
        "filters",
        "hidden_units",
        "recurrent_activation",
        "resampling_methods",
        "balanced_batch",
        "use_class_weight",
        "batch_size",
        "patience",
    ),
}
_IN_WORDS = {  # where the schema's own words are not meant for people
    "id": "1 to 40 of a-z, 0-9 and -",
    "displayName": "text, or a table of language = text; 1 to 80 characters each",
    "time_zone": "a name such as Europe/Rome",
    "issue_local_time": "a time such as 23:30:00",
    "comparison_only": "text of 10 characters or more",
    "group": "text, or a table of language = text; 1 to 80 characters each",
    "alerts": "tables [[alerts]]",
    "resampling_methods": "tables [[resampling_methods]]",
}
_DEFAULTS = {
    "time_zone": "the place's",
    "grid_cell_km": "half the radius",
    "comparison_only": "none",
    "group": "its country",
    "issue_local_time": "23:30:00",
}


@dataclass(frozen=True)
class FieldRow:
    """One field: its name in the file, its allowed values, its default (None: the field is required), its meaning."""

    name: str
    values: str
    default: str | None
    meaning: str


@dataclass(frozen=True)
class Part:
    """A group of fields under one heading."""

    heading: str
    rows: tuple[FieldRow, ...]

    def document(self) -> list[dict[str, Any]]:
        """Return the reference for JSON."""
        return [{"part": self.heading, **asdict(row)} for row in self.rows]


def reference() -> list[Part]:
    """Return all fields of a recipe, in the order of PARTS."""
    schema = Recipe.model_json_schema()
    needed, fields = set(schema["required"]), schema["properties"]
    return [
        Part(heading, tuple(_row(name, fields[name], name in needed and name not in _DEFAULTS) for name in names))
        for heading, names in PARTS.items()
    ]


def as_text() -> str:
    """Return the text for a terminal: a field a block."""
    lines = []
    for part in reference():
        lines += [part.heading, ""]
        for row in part.rows:
            default = "needed" if row.default is None else f"left out: {row.default}"
            lines.append(f"  {row.name}: {row.values} ({default})")
            lines += textwrap.wrap(row.meaning, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT)
        lines.append("")
    return "\n".join(lines).rstrip()


def as_markdown() -> str:
    """Return the text for docs/RECIPES.md: a table a part."""
    lines = []
    for part in reference():
        lines += [f"### {part.heading}", "", "| field | values | left out | what it does |", "|---|---|---|---|"]
        lines += [f"| `{row.name}` | {row.values} | {row.default or 'needed'} | {row.meaning} |" for row in part.rows]
        lines.append("")
    return "\n".join(lines).rstrip()


def _row(name: str, field: dict[str, Any], needed: bool) -> FieldRow:
    return FieldRow(name, _IN_WORDS.get(name) or _values(field), None if needed else _default(name, field), field["description"])


def _values(field: dict[str, Any]) -> str:
    options = [each for each in field.get("anyOf", [field]) if each.get("type") != "null"]
    chosen = options[0]
    if "const" in chosen:
        return str(chosen["const"])
    if "enum" in chosen:
        return " or ".join(chosen["enum"])
    if chosen.get("type") == "array":
        return f"a list of {', '.join(chosen['items']['enum'])}"
    if chosen.get("type") == "boolean":
        return "true or false"
    whole = "a whole number" if chosen.get("type") == "integer" else "a number"
    bounds = [
        f"{words} {chosen[key]:.10g}"
        for key, words in (("minimum", "from"), ("exclusiveMinimum", "above"), ("maximum", "to"), ("exclusiveMaximum", "below"))
        if key in chosen
    ]
    unit = f", in {field['unit']}" if "unit" in field else ""
    return f"{whole} {' '.join(bounds)}{unit}".strip()


def _default(name: str, field: dict[str, Any]) -> str:
    value = field.get("default")
    if name in _DEFAULTS:
        return _DEFAULTS[name]
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    return f"{value:.10g}" if isinstance(value, (int, float)) else str(value)
