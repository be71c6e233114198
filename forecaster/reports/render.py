"""The only home of Jinja: a report's facts become pages by the templates of templates/ (mails.py makes the mails).

A page is one self-contained file, but for what an archive's pages share (`assets`). A third language is one more i18n file.
"""

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket
from markupsafe import Markup

from forecaster.reports.content.context import report_context
from forecaster.reports.content.contract import ReportData
from forecaster.reports.drawing import charts, vega
from forecaster.reports.locales import month_text, number_text
from forecaster.reports.templates import fill
from forecaster.reports.texts import FALLBACK, day_writer, language_name, speaker, tell_missing, template_folder
from forecaster.reports.web.assets import Assets
from forecaster.reports.web.index import PastReport
from forecaster.reports.web.page import page_parts
from forecaster.reports.web.world_page import WorldMap, world_context


def told_in(data: ReportData, language: str, user_folder: Path | None = None) -> dict[str, Any]:
    """What every template is given: `report_context` with the language's days, and how many of its texts are missing."""
    return {
        **report_context(data, language, day_writer(language, user_folder)),
        "missing_texts": tell_missing(language, user_folder),
    }


def render_report(
    data: ReportData,
    language: str,
    alternates: Mapping[str, str] | None = None,
    user_folder: Path | None = None,
    assets: Assets | None = None,
) -> str:
    """The day's page: one HTML file that loads nothing but, where they are given, the `assets` that lie beside it.

    Args:
        alternates: language -> relative address of the same page in that language, linked at the top.
        user_folder: where the user's own templates and i18n files lie.
    """
    context = told_in(data, language, user_folder)
    say, writer = speaker(language, user_folder), day_writer(language, user_folder)
    addresses = assets.addresses if assets else None
    parts = page_parts(data, context, say, writer, coastlines(), _script(), _chart_specs(language, user_folder), addresses)
    page = {**context, **parts, "alternates": dict(alternates or {})}
    return fill(environment(language, user_folder), "report.html.j2", page, user_folder)


def page_assets(language: str, user_folder: Path | None = None) -> Assets:
    """What the pages of an archive share; the style sheet may be the user's own."""
    stylesheet = fill(environment(language, user_folder), "report.css", {}, user_folder)
    return Assets(stylesheet, f"{vega.library()}\n{_script()}")


def _script() -> str:
    return (template_folder() / "report.js").read_text(encoding="utf-8")


def render_world(world: WorldMap, language: str, alternates: Mapping[str, str], user_folder: Path | None = None) -> str:
    """The page of the map of the world: one HTML file that loads nothing. `alternates` as for `render_report`."""
    say, writer = speaker(language, user_folder), day_writer(language, user_folder)
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
    """The index page of these reports, in their order, by month. A headline is told in `language` where the report has that page.

    served: by `quakecast serve`, which can also hand out a page as one file. world: the address of the map of the world, if there is one.
    """
    writer = day_writer(language, user_folder)

    def told(report: PastReport, said: Mapping[str, str]) -> tuple[str, str]:
        """(language, text): this page's own language, else English, else any."""
        return next(((other, said[other]) for other in (language, FALLBACK, *said) if other in said), (language, ""))

    months: dict[str, list[dict[str, Any]]] = {}
    for report in reports:
        spoken, headline = told(report, report.headlines)
        row = {**asdict(report), "headline": headline, "spoken": spoken, "period": told(report, report.periods)[1]}
        made = _moment(report.made)
        row |= {"href": told(report, report.hrefs)[1], "made_text": writer.moment(made)}
        months.setdefault(month_text(made.date().replace(day=1), language) if made else "", []).append(row)
    names = {other: language_name(other, user_folder) for other in {other for report in reports for other in report.hrefs}}
    count = sum(bool(report.made) for report in reports)
    context = {"months": months, "count": count, "language": language, "language_names": names.get, "served": served, "world": world}
    return fill(environment(language, user_folder), "index.html.j2", context, user_folder)


def _moment(text: str) -> datetime | None:
    """When a page was made, as its head says; None where it says nothing of the kind."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def render_skill(context: Mapping[str, Any]) -> str:
    """The page of skill on past days, from `skill.skill_context`: one HTML file that loads nothing."""
    return environment(FALLBACK).get_template("skill.html.j2").render(**context)


@functools.cache
def _chart_specs(language: str, user_folder: Path | None) -> str:
    return vega.specifications(speaker(language, user_folder))


@functools.cache
def coastlines() -> list[charts.Polyline]:
    """The coasts of the maps."""
    return charts.load_coastlines()


class _CompiledOnce(BytecodeCache):
    """Templates as they were compiled for the first language, for the others of this process."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if (code := self._kept.get(bucket.key)) is not None:
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


_COMPILED = _CompiledOnce()


@functools.cache
def environment(language: str, user_folder: Path | None = None) -> Environment:
    """The built-in templates in `language`; `templates.fill` puts a user's own before them. The user's texts count here already."""
    made = Environment(
        loader=FileSystemLoader(template_folder()),
        autoescape=lambda name: name is not None and ".html" in name,
        undefined=StrictUndefined,
        bytecode_cache=_COMPILED,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    say = speaker(language, user_folder)
    made.globals |= {
        "say": say,
        "t": say,
        "ratio_strip": lambda row: Markup(charts.ratio_strip(row["ratio_value"], row["level"])),
        "outcome_strip": lambda row: Markup(charts.outcome_strip(row["outcomes"], say(row["outcomes_title"]))),
        "level_fills": charts.FILLS,
        "tied": lambda text: re.sub(r"(?<=[\d>]) (?=\S)|(?<=\bM) (?=\d)", "\u00a0", text),
        "event_radius": charts.event_radius,
        "number": lambda value: number_text(value, language),
        "language_names": lambda other: language_name(other, user_folder),
    }
    return made
