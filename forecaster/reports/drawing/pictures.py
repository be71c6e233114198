"""Charts as inline SVG, for readers without scripts, for print, and until the interactive charts are drawn. Values in, text out.

As in `charts`, each shape has its light-mode colours as attributes and a class that the page's style overrides in dark mode. Everything
that colour shows is also shown by shape or position.
"""

import math
from collections.abc import Callable, Sequence
from html import escape

from forecaster.reports.content.contract import DayOutcome, ReliabilityCurve
from forecaster.reports.drawing.charts import COAST, FILLS, INK
from forecaster.reports.drawing.shapes import EDGE, PAPER
from forecaster.reports.numbers_as_text import known_probability

SIZE, SMALL_SIZE = (680.0, 190.0), (300.0, 270.0)
LEFT, RIGHT, TOP, BOTTOM = 46.0, 18.0, 22.0, 26.0  # wide enough for a label centred on the end of an axis
STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5)


def history_picture(outcomes: Sequence[DayOutcome], title: str, day_label: Callable[[DayOutcome], str]) -> str:
    """Draw the forecast probability as one bar per day, the usual rate as a dashed line, and observed earthquakes as diamonds above them.

    A bar is hollow where the probability was computed after the day. A ring marks a day whose outcome is not known yet.
    """
    width, height = SIZE
    probabilities = [known_probability(outcome.probability) or 0.0 for outcome in outcomes]
    usual = [known_probability(outcome.reference_probability) for outcome in outcomes]
    top, ticks = scale_of([*probabilities, *(value for value in usual if value is not None)])
    step = (width - LEFT - RIGHT) / max(len(outcomes), 1)

    def across(index: float) -> float:
        return LEFT + step * index

    def up(value: float) -> float:
        return height - BOTTOM - (height - TOP - BOTTOM) * min(value / top, 1.0)

    shapes = [_axes(ticks, up, width)]
    for look, kept in (("said", _where(outcomes, afterwards=False)), ("after", _where(outcomes, afterwards=True))):
        path = "".join(
            f"M{across(i + 0.14):.1f} {up(0):.1f}V{up(probabilities[i]):.1f}h{max(step * 0.72, 0.8):.1f}V{up(0):.1f}Z"
            for i in kept
            if probabilities[i] > 0
        )
        ink = f'fill="{FILLS[2]}"' if look == "said" else f'fill="{PAPER}" stroke="{EDGE}" stroke-width="0.7"'
        shapes.append(f'<path class="bar-{look}" d="{path}" {ink}/>' if path else "")
    shapes.append(_usual_line(usual, across, up))
    for index, outcome in enumerate(outcomes):
        x = across(index + 0.5)
        if outcome.observed:
            shapes.append(f'<path class="hit" d="M{x:.1f} 4l4.5 5.5l-4.5 5.5l-4.5 -5.5Z" fill="{INK}"/>')
        elif outcome.observed is None:
            shapes.append(f'<circle class="open" cx="{x:.1f}" cy="9.5" r="2.2" fill="none" stroke="{INK}"/>')
    every = max(1, math.ceil(len(outcomes) / 6))
    for index in range(0, len(outcomes), every):
        shapes.append(_tick_text(across(index + 0.5), height - 8, day_label(outcomes[index]), "middle" if index else "start"))
    return _svg(width, height, title, shapes)


def reliability_picture(curve: ReliabilityCurve, title: str, across_label: str, up_label: str) -> str:
    """Draw the reliability diagram: forecast probability (across), observed share of days (up).

    It has a dot per value, a bar where 90 % of calibrated forecasts would lie, and the diagonal.
    """
    width, height = SMALL_SIZE
    top, ticks = scale_of([*curve.probability, *curve.observed])  # from the curve alone: the bar of a single day may reach far above it

    def across(value: float) -> float:
        return LEFT + (width - LEFT - RIGHT) * min(value / top, 1.0)

    def up(value: float) -> float:
        return height - 40 - (height - 50) * min(value / top, 1.0)

    shapes = [_axes(ticks, up, width)]
    shapes += [_tick_text(across(tick), height - 26, percent_label(tick), "middle") for tick in ticks]
    shapes.append(f'<path class="diagonal" d="M{across(0):.1f} {up(0):.1f}L{across(top):.1f} {up(top):.1f}" stroke="{COAST}"/>')
    points = list(zip(curve.probability, curve.observed, curve.low, curve.high, strict=True))
    for forecast, _, low, high in points:
        shapes.append(f'<path class="band" d="M{across(forecast):.1f} {up(low):.1f}V{up(high):.1f}" stroke="{FILLS[1]}" stroke-width="7"/>')
    line = "L".join(f"{across(forecast):.1f} {up(share):.1f}" for forecast, share, _, _ in points)
    shapes.append(f'<path class="curve" d="M{line}" fill="none" stroke="{EDGE}" stroke-width="1.6"/>')
    for forecast, share, low, high in points:
        place = f'cx="{across(forecast):.1f}" cy="{up(share):.1f}"'
        inside = low <= share <= high
        fill = EDGE if inside else PAPER
        shapes.append(
            f'<circle class="dot{"" if inside else " outside"}" {place} r="3.6" fill="{fill}" stroke="{EDGE}" stroke-width="1.6"/>'
        )
    shapes.append(_tick_text((LEFT + width - RIGHT) / 2, height - 6, across_label, "middle"))
    shapes.append(f'<text class="tick-text" font-size="11" x="{LEFT:.0f}" y="10" fill="{INK}">{escape(up_label)}</text>')
    return _svg(width, height, title, shapes)


def scale_of(values: Sequence[float]) -> tuple[float, list[float]]:
    """Return (top of an axis from 0, its ticks): two to five round steps that hold all of `values`."""
    largest = max([*values, 0.002])
    step = next((step for step in STEPS if largest <= 4 * step), STEPS[-1])
    count = max(2, math.ceil(largest / step - 1e-9))
    ticks = [step * index for index in range(count + 1)]
    return (1.0, [tick for tick in ticks if tick <= 1.0]) if ticks[-1] >= 1.0 else (ticks[-1], ticks)


def percent_label(value: float) -> str:
    """Return the label of a share in percent: 0.005 -> "0.5 %"."""
    return f"{100 * value:.3g} %"


def _where(outcomes: Sequence[DayOutcome], *, afterwards: bool) -> list[int]:
    return [index for index, outcome in enumerate(outcomes) if outcome.afterwards is afterwards]


def _usual_line(usual: Sequence[float | None], across: Callable[[float], float], up: Callable[[float], float]) -> str:
    parts, pen = [], False
    for index, value in enumerate(usual):
        if value is None:
            pen = False
            continue
        parts.append(f"{'L' if pen else 'M'}{across(index):.1f} {up(value):.1f}H{across(index + 1):.1f}")
        pen = True
    return (
        f'<path class="usual" d="{"".join(parts)}" fill="none" stroke="{INK}" stroke-width="1.5" stroke-dasharray="4 3"/>' if parts else ""
    )


def _axes(ticks: Sequence[float], up: Callable[[float], float], width: float) -> str:
    lines = "".join(f"M{LEFT:.0f} {up(tick):.1f}H{width - RIGHT:.0f}" for tick in ticks)
    texts = "".join(_tick_text(LEFT - 6, up(tick) + 4, percent_label(tick), "end") for tick in ticks)
    return f'<path class="grid" d="{lines}" stroke="{COAST}" stroke-width="0.5"/>{texts}'


def _tick_text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text class="tick-text" x="{x:.1f}" y="{y:.1f}" font-size="11" text-anchor="{anchor}" fill="{INK}">{escape(text)}</text>'


def _svg(width: float, height: float, title: str, shapes: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="picture" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(title)}" font-family="system-ui, sans-serif">{"".join(shapes)}</svg>'
    )
