"""Coverage: which streams of the catalogue have been read, and where and when a recipe can be verified.

The catalogue is complete only for regions, magnitudes and spans that were read completely. Nothing is known outside them.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from forecaster.catalog.query import Region
from forecaster.errors import NotScoreable
from forecaster.features.geometry import circle_box
from forecaster.recipe import Recipe
from forecaster.registry.reasons import Reason, ReasonKey
from forecaster.timewindow import TimeWindow

if TYPE_CHECKING:
    import pandas as pd


class CoverageSource(StrEnum):
    """The reading that proves a row of the table `coverage`. In the column it follows the name of a service: "usgs full read"."""

    SNAPSHOT = "snapshot"
    FULL_READ = "full read"
    CHANGES = "changes"


@dataclass(frozen=True)
class Stream:
    """A part of the catalogue that is read completely: every event of at least `min_magnitude` in `region`."""

    name: str
    region: Region
    min_magnitude: float

    def holds(self, recipe: Recipe) -> bool:
        """Return whether every target event of the recipe is in this stream."""
        return self.min_magnitude <= recipe.threshold_mag and _inside(circle_box(recipe), self.region)


WORLD = Stream("world", Region(-90.0, 90.0, -180.0, 180.0), 4.5)
JAPAN = Stream("japan", Region(24.0, 48.0, 122.0, 154.0), 3.5)
STREAMS = (WORLD, JAPAN)


def streams_for(recipes: Iterable[Recipe]) -> list[Stream]:
    """Return the two common streams, and one for every recipe whose targets they do not contain."""
    extra = []
    for recipe in recipes:
        if not any(stream.holds(recipe) for stream in STREAMS):
            south, north, west, east = circle_box(recipe)
            extra.append(Stream(f"recipe:{recipe.id}", Region(south, north, west, east), recipe.threshold_mag))
    return [*STREAMS, *extra]


def in_streams(streams: Iterable[Stream], latitude_deg: np.ndarray, longitude_deg: np.ndarray, magnitude: np.ndarray) -> np.ndarray:
    """Return bool (n,): which events belong to one of the streams. An event without a magnitude belongs to none."""
    inside = np.zeros(len(magnitude), dtype=bool)
    for stream in streams:
        region = stream.region
        inside |= (
            (magnitude >= stream.min_magnitude)
            & (latitude_deg >= region.min_latitude_deg)
            & (latitude_deg <= region.max_latitude_deg)
            & (longitude_deg >= region.min_longitude_deg)
            & (longitude_deg <= region.max_longitude_deg)
        )
    return inside


@dataclass(frozen=True)
class _Columns:
    """The rows of a table of coverage as arrays and lists, because a column of a frame takes long to ask for, and every recipe asks."""

    south: np.ndarray
    north: np.ndarray
    west: np.ndarray
    east: np.ndarray
    lowest: np.ndarray
    stream: list[str]
    start: list[datetime]
    end: list[datetime]
    read_at: list[datetime]


class _LastColumns(threading.local):
    """The columns of the frame that this thread asked about last, cached: a run's recipes ask about one frame, which nobody changes."""

    last: "tuple[pd.DataFrame, _Columns] | None" = None

    def of(self, coverage: "pd.DataFrame") -> _Columns:
        if self.last is None or self.last[0] is not coverage:
            bounds = ("min_latitude_deg", "max_latitude_deg", "min_longitude_deg", "max_longitude_deg", "min_magnitude")
            south, north, west, east, lowest = (coverage[name].to_numpy() for name in bounds)
            start, end, read_at = ([time.to_pydatetime() for time in coverage[name]] for name in ("span_start", "span_end", "read_at"))
            self.last = coverage, _Columns(south, north, west, east, lowest, list(coverage["stream"]), start, end, read_at)
        return self.last[1]


_columns = _LastColumns()


def covered_span(recipe: Recipe, coverage: "pd.DataFrame") -> TimeWindow:
    """Return the longest span without a gap in which every target event of the recipe has been read.

    Args:
        coverage: rows of the store's table `coverage`, or of `coverage_read`.

    Raises:
        NotScoreable: nothing has been read at this place down to this magnitude; says where the catalogue starts.
    """
    spans: list[TimeWindow] = []
    rows, columns = _rows_of(recipe, coverage), _columns.of(coverage)
    for start, end in sorted((columns.start[row], columns.end[row]) for row in rows):
        if spans and start <= spans[-1].end:
            spans[-1] = TimeWindow(spans[-1].start, max(spans[-1].end, end))
        else:
            spans.append(TimeWindow(start, end))
    return max(spans, key=lambda span: (span.end - span.start, span.end))


def last_read(recipe: Recipe, coverage: "pd.DataFrame") -> datetime:
    """Return when the catalogue was last brought up to date for the recipe's target events. Later revisions are not known.

    Raises:
        NotScoreable: as `covered_span`.
    """
    read_at = _columns.of(coverage).read_at
    return max(read_at[row] for row in _rows_of(recipe, coverage))


def read_until(coverage: "pd.DataFrame", stream: str | None = None) -> datetime | None:
    """Return the time until which this stream, or anything, has been read; None where nothing has."""
    columns = _columns.of(coverage)
    return max((end for end, name in zip(columns.end, columns.stream, strict=True) if stream in (None, name)), default=None)


def _rows_of(recipe: Recipe, coverage: "pd.DataFrame") -> list[int]:
    """Return the rows of `coverage` that contain every target event of the recipe, at least one."""
    here = _rows_at(recipe, coverage)
    lowest = _columns.of(coverage).lowest[here]
    deep: list[int] = here[lowest <= recipe.threshold_mag].tolist()
    if not deep:
        if not len(here):
            raise NotScoreable(Reason(ReasonKey.NO_DATA))
        raise NotScoreable(Reason(ReasonKey.STARTS, {"magnitude": round(float(lowest.min()), 1)}))
    return deep


def lowest_magnitude(recipe: Recipe, coverage: "pd.DataFrame") -> float | None:
    """Return the magnitude from which the catalogue has been read at the recipe's place; None where it has not been read."""
    here = _rows_at(recipe, coverage)
    return float(_columns.of(coverage).lowest[here].min()) if len(here) else None


def _rows_at(recipe: Recipe, coverage: "pd.DataFrame") -> np.ndarray:
    """Return the rows whose region contains the recipe's whole circle, int64 (m,)."""
    south, north, west, east = circle_box(recipe)
    columns = _columns.of(coverage)
    return np.flatnonzero((columns.south <= south) & (north <= columns.north) & (columns.west <= west) & (east <= columns.east))


def _inside(box: tuple[float, float, float, float], region: Region) -> bool:
    south, north, west, east = box
    return (
        region.min_latitude_deg <= south
        and north <= region.max_latitude_deg
        and region.min_longitude_deg <= west
        and east <= region.max_longitude_deg
    )


def coverage_rows(
    streams: Iterable[Stream], start: datetime, end: datetime, read_at: datetime, source: CoverageSource, service: str | None = None
) -> "pd.DataFrame":
    """Return rows for the table `coverage`: these streams were read completely over [start, end)."""
    rows = [
        {
            "stream": stream.name,
            "min_latitude_deg": stream.region.min_latitude_deg,
            "max_latitude_deg": stream.region.max_latitude_deg,
            "min_longitude_deg": stream.region.min_longitude_deg,
            "max_longitude_deg": stream.region.max_longitude_deg,
            "min_magnitude": stream.min_magnitude,
            "span_start": start,
            "span_end": end,
            "read_at": read_at,
            "source": f"{service} {source}" if service else str(source),
        }
        for stream in streams
    ]
    import pandas as pd

    return pd.DataFrame(rows)
