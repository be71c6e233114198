"""The parts that only the page has, beside `report_context`: maps, recipe sections, charts with their tables and files, scripts. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from forecaster.reports.content.combined import expected_figures
from forecaster.reports.content.context import map_targets
from forecaster.reports.content.contract import RecipeForecast, ReportData
from forecaster.reports.content.recipe_part import record_line, region_of, reliability_of
from forecaster.reports.drawing import charts, pictures, vega
from forecaster.reports.drawing.gain_picture import gain_picture, gain_rows
from forecaster.reports.drawing.region_map import BoxedLine, boxed, region_map
from forecaster.reports.drawing.shapes import hatch_patterns
from forecaster.reports.web.csv_link import csv_link
from forecaster.reports.words import known, known_probability, ratio_to_usual
from forecaster.reports.writing import Writer

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


def page_parts(
    data: ReportData,
    context: dict[str, Any],
    say: Say,
    writer: Writer,
    coastlines: Sequence[charts.Polyline],
    script: str,
    chart_specs: str,
    assets: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return names for the page's template.

    Args:
        context: `report_context` of the same data.
        script: draws the charts from `chart_specs`. Both are embedded unchanged, with the library; a page without charts has none of them.
        assets: addresses of the shared style sheet (css) and script (js); where they are given, the page does not embed them.
    """
    rows = {row["id"]: row for row in (*context["rows"], *context["comparison_rows"])}
    targets = map_targets(context["rows"], numbered=False)
    lines = boxed(coastlines)
    regions = {recipe.recipe_id: _region(recipe, data, rows[recipe.recipe_id], say, writer, lines) for recipe in data.recipes}
    records = [record_line(record, writer) for record in data.pooled_records]
    drawn = next((record for record in data.pooled_records if record.reliability is not None), None)
    evaluation = gain_rows(context["evaluated"], {recipe.recipe_id: recipe for recipe in data.recipes}, say)
    pooled = _with_picture(reliability_of(drawn), say, say("reliability.all_title")) if drawn else None
    charted = bool(evaluation or pooled or any(region["history"] or region["reliability"] for region in regions.values()))
    scripts = (vega.library(), script) if charted else ()
    return {
        "world_map": Markup(charts.world_map(targets, data.events, coastlines, say("map.world_title"), say("map.japan"))),
        "japan_map": Markup(charts.japan_map(targets, data.events, coastlines, say("map.japan_title")))
        if any(map(charts.in_japan, targets))
        else None,
        "hatch_patterns": Markup(hatch_patterns("legend")),
        "regions": regions,
        "pooled_records": records,
        "pooled_reliability": pooled,
        "evaluation_chart": Markup(gain_picture(evaluation, say("evaluation.chart"), say("evaluation.gain_axis"))) if evaluation else None,
        "evaluation_csv": evaluation.csv if evaluation else None,
        "forecasts_csv": _forecasts_csv(data.recipes, rows),
        "events_csv": _events_csv(data),
        "checks_csv": _checks_csv(data, rows),
        "made_at": f"{data.generated_at:%Y-%m-%dT%H:%M:%SZ}",
        "file_day": f"{data.generated_at:%Y-%m-%d}",
        "content_policy": vega.content_policy(*scripts, shared=assets is not None),
        "assets": assets,
        "scripts": [Markup(text) for text in scripts],
        "chart_specs": Markup(chart_specs) if charted else None,
    }


def _region(
    recipe: RecipeForecast, data: ReportData, row: dict[str, Any], say: Say, writer: Writer, coastlines: Sequence[BoxedLine]
) -> dict[str, Any]:
    told = region_of(recipe, writer)
    title = say("region.map_title", name=row["name"], radius=row["radius"])
    place = (recipe.lat, recipe.lng, recipe.radius_km, row["level"])
    told["map"] = Markup(region_map(*place, data.events, recipe.drivers, coastlines, title, f"r{row['number']}"))
    if told["history"]:
        title = f"{row['name']}: {say(told['history']['summary'])}"
        picture = pictures.history_picture(recipe.recent_outcomes, title, lambda outcome: f"{outcome.day:%m-%d}")
        told["history"]["picture"] = Markup(picture)
    if told["reliability"]:
        _with_picture(told["reliability"], say, say("reliability.title", name=f"{row['name']}, M ≥ {row['magnitude']}"))
    return told


def _with_picture(reliability: dict[str, Any] | None, say: Say, title: str) -> dict[str, Any] | None:
    if reliability:
        axes = say("reliability.across"), say("reliability.up")
        reliability["picture"] = Markup(pictures.reliability_picture(reliability["curve"], title, *axes))
        reliability["title"] = title
    return reliability


def _forecasts_csv(recipes: Sequence[RecipeForecast], rows: dict[str, dict[str, Any]]) -> str:
    told = [
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
    return csv_link(FORECAST_COLUMNS, told)


def _events_csv(data: ReportData) -> str:
    told = [
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
    return csv_link(EVENT_COLUMNS, told)


def _checks_csv(data: ReportData, rows: dict[str, dict[str, Any]]) -> str:
    told = [
        (
            check.recipe_id,
            rows[check.recipe_id]["name"] if check.recipe_id in rows else None,
            check.outcome.day.isoformat(),
            known_probability(check.outcome.probability),
            known_probability(check.outcome.reference_probability),
            check.outcome.happened,
            known(check.outcome.max_magnitude),
            check.outcome.status,
        )
        for check in data.checks
    ]
    return csv_link(CHECK_COLUMNS, told)
