"""Forecast past days in bulk: idempotent, in date order, resumable after a kill at any point.

    plan_backfill -> for each step: forecast_chunk of each chunk (reads only, anywhere) -> store_chunk (the one writer)

`backfill` does all of it in this process. A flow can send the chunks of a step to other processes. They read a copy of the store that holds
the previous step, because a walk-forward block is compared with the block before it. A chunk's rows and their fits are stored in one
transaction, so that stored chunks are complete and a second run computes only what is missing.
"""

import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from forecaster.errors import ModelError, NotScoreable, RecipeChanged
from forecaster.installed import code_version
from forecaster.models import model_files
from forecaster.models.fit_and_load import kind_named
from forecaster.pipeline.as_of.as_known_by_day import KnownThrough, known_near, known_through, record_begins
from forecaster.pipeline.as_of.catalogue_history import CatalogueHistory, read_history
from forecaster.pipeline.backfilling.backfill_days import days_of, forecast_days, load_members, spans_of_members, with_generic
from forecaster.pipeline.backfilling.backfill_plan import (
    CURRENT_MODEL,
    WALK_FORWARD,
    BackfillOptions,
    BackfillPlan,
    Mode,
    backfill_mode,
    plan_backfill,
)
from forecaster.pipeline.backfilling.backfill_types import BlockFit, Chunk, ServedModel
from forecaster.pipeline.backfilling.walk_forward import FreshFit, fit_block, fit_row, fits_stored
from forecaster.pipeline.daily.issue_rows import identified
from forecaster.pipeline.issuing.members import Member, stored_member, untrained
from forecaster.pipeline.run_context import Job
from forecaster.quantities import counted
from forecaster.recipe import Recipe
from forecaster.registry.model_kinds import KINDS
from forecaster.registry.reasons import Reason, other
from forecaster.settings import Settings
from forecaster.store import hindcasts
from forecaster.store.database import Connection, Store
from forecaster.store.sharing.one_at_a_time import one_at_a_time

__all__ = [
    "BackfillOptions",
    "BackfillPlan",
    "BackfillResult",
    "Chunk",
    "ChunkRows",
    "Mode",
    "backfill",
    "forecast_chunk",
    "note",
    "only_backfill",
    "plan_backfill",
    "store_chunk",
]

log = logging.getLogger(__name__)

LOCK_FILE = "backfill.lock"
ROWS_AT_ONCE = 20_000  # of a transaction, with today's models. A walk-forward stores each block, whose fits take minutes.
Progress = Callable[[int, int | None, str], None]


@dataclass(frozen=True)
class ChunkRows:
    """The results of a chunk, not stored yet; plain values that can be sent to another process.

    rows: of the table `forecast`, except for what the writer adds, published ones with their `rungs`. silent: by kind, why a model has no
    forecast on some or all of the days.
    fit: walk-forward, the block's fits where this chunk made them.
    """

    chunk: Chunk
    rows: list[dict[str, Any]]
    silent: dict[str, Reason]
    fit: FreshFit | None = None


@dataclass
class BackfillResult:
    """The results of a backfill.

    days, rows: recipe days forecast and rows written. there: recipe days stored before. fits: fits made. failed: by recipe, why it was
    given up, with its earlier days stored. silent: by recipe and kind, why a model has no forecast. left_out: as in the plan.
    """

    days: int = 0
    rows: int = 0
    there: int = 0
    fits: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    silent: dict[str, dict[str, str]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """success, partial (something planned could not be done), or failed (nothing could). The plan reports what was left out."""
        if self.failed and not self.days and not self.there:
            return "failed"
        return "partial" if self.failed or self.silent else "success"

    @property
    def text(self) -> str:
        """A one-line summary for people."""
        if not self.days and not self.failed:
            return f"nothing to do: all {self.there} recipe days are there"
        made = f"{counted(self.days, 'recipe day')} forecast, {counted(self.rows, 'row')}, {counted(self.fits, 'training')}"
        return f"{made}; {counted(self.there, 'recipe day')} were there before"


@contextmanager
def only_backfill(settings: Settings, now: datetime) -> Iterator[None]:
    """Hold this home's backfill lock; a process that dies releases it.

    Raises:
        StoreBusy: another backfill runs; says who runs it and since when.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(settings.home / LOCK_FILE, "a backfill", now):
        yield


def forecast_chunk(
    source: Store,
    settings: Settings,
    recipe: Recipe,
    chunk: Chunk,
    options: BackfillOptions,
    tell: Callable[[str], None] = log.info,
    history: CatalogueHistory | None = None,
) -> ChunkRows:
    """Forecast the days of a chunk. Walk-forward first fits the block's models, where they are not stored. Nothing is written.

    source: where the catalogue and the previous walk-forward block are read; it need not be the store that is written.
    tell: called with a line when a fit begins. history: the catalogue, where the caller has read it from the source.

    Raises:
        RecipeChanged: the recipe has changed since the plan was made.
        CorruptModel: a model's directory is not on this machine.
        NotScoreable: there is no usual rate on one of the days.
    """
    _check_recipe(recipe, chunk)
    if options.mode == CURRENT_MODEL:
        return _by_models_of_today(_known(source, recipe, chunk, chunk.served, history), settings, recipe, chunk, options.ladder)
    with source.transaction() as connection:
        before, block = fits_stored(connection, recipe, chunk, options)
    fresh = None
    if block is None:
        fresh = fit_block(source, recipe, chunk, before, options, tell)
        block = fresh.block
    known = _known(source, recipe, chunk, block.models.values(), history)
    members, no_forecast = _members_of(settings, recipe, block, fresh, record_begins(recipe, known.coverage))
    blends = [block.blend] * len(chunk.days)
    rows = forecast_days(
        recipe, known, days_of(recipe, chunk.days), members, blends, no_forecast, allow_in_sample=False, ladder=options.ladder
    )
    return ChunkRows(chunk, rows, no_forecast, fresh)


def _by_models_of_today(known: KnownThrough, settings: Settings, recipe: Recipe, chunk: Chunk, ladder: bool) -> ChunkRows:
    """Forecast the days of a chunk by its fitted models and, for other kinds, by the generic model of each day."""
    record_from = record_begins(recipe, known.coverage)
    standing_on = dict(zip(chunk.days, chunk.blends, strict=True))
    rows: list[dict[str, Any]] = []
    no_forecast: dict[str, Reason] = {}
    for span in spans_of_members(settings.models, recipe, chunk.served, chunk.days, record_from):
        members, missing = load_members(settings.models, recipe, chunk.served, span[0], record_from)
        blends = [standing_on[day] for day in span]
        rows += forecast_days(recipe, known, days_of(recipe, span), members, blends, missing, allow_in_sample=True, ladder=ladder)
        no_forecast |= missing
    return ChunkRows(chunk, rows, no_forecast)


def _known(source: Store, recipe: Recipe, chunk: Chunk, served: Iterable[ServedModel], history: CatalogueHistory | None) -> KnownThrough:
    """Return the catalogue about the recipe, or all of it where one of these models sees far."""
    far = any(KINDS[model.kind].sees_far for model in served if model.kind in KINDS)
    if far:
        return known_through(source, chunk.known_until)
    return known_near(read_history(source) if history is None else history, chunk.known_until, recipe)


def store_chunk(job: Job, recipe: Recipe, done: ChunkRows, options: BackfillOptions) -> int:
    """Store a chunk: its models' directories, then in one transaction its fits and rows; return the number of new rows.

    Storing it again changes nothing. With `overwrite`, earlier rows of these days from the same mode are deleted first.

    Raises:
        RecipeChanged: the recipe has changed since; nothing is stored.
        CorruptModel: a model arrived incomplete.
    """
    return store_chunks(job, [(recipe, done)], options)[0]


def store_chunks(job: Job, parts: Sequence[tuple[Recipe, ChunkRows]], options: BackfillOptions) -> list[int]:
    """Store many chunks in one transaction, as `store_chunk` stores one; return the number of new rows of each."""
    for recipe, done in parts:
        _check_recipe(recipe, done.chunk)
        for packed in done.fit.packed.values() if done.fit is not None else ():
            model_files.place_model(job.settings.models, packed.files)
    with job.store.transaction() as connection:
        return [_store(connection, job, recipe, done, options) for recipe, done in parts]


def _store(connection: Connection, job: Job, recipe: Recipe, done: ChunkRows, options: BackfillOptions) -> int:
    mode, now = backfill_mode(job.clock), job.clock.now()
    stamp = {
        "mode": mode,
        "method": options.mode,
        "supersedes": None,
        "code_version": code_version(),
        "run_id": job.run_id,
        "created_at": now,
    }
    if options.overwrite:
        starts = [recipe.target_window(day).start for day in done.chunk.days]
        hindcasts.drop_days(connection, recipe.id, recipe.target_hash, options.mode, mode, starts)
    if done.fit is not None:
        hindcasts.add_fit(connection, fit_row(done.fit, recipe, options, code_version(), now))
    return hindcasts.add_missing(connection, [identified({**row, **stamp}) for row in done.rows])


def backfill(job: Job, options: BackfillOptions, on_progress: Progress | None = None, plan: BackfillPlan | None = None) -> BackfillResult:
    """Run the whole backfill in this process, in date order. A recipe that fails is given up; the others continue.

    plan: where the caller has made it already (and shown it); it must be of the same options. on_progress: (days done, days in all, what).

    Raises:
        BadInput, BadDate: as `plan_backfill`. StoreBusy: another backfill runs in this home.
    """
    with only_backfill(job.settings, job.clock.now()):
        plan = plan or plan_backfill(job.store, job.settings, job.recipes, options, job.clock)
        result = BackfillResult(there=plan.there, left_out=dict(plan.left_out))
        by_id = {recipe.id: recipe for recipe in job.recipes}
        history = read_history(job.store)
        tried = 0
        for step in plan.steps:
            chunks = [chunk for chunk in step if chunk.recipe_id not in result.failed]
            waiting: list[tuple[Recipe, ChunkRows]] = []
            for chunk in sorted(chunks, key=lambda chunk: by_id[chunk.recipe_id].time_zone):
                recipe = by_id[chunk.recipe_id]
                span = f"{recipe.id}, {chunk.days[0]} to {chunk.days[-1]}"
                tell = _teller(on_progress, tried, plan.missing, span)
                tell("forecasting")
                try:
                    waiting.append((recipe, forecast_chunk(job.store, job.settings, recipe, chunk, options, tell, history)))
                    if options.mode == WALK_FORWARD or sum(len(done.rows) for _, done in waiting) >= ROWS_AT_ONCE:
                        _store_waiting(job, waiting, options, result)
                except (ModelError, NotScoreable, RecipeChanged) as error:
                    log.error("%s: %s", span, error)
                    result.failed[recipe.id] = str(error)
                tried += len(chunk.days)
            _store_waiting(job, waiting, options, result)
        if on_progress is not None:
            on_progress(tried, plan.missing, "done")
    return result


def _store_waiting(job: Job, waiting: list[tuple[Recipe, ChunkRows]], options: BackfillOptions, result: BackfillResult) -> None:
    """Store the collected chunks and empty the list."""
    try:
        for (_, done), rows in zip(waiting, store_chunks(job, waiting, options) if waiting else (), strict=True):
            note(result, done, rows)
    finally:
        waiting.clear()


def note(result: BackfillResult, done: ChunkRows, rows: int) -> None:
    """Add a stored chunk to the result."""
    result.days += len(done.chunk.days)
    result.rows += rows
    result.fits += done.fit is not None
    if silent := {kind: str(why) for kind, why in done.silent.items() if not kind_named(kind).unusable()}:
        result.silent.setdefault(done.chunk.recipe_id, {}).update(silent)


def _members_of(
    settings: Settings, recipe: Recipe, block: BlockFit, fresh: FreshFit | None, record_from: date
) -> tuple[list[Member], dict[str, Reason]]:
    """Return the members of a block: fresh fits from their packed form, others from the models folder or without a fit."""
    packed = fresh.packed if fresh is not None else {}
    old = [model for kind, model in block.models.items() if kind not in packed]
    members, no_forecast = load_members(settings.models, recipe, old, block.first_day, record_from)
    members = [member for member in members if member.kind not in packed]
    for kind, one in packed.items():
        with tempfile.TemporaryDirectory(prefix="quakecast-block-") as folder:
            member = stored_member(model_files.load_model(model_files.place_model(Path(folder), one.files), recipe), recipe)
        if (why := untrained(member.model, one.row["model_id"])) is None:
            members.append(member)
        else:
            no_forecast[kind] = why
    no_forecast |= {kind: other(text) for kind, text in fresh.failed.items()} if fresh is not None else {}
    return with_generic(members, recipe, block.first_day, record_from, no_forecast), no_forecast


def _check_recipe(recipe: Recipe, chunk: Chunk) -> None:
    if (recipe.id, recipe.recipe_hash) != (chunk.recipe_id, chunk.recipe_hash):
        raise RecipeChanged(
            f"{chunk.recipe_id}: the recipe changed while the backfill ran ({chunk.recipe_hash[:12]} was planned, it is now "
            f"{recipe.recipe_hash[:12]}); nothing of these days is stored, run the backfill again"
        )


def _teller(on_progress: Progress | None, done: int, total: int, span: str) -> Callable[[str], None]:
    def tell(what: str) -> None:
        log.info("%s: %s", span, what)
        if on_progress is not None:
            on_progress(done, total, f"{span}: {what}")

    return tell
