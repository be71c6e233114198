"""What is asked of every source of earthquakes, and where the sources are found by their names.

The bundled snapshot is none: it is loaded once and can be asked nothing (`catalog.snapshot`).
"""

from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from typing import Any, Protocol

import numpy as np
import pandas as pd

from forecaster.catalog.query import Progress, Query, ReadResult
from forecaster.errors import BadInput
from forecaster.settings import Settings

SOURCES = {
    "usgs": "forecaster.catalog.sources.usgs",
}
"""By name the module with `open_source`; QUAKECAST_CATALOGUE_SOURCE chooses one. docs/EXTENDING.md shows how to add one."""


class Source(Protocol):
    """A service that knows earthquakes. What it gives is complete, or it is an error (`errors.CatalogError`).

    name: in the column `source` of every row that it gives, and in the record of what was read. fetch_log: one entry a request (keys as in
    `ReadResult`), also of reads that failed; whoever stores it empties it.
    """

    name: str
    fetch_log: list[dict[str, Any]]

    def read_span(self, query: Query, *, on_progress: Progress | None = None) -> ReadResult:
        """Every event that matches, however many there are."""

    def changes_since(self, query: Query, on_progress: Progress | None = None) -> ReadResult:
        """The same for a query with `updated_after`, which matches few: what was changed since, deletions included."""

    def lookup(self, event_id: str) -> pd.DataFrame | None:
        """One event by any of its ids: a row, one with the status `deleted` where it was deleted, None where it is not known."""


def open_catalogue_source(settings: Settings, clock: Callable[[], datetime], rng: np.random.Generator) -> Source:
    """The source that the settings choose. clock: gives aware UTC and stamps what is read. rng: for the length of waits.

    Raises:
        BadInput: there is none of this name.
    """
    name = settings.catalogue_source
    if name not in SOURCES:
        raise BadInput(f"QUAKECAST_CATALOGUE_SOURCE is {name!r}; there are: {', '.join(SOURCES)}")
    found: Source = import_module(SOURCES[name]).open_source(settings, clock, rng)
    return found
