"""The world map page: cells and coasts as one SVG that a small script moves and zooms, with tables and a CSV. Pure.

The map is drawn in degrees: x to the east of MIDDLE_LON - 180, y to the south of the North Pole. Without the script the map is static and
shows the first view.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from markupsafe import Markup

from forecaster.registry.reasons import Reason
from forecaster.reports.content.contract import WorldPlace
from forecaster.reports.content.reason_phrases import reason_phrases
from forecaster.reports.content.world_part import place_line
from forecaster.reports.dates_as_text import Writer
from forecaster.reports.drawing import ground, vega
from forecaster.reports.drawing.region_map import clipped
from forecaster.reports.drawing.shapes import path_data
from forecaster.reports.numbers_as_text import Phrase, level_of
from forecaster.reports.web.csv_link import csv_link

MIDDLE_LON = ground.WORLD_MIDDLE_LON
SCALE = 10.0  # units of the drawing per degree
SOUTH, NORTH = -80.0, 90.0
FIRST_VIEW = (5.0, 1)
Say = Callable[..., str]
View = tuple[float, int]
"""(smallest magnitude, days)"""


@dataclass(frozen=True)
class WorldCell:
    """A cell of the map: its rings, and (probability, usual rate) by view.

    Rings are of (longitude, latitude), with longitudes from MIDDLE_LON - 180 to MIDDLE_LON + 180.
    """

    name: str
    lat: float
    lng: float
    place: str | None
    rings: Sequence[Sequence[tuple[float, float]]]
    figures: Mapping[View, tuple[float, float]]


@dataclass(frozen=True)
class WorldMap:
    """The data of the page.

    top: the places farthest above their usual rate, by view. left_out: what has no figure. problems: what degrades the map.
    """

    issue_time: datetime
    as_of: datetime
    day: date
    mode: str
    radius_km: float
    cells: Sequence[WorldCell]
    top: Mapping[View, Sequence[WorldPlace]]
    left_out: Sequence[Reason] = ()
    problems: Sequence[Reason] = ()
    record: Sequence[Mapping[str, Any]] = ()


def world_context(
    world: WorldMap,
    language: str,
    say: Say,
    writer: Writer,
    coastlines: Iterable[ground.Polyline],
    script: str,
    alternates: Mapping[str, str],
) -> dict[str, Any]:
    """Return names for the template world.html.j2."""
    problems = reason_phrases(world.problems, None, writer)
    views = sorted(world.top, key=lambda view: (view != FIRST_VIEW, view[1], -view[0]))
    return {
        "language": language,
        "alternates": dict(alternates),
        "mode": world.mode,
        "made": writer.moment(world.issue_time),
        "as_of": writer.moment(world.as_of),
        "day": writer(world.day),
        "radius": f"{world.radius_km:g}",
        "cell_count": len(world.cells),
        "size": (f"{360 * SCALE:g}", f"{(NORTH - SOUTH) * SCALE:g}"),
        "land": Markup(_land(coastlines)),
        "cells": Markup("".join(_cell(cell, index) for index, cell in enumerate(world.cells))),
        "csv": _csv(world, views, writer),
        "file_day": f"{world.day:%Y-%m-%d}",
        "views": [
            {
                "magnitude": f"{magnitude:g}",
                "days": days,
                "key": f"{magnitude:g}_{days}",
                "rows": [place_line(place, writer) for place in world.top[magnitude, days]],
            }
            for magnitude, days in views
        ],
        "left_out": reason_phrases(world.left_out, None, writer),
        "degraded": Phrase("operations.degraded_run", {"reason": problems}) if problems else None,
        "record": list(world.record),
        "script": Markup(script),
        "words": Markup(json.dumps(_words(say), ensure_ascii=False).replace("<", "\\u003c")),
        "content_policy": vega.content_policy(script),
    }


def _words(say: Say) -> dict[str, Any]:
    """Return the texts that the script shows, and the dimensions of the drawing."""
    percent = say("number.percent", percent="{percent}")
    cell = say("world.cell", probability="{probability}", ratio="{ratio}", usual="{usual}")
    return {
        "percent": percent,
        "cell": cell,
        "none": say("world.no_figure"),
        "start": say("world.start"),
        "middle": MIDDLE_LON,
        "scale": SCALE,
    }


def _at(lon: float, lat: float) -> tuple[float, float]:
    return (lon - MIDDLE_LON + 180.0) * SCALE, (NORTH - lat) * SCALE


def _land(coastlines: Iterable[ground.Polyline]) -> str:
    box = MIDDLE_LON - 180.0, SOUTH, MIDDLE_LON + 180.0, NORTH
    lines = (path_data([_at(lon, lat) for lon, lat in line], True, apart=2.0) for line in clipped(coastlines, box))
    return "".join(line for line in lines if line)


def _cell(cell: WorldCell, index: int) -> str:
    """Return one SVG path; its class is the level of the first view, or "none" where the cell has no figure there."""
    shape = "".join(path_data([_at(lon, lat) for lon, lat in ring], True, apart=0.0) for ring in cell.rings)
    first = cell.figures.get(FIRST_VIEW)
    level = "none" if first is None else level_of(first[0] / first[1])
    return f'<path id="c{index}" class="c{level}" d="{shape}"/>'


def _csv(world: WorldMap, views: Sequence[View], writer: Writer) -> str:
    """Return one CSV row per cell, in the order of the paths.

    A row has probability and usual rate of each view, empty where there is none.
    """
    named = [f"{name}_m{magnitude:g}_{days}d" for magnitude, days in views for name in ("probability", "usual")]
    rows = []
    for cell in world.cells:
        pairs = [cell.figures.get(view) for view in views]
        figures = [None if pair is None else float(f"{value:.3g}") for pair in pairs for value in (pair or (0.0, 0.0))]
        rows.append((cell.name, round(cell.lat, 2), round(cell.lng, 2), writer.place(cell.place) or "", *figures))
    return csv_link(("cell", "latitude", "longitude", "place", *named), rows)
