"""Render a report of more recipes than one page holds: the page of the day as an index, and a page for each group of recipes.

The index has the headline, the map, the rows that stand out most, the groups with the highest ratio of each, and the name of every place.
The page of a group has what the page of a small report has of its recipes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from forecaster.reports.content.context import part_of
from forecaster.reports.content.contract import ReportData
from forecaster.reports.content.ranking import is_as_usual, is_notable
from forecaster.reports.numbers_as_text import Phrase
from forecaster.reports.render import environment, page_tools, translated
from forecaster.reports.templates import fill
from forecaster.reports.web import page
from forecaster.reports.web.assets import Assets
from forecaster.reports.web.groups import Group
from forecaster.reports.web.page_names import day_page, group_page

INDEX_CHECKS = 2000  # the most checked forecasts that the index has as a file; those of a group's recipes are on its page
INDEX_ROWS = 30  # rows of the index's table, labels of its maps, checked forecasts with an earthquake


def render_groups(
    data: ReportData,
    groups: Sequence[Group],
    report: str,
    language: str,
    others: Sequence[str] = (),
    user_folder: Path | None = None,
    assets: Assets | None = None,
    shared: page.Shared | None = None,
) -> Iterator[tuple[str, str]]:
    """Yield (file name, page): the page of each group, then the page of the day, which links to them.

    Args:
        groups: as by `groups_of`.
        report: the beginning of the pages' names (`page_names`).
        others: the other languages in which this report has pages.
        user_folder, assets, shared: as for `render_report`.
    """
    context, tools = translated(data, language, user_folder), page_tools(language, user_folder, assets, shared)
    names = [group_page(report, group.address, language) for group in groups]
    page_of = {recipe_id: name for group, name in zip(groups, names, strict=True) for recipe_id in group.recipe_ids}
    contexts = [_context_of(group, name, context, language, tools.say) for group, name in zip(groups, names, strict=True)]

    def filled(template: str, parts: Mapping[str, Any], alternates: Mapping[str, str]) -> str:
        return fill(environment(language, user_folder), template, {**context, **parts, "alternates": alternates}, user_folder)

    for index, group in enumerate(groups):
        there = frozenset(group.recipe_ids)
        own = replace(
            data,
            recipes=tuple(recipe for recipe in data.recipes if recipe.recipe_id in there),
            checks=tuple(check for check in data.checks if check.recipe_id in there),
        )
        beside = {
            "group": contexts[index],
            "before": contexts[index - 1] if index else None,
            "after": contexts[index + 1] if index + 1 < len(contexts) else None,
            "index_href": day_page(report, language),
        }
        alternates = {other: group_page(report, group.address, other) for other in others}
        yield names[index], filled("report_group.html.j2", {**_group_parts(own, context, tools), **beside}, alternates)
    alternates = {other: day_page(report, other) for other in others}
    yield day_page(report, language), filled("report_index.html.j2", _index_parts(data, context, contexts, page_of, tools), alternates)


def _context_of(group: Group, name: str, context: Mapping[str, Any], language: str, say: page.Say) -> dict[str, Any]:
    """Return a group in words: its page, how many places it has, how many stand out, and the first of them."""
    there, title = frozenset(group.recipe_ids), group.title(language)
    rows = [row for row in context["rows"] if row["id"] in there]
    return {
        "href": name,
        "title": say(title) if isinstance(title, Phrase) else title,
        "count": len(there),
        "above": sum(map(is_notable, rows)),
        "first": rows[0] if rows else None,
    }


def _index_parts(
    data: ReportData, context: Mapping[str, Any], groups: Sequence[dict[str, Any]], page_of: Mapping[str, str], tools: page.PageTools
) -> dict[str, Any]:
    rows, extra = (
        [row | {"href": f"{page_of[row['id']]}#about-{row['id']}"} for row in context[name]] for name in ("rows", "comparison_rows")
    )
    leading = [row for row in rows if not is_as_usual(row)]
    titles = {group["href"]: group["title"] for group in groups}
    places = [{"row": row, "group": titles[page_of[row["id"]]]} for row in rows + extra]
    whole = {**context, "rows": rows, "comparison_rows": extra}
    pooled = page.pooled_parts(data, tools)
    return {
        **page.map_parts(data, whole, tools, INDEX_ROWS),
        **pooled,
        **page.file_parts(data, whole),
        **page.frame_parts(data, tools, charted=pooled["pooled_reliability"] is not None, scripted=True),
        "listed": leading[:INDEX_ROWS],
        "unlisted": len(leading[INDEX_ROWS:]),
        "groups": sorted(groups, key=lambda group: (group["first"] is None, group["first"]["number"] if group["first"] else 0)),
        "places": sorted(places, key=lambda place: (place["row"]["name"].casefold(), place["row"]["number"])),
        **({} if len(data.checks) <= INDEX_CHECKS else {"checks_csv": None}),
        "hits": [check for check in context["checks"] if check["happened"]][:INDEX_ROWS],
        "regions": {},
        "evaluation_chart": None,
        "evaluation_csv": None,
    }


def _group_parts(own: ReportData, context: dict[str, Any], tools: page.PageTools) -> dict[str, Any]:
    part = part_of(context, own, tools.writer)
    regions, tests = page.region_parts(own, part, tools), page.test_parts(own, part, tools)
    above = sum(map(is_notable, part["rows"]))
    return {
        **part,
        **page.japan_part(own, part, tools),
        "world_map": None,
        "regions": regions,
        **tests,
        **page.file_parts(own, part),
        **page.frame_parts(own, tools, charted=page.has_charts(regions) or tests["evaluation_chart"] is not None),
        "pooled_records": [],
        "pooled_rungs": [],
        "pooled_reliability": None,
        "summary": Phrase("group.summary", {"count": len(own.recipes), "above": above}),
    }
