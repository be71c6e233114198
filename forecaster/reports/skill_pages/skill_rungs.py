"""The part of SKILL.md about longer windows and larger magnitudes."""

from collections.abc import Mapping
from typing import Any

from forecaster.reports.skill_pages.skill import NOTHING, POOLS, Row
from forecaster.reports.skill_pages.skill_pools import markdown_table

_NOTE = (
    "The ladder: windows of 1, 3, 7 and 30 days from the start of each day, and magnitudes from each recipe's own threshold upwards. Gains "
    "are nats per window with such an earthquake. Windows overlap: intervals are by blocks of 30 days, and of 90 days for windows of 30. "
    "ETAS is the one without a fit. Coverage is the share of windows whose number of earthquakes lay in the 95 % range; counts are whole, "
    "so a range of 0 to 0 or 0 to 1 covers more. Active days have 40 % and more for the first day. *Few*: fewer than 20 days of a "
    "recipe with such an earthquake, so the row says little."
)
_HEAD = (
    "days", "magnitude", "windows with one", "expected", "usual rate expected", "over the usual rate", "over ETAS", "coverage",
    "coverage on active days", "mean number", "expected number", "",
)  # fmt: skip


def rungs_text(document: Mapping[str, Any], arm: str) -> str:
    """Return the tables of an experiment (`arm`), one per pool; "" where the document has none."""
    parts = []
    for pool, title in POOLS.items():
        rows = [row for row in document.get("rungs", ()) if (row["arm"], row["pool"]) == (arm, pool)]
        if rows:
            parts += [f"**{title}**", markdown_table(_HEAD, [_cells(row) for row in rows])]
    return "\n\n".join([_NOTE, *parts]) if parts else ""


def _cells(row: Row) -> list[str]:
    return [
        str(row["horizon_days"]),
        f"threshold + {row['step']:g}" if row["step"] else "threshold",
        f"{row['hits']:,} of {row['windows']:,}",
        f"{row['expected_hits']:,.0f}",
        f"{row['usual_hits']:,.0f}",
        rung_gain(row["gain_over_climatology"]),
        rung_gain(row["gain_over_etas"]),
        _cover(row["coverage"]),
        _cover(row.get("active_coverage")) + (f", {row['active_windows']:,} windows" if row.get("active_windows") else ""),
        f"{row['mean_count']:.3g}",
        f"{row['expected_count']:.3g}",
        "few" if row["few"] else "",
    ]


def _cover(cover: Mapping[str, float] | None) -> str:
    if cover is None:
        return NOTHING
    return f"{cover['estimate']:.1%} ({cover['low']:.1%} to {cover['high']:.1%})".replace("%", " %")


def rung_gain(gain: Mapping[str, float] | None) -> str:
    """Return a gain with its bounds, in bold where they lie on one side of 0."""
    if gain is None:
        return NOTHING
    text = f"{gain['estimate']:+.3f}"
    text = f"**{text}**" if gain["low"] > 0 or gain["high"] < 0 else text
    return f"{text} ({gain['low']:+.3f} to {gain['high']:+.3f})"
