"""A recipe: one target ("M >= m within R km of a place") with everything that is needed to train and forecast it.

One TOML file holds one recipe, without inheritance. Id, name, place, radius and magnitude are required, everything else has a default
(docs/RECIPES.md). Unknown keys and values out of range are errors. All problems of a file are reported at once.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Collection
from datetime import date, time
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError, field_validator, model_validator

from forecaster import timewindow, zones
from forecaster.errors import BadInput, BadRecipe
from forecaster.recipe_problems import decoded, did_you_mean, problem_line, shown, toml_problem
from forecaster.registry.publishing_rules import DEFAULT_RULE
from forecaster.registry.recipe_fields import AlertRule, DisplayName, Frozen, ModelKind, PublishingRuleName, ResamplingMethod, local_time

FIRST_SYSTEM_FOLDER = "first_system"  # inside a folder of recipes
ID_PATTERN = r"^[a-z0-9][a-z0-9-]{0,39}$"


class Recipe(Frozen):
    """One region's recipe; field names and meanings are those of the first system where it had them."""

    id: str = Field(pattern=ID_PATTERN, description="Its short name in commands; the file's name is the same with .toml.")
    display_name: DisplayName = Field(
        alias="displayName", description='The name for people: "Rome", or one a language, { en = "Rome", it = "Roma" }.'
    )
    group: DisplayName | None = Field(
        default=None,
        description="The heading under which a report of many recipes lists it: a text, or one a language; else its time zone's country.",
    )
    predict_center_lat: float = Field(
        ge=-90, le=90, description="Latitude of the circle's centre, north is positive.", json_schema_extra={"unit": "degrees"}
    )
    predict_center_lng: float = Field(
        ge=-180, le=180, description="Longitude of the circle's centre, east is positive.", json_schema_extra={"unit": "degrees"}
    )
    predict_radius_meters: float = Field(ge=1_000, le=2_000_000, description="Radius of the circle.", json_schema_extra={"unit": "metres"})
    threshold_mag: float = Field(ge=2.0, le=9.5, description="The smallest magnitude that counts.")

    time_zone: str = Field(description="IANA time zone in which its days begin; that of the centre where it is left out.")
    issue_local_time: time = Field(
        default=time(23, 30), description="Local time of the day before, at which the forecast is issued; whole minutes."
    )
    predict_range_days: int = Field(default=1, ge=1, le=30, description="How many days one forecast covers.")
    comparison_only: str | None = Field(
        default=None, min_length=10, description="Why it is not to be relied on: it is kept for comparison, and sends no alerts."
    )
    alerts: tuple[AlertRule, ...] = Field(default=(), description="Rules for alerts between the daily reports: docs/ALERTS.md.")
    models: tuple[ModelKind, ...] = Field(
        default=("etas", "pooled", "hybrid", "regional", "cells"), description="Kinds of models that are fitted and forecast with."
    )
    publishing_rule: PublishingRuleName = Field(
        default=DEFAULT_RULE, description="How the published forecast is made from those of its kinds of models."
    )
    test_ratio: float = Field(default=0.25, gt=0, lt=0.9, description="Share of the days, the last ones, on which its fits are evaluated.")
    max_minutes: Annotated[float, Field(gt=0, le=1440)] = Field(
        default=30.0, description="Training time for all its kinds.", json_schema_extra={"unit": "minutes"}
    )
    seed: int = Field(default=20191026, ge=0, lt=2**32, description="Seed of everything random in its fits.")
    window_days: int = Field(
        default=15, ge=1, le=90, description="Days before the forecast that the network sees; the record begins so many days later."
    )

    grid: Literal["world", "regional"] = Field(default="regional", description="What the network sees: cells around the place, or all.")
    grid_cell_km: float | None = Field(
        default=None,
        ge=5,
        le=1000,
        description="Size of a regional grid's cells; half the radius where it is left out, 5 km at least.",
        json_schema_extra={"unit": "km"},
    )
    lat_granularity: int = Field(default=11, ge=3, le=180, description="Rows of the grid; odd on a regional one; on the world's 20.")
    lng_granularity: int = Field(default=11, ge=3, le=360, description="Columns of the grid; odd on a regional one; on the world's 30.")
    learning_rate: float = Field(default=3e-4, gt=0, le=1, description="Step size of the optimizer.")
    decay: float = Field(default=0.0, ge=0, le=1, description="Decay of the learning rate a step.")
    epochs: int = Field(default=50, ge=1, le=10_000, description="Passes over the training days at most.")
    dropout: float = Field(default=0.3, ge=0, lt=1, description="Share of hidden units that are left out in training.")
    filters: int = Field(default=30, ge=1, le=256, description="Filters of the convolution.")
    hidden_units: int = Field(default=100, ge=1, le=4096, description="Units of the hidden layer.")
    recurrent_activation: Literal["sigmoid", "hard_sigmoid"] = Field(default="sigmoid", description="Activation of the gates.")
    resampling_methods: tuple[ResamplingMethod, ...] = Field(
        default=(), description="Steps that balance days with and without a target, by name and args (imbalanced-learn)."
    )
    balanced_batch: bool = Field(default=False, description="Whether each batch is balanced; not together with use_class_weight.")
    use_class_weight: bool = Field(default=False, description="Whether rare days weigh more; not together with balanced_batch.")
    batch_size: int = Field(default=32, ge=1, le=4096, description="Days in a batch.")
    patience: int = Field(default=5, ge=1, le=1000, description="Epochs without progress after which training ends.")

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, fields: Any) -> Any:
        return _with_defaults(fields) if isinstance(fields, dict) else fields

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        return timewindow.check_zone_name(value)

    @field_validator("issue_local_time")
    @classmethod
    def _naive_time(cls, value: time) -> time:
        return local_time(value)

    @field_validator("models")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("must name each kind once")
        return value

    @model_validator(mode="after")
    def _fields_agree(self) -> "Recipe":
        if problems := _contradictions(self.model_dump()):
            raise ValueError("; ".join(problems))
        return self

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def radius_km(self) -> float:
        return self.predict_radius_meters / 1000.0

    @cached_property
    def recipe_hash(self) -> str:
        """SHA-256 (hex) of the canonical JSON of all fields but NO_PART_OF_A_FIT: a changed recipe is another recipe, and its fits are
        void."""
        return _sha256(self.model_dump(mode="json", exclude=NO_PART_OF_A_FIT))

    @cached_property
    def target_hash(self) -> str:
        """SHA-256 (hex) of what makes the target: outcomes of another place, magnitude or zone are not this recipe's."""
        return _sha256(self.model_dump(mode="json", include=_TARGET_FIELDS))

    def target_window(self, day: date) -> timewindow.TimeWindow:
        """The window that a forecast for the local `day` speaks about."""
        return timewindow.target_window(day, self.zone, self.predict_range_days)


SMALLEST_CELL_KM = 5.0
NO_PART_OF_A_FIT = {"models", "publishing_rule", "alerts", "group"}
"""Which kinds are fitted, how they are combined, when alerts are sent, and where a report lists it: this changes nothing in any fit."""
_WORLD_GRID = {"lat_granularity": 20, "lng_granularity": 30}
_TARGET_FIELDS = {
    "predict_center_lat",
    "predict_center_lng",
    "predict_radius_meters",
    "threshold_mag",
    "predict_range_days",
    "time_zone",
}


def default_cell_km(radius_km: float) -> float:
    """Return half the circle's radius, 5 km at least: the width of the cells of a regional grid."""
    return max(radius_km / 2, SMALLEST_CELL_KM)


def _with_defaults(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the values with those that follow from other fields: the zone of the place, the size of the grid. Values of a wrong type are
    left to their own checks."""
    filled = dict(fields)
    place = [_number(fields.get(name), most) for name, most in (("predict_center_lat", 90), ("predict_center_lng", 180))]
    if "time_zone" not in fields and place[0] is not None and place[1] is not None:
        filled["time_zone"] = zones.zone_at(place[0], place[1])
    if fields.get("grid") == "world":
        filled = _WORLD_GRID | filled
    elif fields.get("grid", "regional") == "regional" and fields.get("grid_cell_km") is None:
        radius = _number(fields.get("predict_radius_meters"), 2_000_000)
        if radius is not None:
            filled["grid_cell_km"] = default_cell_km(radius / 1000.0)
    return filled


def _number(value: object, most: float) -> float | None:
    """Return a number of at most this size, else None."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= most else None


def _contradictions(fields: dict[str, Any]) -> list[str]:
    """Return the contradictions between fields of the right type, one line each. Fields of a wrong type are left to their own checks."""
    problems = []
    cell_km = fields.get("grid_cell_km")
    sizes = [(name, fields.get(name)) for name in ("lat_granularity", "lng_granularity")]
    if fields.get("grid", "regional") == "regional":
        problems += [
            f"{name} = {size}: must be odd on a regional grid, so that the target lies in the middle of a cell and not on an edge"
            for name, size in sizes
            if isinstance(size, int) and size % 2 == 0
        ]
    elif fields.get("grid") == "world" and cell_km is not None:
        problems.append(f"grid_cell_km = {cell_km}: has no meaning on the world grid, leave it out")
    if fields.get("balanced_batch") is True and fields.get("use_class_weight") is True:
        problems.append("balanced_batch and use_class_weight = true: both balance the classes, set one of them to false")
    return problems + _contradicting_alerts(fields)


def _contradicting_alerts(fields: dict[str, Any]) -> list[str]:
    rules = fields.get("alerts") or ()
    names = [rule.get("name") for rule in rules if isinstance(rule, dict)] if isinstance(rules, (list, tuple)) else []
    problems = [f"alerts: {names.count(name)} rules are called {name!r}; give each its own name" for name in _repeated(names)]
    if names and fields.get("comparison_only") is not None:
        problems.append("alerts: a recipe that is kept for comparison_only is not to be relied on and sends no alerts; leave them out")
    return problems


def _repeated(names: list[Any]) -> list[str]:
    return sorted({name for name in names if isinstance(name, str) and names.count(name) > 1})


def _sha256(fields: dict[str, Any]) -> str:
    canonical = json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def parse_recipe(text: str, file: str, others: Collection[str] = ()) -> Recipe:
    """Parse the TOML text of a recipe. `file` is the file name for errors; `others` are the names of the files beside it.

    Raises:
        BadRecipe: with every problem of the file: key, value, limit.
    """
    try:
        fields = tomllib.loads(text)
    except RecursionError:
        raise BadRecipe(file, ["is not valid TOML: lists or tables lie too deep in each other"]) from None
    except ValueError as error:  # also of a number with more digits than Python reads
        raise BadRecipe(file, [toml_problem(text, error)]) from None
    problems = _contradictions(_with_defaults(fields))
    if isinstance(fields.get("id"), str) and fields["id"] != Path(file).stem:
        problems.append(f"id = {shown(fields['id'])}: must be the file's name, {Path(file).stem!r}{_remedy(fields['id'], others)}")
    try:
        recipe = Recipe.model_validate(fields)
    except ValidationError as error:
        problems = _problems(error, fields) + problems or [found["msg"] for found in error.errors()]
    if problems:
        raise BadRecipe(file, problems)
    return recipe


def _remedy(recipe_id: str, others: Collection[str]) -> str:
    """Return what to do about an id that differs from its file's name."""
    if f"{recipe_id}.toml" in others:
        return f"; {recipe_id}.toml has this id already: change it, or take one of them away"
    return f"; rename the file to {recipe_id}.toml" if re.fullmatch(ID_PATTERN, recipe_id) else ""


def _problems(error: ValidationError, fields: dict[str, Any]) -> list[str]:
    """Return one line a problem. A missing zone follows from a bad place, and only the bad place is reported."""
    schema = Recipe.model_json_schema()
    found = [item for item in error.errors() if item["loc"] and (item["type"], item["loc"]) != ("missing", ("time_zone",))]
    return [problem_line(item, fields, schema) for item in found]


def load_recipes(folder: Path) -> dict[str, Recipe]:
    """Every recipe of `folder` and of `first_system` in it, by id, in the order of their ids. Hidden files are those of editors and
    systems, and no recipes.

    `first_system` holds the recipes that are kept for comparison only, for people who look into the folder. What makes a recipe one of
    these is its `comparison_only`, wherever its file lies.

    Raises:
        BadInput: no such folder, or no recipe in it.
        BadRecipe: with the problems of all files together; an id that both folders have is one.
    """
    found = [file for part in recipe_folders(folder) for file in part.glob("*.toml") if not file.name.startswith(".")]
    files = sorted(found, key=lambda file: file.stem)
    if not files:
        raise BadInput(f"{_no_recipe(folder)}; set QUAKECAST_RECIPES to a folder that has some")
    names = {file.name for file in files}
    recipes: dict[str, Recipe] = {}
    broken: list[BadRecipe] = []
    for file in files:
        shown_name = file.relative_to(folder).as_posix()
        try:
            recipe = parse_recipe(decoded(file.read_bytes()), shown_name, names)
            if recipe.id in recipes:
                raise BadRecipe(shown_name, [f"id = {shown(recipe.id)}: {folder / file.name} has this id, too; take one of the two away"])
            recipes[recipe.id] = recipe
        except BadRecipe as error:
            broken.append(error)
        except ValueError as error:
            broken.append(BadRecipe(shown_name, [str(error)]))
        except OSError as error:
            broken.append(BadRecipe(shown_name, [f"cannot be read ({error.strerror})"]))
    if broken:
        lines = [f"{error.file}: {problem}" for error in broken for problem in error.problems]
        raise BadRecipe(str(folder), lines) if len(broken) > 1 else broken[0]
    return recipes


def unread_files(folder: Path) -> list[str]:
    """Return the names of files that look like recipes and are not read: their name does not end in `.toml`."""
    found = [file for part in recipe_folders(folder) for file in part.iterdir() if ".toml" in file.name.lower() and file.suffix != ".toml"]
    return sorted(file.relative_to(folder).as_posix() for file in found if file.is_file())


def recipe_folders(folder: Path) -> list[Path]:
    """Return the folders that recipes are read from: `folder`, then `first_system` in it, where it is there."""
    return [part for part in (folder, folder / FIRST_SYSTEM_FOLDER) if part == folder or part.is_dir()]


def choose(recipes: dict[str, Recipe], ids: list[str] | tuple[str, ...]) -> list[Recipe]:
    """Return the recipes with these ids; all of them where `ids` is empty.

    Raises:
        BadInput: an unknown id, with the ids that resemble it, or all ids.
    """
    unknown = [recipe_id for recipe_id in ids if recipe_id not in recipes]
    if unknown:
        near = did_you_mean(unknown[0], list(recipes)) if len(unknown) == 1 else ""
        there = f"; there are: {', '.join(recipes)}"
        raise BadInput(f"unknown recipe {', '.join(map(repr, unknown))}{near or there}")
    return [recipes[recipe_id] for recipe_id in ids] if ids else list(recipes.values())


def _no_recipe(folder: Path) -> str:
    """Return why a folder has no recipe."""
    if folder.is_file():
        return f"{folder} is a file, and no folder of recipes"
    if not folder.is_dir():
        quoted = "; the name has quotation marks in it, which do not belong there" if str(folder)[:1] in "'\"" else ""
        return f"there is no folder {folder} to read recipes from{quoted}"
    unread = unread_files(folder)
    there = f" (there is {', '.join(unread[:3])}: the name of a recipe must end in .toml)" if unread else ""
    return f"no recipe (*.toml) in {folder}{there}"
