"""How the tasks are made: which errors are tried again, and what Prefect leaves alone."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import deployment
from prefect.utilities.annotations import opaque

from forecaster.errors import CatalogMalformed, CatalogTruncated, CatalogUnreachable, NoConnection, StoreBusy, StoreUnreachable

P = ParamSpec("P")
R = TypeVar("R")
HEALS = (CatalogUnreachable, CatalogTruncated, CatalogMalformed, StoreBusy, StoreUnreachable)


def heals(_task: Any, _run: Any, state: Any) -> bool:
    """Return whether a retry can help. It can for the network and the lock, not for bad input and our own bugs.

    At a terminal a missing network is reported at once; a scheduled run tries once more.
    """
    error = state.data if isinstance(state.data, BaseException) else getattr(state.data, "exception", None)
    if error is None:
        error = state.result(raise_on_failure=False)
    if isinstance(error, NoConnection) and not deployment.id:
        return False
    return isinstance(error, HEALS)


# Tasks that only read, or write once, are retried where that can help, after 10 to 20 seconds.
AGAIN: dict[str, Any] = {
    "retry_delay_seconds": 10,
    "retry_jitter_factor": 1,
    "retry_condition_fn": heals,
    "cache_policy": NO_CACHE,
}
# For the part of a worker. Its time is limited by the minutes it is given: Prefect cannot end a task that computes in a thread.
ON_A_WORKER: dict[str, Any] = {**AGAIN, "retries": 2, "persist_result": False}


class Step(Task[P, R]):
    """A task that takes its arguments as they are. Prefect would walk through every recipe in them several times, in search of results of
    other tasks: each time takes 1.2 CPU seconds for 10,000 recipes."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:  # type: ignore[override]
        values: Any = map(opaque, args)
        named: Any = {name: opaque(value) for name, value in kwargs.items()}
        result: R = super().__call__(*values, **named)
        return result


def step(**options: Any) -> Callable[[Callable[P, R]], Step[P, R]]:
    """Make a `Step` of a function; the options are those of `prefect.task`."""
    return lambda function: Step(function, **options)
