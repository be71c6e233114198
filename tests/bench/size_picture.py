"""Cost against size as one picture for docs/PERFORMANCE.md: a panel for each size, both axes logarithmic."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from forecaster.reports.drawing.charts import COAST, INK
from forecaster.reports.drawing.shapes import EDGE, PAPER, path_data

PANEL, HEIGHT, LEFT, TOP, FOOT, GAP = 230.0, 210.0, 44.0, 26.0, 42.0, 14.0


def size_picture(panels: Sequence[Mapping[str, Any]]) -> str:
    """SVG. Of each panel: what (its title), size (name of the axis across), points ((size, CPU s), ascending, at least two)."""
    width = len(panels) * (PANEL + GAP)
    drawn = "".join(_panel(panel, number * (PANEL + GAP)) for number, panel in enumerate(panels))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {HEIGHT:.0f}" role="img" '
        f'font-family="sans-serif" font-size="11">'
        f"<title>CPU seconds against size</title>"
        f'<rect width="100%" height="100%" fill="{PAPER}"/>{drawn}</svg>\n'
    )


def _panel(panel: Mapping[str, Any], x0: float) -> str:
    sizes, costs = zip(*panel["points"], strict=True)
    across = _scale(sizes, x0 + LEFT, x0 + PANEL)
    up = _scale(costs, HEIGHT - FOOT, TOP + 8)
    points = [(across(size), up(cost)) for size, cost in panel["points"]]
    shapes = [_text(x0 + LEFT, 16, panel["what"], "start")]
    shapes += [_grid(f"M{x0 + LEFT:.1f} {up(value):.1f}H{x0 + PANEL:.1f}") for value in _decades(costs)]
    shapes += [_text(x0 + LEFT - 5, up(value) + 4, f"{value:g} s", "end") for value in _decades(costs)]
    shapes += [_text(across(size), HEIGHT - FOOT + 15, f"{size:,}".replace(",000", "k"), "middle") for size in sizes]
    shapes.append(_text(x0 + (LEFT + PANEL) / 2, HEIGHT - 8, panel["size"], "middle"))
    shapes.append(f'<path d="{path_data(points, closed=False)}" fill="none" stroke="{EDGE}" stroke-width="1.6"/>')
    shapes += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{EDGE}"/>' for x, y in points]
    return "".join(shapes)


def _scale(values: Sequence[float], first: float, last: float) -> Any:
    """The place of a value between `first` and `last`, by its logarithm."""
    low, high = math.log10(min(values)), math.log10(max(values))
    return lambda value: first + (last - first) * (0.06 + 0.88 * (math.log10(value) - low) / (high - low))


def _decades(values: Sequence[float]) -> list[float]:
    """1, 2, 5, 10, ... within these values; the ends of them where there is none."""
    marks = [factor * 10.0**power for power in range(-4, 5) for factor in (1, 2, 5)]
    return [mark for mark in marks if min(values) <= mark <= max(values)] or [round(min(values), 3), round(max(values), 3)]


def _grid(path: str) -> str:
    return f'<path d="{path}" stroke="{COAST}" stroke-width="0.6"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{INK}">{escape(text)}</text>'
