"""Forecast the next day: every model's probability for every recipe, stored with how and when it was computed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from forecaster.clock import Clock
from forecaster.errors import BadDate, BadInput
from forecaster.installed import code_version
from forecaster.pipeline import replay_homes
from forecaster.pipeline.as_of.catalogue_history import read_history
from forecaster.pipeline.daily.clock_check import clock_problem
from forecaster.pipeline.daily.issue_rows import DAILY, identified, last_issue, official_of, stored_for, write_issue, write_reforecast
from forecaster.pipeline.issuing.blends import blends_of
from forecaster.pipeline.issuing.compute_issues import Asked, ComputedIssue, Doubts, Fits, IssueRequest, compute_issues
from forecaster.pipeline.issuing.members import unusable_kinds
from forecaster.pipeline.run_context import Job
from forecaster.recipe import Recipe
from forecaster.registry.reasons import Reason
from forecaster.store import fits as stored_fits
from forecaster.store.database import Connection
from forecaster.store.row_types import StoredForecast
from forecaster.timewindow import check_target_day, next_local_day

Compute = Callable[[Job, Sequence[IssueRequest], Doubts], Iterable[ComputedIssue]]


@dataclass
class PredictResult:
    """The result of an issue.

    Holds its forecast ids, and by recipe: why there is no forecast, what its forecast lacks, and which unpublished kinds of model have no
    forecast (kind: reason). unusable: by kind that this installation cannot run, why. kept: by recipe whose day had a forecast already, the
    time that it was issued; `forecast_ids` holds its last issue. failed: by recipe whose part of the work failed on a worker, why.
    """

    forecast_ids: list[str] = field(default_factory=list)
    not_scoreable: dict[str, str] = field(default_factory=dict)
    degraded: dict[str, str] = field(default_factory=dict)
    silent: dict[str, dict[str, str]] = field(default_factory=dict)
    targets: dict[str, date] = field(default_factory=dict)
    unusable: dict[str, str] = field(default_factory=dict)
    kept: dict[str, datetime] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PredictOptions:
    """What to forecast.

    target_day: by default each recipe's next local day. reissue: forecast again days that have an active forecast already. reforecast: a
    further forecast beside the official one, whether that is made already or still to be made; it is never official or published.
    problems: mark every row as degraded (for instance after a failed pull).
    """

    target_day: date | None = None
    reissue: bool = False
    problems: tuple[Reason, ...] = ()
    reforecast: bool = False


NEXT_DAY = PredictOptions()


def compute_here(job: Job, requests: Sequence[IssueRequest], doubts: Doubts) -> Iterable[ComputedIssue]:
    """Compute the requests in this process, those of one time zone together: they share the days of their records."""
    ordered = sorted(requests, key=lambda request: request.asked.recipe.time_zone)
    return compute_issues(read_history(job.store), job.settings.models, ordered, doubts)


def predict(
    job: Job,
    options: PredictOptions = NEXT_DAY,
    on_progress: Callable[[str], None] | None = None,
    compute: Compute = compute_here,
) -> PredictResult:
    """Forecast a day with every model of every recipe of the job, and store it.

    Inputs are what was known at the issue time, and never later than the recipe's issue lead before the target. A first prospective
    issue for the next local day is official (not one made days ahead, nor one from a catalogue that has not been read for a week or by a
    clock that is minutes off) and stays, also for who predicts when its day has begun, as does a first late one: predicting again
    returns it, unless a reissue is asked for, which supersedes it and is returned from then on. The first one is scored.

    on_progress: called with a recipe's id. compute: where the forecasts are computed; in this process, or on workers.

    Raises:
        BadDate: the day lies before the data or too far ahead, or a reforecast's day has begun; nothing is stored.
        BadInput: the store is the home of a replay, and the clock is the machine's; or a reforecast in a replay.
    """
    store, recipes, clock = job.store, job.recipes, job.clock
    now, wrong_clock = clock.now(), None
    if not clock.simulated:
        replay_homes.check(store, clock)
        with store.transaction() as connection:
            wrong_clock = clock_problem(connection, now)
    days = {recipe.id: options.target_day or next_local_day(now, recipe.zone) for recipe in recipes}
    for recipe in recipes:
        check_target_day(days[recipe.id], recipe.zone, now)
        if options.reforecast:
            _check_reforecast(recipe, days[recipe.id], clock)
    result = PredictResult(targets=days, unusable={kind: str(why) for kind, why in unusable_kinds(recipes).items()})
    every = [Asked.of(recipe, days[recipe.id], clock, now) for recipe in recipes]
    with store.transaction() as connection:
        stored = {} if options.reissue or options.reforecast else stored_for(connection, [asked.key for asked in every])
        wanted = [asked for asked in every if not official_of(stored.get(asked.key, ()), asked.mode)]
        requests = _requests(connection, wanted)
    fresh = {asked.key for asked in wanted}
    for key in (asked.key for asked in every if asked.key not in fresh):
        _note_kept(key[0], last_issue(stored[key]), result)
    asked_of = {asked.recipe.id: asked for asked in wanted}
    computed = {}
    for issue in compute(job, requests, Doubts(options.problems, wrong_clock)):
        rows = _stamped(issue.rows, asked_of[issue.recipe_id], job, now)  # here: the next ones are being computed meanwhile
        computed[issue.recipe_id] = replace(issue, rows=rows)
        if on_progress is not None:
            on_progress(issue.recipe_id)
    every_row: list[dict[str, Any]] = []
    for recipe in (asked.recipe for asked in wanted):
        issue = computed[recipe.id]
        if issue.not_scoreable is not None or issue.failed is not None:
            result.not_scoreable |= {} if issue.not_scoreable is None else {recipe.id: issue.not_scoreable}
            result.failed |= {} if issue.failed is None else {recipe.id: issue.failed}
            continue
        if issue.rows[0]["degraded_reason"]:
            result.degraded[recipe.id] = issue.rows[0]["degraded_reason"]
        if issue.silent:
            result.silent[recipe.id] = {kind: str(why) for kind, why in issue.silent.items()}
        every_row += issue.rows
    if options.reforecast:
        result.forecast_ids += write_reforecast(store, every_row, clock)
    else:
        result.forecast_ids += write_issue(store, every_row, clock, options.reissue)
    return result


def _stamped(rows: Sequence[Mapping[str, Any]], asked: Asked, job: Job, now: datetime) -> list[dict[str, Any]]:
    """Return the rows of an issue with what they share, and their ids."""
    stamp = {
        "recipe_id": asked.recipe.id,
        "target_start": asked.window.start,
        "target_end": asked.window.end,
        "issue_time": asked.due if asked.mode == "hindcast" else now,
        "as_of": asked.as_of,
        "mode": asked.mode,
        "recipe_hash": asked.recipe.recipe_hash,
        "target_hash": asked.recipe.target_hash,
        "code_version": code_version(),
        "run_id": job.run_id,
        "created_at": now,
        "method": DAILY,
        "in_sample": False,
    }
    return [identified({**stamp, **row}) for row in rows]


def _check_reforecast(recipe: Recipe, day: date, clock: Clock) -> None:
    if clock.simulated:
        raise BadInput("a replay makes no reforecast: it is kept beside the official forecast of a day, and a replay has none")
    if recipe.target_window(day).start <= clock.now():
        raise BadDate(
            f"{recipe.id}: {day} has begun, and a forecast of it knows nothing that its official one did not; reforecast a day to come"
        )


def _requests(connection: Connection, wanted: Sequence[Asked]) -> list[IssueRequest]:
    """Add to each of these days what is published, and the newest fits, as the store knows them at its `as_of`."""
    blends = blends_of(connection, [(asked.recipe, asked.as_of, asked.day) for asked in wanted])
    fits: dict[str, Fits] = {}
    for as_of in {asked.as_of for asked in wanted}:
        hashes = {asked.recipe.id: asked.recipe.recipe_hash for asked in wanted if asked.as_of == as_of}
        fits |= {recipe_id: {**kinds} for recipe_id, kinds in stored_fits.newest_models_of_all(connection, hashes, as_of).items()}
    for asked, blend in zip(wanted, blends, strict=True):
        if blend.model_id is not None:
            (kind,) = blend.weights
            fits[asked.recipe.id][kind] = stored_fits.model_named(connection, blend.model_id) or {"model_id": blend.model_id}
    return [IssueRequest(asked, blend, fits[asked.recipe.id]) for asked, blend in zip(wanted, blends, strict=True)]


def _note_kept(recipe_id: str, kept: Sequence[StoredForecast], result: PredictResult) -> None:
    result.forecast_ids += [row["forecast_id"] for row in kept]
    result.kept[recipe_id] = kept[0]["issue_time"]
    if any(row["degraded"] for row in kept):
        result.degraded[recipe_id] = str(kept[0]["degraded_reason"])
