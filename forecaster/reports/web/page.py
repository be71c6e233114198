"""The parts that only the page has, beside `report_context`: maps, recipe sections, charts with their tables and files, scripts. Pure."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from forecaster.reports.content.combined import expected_figures
from forecaster.reports.content.context import map_targets
from forecaster.reports.content.contract import RecipeForecast, ReportData
from forecaster.reports.content.ladder_words import pooled_tables
from forecaster.reports.content.recipe_part import record_line, region_of, reliability_of
from forecaster.reports.dates_as_text import Writer
from forecaster.reports.drawing import charts, ground, pictures, vega
from forecaster.reports.drawing.gain_picture import gain_picture, gain_rows
from forecaster.reports.drawing.region_map import BoxedLines, boxed, region_map
from forecaster.reports.drawing.shapes import UNTITLED, hatch_patterns, with_title
from forecaster.reports.numbers_as_text import known, known_probability, ratio_to_usual
from forecaster.reports.web.csv_link import csv_link

Say = Callable[..., str]
FORECAST_COLUMNS = (
    *("recipe", "place", "latitude", "longitude", "radius_km", "magnitude", "target_start", "target_end", "time_zone"),
    *(
        "probability",
        "usual",
        "ratio",
        "expected",
        "expected_low",
        "expected_high",
        "model",
        "weights",
        "model_id",
        "mode",
        "issued",
        "as_of",
        "degraded",
    ),
)
EVENT_COLUMNS = ("origin_time", "magnitude", "latitude", "longitude", "depth_km", "place")
CHECK_COLUMNS = ("recipe", "place", "day", "probability", "usual", "happened", "max_magnitude", "status")


@dataclass
class Shared:
    """What the pages of one report share in all languages, by recipe id and name: pictures without titles, files, figures in words."""

    kept: dict[tuple[str, str], Any] = field(default_factory=dict)

    def once(self, recipe_id: str, name: str, make: Callable[[], Any]) -> Any:
        """Return what is kept under this name; where nothing is, it is made."""
        key = recipe_id, name
        if key not in self.kept:
            self.kept[key] = make()
        return self.kept[key]


@dataclass(frozen=True)
class PageTools:
    """What the pages of one language share.

    Attributes:
        script: draws the charts from `chart_specs`. Both are embedded unchanged, with the library; a page without charts has none of them.
        assets: addresses of the shared style sheet (css) and script (js); where they are given, the page does not embed them.
        shared: of the same report.
        library: returns the charts' library; called for a page with charts.
    """

    say: Say
    writer: Writer
    coastlines: ground.Coastlines
    script: str
    chart_specs: str
    library: Callable[[], str]
    assets: Mapping[str, str] | None = None
    shared: Shared = field(default_factory=Shared)


def page_parts(data: ReportData, context: dict[str, Any], tools: PageTools) -> dict[str, Any]:
    """Return names for the template of a page that has all of a report.

    Args:
        context: `report_context` of the same data.
    """
    regions = region_parts(data, context, tools)
    tests, pooled = test_parts(data, context, tools), pooled_parts(data, tools)
    charted = bool(tests["evaluation_chart"] or pooled["pooled_reliability"] or has_charts(regions))
    return {
        **map_parts(data, context, tools),
        "regions": regions,
        **tests,
        **pooled,
        **file_parts(data, context),
        **frame_parts(data, tools, charted=charted),
    }


def map_parts(
    data: ReportData, context: dict[str, Any], tools: PageTools, labelled: int | None = None, circled: int | None = None
) -> dict[str, Any]:
    """Return the maps.

    Args:
        labelled: as for `map_targets`.
        circled: how many of the first rows are circles, the others are dots; all of them are circles where it is None.
    """
    targets = map_targets(context["rows"], numbered=False, labelled=labelled)
    circles, dots = (targets, []) if circled is None else (targets[:circled], targets[circled:])
    world = charts.world_map(circles, data.events, tools.coastlines, tools.say("map.world_title"), tools.say("map.japan"), dots=dots)
    return {"world_map": Markup(world), **japan_part(data, tools, circles, dots)}


def japan_part(
    data: ReportData, tools: PageTools, circles: Sequence[charts.MapTarget], dots: Sequence[charts.MapTarget] = ()
) -> dict[str, Any]:
    """Return the inset of Japan, None where no circle or dot lies in it, the patterns of the legend, and whether it tells of dots."""
    shown = any(map(charts.in_japan, (*circles, *dots)))
    japan = charts.japan_map(circles, data.events, tools.coastlines, tools.say("map.japan_title"), dots=dots) if shown else None
    patterns = Markup(hatch_patterns("legend"))
    return {"japan_map": None if japan is None else Markup(japan), "hatch_patterns": patterns, "dotted": bool(dots)}


def region_parts(data: ReportData, context: dict[str, Any], tools: PageTools) -> dict[str, dict[str, Any]]:
    """Return the details of each recipe of `data`, by id."""
    rows = _by_id(context)
    lines = boxed(tools.coastlines)
    return {recipe.recipe_id: _region(recipe, data, rows[recipe.recipe_id], tools, lines) for recipe in data.recipes}


def has_charts(regions: Mapping[str, Mapping[str, Any]]) -> bool:
    """Return whether any of these details has an interactive chart."""
    return any(region["history"] or region["reliability"] for region in regions.values())


def test_parts(data: ReportData, context: dict[str, Any], tools: PageTools) -> dict[str, Any]:
    """Return the chart of the information gains of evaluated models, and its file; None where none was evaluated."""
    found = gain_rows(context["evaluated"], {recipe.recipe_id: recipe for recipe in data.recipes}, tools.say)
    drawn = gain_picture(found, tools.say("evaluation.chart"), tools.say("evaluation.gain_axis")) if found else None
    return {"evaluation_chart": None if drawn is None else Markup(drawn), "evaluation_csv": found.csv if found else None}


def pooled_parts(data: ReportData, tools: PageTools) -> dict[str, Any]:
    """Return the records and the reliability curve of all recipes together."""
    drawn = next((record for record in data.pooled_records if record.reliability is not None), None)
    return {
        "pooled_records": [record_line(record, tools.writer) for record in data.pooled_records],
        "pooled_rungs": pooled_tables(data.pooled_rungs),
        "pooled_reliability": _with_picture(reliability_of(drawn), tools.say, tools.say("reliability.all_title")) if drawn else None,
    }


def file_parts(data: ReportData, context: dict[str, Any]) -> dict[str, Any]:
    """Return the tables of a page as files."""
    rows = _by_id(context)
    return {
        "forecasts_csv": _forecasts_csv(data.recipes, rows),
        "events_csv": _events_csv(data),
        "checks_csv": _checks_csv(data, rows),
    }


def frame_parts(data: ReportData, tools: PageTools, *, charted: bool, scripted: bool = False) -> dict[str, Any]:
    """Return the head of a page and its scripts: the library where it is `charted`, our own there and where it is `scripted`."""
    scripts = (tools.library(), tools.script) if charted else (tools.script,) if scripted else ()
    return {
        "made_at": f"{data.generated_at:%Y-%m-%dT%H:%M:%SZ}",
        "file_day": f"{data.generated_at:%Y-%m-%d}",
        "content_policy": vega.content_policy(*scripts, shared=tools.assets is not None),
        "assets": tools.assets,
        "scripts": [Markup(text) for text in scripts],
        "chart_specs": Markup(tools.chart_specs) if charted else None,
    }


def _by_id(context: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in (*context["rows"], *context["comparison_rows"])}


def _region(recipe: RecipeForecast, data: ReportData, row: dict[str, Any], tools: PageTools, coastlines: BoxedLines) -> dict[str, Any]:
    once, say = functools.partial(tools.shared.once, recipe.recipe_id), tools.say
    region = region_of(recipe, tools.writer, once)
    title = say("region.map_title", name=row["name"], radius=row["radius"])
    place = (recipe.lat, recipe.lng, recipe.radius_km, row["level"])
    drawn = once("map", lambda: region_map(*place, data.events, recipe.drivers, coastlines, UNTITLED, f"r{row['number']}"))
    region["map"] = Markup(with_title(drawn, title))
    if history := region["history"]:
        title = f"{row['name']}: {say(history['summary'])}"
        drawn = once("history", lambda: pictures.history_picture(recipe.recent_outcomes, UNTITLED, lambda outcome: f"{outcome.day:%m-%d}"))
        history["picture"] = Markup(with_title(drawn, title))
        modes = {mode: say(f"mode.{mode}") for mode in history["modes"]}
        history["table"] = [
            (
                day["day"],
                *(say(day[name]) for name in ("probability", "usual", "result", "status")),
                modes.get(day["mode"], ""),
                day["happened"],
            )
            for day in history["rows"]
        ]
    if region["reliability"]:
        _with_picture(region["reliability"], say, say("reliability.title", name=f"{row['name']}, M ≥ {row['magnitude']}"))
    return region


def _with_picture(reliability: dict[str, Any] | None, say: Say, title: str) -> dict[str, Any] | None:
    if reliability:
        axes = say("reliability.across"), say("reliability.up")
        reliability["picture"] = Markup(pictures.reliability_picture(reliability["curve"], title, *axes))
        reliability["title"] = title
    return reliability


def _forecasts_csv(recipes: Sequence[RecipeForecast], rows: dict[str, dict[str, Any]]) -> str:
    lines = [
        (
            recipe.recipe_id,
            rows[recipe.recipe_id]["name"],
            recipe.lat,
            recipe.lng,
            recipe.radius_km,
            recipe.threshold_mag,
            f"{recipe.target_start:%Y-%m-%dT%H:%M:%SZ}",
            f"{recipe.target_end:%Y-%m-%dT%H:%M:%SZ}",
            recipe.time_zone,
            known_probability(recipe.probability),
            known_probability(recipe.reference_probability),
            ratio_to_usual(recipe.probability, recipe.reference_probability),
            *expected_figures(recipe).values(),
            recipe.model_kind,
            " ".join(f"{kind}={weight:g}" for kind, weight in recipe.weights.items()) or None,
            recipe.model_id,
            recipe.mode,
            f"{recipe.issue_time:%Y-%m-%dT%H:%M:%SZ}" if recipe.issue_time else None,
            f"{recipe.as_of:%Y-%m-%dT%H:%M:%SZ}" if recipe.as_of else None,
            recipe.degraded_reason,
        )
        for recipe in sorted(recipes, key=lambda recipe: rows[recipe.recipe_id]["number"])
    ]
    return csv_link(FORECAST_COLUMNS, lines)


def _events_csv(data: ReportData) -> str:
    lines = [
        (
            f"{event.origin_time:%Y-%m-%dT%H:%M:%SZ}",
            event.magnitude,
            event.latitude_deg,
            event.longitude_deg,
            known(event.depth_km),
            event.place,
        )
        for event in sorted(data.events, key=lambda event: event.origin_time)
    ]
    return csv_link(EVENT_COLUMNS, lines)


def _checks_csv(data: ReportData, rows: dict[str, dict[str, Any]]) -> str:
    lines = [
        (
            check.recipe_id,
            rows[check.recipe_id]["name"] if check.recipe_id in rows else None,
            check.outcome.day.isoformat(),
            known_probability(check.outcome.probability),
            known_probability(check.outcome.reference_probability),
            check.outcome.observed,
            known(check.outcome.max_magnitude),
            check.outcome.status,
        )
        for check in data.checks
    ]
    return csv_link(CHECK_COLUMNS, lines)
