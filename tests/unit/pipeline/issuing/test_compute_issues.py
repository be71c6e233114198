"""Many recipes computed together: each issue is that of the recipe alone, in any order, whatever the others are.

Mutations that were seen to fail: ladders grouped by window alone, rungs given to the next recipe, corner numbers of the first recipe for
all, an artefact taken for that of another kind.
"""

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecaster.catalog.coverage import STREAMS, coverage_rows
from forecaster.clock import Clock
from forecaster.features.events import NEVER, Events
from forecaster.pipeline.as_of.catalogue_history import CatalogueHistory
from forecaster.pipeline.issuing import compute_issues as issuing
from forecaster.pipeline.issuing.compute_issues import Asked, ComputedIssue, Doubts, IssueRequest, compute_issues
from forecaster.places import recipe_at
from forecaster.publishing_rule.blend import shipped
from forecaster.publishing_rule.weights import usable_weights
from forecaster.recipe import Recipe
from forecaster.store.versions.catalogue import Joins
from forecaster.timewindow import DAY_US, next_local_day, to_us

NOW = datetime(2024, 3, 31, 20, 10, tzinfo=UTC)
ABSENT = {"model_id": "gone-hybrid", "directory": "gone/hybrid"}
PLACES = ((38.0, 142.0), (0.5, 179.8), (-0.7, -179.6), (-33.0, -71.5))
RECIPES = {  # place, radius in km, threshold, zone, days, kinds
    "tokyo": (0, 150.0, 4.5, "Asia/Tokyo", 1, None),
    "same-elsewhere": (3, 150.0, 4.5, "America/Santiago", 1, None),
    "same-place-larger": (0, 300.0, 5.0, "Asia/Tokyo", 1, None),
    "rome-time": (3, 40.0, 4.5, "Europe/Rome", 1, ("pooled", "etas")),
    "week": (0, 150.0, 4.5, "UTC", 7, None),
    "three-days": (2, 700.0, 5.0, "Pacific/Auckland", 3, None),
    "date-line": (1, 150.0, 5.0, "Pacific/Fiji", 1, None),
    "no-model": (1, 150.0, 4.5, "UTC", 1, ()),
    "broken": (0, 150.0, 4.5, "Asia/Tokyo", 1, None),
    "nowhere-read": (3, 150.0, 3.0, "UTC", 1, None),
    "quiet": (None, 100.0, 6.5, "UTC", 30, None),
}


@cache
def history() -> CatalogueHistory:
    """At each place some hundred earthquakes since 2000, many of the last days, a tenth of them revised, some of M 7 and more far away."""
    rng = np.random.default_rng(3)
    first, last = to_us(datetime(2000, 1, 1, tzinfo=UTC)), to_us(NOW)
    rows = []
    for latitude, longitude in PLACES:
        times = np.concatenate([rng.integers(first, last, 500), last - rng.integers(1, 20 * DAY_US, 40), last - rng.integers(1, DAY_US, 6)])
        for time in times.tolist():
            magnitude = min(4.5 + rng.exponential(0.43), 8.0)
            up, right = rng.normal(0.0, 6.0 if magnitude > 6.5 else 1.5, 2)
            place = latitude + up, (longitude + right + 180.0) % 360.0 - 180.0, float(rng.choice([10.0, 120.0, np.nan]))
            known = time + int(rng.integers(0, DAY_US // 4))
            if rng.random() < 0.1:
                until = known + int(rng.integers(1, 3 * DAY_US))
                rows += [(time, known, *place, magnitude, until), (time, until, *place, max(magnitude - 0.4, 4.5), NEVER)]
            else:
                rows.append((time, known, *place, magnitude, NEVER))
    rows.sort()
    time, known_at, lat, lon, depth, size, until = (np.array(column) for column in zip(*rows, strict=True))
    versions = Events(time, known_at, lat, lon, depth, size, until)
    ids = pd.DataFrame({"event_id": [f"e{number}" for number in range(len(rows))], "place": ["somewhere"] * len(rows)})
    every, row = np.ones(len(rows), dtype=bool), np.arange(len(rows))
    coverage = coverage_rows(STREAMS, datetime(2000, 1, 1, tzinfo=UTC), NOW, NOW, "usgs full read")
    return CatalogueHistory(versions, every, ids, row, ~every, known_at, row, Joins([], []), coverage)


def recipe_of(name: str) -> Recipe:
    number, radius_km, threshold, zone, days, kinds = RECIPES[name]
    place = (52.0, 5.0) if number is None else PLACES[number]
    found = recipe_at(*place, radius_km, threshold, zone, name)
    return found.model_copy(update={"predict_range_days": days, "models": found.models if kinds is None else kinds})


def request_of(name: str) -> IssueRequest:
    recipe = recipe_of(name)
    day = next_local_day(NOW, recipe.zone)
    asked = Asked.of(recipe, day, Clock.standing_at(NOW), NOW)
    return IssueRequest(asked, shipped(*usable_weights(day)), {"hybrid": ABSENT} if name == "broken" else {})


def computed(names: list[str]) -> dict[str, ComputedIssue]:
    issues = list(compute_issues(history(), Path("no-models"), [request_of(name) for name in names], Doubts()))
    assert [issue.recipe_id for issue in issues] == names
    return {issue.recipe_id: issue for issue in issues}


@cache
def alone(name: str) -> ComputedIssue:
    return computed([name])[name]


def flat(issue: ComputedIssue) -> dict[tuple[object, ...], object]:
    """Every value of an issue by its path."""
    found: dict[tuple[object, ...], object] = {}

    def walk(path: tuple[object, ...], value: Any) -> None:
        if isinstance(value, dict | list):
            for key, each in value.items() if isinstance(value, dict) else enumerate(value):
                walk((*path, key), each)
        else:
            found[path] = value

    walk((), [{**row, "details": json.loads(row["details"] or "{}")} for row in issue.rows])
    return found | {("silent",): str(issue.silent), ("not_scoreable",): issue.not_scoreable, ("failed",): issue.failed}


@pytest.mark.parametrize("at_once", [1, 3, 100])
@pytest.mark.parametrize("seed", [0, 1])
def test_together_each_says_what_it_says_alone(at_once: int, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuing, "RECIPES_AT_ONCE", at_once)
    names = np.random.default_rng(seed).permutation(list(RECIPES)).tolist()
    for name, issue in computed(names).items():
        found, expected = flat(issue), flat(alone(name))
        assert list(found) == list(expected)
        numbers = [path for path, value in expected.items() if isinstance(value, float)]
        assert [found[path] for path in numbers] == pytest.approx([expected[path] for path in numbers], rel=1e-12)
        assert {path: found[path] for path in found if path not in numbers} == {
            path: expected[path] for path in found if path not in numbers
        }


def test_the_recipes_differ_in_all_that_could_be_confused() -> None:
    """Ladders, contributing earthquakes, a fit that is not there, a recipe without rows, and one published by its usual rate alone."""
    issues = {name: alone(name) for name in RECIPES}
    assert issues["nowhere-read"].rows == [] and issues["nowhere-read"].not_scoreable is not None
    assert all(issues[name].rows[-1]["rungs"] for name in RECIPES if name != "nowhere-read")
    details = {name: json.loads(issue.rows[-1]["details"]) for name, issue in issues.items() if issue.rows}
    assert sum("drivers" in told and len(told["drivers"]) > 0 for told in details.values()) >= 4
    assert issues["broken"].rows[-1]["degraded"] and not issues["tokyo"].rows[-1]["degraded"]
    said = [{row["model_kind"]: row["probability"] for row in issues[name].rows} for name in ("broken", "tokyo")]
    assert said[0] == said[1], "the packaged hybrid stands in for the fit that is gone"
    assert len({issue.rows[-1]["probability"] for name, issue in issues.items() if issue.rows and name != "broken"}) == len(RECIPES) - 2
