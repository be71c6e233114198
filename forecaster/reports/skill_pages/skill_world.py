"""The part of SKILL.md about the world map: maps of past days, scored as pools of cells."""

from collections.abc import Mapping
from typing import Any

from forecaster.reports.skill_pages.skill import NOTHING, Row
from forecaster.reports.skill_pages.skill_pools import markdown_table
from forecaster.reports.skill_pages.skill_rungs import rung_gain

_HEAD = (
    "magnitude", "days", "active cells", "expected", "smoothed seismicity", "ETAS", "N", "S", "L", "over smoothed seismicity", "over ETAS",
    "earthquakes elsewhere",
)  # fmt: skip


def world_text(document: Mapping[str, Any]) -> str:
    """Return the table of all maps together by magnitude and window; "" where the document has no backtest of world maps."""
    world = document.get("world")
    if not world:
        return ""
    maps = max(row["maps"] for row in world["pools"])
    note = (
        f"{maps} maps, of {world['first_day']} and every {world['every_days']} days after it up to {world['last_day']}, each from what was "
        "known then. A cell of some 12,400 km2 is active where an earthquake of the magnitude came in the window. Smoothed seismicity is "
        "the usual rate of ten years, with a disc of 150 km. ETAS is the one without a fit. N, S and L: how many maps pass the test of the "
        "number, of the places, and of both, at 5 %. Gains are nats per active cell, with 95 % intervals by days. Earthquakes elsewhere "
        "lie in cells without a forecast: fewer than ten of M 5 since 1973, or a catalogue that is not complete down to the magnitude."
    )
    return f"{note}\n\n{markdown_table(_HEAD, [_cells(row) for row in world['pools']])}"


def _cells(row: Row) -> list[str]:
    everywhere = row["events"] + row["events_elsewhere"]
    return [
        f"{row['magnitude']:g}",
        str(row["horizon_days"]),
        f"{row['active_cells']:,}",
        *(
            NOTHING if row[name] is None else f"{row[name]:,.0f}"
            for name in ("expected_cells", "usual_expected_cells", "etas_expected_cells")
        ),
        f"{row['n_passed']} of {row['maps']}",
        f"{row['s_passed']} of {row['s_tested']}",
        f"{row['l_passed']} of {row['maps']}",
        rung_gain(row["gain_over_usual"]),
        rung_gain(row["gain_over_etas"]),
        f"{row['events_elsewhere']:,} of {everywhere:,}",
    ]
