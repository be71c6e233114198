"""What the fields of a recipe may hold: names by language, resampling steps, kinds of models, alert rules."""

from datetime import time
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, StringConstraints, field_validator, model_validator

from forecaster.registry.alert_rule_types import RULE_TYPES
from forecaster.registry.message_channels import CHANNELS
from forecaster.registry.model_kinds import kinds_where
from forecaster.registry.publishing_rules import PUBLISHING_RULES

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

if TYPE_CHECKING:
    Channel = str
    RuleTypeName = str
    ModelKind = str
    PublishingRuleName = str
else:
    RuleTypeName = Literal[tuple(RULE_TYPES)]
    Channel = Literal[tuple(CHANNELS)]
    PublishingRuleName = Literal[tuple(PUBLISHING_RULES)]
    ModelKind = Literal[kinds_where(lambda kind: kind.in_recipes)]
"""Every kind that a recipe may name (`model_kinds`); the climatology is there without being asked for."""

Severity = Literal["info", "warning", "critical"]
"""How loudly a channel shows a message; it says nothing of the ground."""


class Frozen(BaseModel):
    """Cannot be changed, and refuses fields that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


_Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
_Name = Annotated[str, StringConstraints(min_length=1, max_length=80)]


class DisplayName(RootModel[dict[_Language, _Name]]):
    """The place's name for people, by language. There always is one in English: the only or first one given, where none is."""

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _with_english(cls, value: Any) -> Any:
        names = {"en": value} if isinstance(value, str) else value
        if not isinstance(names, dict) or not names:
            raise ValueError('write "Rome", or one name a language: { en = "Rome", it = "Roma" }')
        return {"en": next(iter(names.values()))} | names

    @property
    def en(self) -> str:
        """The name in English, or what stands for it."""
        return self.root["en"]


class ResamplingMethod(Frozen):
    """One step of the resampling chain: a resampler of imbalanced-learn by name, with its arguments."""

    name: ResamplerName
    args: dict[str, Any] = Field(default_factory=dict)


class QuietHours(Frozen):
    """Local hours [from, until) in which an alert waits; across midnight where `from` is the later one."""

    begins: time = Field(alias="from")
    ends: time = Field(alias="until")

    @field_validator("begins", "ends")
    @classmethod
    def _naive(cls, value: time) -> time:
        return local_time(value)

    @model_validator(mode="after")
    def _not_all_day(self) -> "QuietHours":
        if self.begins == self.ends:
            raise ValueError("from and until must differ, or no alert would ever be sent")
        return self


class AlertRule(Frozen):
    """When people are told of a forecast: by its probability and its ratio to the usual rate, which must both reach a bound.

    An alert stands until one of them falls below its `_off` bound (the bound itself where there is none). Other types of rules decide
    otherwise. What each field does: docs/ALERTS.md.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    type: RuleTypeName = Field(default="both", description="which bounds must be reached: both")
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

    def document(self) -> dict[str, Any]:
        """The rule as JSON, by the names that a recipe has; its type where it is not the usual one."""
        return self.model_dump(mode="json", by_alias=True, exclude={"type"} if self.type == "both" else None)

    @model_validator(mode="after")
    def _off_below_on(self) -> "AlertRule":
        for name in ("probability", "ratio"):
            on, off = getattr(self, name), getattr(self, f"{name}_off")
            if off is not None and off > on:
                raise ValueError(f"{name}_off = {off:g}: must not lie above {name} = {on:g}, or an alert would end as it is raised")
        return self


def local_time(value: time) -> time:
    """`value` itself, if it is a whole minute without an offset. Raises ValueError where it is not."""
    if value.tzinfo is not None:
        raise ValueError("must be a local time such as 23:30, without an offset")
    if value.second or value.microsecond:
        raise ValueError("must be a whole minute such as 23:30: no alarm rings between two minutes")
    return value
