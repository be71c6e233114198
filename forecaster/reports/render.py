"""The only home of Jinja: a report's facts become pages and mails by the templates of templates/.

A page is one self-contained file; a mail is subject, text and HTML with its styles inlined. A third language is one more i18n file.
"""

import functools
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from forecaster.errors import BadInput
from forecaster.reports import charts
from forecaster.reports.context import map_targets, report_context
from forecaster.reports.contract import ReportData
from forecaster.reports.words import Phrase
from forecaster.settings import bundled_folder

FALLBACK = "en"
MAIL_ROWS = 40


def template_folder() -> Path:
    """templates/ of the checkout, or the copy that travels inside the wheel.

    Raises:
        BadInput: neither has them.
    """
    folder = bundled_folder("templates")
    if not (folder / "i18n" / f"{FALLBACK}.toml").is_file():
        raise BadInput(f"no templates in {folder}: install quakecast again")
    return folder


def languages() -> list[str]:
    """The languages there is an i18n file for, English first."""
    found = sorted(file.stem for file in (template_folder() / "i18n").glob("*.toml"))
    return sorted(found, key=lambda language: language != FALLBACK)


def render_report(data: ReportData, language: str, alternates: Mapping[str, str] | None = None) -> str:
    """The day's page: one HTML file that loads nothing.

    Args:
        alternates: language -> relative address of the same page in that language, linked at the top.
    """
    context = report_context(data, language)
    coastlines, say = _coastlines(), _speaker(language)
    targets = map_targets(context["rows"], numbered=False)
    maps = {
        "world_map": Markup(charts.world_map(targets, data.events, coastlines, say("map.world_title"), say("map.japan"))),
        "japan_map": Markup(charts.japan_map(targets, data.events, coastlines, say("map.japan_title"))),
    }
    return _environment(language).get_template("report.html.j2").render(**context, **maps, alternates=dict(alternates or {}))


def render_email(data: ReportData, language: str, report_url: str | None = None) -> tuple[str, str, str]:
    """(subject, text, HTML). The HTML shows the picture of `email_pictures` by its CID; at most MAIL_ROWS rows are listed."""
    import css_inline

    context = report_context(data, language)
    context |= {"listed": context["rows"][:MAIL_ROWS], "unlisted": len(context["rows"][MAIL_ROWS:]), "report_url": report_url}
    environment = _environment(language)
    subject = " ".join(environment.get_template("email.subject.j2").render(**context).split())
    text = environment.get_template("email.txt.j2").render(**context)
    page = environment.get_template("email.html.j2").render(**context)
    inliner = css_inline.CSSInliner(load_remote_stylesheets=False, keep_at_rules=True)
    return subject, text.strip() + "\n", inliner.inline(page)


def email_pictures(data: ReportData, language: str) -> dict[str, bytes]:
    """CID -> PNG: the world map and the inset, circles numbered as the rows of the mail's table."""
    context, say = report_context(data, language), _speaker(FALLBACK)
    targets, coastlines = map_targets(context["rows"], numbered=True), _coastlines()
    world = charts.world_map(targets, data.events, coastlines, "", say("map.japan"), font_size=17.0)
    return {
        "world-map": charts.svg_to_png(world, scale=1.25),
        "japan-map": charts.svg_to_png(charts.japan_map(targets, data.events, coastlines, "", font_size=16.0), scale=1.5),
    }


def render_index(reports: Sequence[Mapping[str, str]], language: str = FALLBACK) -> str:
    """The index page: `reports` newest first, each with `href` and `label`."""
    return _environment(language).get_template("index.html.j2").render(reports=reports, language=language)


def render_skill(context: Mapping[str, Any]) -> str:
    """The page of skill on past days, from `skill.skill_context`: one HTML file that loads nothing."""
    return _environment(FALLBACK).get_template("skill.html.j2").render(**context)


@functools.cache
def _coastlines() -> list[charts.Polyline]:
    return charts.load_coastlines()


@functools.cache
def _texts(language: str) -> dict[str, str]:
    """Dotted key -> text of templates/i18n/<language>.toml."""
    file = template_folder() / "i18n" / f"{language}.toml"
    if not file.is_file():
        raise BadInput(f"no reports in language {language!r}; there are: {', '.join(languages())} (add {file.name} for another)")
    tables = tomllib.loads(file.read_text(encoding="utf-8"))
    return {f"{table}.{key}": text for table, entries in tables.items() for key, text in entries.items()}


def _speaker(language: str) -> Any:
    texts, fallback = _texts(language), _texts(FALLBACK)

    def say(phrase: Phrase | str, **values: Any) -> str:
        """The text of a phrase or key; one that the language lacks is said in English, an unknown one raises KeyError."""
        key, filled = (phrase.key, {**phrase.values, **values}) if isinstance(phrase, Phrase) else (phrase, values)
        spoken = {name: say(value) if isinstance(value, Phrase) else value for name, value in filled.items()}
        return (texts.get(key) or fallback[key]).format_map(spoken)

    return say


@functools.cache
def _environment(language: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(template_folder()),
        autoescape=lambda name: name is not None and ".html" in name,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    say = _speaker(language)
    environment.globals |= {
        "say": say,
        "t": say,
        "ratio_strip": lambda row: Markup(charts.ratio_strip(row["ratio_value"], row["level"])),
        "outcome_strip": lambda row: Markup(charts.outcome_strip(row["outcomes"], say(row["outcomes_title"]))),
        "level_fills": charts.FILLS,
        "tied": lambda text: re.sub(r"(?<=\d) (?=\S)", "\u00a0", text),
        "event_radius": charts.event_radius,
    }
    return environment
