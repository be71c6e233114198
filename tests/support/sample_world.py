"""A small map of the world for tests of its page: cells about four places, at the seam of the drawing and at the date line among them."""

from datetime import UTC, date, datetime

import h3

from forecaster.pipeline.world_map.map_outlines import rings_of
from forecaster.registry.reasons import Reason, ReasonKey
from forecaster.reports.content.contract import WorldExtract, WorldPlace
from forecaster.reports.web.world_page import MIDDLE_LON, WorldCell, WorldMap

PLACES = {
    (37.5, 137.2): "42 km NE of Anamizu, Japan",
    (0.5, 179.9): None,
    (-55.0, -25.1): "South Sandwich Islands region",
    (38.0, 23.7): "4 km N of Athens, <b>Greece</b>",
}
VIEWS = ((5.0, 1), (5.0, 7), (4.5, 1), (4.5, 7))


def sample_world(rings: int = 2) -> WorldMap:
    cells = []
    for (latitude, longitude), place in PLACES.items():
        for step, name in enumerate(sorted(h3.grid_disk(h3.latlng_to_cell(latitude, longitude, 3), rings))):
            lat, lng = h3.cell_to_latlng(name)
            usual = 0.001 * (1 + step % 5)
            figures = {view: (min(usual * (0.5 + step) * view[1], 0.9), usual * view[1]) for view in VIEWS if view[0] == 5.0 or step % 7}
            cells.append(WorldCell(name, lat, lng, place, rings_of(name, MIDDLE_LON), figures))
    top = {view: tuple(_places(cells, view)) for view in VIEWS}
    moment = datetime(2024, 1, 3, 12, tzinfo=UTC)
    left_out = [Reason(ReasonKey.CELLS_INCOMPLETE, {"magnitude": 4.5, "cells": 8})]
    return WorldMap(moment, moment, date(2024, 1, 4), "replay", 150.0, cells, top, left_out, [Reason(ReasonKey.OLD, {"age_hours": 25.0})])


def _places(cells: list[WorldCell], view: tuple[float, int]) -> list[WorldPlace]:
    told = [cell for cell in cells if view in cell.figures][:: len(cells) // 8]
    return [WorldPlace(cell.place, cell.lat, cell.lng, *cell.figures[view]) for cell in told]


def sample_told() -> WorldExtract:
    """What a report tells of it."""
    world = sample_world()
    return WorldExtract(world.day, 5.0, world.radius_km, len(world.cells), tuple(world.top[5.0, 1]))
