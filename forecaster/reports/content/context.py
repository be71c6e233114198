"""Turn a day's facts into what the templates show: rows, headline, counts. Pure; texts are Phrases, which the renderer translates.

Three rules from SCIENCE.md apply here. Skill is claimed only where the 95 % interval of the information gain lies above zero. A recipe kept
for comparison never makes the headline. A number that is not a probability is shown as unknown.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from forecaster.reports.content.cautions import HEADLINES, cautions
from forecaster.reports.content.combined import (
    COMBINED,
    expected_number,
    made_how,
    made_of,
    model_lines,
    pooled_phrase,
    shown_kind,
    tested_member,
    weight_text,
)
from forecaster.reports.content.contract import DayOutcome, RecipeForecast, Reforecast, ReportData, ResolvedOutcome
from forecaster.reports.content.footer import operations
from forecaster.reports.content.headline import above, headline, lede, notable, struck_flag, subject, usual_line
from forecaster.reports.content.ladder_words import ladder_table, no_ladder, outlook
from forecaster.reports.content.ranking import hearing_model, in_order, is_as_usual, struck_by
from forecaster.reports.content.reason_phrases import one_of, reason_phrases
from forecaster.reports.content.recipe_part import check_row, count_checks, history_row
from forecaster.reports.content.track_record import evaluation_verdict, figures_of, track_of
from forecaster.reports.content.world_part import world_part
from forecaster.reports.dates_as_text import ISO, Writer
from forecaster.reports.drawing.charts import MapTarget
from forecaster.reports.numbers_as_text import (
    NOTABLE,
    Phrase,
    known,
    known_probability,
    level_of,
    model_name,
    offset_text,
    plain,
    probability_pair,
    ratio_text,
    ratio_to_usual,
)
from forecaster.timewindow import day_of_window

LOUDEST_FIRST = ("replay", "hindcast", "late", "prospective")
LISTED_EVENTS = 15
LAST_DAYS = 7


def report_context(data: ReportData, language: str, writer: Writer = ISO) -> dict[str, Any]:
    """Return everything that a template needs, by name. Rows are ordered by `ranking.in_order` and numbered from 1.

    Args:
        data: any report: no recipe, 200 recipes, unknown values anywhere.
        language: of display names; a name missing in it falls back to English, then to the recipe's id.
        writer: writes days and times as the language does.
    """
    main = in_order([recipe for recipe in data.recipes if not recipe.comparison_only], data.events)
    comparison = in_order([recipe for recipe in data.recipes if recipe.comparison_only], data.events)
    rows = [_row(number, recipe, data, language, writer) for number, recipe in enumerate(main, 1)]
    extra = [_row(number, recipe, data, language, writer) for number, recipe in enumerate(comparison, len(rows) + 1)]
    modes = {recipe.mode for recipe in data.recipes}
    mode = next((name for name in LOUDEST_FIRST if name in modes), None)
    names = {row["id"]: row for row in rows + extra}
    about = subject(rows)
    return {
        "report_id": data.report_id,
        "language": language,
        "generated_at": writer.moment(data.generated_at),
        "mode": mode,
        "modes_differ": len(modes) > 1,
        "period": _period(data.recipes, writer),
        "headline": headline(rows),
        "headline_id": about["id"] if about else None,
        "also": [above(row) for row in notable(rows) if about is None or row["id"] != about["id"]][: HEADLINES - 1],
        "lede": lede(rows),
        "cautions": cautions(rows, notable(rows), data.pooled_skill),
        "headline_days": _last_days(about, writer),
        "headline_row": None if about is None or about["unheard"] else about,
        "world": world_part(data.world, writer),
        **_of_rows(rows, extra, data.checks, names, writer),
        "combination_verdict": pooled_phrase(data.pooled_skill),
        "events": _events(data, writer),
        "events_total": len(data.events),
        "events_days": data.events_days,
        "events_min_magnitude": f"{data.events_min_magnitude:g}",
        "operations": operations(data, names, writer),
    }


def part_of(context: dict[str, Any], data: ReportData, writer: Writer) -> dict[str, Any]:
    """Return the `report_context` of a whole report, cut down to the recipes and checks of `data`; rows keep their numbers."""
    ids = {recipe.recipe_id for recipe in data.recipes}
    rows, extra = ([row for row in context[name] if row["id"] in ids] for name in ("rows", "comparison_rows"))
    return {**context, **_of_rows(rows, extra, data.checks, {row["id"]: row for row in rows + extra}, writer)}


def _of_rows(
    rows: list[dict[str, Any]],
    extra: list[dict[str, Any]],
    checks: Sequence[ResolvedOutcome],
    names: dict[str, dict[str, Any]],
    writer: Writer,
) -> dict[str, Any]:
    """Return what follows from the rows that a page shows: `rows`, and those for comparison, `extra`."""
    usual = [row for row in rows if is_as_usual(row)]
    evaluated = [row for row in rows if row["evaluation"] is not None]
    return {
        "rows": rows,
        "leading_rows": [row for row in rows if not is_as_usual(row)],
        "usual_rows": usual,
        "usual_line": usual_line(usual, len(usual) < len(rows)),
        "comparison_rows": extra,
        "checks": [check_row(check, names, writer) for check in checks],
        "checks_count": count_checks(checks),
        "evaluated": evaluated,
        "evaluation_verdict": evaluation_verdict(evaluated),
    }


def map_targets(rows: Sequence[dict[str, Any]], numbered: bool, labelled: int | None = None) -> list[MapTarget]:
    """Return the circles of `rows` for a map.

    A label holds the name and the ratio. With `numbered`, for pictures that cannot rely on a font, it holds row number and ratio, and only
    rows that a mail lists individually are labelled. `labelled`: how many of the first rows are labelled; all of them where it is None.
    """
    targets = []
    for index, row in enumerate(rows):
        first = f"{row['number']}" if numbered else row["name"]
        lines: tuple[str, ...] = (f"{first}: ×{row['ratio']}",) if numbered else (first, f"×{row['ratio']}")
        if (numbered and is_as_usual(row)) or (labelled is not None and index >= labelled):
            lines = ()
        title = f"{row['name']}: M ≥ {row['magnitude']}, {row['radius']} km, ×{row['ratio']}"
        targets.append(MapTarget(row["lat"], row["lng"], row["radius_km"], row["level"], lines, title))
    return targets


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def _name(recipe: RecipeForecast, language: str) -> str:
    return plain(recipe.display_name.get(language) or recipe.display_name.get("en") or recipe.recipe_id)


def _reforecast_flag(said: Reforecast, zone: ZoneInfo, writer: Writer) -> Phrase:
    probability, usual = probability_pair(said.probability, said.reference_probability)
    day = writer(day_of_window(said.target_start, zone))
    return Phrase(
        "flag.reforecast", {"issued": writer.local(said.issue_time, zone), "day": day, "probability": probability, "usual": usual}
    )


def _row(number: int, recipe: RecipeForecast, data: ReportData, language: str, writer: Writer) -> dict[str, Any]:
    zone = _zone(recipe.time_zone)
    ratio = ratio_to_usual(recipe.probability, recipe.reference_probability)
    level = level_of(ratio)
    first, last = _local_days(recipe)
    flags: list[Phrase] = []
    if recipe.degraded_reason:
        flags.append(Phrase("flag.degraded", {"reason": reason_phrases(recipe.degraded_reasons, recipe.degraded_reason, writer)}))
    if recipe.not_scoreable_reason:
        flags.append(
            Phrase("flag.not_scoreable", {"reason": reason_phrases(one_of(recipe.not_scoreable), recipe.not_scoreable_reason, writer)})
        )
    if recipe.incomplete_below is not None:
        flags.append(Phrase("flag.incomplete", {"magnitude": f"{recipe.incomplete_below:.1f}"}))
    if recipe.mode == "prospective" and not recipe.official and recipe.probability is not None:
        flags.append(Phrase("flag.not_official"))
    if recipe.reforecast is not None:
        flags.append(_reforecast_flag(recipe.reforecast, zone, writer))
    kind = recipe.model_kind
    struck = struck_by(recipe, data.events)
    unheard = struck if kind == "climatology" else None
    hearing = None if unheard is None else hearing_model(recipe)
    if struck is not None:
        flags.append(struck_flag(struck, zone, hearing, kind, writer))
    probability, usual = probability_pair(recipe.probability, recipe.reference_probability)
    return {
        "number": number,
        "id": recipe.recipe_id,
        "href": f"#about-{recipe.recipe_id}",
        "name": _name(recipe, language),
        "lat": recipe.lat,
        "lng": recipe.lng,
        "radius_km": recipe.radius_km,
        "radius": f"{recipe.radius_km:.0f}",
        "magnitude": f"{recipe.threshold_mag:.1f}",
        "day": writer(first),
        "last_day": writer(last) if last > first else None,
        "starts": writer.local(recipe.target_start, zone),
        "ends": writer.local(recipe.target_end, zone),
        "zone": writer.zone(zone),
        "offset": offset_text(recipe.target_start, zone),
        "probability": probability,
        "probability_value": known_probability(recipe.probability),
        "usual": usual,
        "ratio_value": ratio,
        "said": _figures_sentence(recipe, ratio, probability, usual),
        "ratio": ratio_text(ratio),
        "level": level,
        "level_name": Phrase("level.none" if level is None else "level.itself" if kind == "climatology" else f"level.{level}"),
        "model_kind": kind,
        "model": model_name(shown_kind(recipe)),
        "combined": shown_kind(recipe) == COMBINED,
        "made_from": made_of(recipe),
        "made_how": made_how(recipe, writer),
        "expected": expected_number(recipe),
        "models": model_lines(recipe),
        "ladder": ladder_table(recipe, zone, writer),
        "no_ladder": no_ladder(recipe, writer),
        "outlook": outlook(recipe.ladder, recipe.target_end),
        "model_id": recipe.model_id,
        "degraded": recipe.degraded_reason,
        "mode": recipe.mode,
        "issued": writer.moment(recipe.issue_time),
        "as_of": writer.moment(recipe.as_of),
        "flags": flags,
        "unheard": unheard,
        "struck": struck,
        "struck_day": None if struck is None else writer.short(struck.at.astimezone(zone).date()),
        "hearing": None
        if hearing is None
        else (model_name(hearing.kind), probability_pair(hearing.probability, recipe.reference_probability)[0]),
        "comparison_only": recipe.comparison_only,
        "track": track_of(recipe),
        "strip_days": _known_days(recipe.recent_outcomes),
        "outcomes": recipe.recent_outcomes,
        "open": recipe.open_outcomes,
        "outcomes_title": _outcomes_title(recipe.recent_outcomes),
        "evaluation": _evaluation(recipe),
    }


def _evaluation(recipe: RecipeForecast) -> dict[str, Any] | None:
    """Return the evaluation of the member with the largest weight, its weight, and whether it alone is published.

    Return None where no member was evaluated.
    """
    if (found := tested_member(recipe)) is None:
        return None
    model, figures = found
    weight = recipe.weights.get(model.kind)
    names = {"kind": model.kind, "model": model_name(model.kind), "shown_alone": shown_kind(recipe) == model.kind}
    return {**names, "weight": None if weight is None else weight_text(weight), **figures_of(figures)}


def _last_days(row: dict[str, Any] | None, writer: Writer) -> list[dict[str, Any]]:
    """Return the last forecasts for the headline's place with their outcomes, oldest first.

    They show how the probability rose, and whether the forecasts were right.
    """
    if row is None or row["ratio_value"] is None or row["ratio_value"] < NOTABLE:
        return []
    rows = []
    for outcome in (*row["outcomes"], *row["open"])[-LAST_DAYS:]:
        ratio = ratio_text(ratio_to_usual(outcome.probability, outcome.reference_probability))
        open_yet = {"result": Phrase("history.key_open")} if outcome.observed is None else {}
        rows.append(history_row(outcome, writer) | {"ratio": ratio} | open_yet)
    return rows


def _figures_sentence(recipe: RecipeForecast, ratio: float | None, probability: Phrase, usual: Phrase) -> Phrase:
    """Return probability, ratio and usual rate as one sentence: "3.1 %, 2.4 times the usual 1.3 %"."""
    values = {"probability": probability, "usual": usual}
    if ratio is None:
        return Phrase("region.said_alone", values)
    if recipe.model_kind == "climatology":
        return Phrase("region.said_usual", values)
    rare = "" if values["usual"].key == "number.percent" else "_rare"
    return Phrase(f"region.said{rare}", {**values, "ratio": ratio_text(ratio)})


def _local_days(recipe: RecipeForecast) -> tuple[date, date]:
    """Return the first and last local day of the target window."""
    zone = _zone(recipe.time_zone)
    return day_of_window(recipe.target_start, zone), day_of_window(recipe.target_end, zone) - timedelta(days=1)


def _period(recipes: Sequence[RecipeForecast], writer: Writer) -> Phrase | None:
    """Return the local days that the forecasts cover; days of different zones may differ by one."""
    if not recipes:
        return None
    days = [_local_days(recipe) for recipe in recipes]
    first, last = min(start for start, _ in days), max(end for _, end in days)
    if first == last:
        return Phrase("period.day", {"day": writer(first)})
    return Phrase("period.days", {"first": writer(first), "last": writer(last)})


def _outcomes_title(outcomes: Sequence[DayOutcome]) -> Phrase:
    return Phrase("track.strip", _known_days(outcomes))


def _known_days(outcomes: Sequence[DayOutcome]) -> dict[str, int]:
    """Return, for the days in a row's strip, how many have a known outcome and on how many an earthquake was observed."""
    happened = [outcome.observed for outcome in outcomes if outcome.observed is not None]
    return {"days": len(happened), "hits": sum(map(bool, happened))}


def _events(data: ReportData, writer: Writer) -> list[dict[str, Any]]:
    largest = sorted(data.events, key=lambda event: (-event.magnitude, event.origin_time))[:LISTED_EVENTS]
    return [
        {
            "time": writer.moment(event.origin_time),
            "magnitude": f"{event.magnitude:.1f}",
            "depth": None if (depth := known(event.depth_km)) is None else f"{depth:.0f}",
            "place": None if event.place is None else writer.place(plain(event.place)),
            "place_is_english": event.place is not None and writer.place(plain(event.place)) == plain(event.place),
            "lat": f"{event.latitude_deg:.1f}",
            "lng": f"{event.longitude_deg:.1f}",
        }
        for event in largest
    ]
