"""The information gain of each place's evaluated model with its 95 % interval, as rows, CSV and a picture."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from forecaster.reports.content.contract import RecipeForecast
from forecaster.reports.drawing.charts import COAST, INK
from forecaster.reports.drawing.shapes import EDGE, PAPER
from forecaster.reports.numbers_as_text import known
from forecaster.reports.web.csv_link import csv_link

COLUMNS = ("place", "model", "gain", "low", "high", "target_days")
WIDTH, LABELS, ROW, FOOT = 680.0, 150.0, 22.0, 40.0
SIDE = 26.0  # margin on both sides: half the width of an axis label


@dataclass(frozen=True)
class GainRow:
    place: str
    model: str
    gain: float
    low: float
    high: float
    target_days: int | None


@dataclass(frozen=True)
class GainRows:
    """The rows, sorted by gain, the best first."""

    rows: tuple[GainRow, ...]

    @property
    def csv(self) -> str:
        """The rows as a CSV link."""
        return csv_link(COLUMNS, [(row.place, row.model, row.gain, row.low, row.high, row.target_days) for row in self.rows])


def gain_rows(evaluated: Sequence[dict[str, Any]], recipes: Mapping[str, RecipeForecast], say: Callable[..., str]) -> GainRows | None:
    """Return the models of the page's evaluation table that have an interval; None where none has. evaluated: rows of `report_context`."""
    found = []
    for row in evaluated:
        kind = row["evaluation"]["kind"]
        tested = next((model.evaluation for model in recipes[row["id"]].models if model.kind == kind and model.evaluation), None)
        if tested is None:
            continue
        gain, low, high = known(tested.information_gain), known(tested.low), known(tested.high)
        if gain is not None and low is not None and high is not None:
            found.append(GainRow(row["name"], say(row["evaluation"]["model"]), gain, low, high, tested.target_days))
    return GainRows(tuple(sorted(found, key=lambda row: (-row.gain, row.place)))) if found else None


def gain_picture(gains: GainRows, title: str, axis_label: str) -> str:
    """Draw one line per place for the interval, and a dot for the gain.

    The dot is filled where the whole interval lies above zero, hollow elsewhere.
    """
    low = min(0.0, *(row.low for row in gains.rows))
    high = max(0.0, *(row.high for row in gains.rows))
    span = max(high - low, 1e-6)
    height = ROW * len(gains.rows) + FOOT

    def across(value: float) -> float:
        return LABELS + SIDE + (WIDTH - LABELS - 2 * SIDE) * (value - low) / span

    bottom = ROW * len(gains.rows) + 4
    shapes = [f'<path class="tick" d="M{across(0):.1f} 2V{bottom:.0f}" stroke="{INK}" stroke-dasharray="4 3"/>']
    for index, row in enumerate(gains.rows):
        y = ROW * (index + 0.5) + 2
        full = row.low > 0
        shapes.append(_text(LABELS, y + 4, _short(row.place), "end"))
        shapes.append(f'<path class="curve" d="M{across(row.low):.1f} {y:.1f}H{across(row.high):.1f}" stroke="{EDGE}" stroke-width="1.6"/>')
        dot = f'cx="{across(row.gain):.1f}" cy="{y:.1f}" r="4.2"'
        look = f'fill="{EDGE if full else PAPER}" stroke="{EDGE}" stroke-width="1.6"'
        shapes.append(f'<circle class="dot{"" if full else " outside"}" {dot} {look}/>')
    shapes.append(f'<path class="grid" d="M{LABELS + SIDE:.0f} {bottom:.0f}H{WIDTH - SIDE:.0f}" stroke="{COAST}"/>')
    for value in sorted({round(low, 2), 0.0, round(high, 2)}):
        shapes.append(_text(across(value), bottom + 14, f"{value:+.2f}".replace("-", "−") if value else "0", "middle"))
    shapes.append(_text(LABELS + SIDE + (WIDTH - LABELS - 2 * SIDE) / 2, height - 6, axis_label, "middle"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="picture" viewBox="0 0 {WIDTH:g} {height:g}" role="img" '
        f'aria-label="{escape(title)}" font-family="system-ui, sans-serif">{"".join(shapes)}</svg>'
    )


def _short(name: str) -> str:
    return name if len(name) <= 22 else f"{name[:21]}…"


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text class="tick-text" x="{x:.1f}" y="{y:.1f}" font-size="11.5" text-anchor="{anchor}" fill="{INK}">{escape(text)}</text>'
