"""Interactive charts: Vega-Lite specifications made with altair, the library that draws them, and a policy that allows only these scripts.

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
HISTORY_PIXELS = 170
MODES = ("prospective", "late", "hindcast", "replay")
ROW_PIXELS = 22  # height per row of the chart of gains; the script multiplies it by the number of rows
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


def _history(say: Say) -> dict[str, Any]:
    """Specify the history chart: a bar per day for the forecast probability, a dashed line for the usual rate, a diamond per earthquake."""
    import altair as alt

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
    base = alt.Chart()
    x = alt.X(
        "utcyearmonthdate(day):T",
        title=None,
        scale=alt.Scale(type="utc"),
        axis=alt.Axis(format=say("history.day_format"), labelOverlap=True, grid=False, tickCount=7),
    )
    y = alt.Y("probability:Q", title=None, axis=_percent_axis(), scale=alt.Scale(zero=True, nice=4))
    tooltip = [
        alt.Tooltip("day_text:N", title=say("checks.day")),
        alt.Tooltip("probability_text:N", title=say("history.said")),
        alt.Tooltip("base:N", title=say("table.usual")),
        alt.Tooltip("times:N", title=say("table.ratio")),
        alt.Tooltip("observed_text:N", title=say("history.came")),
        alt.Tooltip("mode_text:N", title=say("history.mode")),
    ]
    over = alt.selection_point(on="pointerover", clear="pointerout", empty=False)
    bars = base.mark_bar(stroke="var(--edge)", strokeWidth=0.6).encode(
        x=x, y=y, fill=alt.condition("datum.afterwards", alt.value("var(--card)"), alt.value("var(--l2)"))
    )
    columns = base.mark_bar(fill="var(--mark)").encode(  # the pointer's target: the full height of each day
        x=x, y=alt.value(0), y2=alt.value(HISTORY_PIXELS), tooltip=tooltip, fillOpacity=alt.condition(over, alt.value(0.12), alt.value(0))
    )
    usual = base.mark_line(interpolate="step", strokeDash=[4, 3], stroke="var(--mark)", strokeWidth=1.5).encode(x=x, y="usual:Q")
    hits = base.transform_filter("datum.happened == 1").mark_point(shape="diamond", size=90, filled=True, fill="var(--mark)")
    open_days = base.transform_filter("datum.happened == null").mark_point(size=22, stroke="var(--mark)", strokeWidth=1)
    marks = [mark.encode(x=x, y=alt.value(6)) for mark in (hits, open_days)]
    layers = [bars, usual, *marks, columns.add_params(over)]
    chart = alt.layer(*layers, data=alt.NamedData("rows")).transform_calculate(**calculated)
    return _finished(chart.properties(width="container", height=HISTORY_PIXELS))


def _reliability(say: Say) -> dict[str, Any]:
    """Specify the reliability diagram.

    It shows the forecast probability (across), the observed share of days (up), the consistency bars and the diagonal (data set
    `diagonal`).
    """
    import altair as alt

    scale = alt.Scale(domainMin=0, domainMax=alt.ExprRef("top"), nice=False)
    across = {"title": say("reliability.across"), "axis": _percent_axis(), "scale": scale}
    up = {"title": say("reliability.up"), "axis": _percent_axis(), "scale": scale}
    base = alt.Chart(alt.NamedData("rows")).transform_calculate(probability_text=_chance("probability", say))
    x = alt.X("probability:Q", **across)
    line = alt.Chart(alt.NamedData("diagonal")).mark_line(stroke="var(--coast)").encode(x=alt.X("v:Q", **across), y=alt.Y("v:Q", **up))
    outside = "datum.observed < datum.low || datum.observed > datum.high"
    tooltip = [
        alt.Tooltip("probability_text:N", title=say("reliability.across")),
        alt.Tooltip("observed:Q", title=say("reliability.up"), format=".1%"),
        alt.Tooltip("low:Q", title=say("reliability.low"), format=".1%"),
        alt.Tooltip("high:Q", title=say("reliability.high"), format=".1%"),
        alt.Tooltip("days:Q", title=say("reliability.days"), format=","),
    ]
    bars = base.mark_rule(stroke="var(--l1)", strokeWidth=7, clip=True).encode(x=x, y=alt.Y("low:Q", **up), y2="high:Q")
    curve = base.mark_line(stroke="var(--edge)", strokeWidth=1.6).encode(x=x, y=alt.Y("observed:Q", **up))
    dots = base.mark_point(size=60, filled=True, stroke="var(--edge)", strokeWidth=1.6, opacity=1).encode(
        x=x, y=alt.Y("observed:Q", **up), tooltip=tooltip, fill=alt.condition(outside, alt.value("var(--card)"), alt.value("var(--edge)"))
    )
    chart = alt.layer(line, bars, curve, dots).add_params(alt.param(name="top", value=1))  # the script sets the value
    return _finished(chart.properties(width="container", height=230))


def _gain(say: Say) -> dict[str, Any]:
    """Specify the information gain of each place's evaluated model with its interval, the best on top."""
    import altair as alt

    base = alt.Chart(alt.NamedData("rows"))
    y = alt.Y("place:N", title=None, sort=None, axis=alt.Axis(labelLimit=150, grid=False))
    x = alt.X("low:Q", title=say("evaluation.gain_axis"), axis=alt.Axis(format="+.2f"))
    tooltip = [
        alt.Tooltip("place:N", title=say("table.place")),
        alt.Tooltip("model:N", title=say("evaluation.model")),
        alt.Tooltip("gain:Q", title=say("evaluation.gain"), format="+.3f"),
        alt.Tooltip("low:Q", title=say("reliability.low"), format="+.3f"),
        alt.Tooltip("high:Q", title=say("reliability.high"), format="+.3f"),
        alt.Tooltip("target_days:Q", title=say("evaluation.target_days")),
    ]
    zero = (
        alt.Chart(alt.NamedData("zero"))
        .mark_rule(stroke="var(--mark)", strokeDash=[4, 3])
        .encode(x=alt.X("v:Q", title=say("evaluation.gain_axis")))
    )
    spans = base.mark_rule(stroke="var(--edge)", strokeWidth=1.6).encode(x=x, x2="high:Q", y=y, tooltip=tooltip)
    dots = base.mark_point(size=70, filled=True, stroke="var(--edge)", strokeWidth=1.6, opacity=1).encode(
        x="gain:Q", y=y, tooltip=tooltip, fill=alt.condition("datum.low > 0", alt.value("var(--edge)"), alt.value("var(--card)"))
    )
    return _finished(alt.layer(zero, spans, dots).properties(width="container", height=ROW_PIXELS))


def _percent_axis() -> Any:
    import altair as alt

    return alt.Axis(labelExpr="format(100 * datum.value, '.3~r') + ' %'", tickCount=4)


def _chance(field: str, say: Say) -> str:
    """Return a Vega expression that formats a probability as `numbers_as_text.probability_phrase` does."""
    number = f"datum.{field} > {SURE} ? '{percent(1.0)}' : format(100 * datum.{field}, '.2r')"
    percent_text = f"replace({_quoted(say('number.percent', percent='#'))}, '#', {number})"
    one_in = f"replace({_quoted(say('number.one_in', n='#'))}, '#', format(1 / datum.{field}, ',.1r'))"
    return f"datum.{field} == null ? {_quoted(say('number.unknown'))} : datum.{field} > {SMALL} ? {percent_text} : {one_in}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _finished(chart: Any) -> dict[str, Any]:
    """Return the chart's JSON with the page's colours.

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
    charts = chart.properties(autosize={"type": "fit-x", "contains": "padding"}).to_dict(validate=False)  # a test compiles all of them
    return {key: value for key, value in {**charts, "config": config}.items() if key != "$schema"}
