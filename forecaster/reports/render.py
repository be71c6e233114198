"""Render a report's data into HTML pages with the Jinja templates of templates/.

This module builds the Jinja environment of the project; mails.py renders the mails with it. A page is one self-contained file, except for
the assets that the pages of an archive share (`assets`). A further language needs one more i18n file.
"""

import functools
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket
from markupsafe import Markup

from forecaster.reports.content.context import report_context
from forecaster.reports.content.contract import ReportData
from forecaster.reports.drawing import chart_library, charts, ground, strips, vega
from forecaster.reports.locales import month_text, number_text
from forecaster.reports.templates import fill
from forecaster.reports.texts import FALLBACK, day_writer, language_name, log_missing, template_folder, translator
from forecaster.reports.web.assets import Assets
from forecaster.reports.web.index import PastReport
from forecaster.reports.web.page import PageTools, Shared, page_parts
from forecaster.reports.web.world_page import WorldMap, world_context


def translated(data: ReportData, language: str, user_folder: Path | None = None) -> dict[str, Any]:
    """Return the context that every template receives.

    It is `report_context`, with days written as the language writes them, and the number of texts that the language lacks.
    """
    return {
        **report_context(data, language, day_writer(language, user_folder)),
        "missing_texts": log_missing(language, user_folder),
    }


def render_report(
    data: ReportData,
    language: str,
    alternates: Mapping[str, str] | None = None,
    user_folder: Path | None = None,
    assets: Assets | None = None,
    shared: Shared | None = None,
) -> str:
    """Render the day's report as one HTML file.

    The page loads nothing, except the shared `assets` beside it where they are given.

    Args:
        alternates: language -> relative address of the same page in that language; the top of the page links to them.
        user_folder: folder of the user's own templates and i18n files.
        shared: of the same report, where pages in other languages are rendered, too.
    """
    context = translated(data, language, user_folder)
    parts = page_parts(data, context, page_tools(language, user_folder, assets, shared))
    page = {**context, **parts, "alternates": dict(alternates or {})}
    return fill(environment(language, user_folder), "report.html.j2", page, user_folder)


def page_tools(language: str, user_folder: Path | None = None, assets: Assets | None = None, shared: Shared | None = None) -> PageTools:
    """Return what the pages of a language share. `shared`: what they share with those of other languages."""
    return PageTools(
        translator(language, user_folder),
        day_writer(language, user_folder),
        coastlines(),
        _script(),
        _chart_specs(language, user_folder),
        (lambda: assets.library) if assets else chart_library.library,
        assets.addresses if assets else None,
        shared or Shared(),
    )


def page_assets(language: str, user_folder: Path | None = None, kept_in: Path | None = None) -> Assets:
    """Return the style sheet and the script that the pages of an archive share; the style sheet may be the user's own.

    kept_in: as for `chart_library.library`.
    """
    stylesheet = fill(environment(language, user_folder), "report.css", {}, user_folder)
    return Assets(stylesheet, chart_library.library(kept_in), _script())


def _script() -> str:
    return (template_folder() / "report.js").read_text(encoding="utf-8")


def render_world(world: WorldMap, language: str, alternates: Mapping[str, str], user_folder: Path | None = None) -> str:
    """Render the world map page as one HTML file that loads nothing. `alternates` is as for `render_report`."""
    say, writer = translator(language, user_folder), day_writer(language, user_folder)
    script = (template_folder() / "world.js").read_text(encoding="utf-8")
    context = world_context(world, language, say, writer, coastlines(), script, alternates)
    return fill(environment(language, user_folder), "world.html.j2", context, user_folder)


def render_index(
    reports: Sequence[PastReport],
    language: str = FALLBACK,
    user_folder: Path | None = None,
    *,
    served: bool = False,
    world: str | None = None,
) -> str:
    """Render the index page of these reports, in the given order, grouped by month.

    A headline is shown in `language` where the report has a page in it.

    Args:
        served: the page is served by `quakecast serve`, which can also deliver a page as one file.
        world: address of the world map page, if there is one.
    """
    writer = day_writer(language, user_folder)

    def shown(report: PastReport, texts: Mapping[str, str]) -> tuple[str, str]:
        """Return (language, text): the text in this page's language, else in English, else in any language."""
        return next(((other, texts[other]) for other in (language, FALLBACK, *texts) if other in texts), (language, ""))

    months: dict[str, list[dict[str, Any]]] = {}
    for report in reports:
        shown_language, headline = shown(report, report.headlines)
        row = {**vars(report), "headline": headline, "spoken": shown_language, "period": shown(report, report.periods)[1]}
        made = _moment(report.made)
        row |= {"href": shown(report, report.hrefs)[1], "made_text": writer.moment(made)}
        months.setdefault(month_text(made.date().replace(day=1), language) if made else "", []).append(row)
    names = {other: language_name(other, user_folder) for other in {other for report in reports for other in report.hrefs}}
    count = sum(bool(report.made) for report in reports)
    context = {"months": months, "count": count, "language": language, "language_names": names.get, "served": served, "world": world}
    return fill(environment(language, user_folder), "index.html.j2", context, user_folder)


def _moment(text: str) -> datetime | None:
    """Return the time at which a page was made, parsed from its head; None where the head holds no such time."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def render_skill(context: Mapping[str, Any]) -> str:
    """Render the page of skill on past days from `skill.skill_context` as one HTML file that loads nothing."""
    return environment(FALLBACK).get_template("skill.html.j2").render(**context)


@functools.cache
def _chart_specs(language: str, user_folder: Path | None) -> str:
    return vega.specifications(translator(language, user_folder))


@functools.cache
def coastlines() -> ground.Coastlines:
    """Return the coastlines of the maps."""
    return ground.load_coastlines()


class _CompiledOnce(BytecodeCache):
    """A cache of compiled templates, shared by the environments of all languages in this process."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if (code := self._kept.get(bucket.key)) is not None:
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


_COMPILED = _CompiledOnce()


class _Environment(Environment):
    """Looks for a name in a dict first among its keys: templates are filled from dicts, and Jinja would look among their methods first."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if type(obj) is dict and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


@functools.cache
def environment(language: str, user_folder: Path | None = None) -> Environment:
    """Return the Jinja environment of the built-in templates in `language`.

    It uses the texts of the user's i18n files. The user's own templates are looked up later, by `templates.fill`.
    """
    made = _Environment(
        loader=FileSystemLoader(template_folder()),
        autoescape=lambda name: name is not None and ".html" in name,
        undefined=StrictUndefined,
        bytecode_cache=_COMPILED,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    say = translator(language, user_folder)
    made.globals |= {
        "say": say,
        "t": say,
        "ratio_strip": lambda row: Markup(strips.ratio_strip(row["ratio_value"], row["level"])),
        "outcome_strip": lambda row: Markup(strips.outcome_strip(row["outcomes"], say(row["outcomes_title"]))),
        "level_fills": charts.FILLS,
        "tied": lambda text: re.sub(r"(?<=[\d>]) (?=\S)|(?<=\bM) (?=\d)", "\u00a0", text),
        "event_radius": charts.event_radius,
        "number": lambda value: number_text(value, language),
        "language_names": lambda other: language_name(other, user_folder),
    }
    return made
