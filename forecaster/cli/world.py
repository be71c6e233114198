"""`quakecast world`: the world map, the places farthest above their usual rate, and its files."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from forecaster.cli.common import PARTIAL, complain, day_option, example, json_option, open_job, print_result

if TYPE_CHECKING:
    from datetime import date

    from forecaster.settings import Settings

RESOLUTION = 3


@click.command(epilog=example("quakecast world --magnitude 5 --days 7 --top 10"))
@click.option("--make", is_flag=True, help="Forecast the next day of UTC and store it, where that is not done yet; half a minute.")
@click.option("--resolution", type=int, default=RESOLUTION, show_default=True, help="Of the H3 grid, with --make: 2 or 3.")
@click.option("--export", "folder", type=click.Path(path_type=Path), metavar="FOLDER", help="Write world.parquet and world.geojson there.")
@click.option("--magnitude", type=float, default=5.0, show_default=True, metavar="M", help="Smallest magnitude that counts: 4.5 or 5.")
@click.option("--days", type=int, default=1, show_default=True, help="Days of the window: 1 or 7.")
@click.option("--top", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many places are listed.")
@click.option("--backtest", type=click.Path(path_type=Path), metavar="FOLDER", help="Make and score maps of past days; results there.")
@click.option("--from", "first", default="2018-01-01", show_default=True, help="First day of the backtest, YYYY-MM-DD.")
@click.option("--to", "last", default="2024-10-31", show_default=True, help="Last day that the backtest may reach.")
@click.option("--every", type=click.IntRange(min=1), default=37, show_default=True, help="Days from one map of the backtest to the next.")
@json_option
@click.pass_obj
def world(
    settings: "Settings",
    make: bool,
    resolution: int,
    folder: Path | None,
    magnitude: float,
    days: int,
    top: int,
    backtest: Path | None,
    first: str,
    last: str,
    every: int,
    as_json: bool,
) -> None:
    """List the places of the newest map of the world that lie farthest above their usual chance.

    The daily run makes the map once a day of UTC (QUAKECAST_WORLD_MAP): the published combination for a circle of 150 km about each of
    some 5,000 cells with seismicity. Of places whose circles overlap much, the highest is listed.

    --backtest makes maps of past days instead, each from what was known then, and scores them as pools of cells: N, S and L tests, gain
    over smoothed seismicity and over ETAS alone. The same command again makes only what is missing. Write into the folder of
    `quakecast evaluate` to have the result in its tables.
    """
    from forecaster.pipeline.run_context import open_reader
    from forecaster.pipeline.world_map import map_export, map_record

    if backtest is not None:
        _backtest(settings, backtest, (day_option("--from", first), day_option("--to", last)), every, resolution, as_json)
        return
    problems = _make(settings, resolution) if make else []
    store = open_reader(settings)
    issue, cells = map_export.newest_map(store)
    rows: list[Any] = map_export.most_above(cells, magnitude, days, top).to_dict("records")
    paths = map_export.export_map(store, folder) if folder else []
    document = {
        "issue_time": issue["issue_time"],
        "target_start": issue["target_start"],
        "mode": issue["mode"],
        "radius_km": issue["radius_km"],
        "cells": issue["cells"],
        "left_out": issue["left_out"],
        "problems": issue["problems"],
        "magnitude": magnitude,
        "days": days,
        "places": [map_export.place_row(row) for row in rows],
        "record": map_record.record_of_maps(store, issue["mode"]),
        "files": [str(path) for path in paths],
    }
    print_result(as_json, document, "\n".join(_lines(document)))
    for line in [*problems, *issue["problems"]]:
        complain(line)
    if problems or issue["problems"]:
        sys.exit(PARTIAL)


def _make(settings: "Settings", resolution: int) -> list[str]:
    """Make the map and publish it; returns why there is none, if so."""
    from forecaster.pipeline.run_context import publish_copy
    from forecaster.pipeline.world_map.map_day import make_earth
    from forecaster.pipeline.world_map.map_page import write_pages

    job = open_job(settings)
    made = make_earth(job, resolution)
    if made.issue is not None:
        write_pages(job)
    publish_copy(job)
    return [made.reason] if made.reason else []


def _backtest(settings: "Settings", folder: Path, span: "tuple[date, date]", every: int, resolution: int, as_json: bool) -> None:
    from forecaster.console import progress
    from forecaster.pipeline.world_map.map_backtest import Backtest, run_backtest

    job = open_job(settings)
    with progress("maps of the world") as update:
        document = run_backtest(job.store, Backtest(*span, every, resolution), folder, job.clock.now(), update)
    lines = [f"maps of every {document['every_days']} days, {document['first_day']} to {document['last_day']}"]
    print_result(as_json, document, "\n".join([*lines, *map(_pool_line, document["pools"])]))


def _pool_line(row: dict[str, Any]) -> str:
    tests = f"N {row['n_passed']}/{row['maps']}, S {row['s_passed']}/{row['s_tested']}, L {row['l_passed']}/{row['maps']} passed"
    expected = f"{row['expected_cells']:,.1f} expected (usual {row['usual_expected_cells']:,.1f})"
    gains = [f"over {name} {_bounds(row[key])}" for name, key in (("usual", "gain_over_usual"), ("ETAS", "gain_over_etas")) if row[key]]
    where = f"{row['events']:,} earthquakes and {row['events_elsewhere']:,} elsewhere"
    return "  " + "; ".join(
        [
            f"M >= {row['magnitude']:g}, {row['horizon_days']} d: {row['active_cells']:,} active cells, {expected}",
            tests,
            f"gain {', '.join(gains)}" if gains else "no gain is known",
            where,
        ]
    )


def _bounds(gain: dict[str, float]) -> str:
    return f"{gain['estimate']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f})"


def _lines(document: dict[str, Any]) -> list[str]:
    from forecaster.console import chances
    from forecaster.reports.numbers_as_text import ratio_text

    window = "the day" if document["days"] == 1 else f"the {document['days']} days"
    what = (
        f"M >= {document['magnitude']:g} within {document['radius_km']:g} km, {window} from {document['target_start']:%Y-%m-%d} 00:00 UTC"
    )
    replayed = " (replay)" if document["mode"] == "replay" else ""
    lines = [f"{what}; made {document['issue_time']:%Y-%m-%d %H:%M} UTC{replayed}, {document['cells']:,} cells"]
    for place in document["places"]:
        chance, usual = chances(place["probability"], place["usual_probability"])
        named = f" ({place['place']})" if place["place"] else ""
        lines.append(f"  {ratio_text(place['ratio']):>5} times the usual {usual}: {chance:18} {place['where']}{named}")
    lines += [f"  left out: {reason}" for reason in document["left_out"]]
    lines += [_record_line(row) for row in document["record"]]
    return [*lines, *(f"  written: {path}" for path in document["files"])]


def _record_line(row: dict[str, Any]) -> str:
    tests = f"N {row['n_passed']}, S {row['s_passed']}, L {row['l_passed']} passed"
    span = "1 day" if row["days"] == 1 else f"{row['days']} days"
    cells = f"{row['active']:,} active cells, {row['expected']} expected (usual {row['usual']})"
    return f"  record, M >= {row['magnitude']}, {span}: {row['windows']} maps, {cells}; {tests}; gain {row['gain']} nats an active cell"


COMMANDS = (world,)
