"""Inline SVG: the small strips of the tables."""

import math
from collections.abc import Sequence
from html import escape

from forecaster.reports.content.contract import DayOutcome
from forecaster.reports.drawing.charts import COAST, FILLS, INK
from forecaster.reports.drawing.shapes import EDGE
from forecaster.reports.numbers_as_text import known_probability


def ratio_strip(ratio: float | None, level: int | None) -> str:
    """Draw a bar from the usual rate (the tick) to `ratio` on a log scale, clipped at 1/4 and 16 times.

    It is decoration: the figure is written beside it.
    """
    width, low, high = 112.0, -2.0, 4.0

    def at(value: float) -> float:
        return 2 + (width - 4) * (min(max(value, low), high) - low) / (high - low)

    axis = f'<path class="axis" d="M2 9H{width - 2:.0f}" stroke="{COAST}" stroke-width="1"/>'
    tick = f'<path class="tick" d="M{at(0):.1f} 2V16" stroke="{INK}" stroke-width="1.4"/>'
    bar = ""
    if ratio and level is not None:
        start, end = sorted((at(0), at(math.log2(ratio))))
        place = f'x="{start:.1f}" y="5" width="{max(end - start, 1.5):.1f}" height="8" rx="1"'
        bar = f'<rect class="level-{level}" {place} fill="{FILLS[level]}" stroke="{EDGE}"/>'
    return f'<svg class="strip" viewBox="0 0 {width:.0f} 18" width="{width:.0f}" height="18" aria-hidden="true">{axis}{bar}{tick}</svg>'


def outcome_strip(outcomes: Sequence[DayOutcome], title: str) -> str:
    """Draw one bar per day, oldest first; its height is the square root of the forecast probability.

    A dot marks a day with an observed earthquake, a ring a day without a known outcome.
    """
    days = outcomes[-90:]
    step, height = 8.0 if len(days) <= 20 else 4.0 if len(days) <= 45 else 2.2, 28.0
    bars, shapes = [], []
    for index, outcome in enumerate(days):
        x = 2 + index * step
        tall = 1 + 16 * math.sqrt(known_probability(outcome.probability) or 0.0)
        bars.append(f"M{x:.1f} {height - 2:.0f}v-{tall:.1f}h{0.65 * step:.1f}v{tall:.1f}Z")
        middle = x + 0.33 * step
        if outcome.observed:
            shapes.append(f'<circle class="hit" cx="{middle:.1f}" cy="5" r="{max(1.7, min(3, step / 2)):.1f}" fill="{INK}"/>')
        elif outcome.observed is None:
            shapes.append(f'<circle class="open" cx="{middle:.1f}" cy="5" r="{min(2.4, step / 2):.1f}" fill="none" stroke="{INK}"/>')
    shapes.insert(0, f'<path class="days" d="{"".join(bars)}" fill="{FILLS[2]}"/>')
    width = 4 + step * max(len(days), 1)
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    return f'<svg class="strip" {size} role="img" aria-label="{escape(title)}">{"".join(shapes)}</svg>'
