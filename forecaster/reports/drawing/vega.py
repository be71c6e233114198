"""Interactive charts: their Vega-Lite specifications, and a policy that allows only the page's own scripts.

A specification holds no data. The page's script fills the data set `rows` from the CSV beside each chart when the chart scrolls into view.
Colours are the page's own CSS variables, so dark mode and print need nothing more. The page contains the library once
(`chart_library`). Expressions are interpreted, not compiled, so no policy must allow `eval`.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

from forecaster.reports.numbers_as_text import SMALL, SURE, percent

Say = Callable[..., str]
Part = dict[str, Any]  # of a specification, as Vega-Lite's documentation names its keys
HISTORY_PIXELS = 170
MODES = ("prospective", "late", "hindcast", "replay")
ROW_PIXELS = 22  # height per row of the chart of gains; the script multiplies it by the number of rows
ROWS: Part = {"data": {"name": "rows"}}
PERCENT_AXIS: Part = {"labelExpr": "format(100 * datum.value, '.3~r') + ' %'", "tickCount": 4}
POLICY = "default-src 'none'; {scripts}style-src 'unsafe-inline'{own}; img-src data:; base-uri 'none'; form-action 'none'"


def content_policy(*scripts: str, shared: bool = False) -> str:
    """Return the page's Content-Security-Policy: nothing is loaded, and only these scripts run, identified by their SHA-256.

    `shared`: the page may also load the style sheet and the script that lie beside it.
    """
    allowed = [*(["'self'"] if shared and scripts else []), *map(script_source, scripts)]
    return POLICY.format(scripts=f"script-src {' '.join(allowed)}; " if allowed else "", own=" 'self'" if shared else "")


def script_source(script: str) -> str:
    """Return the CSP source of an inline script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def specifications(say: Say) -> str:
    """Return the charts' specifications as JSON, by name, in the language of `say`; the text is safe inside a script element."""
    charts = {"history": _history(say), "reliability": _reliability(say), "gain": _gain(say)}
    return json.dumps(charts, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _history(say: Say) -> Part:
    """Specify the history chart: a bar per day for the forecast probability, a dashed line for the usual rate, a diamond per earthquake."""
    yes, no, unknown = (_quoted(say(f"check.{answer}")) for answer in ("yes", "no", "unknown"))
    size = "(datum.max_magnitude ? ', M ' + format(datum.max_magnitude, '.1f') : '')"
    ratio = "datum.probability / datum.usual"
    modes = " : ".join(f"datum.mode === '{mode}' ? {_quoted(say(f'mode.{mode}'))}" for mode in MODES)
    calculated = {
        "probability_text": _chance("probability", say),
        "base": _chance("usual", say),
        "times": f"datum.usual ? '×' + format({ratio}, {ratio} < 9.95 ? '.1f' : '.0f') : '–'",
        "observed_text": f"datum.happened == null ? {unknown} : datum.happened ? {yes} + {size} : {no}",
        "mode_text": f"{modes} : ''",
        "day_text": "utcFormat(toDate(datum.day), '%Y-%m-%d')",
    }
    axis = {"format": say("history.day_format"), "labelOverlap": True, "grid": False, "tickCount": 7}
    x = _field("day", "temporal", timeUnit="utcyearmonthdate", title=None, scale={"type": "utc"}, axis=axis)
    y = _field("probability", title=None, axis=PERCENT_AXIS, scale={"zero": True, "nice": 4})
    tooltip = [
        _field("day_text", "nominal", title=say("checks.day")),
        _field("probability_text", "nominal", title=say("history.said")),
        _field("base", "nominal", title=say("table.usual")),
        _field("times", "nominal", title=say("table.ratio")),
        _field("observed_text", "nominal", title=say("history.came")),
        _field("mode_text", "nominal", title=say("history.mode")),
    ]
    fill = _either({"test": "datum.afterwards"}, "var(--card)", "var(--l2)")
    bars = _marks("bar", stroke="var(--edge)", strokeWidth=0.6) | _encoding(x=x, y=y, fill=fill)
    usual = _marks("line", interpolate="step", strokeDash=[4, 3], stroke="var(--mark)", strokeWidth=1.5)
    usual |= _encoding(x=x, y=_field("usual"))
    top = _encoding(x=x, y={"value": 6})
    hits = _where("datum.happened == 1") | _marks("point", shape="diamond", size=90, filled=True, fill="var(--mark)") | top
    open_days = _where("datum.happened == null") | _marks("point", size=22, stroke="var(--mark)", strokeWidth=1) | top
    pointed_at = _either({"param": "over", "empty": False}, 0.12, 0)
    columns = {"name": "columns"} | _marks("bar", fill="var(--mark)")  # the pointer's target: the full height of each day
    columns |= _encoding(x=x, y={"value": 0}, y2={"value": HISTORY_PIXELS}, tooltip=tooltip, fillOpacity=pointed_at)
    over = {"name": "over", "select": {"type": "point", "on": "pointerover", "clear": "pointerout"}, "views": ["columns"]}
    transform = _calculated(**calculated)
    return _chart(HISTORY_PIXELS, [bars, usual, hits, open_days, columns], **ROWS, params=[over], **transform)


def _reliability(say: Say) -> Part:
    """Specify the reliability diagram.

    It shows the forecast probability (across), the observed share of days (up), the consistency bars and the diagonal (data set
    `diagonal`).
    """
    scale = {"domainMin": 0, "domainMax": {"expr": "top"}, "nice": False}
    across: Part = {"title": say("reliability.across"), "axis": PERCENT_AXIS, "scale": scale}
    up: Part = {"title": say("reliability.up"), "axis": PERCENT_AXIS, "scale": scale}
    base = ROWS | _calculated(probability_text=_chance("probability", say))
    x, y = _field("probability", **across), _field("observed", **up)
    line = {"data": {"name": "diagonal"}} | _marks("line", stroke="var(--coast)") | _encoding(x=_field("v", **across), y=_field("v", **up))
    tooltip = [
        _field("probability_text", "nominal", title=say("reliability.across")),
        _field("observed", title=say("reliability.up"), format=".1%"),
        _field("low", title=say("reliability.low"), format=".1%"),
        _field("high", title=say("reliability.high"), format=".1%"),
        _field("days", title=say("reliability.days"), format=","),
    ]
    outside = {"test": "datum.observed < datum.low || datum.observed > datum.high"}
    bars = _marks("rule", stroke="var(--l1)", strokeWidth=7, clip=True) | _encoding(x=x, y=_field("low", **up), y2={"field": "high"})
    curve = _marks("line", stroke="var(--edge)", strokeWidth=1.6) | _encoding(x=x, y=y)
    dots = _dots(60) | _encoding(x=x, y=y, tooltip=tooltip, fill=_either(outside, "var(--card)", "var(--edge)"))
    layers = [line, *(base | layer for layer in (bars, curve, dots))]
    return _chart(230, layers, params=[{"name": "top", "value": 1}])  # the script sets the value


def _gain(say: Say) -> Part:
    """Specify the information gain of each place's evaluated model with its interval, the best on top."""
    title = say("evaluation.gain_axis")
    y = _field("place", "nominal", title=None, sort=None, axis={"labelLimit": 150, "grid": False})
    x = _field("low", title=title, axis={"format": "+.2f"})
    tooltip = [
        _field("place", "nominal", title=say("table.place")),
        _field("model", "nominal", title=say("evaluation.model")),
        _field("gain", title=say("evaluation.gain"), format="+.3f"),
        _field("low", title=say("reliability.low"), format="+.3f"),
        _field("high", title=say("reliability.high"), format="+.3f"),
        _field("target_days", title=say("evaluation.target_days")),
    ]
    zero = {"data": {"name": "zero"}} | _marks("rule", stroke="var(--mark)", strokeDash=[4, 3]) | _encoding(x=_field("v", title=title))
    spans = ROWS | _marks("rule", stroke="var(--edge)", strokeWidth=1.6) | _encoding(x=x, x2={"field": "high"}, y=y, tooltip=tooltip)
    better = _either({"test": "datum.low > 0"}, "var(--edge)", "var(--card)")
    dots = ROWS | _dots(70) | _encoding(x=_field("gain"), y=y, tooltip=tooltip, fill=better)
    return _chart(ROW_PIXELS, [zero, spans, dots])


def _field(name: str, kind: str = "quantitative", **more: Any) -> Part:
    """Return a channel that shows this column."""
    return {"field": name, "type": kind, **more}


def _either(condition: Part, value: Any, other: Any) -> Part:
    """Return a channel with one value where the condition holds, and another elsewhere."""
    return {"condition": {**condition, "value": value}, "value": other}


def _marks(kind: str, **look: Any) -> Part:
    return {"mark": {"type": kind, **look}}


def _dots(size: int) -> Part:
    return _marks("point", size=size, filled=True, stroke="var(--edge)", strokeWidth=1.6, opacity=1)


def _encoding(**channels: Any) -> Part:
    return {"encoding": channels}


def _where(condition: str) -> Part:
    return {"transform": [{"filter": condition}]}


def _calculated(**columns: str) -> Part:
    """Return the transformation that adds these columns, each by its Vega expression."""
    return {"transform": [{"calculate": expression, "as": name} for name, expression in columns.items()]}


def _chance(field: str, say: Say) -> str:
    """Return a Vega expression that formats a probability as `numbers_as_text.probability_phrase` does."""
    number = f"datum.{field} > {SURE} ? '{percent(1.0)}' : format(100 * datum.{field}, '.2r')"
    percent_text = f"replace({_quoted(say('number.percent', percent='#'))}, '#', {number})"
    one_in = f"replace({_quoted(say('number.one_in', n='#'))}, '#', format(1 / datum.{field}, ',.1r'))"
    return f"datum.{field} == null ? {_quoted(say('number.unknown'))} : datum.{field} > {SMALL} ? {percent_text} : {one_in}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _chart(height: int, layers: list[Part], **more: Any) -> Part:
    """Return a chart of these layers in the page's colours, as wide as its place.

    It contains no data, and no ARIA roles, which the label of the picture makes unnecessary.
    """
    axis = {"labelColor": "var(--soft)", "titleColor": "var(--soft)", "domainColor": "var(--line)", "tickColor": "var(--line)"}
    config = {
        "aria": False,
        "background": "transparent",
        "font": "system-ui, sans-serif",
        "axis": {**axis, "gridColor": "var(--line)", "labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal"},
        "view": {"stroke": "transparent"},
    }
    place = {"width": "container", "height": height, "autosize": {"type": "fit-x", "contains": "padding"}}
    return {"layer": layers, **place, **more, "config": config}
