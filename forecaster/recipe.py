"""A recipe: one target ("M >= m within R km of a place") with all that is needed to train and forecast it.

One TOML file a recipe, complete, no inheritance. Unknown keys and values out of range are errors; all problems of a file are told at once.
"""

import hashlib
import json
import tomllib
from datetime import date, time, timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from forecaster import timewindow
from forecaster.errors import BadInput, BadRecipe

ResamplerName = Literal[
    "SMOTE",
    "RandomUnderSampler",
    "ClusterCentroids",
    "NearMiss",
    "TomekLinks",
    "CondensedNearestNeighbour",
    "EditedNearestNeighbours",
    "AllKNN",
    "NeighbourhoodCleaningRule",
]

ModelKind = Literal["best_rate", "persistence", "etas", "pooled", "hybrid", "regional", "convlstm"]
"""Every kind that can be fitted (`models.kinds`); the climatology is there without being asked for."""

Severity = Literal["info", "warning", "critical"]
"""How loudly a channel shows a message; it says nothing of the ground."""

Channel = Literal["email", "webhook", "slack", "apprise"]
"""Where messages can go (`pipeline.senders`)."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class DisplayName(_Frozen):
    """The place's name for people, in every language of the reports."""

    en: str = Field(min_length=1, max_length=80)
    ja: str = Field(min_length=1, max_length=80)


class ResamplingMethod(_Frozen):
    """One step of the resampling chain: a resampler of imbalanced-learn by name, with its arguments."""

    name: ResamplerName
    args: dict[str, Any] = Field(default_factory=dict)


class QuietHours(_Frozen):
    """Local hours [from, until) in which an alert waits; across midnight where `from` is the later one."""

    begins: time = Field(alias="from")
    ends: time = Field(alias="until")

    @field_validator("begins", "ends")
    @classmethod
    def _naive(cls, value: time) -> time:
        return _local_time(value)

    @model_validator(mode="after")
    def _not_all_day(self) -> "QuietHours":
        if self.begins == self.ends:
            raise ValueError("from and until must differ, or no alert would ever be sent")
        return self


class AlertRule(_Frozen):
    """When people are told of a forecast: its probability AND its ratio to the usual rate must reach a bound.

    An alert stands until one of them falls below its `_off` bound (the bound itself where there is none). What each field does:
    docs/ALERTS.md.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    probability: float = Field(gt=0, lt=1)
    ratio: float = Field(ge=1, le=10_000)
    probability_off: float | None = Field(default=None, gt=0, lt=1)
    ratio_off: float | None = Field(default=None, gt=0, le=10_000)
    cooldown_days: int = Field(default=0, ge=0, le=366, description="at most one alert of the rule in so many days")
    quiet_hours: QuietHours | None = None
    min_gain: float = Field(default=0.0, ge=-5, le=5, description="nats per target day: the low end of the model's gain must lie above it")
    channels: tuple[Channel, ...] = Field(default=(), description="all that are set up where empty")
    severity: Severity = "info"

    @field_validator("channels")
    @classmethod
    def _each_channel_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("must name each channel once")
        return value

    @model_validator(mode="after")
    def _off_below_on(self) -> "AlertRule":
        for name in ("probability", "ratio"):
            on, off = getattr(self, name), getattr(self, f"{name}_off")
            if off is not None and off > on:
                raise ValueError(f"{name}_off = {off:g}: must not lie above {name} = {on:g}, or an alert would end as it is raised")
        return self


class Recipe(_Frozen):
    """One region's recipe; field names and meanings are those of the first system where it had them."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    display_name: DisplayName = Field(alias="displayName")
    time_zone: str
    issue_local_time: time = time(23, 30)
    comparison_only: str | None = Field(default=None, min_length=10, description="why it is not meant to be relied on")

    predict_center_lat: float = Field(ge=-90, le=90)
    predict_center_lng: float = Field(ge=-180, le=180)
    predict_radius_meters: float = Field(ge=1_000, le=2_000_000)
    threshold_mag: float = Field(ge=2.0, le=9.5)
    window_days: int = Field(ge=1, le=90)
    predict_range_days: int = Field(ge=1, le=30)

    grid: Literal["world", "regional"]
    lat_granularity: int = Field(ge=3, le=180)
    lng_granularity: int = Field(ge=3, le=360)
    grid_cell_km: float | None = Field(default=None, ge=5, le=1000)

    alerts: tuple[AlertRule, ...] = Field(default=(), description="when people are told between the daily reports")
    models: tuple[ModelKind, ...] = Field(
        default=("etas", "pooled", "hybrid", "regional"), description="kinds that are fitted and forecast with"
    )

    test_ratio: float = Field(gt=0, lt=0.9)
    learning_rate: float = Field(gt=0, le=1)
    decay: float = Field(default=0.0, ge=0, le=1)
    epochs: int = Field(ge=1, le=10_000)
    dropout: float = Field(ge=0, lt=1)
    filters: int = Field(default=30, ge=1, le=256)
    hidden_units: int = Field(default=100, ge=1, le=4096)
    recurrent_activation: Literal["sigmoid", "hard_sigmoid"] = "sigmoid"
    resampling_methods: tuple[ResamplingMethod, ...] = ()
    balanced_batch: bool = False
    use_class_weight: bool = False
    batch_size: int = Field(default=32, ge=1, le=4096)
    patience: int = Field(default=5, ge=1, le=1000)
    max_minutes: Annotated[float, Field(gt=0, le=1440)] = 30.0
    seed: int = Field(default=20191026, ge=0, lt=2**32)

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        return timewindow.check_zone_name(value)

    @field_validator("issue_local_time")
    @classmethod
    def _naive_time(cls, value: time) -> time:
        return _local_time(value)

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
        """SHA-256 (hex) of the canonical JSON of all fields but `models` and `alerts`: a changed recipe is another recipe, and its fits are
        void. Which kinds are fitted, and when people are told, changes nothing in the fit of any of them."""
        return _sha256(self.model_dump(mode="json", exclude={"models", "alerts"}))

    @cached_property
    def target_hash(self) -> str:
        """SHA-256 (hex) of what makes the target: outcomes of another place, magnitude or zone are not this recipe's."""
        return _sha256(self.model_dump(mode="json", include=_TARGET_FIELDS))

    @property
    def issue_lead(self) -> timedelta:
        """From the issue time to the start of the target day, on a day without a clock change."""
        at = self.issue_local_time
        return timedelta(days=1) - timedelta(hours=at.hour, minutes=at.minute, seconds=at.second)

    def target_window(self, day: date) -> timewindow.TimeWindow:
        """The window that a forecast for the local `day` speaks about."""
        return timewindow.target_window(day, self.zone, self.predict_range_days)


_MOST_SHOWN = 100  # characters of a value, in a problem
_TARGET_FIELDS = {
    "predict_center_lat",
    "predict_center_lng",
    "predict_radius_meters",
    "threshold_mag",
    "predict_range_days",
    "time_zone",
}


def _contradictions(fields: dict[str, Any]) -> list[str]:
    """What is wrong between fields of the right type, one line each; fields of a wrong type are left to their own checks."""
    problems = []
    cell_km = fields.get("grid_cell_km")
    sizes = [(name, fields.get(name)) for name in ("lat_granularity", "lng_granularity")]
    if fields.get("grid") == "regional":
        if cell_km is None:
            problems.append("grid_cell_km: is missing: a regional grid needs the size of its cells (5 to 1000 km)")
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


def _local_time(value: time) -> time:
    if value.tzinfo is not None:
        raise ValueError("must be a local time such as 23:30, without an offset")
    if value.second or value.microsecond:
        raise ValueError("must be a whole minute such as 23:30: no alarm rings between two minutes")
    return value


def _sha256(fields: dict[str, Any]) -> str:
    canonical = json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _problem(error: Any) -> str:
    key = ".".join(str(part) for part in error["loc"])
    message = error["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if error["type"] == "missing":
        return f"{key}: is missing"
    if error["type"] == "extra_forbidden":
        whole = "an alert rule (see docs/ALERTS.md" if key.startswith("alerts.") else "a recipe (see `quakecast recipes show tokyo`"
        return f"{key}: is not a field of {whole} for all of them)"
    if isinstance(error["input"], dict):
        return f"{key}: {message}"
    return f"{key} = {_shown(error['input'])}: {message}"


def _shown(value: object) -> str:
    """A value as it was written, at most _MOST_SHOWN characters of it."""
    if isinstance(value, int) and abs(value) >= 10**_MOST_SHOWN:
        return f"a number of more than {_MOST_SHOWN} digits"
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]} ..."


def parse_recipe(text: str, file: str) -> Recipe:
    """The recipe of a TOML text; `file` is the name to say in errors.

    Raises:
        BadRecipe: with every problem of the file: key, value, limit.
    """
    try:
        fields = tomllib.loads(text)
    except RecursionError:
        raise BadRecipe(file, ["is not valid TOML: lists or tables lie too deep in each other"]) from None
    except ValueError as error:  # also of a number with more digits than Python reads
        raise BadRecipe(file, [f"is not valid TOML: {str(error).partition(';')[0]}"]) from None
    problems = _contradictions(fields)
    if isinstance(fields.get("id"), str) and fields["id"] != Path(file).stem:
        problems.append(f"id = {_shown(fields['id'])}: must be the file's name, {Path(file).stem!r}")
    try:
        recipe = Recipe.model_validate(fields)
    except ValidationError as error:
        problems = [_problem(item) for item in error.errors() if item["loc"]] + problems
    if problems:
        raise BadRecipe(file, problems)
    return recipe


def load_recipes(folder: Path) -> dict[str, Recipe]:
    """Every recipe of `folder`, by id, in the order of their ids.

    Raises:
        BadInput: no such folder, or no recipe in it.
        BadRecipe: with the problems of all files together.
    """
    files = sorted(folder.glob("*.toml"), key=lambda file: file.stem)
    if not files:
        raise BadInput(f"no recipe (*.toml) in {folder}; set QUAKECAST_RECIPES to a folder that has some")
    recipes: dict[str, Recipe] = {}
    broken: list[BadRecipe] = []
    for file in files:
        try:
            recipe = parse_recipe(file.read_text(encoding="utf-8"), file.name)
            recipes[recipe.id] = recipe
        except UnicodeDecodeError:
            broken.append(BadRecipe(file.name, ["is not UTF-8 text"]))
        except OSError as error:
            broken.append(BadRecipe(file.name, [f"cannot be read ({error.strerror})"]))
        except BadRecipe as error:
            broken.append(error)
    if broken:
        lines = [f"{error.file}: {problem}" for error in broken for problem in error.problems]
        raise BadRecipe(str(folder), lines) if len(broken) > 1 else broken[0]
    return recipes


def choose(recipes: dict[str, Recipe], ids: list[str] | tuple[str, ...]) -> list[Recipe]:
    """The recipes with these ids, all of them where `ids` is empty.

    Raises:
        BadInput: an unknown id, with the ids there are.
    """
    unknown = [recipe_id for recipe_id in ids if recipe_id not in recipes]
    if unknown:
        raise BadInput(f"unknown recipe {', '.join(map(repr, unknown))}; there are: {', '.join(recipes)}")
    return [recipes[recipe_id] for recipe_id in ids] if ids else list(recipes.values())
