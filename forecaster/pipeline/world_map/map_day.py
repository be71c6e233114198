"""The daily step that makes the world map: once for each UTC day, stored with its cells."""

import logging
from dataclasses import dataclass, field
from datetime import date, timedelta

import pandas as pd

from forecaster.clock import forecast_mode
from forecaster.errors import NotScoreable
from forecaster.features.circles import circle_recipe
from forecaster.installed import code_version
from forecaster.pipeline.as_of.catalogue_history import load_known
from forecaster.pipeline.run_context import Job
from forecaster.pipeline.world_map.map_forecast import EarthForecast, forecast_earth
from forecaster.pipeline.world_map.map_grid import RESOLUTION, Grid, names_near, whole_grid
from forecaster.store import world_map_rows
from forecaster.timewindow import TimeWindow, issue_time, local_midnight, next_local_day
from forecaster.zones import UTC_ZONE

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EarthMade:
    """The result for the day's map.

    Holds the number of the issue (None: none could be made), its day, cells and rows, whether it was stored already, why there is none, and
    what degrades it.
    """

    issue: int | None
    day: date
    cells: int = 0
    rows: int = 0
    kept: bool = False
    reason: str | None = None
    problems: list[str] = field(default_factory=list)


def make_earth(job: Job, resolution: int = RESOLUTION) -> EarthMade:
    """Forecast the next UTC day for the whole Earth and store it; nothing is computed where that day has its map already.

    Raises:
        BadInput: an unknown resolution.
    """
    whole_grid(resolution)
    now = job.clock.now()
    day = next_local_day(now, UTC_ZONE)
    start = local_midnight(day, UTC_ZONE)
    window = TimeWindow(start, start + timedelta(days=1))
    mode = forecast_mode(job.clock, window)
    with job.store.transaction() as connection:
        there = world_map_rows.issue_for(connection, start, mode, resolution)
    if there is not None:
        return EarthMade(there, day, kept=True)
    as_of = min(now, issue_time(day, UTC_ZONE, circle_recipe(0, 0.0, 0.0, 150.0, 5.0).issue_local_time))
    try:
        known = load_known(job.store, as_of)
        made = forecast_earth(known, day, as_of, resolution)
    except NotScoreable as error:
        return EarthMade(None, day, reason=str(error))
    mode = forecast_mode(job.clock, window)  # late, where the day has begun in the meantime
    row = {
        "issue_time": now,
        "as_of": as_of,
        "target_start": start,
        "mode": mode,
        "resolution": resolution,
        "radius_km": made.grid.radius_km,
        "cells": len(made.grid),
        "weights": dict(made.weights),
        "left_out": list(map(str, made.left_out)),
        "left_out_reasons": [reason.stored() for reason in made.left_out],
        "problems": list(map(str, made.problems)),
        "problem_reasons": [reason.stored() for reason in made.problems],
        "code_version": code_version(),
        "run_id": job.run_id or None,
        "created_at": job.clock.now(),
    }
    with job.store.transaction() as connection:
        there = world_map_rows.issue_for(connection, start, mode, resolution)
        issue = there if there is not None else world_map_rows.add_issue(connection, row, _places(made.grid, known.frame), _cells(made))
    log.info("map of the world of %s: %d cells, %d figures", day, len(made.grid), len(made.index))
    return EarthMade(issue, day, len(made.grid), len(made.index), problems=list(map(str, made.problems)))


def _places(grid: Grid, frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "cell": grid.cell,
            "resolution": grid.resolution,
            "latitude_deg": grid.latitude_deg,
            "longitude_deg": grid.longitude_deg,
            "area_km2": grid.areas_km2(),
            "place": names_near(grid, frame),
        }
    )


def _cells(made: EarthForecast) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "cell": made.grid.cell[made.index],
            "magnitude": made.magnitude,
            "horizon_days": made.horizon_days,
            "probability": made.probability,
            "usual_probability": made.usual,
        }
    )
