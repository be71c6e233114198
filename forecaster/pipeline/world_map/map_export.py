"""Export the newest world map: Parquet with a row for each figure, GeoJSON with an outline for each cell."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from forecaster.errors import BadInput, NotWritable
from forecaster.features.geometry import great_circle_km
from forecaster.pipeline.world_map.map_outlines import rings_of
from forecaster.places import place_name
from forecaster.reports.map_files import write_atomic
from forecaster.store import world_map_rows
from forecaster.store.database import Store
from forecaster.store.engine.parquet_files import write_parquet

PARQUET_FILE, GEOJSON_FILE = "world.parquet", "world.geojson"
_COLUMNS = ("cell", "place", "latitude_deg", "longitude_deg", "magnitude", "horizon_days", "probability", "usual_probability", "ratio")
NO_MAP = "no map of the world is stored; the daily run makes one (QUAKECAST_WORLD_MAP), or `quakecast world --make`"


def newest_map(store: Store) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return the last stored row of world_map, and its rows of v_world.

    Raises:
        BadInput: there is none, or its cells have been deleted.
    """
    with store.transaction() as connection:
        issue = world_map_rows.newest_issue(connection)
        cells = None if issue is None else world_map_rows.cells_of_issue(connection, issue["issue"])
    if issue is None or cells is None or cells.empty:
        raise BadInput(NO_MAP)
    return issue, cells


def by_cell(cells: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of v_world as dicts, by the cell's name, ascending."""
    found: dict[str, list[dict[str, Any]]] = {}
    columns = cells.sort_values(["cell", "horizon_days", "magnitude"])[list(_COLUMNS)]
    for values in zip(*(columns[name].tolist() for name in _COLUMNS), strict=True):
        row = dict(zip(_COLUMNS, values, strict=True))
        found.setdefault(row["cell"], []).append(row | {"place": row["place"] if isinstance(row["place"], str) else None})
    return found


def most_above(cells: pd.DataFrame, magnitude: float, horizon_days: int, count: int) -> pd.DataFrame:
    """Return the `count` cells of this magnitude and horizon that lie farthest above their usual rate, one per neighbourhood.

    A cell is left out if its circle holds the centre of one chosen before. Ties go by the cell's name.

    Raises:
        BadInput: the map has no such figures; names those it has.
    """
    rows = cells[(cells["magnitude"] == magnitude) & (cells["horizon_days"] == horizon_days)]
    if rows.empty:
        told = sorted({(float(m), int(h)) for m, h in zip(cells["magnitude"], cells["horizon_days"], strict=True)})
        there = ", ".join(f"M {m:g} and {h} day{'' if h == 1 else 's'}" for m, h in told)
        raise BadInput(f"the map has no figures of M {magnitude:g} and {horizon_days} days; it has {there}")
    return apart(rows.sort_values(["ratio", "cell"], ascending=[False, True]), count)


def apart(rows: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return the first `count` of these rows of v_world whose centres are farther apart than the radius of their circles."""
    kept: list[int] = []
    latitude, longitude = rows["latitude_deg"].to_numpy(), rows["longitude_deg"].to_numpy()
    for place in range(len(rows)):
        away = great_circle_km(latitude[place], longitude[place], latitude[kept], longitude[kept])
        if not (away <= rows["radius_km"].iloc[place]).any():
            kept.append(place)
        if len(kept) == count:
            break
    return rows.iloc[kept].reset_index(drop=True)


def export_map(store: Store, folder: Path) -> list[Path]:
    """Write PARQUET_FILE and GEOJSON_FILE of the newest map into `folder`, each completely or not at all; return their paths.

    Raises:
        BadInput: there is no map. NotWritable: the folder cannot be written.
    """
    issue, cells = newest_map(store)
    paths = [folder / PARQUET_FILE, folder / GEOJSON_FILE]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_parquet(paths[0], cells)
        write_geojson(paths[1], issue, cells)
    except OSError as error:
        raise NotWritable(f"cannot export to {folder}: {error.strerror or error}; choose a folder that can be written") from None
    return paths


def write_geojson(path: Path, issue: dict[str, Any], cells: pd.DataFrame) -> Path:
    """Write a map as `geojson`, completely or not at all.

    Raises:
        NotWritable: the folder cannot be written.
    """
    return write_atomic(path, json.dumps(geojson(issue, cells), ensure_ascii=False, separators=(",", ":")))


def geojson(issue: dict[str, Any], cells: pd.DataFrame) -> dict[str, Any]:
    """Build a FeatureCollection (RFC 7946): a polygon per cell, cut at the date line.

    Each magnitude and horizon is a member such as `m5_1d` with probability, usual_probability and ratio.
    """
    features = []
    for name, rows in by_cell(cells).items():
        rings = [_closed(ring) for ring in rings_of(name)]
        kind, shape = ("Polygon", rings[:1]) if len(rings) == 1 else ("MultiPolygon", [[ring] for ring in rings])
        first = rows[0]
        told: dict[str, Any] = {
            "cell": name,
            "place": first["place"],
            "latitude_deg": round(first["latitude_deg"], 4),
            "longitude_deg": round(first["longitude_deg"], 4),
        }
        for row in rows:
            numbers = {key: float(f"{row[key]:.4g}") for key in ("probability", "usual_probability", "ratio")}
            told[f"m{row['magnitude']:g}_{row['horizon_days']}d"] = numbers
        features.append({"type": "Feature", "geometry": {"type": kind, "coordinates": shape}, "properties": told})
    about = {"issue_time": issue["issue_time"].isoformat(), "target_start": issue["target_start"].isoformat(), "mode": issue["mode"]}
    return {"type": "FeatureCollection", "quakecast": about | {"radius_km": issue["radius_km"]}, "features": features}


def place_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return the shown values of a row of v_world: cell, where (its coordinates in words), place (a name or None) and its figures."""
    return {
        "cell": row["cell"],
        "where": place_name(row["latitude_deg"], row["longitude_deg"]),
        "place": row["place"] if isinstance(row["place"], str) else None,
        **{name: float(row[name]) for name in ("latitude_deg", "longitude_deg", "probability", "usual_probability", "ratio")},
    }


def _closed(ring: Sequence[tuple[float, float]]) -> list[list[float]]:
    return [[round(longitude, 4), round(latitude, 4)] for longitude, latitude in [*ring, ring[0]]]
