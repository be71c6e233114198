"""The interface of every source of earthquakes, and the look-up of sources by name.

The bundled snapshot is not a source: it is loaded once and cannot be queried (`catalog.snapshot`).
"""

from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from typing import Any, Protocol

import numpy as np
import pandas as pd

from forecaster.catalog.query import Progress, Query, ReadResult
from forecaster.errors import BadInput
from forecaster.registry.catalogue_sources import SOURCES
from forecaster.settings import Settings


class Source(Protocol):
    """A service that provides earthquakes. What it returns is complete, or it is an error (`errors.CatalogError`).

    name: in the column `source` of every row that it returns, and in the record of what was read. fetch_log: one entry a request (keys as
    in `ReadResult`), also of reads that failed; the caller that stores it empties it.
    """

    name: str
    fetch_log: list[dict[str, Any]]

    def read_span(self, query: Query, *, on_progress: Progress | None = None) -> ReadResult:
        """Read every event that matches, however many there are."""

    def changes_since(self, query: Query, on_progress: Progress | None = None) -> ReadResult:
        """Read the same for a query with `updated_after`, which matches few events: the changes since then, deletions included."""

    def lookup(self, event_id: str) -> pd.DataFrame | None:
        """Look up one event by any of its ids: a row, one with the status `deleted` where it was deleted, None where it is not known."""


def open_catalogue_source(settings: Settings, clock: Callable[[], datetime], rng: np.random.Generator) -> Source:
    """Open the source that the settings choose. clock: gives aware UTC and stamps what is read. rng: for the length of waits.

    Raises:
        BadInput: there is none of this name.
    """
    name = settings.catalogue_source
    if name not in SOURCES:
        raise BadInput(f"QUAKECAST_CATALOGUE_SOURCE is {name!r}; there are: {', '.join(SOURCES)}")
    found: Source = import_module(SOURCES[name]).open_source(settings, clock, rng)
    return found
