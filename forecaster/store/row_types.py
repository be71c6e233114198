"""Rows of the tables as typed dicts: a key for each column, None where it is NULL.

Times are aware UTC. JSON columns are typed as the store hands them out: parsed, but for `details` of a forecast and of a run (JSON text).
"""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar, cast

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

Mode = Literal["prospective", "late", "hindcast", "replay"]
Method = Literal["daily", "walk-forward", "current-model"]
OutcomeStatus = Literal["preliminary", "provisional", "final"]
RunState = Literal["running", "success", "partial", "failed"]


class ForecastColumns(TypedDict):
    """Table `forecast` without `details`; `degraded_reasons` is JSON text."""

    forecast_id: str
    recipe_id: str
    target_start: datetime
    target_end: datetime
    model_id: str
    model_kind: str
    issue_time: datetime
    as_of: datetime
    mode: Mode
    official: bool
    published: bool
    supersedes: str | None
    probability: float
    reference_probability: float
    recipe_hash: str
    target_hash: str
    code_version: str
    degraded: bool
    degraded_reason: str | None
    degraded_reasons: str | None
    data_age_hours: float
    run_id: str | None
    created_at: datetime
    method: Method
    in_sample: bool


class ForecastRow(ForecastColumns):
    """Table `forecast`; `details` is JSON text."""

    details: str | None


class StoredForecast(TypedDict):
    """The columns of a stored forecast that decide whether another one is made, written or superseded."""

    forecast_id: str
    model_kind: str
    issue_time: datetime
    mode: Mode
    official: bool
    published: bool
    recipe_hash: str
    degraded: bool
    degraded_reason: str | None


class IssuedRow(ForecastColumns):
    """A forecast with the details of its model, both parsed."""

    details: dict[str, Any] | None
    model_details: dict[str, Any] | None


class PublishedDay(TypedDict):
    """One recipe's published forecast of a past window, with its outcome where there is one."""

    target_start: datetime
    target_end: datetime
    probability: float
    reference_probability: float
    mode: Mode
    method: Method
    happened: bool | None
    status: OutcomeStatus | None
    max_magnitude: float | None
    changed: bool | None


class Target(TypedDict):
    """The key of an outcome, with the end of its window."""

    recipe_id: str
    target_hash: str
    target_start: datetime
    target_end: datetime


class NewOutcome(Target):
    """The outcome of a window according to the catalogue, before it is compared with the outcome that is stored."""

    happened: bool
    event_count: int
    max_magnitude: float | None
    status: OutcomeStatus
    as_of: datetime


class OutcomeRow(NewOutcome):
    """Table `outcome`."""

    changed: bool
    revised_at: datetime | None


class VerifiedRow(OutcomeRow):
    """An outcome with the forecast that was published for its window."""

    probability: float
    reference_probability: float


class OutcomeRevisionRow(TypedDict):
    """Table `outcome_revision`: an outcome that a revision of the catalogue reversed. As known at `as_of_before` it was the opposite."""

    recipe_id: str
    target_start: datetime
    target_hash: str
    happened: bool
    status_before: OutcomeStatus
    status: OutcomeStatus
    as_of_before: datetime
    as_of: datetime


class ScoreRow(TypedDict):
    """Table `score`."""

    forecast_id: str
    recipe_id: str
    target_start: datetime
    mode: Mode
    happened: bool
    status: OutcomeStatus
    log_score: float
    reference_log_score: float
    brier: float
    scored_at: datetime


class NewRung(TypedDict):
    """A rung of a ladder, whatever forecast it is of."""

    horizon_days: int
    magnitude: float
    window_end: datetime
    probability: float
    reference_probability: float
    etas_probability: float | None
    expected_count: float
    count_low: int
    count_high: int
    usual_count: float
    basis: str
    b_value: float
    b_sigma: float
    beyond_record: bool
    version: int


class RungRow(NewRung):
    """Table `rung`."""

    forecast_id: str


class RungOutcomeRow(TypedDict):
    """Table `rung_outcome`."""

    recipe_id: str
    target_hash: str
    target_start: datetime
    horizon_days: int
    magnitude: float
    window_end: datetime
    happened: bool
    event_count: int
    status: OutcomeStatus
    as_of: datetime


class RungSums(TypedDict):
    """What was observed of one rung of a recipe, summed over its forecasts of one mode (`forecasts/ladder_sums.py`)."""

    recipe_id: str
    mode: Mode
    horizon_days: int
    magnitude: float
    settled: int
    hits: int
    expected_hits: float
    usual_hits: float
    in_range: int
    cases: int
    gain: float
    blocks: "np.ndarray"
    block_hits: "np.ndarray"
    block_gains: "np.ndarray"


class PublishedWindow(TypedDict):
    """The published forecast of a window."""

    target_start: datetime
    target_end: datetime
    probability: float
    reference_probability: float


class ObservedWindow(PublishedWindow):
    """The published forecast of a window with its observed outcome; None until the window is verified."""

    happened: bool | None


class WindowOfAlert(ObservedWindow):
    """The same for a window since the one that an alert was raised for."""

    alert_id: str


class PastWindow(ObservedWindow):
    """The same for a past window, with the method of the forecast."""

    method: Method


class EndedRun(TypedDict):
    """A run that ended, from the table `run`."""

    run_id: str
    kind: str
    state: RunState
    started_at: datetime
    finished_at: datetime
    problem: str | None
    reason: str | None
    abandoned: bool


class NewRun(TypedDict):
    """A run that begins, as a row of the table `run`."""

    run_id: str
    kind: str
    started_at: datetime
    code_version: str
    replay: bool


RowT = TypeVar("RowT")


def rows_as(kind: type[RowT], frame: "pd.DataFrame") -> list[RowT]:
    """Return the rows of `frame` as dicts of this kind (a TypedDict). Missing values are None, times are datetimes.

    Raises:
        KeyError: the frame lacks a column of the kind.
    """
    import pandas as pd

    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    plain = [
        {str(name): value.to_pydatetime() if isinstance(value, pd.Timestamp) else value for name, value in row.items()} for row in rows
    ]
    return dicts_as(kind, frame.columns, plain)


def dicts_as(kind: type[RowT], names: Iterable[str], rows: list[dict[str, Any]]) -> list[RowT]:
    """Return dicts of this kind from dicts with these names as keys, whose values are plain already.

    Raises:
        KeyError: as `rows_as`.
    """
    if lacking := kind.__annotations__.keys() - set(names):
        raise KeyError(f"a {kind.__name__} needs the columns {sorted(lacking)}, which the answer of the query lacks")
    return cast(list[RowT], rows)
