"""Clients of the event service for tests: nothing is waited for, and the question is one day."""

from datetime import UTC, datetime

import numpy as np

from forecaster.catalog.query import Query
from forecaster.catalog.sources.usgs import UsgsClient

NOW = datetime(2024, 1, 2, tzinfo=UTC)
QUERY = Query(datetime(2024, 1, 1, tzinfo=UTC), NOW, 4.0)


class Waits:
    """A monotonic clock that only sleeping moves; `slept` lists the waits in seconds."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def monotonic(self) -> float:
        return sum(self.slept)


def new_client(url: str, slept: list[float] | None = None, **options) -> UsgsClient:
    """A client as of NOW; `slept` collects its waits."""
    slept = [] if slept is None else slept
    options = {"timeout_s": (5.0, 5.0), "deadline_s": 60.0, "clock": lambda: NOW} | options
    return UsgsClient(url, "x", rng=np.random.default_rng(1), sleep=slept.append, **options)
