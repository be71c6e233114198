"""The context of a run, passed to every step: settings, the open store, the chosen recipes, the clock."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import numpy as np

from forecaster import logs
from forecaster.catalog.snapshot import SNAPSHOT_SERVICE
from forecaster.catalog.sources.base import Source, open_catalogue_source
from forecaster.clock import Clock
from forecaster.errors import BadInput
from forecaster.installed import code_version
from forecaster.models.model_files import clear_leftovers
from forecaster.pipeline import replay_homes
from forecaster.pipeline.as_of import bundled_catalogue
from forecaster.pipeline.pretraining import trained_sets
from forecaster.pipeline.recipes_in_use import choose_recipes
from forecaster.recipe import Recipe
from forecaster.settings import Settings
from forecaster.store import ledger
from forecaster.store.database import Store, open_store, refuse_newer, stored_schema
from forecaster.store.row_types import NewRun
from forecaster.store.sharing import running
from forecaster.store.sharing.one_at_a_time import WRITER_LOCK, one_at_a_time
from forecaster.store.sharing.publish import publish
from forecaster.store.sharing.read_only_store import LookedAt, named_source, one_reading
from forecaster.store.targets import note_targets
from forecaster.store.versions import catalogue


@dataclass(frozen=True)
class Job:
    """The context of one run of the daily job, or of one of its steps."""

    settings: Settings
    store: Store
    recipes: list[Recipe]
    clock: Clock
    run_id: str


def open_job(settings: Settings, clock: Clock, recipe_ids: Sequence[str] = (), known_by: datetime | None = None) -> Job:
    """Load the recipes, open the store, and load the bundled snapshot into it where it is empty and its service is the one chosen.

    `known_by`: load only what was known by then; in a replay what was known by its moment, where nothing else is asked for.

    Raises:
        BadInput: a recipe, a setting or the data folder, or a simulated clock that the store is ahead of; nothing is changed.
    """
    recipes = choose_recipes(settings, recipe_ids)
    store = open_store(settings.database)
    clear_leftovers(settings.models)
    started = clock.now()
    if clock.simulated:
        replay_homes.check(store, clock)
    if settings.catalogue_source == SNAPSHOT_SERVICE:
        bundled_catalogue.load_snapshot(store, known_by or (started if clock.simulated else None))
    trained_sets.use(store, settings)
    unique = "replay" if clock.simulated else uuid4().hex
    run_id = hashlib.sha256(f"{started.isoformat()}|{unique}|{','.join(recipe_ids)}".encode()).hexdigest()[:16]
    logs.bind(run_id=run_id)
    return Job(settings, store, recipes, clock, run_id)


def look(settings: Settings, clock: Clock, recipe_ids: Sequence[str] = ()) -> Job:
    """Open a read-only `Job`: nothing is created, migrated or changed.

    Raises:
        BadInput: a recipe or a setting is wrong, or there is no database, or its schema is older than this version.
        SchemaTooNew: a newer quakecast wrote the database.
    """
    return look_at(settings, clock, choose_recipes(settings, recipe_ids))


def look_at(settings: Settings, clock: Clock, recipes: list[Recipe]) -> Job:
    """Open a read-only `Job` for recipes that are loaded already."""
    store = LookedAt(settings.database)
    trained_sets.use(store, settings)
    return Job(settings, store, recipes, clock, "")


@contextmanager
def catalogue_to_look_at(settings: Settings) -> Iterator[Settings]:
    """Yield settings under which a catalogue can be read.

    These are the given settings where a database or a copy exists. Otherwise they name a temporary home that holds the bundled catalogue;
    it is deleted when the block ends.
    """
    if settings.database.exists() or settings.published.exists() or settings.read_from:
        yield settings
        return
    with TemporaryDirectory(prefix="quakecast-") as folder:
        passing = settings.model_copy(update={"home": Path(folder)})
        bundled_catalogue.load_snapshot(open_store(passing.database))
        yield passing


def migrate(settings: Settings, clock: Clock) -> tuple[int, int]:
    """Migrate the database to the schema of this version and publish it; return the schema before and after.

    Raises:
        BadInput: there is no database.
        StoreBusy: a run is using it.
        SchemaTooNew: a newer quakecast wrote it.
    """
    if not settings.database.exists():
        raise LookedAt(settings.database).missing()
    before = stored_schema(settings.database)
    job = open_job(settings, clock)
    publish_copy(job)
    return before, stored_schema(settings.database)


def refuse_newer_home(settings: Settings) -> None:
    """Check that this version can use the database, if there is one.

    Raises:
        SchemaTooNew: a newer quakecast wrote the database, so no run of this version can use it.
    """
    if settings.database.exists():
        refuse_newer(stored_schema(settings.database), settings.database)


def open_reader(settings: Settings) -> Store:
    """Open the store that workers read: the published copy, or what QUAKECAST_READ_FROM names. Workers write nothing to it.

    Raises:
        BadInput: there is nothing to read.
        SchemaTooNew: a newer quakecast wrote it.
    """
    source = named_source(settings)
    with one_reading(source) as opened:
        trained_sets.use(opened, settings)
    return source


def catalogue_source(job: Job) -> Source:
    """Return the catalogue service that the settings choose. Reads are stamped with the machine's clock.

    Raises:
        BadInput: the store belongs to another timeline (`replay_homes.check`), or was read from another service; or the service is unknown.
    """
    replay_homes.check(job.store, job.clock)
    jitter = np.random.default_rng(int(job.run_id, 16))
    source = open_catalogue_source(job.settings, job.clock.observed_now, jitter)
    with job.store.transaction() as connection:
        others = [name for name in catalogue.services(connection, SNAPSHOT_SERVICE) if name != source.name]
    if others:
        raise BadInput(
            f"{job.settings.database} was read from {others[0]}; events of {source.name} have other ids and cannot be added to it: set "
            f"QUAKECAST_CATALOGUE_SOURCE to {others[0]}, or QUAKECAST_HOME to a folder of its own"
        )
    return source


@contextmanager
def alive(job: Job, kind: str) -> Iterator[None]:
    """Show other processes that this run is alive while the block lasts. Call `start_run` and `note_end` inside the block.

    Raises:
        StoreBusy: another process is replaying the same moment.
    """
    with running.alive(job.settings.home, job.run_id, f"a {kind} run", job.clock.observed_now()):
        yield


@contextmanager
def writers_place(job: Job, what: str, since: datetime, wait: timedelta, on_wait: Callable[[str], object]) -> Iterator[None]:
    """Hold the write lock of this database, as `one_at_a_time` does.

    Raises:
        StoreBusy: another process held the lock for the whole waiting time.
    """
    with one_at_a_time(job.store.path.with_name(WRITER_LOCK), what, since, wait=wait, on_wait=on_wait):
        yield


def start_run(job: Job, kind: str) -> list[str]:
    """Record the start of a run. Return the ids of earlier runs of this kind that ended without reporting; they are now marked as failed.

    Raises:
        BadInput: the store belongs to another timeline (`replay_homes.check`).
    """
    replay_homes.check(job.store, job.clock)
    row: NewRun = {
        "run_id": job.run_id,
        "kind": kind,
        "started_at": job.clock.now(),
        "code_version": code_version(),
        "replay": job.clock.simulated,
    }
    with job.store.transaction() as connection:
        others = [run_id for run_id in ledger.running(connection, kind) if run_id != job.run_id]
        dead = [run_id for run_id in others if not running.is_alive(job.settings.home, run_id)]
        ledger.close_abandoned(connection, dead, job.clock.now())
        ledger.start_run(connection, row)
    return dead


def note_end(job: Job, state: str, details: dict[str, Any]) -> None:
    """Record in the store how the run ended."""
    with job.store.transaction() as connection:
        ledger.finish_run(connection, job.run_id, job.clock.now(), state, details)


def publish_copy(job: Job) -> None:
    """Publish a copy of the database for readers, including what the job's recipes require."""
    with job.store.transaction() as connection:
        note_targets(connection, job.recipes)
    publish(job.store, job.settings.published)
