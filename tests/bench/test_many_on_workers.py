"""The day's forecasts of many recipes through the flow on Dask, with one worker and with two. Nothing fails on a clock.

BENCH_RECIPES=1000 python -m pytest tests/bench/test_many_on_workers.py -q -s
BENCH_RECIPES=10000 BENCH_WORKERS=2 python -m pytest tests/bench/test_many_on_workers.py -q -s

Places are drawn from where earthquakes were, so there are more of them where there are more earthquakes.
"""

import os
import resource
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from prefect import flow

from flows import tasks
from flows.support.write_lock import one_writer
from forecaster.clock import Clock
from forecaster.pipeline.as_of.bundled_catalogue import load_snapshot
from forecaster.pipeline.as_of.catalogue_history import read_history
from forecaster.pipeline.run_context import Job
from forecaster.recipe import Recipe, load_recipes
from forecaster.settings import load_settings
from forecaster.store.database import Store, open_store
from tests.bench import page
from tests.bench.figures import Amount
from tests.support.toys import table

COUNT = int(os.environ.get("BENCH_RECIPES", "200"))
WORKERS = [int(number) for number in os.environ.get("BENCH_WORKERS", "1,2").split(",")]
AS_OF = datetime(2023, 12, 25, 12, tzinfo=UTC)
GOAL = 1.7 if COUNT >= 10_000 and WORKERS == [1, 2] else None
JOBS: dict[int, Job] = {}
BUNDLED = Path(__file__).resolve().parents[2] / "recipes"


def drawn_recipes(store: Store, count: int, seed: int = 1) -> list[Recipe]:
    """M4.5 within 150 km of places near earthquakes drawn from the catalogue, in the time zone of their longitude."""
    pattern = load_recipes(BUNDLED)["athens"]
    events = read_history(store).at(AS_OF).events
    rng = np.random.default_rng(seed)
    picked = rng.choice(np.flatnonzero((events.magnitude >= 4.5) & (np.abs(events.latitude_deg) < 75)), count, replace=False)
    places = np.column_stack([events.latitude_deg[picked], events.longitude_deg[picked]]) + rng.uniform(-0.5, 0.5, (count, 2))
    recipes = []
    for number, (lat, lon) in enumerate(places.round(2).tolist()):
        lon = (lon + 180) % 360 - 180
        changes = {"id": f"drawn-{number}", "predict_center_lat": lat, "predict_center_lng": lon, "predict_radius_meters": 150_000}
        changes |= {"threshold_mag": 4.5, "time_zone": f"Etc/GMT{-round(lon / 15):+d}", "min_mag": 4.5}
        recipes.append(pattern.model_copy(update=changes))
    return recipes


def rows_of(store: Store) -> list[str]:
    keys = {"forecast": "forecast_id", "rung": ["forecast_id", "horizon_days", "magnitude"]}
    return [table(store, name).drop(columns="run_id", errors="ignore").sort_values(key).to_csv() for name, key in keys.items()]


@flow
def forecast(workers: int) -> int:
    """Prefect sends the flow with each batch, its parameters and the values that it names, too. So it names no recipes."""
    return forecasts_of_job(workers)


def forecasts_of_job(workers: int) -> int:
    job = JOBS[workers]
    with one_writer(job):
        return len(tasks.predict_task(job, job.recipes, None, ()).forecast_ids)


def test_one_worker_and_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The start of the workers, their imports and their reading of the catalogue count."""
    from prefect.testing.utilities import prefect_test_harness  # here: workers import this module, and no Prefect server

    made = {}
    monkeypatch.setenv("QUAKECAST_TASK_RUNNER", "dask")
    monkeypatch.setenv("QUAKECAST_FORECAST_WORKERS_ABOVE", "1")
    with prefect_test_harness(server_startup_timeout=600):
        for workers in WORKERS:
            monkeypatch.setenv("QUAKECAST_HOME", str(tmp_path / str(workers)))
            monkeypatch.setenv("QUAKECAST_WORKERS", str(workers))
            settings = load_settings()
            store = open_store(settings.database)
            load_snapshot(store, AS_OF)
            job = Job(settings, store, drawn_recipes(store, COUNT), Clock.standing_at(AS_OF), "bench")
            begun, parent, children = time.perf_counter(), time.process_time(), _children_seconds()
            JOBS[workers] = job
            count = forecast(workers)
            taken = time.perf_counter() - begun, time.process_time() - parent, _children_seconds() - children
            made[workers] = taken[0], rows_of(store)
            print(f"\n{COUNT} recipes, {workers} workers: {count} rows, {taken[0]:.0f} s")
            page.keep(Amount(f"workers {COUNT} on {workers}", f"{COUNT:,} recipes on {workers} workers", taken[0], "wall s"))
            print(f"CPU {taken[1]:.0f} s here, {taken[2]:.0f} s in workers; at most {_memory_gb()} GB")
    for workers, (seconds, rows) in made.items():
        first_seconds, first_rows = made[WORKERS[0]]
        if workers != WORKERS[0]:
            what = f"{COUNT:,} recipes: how many times as fast {workers} workers are as {WORKERS[0]}"
            page.keep(Amount(f"workers {COUNT} {workers}:{WORKERS[0]}", what, first_seconds / seconds, "times", GOAL, at_least=True))
        assert rows == first_rows


def _memory_gb() -> str:
    """The most that this process and the largest of the ended workers took."""
    return ", ".join(f"{resource.getrusage(whose).ru_maxrss / 1e6:.2f}" for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
