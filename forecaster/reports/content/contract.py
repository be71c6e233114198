"""The data of a report: plain frozen values that the pipeline fills from the store. Anything unknown is None.

Units: probabilities 0..1 for the whole target window, times aware UTC, distances km, information gain nats per target day.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field

from forecaster.registry.reasons import Reason
from forecaster.registry.weights_origin import WeightsFrom

Mode = Literal["prospective", "late", "hindcast", "replay"]
OutcomeStatus = Literal["pending", "preliminary", "provisional", "final", "not_scoreable"]


def _or(name: str, former: str) -> Any:
    """Return the annotation of a field that stored documents of earlier versions call `former`."""
    return Field(validation_alias=AliasChoices(name, former))


@dataclass(frozen=True)
class ReliabilityCurve:
    """A reliability curve by CORP with its 90 % consistency bars: does a forecast of 3 % come true on 3 % of days?

    All tuples have the same length and are sorted by the forecast probability, ascending.
    """

    probability: Annotated[tuple[float, ...], _or("probability", "said")]
    days: tuple[int, ...]
    observed: Annotated[tuple[float, ...], _or("observed", "came")]  # the recalibrated probability
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class TrackRecord:
    """The record of the forecasts of one mode on verified days, against the usual rate.

    Days that a model was trained on are in no record.
    """

    verified_days: Annotated[int, _or("verified_days", "settled_days")]
    hits: int  # verified days on which an earthquake was observed
    information_gain: float | None = None
    low: float | None = None
    high: float | None = None
    mode: Mode | None = None
    expected: float | None = None  # the sum of the probabilities of these days
    final_days: int | None = None  # those whose outcome is final
    first_day: date | None = None
    last_day: date | None = None
    reliability: ReliabilityCurve | None = None  # None where the days are too few


@dataclass(frozen=True)
class DriverEvent:
    """A contributing event: an earthquake near a recipe's circle.

    `without`: the published model's probability had this earthquake not occurred; None where that model ignores single earthquakes.
    """

    origin_time: datetime
    magnitude: float
    latitude_deg: float
    longitude_deg: float
    distance_km: float  # from the centre of the circle
    depth_km: float | None = None
    place: str | None = None
    without: float | None = None


@dataclass(frozen=True)
class Evaluation:
    """Skill of a model's evaluation fit on held-out days, against the usual rate; losses in nats per day."""

    information_gain: float | None = None
    low: float | None = None
    high: float | None = None
    auc: float | None = None
    test_days: int | None = None
    target_days: int | None = None
    base_rate: float | None = None
    test_first_day: date | None = None
    test_last_day: date | None = None
    log_loss: float | None = None
    reference_log_loss: float | None = None


@dataclass(frozen=True)
class ModelForecast:
    """One model's forecast for the same window, published or not.

    `expected_count` and its 95 % range are given where the model forecasts a number of earthquakes.
    """

    kind: str
    probability: float | None
    published: bool = False
    model_id: str | None = None
    evaluation: Evaluation | None = None
    expected_count: float | None = None
    count_low: int | None = None
    count_high: int | None = None


@dataclass(frozen=True)
class RungRecord:
    """The record of one horizon and magnitude: forecasts of one mode whose window has ended, against the usual rate.

    These windows overlap, so they carry less information than their number suggests. `cases` counts the hits that do not overlap: the spans
    of the window's length in which a window with such an earthquake began. information_gain: nats per window with such an earthquake; its
    95 % bounds are None where the cases are too few.
    """

    verified: Annotated[int, _or("verified", "settled")]
    hits: int  # verified windows with such an earthquake
    expected_hits: float  # the sum of their probabilities
    usual_hits: float  # the sum of the usual rates
    in_range: int  # verified windows whose number lies inside the 95 % range
    cases: int
    information_gain: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class PooledRung:
    """The record of all recipes together for one horizon and one step of magnitude above each recipe's threshold."""

    mode: Mode
    horizon_days: int
    step: float
    record: RungRecord


@dataclass(frozen=True)
class Rung:
    """One rung of a ladder: a horizon in local days from the start of the target, and the smallest magnitude that counts.

    count_low, count_high: 95 % range of the number. beyond_record: the magnitude is larger than any in the record of the circle.
    record: of earlier forecasts of this mode; None where no window has ended.
    """

    horizon_days: int
    magnitude: float
    window_end: datetime
    probability: float
    reference_probability: float
    expected_count: float
    count_low: int
    count_high: int
    usual_count: float
    beyond_record: bool = False
    record: RungRecord | None = None


@dataclass(frozen=True)
class Ladder:
    """Forecasts of longer windows and larger magnitudes that belong to one forecast, by horizon and magnitude.

    The probability never rises with the magnitude and never falls with the horizon. basis: "etas", or "climatology" where only the usual
    rate was published. b_value, b_sigma: of the magnitudes.
    """

    rungs: tuple[Rung, ...]
    basis: str
    b_value: float
    b_sigma: float

    @property
    def horizons(self) -> tuple[int, ...]:
        """The horizons in days, ascending."""
        return tuple(sorted({rung.horizon_days for rung in self.rungs}))

    @property
    def magnitudes(self) -> tuple[float, ...]:
        """The magnitudes, ascending; the first is the recipe's threshold."""
        return tuple(sorted({rung.magnitude for rung in self.rungs}))

    def rung(self, horizon_days: int, magnitude: float) -> Rung | None:
        """Return the rung of this horizon and magnitude; None outside the ladder, which is never extrapolated."""
        return next((one for one in self.rungs if one.horizon_days == horizon_days and abs(one.magnitude - magnitude) < 1e-6), None)


@dataclass(frozen=True)
class WorldPlace:
    """A place on the world map; name: the service's name for it, None where it has none."""

    name: str | None
    lat: float
    lng: float
    probability: float
    usual: float


@dataclass(frozen=True)
class WorldExtract:
    """A report's extract of the world map: the places farthest above their usual rate on a day of UTC, highest ratio first."""

    day: date
    magnitude: float
    radius_km: float
    cells: int
    places: tuple[WorldPlace, ...]


@dataclass(frozen=True)
class DayOutcome:
    """An earlier forecast and its outcome; `observed` is None while the outcome is unknown."""

    day: date
    probability: float | None
    observed: Annotated[bool | None, _or("observed", "happened")]
    status: OutcomeStatus
    reference_probability: float | None = None
    max_magnitude: float | None = None
    mode: Mode | None = None
    afterwards: bool = False  # computed after the day: a hindcast, or a row of a backfill


@dataclass(frozen=True)
class RevisedOutcome:
    """An outcome that a revision of the catalogue has changed since yesterday; `observed` is the revised outcome."""

    recipe_id: str
    day: date
    observed: Annotated[bool, _or("observed", "happened")]
    max_magnitude: float | None = None


@dataclass(frozen=True)
class ResolvedOutcome:
    """An outcome that this run resolved."""

    recipe_id: str
    outcome: DayOutcome


@dataclass(frozen=True)
class Reforecast:
    """A further forecast, issued beside the official one of the same window; it is never scored."""

    target_start: datetime
    target_end: datetime
    issue_time: datetime
    probability: float
    reference_probability: float


@dataclass(frozen=True)
class RecipeForecast:
    """One recipe's forecast for one target window, with all that a reader needs to evaluate it."""

    recipe_id: str
    display_name: Mapping[str, str]  # {"en": ..., "ja": ...}
    lat: float
    lng: float
    radius_km: float
    threshold_mag: float
    time_zone: str  # IANA name
    target_start: datetime
    target_end: datetime
    probability: float | None
    reference_probability: float | None
    mode: Mode
    issue_time: datetime | None = None
    as_of: datetime | None = None
    model_kind: str | None = None  # published (the combination) | climatology (only the usual rate) | a model kind, in older forecasts
    model_id: str | None = None
    official: bool = False
    degraded_reason: str | None = None  # in English, as stored with the forecast
    degraded_reasons: tuple[Reason, ...] = ()  # the same as keys and values; none for rows of schema 23 and before
    comparison_only: str | None = None
    not_scoreable_reason: str | None = None  # in English
    not_scoreable: Reason | None = None  # the same as key and values
    incomplete_below: float | None = None  # completeness magnitude, where the threshold lies below it
    track_record: TrackRecord | None = None  # for this forecast's own mode
    records: tuple[TrackRecord, ...] = ()  # one per mode: prospective first, hindcasts separate
    drivers: tuple[DriverEvent, ...] = ()  # with `without`: the contributing events; else only the largest nearby
    without_recent: float | None = None  # the probability without any earthquake of the last 30 days
    models: tuple[ModelForecast, ...] = ()  # every model with a forecast, including the published one and the climatology
    weights: Mapping[str, float] = field(default_factory=dict)  # by kind, the weight of each member in the published combination
    weights_source: str | None = None  # source of the weights, as one word for records
    weights_from: WeightsFrom | None = None  # the same; None for rows of schema 23 and before
    recent_outcomes: tuple[DayOutcome, ...] = ()  # of windows that have ended, oldest first
    open_outcomes: tuple[DayOutcome, ...] = ()  # of windows that have not ended, that of this forecast last
    ladder: Ladder | None = None
    no_ladder: str | None = None  # why a forecast has no ladder, in English
    no_ladder_reason: Reason | None = None  # the same as key and values
    reforecast: Reforecast | None = None  # the newest one of a window that has not ended
    group: Mapping[str, str] | None = None  # {"en": ..., "ja": ...}: the heading in a report of many recipes; None: the country


@dataclass(frozen=True)
class RecentEvent:
    origin_time: datetime
    latitude_deg: float
    longitude_deg: float
    depth_km: float | None
    magnitude: float
    place: str | None = None


@dataclass(frozen=True)
class PooledSkill:
    """Information gain of the combination over the usual rate at many places around the world, on held-out days of its members.

    Units: nats per target day; the interval is 95 %.
    """

    gain: float
    low: float
    high: float
    target_days: int


@dataclass(frozen=True)
class ReportData:
    """One day's report. `report_id` is the key of the report row: the same report has the same id when made again."""

    report_id: str
    generated_at: datetime
    recipes: tuple[RecipeForecast, ...] = ()
    events: tuple[RecentEvent, ...] = ()
    events_days: int = 7
    events_min_magnitude: float = 4.5
    checks: tuple[ResolvedOutcome, ...] = ()
    data_age_hours: float | None = None
    last_pull_at: datetime | None = None
    quarantined: Mapping[str, int] = field(default_factory=dict)  # reason -> rows
    revisions_since_yesterday: int | None = None
    outcomes_changed: int | None = None  # earlier outcomes that these revisions changed
    revised: Annotated[tuple[RevisedOutcome, ...], _or("revised", "turned")] = ()  # those of these recipes
    pooled_skill: PooledSkill | None = None  # of the combination with the package's weights; None where it was not measured
    pooled_records: tuple[TrackRecord, ...] = ()  # of all recipes that are not for comparison only, one per mode
    pooled_rungs: tuple[PooledRung, ...] = ()  # of the same recipes, by mode, horizon and step
    degraded: tuple[str, ...] = ()
    forecasts_sha256: str | None = None
    code_version: str | None = None
    next_issue_at: datetime | None = None
    world: WorldExtract | None = None  # None: no world map was made
