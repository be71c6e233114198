"""The day's forecasts of many recipes on a real Dask cluster of two processes: the same rows, and a batch that fails stops no other."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows import forecasts_on_workers, tasks
from flows.support.task_kinds import step
from flows.support.write_lock import one_writer
from forecaster.clock import Clock
from forecaster.errors import BadInput
from forecaster.pipeline.issuing import issue_batches
from forecaster.pipeline.run_context import Job
from forecaster.recipe import load_recipes
from forecaster.settings import load_settings
from forecaster.store.database import Store
from tests.flows.conftest import READ_UNTIL
from tests.support import tiny
from tests.support.toys import table

IDS = ("athens", "istanbul", "lima", "tokyo-m45")


@flow(validate_parameters=False)
def forecast(job: Job):
    with one_writer(job):
        return tasks.predict_task(job, job.recipes, None, ())


@pytest.fixture
def by_dask(world, monkeypatch):
    """Returns a job in a copy of the home whose forecasts are computed by two processes, a recipe a batch."""

    def opened(name: str) -> Job:
        home = world.home.parent / name
        shutil.copytree(world.home, home)
        for key, value in {"HOME": home, "TASK_RUNNER": "dask", "WORKERS": 2, "FORECAST_WORKERS_ABOVE": len(IDS) - 1}.items():
            monkeypatch.setenv(f"QUAKECAST_{key}", str(value))
        return job_in(home)

    for recipe_id in IDS:
        tiny.write_recipe(world.home / "recipes", recipe_id, models='["etas", "pooled"]')
    monkeypatch.setattr(issue_batches, "MOST_RECIPES", 1)
    return opened


def job_in(home: Path) -> Job:
    settings = load_settings(home=home)
    recipes = load_recipes(home / "recipes")
    return Job(settings, Store(settings.database), [recipes[name] for name in IDS], Clock.standing_at(READ_UNTIL), "0123456789abcdef")


def rows_of(store: Store) -> list[str]:
    """Forecasts with their ladders."""
    keys = {"forecast": "forecast_id", "rung": ["forecast_id", "horizon_days", "magnitude"]}
    return [table(store, name).sort_values(key).to_csv() for name, key in keys.items()]


def test_rows_are_those_of_one_process(world, by_dask):
    told = by_dask("dask")
    here = job_in(world.home)
    expected = forecast(replace(here, settings=here.settings.model_copy(update={"task_runner": "threads"})))
    done = forecast(told)
    assert done == expected and len(done.forecast_ids) >= 3 * len(IDS) and not done.failed
    assert rows_of(told.store) == rows_of(here.store)
    assert told.settings.published.exists() and not here.settings.published.exists(), "workers read the copy"


def test_a_batch_that_fails_is_told_and_the_others_are_stored(by_dask, monkeypatch):
    """One batch is given the state of another catalogue, as if its worker read an old copy."""

    def one_of_another_state(*arguments):
        return [
            replace(batch, reading=(0, 0, 0)) if batch.requests[0].asked.recipe.id == "lima" else batch
            for batch in issue_batches.batches_of(*arguments)
        ]

    monkeypatch.setattr(forecasts_on_workers, "batches_of", one_of_another_state)
    job = by_dask("one")
    done = forecast(job)
    assert list(done.failed) == ["lima"] and done.failed["lima"].startswith("the forecasts of lima: the copy that the workers read")
    assert set(table(job.store, "forecast")["recipe_id"]) == set(IDS) - {"lima"}


def test_nothing_is_stored_where_every_batch_fails(by_dask, monkeypatch):
    monkeypatch.setattr(
        forecasts_on_workers, "batches_of", lambda *given: [replace(one, reading=(0, 0, 0)) for one in issue_batches.batches_of(*given)]
    )
    job = by_dask("all")
    with pytest.raises(BadInput, match="has another catalogue than the database"):
        forecast(job)
    assert table(job.store, "forecast").empty


class Unread(list):
    """What nobody may look into."""

    def __iter__(self):
        raise AssertionError("something walked through an argument")


def test_prefect_does_not_walk_through_the_arguments_of_a_step():
    @step(name="count", cache_policy=NO_CACHE)
    def count(first: list, *, second: list) -> int:
        return len(first) + len(second)

    assert count(Unread([1, 2]), second=Unread([3])) == 3
    with pytest.raises(AssertionError, match="walked through"):
        task(count.fn, cache_policy=NO_CACHE)(Unread([1, 2]), second=[])
