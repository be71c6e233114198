"""Render a report of more recipes than one page holds: the page of the day as an index, and a page for each group of recipes.

The index has the headline, the map, the rows that stand out most, the groups with the highest ratio of each, and the name of every place.
Of more places than INDEX_PLACES it lists and draws those that stand out; the others are dots, and are found by a search, so that no number
of recipes makes it large. The page of a group has what the page of a small report has of its recipes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from forecaster.reports.content.context import map_targets, part_of
from forecaster.reports.content.contract import RecipeForecast, ReportData, ResolvedOutcome
from forecaster.reports.content.ranking import is_as_usual, is_notable
from forecaster.reports.numbers_as_text import Phrase
from forecaster.reports.render import environment, page_tools, translated
from forecaster.reports.templates import fill
from forecaster.reports.web import page
from forecaster.reports.web.assets import Assets
from forecaster.reports.web.groups import Group
from forecaster.reports.web.index_places import by_name, search_data
from forecaster.reports.web.page_names import day_page, group_page

Item = TypeVar("Item")
INDEX_CHECKS = 2000  # the most checked forecasts that the index has as a file; those of a group's recipes are on its page
INDEX_ROWS = 30  # rows of the index's table, labels of its maps, checked forecasts with an earthquake
INDEX_PLACES = 1000  # the most places that are listed, drawn as circles and have a file one by one
INDEX_OF_MORE = 300  # where there are more: the most that are listed, and drawn as circles


@dataclass(frozen=True)
class GroupPages:
    """The pages of one report in one language.

    groups: as by `groups_of`. report: the beginning of the pages' names (`page_names`). others: the other languages in which this report
    has pages. user_folder, assets, shared: as for `render_report`.
    """

    data: ReportData
    groups: Sequence[Group]
    report: str
    language: str
    others: Sequence[str] = ()
    user_folder: Path | None = None
    assets: Assets | None = None
    shared: page.Shared | None = None

    def all(self) -> Iterator[tuple[str, str]]:
        """Yield (file name, page): the page of each group, then the page of the day, which links to them."""
        for place in range(len(self.groups)):
            yield self._names[place], self._group(place)
        yield day_page(self.report, self.language), self.index()

    def index(self) -> str:
        """Return the page of the day."""
        page_of = {recipe_id: self._names[place] for recipe_id, place in self._place_of.items()}
        parts = _index_parts(self.data, self._context, self._titled, page_of, self._tools)
        return self._filled("report_index.html.j2", parts, {other: day_page(self.report, other) for other in self.others})

    def _group(self, place: int) -> str:
        own = replace(self.data, recipes=tuple(self._recipes[place]), checks=tuple(self._checks[place]))
        context = {**self._context, "rows": self._rows[place], "comparison_rows": self._comparison_rows[place]}
        beside = {
            "group": self._titled[place],
            "before": self._titled[place - 1] if place else None,
            "after": self._titled[place + 1] if place + 1 < len(self.groups) else None,
            "index_href": day_page(self.report, self.language),
        }
        alternates = {other: group_page(self.report, self.groups[place].address, other) for other in self.others}
        return self._filled("report_group.html.j2", {**_group_parts(own, context, self._tools), **beside}, alternates)

    def _filled(self, template: str, parts: Mapping[str, Any], alternates: Mapping[str, str]) -> str:
        names = {**self._context, **parts, "alternates": alternates}
        return fill(environment(self.language, self.user_folder), template, names, self.user_folder)

    @cached_property
    def _context(self) -> dict[str, Any]:
        return translated(self.data, self.language, self.user_folder)

    @cached_property
    def _tools(self) -> page.PageTools:
        return page_tools(self.language, self.user_folder, self.assets, self.shared)

    @cached_property
    def _names(self) -> list[str]:
        return [group_page(self.report, group.address, self.language) for group in self.groups]

    @cached_property
    def _titled(self) -> list[dict[str, Any]]:
        """The groups in words (`_context_of`)."""
        each = zip(self.groups, self._names, self._rows, strict=True)
        return [_context_of(group, name, rows, self.language, self._tools.say) for group, name, rows in each]

    @cached_property
    def _place_of(self) -> dict[str, int]:
        """The place of each recipe's group among the groups."""
        return {recipe_id: place for place, group in enumerate(self.groups) for recipe_id in group.recipe_ids}

    @cached_property
    def _recipes(self) -> list[list[RecipeForecast]]:
        return self._divided(self.data.recipes, lambda recipe: recipe.recipe_id)

    @cached_property
    def _checks(self) -> list[list[ResolvedOutcome]]:
        return self._divided(self.data.checks, lambda check: check.recipe_id)

    @cached_property
    def _rows(self) -> list[list[dict[str, Any]]]:
        return self._divided(self._context["rows"], lambda row: row["id"])

    @cached_property
    def _comparison_rows(self) -> list[list[dict[str, Any]]]:
        return self._divided(self._context["comparison_rows"], lambda row: row["id"])

    def _divided(self, items: Iterable[Item], recipe_of: Callable[[Item], str]) -> list[list[Item]]:
        """Return for each group the items of its recipes, in their order; in one pass, since there may be hundreds of groups."""
        found: list[list[Item]] = [[] for _ in self.groups]
        for item in items:
            if (place := self._place_of.get(recipe_of(item))) is not None:
                found[place].append(item)
        return found


def _context_of(group: Group, name: str, rows: Sequence[dict[str, Any]], language: str, say: page.Say) -> dict[str, Any]:
    """Return a group in words: its page, how many places it has, how many stand out, and the first of them. rows: its own."""
    title = group.title(language)
    return {
        "href": name,
        "title": say(title) if isinstance(title, Phrase) else title,
        "count": len(group.recipe_ids),
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
    many = len(data.recipes) > INDEX_PLACES
    whole = {**context, "rows": rows, "comparison_rows": extra}
    pooled = page.pooled_parts(data, tools)
    return {
        **page.map_parts(data, whole, tools, INDEX_ROWS, min(sum(map(is_notable, rows)), INDEX_OF_MORE) if many else None),
        **pooled,
        **page.file_parts(replace(data, recipes=()) if many else data, whole),
        **({"forecasts_csv": None} if many else {}),
        **page.frame_parts(data, tools, charted=pooled["pooled_reliability"] is not None, scripted=True),
        "listed": leading[:INDEX_ROWS],
        "unlisted": len(leading[INDEX_ROWS:]),
        "groups": sorted(groups, key=lambda group: (group["first"] is None, group["first"]["number"] if group["first"] else 0)),
        "count": len(data.recipes),
        "places": by_name(leading[:INDEX_OF_MORE] if many else rows + extra, titles),
        "place_data": search_data(rows + extra, titles, tools.say) if many else None,
        "many": many,
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
        **page.japan_part(own, tools, map_targets(part["rows"], numbered=False)),
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
