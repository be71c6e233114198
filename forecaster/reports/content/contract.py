"""What a report is made from: plain frozen values, filled from the store by the pipeline. Anything that is not known is None.

Units: probabilities 0..1 for the whole target window, times aware UTC, distances km, information gain nats per target day.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

Mode = Literal["prospective", "late", "hindcast", "replay"]
OutcomeStatus = Literal["pending", "preliminary", "provisional", "final", "not_scoreable"]


@dataclass(frozen=True)
class ReliabilityCurve:
    """Does 3 % mean 3 %: CORP's reliability with its 90 % consistency bars; tuples of one length, by what was said, rising."""

    said: tuple[float, ...]
    days: tuple[int, ...]
    came: tuple[float, ...]  # the recalibrated probability
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class TrackRecord:
    """How the forecasts of one mode did so far on settled days, against the usual rate; days that a model had seen are in none."""

    settled_days: int
    hits: int  # settled days on which it happened
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
    """An earthquake near a recipe; `without`: what the published model would say had it not been, None where the model looks at none."""

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
    """Skill of a model's evaluation fit on days that it never saw, against the usual rate; losses in nats a day."""

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
    """What one model says for the same window, published or not; `expected_count` and its 95 % range where the model counts."""

    kind: str
    probability: float | None
    published: bool = False
    model_id: str | None = None
    evaluation: Evaluation | None = None
    expected_count: float | None = None
    count_low: int | None = None
    count_high: int | None = None


@dataclass(frozen=True)
class Rung:
    """One rung of a ladder: a horizon, local days from the start of the target, and the smallest magnitude that counts.

    count_low, count_high: 95 % range of the number. beyond_record: larger than anything in the record of the circle. The last four are
    of earlier forecasts of this mode whose window of this length has ended; windows overlap, so they are fewer than they look.
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
    settled: int = 0
    hits: int = 0  # of them with such an earthquake
    expected_hits: float = 0.0  # the sum of their probabilities
    in_range: int = 0  # of them with a number inside the 95 % range


@dataclass(frozen=True)
class Ladder:
    """Longer windows and larger magnitudes of one forecast, by horizon and magnitude; never more likely for a larger magnitude or a shorter
    horizon. basis: "etas", or "climatology" where nothing but the usual rate was published. b_value, b_sigma: of the magnitudes."""

    rungs: tuple[Rung, ...]
    basis: str
    b_value: float
    b_sigma: float

    @property
    def horizons(self) -> tuple[int, ...]:
        """Days, rising."""
        return tuple(sorted({rung.horizon_days for rung in self.rungs}))

    @property
    def magnitudes(self) -> tuple[float, ...]:
        """Rising, the recipe's threshold first."""
        return tuple(sorted({rung.magnitude for rung in self.rungs}))

    def rung(self, horizon_days: int, magnitude: float) -> Rung | None:
        """The rung of this horizon and magnitude; None outside the ladder, which is never carried on by guesses."""
        return next((one for one in self.rungs if one.horizon_days == horizon_days and abs(one.magnitude - magnitude) < 1e-6), None)


@dataclass(frozen=True)
class WorldPlace:
    """A place of the map of the world; name: what the service calls it, None where it has no name."""

    name: str | None
    lat: float
    lng: float
    probability: float
    usual: float


@dataclass(frozen=True)
class WorldTold:
    """What a report tells of the map of the world: the places farthest above their usual chance on a day of UTC, highest ratio first."""

    day: date
    magnitude: float
    radius_km: float
    cells: int
    places: tuple[WorldPlace, ...]


@dataclass(frozen=True)
class DayOutcome:
    """One earlier forecast and what became of it; `happened` is None while that is not known."""

    day: date
    probability: float | None
    happened: bool | None
    status: OutcomeStatus
    reference_probability: float | None = None
    max_magnitude: float | None = None
    mode: Mode | None = None
    afterwards: bool = False  # worked out after the day: a hindcast, or a row of a backfill


@dataclass(frozen=True)
class TurnedOutcome:
    """An outcome that a revision of the catalogue has changed since yesterday; `happened` as it is now."""

    recipe_id: str
    day: date
    happened: bool
    max_magnitude: float | None = None


@dataclass(frozen=True)
class SettledCheck:
    """An outcome that was filled in by this run."""

    recipe_id: str
    outcome: DayOutcome


@dataclass(frozen=True)
class RecipeForecast:
    """One recipe's forecast for one target window, with all that a reader needs to judge it."""

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
    model_kind: str | None = None  # published (the combination) | climatology (nothing but the usual rate) | a kind, in older forecasts
    model_id: str | None = None
    official: bool = False
    degraded_reason: str | None = None
    comparison_only: str | None = None
    not_scoreable_reason: str | None = None
    incomplete_below: float | None = None  # completeness magnitude, where the threshold lies below it
    track_record: TrackRecord | None = None  # in this forecast's own mode
    records: tuple[TrackRecord, ...] = ()  # one a mode: prospective first, hindcasts apart
    drivers: tuple[DriverEvent, ...] = ()  # with `without`: what drives the forecast; else the largest near by, which is another thing
    without_recent: float | None = None  # what would be said without any earthquake of the last 30 days
    models: tuple[ModelForecast, ...] = ()  # every model that spoke, the published one and the climatology included
    weights: Mapping[str, float] = field(default_factory=dict)  # by kind, how much each member counts in the published combination
    weights_source: str | None = None  # where the weights come from
    recent_outcomes: tuple[DayOutcome, ...] = ()  # of windows that have ended, oldest first
    open_outcomes: tuple[DayOutcome, ...] = ()  # of windows that have not, that of this forecast last
    ladder: Ladder | None = None
    no_ladder: str | None = None  # why there is none, where there is a forecast


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
    """Gain of the combination over the usual rate at many places around the world, on days that its members had not seen; nats per target
    day (95 %)."""

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
    checks: tuple[SettledCheck, ...] = ()
    data_age_hours: float | None = None
    last_pull_at: datetime | None = None
    quarantined: Mapping[str, int] = field(default_factory=dict)  # reason -> rows
    revisions_since_yesterday: int | None = None
    outcomes_changed: int | None = None  # earlier outcomes that these revisions changed
    turned: tuple[TurnedOutcome, ...] = ()  # those of these recipes
    pooled_skill: PooledSkill | None = None  # of the combination with the package's weights; None where it was not measured
    pooled_records: tuple[TrackRecord, ...] = ()  # of all recipes that are not for comparison only, one a mode
    degraded: tuple[str, ...] = ()
    forecasts_sha256: str | None = None
    code_version: str | None = None
    next_issue_at: datetime | None = None
    world: WorldTold | None = None  # None: no map of the world was made
