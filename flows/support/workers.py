"""The workers for a run's independent parts: threads, processes, or a Dask cluster, as the settings say.

Workers only read (the published copy, or what QUAKECAST_READ_FROM names) and return rows. The flow stores the rows, one part after the
other.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from prefect import Task
from prefect.context import TaskRunContext
from prefect.futures import as_completed
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner

from forecaster.errors import BadInput, QuakecastError
from forecaster.settings import Settings

log = logging.getLogger(__name__)

Done = tuple[str, Any, Exception | None]
# Dask lets its workers give each freed array back to the system at once; numpy's short-lived arrays then cost half as much CPU time again.
_SPAWN = "distributed.nanny.pre-spawn-environ"
_KEEP_FREED_MEMORY = {f"{_SPAWN}.MALLOC_TRIM_THRESHOLD_": 256 << 20, f"{_SPAWN}.MALLOC_MMAP_THRESHOLD_": 32 << 20}
# Dask samples its processes 50 to 100 times a second, for a page that is not served here: 3 % of the CPU time of each.
_LOOK_SELDOM = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
}


def task_runner(settings: Settings) -> TaskRunner[Any]:
    """Return the task runner that the settings name.

    Raises:
        BadInput: Dask is asked for and not installed.
    """
    if settings.task_runner == "threads":
        return ThreadPoolTaskRunner(max_workers=settings.workers)
    if settings.task_runner == "processes":
        return ProcessPoolTaskRunner(max_workers=settings.workers)
    try:
        import dask
        from prefect_dask.task_runners import DaskTaskRunner
    except ImportError:
        raise BadInput("QUAKECAST_TASK_RUNNER is dask, and Dask is not installed; install quakecast[dask], or choose threads") from None
    if settings.dask_address:
        return DaskTaskRunner(address=settings.dask_address)
    cluster = {"n_workers": settings.workers, "threads_per_worker": 1, "dashboard_address": None}
    dask.config.set(_KEEP_FREED_MEMORY | _LOOK_SELDOM)
    return DaskTaskRunner(cluster_kwargs=cluster)


@contextmanager
def pool(settings: Settings) -> Iterator[Callable[[Task[..., Any], Mapping[str, Mapping[str, Any]]], Iterator[Done]]]:
    """Start the workers for as long as the block lasts. Yields run(task, calls), which runs `task` once for every call (name -> arguments).

    `run` yields (name, result, None) as each call is done, or (name, None, its error): one that fails does not stop the others.

    Raises:
        BadInput: Dask is asked for and not installed.
    """
    with task_runner(settings) as runner:

        def run(task: Task[..., Any], calls: Mapping[str, Mapping[str, Any]]) -> Iterator[Done]:
            with _parameters_kept_here():
                names = {runner.submit(task, dict(arguments)): name for name, arguments in calls.items()}
            for future in as_completed(list(names)):
                try:
                    yield names[future], future.result(), None
                except QuakecastError as error:
                    yield names[future], None, error
                except Exception as error:
                    log.exception("%s failed", names[future])
                    yield names[future], None, error

        yield run


@contextmanager
def _parameters_kept_here() -> Iterator[None]:
    """Inside a task, hide its parameters: Prefect would send them with each part. They may hold all recipes, and no worker reads them."""
    outer = TaskRunContext.get()
    if outer is None:
        yield
        return
    with outer.model_copy(update={"parameters": {}}):
        yield
