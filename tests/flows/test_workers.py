"""Workers of three kinds do the same: threads, processes, and a real Dask cluster of two worker processes."""

import os
import signal
import sys
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta

import pytest
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.context import TaskRunContext, serialize_context

from flows.backfill import backfill
from flows.retrain import retrain
from flows.support import workers
from flows.support.error_text import words
from forecaster.errors import BadInput, NotTrainable
from forecaster.settings import load_settings
from tests.support import tiny
from tests.support.toys import quake, table, write

KINDS = ["threads", "processes", "dask"]


@task(cache_policy=NO_CACHE)
def part(name: str) -> tuple[str, int]:
    if name == "ours":
        raise NotTrainable("ours: too few target days")
    if name == "bug":
        raise KeyError("a bug")
    if name == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    return name, os.getpid()


@flow
def parts(names: list[str], runner: str) -> dict:
    with workers.pool(load_settings(task_runner=runner, workers=2)) as run:
        return {name: result if error is None else words(error) for name, result, error in run(part, {n: {"name": n} for n in names})}


@pytest.mark.parametrize("runner", KINDS)
def test_every_part_is_done_and_a_failing_one_stops_no_other(runner):
    done = parts(["a", "ours", "b", "bug", "c"], runner)
    assert {name: done[name][0] for name in "abc"} == {"a": "a", "b": "b", "c": "c"}
    assert done["ours"] == "ours: too few target days" and done["bug"].startswith("KeyError")
    assert (os.getpid() in {done[name][1] for name in "abc"}) is (runner == "threads")


def test_a_killed_dask_worker_is_one_part_s_failure():
    done = parts(["killed", "a"], "dask")
    assert done["a"][0] == "a" and isinstance(done["killed"], str)


@task(cache_policy=NO_CACHE)
def environment_of(name: str) -> tuple[str | None, str]:
    import dask

    return os.environ.get("MALLOC_TRIM_THRESHOLD_"), dask.config.get("distributed.admin.tick.interval")


@flow
def environments() -> list:
    with workers.pool(load_settings(task_runner="dask", workers=1)) as run:
        return [result for _, result, _ in run(environment_of, {"a": {"name": "a"}})]


def test_workers_of_dask_keep_freed_memory_and_are_seldom_looked_at():
    assert environments() == [(str(256 << 20), "1s")]


@task(cache_policy=NO_CACHE)
def with_all_recipes(recipes: list[str]) -> tuple[dict, list[str]]:
    with workers.pool(load_settings(task_runner="threads", workers=1)) as run:
        ((_, sent, _),) = run(part, {"a": {"name": "a"}})
    return sent, list(TaskRunContext.get().parameters["recipes"])


def test_a_part_is_not_sent_the_parameters_of_the_task_around_it(monkeypatch):
    """10,000 recipes with each of 100 batches took minutes."""

    class Future:
        def __init__(self, sent):
            self.result = lambda: sent

    class Runner:
        def submit(self, task, parameters):
            sent = serialize_context()["task_run_context"]["parameters"]
            return Future(sent)

    monkeypatch.setattr(workers, "task_runner", lambda settings: nullcontext(Runner()))
    monkeypatch.setattr(workers, "as_completed", list)
    assert with_all_recipes(["tokyo"]) == ({}, ["tokyo"])


def test_an_unknown_runner_and_a_missing_dask_are_bad_input(monkeypatch):
    with pytest.raises(BadInput, match="QUAKECAST_TASK_RUNNER"):
        load_settings(task_runner="ray")
    for module in ("prefect_dask", "prefect_dask.task_runners"):  # another test may have imported them
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(BadInput, match=r"install quakecast\[dask\]"):
        workers.task_runner(load_settings(task_runner="dask"))


@pytest.fixture
def regions(world):
    """Three regions to train, two of them with something to learn from."""
    for recipe_id in ("tokyo-m45", "istanbul", "athens"):
        tiny.write_recipe(world.home / "recipes", recipe_id, models='["best_rate", "persistence"]')
    write(world.store, *(quake(f"t{number}", datetime(2021, 2, 1, tzinfo=UTC) + timedelta(days=11 * number)) for number in range(90)))
    return world


@pytest.mark.parametrize("runner", ["threads", "dask"])
def test_regions_are_trained_and_past_days_made_by_workers_that_only_read(regions, runner, monkeypatch):
    monkeypatch.setenv("QUAKECAST_TASK_RUNNER", runner)
    monkeypatch.setenv("QUAKECAST_WORKERS", "2")
    done = retrain()
    assert (done["state"], sorted(done["trained"]), sorted(done["not_trained"])) == ("success", ["athens", "tokyo-m45"], ["istanbul"])
    assert set(table(regions.store, "model")["recipe_id"]) == {"athens", "tokyo-m45"}
    assert retrain(recipes=["athens", "tokyo-m45"])["trained"] == {}  # nothing is due any more
    span = {"from_date": date(2023, 12, 1), "to_date": date(2023, 12, 20), "mode": "current-model", "recipes": ["athens", "tokyo-m45"]}
    filled = backfill(**span)
    rows = table(regions.store, "forecast")
    assert (filled["state"], filled.get("days")) == ("success", 40), filled
    assert set(rows["method"]) == {"current-model"} and set(rows["mode"]) == {"hindcast"} and rows["in_sample"].any()
    assert backfill(**span)["forecasts"] == 0 and len(table(regions.store, "forecast")) == len(rows)
