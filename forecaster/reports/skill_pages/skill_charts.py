"""Inline SVG of the skill page: gains with intervals, reliability, ROC and Molchan curves. Values in, text out.

Every model has the same colour and mark everywhere. The page's style sets the colours (light and dark) by the classes m-<model>.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from forecaster.registry.model_kinds import OTHER_COLOUR, Look, looks

WIDE = 940.0
LABELS = 150.0
SMALL = 236.0
MARGIN = 38.0


Place = Callable[[float, float], tuple[float, float]]  # data coordinates -> position in the picture


@dataclass(frozen=True)
class Bar:
    """A model's information gain with its interval; None where it has none."""

    model: str
    estimate: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Line:
    """A curve of points (x, y), both in 0..1; `label` is its text in the legend."""

    model: str
    points: Sequence[tuple[float, float]]
    label: str


@dataclass(frozen=True)
class ReliabilityPlot:
    """Forecast probabilities, their recalibrated values, and the band in which these would lie were the forecasts calibrated.

    All are probabilities, ascending.
    """

    model: str
    forecast: Sequence[float]
    worth: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


def mark(model: str, x: float = 0.0, y: float = 0.0) -> str:
    """Return the model's mark at a position."""
    shown = looks().get(model, Look())
    look = "mark-open" if shown.baseline else "mark"
    return f'<path class="{look} m-{_name(model)}" d="{shown.mark}" transform="translate({x:.1f} {y:.1f})"/>'


def gain_chart(rows: Sequence[tuple[str, Sequence[Bar]]], title: str, unit: str) -> str:
    """Draw one block of bars per row, its label first. The axis is cut where a few long intervals would make the rest illegible."""
    step, gap, top = 13.0, 10.0, 26.0
    low, high = _gain_range([bar for _, bars in rows for bar in bars])

    def at(value: float) -> float:
        return LABELS + (min(max(value, low), high) - low) / (high - low) * (WIDE - LABELS - 12)

    shapes, y = [], top
    for index, (label, bars) in enumerate(rows):
        height = step * len(bars) + gap
        if index % 2 == 0:
            shapes.append(f'<rect class="stripe" x="0" y="{y:.1f}" width="{WIDE:.0f}" height="{height:.1f}"/>')
        shapes.append(_text(LABELS - 10, y + height / 2 + 4, label, "end"))
        for line, bar in enumerate(bars):
            shapes.append(_bar(bar, at, y + gap / 2 + step * (line + 0.5), low, high))
        y += height
    ticks = [
        f'<path class="{"zero" if abs(value) < 1e-9 else "grid"}" d="M{at(value):.1f} {top - 4:.1f}V{y:.1f}"/>'
        + _text(at(value), top - 9, f"{value:+.2g}" if abs(value) > 1e-9 else "0", "middle")
        for value in _ticks(low, high)
    ]
    stripes = [shape for shape in shapes if 'class="stripe"' in shape]
    others = [shape for shape in shapes if 'class="stripe"' not in shape]
    body = "".join([*stripes, *ticks, *others, _text(WIDE - 12, y + 15, unit, "end")])
    return _svg(WIDE, y + 22, title, body)


def reliability_chart(plot: ReliabilityPlot, title: str) -> str:
    """Draw CORP's curve over its consistency band, on square-root axes that make small probabilities visible."""
    most = max(0.05, *plot.forecast, *plot.worth, *plot.high)
    place = _square(lambda value: math.sqrt(max(value, 0.0) / most))
    upper = [place(x, y) for x, y in zip(plot.forecast, plot.high, strict=True)]
    lower = [place(x, y) for x, y in zip(plot.forecast, plot.low, strict=True)]
    band = f'<path class="band m-{_name(plot.model)}" d="{_path([*upper, *reversed(lower)])}Z"/>'
    curve = _path([place(x, y) for x, y in zip(plot.forecast, plot.worth, strict=True)])
    ticks = [value for value in (0.0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0) if value <= most]
    diagonal = f'<path class="zero" d="{_path([place(0, 0), place(most, most)])}"/>'
    body = _frame(place, ticks, lambda value: f"{value * 100:g}") + diagonal + band
    body += f'<path class="line m-{_name(plot.model)}" d="{curve}"/>' + _text(SMALL / 2, 16, title, "middle", "strong")
    return _svg(SMALL, SMALL, title, body + _text(SMALL - 6, SMALL - 3, "said, %", "end"))


def curve_chart(lines: Sequence[Line], title: str, chance: Sequence[tuple[float, float]]) -> str:
    """Draw curves in the unit square, over the line of a forecast without skill."""
    place = _square(lambda value: value)
    body = (
        _frame(place, [0.0, 0.25, 0.5, 0.75, 1.0], lambda value: f"{value:g}")
        + f'<path class="zero" d="{_path([place(x, y) for x, y in chance])}"/>'
    )
    known = looks()
    for line in lines:
        dashes = known[line.model].dash if line.model in known else ""
        dash = f' stroke-dasharray="{dashes}"' if dashes else ""
        body += (
            f'<path class="line m-{_name(line.model)}"{dash} d="{_path([place(x, y) for x, y in line.points])}"><title>{escape(line.label)}'
        )
        body += "</title></path>"
    return _svg(SMALL, SMALL, title, body + _text(SMALL / 2, 16, title, "middle", "strong"))


def _gain_range(bars: Sequence[Bar]) -> tuple[float, float]:
    """Return the range of the axis.

    It covers the estimates, and the bounds within three times the largest estimate's distance from 0. A longer interval ends in an arrow.
    """
    estimates = [bar.estimate for bar in bars if bar.estimate is not None]
    reach = max([abs(value) for value in estimates], default=0.1) or 0.1
    ends = [value for bar in bars for value in (bar.low, bar.estimate, bar.high) if value is not None and abs(value) <= 3 * reach]
    low, high = min([-0.02, *ends]), max([0.05, *ends])
    pad = 0.04 * (high - low)
    return low - pad, high + pad


def _bar(bar: Bar, at: Callable[[float], float], y: float, low: float, high: float) -> str:
    if bar.estimate is None:
        return _text(at(0) + 6, y + 4, "–", "start")
    text = f"{bar.model} {bar.estimate:+.3f}"
    shape = ""
    if bar.low is not None and bar.high is not None:
        text += f" ({bar.low:+.3f} to {bar.high:+.3f})"
        shape = f'<path class="interval m-{_name(bar.model)}" d="M{at(bar.low):.1f} {y:.1f}H{at(bar.high):.1f}"/>'
        for value, inside, turn in ((bar.low, bar.low >= low, 180), (bar.high, bar.high <= high, 0)):
            if not inside:
                place = f"translate({at(value):.1f} {y:.1f}) rotate({turn})"
                shape += f'<path class="mark m-{_name(bar.model)}" d="M0 -3.5L5 0L0 3.5Z" transform="{place}"/>'
    return f"<g>{shape}{mark(bar.model, at(bar.estimate), y)}<title>{escape(text)}</title></g>"


def _ticks(low: float, high: float) -> list[float]:
    width = 10 ** math.floor(math.log10(high - low))
    width = next(width * share for share in (0.1, 0.2, 0.5, 1.0, 2.0) if (high - low) / (width * share) <= 9)
    return [step * width for step in range(math.ceil(low / width), math.floor(high / width) + 1)]


def _square(scale: Callable[[float], float]) -> Place:
    inner = SMALL - MARGIN - 10

    def place(x: float, y: float) -> tuple[float, float]:
        return MARGIN + scale(x) * inner, SMALL - MARGIN + 4 - scale(y) * (inner - 20)

    return place


def _frame(place: Place, ticks: Sequence[float], write: Callable[[float], str]) -> str:
    top = ticks[-1]
    shapes = []
    for value in ticks:
        (x, bottom), (left, y) = place(value, 0), place(0, value)
        shapes.append(f'<path class="grid" d="{_path([(x, bottom), place(value, top)])}"/>')
        shapes.append(f'<path class="grid" d="{_path([(left, y), place(top, value)])}"/>')
        shapes.append(_text(x, bottom + 13, write(value), "middle") + _text(left - 4, y + 4, write(value), "end"))
    return "".join(shapes)


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _text(x: float, y: float, text: str, anchor: str, look: str = "tick-label") -> str:
    return f'<text class="{look}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _name(model: str) -> str:
    return model if model in looks() else "other"


def style(theme: int) -> Mapping[str, str]:
    """Return model -> colour in the light (0) or the dark (1) theme; "other" is for any further model."""
    return {model: look.colour[theme] for model, look in looks().items()} | {"other": OTHER_COLOUR[theme]}


def _svg(width: float, height: float, title: str, body: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img" aria-label="{escape(title)}">{body}</svg>'
    )
