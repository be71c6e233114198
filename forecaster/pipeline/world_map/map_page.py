"""The newest world map as pages, one per language, and its top places for reports."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from forecaster.pipeline.run_context import Job
from forecaster.pipeline.world_map.map_export import GEOJSON_FILE, by_cell, most_above, newest_map, write_geojson
from forecaster.pipeline.world_map.map_outlines import rings_of
from forecaster.pipeline.world_map.map_record import record_of_maps
from forecaster.registry.reasons import of_list
from forecaster.reports import render, texts
from forecaster.reports.content import older_reasons
from forecaster.reports.content.contract import WorldExtract, WorldPlace
from forecaster.reports.map_files import write_atomic
from forecaster.reports.web.index import WORLD_FOLDER
from forecaster.reports.web.world_page import FIRST_VIEW, MIDDLE_LON, WorldCell, WorldMap
from forecaster.store import world_map_rows
from forecaster.store.database import Store
from forecaster.timewindow import local_day
from forecaster.zones import UTC_ZONE

TOLD = 10


def write_pages(job: Job, languages: Sequence[str] | None = None) -> list[Path]:
    """Write the newest map below the output folder, as a page per language and as GEOJSON_FILE for other maps, each by rename.

    Earlier files are replaced. Languages as for `texts.of_pages`. Returns the pages' paths.

    Raises:
        BadInput: there is no map. NotWritable: the folder cannot be written.
    """
    issue, cells = newest_map(job.store)
    world = _page_data(issue, cells, record_of_maps(job.store, issue["mode"]))
    folder = job.settings.output / WORLD_FOLDER
    languages = texts.of_pages(languages, job.settings.templates)
    pages = []
    for language in languages:
        others = {other: f"world.{other}.html" for other in languages if other != language}
        page = render.render_world(world, language, others, job.settings.templates)
        pages.append(write_atomic(folder / f"world.{language}.html", page))
    write_geojson(folder / GEOJSON_FILE, issue, cells)
    return pages


def world_extract(store: Store, now: datetime) -> WorldExtract | None:
    """Return what a report of `now` shows of the newest map; None where there is none of the current day or of a later one."""
    with store.transaction() as connection:
        issue = world_map_rows.newest_issue(connection, now)
        if issue is None or issue["target_start"] <= now - timedelta(days=1):
            return None
        cells = world_map_rows.cells_of_issue(connection, issue["issue"])
    magnitude, days = FIRST_VIEW
    if cells[(cells["magnitude"] == magnitude) & (cells["horizon_days"] == days)].empty:
        return None
    places = _places(cells, magnitude, days)
    return WorldExtract(local_day(issue["target_start"], UTC_ZONE), magnitude, issue["radius_km"], issue["cells"], places)


def _page_data(issue: dict[str, Any], cells: pd.DataFrame, record: Sequence[dict[str, Any]]) -> WorldMap:
    views = [(float(m), int(d)) for m, d in cells[["magnitude", "horizon_days"]].drop_duplicates().itertuples(index=False)]
    return WorldMap(
        issue_time=issue["issue_time"],
        as_of=issue["as_of"],
        day=local_day(issue["target_start"], UTC_ZONE),
        mode=issue["mode"],
        radius_km=issue["radius_km"],
        cells=[_cell(name, rows) for name, rows in by_cell(cells).items()],
        top={view: _places(cells, *view) for view in views},
        problems=of_list(issue["problem_reasons"]) or tuple(reason for text in issue["problems"] for reason in older_reasons.read(text)),
        left_out=of_list(issue["left_out_reasons"]) or tuple(map(older_reasons.of_world, issue["left_out"])),
        record=record,
    )


def _cell(name: str, rows: Sequence[Any]) -> WorldCell:
    figures = {(row["magnitude"], row["horizon_days"]): (row["probability"], row["usual_probability"]) for row in rows}
    first = rows[0]
    return WorldCell(name, first["latitude_deg"], first["longitude_deg"], first["place"], rings_of(name, MIDDLE_LON), figures)


def _places(cells: pd.DataFrame, magnitude: float, days: int) -> tuple[WorldPlace, ...]:
    rows: list[Any] = most_above(cells, magnitude, days, TOLD).to_dict("records")
    return tuple(
        WorldPlace(
            row["place"] if isinstance(row["place"], str) else None,
            row["latitude_deg"],
            row["longitude_deg"],
            row["probability"],
            row["usual_probability"],
        )
        for row in rows
    )
