"""The quick functions of the schemas say what jsonschema says: of valid documents, and of the same with one part changed."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from forecaster.reports import map_files, schema
from forecaster.reports.content.contract import RecentEvent
from forecaster.reports.quick_schema import UnknownWord, compiled
from forecaster.timewindow import TimeWindow
from tests.support.sample_report import sample_report

ODD = (None, True, False, -1, 0, 1, 2.0, 1.5, 1e6, float("nan"), "", "x", "20240102", "2024-01-02T15:00:00Z", [], {}, [1], {"en": 1})
CHANGES = 250  # of each document, drawn


def _documents() -> dict[str, dict[str, Any]]:
    """One of each kind, its lists cut to two rows."""
    report = sample_report()
    forecast = report.recipes[0]
    target = TimeWindow(forecast.target_start, forecast.target_end)
    before = TimeWindow(target.start - timedelta(days=2), target.start)
    tensor = np.zeros((2, 20, 30, 3), dtype=np.float32)
    tensor[0, 14, 3], tensor[1, 2, 4] = 0.5, 1.0
    events = [RecentEvent(target.start, 37.488, 137.271, depth, 5.5) for depth in (None, 10.0)]
    validations = [map_files.Validation(date(2024, 1, 1), date(2024, 1, 3), date(2024, 1, 4), 0.2, fact, 5.1) for fact in (True, None)]
    summary = map_files.Summary(acc=0.7, tp=1, loss=(0.5, 0.4), test_start_date=target.start.date())
    made = {
        "predictions": map_files.predictions_document([(forecast, 1, summary), (report.recipes[1], 1, None)]),
        "summary": map_files.summary_document(summary),
        "validations": map_files.validations_document(validations),
        "detail": map_files.detail_document(forecast, before, tensor, -90 + 9.0 * np.arange(20), -40 + 12.0 * np.arange(30), events),
        "webhook": map_files.webhook_document(replace(report, recipes=report.recipes[:2])),
    }
    return {kind: _cut(document) for kind, document in made.items()}


def _cut(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _cut(part) for name, part in value.items()}
    return [_cut(part) for part in value[:2]] if isinstance(value, list) else value


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    for name, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _places(part, (*path, name))


def _changed(document: dict[str, Any], path: tuple[Any, ...], rng: np.random.Generator) -> dict[str, Any]:
    """The document with another value, one more or one less in this place."""
    changed = copy.deepcopy(document)
    *way, last = path
    inside: Any = changed
    for name in way:
        inside = inside[name]
    how = rng.integers(8)
    if how == 0:
        del inside[last]
    elif how == 1 and isinstance(inside, dict):
        inside["more"] = 1
    else:
        inside[last] = ODD[rng.integers(len(ODD))]
    return changed


@pytest.mark.parametrize("kind", ["predictions", "summary", "validations", "detail", "webhook"])
def test_the_quick_answer_is_that_of_jsonschema(kind: str) -> None:
    document = _documents()[kind]
    holds, slow = compiled(schema._schema(kind)), Draft202012Validator(schema._schema(kind))
    Draft202012Validator.check_schema(schema._schema(kind))
    assert holds(document) and slow.is_valid(document)
    rng = np.random.default_rng(20240103)
    places = [path for path in _places(document) if path]
    answers = set()
    for path in (places[place] for place in rng.integers(len(places), size=CHANGES)):
        changed = _changed(document, path, rng)
        answers.add(slow.is_valid(changed))
        assert holds(changed) == slow.is_valid(changed), (path, changed)
    assert answers == {True, False}


def test_words_that_no_document_here_breaks_hold_as_in_jsonschema() -> None:
    """Every word with values on both sides of its limit and of other types; true is no number, and 1.0 an integer."""
    schemas: list[dict[str, Any]] = [
        {"type": "integer"},
        {"type": ["number", "null"]},
        {"type": "boolean"},
        {"type": "object", "minProperties": 1, "additionalProperties": {"type": "string"}},
        {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/one"}, "$defs": {"one": {"const": 1}}},
        {"enum": [0, 1, None, "x"]},
        {"enum": [True]},
        {"const": 0},
        {"minimum": 1, "maximum": 1.5},
        {"exclusiveMinimum": 1},
        {"pattern": "^[0-9]{8}$"},
        {"minLength": 1},
        {"oneOf": [{"minimum": 0}, {"maximum": 1}]},
        {"anyOf": [{"minimum": 2}, {"type": "string"}]},
        {"if": {"type": "number"}, "then": {"minimum": 1}, "else": {"type": "string"}},
        {"properties": {"en": {"type": "string"}}, "required": ["en"]},
    ]
    for each in schemas:
        holds, slow = compiled(each), Draft202012Validator(each)
        assert [holds(value) for value in ODD] == [slow.is_valid(value) for value in ODD], each


def test_a_schema_with_another_word_is_left_to_jsonschema() -> None:
    with pytest.raises(UnknownWord, match="maxItems"):
        compiled({"maxItems": 1})
    assert schema._quick_check("skill") is None and schema._quick_check("detail") is not None
    Draft202012Validator.check_schema(schema._schema("skill"))
