"""Find which cells the catalogue covers, and down to which magnitude it is complete there."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from forecaster.catalog.completeness import estimate_completeness, estimate_stable_completeness
from forecaster.features.geometry import boxes_about
from forecaster.features.many_circles import near_pairs
from forecaster.pipeline.as_of.as_known import Known
from forecaster.pipeline.as_of.recipe_check import COMPLETENESS_YEARS, ENOUGH_TO_WARN, CircleCompleteness
from forecaster.pipeline.world_map.map_grid import Grid
from forecaster.timewindow import to_us

_YEAR_US = 365.25 * 86_400_000_000


def covered_by(grid: Grid, coverage: pd.DataFrame) -> np.ndarray:
    """Return whether the region of each row of `coverage` holds a cell's whole circle, bool (cells, rows); date line and poles included."""
    south, north, west, east = boxes_about(grid.latitude_deg, grid.longitude_deg, grid.radius_km)
    held = [
        (row["min_latitude_deg"] <= south)
        & (north <= row["max_latitude_deg"])
        & (row["min_longitude_deg"] <= west)
        & (east <= row["max_longitude_deg"])
        for row in coverage.to_dict("records")
    ]
    return np.stack(held, axis=1) if held else np.zeros((len(grid), 0), dtype=bool)


def patterns_of(held: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (mask of the rows that hold them, indices of the cells) for each pattern in `held` (cells, rows)."""
    patterns, of = np.unique(held, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        yield pattern, np.flatnonzero(of.ravel() == number)


def complete_cells(grid: Grid, known: Known, covered: np.ndarray, magnitudes: Sequence[float]) -> dict[float, np.ndarray]:
    """Return by magnitude the cells without evidence of missing events, bool (cells,).

    Evidence is an estimate from 100 events or more that earthquakes of at least the magnitude are missing from the last ten years
    (`recipe_check.CircleCompleteness.missing_below`).
    """
    complete = {magnitude: np.ones(len(grid), dtype=bool) for magnitude in magnitudes}
    if known.coverage.empty:
        return complete
    end = min(to_us(known.as_of), to_us(known.coverage["span_end"].max().to_pydatetime()))
    first, last = np.searchsorted(known.events.origin_time_us, [end - round(COMPLETENESS_YEARS * _YEAR_US), end])
    events = known.events.take(slice(int(first), int(last)))
    cuts = np.where(covered, known.coverage["min_magnitude"].to_numpy(), np.inf).min(axis=1, initial=np.inf)
    for near in near_pairs(grid.latitude_deg, grid.longitude_deg, events, grid.radius_km):
        order = np.argsort(near.circle, kind="stable")
        cells, starts = np.unique(near.circle[order], return_index=True)
        for cell, held in zip(cells.tolist(), np.split(events.magnitude[near.event[order]], starts[1:]), strict=True):
            read = held[held >= cuts[cell]]
            if len(read) >= ENOUGH_TO_WARN:
                estimates = estimate_completeness(read, cuts[cell]), estimate_stable_completeness(read, cuts[cell])
                found = CircleCompleteness(*estimates, None, None, (), len(read))
                for magnitude, cells_complete in complete.items():
                    cells_complete[cell] = found.missing_below(magnitude) is None
    return complete
