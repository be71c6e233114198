"""A series of world maps from one reading of the catalogue: what its older events add to every cell is summed once for all days."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from forecaster.features.events import Events
from forecaster.features.many_circles import Past, Split
from forecaster.pipeline.as_of.as_known import Known
from forecaster.pipeline.as_of.catalogue_history import CatalogueHistory
from forecaster.pipeline.world_map.map_grid import Grid, seismic_cells, whole_grid
from forecaster.timewindow import to_us


@dataclass(frozen=True)
class EarthSeries:
    """history: the whole catalogue. grid: every cell with seismicity by the end of the series. later: the versions that are not `past`."""

    history: CatalogueHistory
    grid: Grid
    past: Past
    later: Events

    def known_at(self, as_of: datetime) -> Known:
        """Return what was known at one of the moments of the series."""
        return self.history.at(as_of)

    def split(self, cells: Grid, cut_us: int) -> Split | None:
        """Return the inputs at this cutoff in two parts, for these cells; None where the series lacks one of them."""
        rows = np.minimum(np.searchsorted(self.grid.cell, cells.cell), len(self.grid) - 1)
        if not np.array_equal(self.grid.cell[rows], cells.cell):
            return None
        return Split(self.past, rows, self.later.visible(cut_us))


def series_of(history: CatalogueHistory, first: datetime, last: datetime, resolution: int) -> EarthSeries:
    """Return the series of maps issued from `first` to `last` (aware UTC).

    Raises:
        BadInput: an unknown resolution.
    """
    versions = history.versions.take(history.common)
    begin, end = to_us(first), to_us(last)
    older = (versions.origin_time_us < begin) & (versions.known_at_us <= begin) & (versions.known_until_us > end)
    grid = seismic_cells(whole_grid(resolution), history.at(last).events)
    past = Past(grid.latitude_deg, grid.longitude_deg, grid.radius_km, versions.take(older), begin)
    return EarthSeries(history, grid, past, versions.take(~older))
