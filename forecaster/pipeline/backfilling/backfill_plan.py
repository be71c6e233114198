"""Plan a backfill: which days are missing, in which blocks, by which models, and the estimated cost."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Literal, get_args

from forecaster.clock import Clock
from forecaster.errors import BadDate, BadInput, NotScoreable
from forecaster.pipeline.as_of.as_known import STALE_AFTER
from forecaster.pipeline.as_of.as_known_by_day import first_day_with_reference
from forecaster.pipeline.backfilling.backfill_cost import estimated_minutes
from forecaster.pipeline.backfilling.backfill_types import Chunk, ServedModel
from forecaster.pipeline.issuing.blends import blends_of
from forecaster.publishing_rule.blend import Blend
from forecaster.recipe import Recipe
from forecaster.settings import Settings
from forecaster.store import fits as stored_fits
from forecaster.store import hindcasts
from forecaster.store.database import Connection, Store
from forecaster.store.versions import catalogue
from forecaster.timewindow import FIRST_DAY, day_exists, day_of_window, days_between, issue_time

Mode = Literal["walk-forward", "current-model"]
WALK_FORWARD, CURRENT_MODEL = get_args(Mode)
DAYS_AT_ONCE = 400  # of one recipe by today's models: a year in one part, and memory does not grow with the range
MAX_DAYS_OF_A_BLOCK = 3660


@dataclass(frozen=True)
class BackfillOptions:
    """Which days (both ends included, each recipe's local days), and how.

    mode: walk-forward forecasts each block of `retrain_every_days` with models fitted on what was known before it. current-model forecasts
        all days with today's models, and marks as in-sample those that a model has seen.
    overwrite: recompute days that the same mode has made before; no other forecast is ever replaced.
    max_minutes: of the fits of one recipe and block (walk-forward); by default the recipe's own.
    ladder: each published forecast gets its rungs for longer windows and larger magnitudes.
    """

    first_day: date
    last_day: date
    mode: Mode
    retrain_every_days: int = 30
    overwrite: bool = False
    max_minutes: float | None = None
    ladder: bool = True


@dataclass(frozen=True)
class BackfillPlan:
    """The work: `steps` in date order; the chunks of one step belong to different recipes and are independent.

    missing, there: recipe days to be made, and recipe days already stored. fits: the number of fits. left_out: by recipe, why days or the
    whole recipe cannot be forecast. text: a summary of all this for people.
    """

    steps: list[list[Chunk]]
    missing: int
    there: int
    fits: int
    estimated_minutes: float
    text: str
    left_out: dict[str, str] = field(default_factory=dict)


def backfill_mode(clock: Clock) -> str:
    """Return the mode of a backfill's rows: hindcast, or under a simulated clock replay."""
    return "replay" if clock.simulated else "hindcast"


def plan_backfill(source: Store, settings: Settings, recipes: Sequence[Recipe], options: BackfillOptions, clock: Clock) -> BackfillPlan:
    """Plan what `options` ask for, except what is stored already. Reads only.

    Raises:
        BadDate: the range is reversed, has not ended everywhere, or lies before the data.
        BadInput: an unknown mode, a bad number, a catalogue that has not been read to the end of the range, or no recipe.
    """
    _check(recipes, options, clock.now())
    with source.transaction() as connection:
        coverage = catalogue.read_coverage(connection)
    read_until = None if coverage.empty else coverage["span_end"].max().to_pydatetime()
    known_until = max(issue_time(options.last_day, recipe.zone, recipe.issue_local_time) for recipe in recipes)
    if read_until is None or known_until > read_until + STALE_AFTER:
        until = "nowhere" if read_until is None else f"to {read_until:%Y-%m-%d %H:%M}Z only"
        raise BadInput(
            f"the catalogue has been read {until}, the days to {options.last_day} were issued by {known_until:%Y-%m-%d %H:%M}Z; "
            "run `quakecast pull`, or choose an earlier last day"
        )
    left_out: dict[str, str] = {}
    parts: dict[date | int, list[Chunk]] = defaultdict(list)
    there, missing = 0, 0
    fits_of: dict[str, list[date]] = {}
    with source.transaction() as connection:
        for recipe in recipes:
            try:
                first = max(options.first_day, first_day_with_reference(recipe, coverage))
            except NotScoreable as error:
                left_out[recipe.id] = str(error)
                continue
            if first > options.first_day:
                left_out[recipe.id] = f"no usual rate before {first}: a year of final outcomes is needed"
            stored = hindcasts.days_there(connection, recipe.id, recipe.recipe_hash, options.mode, backfill_mode(clock))
            days = [day for day in days_between(first, options.last_day) if day_exists(day, recipe.zone)]
            made = {day_of_window(start, recipe.zone) for start in stored}
            kept = [day for day in days if options.overwrite or day not in made]
            there += len(days) - len(kept)
            missing += len(kept)
            chunks = _chunks(connection, recipe, kept, options, known_until, clock.now())
            for place, chunk in enumerate(chunks):
                parts[place if options.mode == CURRENT_MODEL else chunk.block_first_day].append(chunk)
            if options.mode == WALK_FORWARD:
                wanted = {block_of(day, options.retrain_every_days) for day in kept}
                done = hindcasts.blocks_fitted(connection, recipe.id, recipe.recipe_hash, options.retrain_every_days)
                fits_of[recipe.id] = sorted(wanted if options.overwrite else wanted - done)
        measured = hindcasts.mean_fit_seconds(connection, {recipe.id: recipe.recipe_hash for recipe in recipes})
    if not there and not missing:
        raise BadDate(
            f"nothing can be forecast from {options.first_day} to {options.last_day}: "
            + "; ".join(f"{name}: {reason}" for name, reason in list(left_out.items())[:3])
        )
    steps = [parts[key] for key in sorted(parts)]
    minutes = estimated_minutes(recipes, steps, fits_of, measured, options.max_minutes, options.ladder)
    fits = sum(len(days) for days in fits_of.values())
    text = _text(recipes, options, missing, there, fits, minutes, left_out, steps)
    return BackfillPlan(steps, missing, there, fits, minutes, text, left_out)


def block_of(day: date, length: int) -> date:
    """Return the first day of the block that holds `day`; blocks have `length` days, counted from FIRST_DAY."""
    return day - timedelta(days=(day - FIRST_DAY).days % length)


def _check(recipes: Sequence[Recipe], options: BackfillOptions, now: datetime) -> None:
    first, last = options.first_day, options.last_day
    if options.mode not in get_args(Mode):
        raise BadInput(f"mode {options.mode!r} is none of {', '.join(get_args(Mode))}")
    if not 1 <= options.retrain_every_days <= MAX_DAYS_OF_A_BLOCK:
        raise BadInput(f"retraining every {options.retrain_every_days} days: choose 1 to {MAX_DAYS_OF_A_BLOCK}")
    if options.max_minutes is not None and not options.max_minutes > 0:
        raise BadInput(f"max_minutes is {options.max_minutes:g}: allow more than 0 minutes for the fits of a recipe and block")
    if not recipes:
        raise BadInput("no recipe is left to backfill; name one that `quakecast recipes list` shows")
    if last < first:
        raise BadDate(f"the range is reversed: it begins on {first} and ends on {last}; swap the two days")
    if first <= FIRST_DAY:
        raise BadDate(f"{first} lies before the data, which begin on {FIRST_DAY}; choose a later first day")
    latest = max(recipes, key=lambda recipe: recipe.target_window(last).end)
    end = latest.target_window(last).end
    if end > now:
        raise BadDate(
            f"{last} has not ended for {latest.id} (it does at {end:%Y-%m-%d %H:%M}Z): a backfill forecasts days that are over; choose an "
            "earlier last day, the daily run does the rest"
        )


def _chunks(
    connection: Connection, recipe: Recipe, days: list[date], options: BackfillOptions, known_until: datetime, now: datetime
) -> list[Chunk]:
    """Return the parts of one recipe's work: blocks of a walk-forward, or days for which the same models serve."""
    if options.mode == WALK_FORWARD:
        grouped: dict[date, list[date]] = defaultdict(list)
        for day in days:
            grouped[block_of(day, options.retrain_every_days)].append(day)
        return [Chunk(recipe.id, recipe.recipe_hash, first, tuple(group), known_until) for first, group in grouped.items()]
    asked = [(recipe, issue_time(day, recipe.zone, recipe.issue_local_time), day) for day in days]
    chunks = []
    for _, group in groupby(zip(blends_of(connection, asked), days, strict=True), key=lambda pair: pair[0].model_id):
        pairs = list(group)
        served = _models_of_today(connection, recipe, now, pairs[0][0])
        for begin in range(0, len(pairs), DAYS_AT_ONCE):
            blends, part = zip(*pairs[begin : begin + DAYS_AT_ONCE], strict=True)
            chunks.append(Chunk(recipe.id, recipe.recipe_hash, part[0], part, known_until, served, blends))
    return chunks


def _models_of_today(connection: Connection, recipe: Recipe, now: datetime, blend: Blend) -> tuple[ServedModel, ...]:
    """Return the newest fit of each kind of the recipe, or in its place the one that a person pinned."""
    newest = stored_fits.newest_models(connection, recipe.id, recipe.recipe_hash, now)
    if blend.model_id is not None:
        pinned = stored_fits.model_named(connection, blend.model_id)
        newest |= {} if pinned is None else {pinned["kind"]: pinned}
    rows = {str(kind): newest[kind] for kind in recipe.models if kind in newest}
    return tuple(ServedModel(row["model_id"], kind, row["directory"], row["data_as_of"]) for kind, row in rows.items())


def _text(
    recipes: Sequence[Recipe],
    options: BackfillOptions,
    missing: int,
    there: int,
    fits: int,
    minutes: float,
    left_out: dict[str, str],
    steps: list[list[Chunk]],
) -> str:
    count = (options.last_day - options.first_day).days + 1
    lines = [f"{options.mode}, {options.first_day} to {options.last_day}: {len(recipes)} recipes, {count} days"]
    if not missing:
        lines.append(f"all {there} recipe days are there already: nothing to do")
    else:
        lines.append(f"{missing} recipe days to forecast, {there} are there already" + (" and stay" if there else ""))
        lines.append(f"{fits} trainings, about {_duration(minutes)} in one process" if fits else f"about {_duration(minutes)}, no training")
    if options.mode == CURRENT_MODEL and missing:
        bare = sorted({chunk.recipe_id for step in steps for chunk in step if not chunk.served})
        lines.append("days that a model has seen are marked in-sample and never scored")
        if bare:
            lines.append(f"without a fit of their own, by the generic models: {', '.join(bare)}")
    lines += [f"{name}: {reason}" for name, reason in left_out.items()]
    return "\n".join(lines)


def _duration(minutes: float) -> str:
    if minutes < 90:
        return "less than a minute" if minutes < 1 else f"{minutes:.0f} minutes"
    return f"{minutes / 60:.0f} hours"
