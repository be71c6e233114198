"""`quakecast forecast`: the next day, or a past one, at any place on Earth."""

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from forecaster.cli.common import PARTIAL, complain, example, json_option, machine_clock, print_result

if TYPE_CHECKING:
    from forecaster.settings import Settings


@click.command(epilog=example("quakecast forecast --at 38.3,142.4 --radius-km 150 --magnitude 4.5 --date 2024-06-01"))
@click.option("--at", "place", required=True, metavar="LAT,LON", help="Centre in decimal degrees; north and east are positive.")
@click.option("--radius-km", type=float, default=150.0, show_default=True, metavar="KM", help="Radius of the circle, 1 to 2000.")
@click.option("--magnitude", type=float, default=4.5, show_default=True, metavar="M", help="Smallest magnitude that counts, 2 to 9.5.")
@click.option("--date", "day", metavar="DAY", help="Local day to forecast, YYYY-MM-DD (default: the next one).")
@click.option("--zone", metavar="AREA/CITY", help="Time zone of the day (default: that of the place).")
@json_option
@click.pass_obj
def forecast(
    settings: "Settings", place: str, radius_km: float, magnitude: float, day: str | None, zone: str | None, as_json: bool
) -> None:
    """Forecast a day at any place on Earth, without a recipe; nothing is stored.

    A past day is forecast from what was known when its forecast would have been issued. `quakecast recipes new` makes a recipe of the
    same arguments, which is then forecast every day.
    """
    from forecaster.pipeline.anywhere import Place, catalogue_of, forecast_at
    from forecaster.pipeline.run_context import catalogue_to_look_at
    from forecaster.places import parse_place
    from forecaster.timewindow import parse_day

    asked = Place(*parse_place(place), radius_km, magnitude, zone)
    asked.recipe()
    wanted = None if day is None else parse_day(day)
    with catalogue_to_look_at(settings) as home:
        document = forecast_at(catalogue_of(home), home, asked, wanted, machine_clock())
    print_result(as_json, document, "\n".join(_lines(document)))
    for line in document["warnings"]:
        complain(line)
    if document["warnings"]:
        sys.exit(PARTIAL)


def _lines(document: dict[str, Any]) -> list[str]:
    from zoneinfo import ZoneInfo

    from forecaster.console import chance, chances
    from forecaster.reports.numbers_as_text import ratio_text

    zone = ZoneInfo(document["time_zone"])
    starts, ends = (f"{datetime.fromisoformat(document[name]).astimezone(zone):%Y-%m-%d %H:%M}" for name in ("target_start", "target_end"))
    what = f"M >= {document['magnitude']:g} within {document['radius_km']:g} km of {document['place']['name']}"
    lines = [f"{what}, {starts} to {ends} {zone.key}"]
    chance_of_it, usual = chances(document["probability"], document["usual_rate"])
    lines.append(f"  {chance_of_it}: {ratio_text(document['ratio'])} times the usual {usual}")
    if document["expected_count"] is not None:
        bounds = f"95 % {document['count_low']} to {document['count_high']}"
        lines.append(f"  {document['expected_count']:.2g} such earthquakes expected ({bounds})")
    lines += [f"  {line}" for line in _ladder_lines(document)]
    lines += [f"  {line}" for line in _driver_lines(document)]
    members = ", ".join(f"{kind} {chance(one['probability'])}" for kind, one in document["models"].items())
    lines.append(f"  from {members} (weights: {document['weights_source']})")
    return [*lines, *(f"  {line}" for line in _trust_lines(document))]


def _ladder_lines(document: dict[str, Any]) -> list[str]:
    """Return the lines of the ladder: a line a magnitude, a column a horizon, each with the 95 % range of the number."""
    from forecaster.console import chance

    if document["ladder"] is None:
        return [f"no longer windows and larger magnitudes: {document['no_ladder']}"]
    rungs = document["ladder"]["rungs"]
    horizons = sorted({rung["horizon_days"] for rung in rungs})
    rows = [["at least one (number, 95 %)", *(f"{days} day{'s' if days > 1 else ''}" for days in horizons)]]
    for magnitude in sorted({rung["magnitude"] for rung in rungs}):
        own = [rung for rung in rungs if rung["magnitude"] == magnitude]
        mark = "*" if own[0]["beyond_record"] else ""
        rung_texts = (f"{chance(rung['probability'])} ({rung['count_low']} to {rung['count_high']})" for rung in own)
        rows.append([f"M >= {magnitude:g}{mark}", *rung_texts])
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    if any(rung["beyond_record"] for rung in rungs):
        lines.append(f"* larger than any earthquake in the record there since {document['trust']['record_from']}: the law is carried on")
    return lines


def _driver_lines(document: dict[str, Any]) -> list[str]:
    from forecaster.console import chance

    lines = []
    for driver in document["drivers"]:
        where = driver["place"] or f"{driver['distance_km']:.0f} km from the centre"
        lines.append(
            f"contributing: M {driver['magnitude']:.1f} of {driver['origin_time'][:16]}Z, {where}: {chance(driver['without'])} without it"
        )
    return lines or ["no single recent earthquake raises it"]


def _trust_lines(document: dict[str, Any]) -> list[str]:
    trust = document["trust"]
    lines = [
        f"record: such an earthquake on {trust['target_days']:,} days since {trust['record_from']}, {trust['target_days_ten_years']:,} of "
        "them in the last ten years"
    ]
    if (gain := trust["pooled_gain"]) is not None:
        lines.append(
            f"at 250 places around the world the combination gained {gain['information_gain']:+.2f} nats per target day over the usual "
            f"rate (95 % {gain['low']:+.2f} to {gain['high']:+.2f}, {gain['target_days']:,} target days); at this place it was not tested"
        )
    made = "computed afterwards, from what was known at " if document["made_afterwards"] else "from what was known at "
    return [*lines, f"{made}{document['as_of'][:16]}Z. No official warning; nobody can predict time and place of an earthquake"]


COMMANDS = (forecast,)
